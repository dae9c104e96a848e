"""The directory, persons and their agreements, the three life cycles, identity, and messaging's own tables."""

from alembic import op

from jalons.messaging import migration

revision = "0001"
down_revision = None

OWN = """
CREATE TABLE partners (
    slug          text PRIMARY KEY,
    name          text NOT NULL,
    kind          text NOT NULL,
    sector        text NOT NULL,
    commune_nis   text NOT NULL,
    moments       text[] NOT NULL,
    secrecy_class text NOT NULL,
    status        text NOT NULL,
    mailbox       text NOT NULL,
    phone         text NOT NULL,
    phone_hours   text,
    address       text,
    language      text NOT NULL,
    trial         boolean NOT NULL,
    version       int NOT NULL DEFAULT 1
);

CREATE TABLE clients (
    client_id   text PRIMARY KEY,
    partner     text NOT NULL REFERENCES partners,
    secret_hash bytea NOT NULL,
    scopes      text[] NOT NULL,
    created     timestamptz NOT NULL,
    revoked     timestamptz
);
CREATE INDEX clients_partner ON clients (partner);

CREATE TABLE signing_keys (
    kid     text PRIMARY KEY,
    state   text NOT NULL CHECK (state IN ('current', 'next', 'retired')),
    private text NOT NULL,
    public  jsonb NOT NULL,
    created timestamptz NOT NULL
);
CREATE UNIQUE INDEX signing_keys_state ON signing_keys (state);

CREATE TABLE conventions (
    convention_id     uuid PRIMARY KEY,
    parties           text[] NOT NULL,
    status            text NOT NULL,
    valid_from        date NOT NULL,
    valid_to          date,
    scope             jsonb NOT NULL,
    shared_attributes text[] NOT NULL,
    legal_basis       text NOT NULL,
    reply_within_working_days int NOT NULL,
    remind_on_working_days    int[] NOT NULL,
    expire_after_days         int NOT NULL,
    version           int NOT NULL DEFAULT 1
);
CREATE INDEX conventions_parties ON conventions USING gin (parties);

CREATE TABLE offers (
    offer          text PRIMARY KEY,
    partner        text NOT NULL REFERENCES partners,
    title          text NOT NULL,
    moment         text NOT NULL,
    type           text NOT NULL,
    status         text NOT NULL,
    places         int NOT NULL,
    commune_nis    text NOT NULL,
    transport_help boolean NOT NULL,
    childcare      boolean NOT NULL,
    mailbox        text,
    place          text,
    project        text,
    version        int NOT NULL DEFAULT 1
);
CREATE INDEX offers_partner ON offers (partner);

CREATE TABLE beneficiaries (
    ref             uuid PRIMARY KEY,
    home            text NOT NULL REFERENCES partners,
    local_ref       text,
    profile         jsonb NOT NULL,
    profile_version int NOT NULL,
    registered      timestamptz NOT NULL
);
CREATE UNIQUE INDEX beneficiaries_local_ref ON beneficiaries (home, local_ref);

CREATE TABLE person_keys (
    ref     uuid PRIMARY KEY,
    wrapped text
);
COMMENT ON COLUMN person_keys.wrapped IS 'under the hub''s secret; null once destroyed';

CREATE TABLE aliases (
    alias   uuid PRIMARY KEY,
    ref     uuid NOT NULL,
    partner text NOT NULL,
    UNIQUE (ref, partner)
);

CREATE TABLE consents (
    consent_id    uuid PRIMARY KEY,
    ref           uuid NOT NULL,
    partners      text[] NOT NULL,
    convention_id uuid,
    purposes      text[] NOT NULL,
    attributes    text[] NOT NULL,
    channel       text NOT NULL,
    evidence_ref  text,
    given         timestamptz NOT NULL,
    expires_on    date,
    withdrawn     timestamptz
);
CREATE INDEX consents_ref ON consents (ref);

CREATE TABLE referrals (
    id        uuid PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    ref       uuid NOT NULL,
    home      text NOT NULL,
    referrer  text NOT NULL,
    recipient text NOT NULL,
    offer     text,
    moment    text NOT NULL,
    status    text NOT NULL,
    version   int  NOT NULL,
    facts     jsonb NOT NULL
);
CREATE INDEX referrals_ref ON referrals (ref);
CREATE INDEX referrals_sent ON referrals (referrer, id);
CREATE INDEX referrals_received ON referrals (recipient, id);
CREATE UNIQUE INDEX referrals_one_open ON referrals (ref, offer)
    WHERE offer IS NOT NULL AND status IN ('sent', 'received', 'waitlisted', 'accepted', 'started');

CREATE TABLE trainings (
    id          uuid PRIMARY KEY,
    reference   text NOT NULL UNIQUE,
    ref         uuid NOT NULL,
    home        text NOT NULL,
    operator    text NOT NULL,
    referral_id uuid,
    moment      text NOT NULL,
    status      text NOT NULL,
    version     int  NOT NULL,
    facts       jsonb NOT NULL
);
CREATE INDEX trainings_ref ON trainings (ref);
CREATE INDEX trainings_home ON trainings (home, id);
CREATE INDEX trainings_operator ON trainings (operator, id);

CREATE TABLE placements (
    id          uuid PRIMARY KEY,
    reference   text NOT NULL UNIQUE,
    ref         uuid NOT NULL,
    home        text NOT NULL,
    proposer    text NOT NULL,
    employer    text NOT NULL,
    referral_id uuid,
    status      text NOT NULL,
    version     int  NOT NULL,
    facts       jsonb NOT NULL
);
CREATE INDEX placements_ref ON placements (ref);
CREATE INDEX placements_proposer ON placements (proposer, id);
CREATE INDEX placements_employer ON placements (employer, id);

CREATE TABLE idempotency (
    client_id text NOT NULL,
    key       text NOT NULL,
    request   bytea NOT NULL,
    status    int NOT NULL,
    call_id   uuid NOT NULL,
    answer    jsonb NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (client_id, key)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(migration.FIRST)
    op.execute(OWN)
