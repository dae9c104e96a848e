"""What no field, header or address may carry: national numbers, control characters, bodies too large or not JSON."""

from __future__ import annotations

import json
import socket
import time
import uuid
from typing import Any

import httpx
import pytest

from tests.support.calls import course, end_of_log, offer, refused, sheet, work, written
from tests.support.network import PARTNERS, PROFILE, Network

NATIONAL_NUMBER = "85.07.30-033.28"

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
        f"/beneficiaries/{uuid.UUID(int=0)}/consents",
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
def test_a_national_number_is_refused_wherever_it_stands(network: Network, at: int) -> None:
    method, path, body = FREE_TEXTS[at]
    who = network.operator if path.startswith(("/partners", "/conventions", "/offers")) else network["cpas-hotton"]
    before = written(network)
    answer = who.call(method, path, body)
    refused(answer, 422, "national_number")
    assert "033" not in answer.text
    assert written(network) == before


@pytest.mark.parametrize("header", ["Idempotency-Key", "Jalons-Actor"])
@pytest.mark.parametrize("text", ["85073003328", "85.07.30-033.28", "agent 85073003328", "85073003328".ljust(36, "x")])
def test_a_national_number_is_refused_in_a_header_that_is_kept(network: Network, header: str, text: str) -> None:
    before = written(network)
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": str(uuid.uuid4()), header: text}
    answer = network.http.post(f"{network.info['referrals']}/referrals", json=sheet(), headers=headers)
    refused(answer, 422, "not_a_code" if header == "Jalons-Actor" else "national_number")
    assert written(network) == before


def test_a_trace_parent_that_is_none_does_not_go_out_with_the_event(network: Network) -> None:
    home = network["cpas-hotton"]
    before = end_of_log(home)
    made = home.call("POST", "/referrals", sheet(), headers={"traceparent": "85073003328".ljust(55, "x")})
    assert made.status_code == 201
    end_of_log(home)
    seen = home.done("GET", f"/events?limit=1000&after={before}")["items"]
    assert made.headers["jalons-call"] in {event["causationid"] for event in seen}
    assert not any("traceparent" in event for event in seen)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\n", "\r\n", "\t", "\x1b[2J", "\x7f", "\x85", "\u2028"])
def test_a_control_character_is_refused_in_any_text(network: Network, character: str) -> None:
    before = written(network)
    text = f"Formation{character}de base"
    refused(network.operator.call("PUT", "/offers/trying", offer(title=text)), 422, "control_character")
    person = {"profile": PROFILE, "local_ref": f"A{character}1"}
    refused(network["cpas-hotton"].call("POST", "/beneficiaries", person), 422, "control_character")
    assert written(network) == before


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


@pytest.mark.parametrize("size", [300_000, 1_000_000, 8_000_000])
def test_a_body_too_large_is_refused_declared_or_in_pieces(network: Network, size: int) -> None:
    before = written(network)
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    url = f"{network.info['referrals']}/referrals"
    refused(network.http.post(url, content=b" " * size, headers=headers), 413, "too_large")
    pieces = (b" " * 10_000 for _ in range(size // 10_000))
    refused(network.http.post(url, content=pieces, headers=headers), 413, "too_large")
    assert written(network) == before
    assert home.call("GET", "/referrals").status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        *(b"{", b"", b"not json", b'{"recipient": ' + b"9" * 5000 + b"}", b"\xff\xfe{}", b"[" * 50_000 + b"]" * 50_000),
        *(b'{"recipient": NaN}', b'[{"recipient": -Infinity}]', b"\x00", b'{"recipient": "a\x00"}'),
    ],
    ids=[
        *("half", "empty", "words", "a number without end", "not UTF-8", "nested without end"),
        *("not a number", "infinity", "a NUL", "a NUL within"),
    ],
)
def test_a_body_that_is_not_json_is_refused(network: Network, content: bytes) -> None:
    before = written(network)
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = network.http.post(f"{network.info['referrals']}/referrals", content=content, headers=headers)
    refused(answer, 422, "invalid" if not content else "invalid_json")
    assert written(network) == before


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(sheet())[:-1].encode() + b', "recipient": "home-hotton"}',
        json.dumps(sheet()).replace('"age_band"', '"age_band": "18-24", "age_band"', 1).encode(),
        json.dumps(sheet()).replace('"goal"', '"goal": "85073003328", "go\\u0061l"', 1).encode(),
    ],
    ids=["at the top", "within", "written otherwise"],
)
def test_a_name_twice_is_refused(network: Network, content: bytes) -> None:
    before = written(network)
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    refused(
        network.http.post(f"{network.info['referrals']}/referrals", content=content, headers=headers), 422, "name_twice"
    )
    assert written(network) == before


@pytest.mark.parametrize(
    "media", ["text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", ""]
)
def test_a_body_that_does_not_say_it_is_json_is_refused(network: Network, media: str) -> None:
    before = written(network)
    home = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {home.token()}", "Idempotency-Key": "k", "Content-Type": media}
    content = json.dumps(sheet()).encode()
    refused(
        network.http.post(f"{network.info['referrals']}/referrals", content=content, headers=headers), 422, "invalid"
    )
    assert written(network) == before


def test_a_deep_body_is_refused_like_any_other(network: Network) -> None:
    nested: Any = "85073003328"
    for _ in range(400):
        nested = [nested]
    refused(network["cpas-hotton"].call("POST", "/referrals", sheet(note=nested)), 422, "national_number")


def test_half_a_call_is_none(network: Network) -> None:
    made = network["cpas-hotton"].refer("le-trusquin")
    url = httpx.URL(network.info["referrals"])
    said = (
        f"POST /referrals/{made['ref']}/receive HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {network['le-trusquin'].token()}\r\nContent-Length: 30\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80)) as caller:
        caller.sendall(said.encode())
        time.sleep(0.1)
    time.sleep(0.3)
    assert network["cpas-hotton"].done("GET", f"/referrals/{made['ref']}")["status"] == "sent"
