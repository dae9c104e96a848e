"""Whatever is sent to any operation of a service's document, the answer is one that the document names, and no failure.

Bodies and parameters come from the document's own schemas with something odd put in, down to bytes that are no JSON;
what the schemas themselves allow and exclude is test_schemathesis's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jalons.clock import now
from jalons.process.settings import SERVICES
from jalons.web.openapi import BY_LINK
from services.referrals.identity.signing import SigningKeys
from tests.support.apps import SECRET, Apps
from tests.support.documented import Operation, operations, values
from tests.support.forms import FORMS
from tests.support.pages import well_made

EXAMPLES = 8
LEFT_OUT = {"/stream", "/signing-keys/rotate"}
"""A stream does not end, and what is signed with a key that was turned twice is refused: each has tests of its own."""
ISSUER = "http://127.0.0.1:8001"
ALL = ("partner", "coordinator", "read:counts", "operator", "hub")

ODD_TEXTS = [
    *(
        "",
        " ",
        "-1",
        "0",
        "1e400",
        "null",
        "true",
        "[]",
        "{}",
        "é",
        "🙂",
        "\u202e",
        "a" * 300,
        "9" * 40,
        "'; --",
        "%s",
        "*",
    ),
    *("R-7K4M-2QX", "00000000-0000-0000-0000-000000000000", "2026-02-30", "0000-01-01", "2026-01-01T00:00:00+99:00"),
    *(
        "9999-12-31T23:59:59.999999-23:59",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31",
        "0001-01-01",
        "\x00",
        "a\nb",
        "85073003328",
    ),
]
ODD_VALUES: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        2**31,
        2**63,
        2**64,
        10**400,
        1.5,
        1e308,
        float("nan"),
        float("inf"),
        [],
        {},
        [[]],
        [None],
        {"": {}},
    ),
    *("\ud800", {"beneficiary": {}}, ["a"] * 600, {str(n): n for n in range(300)}, *ODD_TEXTS),
]
ODD_BODIES = [
    *(
        b"",
        b"{",
        b"null",
        b"[]",
        b"0",
        b'""',
        b"NaN",
        b"\xff\xfe{}",
        b"\x00",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"{}{}",
    ),
    *(
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 5000 + b"]" * 5000,
        b'{"a": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        b" " * 300_000,
    ),
]
ODD_TYPES = [
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "a",
    "application/json; charset=utf-16",
]


@dataclass(frozen=True)
class Request:
    """What is sent."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes | None


@st.composite
def requests(draw: st.DrawFn, route: Operation, real: dict[str, str]) -> Request:
    """A request to an operation: mostly as its document says, with something odd here and there."""
    path = route.path
    for name, schema in route.parameters("path").items():
        known = path.split("/")[1] if name == "id" else name
        path = path.replace(f"{{{name}}}", quote(draw(_parameter(known, schema, route, real)) or "-", safe=""))
    asked = route.parameters("query")
    chosen = draw(st.sets(st.sampled_from(sorted(asked)))) if asked else set()
    chosen |= {name for name in route.required("query") if draw(st.integers(0, 9))}
    query = {name: draw(_parameter(name, asked[name], route, real)) for name in sorted(chosen)}
    headers = {"Idempotency-Key": str(draw(st.uuids()))} if draw(st.integers(0, 5)) else {}
    if draw(st.integers(0, 5)) == 0:
        header = draw(st.sampled_from(["Idempotency-Key", "If-Match", "Jalons-Actor", "traceparent", "Last-Event-ID"]))
        headers[header] = draw(st.sampled_from(["", "*", '"1"', 'W/"1"', "x" * 33, "x" * 300, "-1", "85073003328"]))
    if route.form is None:
        return Request(path, query, headers, None)
    media, schema = route.form
    headers["Content-Type"] = media if draw(st.integers(0, 9)) else draw(st.sampled_from(ODD_TYPES))
    return Request(path, query, headers, draw(_body(media, schema, route, real)))


