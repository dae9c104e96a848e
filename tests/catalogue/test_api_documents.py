"""The API documents are complete: every event type and operation is in them, and the HTML page needs no other host."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr, TypeAdapter

from jalons.process.settings import SERVICES, Settings
from jalons.web.documents import page
from jalons.web.openapi import BY_LINK
from schemas.catalogue import TYPES
from schemas.topics import TOPICS
from services.referrals.calls.examples import EXAMPLES

DOCUMENTS = sorted((Path(__file__).parents[2] / "docs/api").glob("*.json"))
EVERYBODYS = {
    "/health/live",
    "/health/ready",
    "/metrics",
    "/oauth/token",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
}
METHODS = {"get", "put", "post", "delete"}


@pytest.fixture(scope="module")
def events() -> dict[str, Any]:
    """The committed AsyncAPI document."""
    document: dict[str, Any] = json.loads((DOCUMENTS[0].parent / "events.asyncapi.json").read_text("utf-8"))
    return document


@pytest.fixture(scope="module", params=SERVICES)
def app(request: pytest.FixtureRequest) -> FastAPI:
    """Each service's application, without its background work."""
    settings = Settings(
        database_url="postgresql+psycopg://nobody@localhost/nothing",
        kafka="localhost:1",
        secret_key=SecretStr("x" * 32),
        hub_client_secret=SecretStr("x"),
        public_url="https://hub.example",
    )
    built: FastAPI = importlib.import_module(f"services.{request.param}.service").build(settings).app
    return built


