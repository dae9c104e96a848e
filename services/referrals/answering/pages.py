"""The page of an answer link: a partner without an account sees one act there, and answers it by a form.

Whoever holds the link may act, so there is no cookie and no session, and nothing that a browser sends by itself. A
forged request from another site (CSRF) would need the address, whose signature nobody else can make and which the page
hands on to nobody (`Referrer-Policy: no-referrer`). GET changes nothing, however often a mail scanner follows the link;
each form is recorded once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from jalons.database import Busy
from jalons.privacy.links import AnswerLinks, LinkTarget
from jalons.web.identity import Principal
from jalons.web.problems import Problem
from schemas.routing import COORDINATOR
from services.referrals.acts import commands
from services.referrals.acts.bodies import Plain
from services.referrals.acts.fronting import contact_of
from services.referrals.acts.http import ACTIONS, again, seen
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import Act, is_held, is_over, must_give, open_to
from services.referrals.calls.edge import Answer, Edge
from services.referrals.directory import rows as directory
from services.referrals.pages import in_words, inputs
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
from services.referrals.slips.commands import GO_ON, record_going_on
from services.referrals.work import Call, Work

Token = Annotated[str, Path(max_length=300)]
Done = Annotated[str | None, Query(max_length=40, description="the action that was just recorded")]

CLIENT = "lien"
"""The client that the audit names for an act done by a link."""
STORES: Mapping[str, Acts[Any]] = {"referral": REFERRALS, "training": TRAININGS, "placement": PLACEMENTS}
_COORDINATOR = {"name": None, "language": "fr", "status": "active"}
"""The coordinator's record: the directory has none of her."""
_TRIES, _PAUSE_SECONDS = 10, 0.2
"""A form submitted twice: the second request waits for the first one's answer."""
_OUTDATED = frozenset({"stale", "transition_not_allowed", "idempotency_key_reused"})
"""The form no longer applies: the page is shown as the act is now, without what was typed."""
_SENTENCES = {
    "national_number": "national_number",
    "control_character": "text",
    "no_place_left": "no_place_left",
    "already_recorded": "already_recorded",
}
"""Code of a problem that names no field → the sentence that says what to do."""


