"""Every table of the schema `referrals`, grouped by room: the one place that says what is stored."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.referrals.columns import INSTANT, act, added, metadata, texts

# directory: partners, conventions, offers, communes
partners = Table(
    "partners",
    metadata,
    Column("slug", Text, primary_key=True),
    *texts("name", "kind", "sector", "commune_nis", "secrecy_class", "status", "language"),
    Column("moments", ARRAY(Text), nullable=False),
    Column("mailbox", Text, nullable=False, comment="an office's e-mail address, never a person's"),
    Column("phone", Text, nullable=False, comment="an office's number, never a person's"),
    *texts("phone_hours", "address", nullable=True),
    Column("places", JSONB, nullable=False, comment="list of {code, address}: where it receives persons"),
    Column("trial", Boolean, nullable=False, comment="exchanges with other trial partners only"),
    Column("front", Boolean, nullable=False, comment="speaks to employers for the network; one active partner at most"),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("valid_from", Date),
    Column("valid_to", Date, comment="the last valid day"),
)

conventions = Table(
    "conventions",
    metadata,
    Column("convention_id", Uuid, primary_key=True),
    Column("parties", ARRAY(Text), nullable=False, comment="slugs of partners"),
    Column("status", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date, comment="the last valid day"),
    Column("scope", JSONB, nullable=False, comment="list of {from, to, moments}: who may refer to whom, for what"),
    Column("shared_attributes", ARRAY(Text), nullable=False, comment="profile fields that recipients may be shown"),
    Column("legal_basis", Text, nullable=False),
    Column("reply_within_working_days", Integer, nullable=False),
    Column("remind_on_working_days", ARRAY(Integer), nullable=False),
    Column("expire_after_days", Integer, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("retention_months", Integer, nullable=False, server_default=text("24"), comment="after the person left"),
    Column("escalate_on_working_day", Integer, nullable=False, server_default=text("7")),
    added(),
    Column("renews", Uuid, comment="the convention it follows on"),
    Column(
        "carries",
        ARRAY(Uuid),
        nullable=False,
        server_default=text("'{}'"),
        comment="the conventions before it whose agreements hold under it: its lists are no wider than theirs",
    ),
)
Index("conventions_parties", conventions.c.parties, postgresql_using="gin")

offers = Table(
    "offers",
    metadata,
    Column("offer", Text, primary_key=True),
    Column("partner", Text, ForeignKey("partners.slug"), nullable=False),
    *texts("title", "moment", "type", "commune_nis"),
    Column("status", Text, nullable=False, comment="closed: the partner's word; full or published: by its places"),
    Column("places", Integer, nullable=False, comment="how many it has; those taken are counted, not stored"),
    Column("transport_help", Boolean, nullable=False),
    Column("childcare", Boolean, nullable=False),
    *texts("mailbox", "place", "project", nullable=True),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("valid_from", Date),
    Column("valid_to", Date, comment="the last valid day"),
    Column("last_confirmed_on", Date, comment="last day on which its partner wrote or confirmed it"),
)
Index("offers_partner", offers.c.partner)

communes = Table(
    "communes",
    metadata,
    Column("nis", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("latitude", Float, nullable=False, comment="degrees, WGS 84"),
    Column("longitude", Float, nullable=False, comment="degrees, WGS 84"),
    Column("version", Integer, nullable=False, server_default=text("1")),
    comment="communes that the network added to those in directory/communes.py",
)

# codes
finer_codes = Table(
    "finer_codes",
    metadata,
    Column("list", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("parent", Text, nullable=False, comment="the code of the closed list under which this one is counted"),
    Column("label", Text, nullable=False),
    comment="the network's own reasons, each under a code of a closed list",
)

# identity: clients and signing keys
clients = Table(
    "clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("partner", Text, ForeignKey("partners.slug"), nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, comment="SHA-256"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created", INSTANT, nullable=False),
    Column("revoked", INSTANT),
)
Index("clients_partner", clients.c.partner)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("state", Text, nullable=False, comment="current signs, next is published ahead, retired still verifies"),
    Column("private", Text, nullable=False, comment="PEM, encrypted under the hub's secret"),
    Column("public", JSONB, nullable=False, comment="JWK"),
    Column("created", INSTANT, nullable=False),
    CheckConstraint("state IN ('current', 'next', 'retired')"),
)
Index("signing_keys_state", signing_keys.c.state, unique=True)

# persons
beneficiaries = Table(
    "beneficiaries",
    metadata,
    Column("ref", Uuid, primary_key=True),
    Column("home", Text, ForeignKey("partners.slug"), nullable=False, comment="who accompanies the person"),
    Column("local_ref", Text, comment="the home partner's dossier number; without one, a spoken code of the hub's"),
    Column("profile", JSONB, nullable=False, comment="in bands: no name, address, birth date or free text"),
    Column("profile_version", Integer, nullable=False),
    Column("registered", INSTANT, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'active'")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("left_on", Date),
    Column("last_on", Date, comment="the day of the registration or of the last change of status"),
    CheckConstraint("status IN ('active', 'paused', 'left')"),
    comment="writers lock a person's row before any of the person's other rows",
)
Index("beneficiaries_left", beneficiaries.c.left_on, postgresql_where=text("status = 'left'"))
Index("beneficiaries_local_ref", beneficiaries.c.home, beneficiaries.c.local_ref, unique=True)

person_keys = Table(
    "person_keys",
    metadata,
    Column("ref", Uuid, primary_key=True),
    Column("wrapped", Text, comment="encrypted under the hub's secret; null once destroyed"),
)
Index("person_keys_destroyed", person_keys.c.ref, postgresql_where=person_keys.c.wrapped.is_(None))

aliases = Table(
    "aliases",
    metadata,
    Column("alias", Uuid, primary_key=True),
    Column("ref", Uuid, nullable=False),
    Column("partner", Text, nullable=False, comment="the partner that knows the person by this alias"),
    UniqueConstraint("ref", "partner", name="aliases_ref_partner_key"),
)

# agreements: consents and what was disclosed under them
consents = Table(
    "consents",
    metadata,
    Column("consent_id", Uuid, primary_key=True),
    Column("ref", Uuid, nullable=False),
    Column("partners", ARRAY(Text), nullable=False, comment="empty where a convention's parties are meant"),
    Column("convention_id", Uuid),
    Column("purposes", ARRAY(Text), nullable=False),
    Column("attributes", ARRAY(Text), nullable=False, comment="profile fields the person agreed to share"),
    Column("channel", Text, nullable=False),
    Column("evidence_ref", Text),
    Column("given", INSTANT, nullable=False),
    Column("expires_on", Date, comment="the last valid day"),
    Column("withdrawn", INSTANT),
    Column("expired", INSTANT, comment="time the expiry was recorded; the agreement covers nothing after expires_on"),
    Column("replaced_by", Uuid),
    added(),
)
Index(
    "consents_expiring",
    consents.c.expires_on,
    postgresql_where=text("expires_on IS NOT NULL AND withdrawn IS NULL AND expired IS NULL"),
)
Index("consents_ref", consents.c.ref)

disclosures = Table(
    "disclosures",
    metadata,
    Column("referral_id", Uuid, primary_key=True),
    Column("partner", Text, primary_key=True),
    Column("fields", Text, primary_key=True, comment="names of the profile fields shown, sorted, separated by a space"),
    Column("reference", Text, nullable=False),
    Column("ref", Uuid, nullable=False),
    Column("withheld", JSONB, nullable=False, comment="field → why: secrecy, convention or consent"),
    Column("how", Text, nullable=False),
    Column("at", INSTANT, nullable=False, comment="the first time"),
    CheckConstraint("how IN ('sent', 'read')"),
)
Index("disclosures_ref", disclosures.c.ref)

# acts: referrals, trainings, placements
referrals = act("referrals", *texts("referrer", "recipient", "moment"), Column("offer", Text))
Index(
    "referrals_one_open",
    referrals.c.ref,
    referrals.c.offer,
    unique=True,
    postgresql_where=text("offer IS NOT NULL AND (status IN ('sent', 'received', 'waitlisted', 'accepted'))"),
)
Index("referrals_places", referrals.c.offer, postgresql_where=text("status IN ('accepted', 'started')"))
Index("referrals_received", referrals.c.recipient, referrals.c.added)
Index("referrals_ref", referrals.c.ref)
Index("referrals_sent", referrals.c.referrer, referrals.c.added)

trainings = act("trainings", *texts("operator", "moment"), Column("referral_id", Uuid, comment="it answers"))
Index("trainings_home", trainings.c.home, trainings.c.added)
Index("trainings_operator", trainings.c.operator, trainings.c.added)
Index("trainings_ref", trainings.c.ref)

placements = act("placements", *texts("proposer", "employer"), Column("referral_id", Uuid, comment="it answers"))
Index("placements_employer", placements.c.employer, placements.c.added)
Index("placements_offer", text("(facts ->> 'offer')"), postgresql_where=text("(facts ->> 'offer') IS NOT NULL"))
Index("placements_proposer", placements.c.proposer, placements.c.added)
Index("placements_ref", placements.c.ref)

slips = Table(
    "slips",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("referral_id", Uuid, ForeignKey("referrals.id", ondelete="CASCADE"), nullable=False),
    Column("printed", INSTANT, nullable=False),
)

# needs and activities
attempts = Table(
    "attempts",
    metadata,
    Column("caller", LargeBinary, primary_key=True, comment="SHA-256 of what is attempted and by whom"),
    Column("since", INSTANT, nullable=False, comment="of the first attempt that is counted"),
    Column("made", Integer, nullable=False),
    comment="how often codes and mails were tried for, for a day",
)

needs = Table(
    "needs",
    metadata,
    Column("need_id", Uuid, primary_key=True),
    Column("said_by", Text, ForeignKey("partners.slug"), comment="null for a need that a decline showed"),
    Column("domain", Text),
    *texts("kind", "source", "commune_nis"),
    Column("met", Boolean, nullable=False, comment="whether an offer meets it"),
    Column("offer", Text, comment="the offer that meets it, if it is known"),
    Column("on", Date, nullable=False),
    Column("ref", Uuid, comment="the person; null for a need of a commune"),
    Column("home", Text),
    Column("trial", Boolean, nullable=False),
    Column("referral_id", Uuid, comment="the declined referral that showed it"),
    *texts("reference", "moment", "offer_type", nullable=True),
    Column("recorded", INSTANT, nullable=False),
    added(),
)
Index("needs_referral", needs.c.referral_id, postgresql_where=text("referral_id IS NOT NULL"))
Index("needs_home", needs.c.home, needs.c.added, postgresql_where=text("home IS NOT NULL"))
Index("needs_ref", needs.c.ref, postgresql_where=text("ref IS NOT NULL"))
Index("needs_said_by", needs.c.said_by, needs.c.added)

activities = Table(
    "activities",
    metadata,
    Column("activity_id", Uuid, primary_key=True),
    Column("ref", Uuid, nullable=False),
    Column("home", Text, nullable=False),
    Column("said_by", Text, ForeignKey("partners.slug"), nullable=False),
    Column("on", Date, nullable=False, comment="the day the activity began"),
    Column("form", Text, nullable=False),
    Column("training_id", Uuid, comment="the accompaniment it came from"),
    Column("trial", Boolean, nullable=False),
    Column("recorded", INSTANT, nullable=False),
    added(),
)
Index("activities_home", activities.c.home, activities.c.added)
Index("activities_ref", activities.c.ref)
Index("activities_said_by", activities.c.said_by, activities.c.added)

# deadlines
deadlines = Table(
    "deadlines",
    metadata,
    Column("noun", Text, nullable=False),
    Column("about", Uuid, primary_key=True, comment="the act, agreement or convention"),
    Column("ref", Uuid, comment="the person, whose row is the lock; null for a convention"),
    Column("wait", Text, nullable=False, comment="what the act waits for; deadlines of another wait go"),
    Column("kind", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="1-based within its kind, or months"),
    Column("due_at", INSTANT, nullable=False),
    Column("call_id", Uuid, nullable=False, comment="the call that set it: the cause of the event it leads to"),
    Column("done_at", INSTANT),
    CheckConstraint("noun IN ('referral', 'training', 'placement', 'convention', 'consent', 'person')"),
    comment="deadlines of each act's current wait",
)
Index("deadlines_due", deadlines.c.due_at, postgresql_where=text("done_at IS NULL"))
Index("deadlines_late", deadlines.c.about, postgresql_where=text("(kind = 'escalate') AND done_at IS NOT NULL"))
Index("deadlines_ref", deadlines.c.ref)

# imports of referrals from a partner's own table
imports = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    *texts("partner", "client_id"),
    Column("dry_run", Boolean, nullable=False),
    Column("made", INSTANT, nullable=False),
    Column("finished", INSTANT, comment="time its last row was processed"),
    Column("headings", JSONB, nullable=False, server_default=text("'{}'"), comment="field → heading in the file"),
    Column("outside", JSONB, nullable=False, server_default=text("'[]'"), comment="places beside the table"),
)
Index("imports_open", imports.c.made, postgresql_where=text("finished IS NULL"))
Index("imports_partner", imports.c.partner, imports.c.made)

import_rows = Table(
    "import_rows",
    metadata,
    Column("import_id", Uuid, ForeignKey("imports.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="the line in the file"),
    Column("dossier", Uuid, comment="HMAC of the partner and its dossier number"),
    Column("given", Text, comment="the row, encrypted under the hub's secret; null once it is processed"),
    Column("reference", Text, comment="of the referral"),
    *texts("outcome", "code", "cause", "cure", nullable=True),
    Column("faults", JSONB, comment="what is wrong with its cells, without their texts"),
    CheckConstraint("outcome IN ('done', 'already_done', 'refused')"),
)
Index("import_rows_dossier", import_rows.c.dossier, postgresql_where=text("dossier IS NOT NULL"))
Index("import_rows_waiting", import_rows.c.import_id, import_rows.c.number, postgresql_where=text("outcome IS NULL"))

erased_dossiers = Table(
    "erased_dossiers",
    metadata,
    Column("dossier", Uuid, primary_key=True, comment="HMAC of the home partner and its dossier number"),
    Column("at", INSTANT, nullable=False),
    comment="dossiers of erased persons: their rows, given again, register nobody anew",
)

import_mappings = Table(
    "import_mappings",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("mapping", JSONB, nullable=False, comment="the partner's own heading → field"),
)

# erasure
erasures = Table(
    "erasures",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    Column("home", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("why", Text, nullable=False),
    Column("acts", Integer, nullable=False, comment="how many acts stay, without the person"),
    Column("holders", JSONB, nullable=False, comment="list of {partner, references}: who held something"),
    CheckConstraint("why IN ('asked', 'retention', 'restored')"),
    comment="receipts: what was erased, never whom",
)

# calls
idempotency = Table(
    "idempotency",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", LargeBinary, nullable=False, comment="SHA-256 of method, path and body"),
    Column("status", Integer, nullable=False),
    Column("call_id", Uuid, nullable=False),
    Column("answer", JSONB, nullable=False, comment="of a person the id only; holds no secret"),
    Column("at", INSTANT, nullable=False),
)
Index("idempotency_thing", text("(answer ->> 'id'::text)"))
