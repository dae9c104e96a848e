"""Who is told of an event: event type × role → class of message. Nothing else decides it.

E-mails and `docs/reference/transitions.md` read this table (domain.md, section 4, column "told"). The partner that
acted is never told of its own act, so a row with both parties reads "the other party"; of an act of the hub both are
told. Webhooks go to every subscriber that may see the event (`jalons/privacy`), including the partner that acted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from schemas import activity, beneficiary, callback, consent, need, pathway, placement, referral, training
from schemas.envelope import Payload


@dataclass(frozen=True, slots=True)
class Message:
    """A class of message.

    send: `now`, an e-mail of its own; `digest`, no e-mail of its own (no digest is sent yet: the event is read in
    `GET /events` or on the pages). awaits_answer: the e-mail brings a link by which it is answered without an account.
    with_offers: the record that it leads to lists other offers that fit.
    """

    send: Literal["now", "digest"]
    awaits_answer: bool = False
    with_offers: bool = False


NOW = Message("now")
ANSWER = Message("now", awaits_answer=True)
OFFERS = Message("now", with_offers=True)
DIGEST = Message("digest")

COORDINATOR = "coordinator"
"""The coordinator's role, and her recipient name: she has no partner record."""


FRONT = "front"
"""Stands for the partner that the network's file marks as its front: it speaks to employers for the network. No partner
has this slug; who the front is, is looked up when a message is sent."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row. parties: the roles that the messages below belong to, as fields of the event. coordinator: the message
    to the coordinator, if the network has a mailbox for her."""

    event: type[Payload]
    parties: tuple[str, str]
    first: Message | None
    second: Message | None
    coordinator: Message | None = None

    def messages(self) -> Iterator[tuple[str, Message]]:
        """Each role that is told, with its class of message."""
        for role, message in zip(
            (*self.parties, COORDINATOR), (self.first, self.second, self.coordinator), strict=True
        ):
            if message is not None:
                yield role, message

    def message(self, role: str) -> Message | None:
        """The class of message to a role; None if it is not told."""
        return dict(self.messages()).get(role)

    def contact(self, role: str) -> str:
        """The party that a message to this role names: the other one. The coordinator is put in touch with the
        first."""
        return self.parties[1] if role == self.parties[0] else self.parties[0]

    def answered(self, role: str) -> str:
        """Who is answered by whoever answers the message to this role (`Reply-To`): the party it names, unless ANSWERED
        says otherwise."""
        return ANSWERED.get((self.event, role), self.contact(role))


_REFERRAL = ("referrer", "recipient")
_TRAINING = ("home", "operator")
_PLACEMENT = ("proposer", "employer")
_FOLLOW_UP = ("home", "proposer")
_PLACED = ("home", "employer")

