CREATE TABLE events (
    subject   text        NOT NULL,
    sequence  bigint      NOT NULL,
    id        uuid        NOT NULL,
    appended  bigint      GENERATED ALWAYS AS IDENTITY,
    position  bigint,
    type      text        NOT NULL,
    topic     text        NOT NULL,
    recorded  timestamptz NOT NULL,
    value     bytea       NOT NULL,
    readers   text[],
    PRIMARY KEY (subject, sequence)
);
CREATE UNIQUE INDEX events_position ON events (position) WHERE position IS NOT NULL;
CREATE INDEX events_unsent ON events (appended) WHERE position IS NULL;

CREATE TABLE log_generation (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation uuid    NOT NULL
);
INSERT INTO log_generation (generation) VALUES (gen_random_uuid());

CREATE TABLE progress (
    source    text    NOT NULL,
    subject   text    NOT NULL,
    last      bigint  NOT NULL,
    seen      bytea   NOT NULL,
    parked    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (source, subject)
) WITH (fillfactor = 80);

CREATE TABLE dead_letters (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('set_aside', 'parked', 'forged')),
    topic      text,
    partition  int,
    "offset"   bigint,
    source     text,
    subject    text,
    sequence   bigint,
    event_id   uuid,
    type       text,
    reason     text        NOT NULL,
    value      bytea,
    at         timestamptz NOT NULL,
    attempts   int         NOT NULL DEFAULT 1,
    resolved   timestamptz
);
CREATE UNIQUE INDEX dead_letters_record ON dead_letters (topic, partition, "offset") WHERE kind IN ('set_aside', 'forged');
CREATE UNIQUE INDEX dead_letters_forged ON dead_letters (source, subject, sequence)
    WHERE kind = 'forged' AND topic IS NULL AND resolved IS NULL;
CREATE UNIQUE INDEX dead_letters_parked ON dead_letters (source, subject) WHERE kind = 'parked' AND resolved IS NULL;
CREATE INDEX dead_letters_open ON dead_letters (at) WHERE resolved IS NULL;

CREATE TABLE waiting (
    source    text   NOT NULL,
    subject   text   NOT NULL,
    sequence  bigint NOT NULL,
    id        uuid   NOT NULL,
    topic     text,
    partition int,
    "offset"  bigint,
    value     bytea  NOT NULL,
    PRIMARY KEY (source, subject, sequence)
);

CREATE TABLE reconciled (
    source    text   PRIMARY KEY,
    position  bigint NOT NULL
);
