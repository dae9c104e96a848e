"""Send, enrol, propose, and every step after; what answers a referral starts it in the same commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from jalons.clock import new_id
from jalons.privacy.references import new_reference
from services.referrals import refusals
from services.referrals.acts import lifecycle
from services.referrals.acts import rules as acts
from services.referrals.acts.lifecycle import HUB, Office
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import MOMENT_OF_KIND, Act, Decided, Placement, Referral, Training
from services.referrals.agreements import disclosures
from services.referrals.agreements import rules as agreement
from services.referrals.agreements.disclosures import Disclosure
from services.referrals.agreements.rules import Consent
from services.referrals.codes.commands import resolved
from services.referrals.deadlines import commands as deadlines
from services.referrals.deadlines.rules import terms
from services.referrals.deadlines.working_days import after_working_days
from services.referrals.directory import rows as directory
from services.referrals.directory.rules import valid
from services.referrals.needs.commands import say_unmet
from services.referrals.persons.commands import (
    active_partners,
    check_active,
    give_consent,
    known,
    own,
    registered_or_known,
)
from services.referrals.persons.rows import Person
from services.referrals.persons.rules import check_accompanied
from services.referrals.rerouting.rules import chained, check_nothing_followed, lapsing
from services.referrals.work import Call, Work

S = TypeVar("S", bound=Act)
Given = Mapping[str, Any]


def send_referral(work: Work, given: Given) -> Referral:
    """A referral, with the person and the agreement if they are given, in one commit.

    Raises NoConvention, NoConsent, AlreadyOpen, and Problem 404, 409, 422.
    """
    return send(work, draft(work, given), given.get("happened_on"))


def send(work: Work, referral: Referral, on: date | None) -> Referral:
    """A drafted referral goes out. Raises AlreadyOpen and InTheFuture."""
    return _new(work, REFERRALS, acts.sent(referral), on)


def draft(work: Work, given: Given, parent: Referral | None = None) -> Referral:
    """A referral that may be sent, its person and agreement recorded. parent: the one it is sent instead of.

    Raises NotGiven, and as `send_referral` but for AlreadyOpen.
    """
    given = resolved(work, "send", given)
    status = lifecycle.begin(lifecycle.REFERRAL, given)
    referrer, recipient, moment = work.call.partner, recipient_of(work, given), given["moment"]
    if referrer == recipient:
        raise refusals.invalid("recipient", "a partner does not refer to itself")
    found, conventions = work.look(directory.exchange, referrer, recipient)
    rows = check_active({"partner": referrer, "recipient": recipient}, found, work.call.today)
    trial = _trial(rows[referrer], rows[recipient])
    convention = agreement.covering(conventions, referrer, recipient, moment, work.call.today)
    offer = offered(work, given["offer"], recipient) if given.get("offer") else None
    _check_valid(work, offer)
    if offer and offer["moment"] != moment:
        raise refusals.invalid("moment", "not the moment of this offer")
    person = own(work, parent.ref) if parent else _person(work, given, trial=trial)
    check_accompanied(person.status)
    purpose = "employer" if rows[recipient]["kind"] == "employer" else "referral"
    if given.get("agreement"):
        _agree(work, person, recipient, purpose, given["agreement"], given.get("happened_on"))
    attributes = agreement.agreed(work.consents(person.ref), conventions, recipient, purpose, work.call.today)
    shown = agreement.disclosed(
        person.profile, convention.shared_attributes, attributes, rows[recipient]["secrecy_class"]
    )
    work.grant_aliases(person.ref, person.home, [referrer, recipient])
    referral = Referral(
        id=new_id(),
        reference=new_reference("R"),
        ref=person.ref,
        home=person.home,
        status=status,
        version=1,
        referrer=referrer,
        recipient=recipient,
        moment=moment,
        offer=given.get("offer"),
        facts=_facts(given, "reason", "finer", "goal", "chosen_by", "contact")
        | {
            "recipient_kind": rows[recipient]["kind"],
            "offer_type": offer["type"] if offer else None,
            "reply_by": after_working_days(work.call.today, convention.reply_within_working_days).isoformat(),
            "disclosed": shown.shown,
            "follows": _earlier(work, given.get("follows"), person, "follows"),
            "alternative_to": _earlier(work, given.get("alternative_to"), person, "alternative_to"),
            "sent_at": work.call.now.isoformat(),
            "terms": terms(convention),
            "trial": trial,
        }
        | (chained(parent, recipient) if parent else {}),
    )
    sent = Disclosure(referral.id, referral.reference, person.ref, recipient, shown)
    disclosures.gather(work.rows, [sent], "sent", work.call.now)
    return referral


def enrol(work: Work, given: Given) -> Training:
    """A training: by the operator, who knows the person by an alias, or by the home partner to an offer it may use.

    Raises NoConvention, NoConsent, and Problem 404, 409, 422.
    """
    caller = work.call.partner
    person = known(work, given["beneficiary"])
    moment = MOMENT_OF_KIND[given["kind"]]
    offer = offered(work, given["offer"]) if given.get("offer") else None
    operator = offer["partner"] if offer else caller
    if caller not in (operator, person.home):
        raise refusals.invalid("offer", "not an offer of yours, nor is the person yours")
    rows = active_partners(work, {"partner": caller, "offer": operator})
    if operator != caller:
        _check_valid(work, offer)
        _may_disclose(work, person, operator, moment)
    referral = _answered(work, given.get("referral_id"), person, operator)
    _check_plan(given)
    training = Training(
        id=new_id(),
        reference=new_reference("T"),
        ref=person.ref,
        home=person.home,
        status="enrolled",
        version=1,
        operator=operator,
        moment=moment,
        referral_id=referral.id if referral else None,
        facts=_facts(given, "kind", "tool", "goal", "chosen_by", "planned_start", "planned_end", "offer")
        | {"trial": _trial(rows[caller], rows[operator])},
    )
    work.grant_aliases(person.ref, person.home, [operator])
    return _new(work, TRAININGS, acts.enrolled(training), given.get("happened_on"))


def propose(work: Work, given: Given) -> Placement:
    """A placement; an employer stands outside professional secrecy, so the person agreed to it by name.

    Raises NoConsent, and Problem 404, 409, 422.
    """
    caller, employer = work.call.partner, given["employer"]
    person = known(work, given["beneficiary"])
    rows = active_partners(
        work, {"partner": caller, "employer": employer, "legal_employer": given.get("legal_employer") or employer}
    )
    if employer not in (caller, person.home):
        conventions = directory.between(work.conn, caller, employer)
        agreement.agreed(work.consents(person.ref), conventions, employer, "employer", work.call.today)
    if given.get("offer"):
        offered(work, given["offer"])
    referral = _answered(work, given.get("referral_id"), person, employer)
    _check_plan(given)
    placement = Placement(
        id=new_id(),
        reference=new_reference("P"),
        ref=person.ref,
        home=person.home,
        status="proposed",
        version=1,
        proposer=caller,
        employer=employer,
        referral_id=referral.id if referral else None,
        facts=_facts(
            given,
            *("kind", "occupation", "goal", "chosen_by", "planned_start", "planned_end", "offer", "legal_employer"),
        )
        | {"trial": _trial(rows[caller], rows[employer])},
    )
    work.grant_aliases(person.ref, person.home, [employer])
    return _new(work, PLACEMENTS, acts.proposed(placement), given.get("happened_on"))


def step(work: Work, store: Acts[S], named: UUID | str, action: str, given: Given) -> S:
    """One action of the table. What answers a referral starts it, and what starts lets its alternatives lapse.

    Whether there was a place to take is known when the work is appended.
    Raises NotAllowed, NotGiven, TooLate, AlreadyRecorded, AlreadyOpen, Followed, InTheFuture, Stale, and Problem 404,
    422.
    """
    given = resolved(work, action, given)
    state, by = held(work, store, named, action)
    said = _plain({name: value for name, value in given.items() if name != "happened_on"})
    on = given.get("happened_on") or _own_date(given)
    _check_dates(work, state, given)
    if said.get("reported_by") and "referrer" not in state.party(work.call.partner):
        raise refusals.invalid("reported_by", "only the referrer records an answer in the receiver's place")
    decided = acts.act(state, action, by, said, work.call.today)
    if action == "reopen" and isinstance(state, Referral) and by is not Office.COORDINATOR:
        check_nothing_followed(state, REFERRALS.of_person(work.conn, state.ref))
    keep(work, store, state, decided, on)
    if action == "start":
        _started(work, decided.state, said, on)
    return decided.state


def held(work: Work, store: Acts[S], named: UUID | str, action: str) -> tuple[S, str]:
    """What is acted on, locked, and as whom the caller acts. Raises Stale and Problem 404."""
    state = store.find(work.conn, named, lock=True)
    by = acting(work.call, state, action) if state else None
    if state is None or by is None:
        raise refusals.not_found(store.table.removesuffix("s"))
    work.expect(state.version)
    return state, by


def acting(call: Call, state: Act, action: str = "") -> str | None:
    """As whom a caller meets it: a party, or the coordinator of a referral; None for a stranger. Who is both acts as
    the party wherever the party may."""
    principal = call.principal
    own = call.partner if principal.has("partner") and state.party(call.partner) else None
    if principal.has("coordinator") and isinstance(state, Referral):
        return own if own and action in ("", *acts.open_to(state, own, call.today)) else Office.COORDINATOR
    return own


def keep(work: Work, store: Acts[S], before: S, decided: Decided[S], on: date | None, *, by: str | None = None) -> None:
    """Save a state, note what it does to an offer's places, and say its event. Raises AlreadyOpen and InTheFuture."""
    store.save(work.conn, decided.state, work.call.now)
    work.moved(before, decided.state)
    deadlines.follow(work, decided.state)
    said = work.record(decided.state.ref, decided.event, decided.sealed, on, by=by)
    say_unmet(work, decided, on, said)


