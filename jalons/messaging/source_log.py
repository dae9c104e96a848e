"""Another service's log over HTTP: what fills a gap and what the reconciler compares with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import httpx

from jalons.messaging.items import Entry


class LogUnavailable(Exception):
    """The source did not answer; its events cannot be fetched now. Trying again is safe."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a subject's numbering had come at a position of the log."""

    subject: str
    sequence: int
    position: int


class SourceLog(Protocol):
    """A source's own log. Both raise LogUnavailable."""

    def after(self, subject: str, sequence: int) -> list[Entry]:
        """The subject's events after a number, in order, without a gap."""

    def heads(self, position: int) -> list[Head]:
        """A page of subjects that moved after a position, settled events only; by position."""


class Tokens(Protocol):
    """Where the hub's own token comes from."""

    def token(self) -> str:
        """A token with scope `hub`."""


class HttpLog:
    """The log behind a service's `GET /events`. settle: seconds an event must be old to be compared."""

    def __init__(self, source: str, url: str, http: httpx.Client, tokens: Tokens, *, settle: float = 30) -> None:
        self._source = source
        self._url = url
        self._http = http
        self._tokens = tokens
        self._settle = settle

    def after(self, subject: str, sequence: int) -> list[Entry]:
        """All of them, page by page."""
        entries: list[Entry] = []
        while True:
            after = entries[-1].sequence if entries else sequence
            page, following = self._get("/events", {"subject": subject, "after_sequence": after, "limit": 500})
            entries += [self._entry(item) for item in page]
            if not following:
                return entries

    def heads(self, position: int) -> list[Head]:
        """One page; empty when there is nothing newer."""
        page, _ = self._get("/events/heads", {"after": position, "settled": self._settle})
        return [Head(h["subject"], h["sequence"], h["position"]) for h in page]

    def _entry(self, item: dict[str, Any]) -> Entry:
        value = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
        return Entry(self._source, item["subject"], int(item["sequence"]), UUID(item["id"]), value)

    def _get(self, path: str, query: dict[str, str | int | float]) -> tuple[list[dict[str, Any]], Any]:
        """A page's items and what comes after it."""
        try:
            answer = self._http.get(
                f"{self._url}{path}", params=query, headers={"Authorization": f"Bearer {self._tokens.token()}"}
            )
            answer.raise_for_status()
            found = answer.json()
            return list(found["items"]), found.get("next")
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise LogUnavailable(f"{self._source} did not give its log: {type(error).__name__}") from error
