"""`GET /pathways/{beneficiary}`: all of a person's pathway for the home partner, for others what they took part in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Engine

from jalons import clock
from jalons.database import transaction
from jalons.privacy import audit as audits
from jalons.privacy.audit import Audit
from jalons.privacy.disclosure import Alias, cut
from jalons.privacy.visibility import Role, visible
from jalons.web.application import Actor
from jalons.web.identity import Principal, require
from jalons.web.problems import Problem
from schemas.codes import ChosenBy, Goal, Moment
from schemas.envelope import Event
from services.observation.pathways import rows
from services.observation.pathways.rules import Step

Caller = Annotated[Principal, Depends(require("partner"))]


class Meaning(BaseModel):
    """What the step is for, as far as it is known and the reader may know it."""

    goal: Goal | None = None
    chosen_by: ChosenBy | None = None
    follows: UUID | None = Field(None, description="the step it builds on")


class SeenStep(BaseModel):
    """One step; several may be open at once. `cause`: the id of the event that began it."""

    moment: Moment
    entered_at: datetime
    left_at: datetime | None
    partner: str
    cause: UUID
    meaning: Meaning


class SeenEvent(BaseModel):
    """One event, as it was recorded. `sequence` and `causation` are the home partner's alone."""

    id: UUID
    type: str
    source: str
    time: datetime
    recorded: datetime
    partner: str | None = Field(None, description="who acted; hidden from employers")
    sequence: int | None = None
    causation: UUID | None = None


class Pathway(BaseModel):
    """What the hub knew at `as_of`, under the ref or alias that the reader asked by."""

    beneficiary: UUID
    as_of: datetime
    steps: list[SeenStep]
    events: list[SeenEvent]


def pathway_routes(engine: Engine, alias: Alias, audit: Audit) -> APIRouter:
    """The route; each call writes a line to the audit."""
    routes = APIRouter(tags=["pathways"])

    @routes.get(
        "/pathways/{beneficiary}",
        summary="A person's pathway",
        response_model=Pathway,
        response_model_exclude_unset=True,
    )
    def pathway(
        beneficiary: str,
        caller: Caller,
        by: Actor,
        as_of: Annotated[AwareDatetime | None, Query(description="what the hub knew then; default: now")] = None,
    ) -> Pathway:
        """By the ref for the home partner. Another partner asks by its own alias and sees the events it is a party
        to, without causation and numbering, and its own steps without their meaning."""
        reader = caller.partner or ""
        then = as_of or clock.now()
        name = _name(beneficiary)
        with transaction(engine) as conn:
            person = rows.person_of(conn, name, reader)
            if person is None:
                raise _unknown()
            events = rows.events_of(conn, person, then)
            steps = rows.steps_of(conn, person, then)
            call = audits.Caller(caller, clock.new_id(), clock.now(), by)
            audit.write(conn, call, [audits.AuditLine(str(person), "pathway")])
        if person == name:
            return Pathway(
                beneficiary=person,
                as_of=then,
                steps=[_step(step, Role.HOME) for step in steps],
                events=[_whole(event) for event in events],
            )
        return Pathway(
            beneficiary=alias(str(person), reader),
            as_of=then,
            steps=[_step(step, Role.RECEIVER) for step in steps if step.partner == reader],
            events=[_partly(seen) for event in events if (seen := cut(event, reader, alias))],
        )

    return routes


def _name(beneficiary: str) -> UUID:
    try:
        return UUID(beneficiary)
    except ValueError:
        raise _unknown() from None


def _unknown() -> Problem:
    return Problem(
        404,
        "not_found",
        "You know no person by that name here.",
        "Ask by the beneficiary you were given when the person was registered or referred to you.",
    )


def _step(step: Step, role: Role) -> SeenStep:
    place = {"moment": step.moment, "entered_at": step.entered_at, "left_at": step.left_at}
    meaning = {"goal": step.goal, "chosen_by": step.chosen_by, "follows": step.follows}
    shown = visible("step", place | {"partner": step.partner, "cause": step.cause} | meaning, role)
    return SeenStep.model_validate(shown | {"meaning": {name: shown.get(name) for name in meaning}})


def _whole(event: Event) -> SeenEvent:
    return SeenEvent(
        id=event.id,
        type=event.type,
        source=event.source,
        time=event.time,
        recorded=event.recorded,
        partner=event.partner,
        sequence=event.sequence,
        causation=event.causation,
    )


def _partly(seen: dict[str, Any]) -> SeenEvent:
    """From the event as it is cut for the reader; nothing that was cut away comes back."""
    shown = {name: seen[name] for name in ("id", "type", "source", "time", "partner") if name in seen}
    return SeenEvent.model_validate(shown | {"recorded": seen["recordedtime"]})
