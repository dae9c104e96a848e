"""What a validator found wrong, as a sentence in the reader's language that says what is allowed; no raw text of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jalons.web import texts

_BRANCHES = frozenset({"uuid", "str", "int", "bool", "float", "date", "datetime", "constrained-str", "list", "dict"})
"""Names that the validator gives to the alternatives of a field."""
_PATTERNS = {
    "^[0-9]{4,5}$": "commune",
    r"^\+?[0-9 ()./-]{3,30}$": "phone",
    r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$": "slug",
    r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$": "place_code",
    r"^[a-z][a-z0-9_]{1,39}$": "code",
    r"^(?:[A-Z][0-9]{4}|[0-9]{1,4})$": "trade",
    r"^\d{5}$": "nis",
}
"""Pattern → the sentence that says what it takes."""
_PREFERRED = ("missing", "extra_forbidden", "literal_error", "enum", "value_error")
"""Of a field with several alternatives, the finding that says most."""


def sentences(found: Sequence[Mapping[str, Any]], language: str) -> list[dict[str, Any]]:
    """One entry for each field: `at`, `problem`, and `allowed` where there is a closed list."""
    by_field: dict[str, list[Mapping[str, Any]]] = {}
    for each in found:
        by_field.setdefault(at(each["loc"], each["type"]), []).append(each)
    return [_entry(field, errors, language) for field, errors in by_field.items()]


def at(loc: Sequence[int | str], kind: str = "") -> str:
    """The field's path as the caller knows it. Truncated: the name of an unknown field is the caller's own text."""
    parts = list(loc[1:])
    last = [parts.pop()] if kind == "extra_forbidden" and parts else []
    named = [part for part in parts if not _is_branch(part)]
    return ".".join(str(part)[:60] for part in (*named, *last)) or str(loc[0])


def _is_branch(part: int | str) -> bool:
    return isinstance(part, str) and (part in _BRANCHES or any(c in part for c in "[]()") or part[:1].isupper())


def _entry(field: str, errors: Sequence[Mapping[str, Any]], language: str) -> dict[str, Any]:
    kinds = [each["type"] for each in errors]
    best = next((errors[kinds.index(kind)] for kind in _PREFERRED if kind in kinds), errors[0])
    allowed = list(_codes(best))
    more = {"allowed": allowed} if allowed else {}
    return {"at": field, "problem": _sentence(best, allowed, language), **more}


def _codes(error: Mapping[str, Any]) -> Iterator[str]:
    """The codes of a closed list."""
    if error["type"] in ("literal_error", "enum"):
        for each in str(error["ctx"]["expected"]).replace(" or ", ", ").split(", "):
            yield each.strip("'")


def _sentence(error: Mapping[str, Any], allowed: Sequence[str], language: str) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if allowed:
        return texts.field("one_of", language, codes=", ".join(allowed))
    if kind == "value_error":
        return texts.told(str(context.get("error", "")), language)
    if kind == "string_pattern_mismatch":
        return texts.field(_PATTERNS.get(str(context.get("pattern")), "form"), language)
    return texts.field(kind, language, **{name: value for name, value in context.items() if name != "error"})
