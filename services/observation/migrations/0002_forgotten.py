"""Who is paused."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

OWN = """
CREATE TABLE paused (
    subject uuid PRIMARY KEY
);
COMMENT ON TABLE paused IS 'persons whose accompaniment rests: their steps never stall';
"""


def upgrade() -> None:
    """Into the schema the connection is in."""
    op.execute(OWN)
