CREATE TABLE deliveries (
    delivery_id UUID NOT NULL,
    event_id UUID NOT NULL,
    about_type TEXT NOT NULL,
    reference TEXT,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    contact TEXT,
    subscription TEXT,
    trial BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    cause TEXT,
    due_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    made timestamptz NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    facts JSONB,
    body TEXT,
    person BYTEA,
    correlation UUID NOT NULL,
    traceparent TEXT,
    PRIMARY KEY (delivery_id),
    CHECK (status IN ('pending', 'waiting', 'sent', 'failed', 'suppressed')),
    CHECK (channel IN ('email', 'webhook'))
);
CREATE INDEX deliveries_due ON deliveries (channel, recipient, due_at) WHERE status IN ('pending', 'waiting');
CREATE INDEX deliveries_made ON deliveries (made DESC, delivery_id);
CREATE INDEX deliveries_person ON deliveries (person) WHERE person IS NOT NULL;
CREATE INDEX deliveries_recipient ON deliveries (recipient, made DESC, delivery_id);

CREATE TABLE queues (
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    free_at timestamptz NOT NULL,
    PRIMARY KEY (channel, recipient)
)
 WITH (fillfactor = 80);

CREATE TABLE partners (
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    phone TEXT NOT NULL,
    phone_hours TEXT,
    language TEXT NOT NULL,
    status TEXT NOT NULL,
    kind TEXT NOT NULL,
    trial BOOLEAN NOT NULL,
    front BOOLEAN NOT NULL,
    PRIMARY KEY (slug)
);

CREATE TABLE subscriptions (
    partner TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    types TEXT[] NOT NULL,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    cause TEXT,
    made timestamptz NOT NULL,
    changed timestamptz NOT NULL,
    PRIMARY KEY (partner, name),
    CHECK (mode IN ('full', 'id_only')),
    CHECK (status IN ('active', 'paused', 'disabled'))
);

CREATE TABLE attempts (
    delivery_id UUID NOT NULL,
    number INTEGER NOT NULL,
    began timestamptz NOT NULL,
    ended timestamptz,
    outcome TEXT,
    cause TEXT,
    PRIMARY KEY (delivery_id, number),
    FOREIGN KEY(delivery_id) REFERENCES deliveries (delivery_id) ON DELETE CASCADE
);

CREATE TABLE secrets (
    partner TEXT NOT NULL,
    subscription TEXT NOT NULL,
    secret TEXT NOT NULL,
    made timestamptz NOT NULL,
    until timestamptz,
    FOREIGN KEY(partner, subscription) REFERENCES subscriptions (partner, name) ON DELETE CASCADE
);
CREATE UNIQUE INDEX secrets_current ON secrets (partner, subscription) WHERE until IS NULL;

CREATE TABLE operator_told (
    one INTEGER NOT NULL,
    degraded BOOLEAN NOT NULL,
    changing TIMESTAMP WITH TIME ZONE,
    week DATE,
    PRIMARY KEY (one),
    CHECK (one = 1)
);
