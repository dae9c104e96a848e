"""Every table of the schema `referrals`: the one place that says what is kept."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from jalons.messaging import tables as messaging
from jalons.privacy import tables as privacy

metadata = MetaData()

for shared in (*messaging.metadata.sorted_tables, privacy.audit):
    shared.to_metadata(metadata)

_INSTANT = DateTime(timezone=True)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", Uuid, primary_key=True),
    Column("ref", Uuid, nullable=False),
    Column("partner", Text, nullable=False),
    UniqueConstraint("ref", "partner", name="aliases_ref_partner_key"),
)

communes = Table(
    "communes",
    metadata,
    Column("nis", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    comment="those the network added to the ones in domain/communes.py",
)

consents = Table(
    "consents",
    metadata,
    Column("consent_id", Uuid, primary_key=True),
    Column("ref", Uuid, nullable=False),
    Column("partners", ARRAY(Text), nullable=False),
    Column("convention_id", Uuid),
    Column("purposes", ARRAY(Text), nullable=False),
    Column("attributes", ARRAY(Text), nullable=False),
    Column("channel", Text, nullable=False),
    Column("evidence_ref", Text),
    Column("given", _INSTANT, nullable=False),
    Column("expires_on", Date),
    Column("withdrawn", _INSTANT),
    Column(
        "expired", _INSTANT, comment="when it was said that its last day is over; from that day on it covers nothing"
    ),
    Column("replaced_by", Uuid),
)
Index(
    "consents_expiring",
    consents.c.expires_on,
    postgresql_where=text("expires_on IS NOT NULL AND withdrawn IS NULL AND expired IS NULL"),
)
Index("consents_ref", consents.c.ref)

conventions = Table(
    "conventions",
    metadata,
    Column("convention_id", Uuid, primary_key=True),
    Column("parties", ARRAY(Text), nullable=False),
    Column("status", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("scope", JSONB, nullable=False),
    Column("shared_attributes", ARRAY(Text), nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("reply_within_working_days", Integer, nullable=False),
    Column("remind_on_working_days", ARRAY(Integer), nullable=False),
    Column("expire_after_days", Integer, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("retention_months", Integer, nullable=False, server_default=text("24")),
    Column("escalate_on_working_day", Integer, nullable=False, server_default=text("7")),
)
Index("conventions_parties", conventions.c.parties, postgresql_using="gin")

deadlines = Table(
    "deadlines",
    metadata,
    Column("noun", Text, nullable=False),
    Column("about", Uuid, primary_key=True),
    Column("ref", Uuid, comment="the person, whose row is the lock; null for a convention"),
    Column("wait", Text, nullable=False, comment="what the act waits for; when that changes, its rows go"),
    Column("kind", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("due_at", _INSTANT, nullable=False),
    Column("call_id", Uuid, nullable=False, comment="the call that made it due, which what follows names as its cause"),
    Column("done_at", _INSTANT),
    CheckConstraint("noun IN ('referral', 'training', 'placement', 'convention', 'consent')"),
    comment="Of the wait each act is in now; its next step takes them away",
)
Index("deadlines_due", deadlines.c.due_at, postgresql_where=text("done_at IS NULL"))
Index("deadlines_late", deadlines.c.about, postgresql_where=text("(kind = 'escalate') AND done_at IS NOT NULL"))
Index("deadlines_ref", deadlines.c.ref)

disclosures = Table(
    "disclosures",
    metadata,
    Column("referral_id", Uuid, primary_key=True),
    Column("partner", Text, primary_key=True),
    Column("fields", Text, primary_key=True, comment="the names of the bands shown, in order, by a space"),
    Column("reference", Text, nullable=False),
    Column("ref", Uuid, nullable=False),
    Column("withheld", JSONB, nullable=False),
    Column("how", Text, nullable=False),
    Column("at", _INSTANT, nullable=False),
    CheckConstraint("how IN ('sent', 'read')"),
)
Index("disclosures_ref", disclosures.c.ref)

erasures = Table(
    "erasures",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    Column("home", Text, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("why", Text, nullable=False),
    Column("acts", Integer, nullable=False),
    Column("holders", JSONB, nullable=False),
    CheckConstraint("why IN ('asked', 'retention')"),
    comment="what was done, never to whom",
)

finer_codes = Table(
    "finer_codes",
    metadata,
    Column("list", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column(
        "parent", Text, nullable=False, comment="the code of the list under which it hangs, and as which it is counted"
    ),
    Column("label", Text, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("call_id", Uuid, nullable=False),
    Column("answer", JSONB, nullable=False),
    Column("at", _INSTANT, nullable=False),
)
Index("idempotency_beneficiary", text("(answer ->> 'beneficiary'::text)"))

import_mappings = Table(
    "import_mappings",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("mapping", JSONB, nullable=False),
)

imported = Table(
    "imported",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("reference", Text, nullable=False),
    comment="a row that was imported once is done, in whatever file it comes again",
)

imports = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("made", _INSTANT, nullable=False),
    Column("finished", _INSTANT),
)
Index("imports_open", imports.c.id, postgresql_where=text("finished IS NULL"))
Index("imports_partner", imports.c.partner, imports.c.id)

partners = Table(
    "partners",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sector", Text, nullable=False),
    Column("commune_nis", Text, nullable=False),
    Column("moments", ARRAY(Text), nullable=False),
    Column("secrecy_class", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("mailbox", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("phone_hours", Text),
    Column("address", Text),
    Column("language", Text, nullable=False),
    Column("trial", Boolean, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("valid_from", Date),
    Column("valid_to", Date),
)

person_keys = Table(
    "person_keys",
    metadata,
    Column("ref", Uuid, primary_key=True),
    Column("wrapped", Text, comment="under the hub's secret; null once destroyed"),
)

placements = Table(
    "placements",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("ref", Uuid, nullable=False),
    Column("home", Text, nullable=False),
    Column("proposer", Text, nullable=False),
    Column("employer", Text, nullable=False),
    Column("referral_id", Uuid),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("changed", _INSTANT, nullable=False),
    UniqueConstraint("reference", name="placements_reference_key"),
)
Index("placements_employer", placements.c.employer, placements.c.id)
Index("placements_offer", text("(facts ->> 'offer')"), postgresql_where=text("(facts ->> 'offer') IS NOT NULL"))
Index("placements_proposer", placements.c.proposer, placements.c.id)
Index("placements_ref", placements.c.ref)

referrals = Table(
    "referrals",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("ref", Uuid, nullable=False),
    Column("home", Text, nullable=False),
    Column("referrer", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("offer", Text),
    Column("moment", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column(
        "changed",
        _INSTANT,
        nullable=False,
        comment="when it was last written; what stood before this column came, when it came",
    ),
    UniqueConstraint("reference", name="referrals_reference_key"),
)
Index(
    "referrals_one_open",
    referrals.c.ref,
    referrals.c.offer,
    unique=True,
    postgresql_where=text(
        "offer IS NOT NULL AND (status IN ('sent', 'received', 'waitlisted', 'accepted', 'started'))"
    ),
)
Index("referrals_places", referrals.c.offer, postgresql_where=text("status IN ('accepted', 'started')"))
Index("referrals_received", referrals.c.recipient, referrals.c.id)
Index("referrals_ref", referrals.c.ref)
Index("referrals_sent", referrals.c.referrer, referrals.c.id)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("private", Text, nullable=False),
    Column("public", JSONB, nullable=False),
    Column("created", _INSTANT, nullable=False),
    CheckConstraint("state IN ('current', 'next', 'retired')"),
)
Index("signing_keys_state", signing_keys.c.state, unique=True)

trainings = Table(
    "trainings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("ref", Uuid, nullable=False),
    Column("home", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("referral_id", Uuid),
    Column("moment", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("changed", _INSTANT, nullable=False),
    UniqueConstraint("reference", name="trainings_reference_key"),
)
Index("trainings_home", trainings.c.home, trainings.c.id)
Index("trainings_operator", trainings.c.operator, trainings.c.id)
Index("trainings_ref", trainings.c.ref)

activities = Table(
    "activities",
    metadata,
    Column("activity_id", Uuid, primary_key=True),
    Column("ref", Uuid, nullable=False),
    Column("home", Text, nullable=False),
    Column("said_by", Text, ForeignKey("partners.slug"), nullable=False),
    Column("on", Date, nullable=False),
    Column("form", Text, nullable=False),
    Column("training_id", Uuid),
    Column("trial", Boolean, nullable=False),
    Column("recorded", _INSTANT, nullable=False),
)
Index("activities_home", activities.c.home, activities.c.activity_id)
Index("activities_ref", activities.c.ref)
Index("activities_said_by", activities.c.said_by, activities.c.activity_id)

beneficiaries = Table(
    "beneficiaries",
    metadata,
    Column("ref", Uuid, primary_key=True),
    Column("home", Text, ForeignKey("partners.slug"), nullable=False),
    Column("local_ref", Text),
    Column("profile", JSONB, nullable=False),
    Column("profile_version", Integer, nullable=False),
    Column("registered", _INSTANT, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'active'")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("left_on", Date),
    CheckConstraint("status IN ('active', 'paused', 'left')"),
)
Index("beneficiaries_left", beneficiaries.c.left_on, postgresql_where=text("status = 'left'"))
Index("beneficiaries_local_ref", beneficiaries.c.home, beneficiaries.c.local_ref, unique=True)

clients = Table(
    "clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("partner", Text, ForeignKey("partners.slug"), nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created", _INSTANT, nullable=False),
    Column("revoked", _INSTANT),
)
Index("clients_partner", clients.c.partner)

import_rows = Table(
    "import_rows",
    metadata,
    Column("import_id", Uuid, ForeignKey("imports.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", LargeBinary),
    Column("given", Text, comment="the row, sealed with the hub's key, until it is worked off"),
    Column("outcome", Text),
    Column("reference", Text),
    Column("code", Text),
    Column("cause", Text),
    Column("cure", Text),
    CheckConstraint("outcome IN ('done', 'already_done', 'refused')"),
)
Index("import_rows_waiting", import_rows.c.import_id, import_rows.c.number, postgresql_where=text("outcome IS NULL"))

needs = Table(
    "needs",
    metadata,
    Column("need_id", Uuid, primary_key=True),
    Column("said_by", Text, ForeignKey("partners.slug"), nullable=False),
    Column("domain", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("commune_nis", Text, nullable=False),
    Column("met", Boolean, nullable=False),
    Column("offer", Text),
    Column("on", Date, nullable=False),
    Column("ref", Uuid, comment="the person; null where it is of nobody"),
    Column("home", Text),
    Column("trial", Boolean, nullable=False),
    Column("recorded", _INSTANT, nullable=False),
)
Index("needs_home", needs.c.home, needs.c.need_id, postgresql_where=text("home IS NOT NULL"))
Index("needs_ref", needs.c.ref, postgresql_where=text("ref IS NOT NULL"))
Index("needs_said_by", needs.c.said_by, needs.c.need_id)

offers = Table(
    "offers",
    metadata,
    Column("offer", Text, primary_key=True),
    Column("partner", Text, ForeignKey("partners.slug"), nullable=False),
    Column("title", Text, nullable=False),
    Column("moment", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("places", Integer, nullable=False),
    Column("commune_nis", Text, nullable=False),
    Column("transport_help", Boolean, nullable=False),
    Column("childcare", Boolean, nullable=False),
    Column("mailbox", Text),
    Column("place", Text),
    Column("project", Text),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("last_confirmed_on", Date),
)
Index("offers_partner", offers.c.partner)

slips = Table(
    "slips",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("referral_id", Uuid, ForeignKey("referrals.id", ondelete="CASCADE"), nullable=False),
    Column("printed", _INSTANT, nullable=False),
)
