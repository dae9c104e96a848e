"""A referral, a training or a placement begins only where the partners may exchange and the person agreed to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from jalons.clock import random_id
from jalons.privacy.references import new_reference
from schemas.placement import NAMES_THE_PROPOSER
from services.referrals import refusals
from services.referrals.acts import lifecycle
from services.referrals.acts import rules as acts
from services.referrals.acts.commands import json_values
from services.referrals.acts.dates import in_order, on_planned_start
from services.referrals.acts.fronting import check_front, told
from services.referrals.acts.once import check_once
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import MOMENT_OF_KIND, Act, Decided, Placement, Referral, Training
from services.referrals.agreements import disclosures
from services.referrals.agreements import rows as agreements
from services.referrals.agreements import rules as agreement
from services.referrals.agreements.commands import give_consent
from services.referrals.agreements.disclosures import Disclosure
from services.referrals.agreements.exchange import Exchange, check_exchange, may_send
from services.referrals.agreements.rules import Consent, Convention, Disclosed, NoConvention
from services.referrals.codes.commands import resolved
from services.referrals.deadlines import waits
from services.referrals.deadlines.rules import terms
from services.referrals.deadlines.working_days import after_working_days
from services.referrals.directory import rows as directory
from services.referrals.directory.parties import active_parties, exchange
from services.referrals.directory.rules import valid
from services.referrals.persons.commands import known, own, registered_or_known
from services.referrals.persons.rows import Person
from services.referrals.persons.rules import check_accompanied
from services.referrals.rerouting.rules import chained
from services.referrals.work import Work

S = TypeVar("S", bound=Act)
Given = Mapping[str, Any]
Offer = Mapping[str, Any]


def send_referral(work: Work, given: Given) -> Referral:
    """Send a referral, and register the person and record their agreement where the call gives them.

    Raises NotGiven, NotActive, TrialOnly, NoConvention, Left, NoConsent, LocalRefTaken, AlreadyOpen, OutOfOrder, and
    Problem 404, 422.
    """
    return send(work, draft(work, given))


def send(work: Work, referral: Referral) -> Referral:
    """Store a drafted referral and record that it was sent. Raises AlreadyOpen."""
    return _begin(work, REFERRALS, acts.sent(referral))


def draft(work: Work, given: Given, parent: Referral | None = None) -> Referral:
    """A referral that may be sent, its person and agreement recorded. parent: the referral it was redirected from.

    Raises as `send_referral`.
    """
    given = resolved(work, "send", given)
    status = lifecycle.begin(lifecycle.REFERRAL, given)
    recipient = str(given.get("recipient") or offered(work, given["offer"])["partner"])
    if recipient == work.call.partner:
        raise refusals.invalid("recipient", "a partner does not refer to itself")
    between = exchange(work, work.call.partner, recipient)
    convention = may_send(between, given["moment"])
    if between.recipient.kind == "employer":
        check_front(work.conn)
    offer = _offer(work, given, recipient)
    person = own(work, parent.ref) if parent else _person(work, given, trial=between.trial)
    check_accompanied(person.status)
    follows = _earlier(work, given, person, "follows")
    alternative_to = _earlier(work, given, person, "alternative_to")
    on = in_order(given, work.call.today, parent.last_on if parent else _sent_on(follows))
    shown = _disclosed(work, given, person, between, convention)
    meant = bool(given.get("again") or alternative_to)
    started = check_once(work.conn, person.ref, recipient, given["moment"], given.get("offer"), meant=meant)
    work.grant_aliases(person.ref, person.home, [work.call.partner, recipient])
    referral = Referral(
        id=random_id(),
        reference=new_reference("R"),
        ref=person.ref,
        home=person.home,
        status=status,
        version=1,
        referrer=work.call.partner,
        recipient=recipient,
        moment=given["moment"],
        offer=given.get("offer"),
        facts={
            **_facts(given, "reason", "finer", "goal", "chosen_by", "contact"),
            "recipient_kind": between.recipient.kind,
            "offer_type": offer["type"] if offer else None,
            "reply_by": after_working_days(work.call.today, convention.reply_within_working_days).isoformat(),
            "disclosed": shown.shown,
            "follows": str(follows.id) if follows else None,
            "alternative_to": str(alternative_to.id) if alternative_to else None,
            "also_open": started or None,
            "sent_at": work.call.now.isoformat(),
            "sent_on": on.isoformat(),
            "last_on": on.isoformat(),
            "terms": terms(convention),
            "trial": between.trial,
            **(chained(parent, recipient) if parent else {}),
        },
    )
    disclosure = Disclosure(referral.id, referral.reference, person.ref, recipient, shown)
    disclosures.record(work.conn, [disclosure], "sent", work.call.now)
    return referral


def enrol(work: Work, given: Given) -> Training:
    """Plan a training. Its operator may, or the person's home partner, to an offer to which it may send.

    Whoever plans it, the person must have agreed to the operator, and a convention lead from the home partner to it.

    Raises NotActive, TrialOnly, NoConvention, Left, NoConsent, OutOfOrder, and Problem 404, 422.
    """
    caller = work.call.partner
    person = known(work, given["beneficiary"])
    moment = MOMENT_OF_KIND[given["kind"]]
    offer = offered(work, given["offer"]) if given.get("offer") else None
    operator = offer["partner"] if offer else caller
    if caller not in (operator, person.home):
        raise refusals.invalid("offer", "not an offer of yours, nor is the person yours")
    between = exchange(work, person.home, operator, "offer")
    if operator != caller:
        _check_valid(work, offer)
    check_exchange(between)
    if operator != person.home:
        _check_sent(between, moment if operator != caller else None)
        _check_agreed(work, person, between, between.recipient.purpose)
    referral = _answered(work, given, person, operator)
    on = _planned_on(work, given, referral)
    training = Training(
        id=random_id(),
        reference=new_reference("T"),
        ref=person.ref,
        home=person.home,
        status="enrolled",
        version=1,
        operator=operator,
        moment=moment,
        referral_id=referral.id if referral else None,
        facts={
            **_facts(given, "kind", "tool", "goal", "chosen_by", "planned_start", "planned_end", "offer"),
            "operator_kind": between.recipient.kind,
            "trial": between.trial,
            "last_on": on.isoformat(),
        },
    )
    work.grant_aliases(person.ref, person.home, [operator])
    return _begin(work, TRAININGS, acts.enrolled(training))


def propose(work: Work, given: Given) -> Placement:
    """Propose a placement. An employer is outside professional secrecy, so the person must have agreed to it by name.

    Raises NotActive, TrialOnly, Left, NoConsent, OutOfOrder, and Problem 404, 422.
    """
    caller, employer = work.call.partner, given["employer"]
    person = known(work, given["beneficiary"])
    between = exchange(work, caller, employer, "employer")
    active_parties(work, {"legal_employer": given.get("legal_employer") or employer})
    check_exchange(between)
    if employer != person.home:
        _check_agreed(work, person, between, "employer")
        if given["kind"] not in NAMES_THE_PROPOSER:
            check_front(work.conn)
    if caller not in (person.home, employer):
        to_caller = exchange(work, person.home, caller, "partner")
        _check_agreed(work, person, to_caller, to_caller.recipient.purpose)
    if given.get("offer"):
        offered(work, given["offer"])
    referral = _answered(work, given, person, employer)
    on = _planned_on(work, given, referral)
    placement = Placement(
        id=random_id(),
        reference=new_reference("P"),
        ref=person.ref,
        home=person.home,
        status="proposed",
        version=1,
        proposer=caller,
        employer=employer,
        referral_id=referral.id if referral else None,
        facts={
            **_facts(given, "kind", "occupation", "goal", "chosen_by", "planned_start", "planned_end", "offer"),
            **_facts(given, "legal_employer"),
            "trial": between.trial,
            "last_on": on.isoformat(),
        },
    )
    work.grant_aliases(person.ref, person.home, [employer])
    return _begin(work, PLACEMENTS, acts.proposed(placement))


def offered(work: Work, name: str, partner: str | None = None) -> dict[str, Any]:
    """An offer that is not closed. partner: whose it must be. Raises Problem 422."""
    offer = directory.offer(work.conn, name)
    if offer is None or (partner and offer["partner"] != partner):
        raise refusals.invalid("offer", "there is no such offer of this partner")
    if offer["status"] == "closed":
        raise refusals.invalid("offer", "closed")
    return offer


def _begin(work: Work, store: Acts[S], decided: Decided[S]) -> S:
    """Store a new act and record its first event."""
    store.add(work.conn, decided.state, work.call.now)
    waits.follow(work, decided.state)
    work.record(decided.state.ref, told(work, decided.state, decided.event), decided.sealed, decided.state.last_on)
    return decided.state


def _offer(work: Work, given: Given, recipient: str) -> Offer | None:
    """The offer that a referral names, if it is the recipient's, of its moment and open today. Raises Problem 422."""
    if not given.get("offer"):
        return None
    offer = offered(work, given["offer"], recipient)
    _check_valid(work, offer)
    if offer["moment"] != given["moment"]:
        raise refusals.invalid("moment", "not the moment of this offer")
    return offer


