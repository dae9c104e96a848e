"""A person's whole pathway in plain words: a page that only the home partner may print, to give to the person."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from services.referrals import refusals
from services.referrals.acts.rows import PLACEMENTS, REFERRALS, TRAININGS
from services.referrals.acts.rules import Act
from services.referrals.calls.edge import Edge, call, partner_of
from services.referrals.directory import rows as directory
from services.referrals.pages.in_words import PARTNERS, Directory
from services.referrals.pages.render import Pages
from services.referrals.pages.requests import PageReader
from services.referrals.pages.way import steps
from services.referrals.persons import rows as persons
from services.referrals.work import Call

Home = Annotated[Call, Depends(call("partner"))]


def routes(edge: Edge, pages: Pages) -> APIRouter:
    """`/beneficiaries/{beneficiary}/way`."""
    router = APIRouter(tags=["pages"])

    @router.get(
        "/beneficiaries/{beneficiary}/way", summary="A person's way, a printable page", response_class=HTMLResponse
    )
    def way(beneficiary: UUID, caller: Home, reader: PageReader) -> HTMLResponse:
        home = partner_of(caller.principal)

        def look(conn: Connection) -> tuple[list[Act], dict[str, Any]]:
            person = persons.find(conn, beneficiary, home)
            if person is None or person.home != home:
                raise refusals.not_found("beneficiary")
            acts: list[Act] = [
                act
                for store in (REFERRALS, TRAININGS, PLACEMENTS)
                for act in store.of_person(conn, person.ref, lock=False)
            ]
            named = {slug for act in acts for role, slug in act.parties().items() if role in PARTNERS}
            return acts, directory.partners_of(conn, {home, *named})

        acts, rows = edge.query(look, caller)
        words = reader.words(rows[home]["language"])
        names = Directory.of(rows, {})
        return pages.page(
            "way",
            words,
            steps=steps(acts, words, names),
            intro=words.text("way.intro", date=words.day(caller.today.isoformat())),
            correct=words.text("way.correct", home=rows[home]["name"], phone=rows[home]["phone"]),
        )

    return router
