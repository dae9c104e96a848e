"""A partner without an account answers by a link: what GET shows it in words, and its open actions as forms.

Who holds the link may act: that is its point, and why no cookie and no session exist. A forged request from another
site (CSRF) would have to know the address, whose signature nobody can make and which no page hands on
(`Referrer-Policy: no-referrer`); there is nothing that a browser would send along by itself.

A GET changes nothing, however often a mail scanner follows it: only the button does, once for each form.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import Connection

from jalons.database import Busy
from jalons.privacy.links import AnswerLinks, Named
from jalons.web.problems import Problem
from schemas.codes import Language
from services.referrals.acts import commands
from services.referrals.acts.http import ACTIONS, seen
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS, Acts
from services.referrals.acts.rules import Act, is_over, must_give, open_to
from services.referrals.calls.edge import Answer, Edge
from services.referrals.directory import rows as directory
from services.referrals.pages import forms, in_words
from services.referrals.pages.formdata import BODY, Form, by_page, new_key, sent_form
from services.referrals.pages.render import Pages
from services.referrals.pages.words import Words, chosen
from services.referrals.work import Call, Work

Token = Annotated[str, Path(max_length=300)]
Asked = Annotated[Language | None, Query(description="the page's language, instead of the partner's own")]
Sent = Annotated[Form, Depends(sent_form)]

CLIENT = "lien"
"""What stands for the caller of an act that was done by a link."""
STORES: Mapping[str, Acts[Any]] = {"referral": REFERRALS, "training": TRAININGS, "placement": PLACEMENTS}
_TRIES, _PAUSE_SECONDS = 10, 0.2
"""Pressed twice: the second waits for what the first comes to, and shows it."""
_SAME_AGAIN = frozenset({"stale", "transition_not_allowed", "idempotency_key_reused"})
"""What the form was for is no more: the page is shown as it is now, without what was typed."""
_SAID = {
    "national_number": "national_number",
    "control_character": "text",
    "no_place_left": "no_place_left",
    "already_recorded": "already_recorded",
}
"""A refusal that names no field → the sentence that says what to do."""


@dataclass(frozen=True)
class Visit:
    """An act through a link, as this partner sees it now. body: what GET answers; contact: the other party's name
    (None where the partner is not told it), phone and hours. caller: the partner, through the link."""

    named: Named
    caller: Call
    state: Act
    body: Mapping[str, Any]
    partner: Mapping[str, Any]
    contact: Mapping[str, Any]
    directory: in_words.Directory

    @property
    def over(self) -> bool:
        """Whether nothing is left to answer."""
        return is_over(self.state, self.named.partner)


class Answers:
    """What the routes do. links: reads tokens; pages: renders."""

    def __init__(self, edge: Edge, links: AnswerLinks, pages: Pages) -> None:
        self._edge = edge
        self._links = links
        self._pages = pages

    def show(self, token: str, asked: str | None, accepted: str | None) -> HTMLResponse:
        """The page of a link."""
        visit = self._visit(token)
        words = chosen(asked, visit.partner["language"] if visit else None, accepted)
        if visit is None:
            return self._wrong(words)
        return self._closed(visit, words) if visit.over else self._page(visit, words)

    def answer(self, token: str, form: Form, asked: str | None, accepted: str | None) -> HTMLResponse:
        """Record what the form says, and say that it is."""
        visit = self._visit(token)
        words = chosen(asked, visit.partner["language"] if visit else None, accepted)
        if visit is None:
            return self._wrong(words)
        action = form.typed.get("action", "")
        body = ACTIONS[f"{visit.named.noun}s"].get(action)
        if form.too_large or body is None or form.key is None:
            return self._page(visit, words, 413 if form.too_large else 422, "too_large" if form.too_large else "other")
        asks = must_give(visit.state, action, visit.named.partner) if action in self._open(visit) else frozenset[str]()
        try:
            given = forms.given(body, form.typed, asks)
            recorded = self._recorded(visit, action, given, form)
        except forms.Wrong as wrong:
            return self._page(visit, words, 422, "see", form, wrong.errors)
        except Problem as problem:
            return self._refused(token, visit, words, form, problem)
        except Busy:
            return self._page(visit, words, 503, "unavailable", form)
        return self._done(visit, words, action, given, recorded)

    def _visit(self, token: str) -> Visit | None:
        """The act and partner of a link; None whatever is wrong with it."""
        named = self._links.read(token)
        if named is None:
            return None
        caller = by_page(CLIENT, named.partner)

        def look(conn: Connection) -> Visit | None:
            state = STORES[named.noun].find(conn, named.id)
            if state is None or not state.party(named.partner):
                return None
            body = seen(conn, state, caller, self._edge).body
            slugs = {str(body[name]) for name in in_words.PARTNERS & body.keys()}
            rows = directory.partners_of(conn, {*slugs, *state.parties().values()})
            offer = directory.offer(conn, body["offer"]) if body.get("offer") else None
            if rows[named.partner]["status"] == "left":
                return None
            other = next((p for p in state.parties().values() if p != named.partner), named.partner)
            told = other in {body.get(name) for name in in_words.PARTNERS}
            contact = {"name": rows[other]["name"] if told else None} | {
                name: rows[other][name] for name in ("phone", "phone_hours")
            }
            names = {slug: row["name"] for slug, row in rows.items()}
            offers = {offer["offer"]: offer["title"]} if offer else {}
            return Visit(named, caller, state, body, rows[named.partner], contact, in_words.Directory(names, offers))

        return self._edge.query(look, caller)

    @staticmethod
    def _open(visit: Visit) -> list[str]:
        return [] if visit.over else open_to(visit.state, visit.named.partner, visit.caller.today)

    def _recorded(self, visit: Visit, action: str, given: Mapping[str, Any], form: Form) -> Mapping[str, Any]:
        """What the ordinary command answers, or answered when the same form came first. Raises Problem, Busy."""
        store, named = STORES[visit.named.noun], visit.named
        for left in reversed(range(_TRIES)):
            call = by_page(CLIENT, named.partner, form)
            try:
                answer = self._edge(call, lambda work: self._stepped(work, store, named, action, given))
            except Problem as problem:
                if problem.code != "still_running" or not left:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return _body(answer)
        raise AssertionError("unreachable")

    def _stepped(self, work: Work, store: Acts[Any], named: Named, action: str, given: Mapping[str, Any]) -> Answer:
        return seen(work.conn, commands.step(work, store, named.id, action, given), work.call, self._edge)

    def _refused(self, token: str, visit: Visit, words: Words, form: Form, problem: Problem) -> HTMLResponse:
        """A refusal of the rules, where it can be mended: beside its field, or at the head of the page as it is now."""
        if problem.code in _SAME_AGAIN:
            now = self._visit(token) or visit
            return self._closed(now, words) if now.over else self._page(now, words, problem.status, problem.code)
        errors = {
            str(each["at"]): "missing" if problem.code == "missing" else forms.KINDS[each["at"]]
            for each in problem.extra.get("fields", [])
            if each["at"] in forms.KINDS
        }
        known = _SAID.get(problem.code, "see" if errors else "other")
        return self._page(visit, words, problem.status, known, form, errors)

    def _page(
        self,
        visit: Visit,
        words: Words,
        status: int = 200,
        problem: str | None = None,
        form: Form | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """The act and what can be answered. form: what was typed, kept with what is wrong with it."""
        noun, tried = visit.named.noun, form.typed.get("action") if form else None
        sections = []
        for action in self._open(visit):
            body = ACTIONS[f"{noun}s"].get(action)
            if body is not None:
                mine = action == tried and form is not None
                typed, wrong = (form.typed if form and mine else None), (errors if mine else None)
                asks = must_give(visit.state, action, visit.named.partner)
                sections.append(forms.section(noun, action, body, asks, words, typed, wrong))
        offered = [section for section in sections if section]
        return self._pages.page(
            "answer",
            words,
            status,
            **self._common(visit, words),
            sections=offered,
            problem=problem,
            changed=problem in _SAME_AGAIN,
            wrong=[
                (f"{s.action}-{each.name}", each.label, each.error) for s in offered for each in s.inputs if each.error
            ],
            tried=tried,
            version=visit.state.version,
            key=form.key if form and form.key and problem != "other" else new_key(),
            facts=in_words.facts(noun, visit.body, words, visit.directory),
            profile=in_words.profile(visit.body.get("disclosed") or {}, words),
        )

    def _done(
        self, visit: Visit, words: Words, action: str, given: Mapping[str, Any], recorded: Mapping[str, Any]
    ) -> HTMLResponse:
        rows = []
        for name in forms.KINDS:
            if given.get(name) is not None:
                kept = f"{action}_reason" if name == "reason" else name
                said = in_words.said(visit.named.noun, kept, recorded.get(kept, given[name]), words, visit.directory)
                rows.append((words.field(name), said))
        over = not set(recorded["actions"]) - {"reopen", "void"}
        context = self._common(visit, words) | {"now": words.code("Status", recorded["status"])}
        called = words.action(visit.named.noun, action) or action
        return self._pages.page("recorded", words, **context, action=called, given=rows, over=over)

    def _common(self, visit: Visit, words: Words) -> dict[str, Any]:
        noun = words.text(f"nouns.{visit.named.noun}")
        return {
            "noun": noun,
            "heading": f"{noun} {visit.state.reference}",
            "reference": visit.state.reference,
            "now": words.code("Status", visit.state.status),
            "partner": visit.partner["name"],
            "contact": visit.contact,
            "trial": bool(visit.state.facts.get("trial")),
        }

    def _closed(self, visit: Visit, words: Words) -> HTMLResponse:
        phone = words.text("closed.phone", phone=visit.contact["phone"], reference=visit.state.reference)
        sentences = [words.text("closed.over"), phone]
        return self._pages.page(
            "closed", words, 410, heading=words.text("closed.title"), sentences=sentences, again=True
        )

    def _wrong(self, words: Words) -> HTMLResponse:
        """The same for all that is no link of ours, so that it says nothing of what exists."""
        sentences = [words.text("closed.wrong"), words.text("closed.wrong_cure")]
        return self._pages.page(
            "closed", words, 404, heading=words.text("closed.wrong_title"), sentences=sentences, again=True
        )


def routes(edge: Edge, links: AnswerLinks, pages: Pages) -> APIRouter:
    """`/answer/{token}`."""
    router = APIRouter(tags=["pages"])
    answers = Answers(edge, links, pages)

    def show(token: Token, request: Request, language: Asked = None) -> HTMLResponse:
        return answers.show(token, language, request.headers.get("accept-language"))

    def answer(token: Token, request: Request, form: Sent, language: Asked = None) -> HTMLResponse:
        return answers.answer(token, form, language, request.headers.get("accept-language"))

    path, html = "/answer/{token}", HTMLResponse
    router.add_api_route(path, show, methods=["GET"], summary="What waits, by the link of a mail", response_class=html)
    router.add_api_route(path, show, methods=["HEAD"], include_in_schema=False)
    router.add_api_route(
        path, answer, methods=["POST"], summary="Answer by the link", response_class=html, openapi_extra=BODY
    )
    return router


def _body(answer: JSONResponse) -> Mapping[str, Any]:
    body: dict[str, Any] = json.loads(bytes(answer.body))
    return body
