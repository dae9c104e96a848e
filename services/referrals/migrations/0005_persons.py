"""Whether a person is accompanied, how an agreement ended, who was shown what, and what was erased."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

OWN = """
ALTER TABLE beneficiaries
    ADD COLUMN status  text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'left')),
    ADD COLUMN version int  NOT NULL DEFAULT 1,
    ADD COLUMN left_on date;
UPDATE beneficiaries SET version = profile_version;

ALTER TABLE consents
    ADD COLUMN expired     timestamptz,
    ADD COLUMN replaced_by uuid;
COMMENT ON COLUMN consents.expired IS 'when it was said that its last day is over; from that day on it covers nothing';
CREATE INDEX consents_expiring ON consents (expires_on)
    WHERE expires_on IS NOT NULL AND withdrawn IS NULL AND expired IS NULL;

CREATE TABLE disclosures (
    referral_id uuid        NOT NULL,
    partner     text        NOT NULL,
    fields      text        NOT NULL,
    reference   text        NOT NULL,
    ref         uuid        NOT NULL,
    withheld    jsonb       NOT NULL,
    how         text        NOT NULL CHECK (how IN ('sent', 'read')),
    at          timestamptz NOT NULL,
    PRIMARY KEY (referral_id, partner, fields)
);
COMMENT ON COLUMN disclosures.fields IS 'the names of the bands shown, in order, by a space';
CREATE INDEX disclosures_ref ON disclosures (ref);
INSERT INTO disclosures (referral_id, partner, fields, reference, ref, withheld, how, at)
    SELECT id, recipient,
        coalesce((SELECT string_agg(name, ' ' ORDER BY name) FROM jsonb_object_keys(facts->'disclosed') AS name), ''),
        reference, ref, '{}', 'sent', (facts->>'sent_at')::timestamptz
    FROM referrals;

CREATE TABLE erasures (
    receipt_id uuid        PRIMARY KEY,
    home       text        NOT NULL,
    at         timestamptz NOT NULL,
    why        text        NOT NULL CHECK (why IN ('asked', 'retention')),
    acts       int         NOT NULL,
    holders    jsonb       NOT NULL
);
COMMENT ON TABLE erasures IS 'what was done, never to whom';
CREATE INDEX idempotency_beneficiary ON idempotency ((answer->>'beneficiary'));

ALTER TABLE conventions ADD COLUMN retention_months int NOT NULL DEFAULT 24;
CREATE INDEX beneficiaries_left ON beneficiaries (left_on) WHERE status = 'left';
"""


def upgrade() -> None:
    """Into the schema the connection is in."""
    op.execute(OWN)