def _started(work: Work, state: Act, said: Given, on: date | None) -> None:
    """The referral that this one answers starts with it; then the alternatives of a started referral lapse."""
    if isinstance(state, Training | Placement):
        _start_referral(work, state, said, on)
        return
    for other in lapsing(state.id, REFERRALS.of_person(work.conn, state.ref)):
        keep(work, REFERRALS, other, acts.act(other, "lapse", HUB, {}, work.call.today), on, by=HUB)


def _start_referral(work: Work, answer: Training | Placement, said: Given, on: date | None) -> None:
    """The referral that is answered starts with its answer, unless it has started already."""
    referral = REFERRALS.find(work.conn, answer.referral_id, lock=True) if answer.referral_id else None
    if referral is None or referral.status == "started":
        return
    if referral.status != "accepted":
        raise refusals.referral_not_open(referral.status)
    kind = "training" if isinstance(answer, Training) else "placement"
    given = {"started_on": said["started_on"], "answered_by": kind, "answered_by_id": str(answer.id)}
    decided = acts.act(referral, "start", referral.recipient, given, work.call.today)
    keep(work, REFERRALS, referral, decided, on)
    _started(work, decided.state, said, on)


def _new(work: Work, store: Acts[S], decided: Decided[S], on: date | None) -> S:
    store.add(work.rows, decided.state, work.call.now)
    deadlines.follow(work, decided.state)
    work.record(decided.state.ref, decided.event, decided.sealed, on)
    return decided.state


