"""What offices write becomes codes: labels in four languages, names and codes, whatever their case and typography."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from services.referrals.codes.http import labelled
from services.referrals.directory.communes import COMMUNES
from services.referrals.imports.headings import plain
from services.referrals.imports.sheet import DATES, LIST_OF, LISTS, Fault, Row, day
from services.referrals.pages.words import LANGUAGES, words

_LIST_IN_PAGES = {
    "age_band": "AgeBand",
    "sex": "Sex",
    "education": "Education",
    "household": "Household",
    "moment": "Moment",
    "goal": "Goal",
    "chosen_by": "ChosenBy",
    "contact": "Contact",
    "status": "PersonStatus",
    "obstacles": "Obstacle",
    "reason": "ReferralReason",
}
"""Field → the list of its labels in the catalogues of the pages."""
_SMALL = frozenset(
    {"de", "du", "des", "d", "la", "le", "les", "l", "het", "van", "von", "der", "die", "das", "the", "of"}
)
_MOST_ALLOWED = 40
_PROFILE = ("age_band", "sex", "commune_nis", "education", "status", "household", "obstacles")
_AGREEMENT = ("channel", "attributes", "expires_on", "evidence_ref")

Keys = Mapping[str, frozenset[str]]
"""A text as it is compared → what it may mean."""


@dataclass(frozen=True)
class Vocabulary:
    """What the texts of a partner's table may mean. names: slug → name. offers: offer → its partner and title.
    communes: NIS → name. finer: the network's own reasons, label → code."""

    names: Mapping[str, str]
    offers: Mapping[str, tuple[str, str]]
    communes: Mapping[str, str] = field(default_factory=dict)
    finer: Mapping[str, str] = field(default_factory=dict)

    def values(self, row: Row) -> tuple[dict[str, Any], list[Fault]]:
        """The row as the body of `POST /referrals`, and everything that is wrong with its cells."""
        faults = [*row.faults]
        found: dict[str, Any] = {}
        for name, text in row.texts.items():
            if name == "ref":
                continue
            value, fault = self._value(name, text, found)
            if fault:
                faults.append(fault)
            else:
                found[name] = value
        return _body(found), faults

    def _value(self, name: str, text: str, found: Mapping[str, Any]) -> tuple[Any, Fault | None]:
        if name in DATES:
            value = day(text)
            return value, None if value else Fault("no_date", name)
        if name == "recipient":
            return _one(name, text, self._partners, [*self.names.values()])
        if name == "offer":
            return self._offer(text, found.get("recipient"))
        if name == "commune_nis":
            return self._commune(text), None
        if name not in LIST_OF or name in LISTS:
            return (text, None) if name not in LIST_OF else self._listed(name, text)
        return self._code(name, text)

    def _listed(self, name: str, text: str) -> tuple[list[str | None], Fault | None]:
        parts = [part for part in re.split(r"[|,/+;\n]|\s(?:et|en|und|and)\s", text) if part.strip()]
        whole = self._code(name, text)
        each = [whole] if whole[1] is None else [self._code(name, part) for part in parts]
        wrong = next((fault for _, fault in each if fault), None)
        return list(dict.fromkeys(value for value, _ in each)), wrong

    def _code(self, name: str, text: str) -> tuple[str | None, Fault | None]:
        known = _codes(name)
        key = _key(text)
        code = known.get(key) or (self.finer.get(key) if name == "reason" else None)
        if code is None and name == "reason" and text.strip() in self.finer.values():
            code = text.strip()
        return code, None if code else Fault("unknown_value", name)

    def _offer(self, text: str, recipient: str | None) -> tuple[str | None, Fault | None]:
        of_it = {offer: title for offer, (partner, title) in self.offers.items() if recipient in (None, partner)}
        keys = _keys((each, form) for each, title in of_it.items() for form in (each, title))
        return _one("offer", text, keys, [*of_it.values()])

    def _commune(self, text: str) -> str:
        """The NIS or postal code in a text, or the NIS code of a name; else the text, which the body refuses."""
        numbers = re.findall(r"(?<!\d)\d{4,5}(?!\d)", text)
        if len(numbers) == 1 and re.fullmatch(r"[\d\s()B.-]*|[^\d]*\d+[^\d]*", text):
            return str(numbers[0])
        known = _keys(
            (nis, name) for nis, name in ({n: c.name for n, c in COMMUNES.items()} | dict(self.communes)).items()
        )
        meant = known.get(plain(text)) or known.get(_reduced(text)) or frozenset()
        return next(iter(meant)) if len(meant) == 1 else text

    @property
    def _partners(self) -> Keys:
        return _keys((slug, form) for slug, name in self.names.items() for form in (slug, name))


