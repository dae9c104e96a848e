"""What a call answers is what its document says: the router of the tests checks every answer that they receive.

Here everything that can be read is read, by whoever may read it; what writes is checked in the stories of its noun.
"""

from __future__ import annotations

from typing import Any

import pytest

from jalons.process.settings import SERVICES
from tests.support.apps import Apps
from tests.support.documented import operations

ASKED_WITH: dict[str, dict[str, str]] = {
    "/counts": {"measure": "persons_new"},
    "/offers": {"commune": "6990"},
}
ELSEWHERE = {"/stream", "/mailbox", "/metrics", "/health/ready"}
"""A stream does not end; no mail catcher, and no broker, is here."""


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_is_read_is_answered_as_its_document_says(
    playground: Apps, real: dict[str, str], service: str
) -> None:
    http: Any = playground.network.http
    readers = [*playground.network.partners.values(), playground.network.operator]
    read = []
    for each in operations(service, playground.services[service].app.openapi()):
        if each.method != "GET" or each.path in ELSEWHERE or "application/json" not in _content(each.said):
            continue
        names = each.parameters("path")
        real_ids = {name: real.get(each.path.split("/")[1] if name == "id" else name) for name in names}
        if None in real_ids.values():
            continue
        path = each.path.format(**real_ids)
        answers = [who.call("GET", path, service=service, params=_query(each.path, real)) for who in readers]
        for answer in answers:
            http.checked[service](answer, closed=True)
        read += [each.path for answer in answers if answer.is_success and answer.json().get("items", True)]
    assert len(set(read)) >= {"referrals": 20, "observation": 4, "notifications": 4}[service], sorted(set(read))


def test_an_answer_that_is_not_as_documented_is_noticed(playground: Apps) -> None:
    router: Any = playground.network.http
    answer = playground.network.operator.call("GET", "/partners/cpas-hotton")
    for wrong in (b'{"slug": "cpas-hotton"}', answer.content.replace(b'"version"', b'"more":1,"version"', 1)):
        answer._content = wrong
        with pytest.raises(AssertionError, match="not as its document says"):
            router.checked["referrals"](answer, closed=True)


def _content(said: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = said["responses"].get("200", {}).get("content", {})
    return content


def _query(path: str, real: dict[str, str]) -> dict[str, str]:
    return {"beneficiary": real["beneficiary"]} if path == "/audit" else ASKED_WITH.get(path, {})


def test_a_client_finds_the_token_endpoint_by_the_servers_metadata(playground: Apps) -> None:
    http: Any = playground.network.http
    said = http.request("GET", "http://referrals/.well-known/oauth-authorization-server")
    http.checked["referrals"](said, closed=True)
    metadata = said.json()
    assert metadata["token_endpoint"].endswith("/oauth/token")
    assert "client_credentials" in metadata["grant_types_supported"]
    home = playground.network["cpas-hotton"]
    form = {"grant_type": "client_credentials", "client_id": home.client_id, "client_secret": home.client_secret}
    token = http.request("POST", f"http://referrals{metadata['token_endpoint'].partition('8001')[2]}", data=form)
    assert token.json()["token_type"] == "Bearer"
