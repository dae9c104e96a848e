"""The hub's own tables, then observation's: timeline, steps, counts, aliases, and one numbering for the stream."""

from __future__ import annotations

from alembic import op

from jalons.messaging.migration import FIRST

revision = "0001"
down_revision = None

OWN = """
CREATE TABLE stream_head (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
) WITH (fillfactor = 20);
COMMENT ON TABLE stream_head IS 'Held until commit by whoever takes positions from it: so none appears late';
INSERT INTO stream_head (position) VALUES (0);

CREATE TABLE timeline (
    position    bigint      PRIMARY KEY,
    sequence    bigint      NOT NULL,
    time        timestamptz NOT NULL,
    recorded    timestamptz NOT NULL,
    subject     uuid        NOT NULL,
    id          uuid        NOT NULL,
    correlation uuid        NOT NULL,
    causation   uuid        NOT NULL,
    source      text        NOT NULL,
    type        text        NOT NULL,
    partner     text        NOT NULL,
    data        jsonb       NOT NULL
);
COMMENT ON TABLE timeline IS 'Every applied event of a person; data is its open part, its sealed part is never kept';
CREATE INDEX timeline_subject ON timeline (subject, sequence);

CREATE TABLE derivations (
    position bigint PRIMARY KEY,
    sequence bigint NOT NULL,
    subject  text   NOT NULL
);
COMMENT ON TABLE derivations IS 'Where our own derived events, kept in the log, stand in the stream';

CREATE TABLE steps (
    subject          uuid        NOT NULL,
    first            uuid        NOT NULL,
    step             uuid        NOT NULL,
    holder           uuid        NOT NULL,
    last_event       uuid        NOT NULL,
    follows          uuid,
    cause            uuid,
    last_at          timestamptz NOT NULL,
    entered_at       timestamptz,
    entered_recorded timestamptz,
    left_at          timestamptz,
    left_recorded    timestamptz,
    stalled          boolean     NOT NULL,
    moment           text        NOT NULL,
    "at"             text        NOT NULL,
    home             text        NOT NULL,
    goal             text,
    chosen_by        text,
    PRIMARY KEY (subject, first)
);
COMMENT ON COLUMN steps.entered_at IS 'null while a referral has only announced the step';
CREATE INDEX steps_silent ON steps (last_at)
    WHERE entered_at IS NOT NULL AND left_at IS NULL AND NOT stalled AND moment <> 'accueil';

CREATE TABLE counts (
    measure text   NOT NULL,
    month   text   NOT NULL,
    home    text   NOT NULL,
    partner text   NOT NULL,
    moment  text   NOT NULL,
    n       bigint NOT NULL,
    PRIMARY KEY (measure, month, home, partner, moment)
) WITH (fillfactor = 80);

CREATE TABLE aliases (
    alias   uuid PRIMARY KEY,
    subject uuid NOT NULL,
    partner text NOT NULL
);
COMMENT ON TABLE aliases IS 'Under which name each partner but the home knows a person';
"""


def upgrade() -> None:
    """Into the schema the connection is in."""
    op.execute(FIRST)
    op.execute(OWN)
