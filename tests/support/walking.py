"""Takes acts through their life cycles with the public API: to any status by the shortest path, then further."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.referrals.acts import lifecycle
from services.referrals.acts.lifecycle import AUTHOR, BEFORE, STAYS, Table, Transition
from tests.support.network import ATTRIBUTES, Network, Partner

Said = Mapping[str, Any]
COORDINATOR = "integra-plus"


@dataclass(frozen=True)
class Walk:
    """One of the three life cycles in a network. begin: creates an act. parties: role → partner. given: action →
    request body."""

    network: Network
    noun: str
    table: Table
    parties: Mapping[str, str]
    begin: Callable[[], dict[str, Any]]
    given: Mapping[str, Said]

    def steps(self) -> Iterator[tuple[Transition, str, str]]:
        """Each transition that a partner can take, from each status that can be reached, by each role."""
        for row in self.table:
            for source in sorted(row.source):
                for role in sorted(row.by - {lifecycle.HUB}):
                    if self.way(source) is not None:
                        yield row, source, role

    def way(self, status: str) -> list[Transition] | None:
        """The shortest path to a status by the parties' actions; None if only the hub's own actions reach it."""
        start = next(row.target for row in self.table if not row.source)
        ways: dict[str, list[Transition]] = {start: []}
        queue = [start]
        for at in queue:
            for row in self.table:
                walked = row.source and row.by - {lifecycle.HUB, AUTHOR} and row.target not in (STAYS, BEFORE)
                if walked and at in row.source and row.target not in ways:
                    ways[row.target] = [*ways[at], row]
                    queue.append(row.target)
        return ways.get(status)

    def at(self, status: str) -> dict[str, Any]:
        """Create an act and take it to a status."""
        made = self.begin()
        author = ""
        for row in self.way(status) or ():
            author = sorted(row.by & self.parties.keys())[0]
            self.act(made, row.action, author)
        return {**self.seen(made), "author": author}

    def walk(self, row: Transition, source: str, role: str) -> tuple[str, str]:
        """Take a transition from a status in a role; returns the expected status and the actual one."""
        made = self.at(source)
        before = (self.way(source) or [])[-1:]
        left = next((s for s in before[0].source if self.way(s) is not None), "") if before else ""
        self.act(made, row.action, str(made["author"]) if role == AUTHOR else role)
        expected = {STAYS: source, BEFORE: self._left(source)}.get(row.target, row.target)
        return expected or left, str(self.seen(made)["status"])

    def act(self, made: Said, action: str, role: str) -> dict[str, Any]:
        """Take an action in a role."""
        return self.who(role).done("POST", f"/{self.noun}s/{made['ref']}/{action}", dict(self.given.get(action, {})))

    def seen(self, made: Said) -> dict[str, Any]:
        """The act as its first party sees it."""
        return self.who(next(iter(self.parties))).done("GET", f"/{self.noun}s/{made['ref']}")

    def who(self, role: str) -> Partner:
        """The partner in a role."""
        return self.network[COORDINATOR if role == lifecycle.Office.COORDINATOR else self.parties[role]]

    def _left(self, status: str) -> str:
        """The status before the last step of the path to a status."""
        steps = self.way(status) or []
        here = next(row.target for row in self.table if not row.source)
        for step in steps[:-1]:
            here = step.target
        return here


def walks(network: Network, today: str) -> dict[str, Walk]:
    """The three life cycles between CPAS Hotton, Le Trusquin, a second operator and an employer.

    The network needs the offers `assez-de-places` of Le Trusquin and `chez-rendeux` of the partner `rendeux`.
    """
    home = network["cpas-hotton"]
    person = home.refer("le-trusquin")["beneficiary"]
    to_employer = {"partners": ["home-hotton"], "purposes": ["employer"], "channel": "oral"}
    home.done("POST", f"/beneficiaries/{person}/consents", to_employer)
    sense = {"goal": "qualify", "chosen_by": "together", "planned_start": today, "beneficiary": person}
    started, stopped = {"started_on": today}, {"reason": "person_stops"}
    error = {"reason": "recorded_in_error"}
    agreement = {"channel": "oral", "attributes": ATTRIBUTES}
    referral = {
        "accept": {"first_contact_on": today},
        "waitlist": {"rank": 3},
        "decline": {"reason": "distance_mobility", "declined_by": "provider"},
        "redirect": {"recipient": "rendeux", "agreement": agreement},
        "cancel": stopped,
        "start": started,
        "complete": {"outcome": "reached"},
        "interrupt": stopped,
        "reopen": error,
        "suggest": {"offer": "chez-rendeux"},
        "void": error,
    }
    training = {
        "start": started,
        "suspend": {"reason": "health_pause"},
        "complete": {"outcome": "acquired", "hours_done": 40},
        "interrupt": stopped,
        "cancel": stopped,
    }
    placement = {
        "refuse": {"reason": "no_place"},
        "start": started,
        "cancel": stopped,
        "evaluate": {"outcome": "reached"},
        "end": {"ended_on": today, "reason": "end_of_contract"},
        "follow-up": {"months": 3, "situation": "in_job"},
    }
    course = {**sense, "kind": "formation", "offer": "assez-de-places"}
    work = {**sense, "kind": "cdd", "employer": "home-hotton"}
    made = (
        ("referral", lifecycle.REFERRAL, "referrer recipient", lambda: home.refer("le-trusquin"), referral),
        ("training", lifecycle.TRAINING, "home operator", lambda: home.done("POST", "/trainings", course), training),
        (
            "placement",
            lifecycle.PLACEMENT,
            "proposer employer home",
            lambda: home.done("POST", "/placements", work),
            placement,
        ),
    )
    who = {"recipient": "le-trusquin", "operator": "le-trusquin", "employer": "home-hotton"}
    return {
        noun: Walk(network, noun, table, {r: who.get(r, "cpas-hotton") for r in roles.split()}, begin, given)
        for noun, table, roles, begin, given in made
    }
