"""Two partners with aliases of the same persons find no common value in everything the hub gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from schemas import codes
from schemas.catalogue import TYPES
from schemas.topics import DIRECTORY
from tests.support.days import day
from tests.support.network import Network, Partner, eventually, partner

MINE = {"le-trusquin": "accueil@le-trusquin.example", "lire-et-ecrire": "accueil@lire-et-ecrire.example"}
_DAY = re.compile(r"\d{4}-\d{2}(-\d{2}(T00:00:00\+00:00)?)?")
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
    left = hotton.refer("le-trusquin", beneficiary=persons[0])
    again = {"recipient": "lire-et-ecrire", "agreement": {"channel": "oral"}}
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


def _particular(value: str) -> bool:
    """Whether a value could identify a person or an act; codes, dates, words and types cannot."""
    if value in _PUBLIC or _DAY.fullmatch(value) or value.startswith(("jalons.", "/services/", "application/")):
        return False
    return len(value) > 5 and bool(re.search(r"\d", value))
