"""The directory in time, when an offer was last confirmed, whose its places are, and where communes lie."""

from alembic import op

revision = "0002"
down_revision = "0001"

DIRECTORY = """
ALTER TABLE partners ADD COLUMN valid_from date, ADD COLUMN valid_to date;
ALTER TABLE offers ADD COLUMN valid_from date, ADD COLUMN valid_to date, ADD COLUMN last_confirmed_on date;

CREATE TABLE communes (
    nis       text PRIMARY KEY,
    name      text NOT NULL,
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL,
    version   int NOT NULL DEFAULT 1
);
COMMENT ON TABLE communes IS 'those the network added to the ones in domain/communes.py';

CREATE INDEX referrals_places ON referrals (offer) WHERE status IN ('accepted', 'started');
CREATE INDEX placements_offer ON placements ((facts->>'offer')) WHERE facts->>'offer' IS NOT NULL;
"""


def upgrade() -> None:
    """Extend the directory."""
    op.execute(DIRECTORY)
