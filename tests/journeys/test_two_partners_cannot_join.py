"""Two partners with aliases of the same persons find no common value in everything the hub gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

import psycopg

from schemas import codes
from schemas.catalogue import TYPES
from schemas.topics import DIRECTORY
from tests.support.days import day
from tests.support.network import Network, Partner, eventually, partner

MINE = {"le-trusquin": "accueil@le-trusquin.example", "lire-et-ecrire": "accueil@lire-et-ecrire.example"}
_DAY = re.compile(r"\d{4}-\d{2}(-\d{2}(T\d\d:\d\d:00(Z|[+-]\d\d:00))?)?")
"""A month, a day, a minute: what cannot be hidden (docs/explanation/who-sees-what.md)."""
_NEAR_SECONDS = 0.005
_NEAR_NUMBERS = 2
_SMALL = 10_000
"""Numbers below are years, versions, places and the like."""
_PUBLIC = {code for name in dir(codes) for code in get_args(getattr(codes, name)) if isinstance(code, str)}


def test_two_partners_data_about_the_same_persons_cannot_be_joined(network: Network) -> None:
    _literacy(network)
    hotton = network["cpas-hotton"]
    persons = []
    for _ in range(3):
        first = hotton.refer("le-trusquin")
        hotton.refer("lire-et-ecrire", beneficiary=first["beneficiary"])
        persons.append(first["beneficiary"])
    for slug in MINE:
        _answer(network[slug])
    left = hotton.refer("le-trusquin", beneficiary=persons[0], again=True)
    again = {"recipient": "lire-et-ecrire", "agreement": {"channel": "oral"}, "again": True}
    hotton.done("POST", f"/referrals/{left['ref']}/redirect", again)
    eventually(lambda: all(len(_mails(network, slug)) >= 4 for slug in MINE), 60)
    for agreement in hotton.done("GET", f"/beneficiaries/{persons[1]}/consents")["items"]:
        hotton.done("DELETE", f"/beneficiaries/{persons[1]}/consents/{agreement['consent_id']}")
    hotton.done("DELETE", f"/beneficiaries/{persons[2]}")
    eventually(lambda: all(_about(network, slug) >= {"consent", "beneficiary"} for slug in MINE), 60)

    trusquin, literacy = (_given(network, slug) for slug in MINE)

    assert not trusquin.keys() & set(persons), "only the home partner sees the ref"
    joining = {
        value: (trusquin[value], literacy[value]) for value in trusquin.keys() & literacy.keys() if _particular(value)
    }
    assert not joining
    assert not _joined(trusquin, literacy)
    assert {kind for kind, _ in _joined(*_raw(network, persons))} == {"number", "instant", "id"}, "the control joins"


def _joined(one: Iterable[str], other: Iterable[str]) -> set[tuple[str, str]]:
    """What neighbouring numbers, instants and ids of two files join, equal ones included."""
    found = set()
    for kind, read, near in (
        ("number", _number, _NEAR_NUMBERS),
        ("instant", _instant, _NEAR_SECONDS),
        ("id", _made_at, 1.0),
    ):
        theirs = [each for value in other if (each := read(value)) is not None]
        mine = {value: each for value in one if (each := read(value)) is not None}
        found |= {(kind, v) for v, each in mine.items() if any(abs(each - their) <= near for their in theirs)}
    return found


def _number(value: str) -> float | None:
    return float(value) if value.isdecimal() and int(value) >= _SMALL else None


def _instant(value: str) -> float | None:
    try:
        return None if _DAY.fullmatch(value) else datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None


def _made_at(value: str) -> float | None:
    """The instant that a UUIDv7 tells."""
    try:
        known = UUID(value)
    except ValueError:
        return None
    return (known.int >> 80) / 1000 if known.version == 7 else None


def _raw(network: Network, persons: list[str]) -> tuple[list[str], list[str]]:
    """The control: what the log holds of the first person's redirect, as if it were shown to the two receivers."""
    with psycopg.connect(network.info["database"]) as conn:
        rows = conn.execute(
            "SELECT id::text, (position + 1000000)::text, recorded FROM referrals.events WHERE subject = %s"
            " AND type IN ('jalons.referral.redirected.v1', 'jalons.referral.sent.v1') ORDER BY sequence DESC LIMIT 2",
            (persons[0],),
        ).fetchall()
    one, other = ([id_, position, at.isoformat()] for id_, position, at in rows)
    return one, other


def _literacy(network: Network) -> None:
    """A second operator to whom the CPAS may refer."""
    record = partner("association", ["formation"], name="Lire et Écrire", mailbox=MINE["lire-et-ecrire"])
    network.join("lire-et-ecrire", record, ["partner", "read:counts"])
    scope = [{"from": "cpas-hotton", "to": "lire-et-ecrire", "moments": ["formation"]}]
    convention = network.convention() | {"parties": ["cpas-hotton", "lire-et-ecrire"], "scope": scope}
    network.operator.done("POST", "/conventions", convention)


def _answer(receiver: Partner) -> None:
    for referral in receiver.done("GET", "/referrals?box=received&status=sent")["items"]:
        receiver.done("POST", f"/referrals/{referral['ref']}/accept", {"first_contact_on": day(4)})


def _given(network: Network, slug: str) -> dict[str, str]:
    """Value → place, for every value that a partner can read about persons."""
    reader = network[slug]
    found: dict[str, str] = {}
    for path in ("/referrals?box=received", "/trainings", "/placements", "/events?limit=1000"):
        for item in reader.done("GET", path)["items"]:
            if "type" not in item or TYPES[item["type"]].TOPIC != DIRECTORY:
                found |= dict(_values(item, path))
    for referral in reader.done("GET", "/referrals?box=received")["items"]:
        one = reader.call("GET", f"/referrals/{referral['ref']}")
        found |= dict(_values(one.json(), "/referrals/{id}")) | dict(_values(one.headers.get("etag"), "headers"))
        if referral.get("beneficiary"):  # not where it was redirected, nor of an erased person
            way = reader.call("GET", f"/pathways/{referral['beneficiary']}", service="observation")
            found |= dict(_values(way.json(), "/pathways/{b}"))
    for service, path in (
        ("observation", "/events?limit=1000"),
        ("notifications", "/events?limit=1000"),
        ("notifications", "/deliveries"),
        ("observation", "/counts?measure=referrals_accepted&by=month&from=2026-01&to=2030-12"),
    ):
        found |= dict(_values(reader.done("GET", path, service=service), f"{service} {path}"))
    for mail in _mails(network, slug):
        found |= dict.fromkeys(re.split(r"[\s<>\"'()«»,;]+", f"{mail['subject']} {mail['text']}"), "mail")
    return found


def _about(network: Network, slug: str) -> set[str]:
    """Ids of the items that a partner's sent messages are about."""
    sent = network[slug].done("GET", "/deliveries?status=sent", service="notifications")["items"]
    return {each["type"].split(".")[1] for each in sent}


def _mails(network: Network, slug: str) -> list[dict[str, Any]]:
    return [mail for mail in network.mails() if MINE[slug] in mail["to"]]


def _values(value: Any, where: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, each in value.items():
                yield from _values(each, f"{where} {name}")
        case list():
            for each in value:
                yield from _values(each, where)
        case str():
            yield value, where
        case int() if not isinstance(value, bool):
            yield str(value), where


def _particular(value: str) -> bool:
    """Whether a value could identify a person or an act; codes, dates, words and types cannot."""
    if value in _PUBLIC or _DAY.fullmatch(value) or value.startswith(("jalons.", "/services/", "application/")):
        return False
    return len(value) > 5 and bool(re.search(r"\d", value))
