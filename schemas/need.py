"""Events of needs: of a person, of a commune, or shown by a decline. They measure the gap between needs and offer."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.codes import Moment, NeedDomain, NeedKind, NeedSource, Nis, Obstacle, OfferType, Slug
from schemas.envelope import Payload, SealedPart
from schemas.topics import DIRECTORY, PATHWAYS, Topic


class NeedOfAPerson(Payload):
    """A person's need. It is not on the coordinator's stream: it would tell why a referral was declined."""

    TOPIC: ClassVar[Topic] = PATHWAYS

    need_id: UUID
    home: Slug
    trial: bool = False


class ExpressedSealed(SealedPart):
    """What is needed, in which commune, and whether an offer meets it (which one, if known)."""

    domain: NeedDomain
    kind: NeedKind
    commune_nis: Nis
    met: bool
    offer: Slug | None = None


class ExpressedV1(NeedOfAPerson):
    """A partner recorded what a person needs; only that partner and the home partner are told."""

    TYPE: ClassVar[str] = "jalons.need.expressed.v1"
    SEALED: ClassVar[type[SealedPart] | None] = ExpressedSealed

    said_by: Slug
    source: NeedSource


class UnmetSealed(SealedPart):
    """What is missing: help with an obstacle, offers of a type, or, with neither set, offers of the moment; and the
    commune where the person lives."""

    obstacle: Obstacle | None = None
    offer_type: OfferType | None = None
    commune_nis: Nis


class UnmetV1(NeedOfAPerson):
    """A referral was declined for a reason that shows an unmet need. Its cause is the decline."""

    TYPE: ClassVar[str] = "jalons.need.unmet.v1"
    SEALED: ClassVar[type[SealedPart] | None] = UnmetSealed

    referral_id: UUID
    moment: Moment


class ReportedV1(Payload):
    """A partner recorded what is needed in a commune, of nobody in particular; the subject is the need itself.

    Only that partner reads it; for all others it is a count, since one need of a small commune may tell of one person.
    """

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