ROUTES = (
    #     event, parties, message to the first party, to the second, to the coordinator
    Route(referral.SentV1, _REFERRAL, None, ANSWER),
    Route(referral.ReceivedV1, _REFERRAL, DIGEST, None),
    Route(referral.AcceptedV1, _REFERRAL, NOW, ANSWER),
    Route(referral.WaitlistedV1, _REFERRAL, NOW, NOW),
    Route(referral.DeclinedV1, _REFERRAL, OFFERS, NOW),
    Route(referral.RedirectedV1, _REFERRAL, None, NOW),  # the new recipient is told of the new referral, `sent`
    Route(referral.CancelledV1, _REFERRAL, NOW, NOW),
    Route(referral.StartedV1, _REFERRAL, NOW, NOW),
    Route(referral.CompletedV1, _REFERRAL, NOW, NOW),
    Route(referral.InterruptedV1, _REFERRAL, NOW, NOW),
    Route(referral.ExpiredV1, _REFERRAL, NOW, NOW, NOW),
    Route(referral.ReopenedV1, _REFERRAL, NOW, ANSWER),
    Route(referral.VoidedV1, _REFERRAL, NOW, NOW),
    Route(referral.SuggestedV1, _REFERRAL, NOW, None),
    Route(referral.ReminderDueV1, _REFERRAL, None, ANSWER),
    Route(referral.EscalatedV1, _REFERRAL, None, None, NOW),
    Route(referral.NewsDueV1, _REFERRAL, NOW, ANSWER),
    Route(beneficiary.SaidV1, _REFERRAL, NOW, None),
    Route(training.EnrolledV1, _TRAINING, NOW, ANSWER),
    Route(training.StartedV1, _TRAINING, NOW, None),
    Route(training.SuspendedV1, _TRAINING, NOW, None),
    Route(training.ResumedV1, _TRAINING, NOW, None),
    Route(training.AttendanceFallingV1, _TRAINING, NOW, None),
    Route(training.CompletedV1, _TRAINING, NOW, None),
    Route(training.InterruptedV1, _TRAINING, NOW, NOW),
    Route(training.CancelledV1, _TRAINING, NOW, NOW),
    Route(training.NewsDueV1, _TRAINING, NOW, ANSWER),
    Route(placement.ProposedV1, _PLACEMENT, None, ANSWER),
    Route(placement.ConfirmedV1, _PLACEMENT, ANSWER, None),
    Route(placement.RefusedV1, _PLACEMENT, NOW, None),
    Route(placement.CancelledV1, _PLACEMENT, NOW, NOW),
    Route(placement.StartedV1, _PLACEMENT, NOW, ANSWER),
    Route(placement.EvaluatedV1, _PLACEMENT, NOW, NOW),
    Route(placement.EndedV1, _PLACEMENT, NOW, NOW),
    Route(placement.FollowedUpV1, _FOLLOW_UP, NOW, None),
    Route(placement.NewsDueV1, _PLACEMENT, ANSWER, ANSWER),
    Route(placement.EndNearV1, _PLACED, NOW, None),
    Route(placement.FollowUpDueV1, _PLACED, ANSWER, None),
    Route(callback.AskedV1, ("proposer", "said_by"), NOW, None),
)

ANSWERED: Mapping[tuple[type[Payload], str], str] = {
    (beneficiary.SaidV1, "referrer"): "referrer",  # the person spoke; the operator neither knows nor is to know
    (referral.SuggestedV1, "referrer"): COORDINATOR,  # she suggested it
    (placement.EndNearV1, "home"): "proposer",  # what comes next is not the employer's to say
    (placement.FollowUpDueV1, "home"): "home",  # the person is asked; the employer is a former one
}
"""Event, role → the party that is answered, where it is not the one that the message names. Where a message speaks by
the network's front (to an employer), the front is answered. A party that is the reader itself: its own office, so that
an answer leaves it for nobody else."""

HOLDERS: Mapping[type[Payload], Message] = {
    consent.WithdrawnV1: NOW,
    consent.ExpiredV1: NOW,
    beneficiary.ErasedV1: NOW,
}
"""The message to each partner that the event lists under `holdings`: those that hold something of the person."""

ASKED: Mapping[type[Payload], Message] = {consent.RenewalDueV1: NOW}
"""The message to the home partner, about the partners that the event lists under `holdings`."""

TOLD_TO_NOBODY: tuple[type[Payload], ...] = (
    beneficiary.RegisteredV1,
    beneficiary.ProfileUpdatedV1,
    beneficiary.PausedV1,
    beneficiary.ResumedV1,
    beneficiary.LeftV1,
    consent.GivenV1,
    consent.LapsedV1,
    consent.RestoredV1,
    need.ExpressedV1,
    need.UnmetV1,
    activity.CreatedV1,
    pathway.MomentEnteredV1,
    pathway.MomentLeftV1,
    pathway.StalledV1,
)
"""Events about a person that nobody gets a message of; who may see them reads them."""

BY_TYPE: Mapping[str, Route] = {route.event.TYPE: route for route in ROUTES}
