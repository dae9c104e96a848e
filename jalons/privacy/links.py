"""A link's token names one act and the partner it was sent to, and cannot be made without the hub's secret.

It holds nothing about a person or a status: the service decides at each use what that partner is shown.
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
"""Bytes: 128 bits, as in an id, and short enough for one line of a mail."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """The act a link leads to, and the partner that may answer through it."""

    noun: Noun
    id: UUID
    partner: str


class AnswerLinks:
    """Makes and reads the links through which a partner without an account answers. secret: the hub's secret key."""

    def __init__(self, secret: str) -> None:
        self._key = derive(secret, "answer-links")

    def token(self, target: LinkTarget) -> str:
        """The token, URL-safe; always the same for a target."""
        content = _LETTERS[target.noun] + target.id.bytes + target.partner.encode()
        return base64.urlsafe_b64encode(self._signature(content) + content).decode().rstrip("=")

    def read(self, token: str) -> LinkTarget | None:
        """The target of a token; None if the token was not made here."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(content)) or len(content) < 18:
            return None
        return LinkTarget(_NOUNS[content[:1]], UUID(bytes=content[1:17]), content[17:].decode())

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)[:_SIGNATURE]
