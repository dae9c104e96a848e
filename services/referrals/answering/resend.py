"""A partner that lost a mail asks for its links again: they are sent to the mailbox on file, and none is shown here.

The page says the same whatever was typed, so that it tells nobody who is in the network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from jalons.clock import new_id, now
from jalons.database import Busy, transact
from jalons.process.peers import PeerAway
from services.referrals.answering.rows import partners_at, unanswered_by
from services.referrals.calls.edge import Edge
from services.referrals.pages.rate_limit import RateLimit
from services.referrals.pages.render import Pages
from services.referrals.pages.requests import (
    OPENAPI_FORM,
    PageReader,
    Reader,
    Submitted,
    SubmittedForm,
)
from services.referrals.pages.words import Words

Acts = list[dict[str, Any]]
SendMail = Callable[[UUID, str, Acts, bool], None]
"""Sends a partner the links of what it has to answer: the request's id, the partner, `noun`, `id` and `reference` of
each act, and whether there are more. Raises PeerAway."""


class ResendLinks:
    """The page `/answer`."""

    def __init__(self, edge: Edge, pages: Pages, send_mail: SendMail) -> None:
        self._edge = edge
        self._pages = pages
        self._send_mail = send_mail
        self._requests = RateLimit("waiting", 10, 600)
        self._mails = RateLimit("waiting mail", 1, 600)

    def show(self, words: Words, status: int = 200, problem: str | None = None) -> HTMLResponse:
        """The page on which a mailbox is typed."""
        return self._pages.page("waiting", words, status, problem=problem)

    def submit(self, form: SubmittedForm, reader: Reader) -> HTMLResponse:
        """Send the mail, if the mailbox is one on file."""
        words = reader.words()
        mailbox = form.fields.get("mailbox", "")[:200]
        if "@" not in mailbox:
            return self.show(words, 422, "waiting.missing")
        engine = self._edge.ground.engine
        try:
            if transact(engine, lambda conn: self._too_often(conn, reader.address)):
                return self.show(words, 429, "waiting.too_many")
            for partner, acts, more in transact(engine, lambda conn: self._due(conn, mailbox)):
                self._send_mail(new_id(), partner, acts, more)
                transact(engine, partial(self._mails.count, caller=partner, at=now()))
        except (PeerAway, Busy):
            return self.show(words, 503, "errors.unavailable")
        heading, sentences = words.text("waiting.asked_title"), [words.text("waiting.asked")]
        return self._pages.page("closed", words, heading=heading, sentences=sentences, again=False)

    def _too_often(self, conn: Connection, address: str) -> bool:
        """Whether an address has asked too often; else this time is counted."""
        if self._requests.spent(conn, address, now()):
            return True
        self._requests.count(conn, address, now())
        return False

    def _due(self, conn: Connection, mailbox: str) -> list[tuple[str, Acts, bool]]:
        """What to send, without the partners that were sent it just now."""
        return [each for each in _unanswered(conn, mailbox) if not self._mails.spent(conn, each[0], now())]


def _unanswered(conn: Connection, mailbox: str) -> list[tuple[str, Acts, bool]]:
    return [(partner, *unanswered_by(conn, partner)) for partner in partners_at(conn, mailbox)]


def routes(edge: Edge, pages: Pages, send_mail: SendMail) -> APIRouter:
    """`/answer`."""
    router = APIRouter(tags=["pages"])
    page = ResendLinks(edge, pages, send_mail)

    def ask(reader: PageReader) -> HTMLResponse:
        return page.show(reader.words())

    def asked(form: Submitted, reader: PageReader) -> HTMLResponse:
        return page.submit(form, reader)

    html, what = HTMLResponse, "All that waits for you, to the mailbox on file"
    router.add_api_route("/answer", ask, methods=["GET"], summary=what, response_class=html)
    router.add_api_route("/answer", ask, methods=["HEAD"], include_in_schema=False)
    router.add_api_route(
        "/answer", asked, methods=["POST"], summary=what, response_class=html, openapi_extra=OPENAPI_FORM
    )
    return router
