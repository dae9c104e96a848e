"""A client's secret is shown once; only its hash is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> bytes:
    """A client secret's hash. The secret is 256 random bits, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(secret.encode()).digest()


def matches(secret: str, stored: bytes) -> bool:
    """Whether a secret has this hash, compared in constant time."""
    return hmac.compare_digest(hashed(secret), stored)
