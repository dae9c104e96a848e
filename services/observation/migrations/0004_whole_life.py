"""Steps may rest, and may turn out not to have been: voided, or not left after all."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

STEPS = """
ALTER TABLE steps ADD COLUMN resting boolean NOT NULL DEFAULT false, ADD COLUMN undone timestamptz;
COMMENT ON COLUMN steps.resting IS 'suspended: its silence means nothing';
COMMENT ON COLUMN steps.undone IS 'when the hub learnt that it was not so; kept for what it knew before';
DROP INDEX steps_silent;
CREATE INDEX steps_silent ON steps (last_at)
    WHERE entered_at IS NOT NULL AND left_at IS NULL AND NOT stalled AND NOT resting AND moment <> 'accueil';
"""


def upgrade() -> None:
    """The two columns, and the index of what stalls without what rests."""
    op.execute(STEPS)
