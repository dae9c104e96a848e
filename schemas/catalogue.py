"""Every type of event the hub knows, in one table: what is not here is unknown and is set aside."""

from __future__ import annotations

from schemas import (
    beneficiary,
    consent,
    convention,
    dead_letter,
    notification,
    offer,
    partner,
    pathway,
    placement,
    referral,
    training,
)
from schemas.envelope import Payload

PAYLOADS: tuple[type[Payload], ...] = (
    partner.RegisteredV1,
    partner.UpdatedV1,
    partner.SuspendedV1,
    partner.LeftV1,
    convention.SignedV1,
    convention.SuspendedV1,
    convention.TerminatedV1,
    offer.PublishedV1,
    offer.ClosedV1,
    beneficiary.RegisteredV1,
    beneficiary.ProfileUpdatedV1,
    beneficiary.PausedV1,
    beneficiary.ResumedV1,
    beneficiary.LeftV1,
    beneficiary.ErasedV1,
    consent.GivenV1,
    consent.WithdrawnV1,
    consent.ExpiredV1,
    referral.SentV1,
    referral.ReceivedV1,
    referral.AcceptedV1,
    referral.DeclinedV1,
    referral.StartedV1,
    referral.CompletedV1,
    training.EnrolledV1,
    training.StartedV1,
    training.CompletedV1,
    placement.ProposedV1,
    placement.ConfirmedV1,
    placement.StartedV1,
    placement.EndedV1,
    pathway.MomentEnteredV1,
    pathway.MomentLeftV1,
    pathway.StalledV1,
    notification.SentV1,
    notification.FailedV1,
    dead_letter.SetAsideV1,
    dead_letter.ParkedV1,
)

TYPES: dict[str, type[Payload]] = {payload.TYPE: payload for payload in PAYLOADS}
