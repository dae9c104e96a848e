"""A link's token names one act and the partner it was sent to, and cannot be made without the hub's secret.

It says nothing of a person, nor of a status: who holds it learns only what the service then shows that partner.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from jalons.privacy.sealing import derive

Noun = Literal["referral", "training", "placement"]

_LETTERS: dict[Noun, bytes] = {"referral": b"R", "training": b"T", "placement": b"P"}
_NOUNS = {letter: noun for noun, letter in _LETTERS.items()}
_SIGNATURE = 16
"""128 bits: as many as an id holds, and short enough for a line of a mail."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Named:
    """What a link stands for: an act, and the partner that may answer through it."""

    noun: Noun
    id: UUID
    partner: str


class AnswerLinks:
    """Makes and reads the links by which a partner without an account answers. secret: the hub's secret key."""

    def __init__(self, secret: str) -> None:
        self._key = derive(secret, "answer-links")

    def token(self, named: Named) -> str:
        """The same each time, in letters that an address takes as they are."""
        said = _LETTERS[named.noun] + named.id.bytes + named.partner.encode()
        return base64.urlsafe_b64encode(self._signature(said) + said).decode().rstrip("=")

    def read(self, token: str) -> Named | None:
        """What a token stands for; None for one that was not made here, whatever is wrong with it."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        signature, said = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(said)) or len(said) < 18:
            return None
        return Named(_NOUNS[said[:1]], UUID(bytes=said[1:17]), said[17:].decode())

    def _signature(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, hashlib.sha256)[:_SIGNATURE]
