"""What persons need, what is needed in a commune, the activities that persons create, and when acts changed."""

from alembic import op

revision = "0008"
down_revision = "0007"

OWN = """
CREATE TABLE needs (
    need_id     uuid        PRIMARY KEY,
    said_by     text        NOT NULL REFERENCES partners,
    domain      text        NOT NULL,
    kind        text        NOT NULL,
    source      text        NOT NULL,
    commune_nis text        NOT NULL,
    met         boolean     NOT NULL,
    offer       text,
    "on"        date        NOT NULL,
    ref         uuid,
    home        text,
    trial       boolean     NOT NULL,
    recorded    timestamptz NOT NULL
);
COMMENT ON COLUMN needs.ref IS 'the person; null where it is of nobody';
CREATE INDEX needs_said_by ON needs (said_by, need_id);
CREATE INDEX needs_home ON needs (home, need_id) WHERE home IS NOT NULL;
CREATE INDEX needs_ref ON needs (ref) WHERE ref IS NOT NULL;

CREATE TABLE activities (
    activity_id uuid        PRIMARY KEY,
    ref         uuid        NOT NULL,
    home        text        NOT NULL,
    said_by     text        NOT NULL REFERENCES partners,
    "on"        date        NOT NULL,
    form        text        NOT NULL,
    training_id uuid,
    trial       boolean     NOT NULL,
    recorded    timestamptz NOT NULL
);
ALTER TABLE referrals ADD COLUMN changed timestamptz NOT NULL DEFAULT now();
ALTER TABLE trainings ADD COLUMN changed timestamptz NOT NULL DEFAULT now();
ALTER TABLE placements ADD COLUMN changed timestamptz NOT NULL DEFAULT now();
ALTER TABLE referrals ALTER COLUMN changed DROP DEFAULT;
ALTER TABLE trainings ALTER COLUMN changed DROP DEFAULT;
ALTER TABLE placements ALTER COLUMN changed DROP DEFAULT;
COMMENT ON COLUMN referrals.changed IS 'when it was last written; what stood before this column came, when it came';

CREATE TABLE finer_codes (
    list   text NOT NULL,
    code   text NOT NULL,
    parent text NOT NULL,
    label  text NOT NULL,
    PRIMARY KEY (list, code)
);
COMMENT ON COLUMN finer_codes.parent IS 'the code of the list under which it hangs, and as which it is counted';

CREATE INDEX activities_ref ON activities (ref);
CREATE INDEX activities_home ON activities (home, activity_id);
CREATE INDEX activities_said_by ON activities (said_by, activity_id);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(OWN)
