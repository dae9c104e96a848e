"""Spoken references, `R-7K4M-2QX`: short enough to say on the phone, checked so that a slip of the tongue is caught."""

from __future__ import annotations

import secrets

from stdnum.iso7064 import mod_37_36

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_SAID = str.maketrans("OIL", "011")


def typed(said: str) -> str:
    """The characters of a code from how someone typed them: O for 0, I or L for 1, spaces and dashes at will."""
    return "".join(c for c in said.upper() if c.isalnum()).translate(_SAID)


def new_reference(kind: str) -> str:
    """A random reference of a kind (one letter): six characters of Crockford base 32 (30 bits) and a check character.

    Random, since a serial number would tell how many and when. Unique by the caller's table.
    """
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(6))
    code = drawn + mod_37_36.calc_check_digit(drawn, ALPHABET)
    return f"{kind}-{code[:4]}-{code[4:]}"


def normalise(said: str) -> str | None:
    """A reference as it is kept, from how someone typed it (`r7k4m2qx`, O for 0, I or L for 1); None if it is none.

    The check is ISO 7064's hybrid system over the 32 characters: it catches any one wrong character and most swaps.
    """
    letters = "".join(c for c in said.upper() if c.isalnum())
    kind, code = letters[:1], letters[1:].translate(_SAID)
    if kind not in {"R", "T", "P"} or len(code) != 7 or not set(code) <= set(ALPHABET):
        return None
    return f"{kind}-{code[:4]}-{code[4:]}" if mod_37_36.is_valid(code, ALPHABET) else None