def _one(name: str, text: str, keys: Keys, allowed: list[str]) -> tuple[str | None, Fault | None]:
    """The one thing a text means, by its full form first, then without articles."""
    for form in (plain(text), _reduced(text)):
        meant = keys.get(form, frozenset())
        if len(meant) == 1:
            return next(iter(meant)), None
        if meant:
            return None, Fault("several_meant", name, {"allowed": sorted(meant)})
    return None, Fault("unknown_name", name, {"allowed": sorted(allowed)[:_MOST_ALLOWED]})


def _keys(forms: Iterable[tuple[str, str]]) -> Keys:
    found: dict[str, set[str]] = {}
    for code, form in forms:
        for key in {plain(form), _reduced(form)} - {""}:
            found.setdefault(key, set()).add(code)
    return {key: frozenset(meant) for key, meant in found.items()}


def _reduced(text: str) -> str:
    return " ".join(word for word in plain(text).split() if word not in _SMALL)


def _key(text: str) -> str:
    """As `plain`, but `<18` and `55+` keep what makes them bands."""
    mark = (
        "<"
        if re.match(r"\s*[<-]\s*(?:de\s*)?\d", text)
        else "+"
        if re.search(r"\+\s*(?:ans|jaar)?\s*$|^\s*\+", text)
        else ""
    )
    return mark + plain(text)


@cache
def _codes(name: str) -> Mapping[str, str]:
    """Text as `_key` writes it → code of a field's closed list. A text that two codes share means neither."""
    codes = labelled("fr")[LIST_OF[name]]
    forms = [(each["code"], form) for each in codes for form in (each["code"], each["label"])]
    synonyms = tomllib.loads(files(__package__ or "").joinpath("synonyms.toml").read_text("utf-8"))
    for language in LANGUAGES:
        forms += [(each["code"], label(name, each["code"], language)) for each in codes]
    forms += [(code, text) for code, texts in synonyms.get(name, {}).items() for text in texts]
    found: dict[str, set[str]] = {}
    for code, form in forms:
        found.setdefault(_key(form), set()).add(code)
    own = {_key(each["code"]): each["code"] for each in codes}
    return {key: meant.pop() for key, meant in found.items() if len(meant) == 1} | own


def label(name: str, code: str, language: str) -> str:
    """The label of a code of a field; in French where a language has none."""
    if language != "fr" and name in _LIST_IN_PAGES:
        called = words(language).code(_LIST_IN_PAGES[name], code)
        if called != code:
            return called
    return next(str(each["label"]) for each in labelled("fr")[LIST_OF[name]] if each["code"] == code)


def _body(values: dict[str, Any]) -> dict[str, Any]:
    """Values by field, as the parts of `POST /referrals`."""
    profile = {name: values.pop(name) for name in _PROFILE if name in values}
    agreement = {name: values.pop(name) for name in _AGREEMENT if name in values}
    person = {"profile": profile} | ({"local_ref": values.pop("local_ref")} if "local_ref" in values else {})
    return values | {"person": person} | ({"agreement": agreement} if agreement else {})
