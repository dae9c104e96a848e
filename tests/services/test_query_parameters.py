"""Every call of every service refuses a parameter or a filter that it does not know, and a position it never gave."""

from __future__ import annotations

import uuid

import pytest

from tests.services.test_misuse import least
from tests.support.apps import Apps
from tests.support.calls import refused
from tests.support.documented import Operation, operations


@pytest.fixture(scope="module")
def routes(apps: Apps) -> list[Operation]:
    return [each for name, service in apps.services.items() for each in operations(name, service.app.openapi())]


def is_page(route: Operation) -> bool:
    return any("text/html" in answer.get("content", {}) for answer in route.said["responses"].values())


def test_no_call_of_any_service_takes_a_parameter_it_does_not_know(apps: Apps, routes: list[Operation]) -> None:
    tried = 0
    for route in routes:
        if is_page(route):
            continue
        path = route.path
        for name, schema in route.parameters("path").items():
            path = path.replace(f"{{{name}}}", str(least(schema, route.document)) or "x1")
        headers = {"Authorization": f"Bearer {apps.network.operator.token()}", "Idempotency-Key": str(uuid.uuid4())}
        url = f"http://{route.service}{path}?statut=accepted"
        problem = refused(apps.network.http.request(route.method, url, headers=headers), 422, "unknown_parameter")
        assert "statut" not in problem["known"]
        tried += 1
    assert tried > 80


@pytest.mark.parametrize(
    ("path", "code"),
    [
        *(("/referrals?status=waitlist", "invalid"), ("/referrals?statut=sent", "unknown_parameter")),
        *(("/trainings?status=accepted", "invalid"), ("/placements?status=sent", "invalid")),
        *(("/partners?kind=cpas", "unknown_parameter"), ("/offers?statut=full", "unknown_parameter")),
        *(("/referrals?box=inbox", "invalid"), ("/referrals?status=sent&status=accepted", "parameter_twice")),
    ],
)
def test_a_filter_that_is_none_is_refused(apps: Apps, path: str, code: str) -> None:
    refused(apps.network["cpas-hotton"].call("GET", path), 422, code)


@pytest.mark.parametrize("status", ["sent", "waitlisted", "voided"])
def test_a_filter_that_is_one_filters(apps: Apps, status: str) -> None:
    found = apps.network["cpas-hotton"].done("GET", f"/referrals?box=sent&status={status}")["items"]
    assert {each["status"] for each in found} <= {status}


def test_every_filter_is_a_closed_list_or_says_what_it_takes(routes: list[Operation]) -> None:
    free = {"after", "cursor", "subject", "reference", "local_ref", "types", "topic", "measure", "by", "done", "said"}
    for route in routes:
        for name, schema in route.parameters("query").items():
            is_open = any(
                each.get("type") == "string" and not {"enum", "const", "format", "pattern"} & each.keys()
                for each in schema.get("anyOf", [schema])
            )
            assert not is_open or name in free, f"{route}: {name}"


def test_a_page_opens_whatever_a_mail_program_adds_to_its_link(apps: Apps) -> None:
    answer = apps.network.http.request("GET", "http://referrals/s?utm_source=mail")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
