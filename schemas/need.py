"""What is needed, of a person or of nobody, and what a decline shows to be missing: the gap between needs and offer."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.codes import Moment, NeedDomain, NeedKind, NeedSource, Nis, Obstacle, OfferType, Slug
from schemas.envelope import Payload, SealedPart
from schemas.topics import DIRECTORY, PATHWAYS, Topic


class NeedOfAPerson(Payload):
    """A need of a person's. The coordinator's stream passes it over: it would tell why a referral was declined."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    need_id: UUID
    home: Slug
    trial: bool = False


class ExpressedSealed(SealedPart):
    """What is needed, where, and whether an offer meets it (which one, if it is known)."""

    domain: NeedDomain
    kind: NeedKind
    commune_nis: Nis
    met: bool
    offer: Slug | None = None


class ExpressedV1(NeedOfAPerson):
    """A partner says what a person needs; the home partner learns of it, and nobody else."""

    TYPE: ClassVar[str] = "jalons.need.expressed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = ExpressedSealed

    said_by: Slug
    source: NeedSource


class UnmetSealed(SealedPart):
    """Of what: an obstacle, or offers of a type; of neither, offers of the moment. Where the person lives."""

    obstacle: Obstacle | None = None
    offer_type: OfferType | None = None
    commune_nis: Nis


class UnmetV1(NeedOfAPerson):
    """A referral was declined for a reason that is a need nothing met. Its cause is the decline."""

    TYPE: ClassVar[str] = "jalons.need.unmet.v1"
    SEALED: ClassVar[type[SealedPart] | None] = UnmetSealed

    referral_id: UUID
    moment: Moment


class ReportedV1(Payload):
    """A partner says what is needed in a commune, of nobody in particular; its subject is the need itself. Who said it
    reads it back; to all others it is a count, since one need of a small commune may tell of one person."""

    TYPE: ClassVar[str] = "jalons.need.reported.v1"
    TOPIC: ClassVar[Topic] = DIRECTORY

    need_id: UUID
    said_by: Slug
    domain: NeedDomain
    kind: NeedKind
    source: NeedSource
    commune_nis: Nis
    met: bool
    offer: Slug | None = None
    trial: bool = False
