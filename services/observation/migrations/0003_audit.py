"""Who read or wrote what of a person."""

from alembic import op

from jalons.privacy import audit

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table, and what keeps it append-only."""
    op.execute(audit.TABLE)
