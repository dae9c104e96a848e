"""The printed slip of a referral, and the page behind its private code: the status, and a message to the referrer.

The referrer or the home partner prints the slip and gives it to the person; it is sent to nobody. Whoever holds the
code may read the page and send a message. The code does not stay in the address: `/s/{code}`, to which the QR code
leads, moves it to a cookie of ten minutes that no other site's form brings along (`SameSite=Lax`), and goes on to `/s`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args
from uuid import UUID

import segno
from fastapi import APIRouter, Cookie, Depends, Path, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from sqlalchemy import Connection

from jalons.clock import now
from jalons.database import Busy, transact
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
from services.referrals.calls.edge import Answer, Edge, call, partner_of
from services.referrals.directory import rows as directory
from services.referrals.directory.addresses import where
from services.referrals.pages import in_words
from services.referrals.pages.rate_limit import RateLimit
from services.referrals.pages.render import HEADERS, Pages
from services.referrals.pages.requests import (
    OPENAPI_FORM,
    PageReader,
    Reader,
    Submitted,
    SubmittedForm,
    new_key,
    page_call,
)
from services.referrals.pages.words import Words
from services.referrals.slips import commands
from services.referrals.slips import rows as store
from services.referrals.work import Call

CLIENT = "feuillet"
"""The client that the audit names for a message of a person."""
PURPOSE = "slip-codes"
Partner = Annotated[Call, Depends(call("partner"))]
Code = Annotated[str, Path(max_length=60)]
_SAYABLE = tuple(said for said in get_args(Said) if said != commands.GOES_ON)
_TOO_MANY = 429
_COOKIE, _COOKIE_SECONDS = "jalons_slip", 600
Kept = Annotated[str | None, Cookie(max_length=60, include_in_schema=False)]
JustSaid = Annotated[str | None, Query(max_length=40, description="what was just sent")]
_AHEAD = frozenset({"sent", "received", "waitlisted", "accepted", "started"})
"""Statuses in which the person has somewhere to go."""


@dataclass(frozen=True)
class Slip:
    """What a slip is printed from. shared: the receiver's view of the referral. language: of who prints it."""

    referral: Referral
    recipient: Mapping[str, Any]
    referrer: Mapping[str, Any]
    offer: Mapping[str, Any] | None
    shared: Mapping[str, Any]
    language: str


