"""The person's own paper, and the page behind its private code: the status, and a word to who accompanies them.

The paper is printed by the referrer or the home partner and given to the person; nothing of it travels otherwise. Who
holds the code may read and say, so no session and no cookie exist that another site could misuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Connection

from jalons.database import Busy
from jalons.privacy.private_codes import code_hash, private_code
from jalons.privacy.references import typed
from jalons.web.problems import Problem
from schemas.codes import Said
from services.referrals import refusals
from services.referrals.acts.http import IdOrReference, act_named
from services.referrals.acts.reading import as_would_be_seen
from services.referrals.acts.rows import REFERRALS
from services.referrals.acts.rules import Referral
from services.referrals.acts.sheets import sheet
from services.referrals.answering.http import Asked, Sent
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.directory import rows as directory
from services.referrals.pages import in_words
from services.referrals.pages.formdata import BODY, Form, by_page, new_key
from services.referrals.pages.render import HEADERS, Pages
from services.referrals.pages.tries import Tries, caller_address
from services.referrals.pages.words import Words, chosen
from services.referrals.slips import commands
from services.referrals.slips import rows as slips
from services.referrals.work import Call

CLIENT = "feuillet"
"""What stands for the caller where a person says something."""
PURPOSE = "slip-codes"
Partner = Annotated[Call, Depends(call("partner"))]
Code = Annotated[str, Path(max_length=60)]
_SAYABLE = get_args(Said)
_NO_MORE = 429


class Slips:
    """What the routes do. secret: the hub's; address: of the page where a code is typed."""

    def __init__(self, edge: Edge, pages: Pages, secret: str, address: str) -> None:
        self._edge = edge
        self._pages = pages
        self._secret = secret
        self._address = address
        self._wrong_codes = Tries(20, 600)
        self._said = Tries(5, 600)

    def printed(self, caller: Call, named: UUID | str, asked: str | None, accepted: str | None) -> HTMLResponse:
        """The slip of a referral, for its referrer or the person's home partner. Raises Problem 404."""
        partner = partner_of(caller.principal)

        def look(conn: Connection) -> tuple[Referral, dict[str, Any], dict[str, Any] | None, dict[str, Any]]:
            referral = REFERRALS.find(conn, named)
            mine = referral is not None and partner in (referral.referrer, referral.home)
            if referral is None or not mine or referral.facts.get("erased"):
                raise refusals.not_found("referral")
            code = private_code(self._secret, PURPOSE, referral.id)
            slips.keep(conn, code_hash(code) or b"", referral.id, caller.now)
            rows = directory.partners_of(conn, {partner, referral.referrer, referral.recipient})
            offer = directory.offer(conn, referral.offer) if referral.offer else None
            there = as_would_be_seen(conn, referral, referral.recipient, caller.now)
            return referral, rows, offer, sheet(there, referral.recipient, referral.ref, caller.today)

        referral, rows, offer, shared = self._edge.query(look, caller)
        words = chosen(asked, rows[partner]["language"], accepted)
        recipient, referrer = rows[referral.recipient], rows[referral.referrer]
        return self._pages.page(
            "slip",
            words,
            reference=referral.reference,
            what_for=words.text(
                "slip.what_for_text",
                moment=words.code("Moment", referral.moment),
                partner=recipient["name"],
                goal=words.code("Goal", referral.facts["goal"]),
            ),
            where=_where(referral, recipient, offer, words),
            when=_when(referral, words),
            recipient=recipient,
            shared=_shared(shared, words),
            stop=words.text("slip.stop_text", home=referrer["name"], phone=referrer["phone"]),
            code=private_code(self._secret, PURPOSE, referral.id),
            address=self._address,
            trial=bool(referral.facts.get("trial")),
        )

    def entered(self, form: Form, asked: str | None, accepted: str | None) -> Response:
        """To the page of a code that was typed."""
        code = typed(form.typed.get("code", ""))[:40]
        words = chosen(asked, None, accepted)
        if not code:
            return self._pages.page("enter", words, 422)
        return RedirectResponse(f"/s/{code}?language={words.language}", 303, HEADERS)

    def opened(self, code: str, whose: str, asked: str | None, accepted: str | None) -> HTMLResponse:
        """The status behind a code, and what can be said."""
        words = chosen(asked, None, accepted)
        referral = self._behind(code, whose, words)
        return referral if isinstance(referral, HTMLResponse) else self._page(referral, words)

    def said(self, code: str, whose: str, form: Form, asked: str | None, accepted: str | None) -> HTMLResponse:
        """Tell the referrer what the person says."""
        words = chosen(asked, None, accepted)
        referral = self._behind(code, whose, words)
        if isinstance(referral, HTMLResponse):
            return referral
        said: Any = form.typed.get("said")
        if said not in _SAYABLE or form.key is None:
            return self._page(referral, words, 422, "missing")
        about = str(referral.id)
        if self._said.spent(about):
            return self._refused(words, _NO_MORE)
        try:
            self._edge(
                by_page(CLIENT, None, form),
                lambda work: Answer({"reference": commands.say(work, referral.id, said).reference}),
            )
        except Problem as problem:
            if problem.code != "still_running":  # the same form, pressed twice: the first is telling it
                return self._page(referral, words, problem.status, "other")
        except Busy:
            return self._page(referral, words, 503, "unavailable")
        self._said.count(about)
        return self._pages.page("said", words, said=words.code("Said", said))

    def _behind(self, code: str, whose: str, words: Words) -> Referral | HTMLResponse:
        """The referral that a code opens, or the page that says it opens none: the same whatever is wrong with it."""
        if self._wrong_codes.spent(whose):
            return self._refused(words, _NO_MORE)
        hashed = code_hash(code)

        def look(conn: Connection) -> Referral | None:
            referral_id = slips.referral_of(conn, hashed) if hashed else None
            referral = REFERRALS.find(conn, referral_id) if referral_id else None
            return referral if referral and not referral.facts.get("erased") else None

        found = self._edge.query(look, by_page(CLIENT, None))
        if found is None:
            self._wrong_codes.count(whose)
            return self._refused(words, 404)
        return found

    def _refused(self, words: Words, status: int) -> HTMLResponse:
        sentence = words.text("code.too_many" if status == _NO_MORE else "code.wrong")
        heading = words.text("code.wrong_title" if status != _NO_MORE else "code.enter_title")
        return self._pages.page("closed", words, status, heading=heading, sentences=[sentence], again=False)

    def _page(self, referral: Referral, words: Words, status: int = 200, problem: str | None = None) -> HTMLResponse:
        options = [(code, words.code("Said", code)) for code in _SAYABLE]
        now = words.code("Status", referral.status)
        return self._pages.page("code", words, status, now=now, options=options, problem=problem, key=new_key())


