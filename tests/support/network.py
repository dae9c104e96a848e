"""A small Intégra Plus, used through the public API as partners' systems use it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

PROFILE = {
    "age_band": "25-29",
    "sex": "F",
    "commune_nis": "83028",
    "education": "lower_secondary",
    "status": "ris",
    "household": "alone_children",
    "obstacles": ["mobilite", "garde_enfants"],
}
ATTRIBUTES = ["age_band", "obstacles"]


def partner(kind: str, moments: list[str], **more: Any) -> dict[str, Any]:
    """A partner's record without its slug."""
    return {
        "name": more.pop("name"),
        "kind": kind,
        "sector": more.pop("sector", "public"),
        "commune_nis": "83028",
        "moments": moments,
        "secrecy_class": more.pop("secrecy_class", "secret_458"),
        "mailbox": more.pop("mailbox"),
        "phone": "+32 84 46 00 00",
        **more,
    }


PARTNERS = {
    "cpas-hotton": partner("cpas", ["accueil"], name="CPAS de Hotton", mailbox="insertion@cpas-hotton.example"),
    "cpas-erezee": partner("cpas", ["accueil"], name="CPAS d'Érezée", mailbox="insertion@cpas-erezee.example"),
    "le-trusquin": partner(
        "training_operator",
        ["projet", "preformation", "formation"],
        name="EFT Le Trusquin",
        mailbox="accueil@le-trusquin.example",
        sector="associative",
        secrecy_class="discretion",
        address="Rue de la Gare 3, 6900 Marche",
        places=[
            {"code": "atelier", "address": "Rue du Marché 1, 6900 Marche"},
            {"code": "quai", "address": "Quai 4, 6990 Hotton"},
        ],
    ),
    "forem-marche": partner(
        "public_employment_service", ["projet", "formation"], name="FOREM Marche", mailbox="relais@forem.example"
    ),
    "home-hotton": partner(
        "employer",
        ["experience"],
        name="Maison de repos de Hotton",
        mailbox="rh@home-hotton.example",
        secrecy_class="none",
    ),
    "integra-plus": partner(
        "association_chapitre_xii",
        [],
        name="Intégra Plus",
        mailbox="coordination@integra.example",
        front=True,
    )
    | {"phone": "+32 86 99 99 99"},
}


@dataclass
class Partner:
    """A partner's system: a client of the hub with its own token."""

    network: Network
    slug: str
    client_id: str
    client_secret: str
    scopes: str | None = None
    _token: str = ""

    def token(self) -> str:
        """A token, requested once."""
        if not self._token:
            self._token = self.network.token(self.client_id, self.client_secret)
        return self._token

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        service: str = "referrals",
        **more: Any,
    ) -> httpx.Response:
        """A call as this partner. A POST carries a new idempotency key unless one is given."""
        headers = {"Authorization": f"Bearer {self.token()}", **more.pop("headers", {})}
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        return self.network.http.request(
            method, f"{self.network.info[service]}{path}", json=body, headers=headers, **more
        )

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """Make a call that must succeed; returns its JSON."""
        answer = self.call(method, path, body, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def refer(self, to: str, *, beneficiary: str | None = None, **more: Any) -> dict[str, Any]:
        """Refer a new person (or a known one) for training, with the agreement."""
        body: dict[str, Any] = {
            "recipient": to,
            "moment": "formation",
            "reason": "training",
            "goal": "qualify",
            "chosen_by": "together",
            "contact": "receiver_calls_referrer",
            "agreement": {"channel": "paper", "attributes": ATTRIBUTES},
            **more,
        }
        if beneficiary:
            body["beneficiary"] = beneficiary
        else:
            body.setdefault("person", {"profile": PROFILE})
        return self.done("POST", "/referrals", body)


@dataclass
class Network:
    """Access to a hub. info: as `hub.json` has it."""

    info: dict[str, Any]
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))
    partners: dict[str, Partner] = field(default_factory=dict)

    def token(self, client_id: str, client_secret: str, scope: str | None = None) -> str:
        """A token for a client."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        answer = self.http.post(
            f"{self.info['referrals']}/oauth/token", data=form | ({"scope": scope} if scope else {})
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @property
    def operator(self) -> Partner:
        """The operator, who may also write the directory."""
        operator = self.info["operator"]
        return Partner(self, "operator", operator["client_id"], operator["client_secret"])

    def __getitem__(self, slug: str) -> Partner:
        return self.partners[slug]

    def load(self) -> Network:
        """Create partners, clients, one convention and one offer."""
        operator = self.operator
        for slug, record in PARTNERS.items():
            self.join(slug, record, ["coordinator"] if slug == "integra-plus" else ["partner", "read:counts"])
        operator.done("POST", "/conventions", self.convention())
        offer = {
            "partner": "le-trusquin",
            "title": "Auxiliaire polyvalente de soins",
            "moment": "formation",
            "type": "formation",
            "places": 15,
            "commune_nis": "83034",
        }
        operator.done("PUT", "/offers/auxiliaire-de-soins", offer)
        return self

    def join(self, slug: str, record: dict[str, Any], scopes: list[str]) -> Partner:
        """Add a partner with a client of these scopes."""
        self.operator.done("PUT", f"/partners/{slug}", record)
        made = self.operator.done("POST", f"/partners/{slug}/clients", {"scopes": scopes})
        self.partners[slug] = Partner(self, slug, made["client_id"], made["client_secret"])
        return self.partners[slug]

    @staticmethod
    def convention() -> dict[str, Any]:
        """A convention by which both CPAS may refer to Le Trusquin and the employer, but not to the FOREM."""
        moments = {"le-trusquin": ["projet", "preformation", "formation"], "home-hotton": ["experience"]}
        homes = ["cpas-hotton", "cpas-erezee"]
        return {
            "parties": [*homes, *moments],
            "valid_from": "2026-01-01",
            "scope": [{"from": home, "to": to, "moments": which} for home in homes for to, which in moments.items()],
            "shared_attributes": ["age_band", "obstacles", "education"],
            "legal_basis": "6.1.e",
        }

    def mails(self) -> list[dict[str, Any]]:
        """Messages in the mail catcher."""
        return list(self.operator.done("GET", "/mailbox", service="notifications")["items"])

    def pathway(self, home: str, beneficiary: str) -> dict[str, Any] | None:
        """The pathway as its home partner sees it now; None if observation does not know it yet."""
        answer = self[home].call("GET", f"/pathways/{beneficiary}", service="observation")
        return answer.json() if answer.status_code == 200 else None


def eventually(what: Any, seconds: float = 20) -> Any:
    """Call `what` until its result is truthy, and return it. Raises AssertionError with the last one at the end."""
    until = time.monotonic() + seconds
    found = None
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s; last: {found!r}")
