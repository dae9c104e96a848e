"""Every refusal of a command as a problem: status, code, cause and cure, as in docs/reference/problems.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jalons.web.problems import Problem
from services.referrals.acts.dates import OutOfOrder
from services.referrals.acts.lifecycle import NotAllowed, NotGiven
from services.referrals.acts.rows import AlreadyOpen, Erased
from services.referrals.acts.rules import AlreadyRecorded, TooLate, Uncovered
from services.referrals.agreements.exchange import NotActive, TrialOnly
from services.referrals.agreements.rules import NoConsent, NoConvention
from services.referrals.calls.cursors import UnknownCursor
from services.referrals.calls.idempotency import Forgotten, OtherRequest, StillRunning
from services.referrals.directory.places import NoPlaceLeft
from services.referrals.persons.rows import LocalRefTaken
from services.referrals.persons.rules import Left
from services.referrals.rerouting.rules import MOST_LINKS, ChainTooLong, ComesBack, Followed
from services.referrals.work import Stale


def not_found(what: str) -> Problem:
    """It does not exist, or the caller may not see it: the answer does not tell which."""
    return Problem(404, "not_found", f"There is no such {what}, or it is not yours.", "Check the id you were given.")


def not_yours(what: str) -> Problem:
    """The caller may read it but not write it."""
    return Problem(403, "not_yours", f"This {what} is not yours to write.", "Ask the partner it belongs to.")


def unknown_partner(at: str) -> Problem:
    """The directory has no such partner. at: the field that names it; its value is not repeated."""
    return Problem(
        422,
        "unknown_partner",
        f"{at}: the directory has no such partner.",
        "See GET /partners.",
        fields=[{"at": at, "problem": "unknown"}],
    )


def referral_not_open(status: str) -> Problem:
    """A training or placement cannot start if the referral it answers is over, or was never accepted."""
    return Problem(
        409,
        "referral_not_open",
        f"The referral that this answers is `{status}`.",
        "Cancel this one. If it starts all the same, plan it again without `referral_id`.",
    )


def invalid(at: str, problem: str) -> Problem:
    """A value that the body's schema allows and a rule does not."""
    return Problem(
        422,
        "invalid",
        f"{at}: {problem}.",
        "Correct it; /docs has an example.",
        fields=[{"at": at, "problem": problem}],
    )


def front_taken(slug: str) -> Problem:
    """Another active partner is the network's front already."""
    return Problem(
        409,
        "front_taken",
        f"{slug} speaks to employers for the network already; one partner does.",
        f"Write {slug} with `front: false` first.",
    )


def not_the_front() -> Problem:
    """Only the network's front looks references up that are not its own."""
    return Problem(
        403,
        "not_the_front",
        "Only the partner that speaks to employers for the network may look a reference up.",
        "Ask the network's front; GET /partners says who it is.",
    )


def no_front() -> Problem:
    """An employer would learn from whom it hears that a public welfare centre knows the person."""
    return Problem(
        422,
        "no_front",
        "No active partner speaks to employers for the network: this one would learn who accompanies the person.",
        "The coordinator marks one: PUT /partners/{partner} with `front: true` (`jalons doctor` says whether one is).",
    )


def unknown_commune(at: str) -> Problem:
    """The hub does not know where this commune lies."""
    return Problem(
        422,
        "unknown_commune",
        f"{at}: the hub does not know where this commune lies.",
        "See GET /communes; the coordinator adds one: PUT /communes/{nis}.",
        fields=[{"at": at, "problem": "unknown"}],
    )


def unknown_place(at: str, allowed: list[str]) -> Problem:
    """The partner has no such place. at: the field that names it; allowed: the codes of its places."""
    known = ", ".join(allowed) or "none"
    return Problem(
        422,
        "unknown_place",
        f"{at}: the partner has no such place. Its places: {known}.",
        "Name a place by its code, or leave it out: then the offer's place, or the partner's own address, stands. The "
        "coordinator adds one: PUT /partners/{partner}.",
        fields=[{"at": at, "problem": "unknown"}],
        allowed=allowed,
    )


def place_in_use(codes: list[str]) -> Problem:
    """A place cannot be taken away while an offer or an open act names it."""
    return Problem(
        409,
        "place_in_use",
        f"An offer or an open act names these places: {', '.join(codes)}.",
        "Keep the code and change its address, or first give the offer and the acts another place.",
        places=codes,
    )


def invalid_cursor() -> Problem:
    """The cursor is not one that a page gave."""
    return Problem(422, "invalid_cursor", "The cursor is not one this service gave.", "Begin again without a cursor.")


def _not_active(error: NotActive) -> Problem:
    return Problem(
        409,
        "partner_not_active",
        f"{error.partner} is not active in the network.",
        "Choose another, or ask the coordinator.",
    )


_EXPIRED = "It was not answered in time. Speak with the other partner: the one who referred may refer again."


def _not_allowed(error: NotAllowed) -> Problem:
    return Problem(
        409,
        "transition_not_allowed",
        f"`{error.action}` is not open to you while the status is `{error.status}`.",
        _EXPIRED if error.status == "expired" else f"Open to you now: {', '.join(error.open) or 'nothing'}.",
        actions=error.open,
    )