def _person(work: Work, given: Given, *, trial: bool) -> Person:
    """The person a referral is for: known already, or given with it."""
    if given.get("person"):
        profile, local_ref = given["person"]["profile"], given["person"].get("local_ref")
        return registered_or_known(work, profile, local_ref, given.get("happened_on"), trial=trial)
    return own(work, given["beneficiary"])


def _agree(work: Work, person: Person, recipient: str, purpose: str, given: Given, on: date | None) -> None:
    consent = Consent(
        frozenset({recipient}),
        None,
        frozenset({purpose}),
        frozenset(given.get("attributes") or ()),
        given.get("expires_on"),
    )
    give_consent(work, person, consent, given["channel"], given.get("evidence_ref"), on)


def _may_disclose(work: Work, person: Person, partner: str, moment: str) -> None:
    conventions = directory.between(work.conn, work.call.partner, partner)
    agreement.covering(conventions, work.call.partner, partner, moment, work.call.today)
    agreement.agreed(work.consents(person.ref), conventions, partner, "referral", work.call.today)


def recipient_of(work: Work, given: Given) -> str:
    """The partner that is referred to: named, or the one whose offer it is. Raises Problem 422."""
    return str(given.get("recipient") or offered(work, given["offer"])["partner"])


def offered(work: Work, name: str, partner: str | None = None) -> dict[str, Any]:
    """An offer that may be used, of that partner if one is named. Raises Problem 422."""
    offer = work.look(directory.offer, name)
    if offer is None or (partner and offer["partner"] != partner):
        raise refusals.invalid("offer", "there is no such offer of this partner")
    if offer["status"] == "closed":
        raise refusals.invalid("offer", "closed")
    return offer