class SlipPages:
    """The slip and the pages of its code. secret: the hub's. address: the page on which a code is typed."""

    def __init__(self, edge: Edge, pages: Pages, secret: str, address: str) -> None:
        self._edge = edge
        self._pages = pages
        self._secret = secret
        self._address = address
        self._wrong_codes = RateLimit("slip code", 20, 600)
        self._messages = RateLimit("word", 5, 600)

    def printed(self, caller: Call, named: UUID | str, reader: Reader) -> HTMLResponse:
        """The slip of a referral, for its referrer or the person's home partner. Raises Problem 404."""
        partner = partner_of(caller.principal)
        found = self._edge.query(lambda conn: self._slip(conn, named, partner, caller), caller)
        referral, recipient, referrer = found.referral, found.recipient, found.referrer
        words = reader.words(found.language)
        code = private_code(self._secret, PURPOSE, referral.id)
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
            where=_where(referral, recipient, found.offer, words),
            when=_when(referral, words),
            recipient=recipient,
            shared=_shared(found.shared, words),
            stop=words.text("slip.stop_text", home=referrer["name"], phone=referrer["phone"]),
            code=code,
            address=self._address,
            qr=Markup(_qr(f"{self._address}/{code.replace('-', '')}")),  # noqa: S704 - drawn by the hub
            printed=words.text("slip.printed", date=words.day(caller.today.isoformat())),
            trial=bool(referral.facts.get("trial")),
        )

    def _slip(self, conn: Connection, named: UUID | str, partner: str, caller: Call) -> Slip:
        """What a slip is printed from; records that it is printed. Raises Problem 404."""
        referral = REFERRALS.find(conn, named)
        mine = referral is not None and partner in (referral.referrer, referral.home)
        if referral is None or not mine or referral.facts.get("erased"):
            raise refusals.not_found("referral")
        code = private_code(self._secret, PURPOSE, referral.id)
        store.keep(conn, code_hash(code) or b"", referral.id, caller.now)
        rows = directory.partners_of(conn, {partner, referral.referrer, referral.recipient})
        as_received = as_would_be_seen(conn, referral, referral.recipient, caller.now)
        return Slip(
            referral,
            rows[referral.recipient],
            rows[referral.referrer],
            directory.offer(conn, referral.offer) if referral.offer else None,
            sheet(as_received, referral.recipient, referral.ref, caller.today),
            rows[partner]["language"],
        )

    def entered(self, form: SubmittedForm, reader: Reader) -> Response:
        """Open a typed code."""
        words = reader.words()
        if not form.fields.get("code"):
            return self._pages.page("enter", words, 422, problem=words.text("errors.missing"))
        return self.opened(form.fields["code"][:60], reader)

    def opened(self, code: str, reader: Reader) -> Response:
        """Go on to the page of a code, which its address does not tell."""
        words = reader.words()
        referral = self._behind(code, reader.address, words)
        if isinstance(referral, HTMLResponse):
            return referral
        answer = RedirectResponse(f"/s?language={words.language}", 303, HEADERS)
        secure = self._address.startswith("https")
        kept = {"httponly": True, "samesite": "lax", "secure": secure, "path": "/s"}
        answer.set_cookie(_COOKIE, typed(code), max_age=_COOKIE_SECONDS, **kept)  # type: ignore[arg-type]
        return answer

    def shown(self, code: str | None, reader: Reader, said: str | None = None) -> HTMLResponse:
        """The page of the code that was opened last, or the field for one. said: what was just sent."""
        words = reader.words()
        if not code:
            return self._pages.page("enter", words, problem=None)
        referral = self._behind(code, reader.address, words)
        if isinstance(referral, HTMLResponse):
            return referral
        if said in _SAYABLE:
            return self._pages.page("said", words, said=words.code("Said", str(said)))
        return self._page(referral, words)

    def sent(self, code: str | None, form: SubmittedForm, reader: Reader) -> Response:
        """Record a message of the person, for the referrer; the browser goes on to its confirmation."""
        words = reader.words()
        referral = self._behind(code, reader.address, words)
        if isinstance(referral, HTMLResponse):
            return referral
        said: Any = form.fields.get("said")
        if said not in _SAYABLE or form.key is None:
            return self._page(referral, words, 422, "missing")
        about = str(referral.id)
        if self._spent(self._messages, about):
            return self._refused(words, _TOO_MANY)
        try:
            self._edge(
                page_call(CLIENT, None, form),
                lambda work: Answer({"reference": commands.record_message(work, referral.id, said).reference}),
            )
        except Problem as problem:
            if problem.code != "still_running":  # the form was submitted twice: the first request records it
                return self._page(referral, words, problem.status, "other")
        except Busy:
            return self._page(referral, words, 503, "unavailable")
        self._count(self._messages, about)
        return RedirectResponse(f"/s?language={words.language}&said={said}", 303, HEADERS)

    def _behind(self, code: str | None, caller: str, words: Words) -> Referral | HTMLResponse:
        """The referral that a code opens, or the page of an invalid code: the same whatever is wrong with it."""
        if not code:
            return self._pages.page("enter", words, 404, problem=words.text("code.closed"))
        if self._spent(self._wrong_codes, caller):
            return self._refused(words, _TOO_MANY)
        hashed = code_hash(code)

        def look(conn: Connection) -> Referral | None:
            referral_id = store.referral_of(conn, hashed) if hashed else None
            referral = REFERRALS.find(conn, referral_id) if referral_id else None
            return referral if referral and not referral.facts.get("erased") else None

        found = self._edge.query(look, page_call(CLIENT, None))
        if found is None:
            self._count(self._wrong_codes, caller)
            return self._refused(words, 404)
        return found

    def _spent(self, limit: RateLimit, whose: str) -> bool:
        return transact(self._edge.ground.engine, lambda conn: limit.spent(conn, whose, now()))

    def _count(self, limit: RateLimit, whose: str) -> None:
        transact(self._edge.ground.engine, lambda conn: limit.count(conn, whose, now()))

    def _refused(self, words: Words, status: int) -> HTMLResponse:
        """Where a code is typed, with what is wrong: the field stays, so that it can be typed again at once."""
        sentence = words.text("code.too_many" if status == _TOO_MANY else "code.wrong")
        return self._pages.page("enter", words, status, problem=sentence)

    def _page(self, referral: Referral, words: Words, status: int = 200, problem: str | None = None) -> HTMLResponse:
        def look(conn: Connection) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
            offer = directory.offer(conn, referral.offer) if referral.offer else None
            return directory.partners_of(conn, {referral.recipient})[referral.recipient], offer

        recipient, offer = self._edge.query(look, page_call(CLIENT, None))
        return self._pages.page(
            "code",
            words,
            status,
            now=words.code("Status", referral.status),
            ahead=referral.status in _AHEAD,
            when=_when(referral, words),
            where=_where(referral, recipient, offer, words),
            recipient=recipient,
            options=[(code, words.code("Said", code)) for code in _SAYABLE],
            problem=problem,
            key=new_key(),
        )


