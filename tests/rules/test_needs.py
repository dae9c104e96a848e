"""Which declines are unmet needs, which offers meet a need, and what taking a decline back takes off the counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, get_args
from uuid import uuid4

import pytest

from schemas.codes import DeclineReason, NeedDomain, Obstacle, OfferType
from schemas.examples import DATA
from schemas.need import ExpressedV1, ReportedV1, UnmetSealed
from schemas.reasons import UNMET_NEED
from schemas.referral import DeclinedSealed, DeclinedV1
from services.observation.counts.rules import net
from services.referrals.needs.rules import MEETS, Need, expressed, is_unmet, meeting, unmet
from tests.rules.test_moments import event

TODAY = date(2026, 11, 24)
DECLINED = DeclinedV1.model_validate(DATA["jalons.referral.declined.v1"])
NEED = Need(uuid4(), "le-trusquin", "langue", "need", "partner", "83028", met=False, offer=None, on=TODAY)


def offer(name: str, **more: Any) -> dict[str, Any]:
    """A row of the directory, as a search gives it."""
    row = {"offer": name, "type": "atelier", "status": "published", "places": 3, "taken": 0, "distance_km": 4}
    return {**row, "transport_help": False, "childcare": False, "valid_from": None, "valid_to": None, **more}


@pytest.mark.parametrize("reason", get_args(DeclineReason))
def test_a_decline_is_an_unmet_need_of_the_offers_type_or_of_an_obstacle_or_none(reason: DeclineReason) -> None:
    why = DeclinedSealed(reason=reason, declined_by="person")
    assert is_unmet(why) == (reason in UNMET_NEED)
    if not is_unmet(why):
        return
    said, sealed = unmet(uuid4(), DECLINED, why, "83012")
    assert (said.referral_id, said.home, said.moment) == (DECLINED.referral_id, DECLINED.home, DECLINED.moment)
    of_the_offer = UnmetSealed(offer_type="formation", commune_nis="83012")
    assert sealed == (
        of_the_offer
        if UNMET_NEED[reason] == "offer_type"
        else UnmetSealed.model_validate({"obstacle": UNMET_NEED[reason], "commune_nis": "83012"})
    )


def test_a_decline_without_an_offer_is_an_unmet_need_of_the_moment() -> None:
    said, sealed = unmet(
        uuid4(),
        DECLINED.model_copy(update={"offer_type": None}),
        DeclinedSealed(reason="no_place", declined_by="provider"),
        "83028",
    )
    assert (said.moment, sealed.offer_type, sealed.obstacle) == ("formation", None, None)


def test_a_need_is_of_a_person_and_sealed_or_of_nobody_and_in_clear() -> None:
    said, sealed = expressed(NEED)
    assert isinstance(said, ReportedV1)
    assert (said.domain, said.commune_nis, sealed) == ("langue", "83028", None)
    said, sealed = expressed(replace(NEED, ref=uuid4(), home="cpas-hotton"))
    assert isinstance(said, ExpressedV1)
    assert sealed is not None
    assert not {"domain", "kind", "commune_nis", "met", "offer"} & set(said.model_dump())
    assert (sealed.domain, sealed.met) == ("langue", False)


def test_the_domains_are_the_obstacles_and_work() -> None:
    assert set(get_args(NeedDomain)) == {*get_args(Obstacle), "emploi"}
    assert set(MEETS) <= set(get_args(NeedDomain))


@pytest.mark.parametrize("domain", get_args(NeedDomain))
def test_only_an_offer_whose_type_answers_a_need_meets_it(domain: NeedDomain) -> None:
    """A course with help for the way and with childcare is an answer to neither."""
    meets = {each for each in get_args(OfferType) if meeting(domain, [_helping(each)], TODAY)}
    assert meets == {
        "qualification": {"preformation", "formation"},
        "emploi": {"emploi", "art60", "stage", "creation_activite"},
    }.get(domain, set())


def _helping(type_: str) -> dict[str, Any]:
    return offer("x", type=type_, transport_help=True, childcare=True)


def test_the_nearest_offer_that_fits_is_named() -> None:
    offers = [offer("atelier"), offer("cours", type="preformation"), offer("cours-2", type="formation")]
    assert meeting("qualification", offers, TODAY) == "cours"
    assert meeting("qualification", [], TODAY) is None


@pytest.mark.parametrize(
    "not_for_them",
    [{"taken": 3}, {"status": "closed"}, {"distance_km": 26}, {"valid_to": date(2026, 11, 23)}],
    ids=lambda each: next(iter(each)),
)
def test_an_offer_that_is_full_closed_over_or_too_far_meets_nothing(not_for_them: dict[str, Any]) -> None:
    assert meeting("qualification", [offer("cours", type="formation", **not_for_them)], TODAY) is None


def test_a_decline_that_is_taken_back_takes_its_unmet_need_with_it() -> None:
    referred = uuid4()
    about = {"referral_id": referred}
    declined = event("referral.declined", 1, **about)
    needed = replace(event("need.unmet", 1, **about), causation=declined.id)
    story = [event("referral.sent", **about), declined, needed]
    counted = {cell.measure: n for cell, n in net(story).items()}
    assert counted == {"referrals_sent": 1, "referrals_declined": 1, "needs_unmet": 1}
    reopened = [*story, event("referral.reopened", 2, **about)]
    assert {cell.measure: n for cell, n in net(reopened).items()} == {"referrals_sent": 1}
    assert net([*reopened, event("referral.voided", 3, **about)]) == {}
    assert net([*story, event("referral.voided", 3, **about)]) == {}
