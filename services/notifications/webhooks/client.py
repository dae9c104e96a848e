"""The role of an HTTP client for webhooks, and a fake in memory that keeps the same contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from services.notifications.deliveries.outcome import Delivered, Outcome, Refused


class WebhookClient(Protocol):
    """Calls a receiver's URL."""

    def refusal(self, url: str) -> str | None:
        """Why this URL may not be called, as a code of `causes`; None if it may. Resolves the host name."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One attempt, in bounded time, to an address that was checked; never raises for what the network does."""


class MemoryWebhookClient:
    """A receiver in memory. refuses: URL → why it may not be called; answer: the outcome of each call."""

    def __init__(
        self,
        answer: Callable[[Mapping[str, str], bytes], Outcome] = lambda _headers, _body: Delivered(),
        refuses: Mapping[str, str] | None = None,
    ) -> None:
        self.answer = answer
        self.refuses = refuses or {}
        self.calls: list[tuple[dict[str, str], bytes]] = []

    def refusal(self, url: str) -> str | None:
        """As configured."""
        return self.refuses.get(url)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Keeps every call that is allowed, whatever its outcome."""
        if cause := self.refusal(url):
            return Refused(cause)
        self.calls.append((dict(headers), body))
        return self.answer(headers, body)
