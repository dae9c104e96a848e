"""Every refusal of a command, by name: its status, its code, the cause and the cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jalons.web.problems import Problem
from services.referrals.acts.lifecycle import NotAllowed, NotGiven
from services.referrals.acts.rows import AlreadyOpen, Erased
from services.referrals.acts.rules import AlreadyRecorded, TooLate
from services.referrals.agreements.exchange import NotActive, TrialOnly
from services.referrals.agreements.rules import NoConsent, NoConvention
from services.referrals.calls.idempotency import OtherRequest, StillRunning
from services.referrals.directory.places import NoPlaceLeft
from services.referrals.persons.rows import LocalRefTaken
from services.referrals.persons.rules import Left
from services.referrals.rerouting.rules import MOST_LINKS, ChainTooLong, ComesBack, Followed
from services.referrals.work import InTheFuture, Stale


def not_found(what: str) -> Problem:
    """What is not there, or not the caller's to see: the two are not told apart."""
    return Problem(404, "not_found", f"There is no such {what}, or it is not yours.", "Check the id you were given.")


def not_yours(what: str) -> Problem:
    """The caller may see it but not write it."""
    return Problem(403, "not_yours", f"This {what} is not yours to write.", "Ask the partner it belongs to.")


def unknown_partner(at: str) -> Problem:
    """A partner the directory does not have. at: the field; what stood in it is the caller's own text."""
    return Problem(
        422,
        "unknown_partner",
        f"{at}: the directory has no such partner.",
        "See GET /partners.",
        fields=[{"at": at, "problem": "unknown"}],
    )


def referral_not_open(status: str) -> Problem:
    """What answers a referral cannot begin when that is over, or was never accepted."""
    return Problem(
        409,
        "referral_not_open",
        f"The referral that this answers is `{status}`.",
        "Cancel this one; what begins all the same is planned anew, without `referral_id`.",
    )


def invalid(at: str, problem: str) -> Problem:
    """A value that the form allows but the rule does not."""
    return Problem(
        422,
        "invalid",
        f"{at}: {problem}.",
        "Correct it; /docs has an example.",
        fields=[{"at": at, "problem": problem}],
    )


def unknown_commune(at: str) -> Problem:
    """A commune of which the hub does not know where it lies."""
    return Problem(
        422,
        "unknown_commune",
        f"{at}: where this commune lies is not known here.",
        "See GET /communes; the coordinator adds one: PUT /communes/{nis}.",
        fields=[{"at": at, "problem": "unknown"}],
    )


def invalid_cursor() -> Problem:
    """A cursor that no page gave."""
    return Problem(422, "invalid_cursor", "The cursor is not one this service gave.", "Begin again without a cursor.")


def _stale(_error: Exception) -> Problem:
    return Problem(412, "stale", "It changed since you read it.", "Read it again and decide anew.")


def _not_active(error: NotActive) -> Problem:
    return Problem(
        409,
        "partner_not_active",
        f"{error.partner} is not active in the network.",
        "Choose another, or ask the coordinator.",
    )


def _trial_only(_error: Exception) -> Problem:
    return Problem(
        409,
        "trial_partner",
        "A trial partner exchanges with trial partners only.",
        "Choose a partner of the same kind.",
    )


def _no_convention(_error: Exception) -> Problem:
    return Problem(
        403,
        "no_convention",
        "No convention in force lets you refer to this partner for this moment.",
        "Ask the coordinator which conventions you are a party of, or choose another partner.",
    )


def _no_consent(_error: Exception) -> Problem:
    return Problem(
        403,
        "no_consent",
        "The person's agreement to share this with this partner is not on record.",
        "Ask the person, then record it: `agreement` in this call, or POST /beneficiaries/{id}/consents.",
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


def _not_given(error: NotGiven) -> Problem:
    return Problem(
        422,
        "missing",
        f"This action must be given: {', '.join(error.missing)}.",
        "Send them in the body.",
        fields=[{"at": name, "problem": "missing"} for name in error.missing],
    )


def _already_open(_error: Exception) -> Problem:
    return Problem(
        409,
        "already_open",
        "This person has an open referral to this offer.",
        "Follow that one, or wait until it is closed.",
    )


def _no_place_left(error: NoPlaceLeft) -> Problem:
    return Problem(
        409,
        "no_place_left",
        f"All places of this offer are taken ({error.places}).",
        "Answer otherwise (waiting list, `no_place`), or give the offer more places: PUT /offers/{offer}.",
    )


def _left(_error: Exception) -> Problem:
    return Problem(
        409,
        "person_left",
        "This person has left: nobody accompanies them now, so nothing new begins for them.",
        "If they are accompanied again, their home partner says so first: POST /beneficiaries/{id}/resume.",
    )


def _erased(_error: Exception) -> Problem:
    return Problem(
        409,
        "person_erased",
        "The person this was about has been erased: its state stays as it is.",
        "Nothing more is done with it; erase what you keep of the person yourself.",
    )


def _too_late(_error: Exception) -> Problem:
    return Problem(
        409,
        "too_late",
        "It was done more than two working days ago.",
        "Ask the coordinator, who may still reopen it.",
    )


def _followed(_error: Exception) -> Problem:
    return Problem(
        409,
        "followed",
        "Something was built on this end: another referral follows from it, or an alternative was taken up.",
        "Send a new referral, or ask the coordinator, who may still reopen this one.",
    )


def _already_recorded(_error: Exception) -> Problem:
    return Problem(
        409,
        "already_recorded",
        "A follow-up for these months is on record; each is said once.",
        "Read the placement; record the next one when its months have passed.",
    )


def _comes_back(_error: Exception) -> Problem:
    return Problem(
        409,
        "comes_back",
        "This referral was with that partner before.",
        "Choose a partner it has not been to.",
    )


def _chain_too_long(_error: Exception) -> Problem:
    return Problem(
        409,
        "chain_too_long",
        f"This referral was redirected {MOST_LINKS} times.",
        "Talk to the person and the partners, then send a new referral.",
    )


def _local_ref_taken(_error: Exception) -> Problem:
    return Problem(
        409,
        "local_ref_taken",
        "You have registered a person under this local_ref.",
        "Find the person: GET /beneficiaries?local_ref=…",
    )


def _still_running(_error: Exception) -> Problem:
    return Problem(409, "still_running", "The same Idempotency-Key is at work now.", "Repeat the call in a second.")


def _other_request(_error: Exception) -> Problem:
    return Problem(
        422,
        "idempotency_key_reused",
        "This Idempotency-Key was used for another request.",
        "Use a new key for a new thing; repeat a call with exactly the same body.",
    )


def _in_the_future(_error: Exception) -> Problem:
    return invalid("happened_on", "an act's own date is today or earlier")


REFUSALS: dict[type[Exception], Callable[[Any], Problem]] = {
    NotActive: _not_active,
    TrialOnly: _trial_only,
    NoConvention: _no_convention,
    NoConsent: _no_consent,
    NotAllowed: _not_allowed,
    NotGiven: _not_given,
    AlreadyOpen: _already_open,
    LocalRefTaken: _local_ref_taken,
    NoPlaceLeft: _no_place_left,
    Left: _left,
    Erased: _erased,
    TooLate: _too_late,
    Followed: _followed,
    AlreadyRecorded: _already_recorded,
    ComesBack: _comes_back,
    ChainTooLong: _chain_too_long,
    InTheFuture: _in_the_future,
    Stale: _stale,
    StillRunning: _still_running,
    OtherRequest: _other_request,
}
"""A domain's refusal → the answer."""
