"""What is wrong with a file or a row, in the reader's language, by its heading and with what is allowed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jalons.web.problems import Problem
from services.referrals.codes.http import labelled
from services.referrals.exports.sheet import TITLES
from services.referrals.imports.sheet import LIST_OF, NotTaken
from services.referrals.imports.vocabulary import label
from services.referrals.pages.words import chosen

BUSY_SECONDS = "60"


def language_of(accepted: str | None) -> str:
    """The language of an Accept-Language header; English without one, as every error of the interface."""
    return chosen(None, None, accepted or "en").language


@cache
def texts(language: str) -> Mapping[str, Any]:
    """The catalogue of a language."""
    return tomllib.loads(files(__package__ or "").joinpath("texts", f"{language}.toml").read_text("utf-8"))


def problem(refused: NotTaken, language: str) -> Problem:
    """The problem for a file that is not taken."""
    said, places = texts(language)["file"][refused.code], dict(refused.places)
    if refused.code == "unknown_columns":
        columns = [tuple(each) for each in refused.places["columns"]]  # type: ignore[attr-defined]
        places["columns"] = ", ".join(f"{place} « {heading} »" for place, heading in columns)
        places["mapping"] = json.dumps({heading: "-" for _, heading in columns}, ensure_ascii=False)
    if refused.code == "missing_columns":
        places["fields"] = ", ".join(TITLES.get(field, field) for field in refused.places["fields"])  # type: ignore[attr-defined]
    busy = refused.code == "crowded"
    headers = {"Retry-After": BUSY_SECONDS} if busy else None
    cause, cure = str(said["cause"]).format(**places), str(said["cure"]).format(**places)
    return Problem(503 if busy else 422, refused.code, cause, cure, headers=headers)


def outside(line: int, column: str, language: str) -> str:
    """That something stands beside the table."""
    return str(texts(language)["row"]["outside"]).format(line=line, column=column)


def told(row: dict[str, Any], headings: Mapping[str, str], language: str) -> dict[str, Any]:
    """A row's outcome as its reader sees it. row: as stored, with `faults`."""
    faults = row.pop("faults", None)
    if row.get("code") in {"differs", "profile_differs", "person_erased"}:
        said = texts(language)["row"][row["code"]]
        fields = ", ".join(_heading(name, headings) for name in faults or ())
        row |= {"cause": said["cause"].format(ref=row.get("ref"), fields=fields), "cure": said["cure"].format()}
        return row | ({"differs": [_heading(name, headings) for name in faults]} if faults else {})
    if not faults:
        return row
    wrong = [_wrong(fault, headings, language) for fault in faults]
    cause = " ".join(f"{each['column']} : {each['problem']}." for each in wrong)
    return row | {"cause": cause, "cure": texts(language)["row"]["cure"], "faults": wrong}


def _wrong(fault: Sequence[Any], headings: Mapping[str, str], language: str) -> dict[str, Any]:
    code, field, places = fault
    allowed = [*places.get("allowed", ())]
    if code == "unknown_value" and field in LIST_OF:
        allowed = [label(field, each["code"], language) for each in labelled("fr")[LIST_OF[field]]]
    catalogue = texts(language)
    said = catalogue["row"][code] if code == "no_reference" else catalogue["fault"][code]
    found = {"column": _heading(field, headings) if field else places.get("column", ""), "code": code}
    found["problem"] = said.format(**{**places, "allowed": ", ".join(allowed)})
    return found | ({"field": field} if field else {}) | ({"allowed": allowed} if allowed else {})


def _heading(field: str, headings: Mapping[str, str]) -> str:
    return " ".join(headings.get(field, TITLES.get(field, field)).split())
