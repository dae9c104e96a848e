CREATE SEQUENCE acts_added;

CREATE TABLE aliases (
    alias UUID NOT NULL,
    ref UUID NOT NULL,
    partner TEXT NOT NULL,
    PRIMARY KEY (alias),
    CONSTRAINT aliases_ref_partner_key UNIQUE (ref, partner)
);

CREATE TABLE communes (
    nis TEXT NOT NULL,
    name TEXT NOT NULL,
    latitude FLOAT NOT NULL,
    longitude FLOAT NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    PRIMARY KEY (nis)
);

CREATE TABLE consents (
    consent_id UUID NOT NULL,
    ref UUID NOT NULL,
    partners TEXT[] NOT NULL,
    convention_id UUID,
    purposes TEXT[] NOT NULL,
    attributes TEXT[] NOT NULL,
    channel TEXT NOT NULL,
    evidence_ref TEXT,
    given timestamptz NOT NULL,
    expires_on DATE,
    withdrawn timestamptz,
    expired timestamptz,
    replaced_by UUID,
    added BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    PRIMARY KEY (consent_id)
);
CREATE INDEX consents_expiring
    ON consents (expires_on)
    WHERE expires_on IS NOT NULL AND withdrawn IS NULL AND expired IS NULL;
CREATE INDEX consents_ref ON consents (ref);

CREATE TABLE conventions (
    convention_id UUID NOT NULL,
    parties TEXT[] NOT NULL,
    status TEXT NOT NULL,
    valid_from DATE NOT NULL,
    valid_to DATE,
    scope JSONB NOT NULL,
    shared_attributes TEXT[] NOT NULL,
    legal_basis TEXT NOT NULL,
    reply_within_working_days INTEGER NOT NULL,
    remind_on_working_days INTEGER[] NOT NULL,
    expire_after_days INTEGER NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    retention_months INTEGER DEFAULT 24 NOT NULL,
    escalate_on_working_day INTEGER DEFAULT 7 NOT NULL,
    added BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    renews UUID,
    carries UUID[] DEFAULT '{}' NOT NULL,
    PRIMARY KEY (convention_id)
);
CREATE INDEX conventions_parties ON conventions USING gin (parties);

CREATE TABLE deadlines (
    noun TEXT NOT NULL,
    about UUID NOT NULL,
    ref UUID,
    wait TEXT NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    due_at timestamptz NOT NULL,
    call_id UUID NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (about, kind, number),
    CHECK (noun IN ('referral', 'training', 'placement', 'convention', 'consent', 'person'))
);
CREATE INDEX deadlines_due ON deadlines (due_at) WHERE done_at IS NULL;
CREATE INDEX deadlines_late ON deadlines (about) WHERE (kind = 'escalate') AND done_at IS NOT NULL;
CREATE INDEX deadlines_ref ON deadlines (ref);

CREATE TABLE disclosures (
    referral_id UUID NOT NULL,
    partner TEXT NOT NULL,
    fields TEXT NOT NULL,
    reference TEXT NOT NULL,
    ref UUID NOT NULL,
    withheld JSONB NOT NULL,
    how TEXT NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (referral_id, partner, fields),
    CHECK (how IN ('sent', 'read'))
);
CREATE INDEX disclosures_ref ON disclosures (ref);

CREATE TABLE erasures (
    receipt_id UUID NOT NULL,
    home TEXT NOT NULL,
    at timestamptz NOT NULL,
    why TEXT NOT NULL,
    acts INTEGER NOT NULL,
    holders JSONB NOT NULL,
    PRIMARY KEY (receipt_id),
    CHECK (why IN ('asked', 'retention', 'restored'))
);

CREATE TABLE finer_codes (
    list TEXT NOT NULL,
    code TEXT NOT NULL,
    parent TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (list, code)
);

CREATE TABLE idempotency (
    client_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request BYTEA NOT NULL,
    status INTEGER NOT NULL,
    call_id UUID NOT NULL,
    answer JSONB NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (client_id, key)
);

CREATE TABLE import_mappings (
    partner TEXT NOT NULL,
    mapping JSONB NOT NULL,
    PRIMARY KEY (partner)
);

CREATE TABLE erased_dossiers (
    dossier UUID NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (dossier)
);

