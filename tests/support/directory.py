"""Partners, conventions and offers that no other test uses."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from jalons.clock import local_date, now
from tests.support.network import PARTNERS, Network, Partner

MOMENTS = ["projet", "preformation", "formation", "experience"]


def day(away: int) -> str:
    """The date `away` days from today."""
    return (local_date(now()) + timedelta(days=away)).isoformat()


def name(kind: str) -> str:
    """A unique name."""
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def joined(network: Network, like: str = "le-trusquin", **more: Any) -> Partner:
    """Add a partner to the network, with a client."""
    slug = name("partner")
    network.operator.done("PUT", f"/partners/{slug}", PARTNERS[like] | {"mailbox": f"relais@{slug}.example"} | more)
    made = network.operator.done("POST", f"/partners/{slug}/clients", {"scopes": ["partner", "read:counts"]})
    return Partner(network, slug, made["client_id"], made["client_secret"])


def agreed(network: Network, sender: str, *receivers: str, **more: Any) -> str:
    """Sign a convention that lets `sender` refer to `receivers`; returns its id."""
    signed = network.operator.done(
        "POST",
        "/conventions",
        {
            "parties": [sender, *receivers],
            "valid_from": "2026-01-01",
            "scope": [{"from": sender, "to": to, "moments": MOMENTS} for to in receivers],
            "shared_attributes": ["age_band"],
            "legal_basis": "6.1.e",
            **more,
        },
    )
    return str(signed["convention_id"])


def offered(partner: Partner, **more: Any) -> str:
    """Publish an offer of a partner; returns its name."""
    offer = name("offer")
    record = {
        "partner": partner.slug,
        "title": "Remise à niveau",
        "moment": "formation",
        "type": "formation",
        "places": 3,
        "commune_nis": "83034",
        **more,
    }
    partner.done("PUT", f"/offers/{offer}", record)
    return offer