def _check_valid(work: Work, offer: Mapping[str, Any] | None) -> None:
    """Nobody is sent to an offer outside its dates; who is there already goes on. Raises Problem 422."""
    if offer and not valid(offer, work.call.today):
        raise refusals.invalid("offer", "today is outside its valid_from and valid_to")


def _answered(work: Work, named: UUID | str | None, person: Person, recipient: str) -> Referral | None:
    """The accepted referral that a training or placement answers. Raises Problem 422."""
    if named is None:
        return None
    referral = REFERRALS.find(work.conn, named)
    if referral is None or referral.ref != person.ref or referral.recipient != recipient:
        raise refusals.invalid("referral_id", "there is no such referral of this person to this partner")
    if referral.status not in ("accepted", "started"):
        raise refusals.invalid("referral_id", f"the referral is {referral.status}; accept it first")
    return referral


def _earlier(work: Work, named: UUID | str | None, person: Person, at: str) -> str | None:
    """An earlier referral of the same person, as its id."""
    if named is None:
        return None
    referral = REFERRALS.find(work.conn, named)
    if referral is None or referral.ref != person.ref:
        raise refusals.invalid(at, "there is no such referral of this person")
    return str(referral.id)


def _trial(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one["trial"] != other["trial"]:
        raise refusals.trial_only()
    return bool(one["trial"])


def _check_plan(given: Given) -> None:
    if given.get("planned_end") and given["planned_end"] < given["planned_start"]:
        raise refusals.invalid("planned_end", "before planned_start")


def _check_dates(work: Work, state: Act, given: Given) -> None:
    """What has started or ended did so by today, and in that order."""
    for at in ("started_on", "ended_on"):
        if given.get(at) and given[at] > work.call.today:
            raise refusals.invalid(at, "in the future")
    started = state.facts.get("started_on")
    if given.get("ended_on") and started and given["ended_on"].isoformat() < started:
        raise refusals.invalid("ended_on", "before started_on")


def _own_date(given: Given) -> date | None:
    """An act's own date says when it happened, where nothing else does."""
    return given.get("started_on") or given.get("ended_on")


def _facts(given: Given, *names: str) -> dict[str, Any]:
    return _plain({name: given[name] for name in names if given.get(name) is not None})


def _plain(values: Given) -> dict[str, Any]:
    """Dates and ids in the form they are kept in."""
    return {
        k: v.isoformat() if isinstance(v, date) else str(v) if isinstance(v, UUID) else v for k, v in values.items()
    }
