"""`GET /pathways/{beneficiary}`: all of a person's pathway for the home partner, for others what they took part in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
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
from jalons.privacy.own_ids import OwnId, day_of
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
    """One step, its times to the day; several may be open at once. `cause`: the id of the event that began it."""

    moment: Moment
    entered_at: datetime
    left_at: datetime | None
    partner: str
    cause: UUID
    meaning: Meaning


class SeenEvent(BaseModel):
    """One event, as it was recorded: to the day if another partner acted. `sequence` and `causation` are the home
    partner's alone."""

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


def pathway_routes(engine: Engine, alias: Alias, own: OwnId, audit: Audit) -> APIRouter:
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
        to, without causation and numbering, and its own steps without their meaning; `as_of` means the whole of its
        day then."""
        reader = caller.partner or ""
        then = as_of or clock.now()
        name = _name(beneficiary)

        def shown(event: Event) -> SeenEvent | None:
            seen = cut(event, reader, alias, own)
            return _shown(seen) if seen else None

        with transaction(engine) as conn:
            person = rows.person_of(conn, name, reader)
            if person is None:
                raise _unknown()
            upto = then if person == name else min(day_of(then + timedelta(days=1)), clock.now())
            events = rows.events_of(conn, person, upto)
            steps = rows.steps_of(conn, person, upto)
            call = audits.Caller(caller, clock.new_id(), clock.now(), by)
            audit.write(conn, call, [audits.AuditLine(str(person), "pathway")])
        at_home = person == name
        return Pathway(
            beneficiary=person if at_home else alias(str(person), reader),
            as_of=then,
            steps=[
                _step(step, Role.HOME if at_home else Role.RECEIVER, lambda known: own(known, reader))
                for step in steps
                if at_home or step.partner == reader
            ],
            events=[seen for event in events if (seen := shown(event))],
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


def _step(step: Step, role: Role, own: Callable[[UUID], UUID]) -> SeenStep:
    left = day_of(step.left_at) if step.left_at else None
    place = {"moment": step.moment, "entered_at": step.entered_at and day_of(step.entered_at), "left_at": left}
    meaning = {"goal": step.goal, "chosen_by": step.chosen_by, "follows": step.follows}
    cause = step.cause and own(step.cause)
    shown = visible("step", place | {"partner": step.partner, "cause": cause} | meaning, role)
    return SeenStep.model_validate(shown | {"meaning": {name: shown.get(name) for name in meaning}})


def _shown(seen: dict[str, Any]) -> SeenEvent:
    """From the event as it is cut for the reader; nothing that was cut away comes back."""
    shown: dict[str, Any] = {
        name: seen[name] for name in ("id", "type", "source", "time", "partner", "sequence") if name in seen
    }
    if "causationid" in seen:
        shown["causation"] = seen["causationid"]
    return SeenEvent.model_validate(shown | {"recorded": seen["recordedtime"]})
