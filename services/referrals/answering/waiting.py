"""Who lost the mail asks for it again: all that waits is written to the mailbox on file, and nothing is shown here.

The page says the same whatever was typed, so that it tells nobody who is in the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from jalons.clock import new_id
from jalons.database import Busy, transact
from jalons.process.peers import PeerAway
from services.referrals.answering import rows as waiting
from services.referrals.answering.http import Asked, Sent
from services.referrals.calls.edge import Edge
from services.referrals.pages.formdata import BODY, Form
from services.referrals.pages.render import Pages
from services.referrals.pages.tries import Tries, caller_address
from services.referrals.pages.words import Words, chosen

Acts = list[dict[str, Any]]
Tell = Callable[[UUID, str, Acts, bool], None]
"""Has a partner told what waits for it: the asking's id, the partner, `noun`, `id` and `reference` of each, and
whether there is more.

Raises PeerAway."""


class Waiting:
    """What the routes do."""

    def __init__(self, edge: Edge, pages: Pages, tell: Tell) -> None:
        self._edge = edge
        self._pages = pages
        self._tell = tell
        self._asked = Tries(10, 600)
        self._told = Tries(1, 600)

    def ask(self, words: Words, status: int = 200, problem: str | None = None) -> HTMLResponse:
        """The page on which a mailbox is typed."""
        return self._pages.page("waiting", words, status, problem=problem)

    def asked(self, form: Form, whose: str, words: Words) -> HTMLResponse:
        """Write to the mailbox, if it is one on file."""
        mailbox = form.typed.get("mailbox", "")[:200]
        if "@" not in mailbox:
            return self.ask(words, 422, "waiting.missing")
        if self._asked.spent(whose):
            return self.ask(words, 429, "waiting.too_many")
        self._asked.count(whose)
        try:
            for partner, acts, more in transact(self._edge.ground.engine, lambda conn: _found(conn, mailbox)):
                if not self._told.spent(partner):
                    self._tell(new_id(), partner, acts, more)
                    self._told.count(partner)
        except (PeerAway, Busy):
            return self.ask(words, 503, "errors.unavailable")
        heading, sentences = words.text("waiting.asked_title"), [words.text("waiting.asked")]
        return self._pages.page("closed", words, heading=heading, sentences=sentences, again=False)


def _found(conn: Connection, mailbox: str) -> list[tuple[str, Acts, bool]]:
    return [(partner, *waiting.waiting_for(conn, partner)) for partner in waiting.partners_at(conn, mailbox)]


def routes(edge: Edge, pages: Pages, tell: Tell) -> APIRouter:
    """`/answer`."""
    router = APIRouter(tags=["pages"])
    own = Waiting(edge, pages, tell)

    def words(request: Request, language: str | None) -> Words:
        return chosen(language, None, request.headers.get("accept-language"))

    def ask(request: Request, language: Asked = None) -> HTMLResponse:
        return own.ask(words(request, language))

    def asked(request: Request, form: Sent, language: Asked = None) -> HTMLResponse:
        return own.asked(form, caller_address(request), words(request, language))

    html, what = HTMLResponse, "All that waits for you, to the mailbox on file"
    router.add_api_route("/answer", ask, methods=["GET"], summary=what, response_class=html)
    router.add_api_route("/answer", ask, methods=["HEAD"], include_in_schema=False)
    router.add_api_route("/answer", asked, methods=["POST"], summary=what, response_class=html, openapi_extra=BODY)
    return router
