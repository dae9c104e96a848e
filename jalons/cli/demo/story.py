"""Plays one person's pathway through the public API, then checks the pathway, the counts and the messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from jalons.cli.network.file import read, shipped
from jalons.cli.network.plan import carry_out, plan
from jalons.client import Answer, Client, NotFound
from jalons.client.bodies import Profile

Say = Callable[[str, str], None]
"""Who, and what they do."""

HOTTON, TRUSQUIN, EMPLOYER, COORDINATION = "cpas-hotton", "le-trusquin", "residence-de-l-ourthe", "integra-plus"

PROFILE: Profile = {
    "age_band": "25-29",
    "sex": "F",
    "commune_nis": "6990",
    "education": "lower_secondary",
    "status": "ris",
    "household": "alone_children",
    "obstacles": ["mobilite", "garde_enfants"],
}
MEASURES = (
    "persons_new",
    "referrals_sent",
    "referrals_accepted",
    "referrals_declined",
    "trainings_started",
    "placements_started",
)
_COUNTED = {
    "jalons.beneficiary.registered.v1": "persons_new",
    "jalons.referral.sent.v1": "referrals_sent",
    "jalons.referral.accepted.v1": "referrals_accepted",
    "jalons.referral.declined.v1": "referrals_declined",
    "jalons.training.started.v1": "trainings_started",
    "jalons.placement.started.v1": "placements_started",
}
MOMENTS = ["accueil", "formation", "preparation_emploi", "experience"]


class DemoFailed(Exception):
    """The result differs from the story."""


@dataclass
class Story:
    """The demo's actors, each a client of the public API, and the results."""

    info: dict[str, Any]
    say: Say
    today: date
    actors: dict[str, Client] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    beneficiary: str = ""

    def load(self) -> None:
        """Load the network and create a client for each actor. Raises HubError, as all methods here."""
        operator = self._enters("operator", **self.info["operator"])
        network = read(shipped("integra-plus.yaml"))
        carry_out(plan(network, operator.call), operator.call, lambda _: None)
        self.names = {slug: partner.name for slug, partner in network.partners.items()}
        for slug in (HOTTON, TRUSQUIN, EMPLOYER, COORDINATION):
            scopes = ["coordinator"] if slug == COORDINATION else ["partner", "read:counts"]
            made = operator.partners.add_client(slug, scopes=scopes)
            self._enters(slug, made["client_id"], made["client_secret"])

    def close(self) -> None:
        """Close every actor's client."""
        for actor in self.actors.values():
            actor.close()

    def play(self) -> None:
        """From the CPAS's referral to the job, over three months."""
        referral = self._referred()
        self._trained(referral)
        self._placed()

    def _enters(self, who: str, client_id: str, client_secret: str) -> Client:
        self.actors[who] = Client(self.info, client_id, client_secret)
        return self.actors[who]

    def _referred(self) -> Answer:
        referral = self.actors[HOTTON].referrals.send(
            person={"profile": PROFILE, "local_ref": "H-2026-114"},
            agreement={"channel": "paper", "attributes": ["age_band", "obstacles"]},
            recipient=TRUSQUIN,
            offer="auxiliaire-de-soins",
            moment="formation",
            reason="training",
            goal="qualify",
            chosen_by="together",
            contact="receiver_calls_referrer",
            happened_on=self._day(90),
        )
        self._did(HOTTON, "adresse une personne au Trusquin, avec son accord")
        self.beneficiary = referral["beneficiary"]
        self.actors[TRUSQUIN].referrals.accept(
            referral["ref"], first_contact_on=self._day(83), happened_on=self._day(86)
        )
        self._did(TRUSQUIN, f"accepte le relais {referral['ref']}")
        return referral

    def _trained(self, referral: Answer) -> None:
        trusquin = self.actors[TRUSQUIN]
        training = trusquin.trainings.enrol(
            beneficiary=trusquin.referrals.get(referral["ref"])["beneficiary"],
            referral_id=referral["ref"],
            kind="formation",
            goal="qualify",
            chosen_by="together",
            planned_start=self._day(80),
            happened_on=self._day(83),
        )
        self._did(TRUSQUIN, "inscrit la personne en formation")
        trusquin.trainings.start(training["ref"], started_on=self._day(80))
        self._did(TRUSQUIN, "commence la formation")
        trusquin.trainings.complete(training["ref"], outcome="acquired", hours_done=240, happened_on=self._day(25))
        self._did(TRUSQUIN, "termine la formation, acquise")

    def _placed(self) -> None:
        hotton, employer = self.actors[HOTTON], self.actors[EMPLOYER]
        hotton.beneficiaries.consent(self.beneficiary, partners=[EMPLOYER], purposes=["employer"], channel="paper")
        self._did(HOTTON, "note l'accord pour cet employeur")
        placement = hotton.placements.propose(
            beneficiary=self.beneficiary,
            employer=EMPLOYER,
            kind="cdd",
            occupation="J1501",
            goal="find_job",
            chosen_by="person",
            planned_start=self._day(1),
            happened_on=self._day(20),
        )
        self._did(HOTTON, "propose un contrat à la Résidence de l'Ourthe")
        employer.placements.confirm(placement["ref"], happened_on=self._day(15))
        self._did(EMPLOYER, f"confirme {placement['ref']}")
        employer.placements.start(placement["ref"], started_on=self._day(1))
        self._did(EMPLOYER, "la personne commence à travailler")

    def _did(self, who: str, what: str) -> None:
        self.say(self.names[who], what)

    def _day(self, ago: int) -> str:
        return (self.today - timedelta(days=ago)).isoformat()

    def outcome(self, seconds: float = 30) -> dict[str, Any]:
        """Pathway, counts and deliveries once all checks pass; after `seconds`, raises DemoFailed."""
        until = time.monotonic() + seconds
        while True:
            found = {"pathway": self._pathway(), "counts": self._counts(), "deliveries": self._deliveries()}
            false = self._false(found)
            if not false:
                return found
            if time.monotonic() > until:
                raise DemoFailed("; ".join(false))
            time.sleep(0.1)

    def mails(self) -> list[dict[str, Any]]:
        """Messages in the mail catcher."""
        return list(self.actors["operator"].call("GET", "/mailbox", service="notifications")["items"])

    def _pathway(self) -> dict[str, Any]:
        try:
            return self.actors[HOTTON].pathways.get(self.beneficiary)
        except NotFound:
            return {"steps": [], "events": []}

    def _counts(self) -> dict[str, int]:
        counts, first, last = self.actors[COORDINATION].counts, self._day(120)[:7], self._day(0)[:7]
        return {measure: counts(measure, by=["month"], first=first, last=last)["total"] for measure in MEASURES}

    def _deliveries(self) -> list[dict[str, Any]]:
        found = self.actors["operator"].deliveries.list()
        return [{name: each[name] for name in ("type", "channel", "recipient", "status")} for each in found]

    def _false(self, found: dict[str, Any]) -> list[str]:
        """The checks that fail."""
        false = []
        if sorted({step["moment"] for step in found["pathway"]["steps"]}) != sorted(MOMENTS):
            false.append(f"the pathway does not have the moments {', '.join(MOMENTS)}")
        log = self._log()
        if len(found["pathway"]["events"]) < len(log):
            false.append("the pathway lacks events of the log")
        if not all(event["causation"] for event in found["pathway"]["events"]):
            false.append("an event of the pathway has no cause")
        recount = Counter(_COUNTED[event["type"]] for event in log if event["type"] in _COUNTED)
        if found["counts"] != {measure: recount[measure] for measure in MEASURES}:
            false.append(f"the counts {found['counts']} are not those of the log {dict(recount)}")
        told = {each["recipient"] for each in found["deliveries"] if each["status"] == "sent"}
        if not {HOTTON, TRUSQUIN, EMPLOYER} <= told or any(each["status"] != "sent" for each in found["deliveries"]):
            false.append("not every message went out")
        return false

    def _log(self) -> list[Answer]:
        """The log's events of the person, as the home partner polls them."""
        return [event for event in self.actors[HOTTON].events() if event["subject"] == self.beneficiary]