CREATE TABLE imports (
    id UUID NOT NULL,
    partner TEXT NOT NULL,
    client_id TEXT NOT NULL,
    dry_run BOOLEAN NOT NULL,
    made timestamptz NOT NULL,
    finished timestamptz,
    headings JSONB DEFAULT '{}' NOT NULL,
    outside JSONB DEFAULT '[]' NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX imports_open ON imports (made) WHERE finished IS NULL;
CREATE INDEX imports_partner ON imports (partner, made);

CREATE TABLE partners (
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    sector TEXT NOT NULL,
    commune_nis TEXT NOT NULL,
    moments TEXT[] NOT NULL,
    secrecy_class TEXT NOT NULL,
    status TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    phone TEXT NOT NULL,
    phone_hours TEXT,
    address TEXT,
    places JSONB NOT NULL,
    language TEXT NOT NULL,
    trial BOOLEAN NOT NULL,
    front BOOLEAN NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    valid_from DATE,
    valid_to DATE,
    PRIMARY KEY (slug)
);

CREATE TABLE person_keys (
    ref UUID NOT NULL,
    wrapped TEXT,
    PRIMARY KEY (ref)
);
CREATE INDEX person_keys_destroyed ON person_keys (ref) WHERE wrapped IS NULL;

CREATE TABLE placements (
    id UUID NOT NULL,
    reference TEXT NOT NULL,
    ref UUID NOT NULL,
    home TEXT NOT NULL,
    proposer TEXT NOT NULL,
    employer TEXT NOT NULL,
    referral_id UUID,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    facts JSONB NOT NULL,
    changed timestamptz NOT NULL,
    added BIGINT DEFAULT nextval('acts_added') NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT placements_reference_key UNIQUE (reference)
);
CREATE INDEX placements_employer ON placements (employer, added);
CREATE INDEX placements_proposer ON placements (proposer, added);
CREATE INDEX placements_ref ON placements (ref);

CREATE TABLE referrals (
    id UUID NOT NULL,
    reference TEXT NOT NULL,
    ref UUID NOT NULL,
    home TEXT NOT NULL,
    referrer TEXT NOT NULL,
    recipient TEXT NOT NULL,
    offer TEXT,
    moment TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    facts JSONB NOT NULL,
    changed timestamptz NOT NULL,
    added BIGINT DEFAULT nextval('acts_added') NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT referrals_reference_key UNIQUE (reference)
);
CREATE UNIQUE INDEX referrals_one_open
    ON referrals (ref, offer)
    WHERE offer IS NOT NULL AND (status IN ('sent', 'received', 'waitlisted', 'accepted'));
CREATE INDEX referrals_places ON referrals (offer) WHERE status IN ('accepted', 'started');
CREATE INDEX referrals_received ON referrals (recipient, added);
CREATE INDEX referrals_ref ON referrals (ref);
CREATE INDEX referrals_sent ON referrals (referrer, added);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL,
    state TEXT NOT NULL,
    private TEXT NOT NULL,
    public JSONB NOT NULL,
    created timestamptz NOT NULL,
    PRIMARY KEY (kid),
    CHECK (state IN ('current', 'next', 'retired'))
);
CREATE UNIQUE INDEX signing_keys_state ON signing_keys (state);

CREATE TABLE trainings (
    id UUID NOT NULL,
    reference TEXT NOT NULL,
    ref UUID NOT NULL,
    home TEXT NOT NULL,
    operator TEXT NOT NULL,
    referral_id UUID,
    moment TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    facts JSONB NOT NULL,
    changed timestamptz NOT NULL,
    added BIGINT DEFAULT nextval('acts_added') NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT trainings_reference_key UNIQUE (reference)
);
CREATE INDEX trainings_home ON trainings (home, added);
CREATE INDEX trainings_operator ON trainings (operator, added);
CREATE INDEX trainings_ref ON trainings (ref);

CREATE TABLE activities (
    activity_id UUID NOT NULL,
    ref UUID NOT NULL,
    home TEXT NOT NULL,
    said_by TEXT NOT NULL,
    "on" DATE NOT NULL,
    form TEXT NOT NULL,
    training_id UUID,
    trial BOOLEAN NOT NULL,
    recorded timestamptz NOT NULL,
    added BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    PRIMARY KEY (activity_id),
    FOREIGN KEY(said_by) REFERENCES partners (slug)
);
CREATE INDEX activities_home ON activities (home, added);
CREATE INDEX activities_ref ON activities (ref);
CREATE INDEX activities_said_by ON activities (said_by, added);

