"""An offer's places are counted under its row's lock whenever a step takes or frees one: they are never oversold."""

from __future__ import annotations

from jalons.messaging.outbox import Cause, Draft
from schemas.offer import CapacityChangedV1
from services.referrals.acts.rules import Act
from services.referrals.directory import places
from services.referrals.directory import rows as directory
from services.referrals.tables import offers
from services.referrals.work import Work


def settle_places(work: Work, before: Act, after: Act) -> None:
    """Recount the offer whose place a saved step took or freed, and record the event if its status changes by it.

    Of two callers who take the last place, the lock makes the second one wait, and it is refused. The event names the
    hub as its partner, so that it does not tell who freed a place. Raises NoPlaceLeft.
    """
    change = places.moved(before, after)
    offer = directory.offer(work.conn, change[0], lock=True) if change else None
    if change is None or offer is None:
        return
    taken = directory.taken(work.conn, offer)
    if change[1] and taken > offer["places"]:
        raise places.NoPlaceLeft(offer["places"])
    status = places.status(offer["status"], offer["places"], taken)
    if status == offer["status"]:
        return
    directory.set_status(work.conn, offers, offer["offer"], status)
    event = CapacityChangedV1.model_validate({**offer, "status": status, "taken": taken})
    cause = Cause(work.call.id, work.call.id, work.call.traceparent)
    work.events.append(Draft(offer["offer"], event, work.call.now, "hub", cause))
