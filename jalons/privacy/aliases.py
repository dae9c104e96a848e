"""Every partner but the home knows a person by its own alias, so that two partners cannot join their files."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from uuid import UUID


def alias(secret: bytes, ref: str, partner: str) -> UUID:
    """The partner's alias of a person: an HMAC of both, formatted as a version 4 UUID, as a ref is."""
    digest = hmac.digest(secret, f"{ref}|{partner}".encode(), hashlib.sha256)
    return UUID(bytes=digest[:16], version=4)


def name_for(partner: str, ref: UUID, home: str | None, alias_of: Callable[[str, str], UUID]) -> UUID:
    """The id by which a partner knows a person: the ref for the home partner, its alias for any other."""
    return ref if partner == home else alias_of(str(ref), partner)
