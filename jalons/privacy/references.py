"""Spoken references such as `R-7K4M-2QX`: short enough for the phone, with a check character that catches errors."""

from __future__ import annotations

import secrets

from stdnum.iso7064 import mod_37_36

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_LOOKALIKES = str.maketrans("OIL", "011")


def typed(text: str) -> str:
    """The characters of a code as somebody typed it: O counts as 0, I and L as 1; spaces and dashes are ignored."""
    return "".join(c for c in text.upper() if c.isalnum()).translate(_LOOKALIKES)


def check_digit(drawn: str) -> str:
    """The check character of characters of ALPHABET: ISO 7064's hybrid system over the 32 characters."""
    return str(mod_37_36.calc_check_digit(drawn, ALPHABET))


def is_checked(code: str) -> bool:
    """Whether a code is of ALPHABET's characters and its last one is its check character."""
    return set(code) <= set(ALPHABET) and bool(mod_37_36.is_valid(code, ALPHABET))


def new_reference(kind: str) -> str:
    """A random reference of a kind (one letter): six characters of Crockford base 32 (30 bits) and a check character.

    Random, because a serial number would reveal how many there are and since when. The caller's table keeps it unique.
    """
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(6))
    code = drawn + check_digit(drawn)
    return f"{kind}-{code[:4]}-{code[4:]}"


def normalise(text: str) -> str | None:
    """A reference as it is stored, from one somebody typed (`r7k4m2qx`, O for 0, I or L for 1); None if it is invalid.

    The check (`check_digit`) catches any one wrong character and most swaps.
    """
    letters = "".join(c for c in text.upper() if c.isalnum())
    kind, code = letters[:1], letters[1:].translate(_LOOKALIKES)
    if kind not in {"R", "T", "P"} or len(code) != 7 or not is_checked(code):
        return None
    return f"{kind}-{code[:4]}-{code[4:]}"
