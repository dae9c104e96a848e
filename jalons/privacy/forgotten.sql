CREATE TABLE forgotten (
    receipt_id uuid        PRIMARY KEY,
    at         timestamptz NOT NULL
);
