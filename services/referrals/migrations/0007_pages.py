"""What opens a person's slip: the hash of its private code, never the code."""

from alembic import op

revision = "0007"
down_revision = "0006"

OWN = """
CREATE TABLE slips (
    code_hash   bytea PRIMARY KEY,
    referral_id uuid NOT NULL REFERENCES referrals ON DELETE CASCADE,
    printed     timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(OWN)
