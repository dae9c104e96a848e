"""Whether a person is accompanied."""

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
"""


def upgrade() -> None:
    """Into the schema the connection is in."""
    op.execute(OWN)
