"""One person's way, played by the partners' own calls, and what must then be true of pathway, counts and messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx

from jalons.cli.demo.caller import Caller, DemoFailed
from jalons.cli.network.file import read, shipped
from jalons.cli.network.plan import carry_out, plan

Say = Callable[[str, str], None]
"""Who, and what they do."""

HOTTON, TRUSQUIN, EMPLOYER, COORDINATION = "cpas-hotton", "le-trusquin", "residence-de-l-ourthe", "integra-plus"

PROFILE = {
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


@dataclass
class Story:
    """The demo's actors and what came of it."""

    http: httpx.Client
    info: dict[str, Any]
    say: Say
    today: date
    actors: dict[str, Caller] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    beneficiary: str = ""

    def load(self) -> None:
        """The network as `jalons network load` loads it, and clients for the actors."""
        operator = Caller(self.http, self.info, **self.info["operator"])
        self.actors["operator"] = operator
        network = read(shipped("integra-plus.yaml"))
        carry_out(plan(network, operator), operator, lambda _: None)
        self.names = {slug: partner.name for slug, partner in network.partners.items()}
        for slug in (HOTTON, TRUSQUIN, EMPLOYER, COORDINATION):
            scopes = ["coordinator"] if slug == COORDINATION else ["partner", "read:counts"]
            made = operator("POST", f"/partners/{slug}/clients", {"scopes": scopes})
            self.actors[slug] = Caller(self.http, self.info, made["client_id"], made["client_secret"])

    def play(self) -> None:
        """From the CPAS's call to the job, over three months."""
        referral = self._referred()
        self._trained(referral)
        self._placed()

    def _referred(self) -> dict[str, Any]:
        sent = {
            "person": {"profile": PROFILE, "local_ref": "H-2026-114"},
            "agreement": {"channel": "paper", "attributes": ["age_band", "obstacles"]},
            "recipient": TRUSQUIN,
            "offer": "auxiliaire-de-soins",
            "moment": "formation",
            "reason": "training",
            "goal": "qualify",
            "chosen_by": "together",
            "contact": "receiver_calls_referrer",
            "happened_on": self._day(90),
        }
        referral = self._act(HOTTON, "adresse une personne au Trusquin, avec son accord", "/referrals", sent)
        self.beneficiary = referral["beneficiary"]
        self._act(
            TRUSQUIN,
            f"accepte le relais {referral['ref']}",
            f"/referrals/{referral['ref']}/accept",
            {"first_contact_on": self._day(83), "happened_on": self._day(86)},
        )
        return referral

    def _trained(self, referral: dict[str, Any]) -> None:
        known_as = self.actors[TRUSQUIN]("GET", f"/referrals/{referral['referral_id']}")["beneficiary"]
        planned = {
            "beneficiary": known_as,
            "referral_id": referral["ref"],
            "kind": "formation",
            "goal": "qualify",
            "chosen_by": "together",
            "planned_start": self._day(80),
            "happened_on": self._day(83),
        }
        training = self._act(TRUSQUIN, "inscrit la personne en formation", "/trainings", planned)
        at = f"/trainings/{training['training_id']}"
        self._act(TRUSQUIN, "commence la formation", f"{at}/start", {"started_on": self._day(80)})
        done = {"outcome": "acquired", "hours_done": 240, "happened_on": self._day(25)}
        self._act(TRUSQUIN, "termine la formation, acquise", f"{at}/complete", done)

    def _placed(self) -> None:
        consent = {"partners": [EMPLOYER], "purposes": ["employer"], "channel": "paper"}
        self._act(HOTTON, "note l'accord pour cet employeur", f"/beneficiaries/{self.beneficiary}/consents", consent)
        proposed = {
            "beneficiary": self.beneficiary,
            "employer": EMPLOYER,
            "kind": "cdd",
            "occupation": "J1501",
            "goal": "find_job",
            "chosen_by": "person",
            "planned_start": self._day(1),
            "happened_on": self._day(20),
        }
        placement = self._act(HOTTON, "propose un contrat à la Résidence de l'Ourthe", "/placements", proposed)
        at = f"/placements/{placement['ref']}"
        self._act(EMPLOYER, f"confirme {placement['ref']}", f"{at}/confirm", {"happened_on": self._day(15)})
        self._act(EMPLOYER, "la personne commence à travailler", f"{at}/start", {"started_on": self._day(1)})

    def _act(self, who: str, what: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.actors[who]("POST", path, body)
        self.calls += 1
        self.say(self.names[who], what)
        return answer

    def _day(self, ago: int) -> str:
        return (self.today - timedelta(days=ago)).isoformat()

    def outcome(self, seconds: float = 30) -> dict[str, Any]:
        """Pathway, counts and deliveries once they are true. Raises DemoFailed with what is not, after `seconds`."""
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
        """What the mail catcher caught."""
        return list(self.actors["operator"]("GET", "/mailbox", service="notifications")["items"])

    def _pathway(self) -> dict[str, Any]:
        try:
            return self.actors[HOTTON]("GET", f"/pathways/{self.beneficiary}", service="observation")
        except DemoFailed:
            return {"steps": [], "events": []}

    def _counts(self) -> dict[str, int]:
        months = f"from={self._day(120)[:7]}&to={self._day(0)[:7]}"
        ask = self.actors[COORDINATION]
        return {
            measure: ask("GET", f"/counts?measure={measure}&by=month&{months}", service="observation")["total"]
            for measure in MEASURES
        }

    def _deliveries(self) -> list[dict[str, Any]]:
        found = self.actors["operator"]("GET", "/deliveries?limit=100", service="notifications")["items"]
        return [{name: each[name] for name in ("type", "channel", "recipient", "status")} for each in found]

    def _false(self, found: dict[str, Any]) -> list[str]:
        """What is not as the story says."""
        false = []
        if sorted({step["moment"] for step in found["pathway"]["steps"]}) != sorted(MOMENTS):
            false.append(f"the pathway has not the moments {', '.join(MOMENTS)}")
        log = self._log()
        if len(found["pathway"]["events"]) < len(log):
            false.append("the pathway has not every event of the log")
        if not all(event["causation"] for event in found["pathway"]["events"]):
            false.append("an event of the pathway has no cause")
        recount = Counter(_COUNTED[event["type"]] for event in log if event["type"] in _COUNTED)
        if found["counts"] != {measure: recount[measure] for measure in MEASURES}:
            false.append(f"the counts {found['counts']} are not those of the log {dict(recount)}")
        told = {each["recipient"] for each in found["deliveries"] if each["status"] == "sent"}
        if not {HOTTON, TRUSQUIN, EMPLOYER} <= told or any(each["status"] != "sent" for each in found["deliveries"]):
            false.append("not every message went out")
        return false

    def _log(self) -> list[dict[str, Any]]:
        """The log's events of the person, as the home partner polls them."""
        events: list[dict[str, Any]] = []
        after = 0
        while True:
            page = self.actors[HOTTON]("GET", f"/events?after={after}&limit=500")
            events += [event for event in page["items"] if event["subject"] == self.beneficiary]
            if page["next"] == after:
                return events
            after = page["next"]
