"""The inputs of an action on a page, derived from its request body and KINDS: a new action needs only its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schemas import codes
from services.referrals.pages.words import Words

Kind = Literal["date", "choice", "number", "text"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "first_contact_on": "date",
        "expected_on": "date",
        "started_on": "date",
        "ended_on": "date",
        "rank": "number",
        "hours_done": "number",
        "place": "choice",
        "reason": "choice",
        "declined_by": "choice",
        "outcome": "choice",
        "months": "choice",
        "situation": "choice",
    }
)
"""Field → kind of input. An action that requires any other field is not offered on a page."""
LIST_OF = {get_args(each): name for name, each in vars(codes).items() if get_origin(each) is Literal}
"""The codes of a closed list → its name."""


@dataclass(frozen=True)
class Input:
    """One input. options: code and label, of a choice. value: as it was typed. error: key of the error's text."""

    name: str
    kind: Kind
    label: str
    required: bool
    options: tuple[tuple[str, str], ...] = ()
    value: str = ""
    error: str = ""


@dataclass(frozen=True)
class Section:
    """One open action as a section of the page. either: labels of inputs of which at least one is required."""

    action: str
    label: str
    inputs: tuple[Input, ...]
    either: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether the section is shown unfolded: something was typed in it."""
        return any(each.value or each.error for each in self.inputs)


def section(
    noun: str,
    action: str,
    form: type[BaseModel],
    required: frozenset[str],
    words: Words,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    places: Mapping[str, str] | None = None,
) -> Section | None:
    """The section of an action; None if a required field has no kind of input, or the action has no label.

    places: the receiver's, code → address; without any, a place is not asked for.
    """
    label = words.action(noun, action)
    if label is None or any(name not in KINDS for names in required for name in names.split("|")):
        return None
    inputs = tuple(
        Input(
            name,
            KINDS[name],
            words.field(name),
            name in required,
            _choices(form, name, words, places or {}),
            (typed or {}).get(name, ""),
            (errors or {}).get(name, ""),
        )
        for name in form.model_fields
        if name in KINDS and (name != "place" or places)
    )
    either = (words.field(name) for names in required if "|" in names for name in names.split("|"))
    return Section(action, label, inputs, tuple(either))


def given(form: type[BaseModel], typed: Mapping[str, str], required: frozenset[str]) -> Any:
    """The typed fields as the call's body. Raises Wrong, and Problem for a forbidden text."""
    values = {name: _code(form, name, typed[name]) for name in form.model_fields if name in KINDS and typed.get(name)}
    wrong = {
        names.split("|")[0]: "missing" for names in required if not any(name in values for name in names.split("|"))
    }
    try:
        body = form.model_validate(values)
    except ValidationError as error:
        wrong |= {str(each["loc"][0]): KINDS.get(str(each["loc"][0]), "other") for each in error.errors()}
        raise Wrong(wrong) from None
    if wrong:
        raise Wrong(wrong)
    return body.model_dump()


class Wrong(Exception):
    """A typed value is missing or invalid. errors: field → key of the sentence that says what to do."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = dict(errors)


def _choices(form: type[BaseModel], name: str, words: Words, places: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Code and label of each option of a choice."""
    if name == "place":
        return tuple(places.items())
    return tuple((code, words.code(listed, code)) for listed, code in _options(form, name))


def _code(form: type[BaseModel], name: str, text: str) -> object:
    """A typed text as the body takes it: a code may be a number."""
    listed = next((codes for codes in LIST_OF if (LIST_OF[codes], text) in _options(form, name)), ())
    return next((code for code in listed if str(code) == text), text)


def _options(form: type[BaseModel], name: str) -> list[tuple[str, str]]:
    """(list, code) of each code of a choice."""
    annotation = form.model_fields[name].annotation
    for each in (annotation, *get_args(annotation)):
        if get_origin(each) is Literal:
            return [(LIST_OF[get_args(each)], str(code)) for code in get_args(each)]
    return []
