"""More partners to redirect to: a second operator with a convention and an offer."""

from __future__ import annotations

from typing import Any

from tests.support.network import Network, Partner, partner

SECOND, SECOND_OFFER, MOMENTS = "miroir-vagabond", "atelier-du-miroir", ["projet", "preformation", "formation"]
PLACES = [{"code": "atelier", "address": "Rue du Miroir 2, 6987 Rendeux"}]


def joins(network: Network, slug: str, kind: str, moments: list[str], **more: Any) -> Partner:
    """Add a partner with a client."""
    record = partner(kind, moments, name=f"Partenaire {slug}", mailbox=f"relais@{slug}.example", **more)
    network.operator.done("PUT", f"/partners/{slug}", record)
    made = network.operator.done("POST", f"/partners/{slug}/clients", {"scopes": ["partner", "read:counts"]})
    network.partners[slug] = Partner(network, slug, made["client_id"], made["client_secret"])
    return network[slug]


def agree(network: Network, homes: list[str], to: list[str], moments: list[str]) -> None:
    """Sign a convention that lets `homes` refer to `to` for these moments."""
    signed = {
        "parties": [*homes, *to],
        "valid_from": "2026-01-01",
        "scope": [{"from": home, "to": each, "moments": moments} for home in homes for each in to],
        "shared_attributes": ["age_band", "obstacles"],
        "legal_basis": "6.1.e",
    }
    network.operator.done("POST", "/conventions", signed)


def offers(network: Network, name: str, slug: str, **more: Any) -> None:
    """Publish an offer of a partner."""
    record = {"title": "Atelier", "moment": "formation", "type": "formation", "places": 9, "commune_nis": "83028"}
    network.operator.done("PUT", f"/offers/{name}", {"partner": slug, **record, **more})


def second_operator(network: Network) -> Partner:
    """The Miroir Vagabond, to which both CPAS may refer; created once."""
    if SECOND not in network.partners:
        joins(network, SECOND, "association", MOMENTS, secrecy_class="discretion", places=PLACES)
        agree(network, ["cpas-hotton", "cpas-erezee"], [SECOND], MOMENTS)
        offers(network, SECOND_OFFER, SECOND)
    return network[SECOND]
