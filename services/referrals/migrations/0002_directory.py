"""The directory in time: when partners and offers are valid, and when an offer was last confirmed."""

from alembic import op

revision = "0002"
down_revision = "0001"

DIRECTORY = """
ALTER TABLE partners ADD COLUMN valid_from date, ADD COLUMN valid_to date;
ALTER TABLE offers ADD COLUMN valid_from date, ADD COLUMN valid_to date, ADD COLUMN last_confirmed_on date;
"""


def upgrade() -> None:
    """Extend the directory."""
    op.execute(DIRECTORY)
