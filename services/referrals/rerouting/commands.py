"""Somewhere else instead: a redirect is two referrals in one commit, and a suggestion moves nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from services.referrals import refusals
from services.referrals.acts import commands
from services.referrals.acts import rules as acts
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.rules import Referral
from services.referrals.agreements import rules as agreement
from services.referrals.directory import rows as directory
from services.referrals.persons import rows as persons
from services.referrals.rerouting.rules import been_to, check_chain
from services.referrals.work import Work

_SHOWN = ("offer", "partner", "title", "moment", "type", "commune_nis", "transport_help", "childcare")
_INHERITED = ("reason", "goal", "chosen_by", "contact")
_JOINED = ("follows", "alternative_to")


def redirect(work: Work, named: UUID | str, given: Mapping[str, Any]) -> Referral:
    """The new referral, for the same person, moment and sense, to somebody else; the old one ends.

    Raises NotAllowed, NotGiven, ComesBack, ChainTooLong, Stale, and as sending does.
    """
    old, by = commands.held(work, REFERRALS, named, "redirect")
    said = {name: value for name, value in given.items() if value is not None}
    acts.check(old, "redirect", by, said, work.call.today)
    sense: dict[str, Any] = {name: old.facts[name] for name in _INHERITED}
    sense |= {name: UUID(old.facts[name]) for name in _JOINED if old.facts.get(name)}
    sense |= {"finer": old.facts["finer"]} if "finer" in old.facts else {}
    new = commands.draft(work, {**sense, **said, "moment": old.moment}, old)
    to = {"recipient": new.recipient, "redirected_to": str(new.id), "redirected_reference": new.reference}
    on = given.get("happened_on")
    commands.keep(work, REFERRALS, old, acts.act(old, "redirect", by, to, work.call.today), on)
    return commands.send(work, new, on)


def suggest(work: Work, named: UUID | str, given: Mapping[str, Any]) -> Referral:
    """The coordinator names an offer that the referrer could redirect to.

    Raises NotAllowed, NotGiven, NoConvention, ComesBack, ChainTooLong, Stale and Problem 404, 422.
    """
    state, by = commands.held(work, REFERRALS, named, "suggest")
    acts.check(state, "suggest", by, given, work.call.today)
    offer = commands.offered(work, given["offer"])
    if offer["moment"] != state.moment:
        raise refusals.invalid("offer", "not of this referral's moment")
    check_chain(state, offer["partner"])
    conventions = directory.between(work.conn, state.referrer, offer["partner"])
    agreement.covering(conventions, state.referrer, offer["partner"], state.moment, work.call.today)
    said = {"offer": offer["offer"], "suggested_partner": offer["partner"]}
    decided = acts.act(state, "suggest", by, said, work.call.today)
    commands.keep(work, REFERRALS, state, decided, given.get("happened_on"))
    return decided.state


def fitting(conn: Connection, referral: Referral, reader: str, today: date) -> list[dict[str, Any]]:
    """Offers that fit instead of it, for one of its parties: near the person's commune for the home partner, near what
    was disclosed of it for the receiver, who else could read the commune off the list. Nobody it has been to."""
    commune = (referral.facts.get("disclosed") or {}).get("commune_nis")
    if reader == referral.home and (person := persons.find(conn, referral.ref, referral.home)):
        commune = person.profile["commune_nis"]
    offers = directory.fitting(conn, referral.referrer, referral.moment, commune, been_to(referral), today)
    return [{name: offer[name] for name in _SHOWN} for offer in offers]
