"""A partner's place in a log is sealed: a number would be the same in two partners' files.

The same place gives a reader the same cursor each time (AES-SIV), so that a poller sees when nothing is new.
"""

from __future__ import annotations

import base64
import binascii
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from jalons.privacy.sealing import derive

_GENERATION = 16
_PLACE = 8


class InvalidCursor(ValueError):
    """This service gave no such cursor to this reader."""


class Cursors:
    """Seals places in one list of one service. secret: the hub's; of: the list, so that no other takes its cursors."""

    def __init__(self, secret: str, of: str) -> None:
        self._cipher = AESSIV(derive(secret, f"cursors of {of}"))

    def seal(self, generation: UUID, place: int, reader: str) -> str:
        """A place in a generation of the list, for this reader alone."""
        sealed = self._cipher.encrypt(generation.bytes + place.to_bytes(_PLACE), [reader.encode()])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def read(self, cursor: str, reader: str) -> tuple[UUID, int]:
        """The generation and the place. Raises InvalidCursor for another reader's, or another list's."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            clear = self._cipher.decrypt(sealed, [reader.encode()])
        except (binascii.Error, InvalidTag, ValueError):
            raise InvalidCursor from None
        return UUID(bytes=clear[:_GENERATION]), int.from_bytes(clear[_GENERATION:])
