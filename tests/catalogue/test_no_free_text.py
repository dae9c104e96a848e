"""Whatever a partner may send about a person is a code, a date, a reference or an opaque code; nothing is free text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from jalons.privacy import opaque_codes
from schemas import codes

DOCUMENTS = Path(__file__).parents[2] / "docs/api"


def pattern(type_: Any) -> str:
    """The pattern of a type of `schemas.codes`."""
    found = next(each.pattern for each in get_args(type_)[1:] if getattr(each, "pattern", None))
    return str(found)


CLOSED = {
    pattern(
        codes.Slug
    ): "a name of the directory; an unknown one is refused (tests/services/test_names_are_no_codes.py)",
    pattern(codes.FinerCode): "a code that the network added to a list; an unknown one is refused",
    pattern(codes.PlaceCode): "one of the receiver's places; an unknown one is refused",
    pattern(codes.TradeCode): "a code of ROME or ISCO-08",
    pattern(codes.Reference): "a spoken reference, with a check character",
    pattern(codes.Nis): "a commune",
    "^[0-9]{4,5}$": "a commune by its NIS or postal code; an unknown one is refused",
    opaque_codes.PATTERN: "an opaque code",
}
FORMATS = {"date", "date-time", "uuid"}
NOT_ABOUT_A_PERSON = {
    "/partners/{partner}": "the directory",
    "/partners/{partner}/status": "the directory",
    "/partners/{partner}/clients": "the directory",
    "/conventions": "the directory",
    "/communes/{nis}": "the directory",
    "/offers/{offer}": "the directory",
    "/codes/{list}/{code}": "the closed lists",
    "/imports": "the file: tests/services/test_importer.py",
    "/imports/mapping": "the headings of a partner's tables",
    "/subscriptions/{name}": "an address of the partner's system",
    "/answer/{token}": "the fields of the acts' own bodies",
    "/s": "a private code",
    "/s/word": "a closed list",
}
"""Paths whose bodies say nothing of a person."""
NEVER_KEPT = {
    "Idempotency-Key": "its hash is kept",
    "If-Match": "compared",
    "last-event-id": "compared",
    "authorization": "verified",
    "traceparent": "of one form, or dropped",
}


def documents() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    for path in sorted(DOCUMENTS.glob("*.openapi.json")):
        document = json.loads(path.read_text("utf-8"))
        for route, methods in document["paths"].items():
            for method, operation in methods.items():
                yield f"{method.upper()} {route}", route, operation, document


def strings(schema: Any, document: dict[str, Any], at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every place of a schema where a string may stand, and its schema."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from strings(document["components"]["schemas"][name], document, at)
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from strings(each, document, at)
    for name, each in schema.get("properties", {}).items():
        yield from strings(each, document, f"{at}.{name}")
    if "items" in schema:
        yield from strings(schema["items"], document, f"{at}[]")
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield f"{at}.*", {}
    if schema.get("type") == "string" or not schema:
        yield at, schema


def is_closed(schema: dict[str, Any]) -> bool:
    """Whether a string of this schema can only be a code, a date, an id or a reference."""
    return "enum" in schema or "const" in schema or schema.get("format") in FORMATS or schema.get("pattern") in CLOSED


BODIES = [
    (f"{call} {at}", schema)
    for call, route, operation, document in documents()
    if route not in NOT_ABOUT_A_PERSON and "partner" in json.dumps(operation.get("security", ""))
    for content in operation.get("requestBody", {}).get("content", {}).values()
    for at, schema in strings(content["schema"], document, "")
]


@pytest.mark.parametrize(("at", "schema"), BODIES, ids=[at for at, _ in BODIES])
def test_no_string_about_a_person_is_free_text(at: str, schema: dict[str, Any]) -> None:
    assert is_closed(schema), f"{at} takes any text: {schema}"


def test_the_bodies_about_persons_are_all_looked_at() -> None:
    calls = {" ".join(at.split()[:2]) for at, _ in BODIES}
    assert {"POST /referrals", "POST /referrals/{id}/accept", "POST /trainings", "POST /placements"} <= calls
    assert {"POST /beneficiaries", "POST /beneficiaries/{beneficiary}/consents", "POST /needs"} <= calls
    assert ".person.local_ref" in {at.split()[2] for at, _ in BODIES if at.startswith("POST /referrals ")}


def test_no_header_that_is_kept_is_free_text() -> None:
    headers = {
        each["name"]: each["schema"]
        for _, _, operation, _ in documents()
        for each in operation.get("parameters", ())
        if each["in"] == "header" and each["name"] not in NEVER_KEPT
    }
    assert "Jalons-Actor" in headers
    for name, schema in headers.items():
        assert is_closed(schema), name


def test_the_opaque_pattern_is_valid_everywhere() -> None:
    assert re.fullmatch(opaque_codes.PATTERN, "H-2026 114")
    assert not re.fullmatch(opaque_codes.PATTERN, "Dupont Marie")