def _uncovered(error: Uncovered) -> Problem:
    open_now = ", ".join(error.open) or "nothing"
    return Problem(
        409,
        "transition_not_allowed",
        f"`{error.action}` is not open: the person's agreement, or the convention, no longer covers this.",
        f"Open to you now: {open_now}. For the rest the home partner first records a new agreement.",
        actions=error.open,
    )


def _not_given(error: NotGiven) -> Problem:
    return Problem(
        422,
        "missing",
        f"This action must be given: {', '.join(error.missing)}.",
        "Send them in the body.",
        fields=[{"at": name, "problem": "missing"} for name in error.missing],
    )


def _no_place_left(error: NoPlaceLeft) -> Problem:
    return Problem(
        409,
        "no_place_left",
        f"All places of this offer are taken ({error.places}).",
        "Answer otherwise (waiting list, `no_place`), or give the offer more places: PUT /offers/{offer}.",
    )


_DATES = {
    "future": "what happened did not happen after {bound}, today",
    "too_old": "what happened over five years ago is not recorded any more: not before {bound}",
    "before_followed": "an act is not before what it follows, which happened on {bound}",
    "after_act": "it is after the act itself, which happened on {bound}",
    "too_early": "what is planned is at most five working days before the act: not before {bound}",
    "too_late": "what is planned is at most three years after the act: not after {bound}",
    "before_start": "it is before planned_start, {bound}",
}
_TOLD_LATER = "Correct the date. An act that is told afterwards says its own day: `happened_on`."


def _out_of_order(error: OutOfOrder) -> Problem:
    problem = _DATES[error.wrong].format(bound=error.bound.isoformat())
    fields = [{"at": error.field, "problem": problem}]
    return Problem(422, "invalid", f"{error.field}: {problem}.", _TOLD_LATER, fields=fields)


def _already_open(error: AlreadyOpen) -> Problem:
    named: dict[str, Any] = {"ref": error.reference} if error.reference else {}
    return Problem(
        409,
        "already_open",
        f"This person has a referral here that has not started: {error.reference or 'made just now'}.",
        "Use that one. If both are meant, say so: `alternative_to`, or `again: true`; to one offer there is only one.",
        **named,
    )


def _always(status: int, code: str, cause: str, cure: str) -> Callable[[Exception], Problem]:
    return lambda _error: Problem(status, code, cause, cure)


REFUSALS: dict[type[Exception], Callable[[Any], Problem]] = {
    UnknownCursor: lambda _error: invalid_cursor(),
    NotActive: _not_active,
    TrialOnly: _always(
        409,
        "trial_partner",
        "A trial partner exchanges with trial partners only.",
        "Choose a partner of the same kind.",
    ),
    NoConvention: _always(
        403,
        "no_convention",
        "No convention in force lets you refer to this partner for this moment.",
        "Ask the coordinator which conventions you are a party of, or choose another partner.",
    ),
    NoConsent: _always(
        403,
        "no_consent",
        "The person's agreement to share this with this partner is not on record.",
        "Ask the person, then record it: `agreement` in this call, or POST /beneficiaries/{id}/consents.",
    ),
    NotAllowed: _not_allowed,
    Uncovered: _uncovered,
    NotGiven: _not_given,
    AlreadyOpen: _already_open,
    LocalRefTaken: _always(
        409,
        "local_ref_taken",
        "You have registered a person under this local_ref.",
        "Find the person: GET /beneficiaries?local_ref=…",
    ),
    NoPlaceLeft: _no_place_left,
    Left: _always(
        409,
        "person_left",
        "This person has left: nobody accompanies them now, so nothing new begins for them.",
        "If they are accompanied again, their home partner says so first: POST /beneficiaries/{id}/resume.",
    ),
    Forgotten: _always(
        410,
        "person_erased",
        "The call was done, and the person it was about has been erased since.",
        "Do not repeat it; erase what you keep of the person yourself.",
    ),
    Erased: _always(
        409,
        "person_erased",
        "The person this was about has been erased. It keeps its status, and no further step is possible.",
        "Erase what you keep of the person yourself.",
    ),
    TooLate: _always(
        409,
        "too_late",
        "The last step was taken more than two working days ago.",
        "Ask the coordinator, who may still reopen it.",
    ),
    Followed: _always(
        409,
        "followed",
        "Another referral follows from this end, or an alternative has started.",
        "Send a new referral, or ask the coordinator, who may still reopen this one.",
    ),
    AlreadyRecorded: _always(
        409,
        "already_recorded",
        "The follow-up for this number of months is on record already.",
        "Read the placement; record the next follow-up when it is due.",
    ),
    ComesBack: _always(
        409, "comes_back", "This referral was with that partner before.", "Choose a partner it has not been to."
    ),
    ChainTooLong: _always(
        409,
        "chain_too_long",
        f"This referral was redirected {MOST_LINKS} times.",
        "Talk to the person and the partners, then send a new referral.",
    ),
    OutOfOrder: _out_of_order,
    Stale: _always(412, "stale", "It changed since you read it.", "Read it again and decide anew."),
    StillRunning: _always(
        409, "still_running", "The same Idempotency-Key is at work now.", "Repeat the call in a second."
    ),
    OtherRequest: _always(
        422,
        "idempotency_key_reused",
        "This Idempotency-Key was used for another request.",
        "Use a new key for a new thing; repeat a call with exactly the same body.",
    ),
}
"""Refusal → the problem it becomes."""