def routes(edge: Edge, pages: Pages, secret: str, public_address: str) -> APIRouter:
    """`/referrals/{id}/slip`, `/s` and `/s/{code}`. public_address: the base URL of the hub's pages."""
    router = APIRouter(tags=["pages"])
    slips = SlipPages(edge, pages, secret, f"{public_address}/s")
    html = HTMLResponse

    @router.get("/referrals/{id}/slip", summary="The person's slip, a printable page", response_class=html)
    def slip(id: IdOrReference, caller: Partner, reader: PageReader) -> HTMLResponse:  # noqa: A002
        return slips.printed(caller, act_named(id, "referrals"), reader)

    def shown(reader: PageReader, jalons_slip: Kept = None, said: JustSaid = None) -> HTMLResponse:
        return slips.shown(jalons_slip, reader, said)

    @router.post("/s", summary="To the page of a slip's code", response_class=html, openapi_extra=OPENAPI_FORM)
    def entered(form: Submitted, reader: PageReader) -> Response:
        return slips.entered(form, reader)

    def opened(code: Code, reader: PageReader) -> Response:
        return slips.opened(code, reader)

    what = "A word of the person to who accompanies them"

    @router.post("/s/word", summary=what, response_class=html, openapi_extra=OPENAPI_FORM)
    def said(form: Submitted, reader: PageReader, jalons_slip: Kept = None) -> Response:
        return slips.sent(jalons_slip, form, reader)

    pages_of = (("/s", shown, "A slip's status, or where its code is typed"), ("/s/{code}", opened, "Open a code"))
    for path, page, what in pages_of:
        router.add_api_route(path, page, methods=["GET"], summary=what, response_class=html)
        router.add_api_route(path, page, methods=["HEAD"], include_in_schema=False)
    return router


def _qr(address: str) -> str:
    """An address as a QR code, an SVG without a style of its own."""
    return str(segno.make(address, error="m", micro=False).svg_inline(scale=4, border=4, light="#fff"))


def _where(
    referral: Referral, recipient: Mapping[str, Any], offer: Mapping[str, Any] | None, words: Words
) -> list[str]:
    """The recipient's name, and the most exact address known."""
    address = where(recipient, referral.facts.get("place"), (offer or {}).get("place"))
    return [recipient["name"], address or words.code("Nis", recipient["commune_nis"])]


def _when(referral: Referral, words: Words) -> str:
    first = referral.facts.get("first_contact_on")
    if first:
        return words.text("slip.when_appointment", date=words.day(first))
    if referral.facts["contact"] == "person_comes":
        return words.text("slip.when_person_comes", reference=referral.reference)
    return words.text("slip.when_will_call", date=words.day(referral.facts["reply_by"]))


def _shared(body: Mapping[str, Any], words: Words) -> list[str]:
    """What the receiver sees of the person, one line each. body: the receiver's view of the referral."""
    lists = {"reason": "ReferralReason", "goal": "Goal", "chosen_by": "ChosenBy"}
    keys = {"reason": "shared_reason", "goal": "shared_goal", "chosen_by": "shared_chosen"}
    lines = [
        words.text(f"slip.{keys[name]}", **{name: words.code(codes, body[name])})
        for name, codes in lists.items()
        if body.get(name)
    ]
    bands = in_words.profile(body.get("disclosed") or {}, words)
    return lines + [words.text("slip.shared_band", label=label, said=text) for label, text in bands]
