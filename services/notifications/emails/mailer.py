"""The role of a mail server, and a fake in memory that keeps the same contract."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Protocol

from services.notifications.deliveries.outcome import Delivered, Outcome


class Mailer(Protocol):
    """Hands messages to a mail server."""

    def send(self, message: EmailMessage) -> Outcome:
        """One attempt, in bounded time, to the address in `To`; never raises for what a server or network does."""

    def disconnect(self) -> None:
        """Close this thread's connection."""


class MemoryMailer:
    """A mail server in memory. answer: the outcome of each message."""

    def __init__(self, answer: Callable[[EmailMessage], Outcome] = lambda _message: Delivered()) -> None:
        self.answer = answer
        self.taken: list[EmailMessage] = []

    def send(self, message: EmailMessage) -> Outcome:
        """Keeps what is accepted."""
        outcome = self.answer(message)
        if isinstance(outcome, Delivered):
            self.taken.append(message)
        return outcome

    def disconnect(self) -> None:
        """Nothing is held open."""
