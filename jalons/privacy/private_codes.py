"""A private code gives whoever holds it access to one thing; the hub stores only its hash."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from jalons.privacy.references import ALPHABET, typed
from jalons.privacy.sealing import derive

_LETTERS = 12
"""Twelve characters of Crockford base 32: 60 bits, too many to guess where wrong codes are limited."""


def private_code(secret: str, purpose: str, about: UUID) -> str:
    """The code for a thing, `7K4M-2QXR-8P5T`: always the same, so that an older printout stays valid."""
    number = int.from_bytes(hmac.digest(derive(secret, purpose), about.bytes, hashlib.sha256))
    drawn = "".join(ALPHABET[number >> 5 * place & 31] for place in range(_LETTERS))
    return "-".join(drawn[at : at + 4] for at in range(0, _LETTERS, 4))


def code_hash(text: str) -> bytes | None:
    """The hash of a code as somebody typed it; None if it cannot be a code."""
    letters = typed(text)
    if len(letters) != _LETTERS or not set(letters) <= set(ALPHABET):
        return None
    return hashlib.sha256(letters.encode()).digest()