def within(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from within(each)


def found(document: dict[str, Any], reference: str) -> Any:
    """The target of a reference. Raises KeyError."""
    place: Any = document
    for part in reference.removeprefix("#/").split("/"):
        place = place[part.replace("~1", "/").replace("~0", "~")]
    return place


def test_there_is_a_document_for_each_service_and_one_for_events() -> None:
    names = {path.name for path in DOCUMENTS}
    assert names == {f"{name}.openapi.json" for name in SERVICES} | {"events.asyncapi.json"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_reference_resolves_within_its_document(path: Path) -> None:
    document = json.loads(path.read_text("utf-8"))
    references = [each["$ref"] for each in within(document) if isinstance(each.get("$ref"), str)]
    assert references
    for reference in references:
        assert reference.startswith("#/"), reference
        assert found(document, reference)


def test_every_type_is_a_message_of_its_topics_channel(events: dict[str, Any]) -> None:
    at = {channel["address"]: set(channel["messages"]) for channel in events["channels"].values()}
    assert at == {topic.name: {name for name, each in TYPES.items() if topic == each.TOPIC} for topic in TOPICS}
    assert set(events["components"]["messages"]) == set(TYPES)
    assert events["components"]["messages"].keys() == events["components"]["schemas"].keys()


def test_the_events_document_is_valid_asyncapi_3(events: dict[str, Any]) -> None:
    assert events["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= events["info"].keys()
    for names in (events["channels"], events["operations"], *events["components"].values()):
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)
    for operation in events["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = operation["channel"]["$ref"]
        assert re.fullmatch(r"#/channels/[^/]+", channel)
        assert {each["$ref"] for each in operation["messages"]} == {
            f"{channel}/messages/{name}" for name in found(events, channel)["messages"]
        }
    assert {each["channel"]["$ref"] for each in events["operations"].values()} == {
        f"#/channels/{name}" for name in events["channels"]
    }


@pytest.mark.parametrize("type_", TYPES)
def test_every_message_has_headers_a_schema_and_examples(type_: str, events: dict[str, Any]) -> None:
    message = events["components"]["messages"][type_]
    schema = found(events, message["payload"]["$ref"])
    [example] = message["examples"]
    assert message["headers"]["properties"].keys() == example["headers"].keys() == {"content-type", "source", "type"}
    assert message["headers"]["properties"]["type"]["const"] == example["headers"]["type"] == type_
    assert schema["properties"]["type"]["const"] == type_
    assert set(schema["required"]) <= set(example["payload"]) <= set(schema["properties"])
    data = schema["properties"]["data"]
    assert set(data.get("required", ())) <= set(example["payload"]["data"]) <= set(data["properties"])


def test_every_operation_states_its_scopes(app: FastAPI) -> None:
    document = app.openapi()
    scopes = document["components"]["securitySchemes"]["hub"]["flows"]["clientCredentials"]["scopes"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            named = {scope for each in operation.get("security", ()) for scope in each["hub"]}
            assert named <= scopes.keys()
            assert bool(named) != (path in EVERYBODYS | BY_LINK), f"{method} {path}"
            assert named or operation["security"] == [], f"{method} {path}: an open call says so"


def test_every_parameter_is_described(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            for each in operation.get("parameters", ()):
                assert each.get("description"), f"{method} {path}: {each['name']}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_pattern_is_valid_in_ecmascripts_unicode_mode(path: Path) -> None:
    """There, only syntax characters may be escaped, and braces and brackets are never literal."""
    patterns = {each["pattern"] for each in within(json.loads(path.read_text("utf-8"))) if _text(each.get("pattern"))}
    assert patterns
    for pattern in patterns:
        re.compile(pattern)
        bare = re.sub(r"\\[dDsSwWbBnrtfv^$\\.*+?()\[\]{}|/]|\\[pP]\{\w+\}|\\u[0-9a-fA-F]{4}", "", pattern)
        assert "\\" not in bare, f"{pattern}: an escape that is none"
        bare = re.sub(r"\[[^\]]*\]", "", bare)
        assert not re.search(r"\(\?(?!:|=|!|<)|[\[\]]", bare), f"{pattern}: a group or class that is none"
        assert not re.search(r"[{}]", re.sub(r"\{\d+(,\d*)?\}", "", bare)), f"{pattern}: a brace that is literal"


def _text(pattern: object) -> bool:
    return isinstance(pattern, str)


def test_no_answer_has_an_empty_schema(app: FastAPI) -> None:
    """Nor one that allows any object."""
    document = app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for form in answer.get("content", {}).values():
                    schema = form.get("schema") or {}
                    while "$ref" in schema:
                        schema = found(document, schema["$ref"])
                    assert schema, f"{method} {path} {status}: say what it answers, in its room's answers.py"
                    assert schema.get("type") != "object" or (
                        schema.get("properties") or isinstance(schema.get("additionalProperties"), dict)
                    ), f"{method} {path} {status}: any object"


def test_every_form_of_an_answer_is_of_a_route_that_is_there(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for method, path in app.state.answers if hasattr(app.state, "answers") else ():
        assert method.lower() in paths.get(path, {}), f"{method} {path}"


def test_every_creating_operation_of_referrals_requires_an_idempotency_key() -> None:
    paths = json.loads((DOCUMENTS[0].parent / "referrals.openapi.json").read_text("utf-8"))["paths"]
    for path in ("/referrals", "/trainings", "/placements", "/beneficiaries", "/conventions"):
        assert _keys(paths[path]["post"]) == [True]
    assert _keys(paths["/referrals/{id}/accept"]["post"]) == [False]
    assert _keys(paths["/referrals"]["get"]) == []


def _keys(operation: dict[str, Any]) -> list[bool]:
    return [each["required"] for each in operation.get("parameters", ()) if each["name"] == "Idempotency-Key"]


def test_every_audited_operation_documents_the_actor_header() -> None:
    """In referrals, every call of a partner or the coordinator; in observation, calls that show a person."""
    documents = {path.name.split(".")[0]: json.loads(path.read_text("utf-8")) for path in DOCUMENTS}
    hears = {service: _hearing(document) for service, document in documents.items() if "openapi" in document}
    theirs = {
        f"{method} {path}"
        for path, methods in documents["referrals"]["paths"].items()
        for method, operation in methods.items()
        if {"partner", "coordinator"} & {scope for each in operation.get("security", ()) for scope in each["hub"]}
    }
    assert theirs and theirs <= hears["referrals"]
    assert hears["observation"] == {"get /audit", "get /events", "get /pathways/{beneficiary}", "get /stream"}


def _hearing(document: dict[str, Any]) -> set[str]:
    return {
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "Jalons-Actor" in {each["name"] for each in operation.get("parameters", ())}
    }


def test_every_required_body_of_referrals_has_a_valid_example() -> None:
    settings = Settings(
        database_url="postgresql+psycopg://nobody@localhost/nothing",
        kafka="localhost:1",
        secret_key=SecretStr("x" * 32),
        hub_client_secret=SecretStr("x"),
    )
    app = importlib.import_module("services.referrals.service").build(settings).app
    forms = {
        (method, context.path_format): context.original_route.body_field
        for context in iter_route_contexts(app.routes)
        for method in getattr(context.original_route, "methods", None) or ()
        if getattr(context.original_route, "body_field", None)
    }
    for call, example in EXAMPLES.items():
        TypeAdapter(forms[call].field_info.annotation).validate_python(example)
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content and operation["requestBody"].get("required"):
                assert content.get("example"), f"{method} {path}: give it one in its room's bodies.py"


class Page(HTMLParser):
    """Tags, links and ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.leads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            elif name in {"href", "src", "action", "srcset", "data"} or name.startswith("on"):
                self.leads.append(f"{value}")


def test_the_documents_page_uses_no_other_host_and_no_script(app: FastAPI) -> None:
    reply = asyncio.run(_get(app, "/docs"))
    assert reply.status_code == 200
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    shown = Page(reply.text)
    assert not re.search(r"//|url\(|@import", re.sub(r"<!--.*?-->", "", reply.text, flags=re.DOTALL))
    assert shown.tags.isdisjoint({"script", "iframe", "object", "img", "form", "base", "link"})
    assert {lead for lead in shown.leads if not lead.startswith("#")} == {"openapi.json"}
    assert {lead[1:] for lead in shown.leads if lead.startswith("#")} <= shown.ids


def test_the_documents_page_shows_every_operation_and_schema(app: FastAPI) -> None:
    document = app.openapi()
    ids = Page(page(document)).ids
    assert {f"{method.upper()}{path}" for path, methods in document["paths"].items() for method in methods} <= ids
    assert document["components"]["schemas"].keys() <= ids
    assert "ProblemBody" in ids


async def _get(app: FastAPI, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as http:
        return await http.get(path)
