"""The closed lists that partners and services share; a code once issued keeps its meaning (domain.md, 2 to 4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
"""The name of a partner, offer, project or subscription, such as `cpas-hotton`."""
Reference = Annotated[str, StringConstraints(pattern=r"^[RTP]-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{3}$")]
"""A spoken reference such as `R-7K4M-2QX`: Crockford base 32 with a check character at the end."""
Nis = Annotated[str, StringConstraints(pattern=r"^\d{5}$")]
"""A commune by its NIS code (five digits)."""
PlaceCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$")]
"""The code of one of a partner's places, such as `marche`; the directory has its address."""
OccupationCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
"""A trade as events carry it."""
TradeCode = Annotated[str, StringConstraints(pattern=r"^(?:[A-Z][0-9]{4}|[0-9]{1,4})$")]
"""A trade as a call may say it, by a public list: ROME (`J1501`) or ISCO-08 (`5321`, or a group); never free text."""

FinerCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
"""A network's own code below a code of a closed list; a reader that does not know it uses the latter."""

Moment = Literal["accueil", "projet", "preformation", "formation", "preparation_emploi", "experience"]
PartnerKind = Literal[
    "cpas",
    "association_chapitre_xii",
    "training_operator",
    "employer",
    "guidance",
    "cooperative_activites",
    "association",
    "public_employment_service",
    "local_agency",
    "commune",
    "expert",
]
Sector = Literal["public", "private", "associative"]
SecrecyClass = Literal["secret_458", "discretion", "none"]
PartnerStatus = Literal["candidate", "active", "suspended", "left"]
Language = Literal["fr", "nl", "de", "en"]
ConventionStatus = Literal["draft", "signed", "suspended", "expired", "terminated"]
LegalBasis = Literal["6.1.c", "6.1.e", "6.1.a"]
OfferType = Literal[
    "bilan",
    "bsp",
    "orientation",
    "preformation",
    "formation",
    "atelier",
    "stage",
    "art60",
    "emploi",
    "creation_activite",
]
OfferStatus = Literal["published", "full", "closed"]

AgeBand = Literal["<18", "18-24", "25-29", "30-44", "45-54", "55+"]
Sex = Literal["F", "M", "X", "U"]
Education = Literal[
    "none_primary",
    "lower_secondary",
    "upper_secondary",
    "higher",
    "foreign_not_recognised",
    "unknown",
]
PersonStatus = Literal[
    "ris",
    "eris",
    "jobseeker_benefit",
    "jobseeker_no_benefit",
    "art60",
    "low_paid",
    "student",
    "incapacity",
    "other",
]
Household = Literal["alone", "alone_children", "couple", "couple_children", "other", "unknown"]
Obstacle = Literal[
    "mobilite",
    "logement",
    "garde_enfants",
    "langue",
    "numerique",
    "administratif",
    "financier",
    "isolement",
    "qualification",
    "sante",
]
NeedDomain = Literal[
    "mobilite",
    "logement",
    "garde_enfants",
    "langue",
    "numerique",
    "administratif",
    "financier",
    "isolement",
    "qualification",
    "sante",
    "emploi",
]
"""What a need is about: the obstacles, and work."""
NeedKind = Literal["need", "obstacle", "resource"]
NeedSource = Literal["public", "partner"]
"""Who expresses the need: the persons whom the network serves, or a partner."""
Attribute = Literal["age_band", "sex", "commune_nis", "education", "status", "household", "obstacles", "reason", "goal"]
"""Attributes that a convention may allow and a person may agree to share."""
AgreedAttribute = Literal[
    "age_band",
    "sex",
    "commune_nis",
    "education",
    "status",
    "household",
    "obstacles",
    "reason",
    "goal",
    "accompanist",
]
"""What a person may agree to share: the attributes, and for an employer who accompanies them (`accompanist`)."""
EmployerCalls = Literal["front", "proposer"]
"""Whose telephone an employer is given: the network's front's, or that of the partner that proposes the person."""

