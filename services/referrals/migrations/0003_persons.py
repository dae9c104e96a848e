"""Whether a person is accompanied, how an agreement ended, and who was shown what."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0001"

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
"""


def upgrade() -> None:
    """Into the schema the connection is in."""
    op.execute(OWN)
