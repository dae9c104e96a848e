"""Which erasures were applied."""

from __future__ import annotations

from alembic import op

from jalons.privacy.forgotten import TABLE

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Into the schema the connection is in."""
    op.execute(TABLE)
