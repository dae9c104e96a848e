"""The communes of the network and its neighbours: a postal code is accepted, the NIS code is stored (domain.md, 1).

Which codes there are, and which communes merged, is in `schemas/communes.csv`. The coordinates are those of each
commune's chief place in OpenStreetMap (© OpenStreetMap contributors, ODbL), WGS 84, to a thousandth of a degree. A
network's file, or `PUT /communes/{nis}`, adds others.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from jalons.web.asked import note
from schemas.communes import communes, name_of

_POSTAL_CODES = {
    "83012": ("6940", "6941"),  # Durbuy
    "83013": ("6997",),  # Érezée
    "83028": ("6990",),  # Hotton
    "83031": ("6980", "6982", "6983", "6984", "6986"),  # La Roche-en-Ardenne
    "83044": ("6987",),  # Rendeux
    "83034": ("6900",),  # Marche-en-Famenne
    "91120": ("5377",),  # Somme-Leuze
}

NIS_OF_POSTAL_CODE = {code: nis for nis, codes in _POSTAL_CODES.items() for code in codes}


def nis(code: str) -> str:
    """The NIS code of a NIS or postal code. A merged commune stands for the one it is part of, and the answer notes it.

    Raises ValueError for a postal code outside the table, and for a NIS code that is no commune's.
    """
    if len(code) == 4:
        if code not in NIS_OF_POSTAL_CODE:
            raise ValueError("a postal code outside the network's communes: give the NIS code")
        return NIS_OF_POSTAL_CODE[code]
    commune = communes().get(code)
    if commune is None:
        raise ValueError("no commune has this NIS code")
    if not commune.now:
        return code
    note(code="commune_merged", given=code, stored=commune.now, name=name_of(commune.now), since=commune.until)
    return commune.now


class Commune(NamedTuple):
    """The coordinates of a commune's chief place, in degrees north and east."""

    name: str
    latitude: float
    longitude: float


COMMUNES: Mapping[str, Commune] = {
    "83012": Commune("Durbuy", 50.352, 5.456),
    "83013": Commune("Érezée", 50.293, 5.560),
    "83028": Commune("Hotton", 50.269, 5.446),
    "83031": Commune("La Roche-en-Ardenne", 50.183, 5.570),
    "83034": Commune("Marche-en-Famenne", 50.224, 5.343),
    "83044": Commune("Rendeux", 50.233, 5.504),
    "91120": Commune("Somme-Leuze", 50.337, 5.367),
}
"""The built-in communes, by NIS code."""

_EARTH_KM = 6371.0


def distances(known: Mapping[str, Commune], nis: str) -> dict[str, int]:
    """Kilometres in a straight line from one commune to each, itself included; empty if its place is unknown."""
    here = known.get(nis)
    return {code: _km(here, other) for code, other in known.items()} if here else {}


def _km(one: Commune, other: Commune) -> int:
    """The length of the great circle between two communes, by the haversine formula."""
    north, east = radians(other.latitude - one.latitude), radians(other.longitude - one.longitude)
    chord = sin(north / 2) ** 2 + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(east / 2) ** 2
    return round(2 * _EARTH_KM * asin(sqrt(chord)))
