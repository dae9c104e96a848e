"""Every table of the service, as of version 0.1.0."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from jalons.messaging import migration as messaging
from jalons.privacy import migration as privacy

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables in the schema of the connection."""
    own = Path(__file__).with_suffix(".sql").read_text("utf-8")
    for statements in (messaging.first(), privacy.audit(), own):
        op.execute(statements)
