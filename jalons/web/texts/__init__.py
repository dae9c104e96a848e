"""The sentences of errors in four languages: a catalogue for each but English, whose sentences the code holds.

A catalogue has `problems` (code → detail and cure), `fields` (what is wrong with a field) and `told` (an English
sentence of a rule → the same). What a catalogue does not have is said in English.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def catalogue(language: str) -> dict[str, Any]:
    """The catalogue of a language. Raises FileNotFoundError."""
    return tomllib.loads(files("jalons.web.texts").joinpath(f"{language}.toml").read_text("utf-8"))


def problem(code: str, detail: str, cure: str, language: str, **values: object) -> tuple[str, str]:
    """The cause and the cure of a problem in a language. detail, cure: in English. values: what the cause names."""
    if language == "en":
        return detail, cure
    found = catalogue(language)["problems"].get(code)
    return (str(found["detail"]).format_map(_Values(values)), str(found["cure"])) if found else (detail, cure)


def field(kind: str, language: str, **values: object) -> str:
    """What is wrong with a field, and what is allowed. kind: a key of `fields`, else of another validator's finding."""
    known = catalogue(language)["fields"]
    return str(known.get(kind, known["other"])).format_map(_Values(values))


def told(sentence: str, language: str) -> str:
    """A sentence of a rule, in a language."""
    return str(catalogue(language)["told"].get(sentence, sentence)) if language != "en" else sentence


class _Values(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "…"