@dataclass(frozen=True)
class Visit:
    """One opening of a link: the act as its partner sees it now.

    caller: the partner, through the link. body: what GET answers. contact: the other party's name (None where the
    partner may not know it), phone and hours.
    """

    named: LinkTarget
    caller: Call
    state: Act
    body: Mapping[str, Any]
    partner: Mapping[str, Any]
    contact: Mapping[str, Any]
    directory: in_words.Directory

    @property
    def coordinator(self) -> bool:
        """Whether the coordinator reads it; she answers nothing."""
        return self.named.partner == COORDINATOR

    @property
    def over(self) -> bool:
        """Whether nothing is left to answer."""
        return is_over(self.state, self.named.partner)

    @property
    def places(self) -> dict[str, str]:
        """The receiver's places: code → address."""
        return {code: address for (slug, code), address in self.directory.places.items() if slug == self.state.receiver}

    def addressed(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fields of the act, with the address of the place that they name."""
        place = fields.get("place")
        return {**fields, "place": self.directory.address(self.state.receiver, place)} if place else fields


class AnswerPages:
    """The pages behind answer links."""

    def __init__(self, edge: Edge, links: AnswerLinks, pages: Pages) -> None:
        self._edge = edge
        self._links = links
        self._pages = pages

    def show(self, token: str, reader: Reader, done: str | None = None) -> HTMLResponse:
        """The page of a link. done: the action that was just recorded through it, which is confirmed first."""
        visit = self._visit(token)
        words = reader.words(visit.partner["language"] if visit else None)
        if visit is None:
            return self._wrong(words)
        if done is not None and (label := words.action(visit.named.noun, done)):
            return self._done(visit, words, done, label)
        return self._page(visit, words)

    def answer(self, token: str, form: SubmittedForm, reader: Reader) -> Response:
        """Record the answer that a form gives; the browser goes on to its confirmation, which may be reloaded."""
        visit = self._visit(token)
        words = reader.words(visit.partner["language"] if visit else None)
        if visit is None:
            return self._wrong(words)
        action = form.fields.get("action", "")
        body = _body_of(visit.named.noun, action)
        if form.too_large or visit.coordinator or body is None or form.key is None:
            return self._page(visit, words, 413 if form.too_large else 422, "too_large" if form.too_large else "other")
        required = self._required(visit, action)
        try:
            given = inputs.given(body, form.fields, required)
            self._recorded(visit, action, given, form)
        except inputs.Wrong as wrong:
            return self._page(visit, words, 422, "see", form, wrong.errors)
        except Problem as problem:
            return self._refused(token, visit, words, form, problem)
        except Busy:
            return self._page(visit, words, 503, "unavailable", form)
        return RedirectResponse(f"?language={words.language}&done={action}", 303, HEADERS)

    def _visit(self, token: str) -> Visit | None:
        """The visit that a link opens; None if the link opens nothing, for whatever reason."""
        named = self._links.read(token)
        if named is None:
            return None
        caller = page_call(CLIENT, named.partner)
        if named.partner == COORDINATOR:
            caller = replace(caller, principal=Principal(CLIENT, None, frozenset({"coordinator"})))
        return self._edge.query(lambda conn: self._opened(conn, named, caller), caller)

    def _opened(self, conn: Connection, named: LinkTarget, caller: Call) -> Visit | None:
        state = STORES[named.noun].find(conn, named.id)
        if state is None or commands.acting_as(caller, state) is None:
            return None
        body = seen(conn, state, caller, self._edge).body
        slugs = {str(body[name]) for name in in_words.PARTNERS & body.keys()}
        rows = directory.partners_of(conn, {*slugs, *state.parties().values()})
        partner = rows.get(named.partner, _COORDINATOR)
        if partner["status"] == "left":
            return None
        offer = directory.offer(conn, body["offer"]) if body.get("offer") else None
        names = in_words.Directory.of(rows, {offer["offer"]: offer["title"]} if offer else {})
        return Visit(
            named,
            caller,
            state,
            body,
            partner,
            contact_of(conn, state, named.partner, caller.now),
            names,
        )

    @staticmethod
    def _open(visit: Visit) -> list[str]:
        if visit.over:
            return []
        answers = [GO_ON] if is_held(visit.state) and "referrer" in visit.state.party(visit.named.partner) else []
        return answers + open_to(visit.state, visit.named.partner, visit.caller.today)

    def _required(self, visit: Visit, action: str) -> frozenset[str]:
        open_now = action in self._open(visit) and action != GO_ON
        return must_give(visit.state, action, visit.named.partner) if open_now else frozenset()

    def _recorded(self, visit: Visit, action: str, given: Mapping[str, Any], form: SubmittedForm) -> None:
        """Run the ordinary command; a form submitted before changes nothing. Raises Problem, Busy."""
        store, named = STORES[visit.named.noun], visit.named

        def step(work: Work) -> Answer:
            if action == GO_ON:
                return seen(work.conn, record_going_on(work, named.id), work.call, self._edge)
            return seen(work.conn, commands.step(work, store, named.id, action, given), work.call, self._edge)

        for left in reversed(range(_TRIES)):
            try:
                caller = page_call(CLIENT, named.partner, form)
                self._edge(caller, step, again(self._edge, store, caller))
                return
            except Problem as problem:
                if problem.code != "still_running" or not left:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _refused(self, token: str, visit: Visit, words: Words, form: SubmittedForm, problem: Problem) -> HTMLResponse:
        """The page with a refusal, beside the field it is about or at the head of the page."""
        if problem.code in _OUTDATED:
            now = self._visit(token) or visit
            return self._page(now, words, problem.status, problem.code)
        errors = {
            str(each["at"]): "missing" if problem.code == "missing" else inputs.KINDS[each["at"]]
            for each in problem.extra.get("fields", [])
            if each["at"] in inputs.KINDS
        }
        sentence = _SENTENCES.get(problem.code, "see" if errors else "other")
        return self._page(visit, words, problem.status, sentence, form, errors)

    def _page(
        self,
        visit: Visit,
        words: Words,
        status: int = 200,
        problem: str | None = None,
        form: SubmittedForm | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """The act and its open actions. form: what was typed, shown again with its errors by field."""
        noun, tried = visit.named.noun, form.fields.get("action") if form else None
        sections = []
        for action in self._open(visit):
            body = _body_of(noun, action)
            if body is not None:
                mine = action == tried and form is not None
                typed, wrong = (form.fields if form and mine else None), (errors if mine else None)
                required = self._required(visit, action)
                places = visit.places
                sections.append(inputs.section(noun, action, body, required, words, typed, wrong, places))
        offered = [section for section in sections if section]
        return self._pages.page(
            "answer",
            words,
            status,
            **self._common(visit, words),
            sections=offered,
            over=visit.over and not visit.coordinator,
            problem=problem,
            changed=problem in _OUTDATED,
            wrong=[
                (f"{s.action}-{each.name}", each.label, each.error) for s in offered for each in s.inputs if each.error
            ],
            tried=tried,
            version=visit.state.version,
            key=form.key if form and form.key and problem != "other" else new_key(),
            facts=in_words.facts(noun, visit.addressed(visit.body), words, visit.directory),
            profile=in_words.profile(visit.body.get("disclosed") or {}, words),
        )

    def _done(self, visit: Visit, words: Words, action: str, label: str) -> HTMLResponse:
        """What was recorded, as the act has it now. label: of the action."""
        body = _body_of(visit.named.noun, action)
        stored = {f"{action}_reason" if n == "reason" else n: n for n in inputs.KINDS if n in _fields(body)}
        fields = visit.addressed({name: visit.body[name] for name in stored if visit.body.get(name) is not None})
        rows = [
            (words.field(stored[name]), in_words.text_of(visit.named.noun, name, value, words, visit.directory))
            for name, value in fields.items()
        ]
        over = not set(self._open(visit)) - {"reopen", "void"}
        return self._pages.page("recorded", words, **self._common(visit, words), action=label, given=rows, over=over)

    def _common(self, visit: Visit, words: Words) -> dict[str, Any]:
        noun = words.text(f"nouns.{visit.named.noun}")
        return {
            "noun": noun,
            "heading": f"{noun} {visit.state.reference}",
            "reference": visit.state.reference,
            "now": words.code("Status", visit.state.status),
            "partner": visit.partner["name"] or words.text("answer.coordinator"),
            "contact": visit.contact,
            "trial": bool(visit.state.facts.get("trial")),
        }

    def _wrong(self, words: Words) -> HTMLResponse:
        """The same page for every invalid link, so that it says nothing about what exists."""
        sentences = [words.text("closed.wrong"), words.text("closed.wrong_cure")]
        return self._pages.page(
            "closed", words, 404, heading=words.text("closed.wrong_title"), sentences=sentences, again=True
        )


def routes(edge: Edge, links: AnswerLinks, pages: Pages) -> APIRouter:
    """`/answer/{token}`."""
    router = APIRouter(tags=["pages"])
    answers = AnswerPages(edge, links, pages)

    def show(token: Token, reader: PageReader, done: Done = None) -> HTMLResponse:
        return answers.show(token, reader, done)

    def answer(token: Token, form: Submitted, reader: PageReader) -> Response:
        return answers.answer(token, form, reader)

    path, html = "/answer/{token}", HTMLResponse
    router.add_api_route(path, show, methods=["GET"], summary="What waits, by the link of a mail", response_class=html)
    router.add_api_route(path, show, methods=["HEAD"], include_in_schema=False)
    router.add_api_route(
        path, answer, methods=["POST"], summary="Answer by the link", response_class=html, openapi_extra=OPENAPI_FORM
    )
    return router


def _body_of(noun: str, action: str) -> type[BaseModel] | None:
    """The body of an action that a page may take."""
    return Plain if (noun, action) == ("referral", GO_ON) else ACTIONS[f"{noun}s"].get(action)


def _fields(body: type[BaseModel] | None) -> Mapping[str, Any]:
    return body.model_fields if body else {}
