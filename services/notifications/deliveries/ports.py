"""The two ways out, by role: what the dispatcher needs of each, and a fake in memory that keeps the same contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Protocol

from services.notifications.deliveries.outcome import Delivered, Outcome, Refused


class Mailer(Protocol):
    """Hands a message to a mail server."""

    def send(self, message: EmailMessage) -> Outcome:
        """One attempt, in bounded time; to the address in `To`. It never raises for what a server or network does."""

    def rest(self) -> None:
        """This thread has nothing to send for now."""


class Caller(Protocol):
    """Calls a receiver's address."""

    def refusal(self, url: str) -> str | None:
        """Why this address may not be called, as a code of `causes`; None if it may. Looks the name up."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One attempt, in bounded time, to an address that was checked; it never raises for what the network does."""


class MemoryMailer:
    """A mail server in memory. answer: what it says to each message."""

    def __init__(self, answer: Callable[[EmailMessage], Outcome] = lambda _message: Delivered()) -> None:
        self.answer = answer
        self.taken: list[EmailMessage] = []

    def send(self, message: EmailMessage) -> Outcome:
        """Keep what is accepted."""
        outcome = self.answer(message)
        if isinstance(outcome, Delivered):
            self.taken.append(message)
        return outcome

    def rest(self) -> None:
        """Nothing is open."""


class MemoryCaller:
    """A receiver in memory. refuses: URL → why it may not be called; answer: what it says to each call."""

    def __init__(
        self,
        answer: Callable[[Mapping[str, str], bytes], Outcome] = lambda _headers, _body: Delivered(),
        refuses: Mapping[str, str] | None = None,
    ) -> None:
        self.answer = answer
        self.refuses = refuses or {}
        self.calls: list[tuple[dict[str, str], bytes]] = []

    def refusal(self, url: str) -> str | None:
        """As told."""
        return self.refuses.get(url)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Keep every call, whatever is answered."""
        if cause := self.refusal(url):
            return Refused(cause)
        self.calls.append((dict(headers), body))
        return self.answer(headers, body)