def routes(edge: Edge, pages: Pages, secret: str, public_address: str) -> APIRouter:
    """`/referrals/{id}/slip`, `/s` and `/s/{code}`. public_address: where the hub's pages are reached."""
    router = APIRouter(tags=["pages"])
    own = Slips(edge, pages, secret, f"{public_address}/s")
    html = HTMLResponse

    @router.get("/referrals/{id}/slip", summary="The person's slip, a printable page", response_class=html)
    def slip(id: IdOrReference, caller: Partner, request: Request, language: Asked = None) -> HTMLResponse:  # noqa: A002
        return own.printed(caller, act_named(id, "referrals"), language, request.headers.get("accept-language"))

    def enter(request: Request, language: Asked = None) -> HTMLResponse:
        return pages.page("enter", chosen(language, None, request.headers.get("accept-language")))

    @router.post("/s", summary="To the page of a slip's code", response_class=html, openapi_extra=BODY)
    def entered(request: Request, form: Sent, language: Asked = None) -> Response:
        return own.entered(form, language, request.headers.get("accept-language"))

    def opened(code: Code, request: Request, language: Asked = None) -> HTMLResponse:
        return own.opened(code, caller_address(request), language, request.headers.get("accept-language"))

    @router.post(
        "/s/{code}", summary="A word of the person to who accompanies them", response_class=html, openapi_extra=BODY
    )
    def said(code: Code, request: Request, form: Sent, language: Asked = None) -> HTMLResponse:
        return own.said(code, caller_address(request), form, language, request.headers.get("accept-language"))

    for path, page, what in (("/s", enter, "Where a slip's code is typed"), ("/s/{code}", opened, "A slip's status")):
        router.add_api_route(path, page, methods=["GET"], summary=what, response_class=html)
        router.add_api_route(path, page, methods=["HEAD"], include_in_schema=False)
    return router


def _where(
    referral: Referral, recipient: Mapping[str, Any], offer: Mapping[str, Any] | None, words: Words
) -> list[str]:
    """The name, and the nearest thing to an address that was said."""
    place = referral.facts.get("place") or (offer or {}).get("place") or recipient["address"]
    return [recipient["name"], place or words.code("Nis", recipient["commune_nis"])]


def _when(referral: Referral, words: Words) -> str:
    first = referral.facts.get("first_contact_on")
    if first:
        return words.text("slip.when_appointment", date=words.day(first))
    if referral.facts["contact"] == "person_comes":
        return words.text("slip.when_person_comes", reference=referral.reference)
    return words.text("slip.when_will_call", date=words.day(referral.facts["reply_by"]))


def _shared(body: Mapping[str, Any], words: Words) -> list[str]:
    """What the receiver sees of the person, a line each. body: the receiver's own view."""
    lists = {"reason": "ReferralReason", "goal": "Goal", "chosen_by": "ChosenBy"}
    keys = {"reason": "shared_reason", "goal": "shared_goal", "chosen_by": "shared_chosen"}
    lines = [
        words.text(f"slip.{keys[name]}", **{name: words.code(codes, body[name])})
        for name, codes in lists.items()
        if body.get(name)
    ]
    bands = in_words.profile(body.get("disclosed") or {}, words)
    return lines + [words.text("slip.shared_band", label=label, said=said) for label, said in bands]
