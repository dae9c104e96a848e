"""All texts of the pages are in catalogues, one per language; the code holds none."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from jalons.web.asked import preferred
from schemas.communes import name_of

LANGUAGES: Mapping[str, str] = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}
FALLBACK = "fr"


@dataclass(frozen=True)
class Words:
    """The catalogue of a language. texts: section → key → text; `codes` and `actions` have one level more."""

    language: str
    texts: Mapping[str, Any]

    def text(self, named: str, **places: object) -> str:
        """The text at `section.key`, with its placeholders filled in. Raises KeyError."""
        section, _, key = named.partition(".")
        return str(self.texts[section][key]).format(**places)

    def field(self, name: str) -> str:
        """The label of a field. Raises KeyError."""
        return str(self.texts["fields"][name])

    def action(self, noun: str, action: str) -> str | None:
        """The label of an action; None for one that no page offers."""
        called = self.texts["actions"][noun].get(action.replace("-", "_"))
        return str(called) if called else None

    def code(self, codes: str, code: str) -> str:
        """The label of a code of a closed list; the code itself if the catalogue does not have it."""
        known: Mapping[str, str] = self.texts["codes"].get(codes, {})
        if codes == "ReferralReason":
            known = {**self.texts["codes"]["Obstacle"], **known}
        if codes == "Nis":
            return name_of(code)
        return known.get(code, code)

    def day(self, iso: str) -> str:
        """A date in words."""
        day, words = date.fromisoformat(iso), self.texts["dates"]
        number = words["first"] if day.day == 1 else str(day.day)
        named: dict[str, object] = {"weekday": words["days"][day.weekday()], "month": words["months"][day.month - 1]}
        return str(words["form"]).format(day=number, year=day.year, **named)


@cache
def words(language: str) -> Words:
    """The catalogue of a language; cached. Raises FileNotFoundError."""
    path = files("services.referrals.pages").joinpath("texts", f"{language}.toml")
    return Words(language, tomllib.loads(path.read_text("utf-8")))


def chosen(asked: str | None, on_record: str | None, accepted: str | None) -> Words:
    """A reader's catalogue: by `?language=`, else by the partner's record, else by Accept-Language."""
    for language in (asked, on_record, preferred(accepted or "")):
        if language in LANGUAGES:
            return words(str(language))
    return words(FALLBACK)
