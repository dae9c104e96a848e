"""A service's API documents: its OpenAPI document, and an HTML page of it that loads nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from jalons.privacy import opaque_codes
from jalons.web.answers import add_answers
from jalons.web.demands import Demand, demand_of
from jalons.web.meanings import add_meanings
from jalons.web.openapi import add_errors

Json = dict[str, Any]
Examples = Mapping[tuple[str, str], Mapping[str, Any]]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
SCHEME = "hub"
SCOPES = {
    "partner": "act as your own partner",
    "coordinator": "write the directory and monitor the network",
    "read:counts": "read counts",
    "operator": "run the hub",
    "hub": "the hub's own services",
}
_KEY = "A unique value for each operation. Repeat the call with the same key: the operation is done once."
_IF_MATCH = "The ETag of what you read. If it has changed since, the answer is 412."
_ACTOR = (
    "The member of your staff who acts, as an opaque code of yours: 1 to 36 letters, digits and . / _ -, with at least "
    "one digit. For the audit log only."
)


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document also has error responses, scopes, headers and examples.

    `state.examples`, if the service sets it: (method, path) → example request body. `state.answers`: (method, path) →
    form of the answer.
    """

    def openapi(self) -> Json:
        """The OpenAPI document; generated once."""
        if self.openapi_schema is None:
            document = super().openapi()
            add_errors(document)
            self._add_requirements(document)
            add_meanings(document)
            add_answers(document, getattr(self.state, "answers", {}))
            document.setdefault("servers", [{"url": "/"}])  # OpenAPI's own default, said
        return super().openapi()

    def _add_requirements(self, document: Json) -> None:
        """Add what a caller has to send: scopes, headers and example bodies."""
        base = self.servers[0]["url"] if self.servers else ""
        flow = {"tokenUrl": f"{base}/oauth/token", "scopes": SCOPES}
        schemes = {SCHEME: {"type": "oauth2", "flows": {"clientCredentials": flow}}}
        document.setdefault("components", {})["securitySchemes"] = schemes
        examples: Examples = getattr(self.state, "examples", {})
        for context in iter_route_contexts(self.routes):
            route = context.original_route
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in route.methods or ():
                    operation = document["paths"][context.path_format][method.lower()]
                    operation["security"] = []  # stated, or it would read as forgotten
                    for demand in _demands(route):
                        _describe(operation, method, demand)
                    if example := examples.get((method, str(context.path_format))):
                        operation["requestBody"]["content"]["application/json"]["example"] = example


def _demands(route: APIRoute) -> Iterator[Demand]:
    for dependency in route.dependant.dependencies:
        if demand := demand_of(dependency.call):
            yield demand


def _describe(operation: Json, method: str, demand: Demand) -> None:
    """Add a demand's scopes and headers to an operation."""
    if demand.scopes:
        operation["security"] = [{SCHEME: [scope]} for scope in demand.scopes]
    text: Json = {"type": "string"}
    headers = []
    if demand.key is not None and method != "GET":
        headers += [("Idempotency-Key", demand.key, _KEY, text), ("If-Match", False, _IF_MATCH, text)]
    if demand.actor:
        headers += [("Jalons-Actor", False, _ACTOR, {**opaque_codes.SCHEMA, "description": _ACTOR})]
    for name, required, meaning, schema in headers:
        operation.setdefault("parameters", []).append(
            {"name": name, "in": "header", "required": required, "description": meaning, "schema": schema}
        )


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a schema. at: path, query or header; empty for a schema's field. link: the schema of
    its value."""

    name: str
    at: str
    kind: str
    link: str | None
    required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the page shows it.

    form, answer: schemas of the request and response bodies. kinds: media types of the request body. example: JSON.
    scopes: empty if no token is needed.
    """

    method: str
    path: str
    summary: str
    description: str
    scopes: tuple[str, ...]
    parameters: tuple[Field, ...]
    kinds: tuple[str, ...]
    example: str
    form: str | None
    answer: str | None


def operations(document: Json) -> dict[str, list[Operation]]:
    """Every operation, by its first tag."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation.get("tags", ["other"])[0], []).append(_operation(method, path, operation))
    return found


def forms(document: Json) -> dict[str, list[Field]]:
    """Every named schema and its fields; a schema without properties has none."""
    named = document["components"].get("schemas", {})
    return {
        name: [
            _field(each, "", schema, each in form.get("required", ()))
            for each, schema in form.get("properties", {}).items()
        ]
        for name, form in sorted(named.items())
    }


def page(document: Json) -> str:
    """The HTML page. It links to no other host and runs no script."""
    return _template().render(
        title=document["info"]["title"],
        promise=document["info"]["description"],
        operations=operations(document),
        forms=forms(document),
        about={name: form.get("description", "") for name, form in document["components"].get("schemas", {}).items()},
    )


@cache
def _template() -> Template:
    loaded = Environment(
        loader=PackageLoader("jalons.web", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return loaded.get_template("documents.html.j2")


def _operation(method: str, path: str, operation: Json) -> Operation:
    success: Json = next((answer for status, answer in operation["responses"].items() if status.startswith("2")), {})
    body: Json = operation.get("requestBody", {})
    content = body.get("content", {})
    return Operation(
        method.upper(),
        path,
        operation.get("summary", ""),
        operation.get("description", ""),
        tuple(scope for each in operation.get("security", ()) for scope in each[SCHEME]),
        tuple(
            _field(each["name"], each["in"], {**each["schema"], **each}, each.get("required", False))
            for each in operation.get("parameters", ())
            if each["name"] != "authorization"
        ),
        tuple(content),
        "\n".join(
            json.dumps(each["example"], indent=2, ensure_ascii=False) for each in content.values() if "example" in each
        ),
        _form(body),
        _form(success),
    )


def _form(body: Mapping[str, Any]) -> str | None:
    """The name of the schema of a request or response body; None if it has none."""
    for content in body.get("content", {}).values():
        if "schema" in content and (link := _kind(content["schema"])[1]):
            return link
    return None


def _field(name: str, at: str, schema: Json, required: bool) -> Field:
    kind, link = _kind(schema.get("schema", schema))
    return Field(name, at, kind, link, required, schema.get("description", ""))


def _kind(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    """A schema's type in words, and the name of the schema it refers to."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return name, name
    if "enum" in schema or "const" in schema:
        return " | ".join(str(each) for each in schema.get("enum") or [schema["const"]]), None
    for several in ("anyOf", "oneOf"):
        if several in schema:
            kinds = [_kind(each) for each in schema[several] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kind for kind, _ in kinds)), next(
                (link for _, link in kinds if link), None
            )
    if schema.get("type") == "array":
        kind, link = _kind(schema.get("items", {}))
        return f"list of {kind}", link
    return str(schema.get("format") or schema.get("type") or "any"), None
