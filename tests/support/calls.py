"""Request bodies that the hub accepts, checks of error responses, and counts of what was written."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import psycopg

from tests.support.days import day
from tests.support.network import ATTRIBUTES, PROFILE, Network, Partner, eventually

TABLES = ("events", "partners", "conventions", "offers", "beneficiaries", "consents", "referrals", "trainings")


def written(network: Network) -> list[int]:
    """Numbers of rows and of changes in referrals' tables; unchanged if nothing was written."""
    counted = ", ".join(
        f"(SELECT count(*) FROM referrals.{table})" for table in (*TABLES, "placements", "clients", "idempotency")
    )
    changed = ", ".join(f"(SELECT coalesce(sum(version), 0) FROM referrals.{each})" for each in TABLES[1:4])
    acted = ", ".join(f"(SELECT coalesce(sum(version), 0) FROM referrals.{each})" for each in TABLES[6:])
    with psycopg.connect(network.info["database"]) as conn:
        return list(conn.execute(f"SELECT {counted}, {changed}, {acted}").fetchone() or ())


def end_of_log(reader: Partner) -> str:
    """A partner's cursor at the end of referrals' log, once all events are sent."""

    def all_sent() -> bool:
        with psycopg.connect(reader.network.info["database"]) as conn:
            row = conn.execute("SELECT max(position), count(*) FROM referrals.events").fetchone()
        return bool(row and row[0] == row[1])

    eventually(all_sent)
    after = "0"
    while (following := reader.done("GET", f"/events?limit=1000&after={after}")["next"]) != after:
        after = following
    return after


def sheet(**more: Any) -> dict[str, Any]:
    """An acceptable body of a referral; None leaves a field out."""
    body = {
        "person": {"profile": PROFILE},
        "recipient": "le-trusquin",
        "moment": "formation",
        "reason": "training",
        "goal": "qualify",
        "chosen_by": "together",
        "contact": "receiver_calls_referrer",
        "agreement": {"channel": "paper", "attributes": ATTRIBUTES},
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


def course(**more: Any) -> dict[str, Any]:
    """A body of a training, for an unknown person by default."""
    sense = {"kind": "formation", "goal": "qualify", "chosen_by": "together", "planned_start": day(10)}
    return {"beneficiary": str(uuid.uuid4()), **sense, **more}


def work(**more: Any) -> dict[str, Any]:
    """A body of a placement, for an unknown person by default."""
    sense = {"kind": "cdd", "goal": "find_job", "chosen_by": "person", "planned_start": day(10)}
    return {"beneficiary": str(uuid.uuid4()), "employer": "home-hotton", **sense, **more}


def offer(**more: Any) -> dict[str, Any]:
    """A body of an offer of Le Trusquin."""
    return {
        "partner": "le-trusquin",
        "title": "Remise à niveau",
        "moment": "preformation",
        "type": "preformation",
        "places": 8,
        "commune_nis": "83034",
        **more,
    }


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that the response is this problem, with all its members; returns the problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert all(problem[member] for member in ("type", "title", "detail", "cure"))
    return dict(problem)