CREATE TABLE beneficiaries (
    ref UUID NOT NULL,
    home TEXT NOT NULL,
    local_ref TEXT,
    profile JSONB NOT NULL,
    profile_version INTEGER NOT NULL,
    registered timestamptz NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    left_on DATE,
    last_on DATE,
    PRIMARY KEY (ref),
    CHECK (status IN ('active', 'paused', 'left')),
    FOREIGN KEY(home) REFERENCES partners (slug)
);
CREATE INDEX beneficiaries_left ON beneficiaries (left_on) WHERE status = 'left';
CREATE UNIQUE INDEX beneficiaries_local_ref ON beneficiaries (home, local_ref);

CREATE TABLE clients (
    client_id TEXT NOT NULL,
    partner TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    scopes TEXT[] NOT NULL,
    created timestamptz NOT NULL,
    revoked timestamptz,
    PRIMARY KEY (client_id),
    FOREIGN KEY(partner) REFERENCES partners (slug)
);
CREATE INDEX clients_partner ON clients (partner);

CREATE TABLE import_rows (
    import_id UUID NOT NULL,
    number INTEGER NOT NULL,
    dossier UUID,
    given TEXT,
    outcome TEXT,
    reference TEXT,
    code TEXT,
    cause TEXT,
    cure TEXT,
    faults JSONB,
    PRIMARY KEY (import_id, number),
    CHECK (outcome IN ('done', 'already_done', 'refused')),
    FOREIGN KEY(import_id) REFERENCES imports (id)
);
CREATE INDEX import_rows_dossier ON import_rows (dossier) WHERE dossier IS NOT NULL;
CREATE INDEX import_rows_waiting ON import_rows (import_id, number) WHERE outcome IS NULL;

CREATE TABLE needs (
    need_id UUID NOT NULL,
    said_by TEXT,
    domain TEXT,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    commune_nis TEXT NOT NULL,
    met BOOLEAN NOT NULL,
    offer TEXT,
    "on" DATE NOT NULL,
    ref UUID,
    home TEXT,
    trial BOOLEAN NOT NULL,
    referral_id UUID,
    reference TEXT,
    moment TEXT,
    offer_type TEXT,
    recorded timestamptz NOT NULL,
    added BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    PRIMARY KEY (need_id),
    FOREIGN KEY(said_by) REFERENCES partners (slug)
);
CREATE INDEX needs_referral ON needs (referral_id) WHERE referral_id IS NOT NULL;
CREATE INDEX needs_home ON needs (home, added) WHERE home IS NOT NULL;
CREATE INDEX needs_ref ON needs (ref) WHERE ref IS NOT NULL;
CREATE INDEX needs_said_by ON needs (said_by, added);

CREATE TABLE offers (
    offer TEXT NOT NULL,
    partner TEXT NOT NULL,
    title TEXT NOT NULL,
    moment TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    places INTEGER NOT NULL,
    commune_nis TEXT NOT NULL,
    transport_help BOOLEAN NOT NULL,
    childcare BOOLEAN NOT NULL,
    mailbox TEXT,
    place TEXT,
    project TEXT,
    version INTEGER DEFAULT 1 NOT NULL,
    valid_from DATE,
    valid_to DATE,
    last_confirmed_on DATE,
    PRIMARY KEY (offer),
    FOREIGN KEY(partner) REFERENCES partners (slug)
);
CREATE INDEX offers_partner ON offers (partner);

CREATE TABLE attempts (
    caller BYTEA NOT NULL,
    since timestamptz NOT NULL,
    made INTEGER NOT NULL,
    PRIMARY KEY (caller)
);

CREATE TABLE slips (
    code_hash BYTEA NOT NULL,
    referral_id UUID NOT NULL,
    printed timestamptz NOT NULL,
    PRIMARY KEY (code_hash),
    FOREIGN KEY(referral_id) REFERENCES referrals (id) ON DELETE CASCADE
);
