"""Another service's log over HTTP is the authority on what that service wrote: it fills gaps and is compared with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from uuid import UUID

import httpx

from jalons.messaging.items import Entry
from schemas.topics import Topic

COMPARED_MOST = 500
"""Subjects compared in one call."""


class LogUnavailable(Exception):
    """The source did not give the events that were asked for. Trying again is safe."""


class HoleInLog(LogUnavailable):
    """The source's log lacks an event in the middle. That does not pass by itself."""


@dataclass(frozen=True, slots=True)
class Head:
    """A subject's newest sequence within a page of the log, and its position."""

    subject: str
    sequence: int
    position: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What a follower has applied of a subject: how many events, and a digest of their ids."""

    subject: str
    sequence: int
    digest: str


def digest_of(marks: bytes) -> str:
    """The digest of what is kept of each applied id, in order (`progress.mark_of`)."""
    return hashlib.sha256(marks).hexdigest()


class SourceLog(Protocol):
    """A source's own log. All methods raise LogUnavailable."""

    def differing(self, applied: Sequence[Applied]) -> list[str]:
        """The subjects of which something was applied that is not in the log under that sequence and id."""

    def after(self, subject: str, sequence: int) -> list[Entry]:
        """All events of the subject after a sequence, in order."""

    def heads(self, position: int) -> list[Head]:
        """One page of the subjects with events after a position, by position; empty at the end of the log.

        Only subjects of the topics that the reader follows: it never hears of the others."""


class Tokens(Protocol):
    """A source of the hub's own token."""

    def token(self) -> str:
        """A token with scope `hub`."""


class HttpLog:
    """The log behind a service's `GET /events`. topics: those whose subjects `heads` gives; none: all."""

    def __init__(self, source: str, url: str, http: httpx.Client, tokens: Tokens, topics: Sequence[Topic] = ()) -> None:
        self._source = source
        self._url = url
        self._http = http
        self._tokens = tokens
        self._topics = [topic.name for topic in topics]

    def after(self, subject: str, sequence: int) -> list[Entry]:
        """All of them, read page by page."""
        entries: list[Entry] = []
        while True:
            after = entries[-1].sequence if entries else sequence
            page, following = self._get("/events", {"subject": subject, "after_sequence": after, "limit": 500})
            with self._understood():
                entries += [self._entry(item) for item in page]
            if not following:
                return entries

    def heads(self, position: int) -> list[Head]:
        """One page."""
        page, _ = self._get("/events/heads", {"after": position, "topic": self._topics})
        with self._understood():
            return [Head(str(h["subject"]), int(h["sequence"]), int(h["position"])) for h in page]

    def differing(self, applied: Sequence[Applied]) -> list[str]:
        """Asked in pages."""
        found: list[str] = []
        for start in range(0, len(applied), COMPARED_MOST):
            body = {"subjects": [asdict(each) for each in applied[start : start + COMPARED_MOST]]}
            with self._understood():
                answer = self._http.post(f"{self._url}/events/compare", json=body, headers=self._authorised())
                answer.raise_for_status()
                found += map(str, answer.json()["differ"])
        return found

    def _authorised(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens.token()}"}

    def _entry(self, item: dict[str, Any]) -> Entry:
        value = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
        return Entry(self._source, item["subject"], int(item["sequence"]), UUID(item["id"]), value)

    def _get(self, path: str, query: dict[str, str | int | list[str]]) -> tuple[list[dict[str, Any]], Any]:
        """A page's items, and the cursor of the next page."""
        with self._understood():
            answer = self._http.get(f"{self._url}{path}", params=query, headers=self._authorised())
            answer.raise_for_status()
            found = answer.json()
            return list(found["items"]), found.get("next")

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Whatever does not answer as a log does is a log that is away."""
        try:
            yield
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LogUnavailable(f"{self._source} did not give its log: {type(error).__name__}") from error


def events_after(log: SourceLog, source: str, subject: str, sequence: int) -> list[Entry]:
    """All events of the subject after a sequence, checked to be without a gap. Raises LogUnavailable,
    HoleInLog."""
    entries = log.after(subject, sequence)
    if not contiguous(sequence, [entry.sequence for entry in entries]):
        raise HoleInLog(f"the log of {source} has a hole")
    return entries


def contiguous(after: int, sequences: Sequence[int]) -> bool:
    """Whether these sequences follow `after` without a gap."""
    return list(sequences) == list(range(after + 1, after + 1 + len(sequences)))
