"""An employer asked the network's front for a call: whoever proposed the person is told to call back."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from schemas.codes import Reference, Slug
from schemas.envelope import Payload
from schemas.topics import PATHWAYS, Topic


class AskedV1(Payload):
    """The employer of an act is to be called back by the partner that proposed the person (`proposer`). It changes no
    state. said_by: the front, which took the call."""

    TYPE: ClassVar[str] = "jalons.callback.asked.v1"
    TOPIC: ClassVar[Topic] = PATHWAYS

    referral_id: UUID | None = None
    placement_id: UUID | None = None
    reference: Reference
    home: Slug
    proposer: Slug
    said_by: Slug
    trial: bool = False
