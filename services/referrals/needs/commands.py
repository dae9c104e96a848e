"""Any partner may express a need of a commune; only a partner that knows a person may express the person's need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from jalons.clock import random_id
from schemas.referral import DeclinedSealed, DeclinedV1, ReopenedV1, VoidedV1
from services.referrals import refusals
from services.referrals.acts.rules import Act, Decided
from services.referrals.directory import rows as directory
from services.referrals.directory.communes import distances
from services.referrals.directory.parties import acting_party
from services.referrals.directory.rows import FIRST_PAGE, OfferFilter
from services.referrals.needs import rows as needs
from services.referrals.needs.rows import NEEDS
from services.referrals.needs.rules import Need, expressed, is_unmet, meeting, shown_by, unmet
from services.referrals.persons import rows as persons
from services.referrals.persons.commands import known
from services.referrals.work import Work


def express(work: Work, given: Mapping[str, Any]) -> Need:
    """Store a need, of a person or of a commune. Raises NotActive, Left, OutOfOrder and Problem 404, 422."""
    trial = acting_party(work).trial
    person = known(work, given["beneficiary"]) if given.get("beneficiary") else None
    met, offer = _met(work, given, trial=trial)
    need = Need(
        need_id=random_id(),
        said_by=work.call.partner,
        domain=given["domain"],
        kind=given["kind"],
        source=given["source"],
        commune_nis=given["commune_nis"],
        met=met,
        offer=offer,
        on=given.get("happened_on") or work.call.today,
        ref=person.ref if person else None,
        home=person.home if person else None,
        trial=trial,
    )
    event, sealed = expressed(need)
    work.record(need.ref or need.need_id, event, sealed, given.get("happened_on"))
    NEEDS.add(work.conn, need, work.call.now)
    return need


def record_unmet(work: Work, decided: Decided[Any], on: date | None, cause: UUID) -> None:
    """Record the need that a decline leaves unmet, if any, and take it back with the decline. cause: the decline's
    event. The person is locked."""
    state: Act = decided.state
    if isinstance(decided.event, (ReopenedV1, VoidedV1)):
        needs.take_back(work.conn, state.id)
    if not (isinstance(decided.event, DeclinedV1) and isinstance(decided.sealed, DeclinedSealed)):
        return
    if is_unmet(decided.sealed) and (person := persons.by_ref(work.conn, state.ref)):
        event, sealed = unmet(random_id(), decided.event, decided.sealed, person.profile["commune_nis"])
        work.record(state.ref, event, sealed, on, cause=cause)
        NEEDS.add(work.conn, shown_by(event, sealed, decided.event, on or work.call.today, state.ref), work.call.now)


def _met(work: Work, given: Mapping[str, Any], *, trial: bool) -> tuple[bool, str | None]:
    """Whether an offer meets the need, and which: as the call says, else by the directory. Raises Problem 422."""
    met_by = given.get("met_by_offer")
    if isinstance(met_by, bool):
        return met_by, None
    if met_by is not None:
        if directory.offer(work.conn, met_by) is None:
            raise refusals.invalid("met_by_offer", "there is no such offer")
        return True, met_by
    near = distances(directory.communes(work.conn), given["commune_nis"])
    wanted = OfferFilter(work.call.today, trial=trial, distances=near, free=True)
    found = meeting(given["domain"], directory.offers(work.conn, wanted, FIRST_PAGE, 500), work.call.today)
    return found is not None, found
