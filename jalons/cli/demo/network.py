"""Intégra Plus in 2005 as data: partners, conventions and offers of the real network; addresses are examples.

Source: C. Rulot, Transcommunalité et partenariat (2005), lines 45 to 79; offers' places are its yearly numbers.
"""

from __future__ import annotations

from typing import Any

HOTTON, TRUSQUIN, EMPLOYER, COORDINATION = "cpas-hotton", "le-trusquin", "residence-de-l-ourthe", "integra-plus"

_CPAS = {
    "cpas-durbuy": ("CPAS de Durbuy", "83012"),
    HOTTON: ("CPAS de Hotton", "83028"),
    "cpas-erezee": ("CPAS d'Érezée", "83013"),
    "cpas-rendeux": ("CPAS de Rendeux", "83044"),
    "cpas-la-roche": ("CPAS de La Roche-en-Ardenne", "83031"),
    "cpas-marche": ("CPAS de Marche-en-Famenne", "83034"),
}
_OPERATORS = {
    TRUSQUIN: ("EFT Le Trusquin", "training_operator", "83034", ["preformation", "formation"]),
    "lire-et-ecrire": ("Lire et Écrire Luxembourg", "training_operator", "83034", ["preformation"]),
    "forem-marche": ("FOREm Marche", "public_employment_service", "83034", ["formation", "preparation_emploi"]),
    "maison-de-l-emploi": (
        "Maison de l'Emploi de Durbuy",
        "public_employment_service",
        "83012",
        ["preparation_emploi"],
    ),
    "ale-durbuy": ("ALE de Durbuy", "local_agency", "83012", ["experience"]),
    "miroir-vagabond": ("Le Miroir Vagabond", "association", "83028", ["projet", "preformation"]),
    "compagnons-batisseurs": ("Les Compagnons bâtisseurs", "association", "83034", ["formation", "experience"]),
}


def _record(name: str, kind: str, nis: str, moments: list[str], slug: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "sector": "public" if kind in {"cpas", "public_employment_service", "local_agency"} else "associative",
        "commune_nis": nis,
        "moments": moments,
        "secrecy_class": "secret_458" if kind == "cpas" else "discretion",
        "mailbox": f"relais@{slug}.example",
        "phone": "+32 86 00 00 00",
        **more,
    }


PARTNERS: dict[str, dict[str, Any]] = {
    COORDINATION: _record("Intégra Plus", "association_chapitre_xii", "83012", ["projet"], COORDINATION),
    **{slug: _record(name, "cpas", nis, ["accueil"], slug) for slug, (name, nis) in _CPAS.items()},
    **{slug: _record(name, kind, nis, moments, slug) for slug, (name, kind, nis, moments) in _OPERATORS.items()},
    EMPLOYER: _record(
        "Résidence de l'Ourthe (exemple)",
        "employer",
        "83028",
        ["experience"],
        EMPLOYER,
        sector="private",
        secrecy_class="none",
    ),
}

CONVENTION: dict[str, Any] = {
    "parties": [*_CPAS, *_OPERATORS, COORDINATION],
    "valid_from": "2005-01-01",
    "scope": [
        {"from": home, "to": slug, "moments": moments}
        for home in _CPAS
        for slug, (_, _, _, moments) in _OPERATORS.items()
    ],
    "shared_attributes": ["age_band", "education", "obstacles"],
    "legal_basis": "6.1.e",
}

OFFERS: dict[str, dict[str, Any]] = {
    "auxiliaire-de-soins": {
        "partner": TRUSQUIN,
        "title": "Auxiliaire polyvalente de soins",
        "moment": "formation",
        "type": "formation",
        "places": 15,
        "commune_nis": "83034",
    },
    "projet-de-vie": {
        "partner": "miroir-vagabond",
        "title": "Projet de vie",
        "moment": "projet",
        "type": "atelier",
        "places": 20,
        "commune_nis": "83028",
        "transport_help": True,
    },
}
