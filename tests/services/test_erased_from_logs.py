"""Once a person is erased, no partner finds anything under a name of theirs, in a log or behind a slip."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from jalons.privacy.keys import Key, Keys
from tests.support.apps import Apps
from tests.support.network import PROFILE, Partner


def test_neither_the_home_nor_the_receiver_reads_an_event_under_a_name_of_the_erased(apps: Apps) -> None:
    home, receiver = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    ref, alias = made["beneficiary"], receiver.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    receiver.done("POST", f"/referrals/{made['ref']}/accept", {})
    apps.tell()
    starts = {"home": (home, ref), "receiver": (receiver, alias)}
    for who, (reader, name) in starts.items():
        assert _under(reader, name), f"the {who} reads of the person before"
    home.done("DELETE", f"/beneficiaries/{ref}")
    apps.tell()
    for reader, name in starts.values():
        assert _under(reader, name) == []


def test_an_erased_persons_slips_lead_to_no_act(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    made = home.refer("le-trusquin")
    assert home.call("GET", f"/referrals/{made['ref']}/slip").is_success
    kept = "SELECT 1 FROM slips WHERE referral_id = %s"
    assert apps.rows("referrals", kept, made["referral_id"])
    home.done("DELETE", f"/beneficiaries/{made['beneficiary']}")
    assert apps.rows("referrals", kept, made["referral_id"]) == []


def _under(reader: Partner, name: str) -> list[dict[str, Any]]:
    """Events of both logs in which a name of the person stands."""
    found: list[dict[str, Any]] = []
    for service in ("referrals", "observation"):
        after = "0"
        while (page := reader.done("GET", f"/events?limit=1000&after={after}", service=service))["next"] != after:
            found, after = found + [each for each in page["items"] if name in str(each)], page["next"]
    return found


def test_a_page_of_many_persons_is_opened_with_one_look_up_of_keys(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = apps.network["le-trusquin"]
    for _ in range(4):
        apps.network["cpas-hotton"].refer("le-trusquin")
    apps.network["cpas-erezee"].done("POST", "/beneficiaries", {"profile": PROFILE})
    apps.tell()
    asked: list[set[str]] = []
    of = Keys.of

    def counted(keys: Keys, subjects: Collection[str]) -> dict[str, Key]:
        asked.append(set(subjects))
        return of(keys, subjects)

    monkeypatch.setattr(Keys, "of", counted)
    page = receiver.done("GET", "/events?limit=1000")["items"]
    assert len({each.get("subject") for each in page}) >= 4, "it is about several persons"
    assert len(asked) == 1
    strangers = apps.rows("referrals", "SELECT ref::text AS ref FROM beneficiaries WHERE home = 'cpas-erezee'")
    known = apps.rows("referrals", "SELECT ref::text AS ref FROM referrals WHERE recipient = 'le-trusquin'")
    assert not asked[0] & ({row.ref for row in strangers} - {row.ref for row in known}), "chosen first, then opened"
