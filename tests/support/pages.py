"""Parses pages with the standard library, and checks accessibility and privacy rules that all pages follow."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import httpx

_VOID = frozenset({"meta", "input", "br", "link", "img", "hr"})


@dataclass
class Page(HTMLParser):
    """A parsed page. elements: name, attributes and enclosing elements' names. said: index of element → its text."""

    text: str
    elements: list[tuple[str, dict[str, str], tuple[str, ...]]] = field(default_factory=list)
    said: dict[int, str] = field(default_factory=dict)
    _open: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, tuple(n for n, _ in self._open)))
        if tag not in _VOID:
            self._open.append((tag, len(self.elements) - 1))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1][0] == tag, f"</{tag}> closes {self._open[-1]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for _, number in self._open:
            self.said[number] = self.said.get(number, "") + data

    def all(self, *tags: str) -> list[dict[str, str]]:
        """Attributes of the elements with these names, with their `text` and enclosing elements (`around`)."""
        return [
            {**attributes, "text": " ".join(self.said.get(number, "").split()), "around": " ".join(around)}
            for number, (tag, attributes, around) in enumerate(self.elements)
            if tag in tags
        ]

    def forms(self) -> dict[str, dict[str, str]]:
        """Action → hidden inputs of its form."""
        found: dict[str, dict[str, str]] = {}
        hidden: dict[str, str] = {}
        for tag, attributes, _ in self.elements:
            if tag == "form":
                hidden = {}
            if tag == "input" and attributes.get("type") == "hidden":
                hidden[attributes["name"]] = attributes["value"]
                found[hidden.get("action", "")] = hidden
        return found


def link_of(mail: dict[str, Any]) -> str:
    """The answer link in a mail."""
    found = re.search(r"http\S+/answer/\S+", mail["text"])
    assert found, mail["text"]
    return found[0]


def slip_code(slip: httpx.Response) -> str:
    """The private code on a person's slip."""
    return next(each["text"] for each in Page(slip.text).all("p") if each.get("class") == "code")


def well_made(answer: httpx.Response) -> Page:
    """Parse a page and check its structure, labels and security headers. Raises AssertionError."""
    _private(answer)
    page = Page(answer.text)
    assert [each["lang"] for each in page.all("html")] == [answer.headers["content-language"]]
    assert len(page.all("h1")) == 1 and page.all("h1")[0]["text"]
    assert page.all("title")[0]["text"]
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id is one element's"
    labels = {each["for"]: each["text"] for each in page.all("label")}
    for each in page.all("input", "select", "textarea"):
        if each.get("type") != "hidden":
            assert labels.get(each["id"]), f"{each} has no label"
        if each.get("type") == "radio":
            assert "fieldset" in each["around"].split()
    assert len(page.all("legend")) == len(page.all("fieldset"))
    assert all(each["text"] for each in page.all("button", "legend", "summary", "a", "option"))
    named = {part for _, a, _ in page.elements for part in a.get("aria-describedby", "").split()}
    assert named | {each["href"][1:] for each in page.all("a") if each["href"].startswith("#")} <= set(ids)
    return page


def _private(answer: httpx.Response) -> None:
    headers, text = answer.headers, answer.text
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["form-action"] == "'self'" and "script-src" not in policy
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["content-type"] == "text/html; charset=utf-8"
    page = Page(text)
    assert not page.all("script", "iframe", "img", "link", "object")
    assert not [name for _, attributes, _ in page.elements for name in attributes if name.startswith("on")]
    assert not [name for _, attributes, _ in page.elements for name in attributes if name == "style"]
    for _, attributes, _ in page.elements:
        for name in ("href", "src", "action"):
            assert re.match(r"[#?]|tel:|/answer\?|/s\?|/s/word\?", attributes.get(name, "#")), "no outside host"
