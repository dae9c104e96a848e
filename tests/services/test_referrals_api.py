"""What referrals refuses, by its name, with nothing written and nothing of what was sent said back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.network import ATTRIBUTES, PARTNERS, PROFILE, Network, eventually

NATIONAL_NUMBER = "85.07.30-033.28"
TOMORROW = (date.today() + timedelta(days=2)).isoformat()
TABLES = ("events", "partners", "conventions", "offers", "beneficiaries", "consents", "referrals", "trainings")
Written = Callable[[], list[int]]


@pytest.fixture(scope="module")
def written(network: Network) -> Iterator[Written]:
    """How many rows, and how many changes, referrals has made so far."""
    counted = ", ".join(
        f"(SELECT count(*) FROM referrals.{table})" for table in (*TABLES, "placements", "clients", "idempotency")
    )
    changed = ", ".join(f"(SELECT coalesce(sum(version), 0) FROM referrals.{each})" for each in TABLES[1:4])
    acted = ", ".join(f"(SELECT coalesce(sum(version), 0) FROM referrals.{each})" for each in TABLES[6:])
    with psycopg.connect(network.info["database"], autocommit=True) as conn:
        yield lambda: list(conn.execute(f"SELECT {counted}, {changed}, {acted}").fetchone() or ())


@pytest.fixture(scope="module")
def sent(network: Network) -> dict[str, Any]:
    """A referral of CPAS Hotton to Le Trusquin, not yet answered."""
    return network["cpas-hotton"].refer("le-trusquin")


def sheet(**more: Any) -> dict[str, Any]:
    """A referral that would be taken on as it stands; None leaves a field out."""
    body = {
        "person": {"profile": PROFILE},
        "recipient": "le-trusquin",
        "moment": "formation",
        "reason": "training",
        "goal": "qualify",
        "chosen_by": "together",
        "contact": "receiver_calls_referrer",
        "agreement": {"channel": "paper", "attributes": ATTRIBUTES},
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


def course(**more: Any) -> dict[str, Any]:
    """A training of somebody."""
    sense = {"kind": "formation", "goal": "qualify", "chosen_by": "together", "planned_start": "2026-12-07"}
    return {"beneficiary": str(uuid.uuid4()), **sense, **more}


def work(**more: Any) -> dict[str, Any]:
    """A placement of somebody."""
    sense = {"kind": "cdd", "goal": "find_job", "chosen_by": "person", "planned_start": "2026-12-07"}
    return {"beneficiary": str(uuid.uuid4()), "employer": "home-hotton", **sense, **more}


def offer(**more: Any) -> dict[str, Any]:
    """An offer of Le Trusquin."""
    return {
        "partner": "le-trusquin",
        "title": "Remise à niveau",
        "moment": "preformation",
        "type": "preformation",
        "places": 8,
        "commune_nis": "83034",
        **more,
    }


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is this refusal, in full."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert all(problem[member] for member in ("type", "title", "detail", "cure"))
    return dict(problem)


REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "unknown field": ("POST", "/referrals", sheet(note="a word"), 422, "unknown_field"),
    "unknown field within": ("POST", "/beneficiaries", {"profile": PROFILE | {"name": "x"}}, 422, "unknown_field"),
    "unknown code": ("POST", "/referrals", sheet(moment="retraite"), 422, "invalid"),
    "missing field": ("POST", "/referrals", sheet(goal=None), 422, "invalid"),
    "nobody to refer": ("POST", "/referrals", sheet(person=None), 422, "invalid"),
    "two persons": ("POST", "/referrals", sheet(beneficiary=str(uuid.uuid4())), 422, "invalid"),
    "no convention": ("POST", "/referrals", sheet(recipient="forem-marche"), 403, "no_convention"),
    "no convention for it": ("POST", "/referrals", sheet(moment="experience"), 403, "no_convention"),
    "no consent": ("POST", "/referrals", sheet(agreement=None), 403, "no_consent"),
    "unknown partner": ("POST", "/referrals", sheet(recipient="nobody-here"), 422, "unknown_partner"),
    "to itself": ("POST", "/referrals", sheet(recipient="cpas-hotton"), 422, "invalid"),
    "another's offer": (
        "POST",
        "/referrals",
        sheet(offer="auxiliaire-de-soins", recipient="home-hotton", moment="experience"),
        422,
        "invalid",
    ),
    "offer of another moment": (
        "POST",
        "/referrals",
        sheet(offer="auxiliaire-de-soins", moment="projet"),
        422,
        "invalid",
    ),
    "agreement already over": (
        "POST",
        "/referrals",
        sheet(agreement={"channel": "oral", "expires_on": "2026-01-01"}),
        422,
        "invalid",
    ),
    "in the future": ("POST", "/referrals", sheet(happened_on=TOMORROW), 422, "invalid"),
    "before standard time": ("POST", "/referrals", sheet(happened_on="1850-01-01"), 422, "invalid"),
    "not a list": ("POST", "/referrals", [sheet()], 422, "invalid"),
    "a stranger's person": ("POST", "/referrals", sheet(person=None, beneficiary=str(uuid.uuid4())), 404, "not_found"),
    "unknown postal code": ("POST", "/beneficiaries", {"profile": PROFILE | {"commune_nis": "1000"}}, 422, "invalid"),
    "other digits": ("POST", "/beneficiaries", {"profile": PROFILE | {"commune_nis": "٨٣٠٢٨"}}, 422, "invalid"),
    "not registered": ("POST", "/trainings", course(), 404, "not_found"),
    "not an id": ("GET", "/referrals/nonsense", None, 404, "not_found"),
    "a reference misheard": ("GET", "/referrals/R-7K4M-2QQ", None, 404, "not_found"),
    "not a cursor": ("GET", "/referrals?cursor=1", None, 422, "invalid"),
    "too much at once": ("GET", "/referrals?limit=100000", None, 422, "invalid"),
    "no such path": ("GET", "/persons", None, 404, "not_found"),
    "no such method": ("PATCH", "/referrals", {}, 405, "method_not_allowed"),
    "another's to write": ("PUT", "/offers/auxiliaire-de-soins", offer(), 403, "not_yours"),
    "the coordinator's to write": ("PUT", "/partners/cpas-hotton", PARTNERS["cpas-hotton"], 403, "wrong_scope"),
    "the hub's to ask": ("POST", "/keys/resolve", {"subjects": []}, 403, "wrong_scope"),
    "the operator's to do": ("POST", "/signing-keys/rotate", None, 403, "wrong_scope"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_that_is_refused_says_why_and_writes_nothing(network: Network, written: Written, name: str) -> None:
    method, path, body, status, code = REFUSED[name]
    before = written()
    refused(network["cpas-hotton"].call(method, path, body), status, code)
    assert written() == before


DIRECTORY_REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "unknown party": (
        "POST",
        "/conventions",
        Network.convention() | {"parties": ["cpas-hotton", "nobody-here"]},
        422,
        "unknown_partner",
    ),
    "scope outside": ("POST", "/conventions", Network.convention() | {"parties": ["cpas-hotton", "forem-marche"]}, 422, "invalid"),
    "over before it begins": ("POST", "/conventions", Network.convention() | {"valid_to": "2025-01-01"}, 422, "invalid"),
    "a deadline beyond numbers": (
        "POST",
        "/conventions",
        Network.convention() | {"remind_on_working_days": [10**12]},
        422,
        "invalid",
    ),
    "an operator's client": ("POST", "/partners/cpas-hotton/clients", {"scopes": ["operator"]}, 422, "invalid"),
    "a client of nobody": ("POST", "/partners/nobody-here/clients", None, 404, "not_found"),
    "nobody's status": ("PUT", "/partners/nobody-here/status", {"status": "left"}, 404, "not_found"),
    "nobody's convention": ("POST", f"/conventions/{uuid.uuid4()}/suspend", None, 404, "not_found"),
    "an offer that changes hands": (
        "PUT",
        "/offers/auxiliaire-de-soins",
        offer(partner="forem-marche"),
        422,
        "invalid",
    ),
}


@pytest.mark.parametrize("name", DIRECTORY_REFUSED)
def test_the_directory_is_held_to_its_rules_for_the_coordinator_too(
    network: Network, written: Written, name: str
) -> None:
    method, path, body, status, code = DIRECTORY_REFUSED[name]
    before = written()
    refused(network.operator.call(method, path, body), status, code)
    assert written() == before


@pytest.mark.parametrize(
    "path", ["/beneficiaries", "/referrals", "/trainings", "/placements", "/beneficiaries/{}/consents"]
)
def test_a_creating_call_without_its_idempotency_key_is_refused(network: Network, written: Written, path: str) -> None:
    before = written()
    home = network["cpas-hotton"]
    bodies = {
        "/beneficiaries": {"profile": PROFILE},
        "/referrals": sheet(),
        "/trainings": course(),
        "/placements": work(),
    }
    body = bodies.get(path, {"partners": ["le-trusquin"], "purposes": ["referral"], "channel": "oral"})
    answer = network.http.post(
        network.info["referrals"] + path.format(uuid.uuid4()),
        json=body,
        headers={"Authorization": f"Bearer {home.token()}"},
    )
    refused(answer, 400, "idempotency_key_missing")
    assert written() == before


FREE_TEXTS: list[tuple[str, str, Any]] = [
    *(
        ("PUT", "/partners/trying", PARTNERS["cpas-hotton"] | {field: f"{NATIONAL_NUMBER}"})
        for field in ("name", "phone", "phone_hours", "address")
    ),
    ("PUT", "/partners/trying", PARTNERS["cpas-hotton"] | {"mailbox": "85073003328@cpas.example"}),
    ("PUT", "/partners/85073003328", PARTNERS["cpas-hotton"]),
    ("POST", "/partners/cpas-hotton/clients", {"scopes": [NATIONAL_NUMBER]}),
    ("POST", "/conventions", Network.convention() | {"parties": ["cpas-hotton", "p-85073003328"]}),
    *(
        ("PUT", "/offers/trying", offer(**{field: f"le {NATIONAL_NUMBER}, 2e étage"}))
        for field in ("title", "place", "mailbox", "project", "partner", "commune_nis")
    ),
    ("POST", "/beneficiaries", {"profile": PROFILE, "local_ref": "dossier 85073003328"}),
    ("POST", "/beneficiaries", {"profile": PROFILE | {"commune_nis": "85073003328"}}),
    ("POST", "/beneficiaries", {"profile": PROFILE | {"obstacles": [NATIONAL_NUMBER]}}),
    (
        "POST",
        f"/beneficiaries/{uuid.uuid4()}/consents",
        {"partners": ["le-trusquin"], "purposes": ["referral"], "channel": "oral", "evidence_ref": NATIONAL_NUMBER},
    ),
    ("POST", "/referrals", sheet(agreement={"channel": "oral", "evidence_ref": NATIONAL_NUMBER})),
    ("POST", "/referrals", sheet(person={"profile": PROFILE, "local_ref": "85 07 30 033 28"})),
    *(
        ("POST", "/referrals", sheet(**{field: "85073003328"}))
        for field in ("recipient", "offer", "follows", "alternative_to", "reason", "happened_on")
    ),
    ("POST", "/referrals", sheet(person=None, beneficiary="85073003328")),
    ("POST", "/referrals", sheet(note=NATIONAL_NUMBER)),
    ("POST", "/referrals", sheet(**{NATIONAL_NUMBER: True})),
    ("POST", "/referrals", sheet(notes=[{"deep": {"deeper": ["85073003328"]}}])),
    ("POST", "/referrals/R-7K4M-2QX/accept", {"place": f"bureau {NATIONAL_NUMBER}"}),
    ("POST", "/trainings", course(referral_id="85073003328")),
    ("POST", "/placements", work(occupation="85073003328")),
    ("POST", "/placements", work(employer="p-85073003328")),
    ("GET", "/referrals/85073003328", None),
    ("GET", "/beneficiaries?local_ref=85.07.30-033.28", None),
    ("GET", "/beneficiaries?local_ref=85+07+30+033+28", None),
    ("GET", "/beneficiaries?85073003328", None),
]


@pytest.mark.parametrize("at", range(len(FREE_TEXTS)), ids=lambda at: f"{FREE_TEXTS[at][1].split('?')[0]}-{at}")
def test_a_national_number_is_refused_wherever_it_stands(network: Network, written: Written, at: int) -> None:
    method, path, body = FREE_TEXTS[at]
    who = network.operator if path.startswith(("/partners", "/conventions", "/offers")) else network["cpas-hotton"]
    before = written()
    answer = who.call(method, path, body)
    refused(answer, 422, "national_number")
    assert "033" not in answer.text
    assert written() == before


@pytest.mark.parametrize("header", ["Idempotency-Key", "Jalons-Actor"])
@pytest.mark.parametrize("text", ["85073003328", "85.07.30-033.28", "agent 85073003328", "85073003328".ljust(36, "x")])
def test_a_national_number_is_refused_in_a_header_that_is_kept(
    network: Network, written: Written, header: str, text: str
) -> None:
    before = written()
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": str(uuid.uuid4()), header: text}
    answer = network.http.post(f"{network.info['referrals']}/referrals", json=sheet(), headers=headers)
    refused(answer, 422, "invalid" if len(text) > 32 and header == "Jalons-Actor" else "national_number")
    assert written() == before


def test_a_trace_parent_that_is_none_does_not_go_out_with_the_event(network: Network) -> None:
    home = network["cpas-hotton"]
    made = home.call("POST", "/referrals", sheet(), headers={"traceparent": "85073003328".ljust(55, "x")})
    assert made.status_code == 201
    seen = home.done("GET", f"/events?limit=1000&after={_newest(network) - 3}")["items"]
    assert made.headers["jalons-call"] in {event["causationid"] for event in seen}
    assert not any("traceparent" in event for event in seen)


def _newest(network: Network) -> int:
    def all_sent() -> int | None:
        with psycopg.connect(network.info["database"]) as conn:
            row = conn.execute("SELECT max(position), count(*) FROM referrals.events").fetchone()
        return int(row[0]) if row and row[0] == row[1] else None

    return int(eventually(all_sent))


@pytest.mark.parametrize("character", ["\x00", "\x07", "\n", "\r\n", "\t", "\x1b[2J", "\x7f", "\x85", "\u2028"])
def test_a_control_character_is_refused_in_any_text(network: Network, written: Written, character: str) -> None:
    before = written()
    text = f"Formation{character}de base"
    refused(network.operator.call("PUT", "/offers/trying", offer(title=text)), 422, "control_character")
    person = {"profile": PROFILE, "local_ref": f"A{character}1"}
    refused(network["cpas-hotton"].call("POST", "/beneficiaries", person), 422, "control_character")
    assert written() == before


@pytest.mark.parametrize("body", [b'{"scopes": ["\\ud800"]}', b'{"\\ud800": 1}', b'{"scopes": ["a\\u0000"]}'])
def test_half_a_character_is_refused(network: Network, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {network.operator.token()}", "Content-Type": "application/json"}
    url = f"{network.info['referrals']}/partners/cpas-hotton/clients"
    answer = network.http.post(url, content=body, headers=headers | {"Idempotency-Key": "half"})
    refused(answer, 422, "invalid" if b"1" in body else "control_character")


@pytest.mark.parametrize(
    "path", ["/referrals?status=%00", "/beneficiaries?local_ref=%00a", "/referrals/%00", "/partners?cursor=%0a"]
)
def test_a_control_character_is_refused_in_an_address(network: Network, path: str) -> None:
    refused(network["cpas-hotton"].call("GET", path), 422, "control_character")


def test_a_body_too_large_is_refused_declared_or_in_pieces(network: Network, written: Written) -> None:
    before = written()
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    url = f"{network.info['referrals']}/referrals"
    refused(network.http.post(url, content=b" " * 300_000, headers=headers), 413, "too_large")
    pieces = (b" " * 10_000 for _ in range(30))
    refused(network.http.post(url, content=pieces, headers=headers), 413, "too_large")
    assert written() == before
    assert home.call("GET", "/referrals").status_code == 200


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"not json", b'{"recipient": ' + b"9" * 5000 + b"}", b"\xff\xfe{}", b"[" * 50_000 + b"]" * 50_000],
    ids=["half", "empty", "words", "a number without end", "not UTF-8", "nested without end"],
)
def test_a_body_that_is_not_json_is_refused(network: Network, written: Written, content: bytes) -> None:
    before = written()
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = network.http.post(f"{network.info['referrals']}/referrals", content=content, headers=headers)
    refused(answer, 422, "invalid" if not content else "invalid_json")
    assert written() == before


def test_a_deep_body_is_refused_like_any_other(network: Network) -> None:
    nested: Any = "85073003328"
    for _ in range(400):
        nested = [nested]
    refused(network["cpas-hotton"].call("POST", "/referrals", sheet(note=nested)), 422, "national_number")


def test_no_refusal_repeats_what_was_sent(network: Network) -> None:
    home, mine = network["cpas-hotton"], "zyxel-marie-q"
    wrong = [
        home.call("POST", "/referrals", sheet(**{field: mine}))
        for field in sheet()
        if field not in ("person", "agreement")
    ]
    wrong += [
        home.call("POST", "/referrals", sheet(person={"profile": PROFILE | {field: mine}})) for field in PROFILE
    ]
    wrong += [
        home.call("POST", "/trainings", course(**{field: mine})) for field in ("beneficiary", "kind", "planned_start")
    ]
    consent = {"partners": [mine], "purposes": ["referral"], "channel": "oral"}
    known = home.done("POST", "/beneficiaries", {"profile": PROFILE})["beneficiary"]
    wrong += [
        home.call("POST", f"/beneficiaries/{known}/consents", consent),
        home.call("GET", f"/referrals/{mine}"),
        home.call("GET", f"/referrals?box={mine}"),
        home.call("POST", f"/referrals/{mine}/accept"),
        home.call("POST", "/referrals", sheet(note=mine)),
        home.call("POST", "/referrals", mine),
        network.operator.call("POST", "/conventions", Network.convention() | {"parties": ["cpas-hotton", mine]}),
        network.operator.call("PUT", "/offers/trying", offer(partner=mine)),
    ]
    assert all(400 <= answer.status_code < 500 for answer in wrong)
    assert [answer.text for answer in wrong if "zyxel" in answer.text] == []


def test_a_transition_the_table_does_not_have_says_which_are_open(
    network: Network, sent: dict[str, Any], written: Written
) -> None:
    before = written()
    receiver, path = network["le-trusquin"], f"/referrals/{sent['referral_id']}"
    problem = refused(receiver.call("POST", f"{path}/complete", {"outcome": "reached"}), 409, "transition_not_allowed")
    assert problem["actions"] == ["receive", "accept", "decline"]
    sender = network["cpas-hotton"]
    problem = refused(sender.call("POST", f"{path}/accept", {}), 409, "transition_not_allowed")
    assert problem["actions"] == [], "the sender does not answer for the receiver"
    problem = refused(receiver.call("POST", f"{path}/decline", {"declined_by": "person"}), 422, "missing")
    assert [field["at"] for field in problem["fields"]] == ["reason"]
    assert written() == before


def test_anothers_referral_is_not_there(network: Network, sent: dict[str, Any], written: Written) -> None:
    before = written()
    for stranger in ("cpas-erezee", "forem-marche", "home-hotton"):
        for name in (sent["referral_id"], sent["ref"]):
            refused(network[stranger].call("GET", f"/referrals/{name}"), 404, "not_found")
            refused(network[stranger].call("POST", f"/referrals/{name}/accept", {}), 404, "not_found")
    refused(network["le-trusquin"].call("GET", f"/beneficiaries/{sent['beneficiary']}"), 404, "not_found")
    assert written() == before


def test_a_version_that_was_overtaken_is_refused(network: Network, written: Written) -> None:
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    path = f"/referrals/{home.refer('le-trusquin')['ref']}"
    first = home.call("GET", path).headers["etag"]
    received = receiver.call("POST", f"{path}/receive", headers={"If-Match": first})
    assert (received.status_code, received.headers["etag"]) == (200, '"2"')
    before = written()
    refused(receiver.call("POST", f"{path}/accept", {}, headers={"If-Match": first}), 412, "stale")
    known = network.operator.call("GET", "/offers/auxiliaire-de-soins")
    changed = {name: value for name, value in known.json().items() if name not in ("offer", "version")}
    stale = {"If-Match": '"0"'}
    answer = network.operator.call("PUT", "/offers/auxiliaire-de-soins", changed | {"places": 3}, headers=stale)
    refused(answer, 412, "stale")
    slug = "/partners/home-hotton"
    refused(network.operator.call("PUT", slug, PARTNERS["home-hotton"], headers=stale), 412, "stale")
    refused(network.operator.call("PUT", f"{slug}/status", {"status": "left"}, headers=stale), 412, "stale")
    refused(network.operator.call("PUT", "/offers/not-yet", offer(), headers=stale), 412, "stale")
    assert written() == before
    current = {"If-Match": known.headers["etag"]}
    assert network.operator.call("PUT", "/offers/auxiliaire-de-soins", changed, headers=current).status_code == 200


def test_what_has_not_happened_yet_is_not_recorded(network: Network, written: Written) -> None:
    home, receiver = network["cpas-hotton"], network["le-trusquin"]
    path = f"/referrals/{home.refer('le-trusquin')['ref']}"
    receiver.done("POST", f"{path}/accept", {})
    before = written()
    today = date.today().isoformat()
    for given in ({"started_on": TOMORROW}, {"started_on": TOMORROW, "happened_on": today}):
        refused(receiver.call("POST", f"{path}/start", given), 422, "invalid")
    assert written() == before
    receiver.done("POST", f"{path}/start", {"started_on": today})


def test_a_refused_referral_sends_nothing(network: Network) -> None:
    home = network["cpas-erezee"]
    mails = lambda: [m for m in network.mails() if "accueil@le-trusquin.example" in m["to"]]  # noqa: E731
    _newest(network)
    before = eventually(lambda: (len(mails()), True))[0]
    for body in (sheet(agreement=None), sheet(note="x"), sheet(happened_on=TOMORROW)):
        assert home.call("POST", "/referrals", body).is_client_error
    made = home.refer("le-trusquin")
    eventually(lambda: any(made["ref"] in mail["text"] for mail in mails()))
    new = mails()[before:]
    assert all("R-" in mail["text"] for mail in new)
    assert sum(made["ref"] in mail["text"] for mail in new) == 1