def _check_valid(work: Work, offer: Offer | None) -> None:
    """Nobody is sent to an offer outside its dates; who has begun there goes on. Raises Problem 422."""
    if offer and not valid(offer, work.call.today):
        raise refusals.invalid("offer", "today is outside its valid_from and valid_to")


def _check_sent(between: Exchange, moment: str | None) -> None:
    """Raises NoConvention unless a convention in force leads to the recipient, for the moment if one is given."""
    if moment is not None:
        may_send(between, moment)
    elif not any(c.joins(between.sender.slug, between.recipient.slug, between.on) for c in between.conventions):
        raise NoConvention


def _person(work: Work, given: Given, *, trial: bool) -> Person:
    """The person of a referral: registered before, or given with it."""
    if given.get("person"):
        profile, local_ref = given["person"]["profile"], given["person"].get("local_ref")
        return registered_or_known(work, profile, local_ref, given.get("happened_on"), trial=trial)
    return own(work, given["beneficiary"])


def _disclosed(work: Work, given: Given, person: Person, between: Exchange, convention: Convention) -> Disclosed:
    """What the recipient is shown of the profile. Records the agreement that the call gives. Raises NoConsent."""
    recipient = between.recipient
    if agreed := given.get("agreement"):
        purposes, attributes = frozenset({recipient.purpose}), frozenset(agreed.get("attributes") or ())
        consent = Consent(frozenset({recipient.slug}), None, purposes, attributes, agreed.get("expires_on"))
        give_consent(work, person, consent, agreed["channel"], agreed.get("evidence_ref"), given.get("happened_on"))
    attributes = _check_agreed(work, person, between, recipient.purpose)
    return agreement.disclosed(person.profile, convention.shared_attributes, attributes, recipient.secrecy_class)


