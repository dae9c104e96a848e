"""Imports: a partner's rows while they are worked off, what became of each, and what was imported ever."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE imports (
    id        uuid PRIMARY KEY,
    partner   text NOT NULL,
    client_id text NOT NULL,
    dry_run   boolean NOT NULL,
    made      timestamptz NOT NULL,
    finished  timestamptz
);
CREATE INDEX imports_partner ON imports (partner, id);
CREATE INDEX imports_open ON imports (id) WHERE finished IS NULL;

CREATE TABLE import_rows (
    import_id   uuid NOT NULL REFERENCES imports (id),
    number      int  NOT NULL,
    fingerprint bytea,
    given       text,
    outcome     text CHECK (outcome IN ('done', 'already_done', 'refused')),
    reference   text,
    code        text,
    cause       text,
    cure        text,
    PRIMARY KEY (import_id, number)
);
COMMENT ON COLUMN import_rows.given IS 'the row, sealed with the hub''s key, until it is worked off';
CREATE INDEX import_rows_waiting ON import_rows (import_id, number) WHERE outcome IS NULL;

CREATE TABLE imported (
    partner     text  NOT NULL,
    fingerprint bytea NOT NULL,
    reference   text  NOT NULL,
    PRIMARY KEY (partner, fingerprint)
);
COMMENT ON TABLE imported IS 'a row that was imported once is done, in whatever file it comes again';

CREATE TABLE import_mappings (
    partner text PRIMARY KEY,
    mapping jsonb NOT NULL
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(TABLES)
