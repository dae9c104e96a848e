"""What an employer gets speaks for the network, by its front; unless the CPAS is a party to it, or the person agreed.

An employer is outside professional secrecy, and that a public welfare centre knows a person is a secret. So an employer
hears of nobody but the front. ART 60 and ART 61 make the centre a party, so that the employer knows it. If the person's
agreement names `accompanist`, the employer is given the proposer's telephone, but not its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jalons.clock import local_date
from schemas.codes import EmployerCalls
from schemas.envelope import Payload
from schemas.placement import NAMES_THE_PROPOSER
from services.referrals import refusals
from services.referrals.acts.rules import Act, Placement
from services.referrals.agreements import rows as agreements
from services.referrals.directory import rows as directory
from services.referrals.work import Work

Row = Mapping[str, Any]
ACCOMPANIST = "accompanist"


def check_front(conn: Connection) -> None:
    """Raises Problem 422 if nobody speaks to employers for the network."""
    if directory.front(conn) is None:
        raise refusals.no_front()


def told(work: Work, state: Act, event: Payload) -> Payload:
    """The event, saying whose telephone its employer is given by what the person agrees to now."""
    employer = employer_of(state)
    if employer is None or "employer_calls" not in type(event).model_fields:
        return event
    return event.model_copy(update={"employer_calls": employer_calls(work.conn, state, work.call.now)})


def employer_of(state: Act) -> str | None:
    """The party that is outside professional secrecy; None if no party is, or it accompanies the person itself."""
    parties = state.parties()
    if state.facts.get("recipient_kind", "employer") != "employer":
        return None
    slug = parties.get("employer") or parties.get("recipient")
    return None if slug in {None, state.home, parties.get("proposer"), parties.get("referrer")} else slug


def names_the_proposer(state: Act) -> bool:
    """Whether the kind of placement makes the proposer known to the employer."""
    return isinstance(state, Placement) and state.facts.get("kind") in NAMES_THE_PROPOSER


def employer_calls(conn: Connection, state: Act, now: datetime) -> EmployerCalls:
    """Whose telephone the employer of an act is given now."""
    if names_the_proposer(state):
        return "proposer"
    employer, today = employer_of(state) or "", local_date(now)
    conventions = directory.signed_of(conn, employer)
    named = (c for c in agreements.consents_of(conn, state.ref) if ACCOMPANIST in c.attributes)
    return "proposer" if any(c.covers(employer, "employer", today, conventions) for c in named) else "front"


def contact_of(conn: Connection, state: Act, reader: str, now: datetime) -> dict[str, Any]:
    """Whom a party of an act may call about it: `name` (None where the reader may not know it), `phone`, `phone_hours`.

    For an employer that is the front, whose absence leaves the telephone empty.
    """
    parties = state.parties()
    two = [slug for role, slug in parties.items() if role != "home" or len(parties) == 2]
    other = next((slug for slug in two if slug != reader), reader)
    sender = parties.get("proposer") or parties.get("referrer") or other
    if employer_of(state) != reader or names_the_proposer(state):
        return _called(directory.partner(conn, sender if employer_of(state) == reader else other))
    front = directory.front(conn)
    if employer_calls(conn, state, now) == "proposer":
        return _called(directory.partner(conn, sender)) | {"name": front["name"] if front else None}
    return _called(front)


def _called(row: Row | None) -> dict[str, Any]:
    return {name: (row or {}).get(name) for name in ("name", "phone", "phone_hours")}