def _check_agreed(work: Work, person: Person, between: Exchange, purpose: str) -> frozenset[str]:
    """The attributes that the person agreed to show the recipient. Raises NoConsent."""
    consents = agreements.consents_of(work.conn, person.ref)
    return agreement.agreed(consents, between.conventions, between.recipient.slug, purpose, between.on)


def _answered(work: Work, given: Given, person: Person, recipient: str) -> Referral | None:
    """The accepted referral that a training or placement answers. Raises Problem 422."""
    if given.get("referral_id") is None:
        return None
    referral = REFERRALS.find(work.conn, given["referral_id"])
    if referral is None or referral.ref != person.ref or referral.recipient != recipient:
        raise refusals.invalid("referral_id", "there is no such referral of this person to this partner")
    if referral.status not in ("accepted", "started"):
        raise refusals.invalid("referral_id", f"the referral is {referral.status}; accept it first")
    return referral


def _earlier(work: Work, given: Given, person: Person, field: str) -> Referral | None:
    """The earlier referral of the same person that a field names. Raises Problem 422."""
    named: UUID | str | None = given.get(field)
    if named is None:
        return None
    referral = REFERRALS.find(work.conn, named)
    if referral is None or referral.ref != person.ref:
        raise refusals.invalid(field, "there is no such referral of this person")
    return referral


def _sent_on(referral: Referral | None) -> date | None:
    """The day on which a referral was sent."""
    known = referral.facts.get("sent_on") if referral else None
    return date.fromisoformat(known) if known else None


def _planned_on(work: Work, given: Given, answered: Referral | None) -> date:
    """The day on which a training or placement was planned, its dates in order. Raises OutOfOrder."""
    today = work.call.today
    return in_order(given, today, answered.last_on if answered else None, on_planned_start(given, today))


def _facts(given: Given, *names: str) -> dict[str, Any]:
    return json_values({name: given[name] for name in names if given.get(name) is not None})
