"""Who is paused, from whom a person's way is hidden, and which erasures were applied."""

from __future__ import annotations

from alembic import op

from jalons.privacy.forgotten import TABLE

revision = "0002"
down_revision = "0001"

OWN = """
CREATE TABLE paused (
    subject uuid PRIMARY KEY
);
COMMENT ON TABLE paused IS 'persons whose accompaniment rests: their steps never stall';

CREATE TABLE hidden (
    subject uuid NOT NULL,
    partner text NOT NULL,
    PRIMARY KEY (subject, partner)
);
COMMENT ON TABLE hidden IS 'partners that held something of a person and whom no agreement covers any more';

CREATE INDEX derivations_subject ON derivations (subject);
"""


def upgrade() -> None:
    """Into the schema the connection is in."""
    op.execute(OWN)
    op.execute(TABLE)
