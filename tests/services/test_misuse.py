"""Every route of every service, asked by those who may not: each is told 401, 403 or 404, and nothing else.

The routes come from the services' own documents, so that a new one is asked too.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import Phase, find, settings

from jalons.clock import now
from jalons.web import openapi
from services.referrals.identity.signing import SigningKeys
from tests.support.apps import SECRET, Apps
from tests.support.documented import Operation, operations, values
from tests.support.forms import FORMS, one_of_everything

PUBLIC = {
    "/health/live",
    "/health/ready",
    "/metrics",
    "/oauth/token",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
}
OPEN = PUBLIC | openapi.BY_LINK
"""A page is for whoever holds its address: what a changed one opens is tests/services/test_pages.py's."""
UNLISTED = {"/docs", "/openapi.json"}
ISSUER = "http://127.0.0.1:8001"
SCOPES = ("partner", "coordinator", "read:counts", "operator", "hub")
READERS = {"partner", "coordinator", "hub"}

WHO = {
    "/referrals": {"partner"},
    "/references": {"partner"},
    "GET /referrals.csv": {"partner"},
    "/trainings": {"partner"},
    "/placements": {"partner"},
    "/beneficiaries": {"partner"},
    "/partners": {"coordinator"},
    "GET /partners": READERS,
    "GET /partners/{partner}/clients": {"coordinator"},
    "/conventions": {"coordinator"},
    "GET /conventions": READERS,
    "/offers": {"partner", "coordinator"},
    "GET /offers": READERS,
    "PUT /codes": {"coordinator"},
    "GET /referrals/{id}/slip": {"partner"},
    "/codes": READERS | {"read:counts"},
    "GET /referrals": {"partner", "coordinator"},
    **{f"POST /referrals/{{id}}/{action}": {"partner", "coordinator"} for action in ("reopen", "void", "suggest")},
    "GET /trainings/{id}": {"partner", "coordinator"},
    "GET /placements/{id}": {"partner", "coordinator"},
    "/test/clock": {"operator"},
    "/communes": {"coordinator"},
    "GET /communes": READERS,
    "/imports": {"partner"},
    "/needs": {"partner"},
    "/activities": {"partner"},
    "/erasures": {"partner"},
    "/retention": {"operator"},
    "/forgotten": {"hub"},
    "/keys/resolve": {"hub"},
    "/events/compare": {"hub"},
    "/signing-keys/rotate": {"operator"},
    "/events": READERS,
    "/events/heads": {"hub"},
    "/dead-letters": {"operator"},
    "/audit": {"partner", "coordinator"},
    "/pathways": {"partner"},
    "/counts": {"partner", "coordinator", "read:counts"},
    "/stream": {"partner", "coordinator"},
    "/subscriptions": {"partner"},
    "/deliveries": {"partner", "coordinator", "operator"},
    "/mailbox": {"operator"},  # its mails hold links that answer, with what they show
    "/waiting": {"hub"},
}
"""Which scopes open which paths: the longest line that a route begins with counts."""

ANYBODYS = {"GET /partners/{partner}", "GET /offers/{offer}", "PUT /subscriptions/{name}"}
"""Routes that name what no partner keeps from another: the directory, and a name that each partner gives itself."""


@pytest.fixture(scope="module")
def routes(apps: Apps) -> list[Operation]:
    return [each for name, service in apps.services.items() for each in operations(name, service.app.openapi())]


@pytest.fixture(scope="module")
def theirs(apps: Apps) -> dict[str, str]:
    """One of everything that a path may name, none of it CPAS Érezée's."""
    return one_of_everything(apps)


def ask(apps: Apps, route: Operation, theirs: dict[str, str], authorization: str | None) -> httpx.Response:
    """A call that would be taken on if the caller were another."""
    path = route.path
    for name, schema in route.parameters("path").items():
        noun = path.split("/")[1] if name == "id" else name
        path = path.replace(f"{{{name}}}", theirs.get(noun) or str(least(schema, route.document)))
    headers = {"Idempotency-Key": str(uuid.uuid4())} | ({"Authorization": authorization} if authorization else {})
    return apps.network.http.request(
        route.method, f"http://{route.service}{path}", headers=headers, json=body_of(route, theirs)
    )


def body_of(route: Operation, theirs: dict[str, str]) -> Any:
    """The smallest body that its form allows; a person that it names is theirs."""
    if route.form is None:
        return None
    made = FORMS.get(f"{route.method} {route.path}") or least(route.form[1], route.document)
    return made | {"beneficiary": theirs["beneficiary"]} if isinstance(made, dict) and "beneficiary" in made else made


