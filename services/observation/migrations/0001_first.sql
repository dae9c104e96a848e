CREATE TABLE aliases (
    alias UUID NOT NULL,
    subject UUID NOT NULL,
    partner TEXT NOT NULL,
    PRIMARY KEY (alias)
);

CREATE TABLE counts (
    measure TEXT NOT NULL,
    month TEXT NOT NULL,
    home TEXT NOT NULL,
    partner TEXT NOT NULL,
    moment TEXT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (measure, month, home, partner, moment)
)
 WITH (fillfactor = 80);

CREATE TABLE derivations (
    position BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (position)
);
CREATE INDEX derivations_subject ON derivations (subject);

CREATE TABLE hidden (
    subject UUID NOT NULL,
    partner TEXT NOT NULL,
    PRIMARY KEY (subject, partner)
);

CREATE TABLE paused (
    subject UUID NOT NULL,
    PRIMARY KEY (subject)
);

CREATE TABLE steps (
    subject UUID NOT NULL,
    first_event UUID NOT NULL,
    step UUID NOT NULL,
    holder UUID NOT NULL,
    last_event UUID NOT NULL,
    follows UUID,
    cause UUID,
    last_at timestamptz NOT NULL,
    entered_at timestamptz,
    entered_recorded timestamptz,
    left_at timestamptz,
    left_recorded timestamptz,
    stalled BOOLEAN NOT NULL,
    moment TEXT NOT NULL,
    partner TEXT NOT NULL,
    home TEXT NOT NULL,
    goal TEXT,
    chosen_by TEXT,
    suspended BOOLEAN DEFAULT false NOT NULL,
    retracted_at timestamptz,
    PRIMARY KEY (subject, first_event)
);
CREATE INDEX steps_silent
    ON steps (last_at)
    WHERE entered_at IS NOT NULL AND left_at IS NULL AND (NOT stalled) AND (NOT suspended) AND (moment <> 'accueil');

CREATE TABLE stream_head (
    one BOOLEAN DEFAULT true NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (one),
    CHECK (one)
)
 WITH (fillfactor = 20);

CREATE TABLE timeline (
    position BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    time timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    subject UUID NOT NULL,
    id UUID NOT NULL,
    correlation UUID NOT NULL,
    causation UUID NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    partner TEXT NOT NULL,
    data JSONB NOT NULL,
    PRIMARY KEY (position)
);
CREATE INDEX timeline_subject ON timeline (subject, sequence);
INSERT INTO stream_head (position) VALUES (0);
