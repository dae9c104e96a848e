"""A referral goes elsewhere: a redirect is two referrals in one transaction; a suggestion changes no status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from services.referrals import refusals
from services.referrals.acts import commands, sending
from services.referrals.acts import rules as acts
from services.referrals.acts.dates import in_order
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.rules import Referral
from services.referrals.agreements.exchange import is_allowed, may_send
from services.referrals.directory import rows as directory
from services.referrals.directory.parties import exchange, exchanges
from services.referrals.persons import rows as persons
from services.referrals.rerouting.rules import been_to, check_chain
from services.referrals.work import Work

_SHOWN = ("offer", "partner", "title", "moment", "type", "commune_nis", "transport_help", "childcare")
_INHERITED = ("reason", "finer", "goal", "chosen_by", "contact")
_LINKS = ("follows", "alternative_to")


def redirect(work: Work, named: UUID | str, given: Mapping[str, Any]) -> Referral:
    """End a referral and send another one, for the same person, moment and purpose, to another partner.

    Raises NotAllowed, NotGiven, ComesBack, ChainTooLong, Stale, and as `sending.send_referral`.
    """
    old, by = commands.load(work, REFERRALS, named, "redirect")
    values = {name: value for name, value in given.items() if value not in (None, False)}
    acts.check(old, "redirect", by, values, work.call.today)
    inherited: dict[str, Any] = {name: old.facts[name] for name in _INHERITED if name in old.facts}
    inherited |= {name: UUID(old.facts[name]) for name in _LINKS if old.facts.get(name)}
    new = sending.draft(work, {**inherited, **values, "moment": old.moment}, old)
    to = {"recipient": new.recipient, "redirected_to": str(new.id), "redirected_reference": new.reference}
    on = new.last_on
    commands.save(work, REFERRALS, old, acts.act(old, "redirect", by, to, work.call.today, on), on)
    return sending.send(work, new)


def suggest(work: Work, named: UUID | str, given: Mapping[str, Any]) -> Referral:
    """The coordinator names an offer to which the referrer could redirect.

    Raises NotAllowed, NotGiven, NotActive, TrialOnly, NoConvention, ComesBack, ChainTooLong, Stale, and Problem 404,
    422.
    """
    state, by = commands.load(work, REFERRALS, named, "suggest")
    acts.check(state, "suggest", by, given, work.call.today)
    on = in_order(given, work.call.today, state.last_on)
    offer = sending.offered(work, given["offer"])
    if offer["moment"] != state.moment:
        raise refusals.invalid("offer", "not of this referral's moment")
    check_chain(state, offer["partner"])
    may_send(exchange(work, state.referrer, offer["partner"], "offer"), state.moment)
    suggested = {"offer": offer["offer"], "suggested_partner": offer["partner"]}
    decided = acts.act(state, "suggest", by, suggested, work.call.today)
    commands.save(work, REFERRALS, state, decided, on)
    return decided.state


def fitting(conn: Connection, referral: Referral, reader: str, today: date) -> list[dict[str, Any]]:
    """Offers to which a referral could go instead, nearest first, for one of its parties; none it has been to.

    The home partner gets those near the person's commune. The receiver gets those near the commune it was shown: it
    could read the person's own commune off the order of the list.
    """
    commune = (referral.facts.get("disclosed") or {}).get("commune_nis")
    if reader == referral.home and (person := persons.find(conn, referral.ref, referral.home)):
        commune = person.profile["commune_nis"]
    offers = directory.fitting(conn, referral.referrer, referral.moment, commune, been_to(referral), today)
    known = exchanges(conn, referral.referrer, {offer["partner"] for offer in offers}, today)
    allowed = (offer for offer in offers if is_allowed(known[offer["partner"]], referral.moment))
    return [{name: offer[name] for name in _SHOWN} for offer in allowed]
