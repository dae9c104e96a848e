"""Who can be told, who asked to be, what there is to tell and each attempt at it, and messaging's own tables."""

from alembic import op

from jalons.messaging import migration

revision = "0001"
down_revision = None

OWN = """
CREATE TABLE partners (
    slug        text    PRIMARY KEY,
    name        text    NOT NULL,
    mailbox     text    NOT NULL,
    phone       text    NOT NULL,
    phone_hours text,
    language    text    NOT NULL,
    status      text    NOT NULL,
    kind        text    NOT NULL,
    trial       boolean NOT NULL
);
COMMENT ON TABLE partners IS 'projection of the directory: the newest record of each partner';

CREATE TABLE subscriptions (
    partner text        NOT NULL,
    name    text        NOT NULL,
    url     text        NOT NULL,
    types   text[]      NOT NULL,
    mode    text        NOT NULL CHECK (mode IN ('full', 'id_only')),
    status  text        NOT NULL CHECK (status IN ('active', 'paused', 'disabled')),
    cause   text,
    made    timestamptz NOT NULL,
    changed timestamptz NOT NULL,
    PRIMARY KEY (partner, name)
);

CREATE TABLE secrets (
    partner      text        NOT NULL,
    subscription text        NOT NULL,
    secret       text        NOT NULL,
    made         timestamptz NOT NULL,
    until        timestamptz,
    FOREIGN KEY (partner, subscription) REFERENCES subscriptions (partner, name) ON DELETE CASCADE
);
CREATE UNIQUE INDEX secrets_current ON secrets (partner, subscription) WHERE until IS NULL;
COMMENT ON COLUMN secrets.secret IS 'sealed under the hub''s secret key, bound to partner and subscription';

CREATE TABLE deliveries (
    delivery_id  uuid        PRIMARY KEY,
    event_id     uuid        NOT NULL,
    about_type   text        NOT NULL,
    reference    text,
    channel      text        NOT NULL CHECK (channel IN ('email', 'webhook')),
    recipient    text        NOT NULL,
    contact      text,
    subscription text,
    trial        boolean     NOT NULL,
    status       text        NOT NULL CHECK (status IN ('pending', 'waiting', 'sent', 'failed', 'suppressed')),
    cause        text,
    due_at       timestamptz NOT NULL,
    since        timestamptz NOT NULL,
    made         timestamptz NOT NULL,
    attempts     int         NOT NULL DEFAULT 0,
    facts        jsonb,
    body         text,
    person       bytea,
    correlation  uuid        NOT NULL,
    traceparent  text
);
COMMENT ON COLUMN deliveries.facts IS 'what an e-mail says, never anything sealed';
COMMENT ON COLUMN deliveries.body IS 'a webhook''s body, sealed; null once it went or was given up';
COMMENT ON COLUMN deliveries.person IS 'keyed hash of the ref: a withdrawal finds what is pending by it';
COMMENT ON COLUMN deliveries.since IS 'when the window began after which it is given up';
CREATE INDEX deliveries_due ON deliveries (channel, recipient, due_at) WHERE status IN ('pending', 'waiting');
CREATE INDEX deliveries_person ON deliveries (person) WHERE person IS NOT NULL;
CREATE INDEX deliveries_made ON deliveries (made DESC, delivery_id);
CREATE INDEX deliveries_recipient ON deliveries (recipient, made DESC, delivery_id);

CREATE TABLE attempts (
    delivery_id uuid        NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    number      int         NOT NULL,
    began       timestamptz NOT NULL,
    ended       timestamptz,
    outcome     text,
    cause       text,
    PRIMARY KEY (delivery_id, number)
);
COMMENT ON TABLE attempts IS 'committed before anything is sent: without an end a crash cut it short';

CREATE TABLE lanes (
    channel   text        NOT NULL,
    recipient text        NOT NULL,
    free_at   timestamptz NOT NULL,
    PRIMARY KEY (channel, recipient)
) WITH (fillfactor = 80);
COMMENT ON TABLE lanes IS 'one message at a time to each recipient; who was served longest ago comes first';
"""


def upgrade() -> None:
    """Every table of the service, as of version 1."""
    op.execute(migration.FIRST)
    op.execute(OWN)
