"""Deadlines as rows, and the working day on which a convention lets the coordinator be told."""

from alembic import op

revision = "0006"
down_revision = "0005"

DEADLINES = """
CREATE TABLE deadlines (
    noun    text        NOT NULL CHECK (noun IN ('referral', 'training', 'placement', 'convention', 'consent')),
    about   uuid        NOT NULL,
    ref     uuid,
    wait    text        NOT NULL,
    kind    text        NOT NULL,
    number  int         NOT NULL,
    due_at  timestamptz NOT NULL,
    call_id uuid        NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (about, kind, number)
);
COMMENT ON TABLE deadlines IS 'Of the wait each act is in now; its next step takes them away';
COMMENT ON COLUMN deadlines.ref IS 'the person, whose row is the lock; null for a convention';
COMMENT ON COLUMN deadlines.wait IS 'what the act waits for; when that changes, its rows go';
COMMENT ON COLUMN deadlines.call_id IS 'the call that made it due, which what follows names as its cause';
CREATE INDEX deadlines_due ON deadlines (due_at) WHERE done_at IS NULL;
CREATE INDEX deadlines_ref ON deadlines (ref);
CREATE INDEX deadlines_late ON deadlines (about) WHERE kind = 'escalate' AND done_at IS NOT NULL;

ALTER TABLE conventions ADD COLUMN escalate_on_working_day int NOT NULL DEFAULT 7;

INSERT INTO deadlines (noun, about, ref, wait, kind, number, due_at, call_id)
SELECT 'convention', convention_id, NULL::uuid, 'end', 'expire', 1,
       (valid_to + 1)::timestamp AT TIME ZONE 'Europe/Brussels', gen_random_uuid()
  FROM conventions WHERE valid_to IS NOT NULL AND status IN ('signed', 'suspended')
UNION ALL
SELECT 'consent', consent_id, ref, 'end', 'expire', 1,
       (expires_on + 1)::timestamp AT TIME ZONE 'Europe/Brussels', gen_random_uuid()
  FROM consents WHERE expires_on IS NOT NULL AND withdrawn IS NULL;
"""


def upgrade() -> None:
    """Make the table; conventions and agreements that are there get their end. A referral sent before has none."""
    op.execute(DEADLINES)
