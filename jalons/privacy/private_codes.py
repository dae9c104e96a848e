"""A private code opens one thing to whoever holds the paper it is printed on; the hub keeps only its hash."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from jalons.privacy.references import ALPHABET, typed
from jalons.privacy.sealing import derive

_LETTERS = 20
"""Twenty characters of Crockford's 32: 100 bits, which nobody finds by trying."""


def private_code(secret: str, purpose: str, about: UUID) -> str:
    """The code for a thing, `7K4M-2QXR-…`: the same each time it is printed, so that an older paper stays good."""
    number = int.from_bytes(hmac.digest(derive(secret, purpose), about.bytes, hashlib.sha256))
    drawn = "".join(ALPHABET[number >> 5 * place & 31] for place in range(_LETTERS))
    return "-".join(drawn[at : at + 4] for at in range(0, _LETTERS, 4))


def code_hash(said: str) -> bytes | None:
    """What is kept of a code, from how someone typed it; None if it cannot be one."""
    letters = typed(said)
    if len(letters) != _LETTERS or not set(letters) <= set(ALPHABET):
        return None
    return hashlib.sha256(letters.encode()).digest()