def least(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """The first value that hypothesis comes to, which is the plainest; of a form and nothing, the form."""
    choices = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    asked = json.dumps(choices[0])
    if asked not in _LEAST:
        plain = settings(database=None, phases=[Phase.generate], derandomize=True)
        _LEAST[asked] = find(values(choices[0], document), lambda _: True, settings=plain)
    return _LEAST[asked]


_LEAST: dict[str, Any] = {}


def key_set(apps: Apps) -> SigningKeys:
    return SigningKeys(apps.engines["referrals"], SECRET)


def claims(**other: Any) -> dict[str, Any]:
    issued = int(now().timestamp())
    who = {"client_id": "cpas-hotton-1", "partner": "cpas-hotton", "scope": " ".join(SCOPES)}
    return {"iss": ISSUER, "aud": "jalons", "iat": issued, "exp": issued + 600, **who, **other}


def genuine(apps: Apps, *scopes: str, partner: str | None = "cpas-erezee", at: datetime | None = None) -> str:
    """A token as referrals signs it."""
    return f"Bearer {key_set(apps).token(ISSUER, f'client of {partner}', partner, scopes, at or now())}"


def forged(apps: Apps, algorithm: str = "ES256", **other: Any) -> str:
    """A token that is not the hub's, under the id of a key that is."""
    published = key_set(apps).jwks()["keys"][0]
    key: Any = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else None
    if algorithm == "HS256":
        key = published["x"] + published["y"]
    return f"Bearer {jwt.encode(claims(**other), key, algorithm, headers={'kid': published['kid']})}"


def tampered(apps: Apps) -> str:
    """A genuine token whose claims were changed under its signature."""
    head, _, signature = genuine(apps, "read:counts").split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


STRANGERS: dict[str, Callable[[Apps], str | None]] = {
    "no token": lambda _: None,
    "no scheme": lambda apps: genuine(apps, *SCOPES).removeprefix("Bearer "),
    "another scheme": lambda _: "Basic b3BlcmF0b3I6c2VjcmV0",
    "garbage": lambda _: "Bearer not.a.token",
    "half a token": lambda apps: genuine(apps, *SCOPES)[:-9],
    "expired": lambda apps: genuine(apps, *SCOPES, at=now() - timedelta(minutes=11)),
    "of another key": forged,
    "of no key": lambda apps: forged(apps, "none"),
    "signed with what is public": lambda apps: forged(apps, "HS256"),
    "changed": tampered,
}


@pytest.mark.parametrize("who", STRANGERS)
def test_nobody_gets_in_without_a_token_of_the_hub(
    apps: Apps, routes: list[Operation], theirs: dict[str, str], who: str
) -> None:
    token = STRANGERS[who](apps)
    closed = [each for each in routes if each.path not in OPEN]
    answers = {str(each): ask(apps, each, theirs, token) for each in closed}
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 401} == {}
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_what_is_public_is_named(apps: Apps, routes: list[Operation]) -> None:
    assert openapi.PUBLIC == PUBLIC
    listed = {each.path for each in routes}
    assert listed >= PUBLIC
    for service in apps.services.values():
        paths = {path for route in service.app.routes if (path := getattr(route, "path", None))}
        assert {path for path in paths if path not in service.app.openapi()["paths"]} <= UNLISTED


@pytest.mark.parametrize("scope", ["nothing", *SCOPES])
def test_a_scope_opens_what_it_is_for_and_nothing_else(
    apps: Apps, routes: list[Operation], theirs: dict[str, str], scope: str
) -> None:
    token = genuine(apps, scope, partner=None if scope in ("operator", "hub") else "cpas-erezee")
    others = [each for each in routes if each.path not in OPEN and scope not in may(each)]
    answered = {str(each): ask(apps, each, theirs, token).status_code for each in others}
    assert {name: status for name, status in answered.items() if status != 403} == {}
    assert len(others) > 15


def may(route: Operation) -> set[str]:
    """Which scopes open a route; none, if nobody said."""
    lines = [line for line in WHO if f"{route.method} {route.path}".startswith(line) or route.path.startswith(line)]
    return WHO[max(lines, key=lambda line: (len(line.split()[-1]), line))] if lines else set()


def test_what_another_partner_has_is_not_there(apps: Apps, routes: list[Operation], theirs: dict[str, str]) -> None:
    """Every route that names something, in its path or its body, asked by a partner that has nothing to do with it."""
    token = genuine(apps, "partner", partner="cpas-erezee")
    named = [
        each
        for each in routes
        if each.path not in OPEN
        and f"{each.method} {each.path}" not in ANYBODYS
        and (each.parameters("path") or "beneficiary" in (body_of(each, theirs) or ()))
    ]
    assert len(named) > 25
    before = list(written(apps))
    answered = {str(each): ask(apps, each, theirs, token) for each in named}
    wrong = {name: answer.text for name, answer in answered.items() if answer.status_code not in (403, 404)}
    assert wrong == {}
    assert list(written(apps)) == before, "nothing was written"


def written(apps: Apps) -> Iterator[int]:
    """How many rows there are in what persons and acts leave behind."""
    for table in (
        "events",
        "audit",
        "consents",
        "beneficiaries",
        "referrals",
        "trainings",
        "placements",
        "needs",
        "activities",
        "idempotency",
    ):
        yield apps.rows("referrals", f"SELECT count(*) AS n FROM {table}")[0].n


def test_a_client_that_was_revoked_gets_no_token(apps: Apps) -> None:
    made = apps.network.operator.done("POST", "/partners/cpas-erezee/clients", {"scopes": ["partner"]})
    apps.network.operator.done("DELETE", f"/partners/cpas-erezee/clients/{made['client_id']}")
    form = {"grant_type": "client_credentials", **made}
    form.pop("scopes")
    answer = apps.network.http.post("http://referrals/oauth/token", data=form)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_client")


def test_a_client_cannot_ask_for_a_scope_it_was_not_given(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    form = {"grant_type": "client_credentials", "client_id": home.client_id, "client_secret": home.client_secret}
    for scope in ("coordinator", "partner operator", "hub", "nothing"):
        answer = apps.network.http.post("http://referrals/oauth/token", data=form | {"scope": scope})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_scope")