Purpose = Literal["referral", "pathway_view", "observation", "employer"]
ConsentChannel = Literal["paper", "oral", "online"]
Goal = Literal[
    "discover",
    "choose_project",
    "lift_obstacle",
    "basic_skills",
    "qualify",
    "gain_experience",
    "find_job",
    "create_activity",
    "keep_going",
    "statutory",
]
ChosenBy = Literal["person", "together", "worker", "required"]
Contact = Literal["person_comes", "receiver_calls_referrer", "referrer_arranges"]
ReferralReason = Literal[
    "mobilite",
    "logement",
    "garde_enfants",
    "langue",
    "numerique",
    "administratif",
    "financier",
    "isolement",
    "qualification",
    "sante",
    "bilan",
    "orientation",
    "training",
    "work_experience",
    "vacancy",
    "creation",
]
DeclineReason = Literal[
    "no_place",
    "no_such_service",
    "prerequisite",
    "language_level",
    "out_of_territory",
    "distance_mobility",
    "schedule",
    "childcare",
    "session_started",
    "missing_information",
    "unreachable",
    "person_not_interested",
    "in_work_or_training",
    "duplicate",
    "other",
]
DeclinedBy = Literal["provider", "person"]
EndReason = Literal[
    "found_work",
    "other_training",
    "no_show",
    "moved",
    "health_pause",
    "childcare",
    "mobility",
    "person_stops",
    "partner_stops",
    "end_of_contract",
    "other",
]
CancelReason = Literal[EndReason, "agreement_ended"]
"""Why an act was cancelled: as any end, or by the hub because nothing covered it any more."""
AgreementEnd = Literal["withdrawn", "lapsed"]
"""How an agreement ended: by the person's word, or by a date or a convention."""
ReferralStatus = Literal[
    "sent",
    "received",
    "waitlisted",
    "accepted",
    "started",
    "completed",
    "declined",
    "redirected",
    "cancelled",
    "interrupted",
    "expired",
    "voided",
]
TrainingStatus = Literal["enrolled", "started", "suspended", "completed", "interrupted", "cancelled", "voided"]
PlacementStatus = Literal["proposed", "confirmed", "refused", "started", "ended", "cancelled", "voided"]
VoidReason = Literal["recorded_in_error", "wrong_person"]
ReopenReason = Literal["recorded_in_error", "situation_changed", "other"]
ReportedBy = Literal["referrer"]
"""Who recorded an answer in the receiver's place, when the receiver does not use the hub."""
NewsDue = Literal["still_waiting", "first_contact", "start", "end"]
"""What was due and was not recorded."""
ReferralOutcome = Literal["reached", "partly", "not_reached"]
TrainingKind = Literal[
    "bilan_new",
    "bilan_update",
    "bsp",
    "orientation",
    "projet_de_vie",
    "confiance_en_soi",
    "remise_a_niveau",
    "alphabetisation",
    "autoformation_permis",
    "preformation",
    "formation",
    "accompagnement_emploi",
    "accompagnement_creation",
]
Tool = Literal["gingo", "bsp", "pass_avenir", "other"]
TrainingOutcome = Literal["acquired", "partial", "not_acquired"]
FollowUpMonths = Literal[3, 6, 12]
Situation = Literal["in_job", "training", "seeking", "unknown"]
PlacementKind = Literal[
    "art60_7",
    "art61",
    "stage",
    "cdd",
    "cdi",
    "interim",
    "independant",
    "cooperative_activites",
    "ale",
]
ActivityForm = Literal[
    "independant",
    "independant_complementaire",
    "societe",
    "cooperative_activites",
    "asbl",
    "other",
]
"""The form of a person's own activity."""
Said = Literal["contacted", "not_contacted", "no_longer", "wants_to_talk", "goes_on"]
"""What a person can say from the page of their slip; `goes_on` is recorded by the referrer, after « no longer »."""
AnsweredBy = Literal["training", "placement"]
