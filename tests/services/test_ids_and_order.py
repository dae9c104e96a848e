"""Ids that partners meet are random, and lists are ordered by a column that nobody sees."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.support.apps import Apps
from tests.support.calls import refused
from tests.support.network import PROFILE, Partner

RANDOM = 4


def test_what_partners_make_has_a_random_id_and_is_listed_in_the_order_it_was_made(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    person = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    made = [home.refer("le-trusquin", beneficiary=person, again=True)["referral_id"] for _ in range(8)]
    agreed = [each["consent_id"] for each in home.done("GET", f"/beneficiaries/{person}/consents")["items"]]
    need = {"domain": "mobilite", "kind": "need", "source": "public", "commune_nis": "83028"}
    needs = [home.done("POST", "/needs", need | {"beneficiary": person})["need_id"] for _ in range(5)]
    assert {UUID(each).version for each in (person, *made, *agreed, *needs)} == {RANDOM}
    assert _all(home, "/referrals?box=sent&limit=3", "referral_id")[: len(made)] == made[::-1]
    assert _all(home, f"/needs?beneficiary={person}&limit=2", "need_id") == needs[::-1]


def test_a_cursor_of_another_list_is_refused(apps: Apps) -> None:
    """It would tell which of two partners' acts was first."""
    theirs = apps.network["cpas-erezee"].refer("le-trusquin")["referral_id"]
    home = apps.network["cpas-hotton"]
    refused(home.call("GET", f"/referrals?box=sent&cursor={theirs}"), 422, "invalid_cursor")


def _all(reader: Partner, path: str, field: str) -> list[Any]:
    """A field of every row of a list, read page by page."""
    found: list[Any] = []
    cursor = ""
    while True:
        page = reader.done("GET", path + cursor)
        found += [row[field] for row in page["items"]]
        if "next" not in page:
            return found
        cursor = f"&cursor={page['next']}"