def _parameter(name: str, schema: dict[str, Any], route: Operation, real: dict[str, str]) -> st.SearchStrategy[str]:
    fitting = values(schema, route.document).map(lambda value: "" if value is None else str(value))
    whole = [st.just(real[name])] * 4 if name in real else []
    return st.one_of(*whole, fitting, fitting, st.sampled_from(ODD_TEXTS)).filter(
        lambda text: text not in {".", ".."} and "/" not in text
    )


def _body(media: str, schema: dict[str, Any], route: Operation, real: dict[str, str]) -> st.SearchStrategy[bytes]:
    fitting = values(schema, route.document)
    if form := FORMS.get(f"{route.method} {route.path}"):
        fitting = st.one_of(st.just(form), fitting)
    odd = st.builds(_spoilt, fitting, st.randoms(use_true_random=False), st.sampled_from(ODD_VALUES))
    known = fitting.map(lambda value: _with(value, real))
    encode = _form if media == "application/x-www-form-urlencoded" else _json
    return st.one_of(known.map(encode), fitting.map(encode), odd.map(encode), st.sampled_from(ODD_BODIES))


def _with(value: Any, real: dict[str, str]) -> Any:
    """A body that names what is there."""
    return {k: real.get(k, each) for k, each in value.items()} if isinstance(value, dict) else value


def _spoilt(value: Any, chance: Any, odd: Any) -> Any:
    """A value with something odd at one place of it."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        return value | {name: _spoilt(value[name], chance, odd)}
    if isinstance(value, list) and value and chance.random() < 0.5:
        return [_spoilt(value[0], chance, odd), *value[1:]]
    return odd


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _form(value: Any) -> bytes:
    fields = value.items() if isinstance(value, dict) else []
    return "&".join(f"{name}={quote(str(each), errors='replace')}" for name, each in fields).encode()


def check(route: Operation, sent: Request, answer: httpx.Response) -> None:
    """The answer is one that the document names; a refusal is problem+json, or a page where pages are answered."""
    said = f"{route} {sent} → {answer.status_code} {answer.text[:500]}"
    if route.path != "/health/ready":  # whose broker is away
        assert answer.status_code < 500, said
    assert str(answer.status_code) in route.said["responses"], f"not in the document: {said}"
    if route.path in BY_LINK and answer.headers["content-type"].startswith("text/html"):
        well_made(answer)
    elif answer.status_code >= 400 and route.path != "/health/ready":
        assert answer.headers["content-type"] == "application/problem+json", said
        assert {"type", "title", "status", "detail", "code", "cure"} <= answer.json().keys(), said


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_is_sent_the_answer_is_in_the_document(playground: Apps, real: dict[str, str], service: str) -> None:
    routes = [
        each for each in operations(service, playground.services[service].app.openapi()) if each.path not in LEFT_OUT
    ]
    assert len(routes) > 10
    wrong = [found for each in routes if (found := tried(playground, each, real))]
    assert not wrong, "\n".join(wrong)


def tried(apps: Apps, route: Operation, real: dict[str, str]) -> str:
    """The plainest request to an operation that is answered otherwise than its document says; empty if none is."""
    keys = SigningKeys(apps.engines["referrals"], SECRET)
    client = apps.network.http.clients[route.service]  # type: ignore[attr-defined]
    checked = apps.network.http.checked[route.service]  # type: ignore[attr-defined]
    tokens = {scopes: keys.token(ISSUER, "anybody", "cpas-hotton", scopes, now()) for scopes in (ALL, ("partner",))}
    varied = route.parameters("path") or route.parameters("query") or route.form

    @settings(
        max_examples=EXAMPLES if varied else 1,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(route, real), st.sampled_from(sorted(tokens.values())))
    def ask(sent: Request, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} | sent.headers
        answer = client.request(route.method, sent.path, params=sent.query, headers=headers, content=sent.content)
        check(route, sent, answer)
        checked(answer, closed=True)

    try:
        ask()
    except (AssertionError, ExceptionGroup) as failed:
        return "\n".join(map(str, getattr(failed, "exceptions", [failed])))
    return ""
