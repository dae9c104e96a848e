"""The communes of the network and its neighbours: a postal code is accepted, the NIS code is kept (domain.md, 1).

NIS codes as of 1 January 2025; communes merge, so a later table is a later version of this one.
"""

from __future__ import annotations

_POSTAL_CODES = {
    "83012": ("6940", "6941"),  # Durbuy
    "83013": ("6997",),  # Érezée
    "83028": ("6990",),  # Hotton
    "83031": ("6980", "6982", "6983", "6984", "6986"),  # La Roche-en-Ardenne
    "83044": ("6987",),  # Rendeux
    "83034": ("6900",),  # Marche-en-Famenne
    "91120": ("5377",),  # Somme-Leuze
}

NAMES = {
    "83012": "Durbuy",
    "83013": "Érezée",
    "83028": "Hotton",
    "83031": "La Roche-en-Ardenne",
    "83044": "Rendeux",
    "83034": "Marche-en-Famenne",
    "91120": "Somme-Leuze",
}

NIS_OF_POSTAL_CODE = {code: nis for nis, codes in _POSTAL_CODES.items() for code in codes}


def nis(code: str) -> str:
    """The NIS code of a NIS or postal code. Raises ValueError for a postal code outside the table."""
    if len(code) == 4:
        if code not in NIS_OF_POSTAL_CODE:
            raise ValueError("a postal code outside the network's communes: give the NIS code")
        return NIS_OF_POSTAL_CODE[code]
    return code
