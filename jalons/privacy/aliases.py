"""Every partner but the home knows a person by its own alias, so that two partners cannot join their files."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID


def alias(secret: bytes, ref: str, partner: str) -> UUID:
    """The partner's alias of a person: an HMAC of both, formatted as a version 4 UUID, as a ref is."""
    digest = hmac.digest(secret, f"{ref}|{partner}".encode(), hashlib.sha256)
    return UUID(bytes=digest[:16], version=4)
