"""Sealed data can be read only with the person's key, and only in the event it was sealed for."""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE = 12


class Unsealable(ValueError):
    """The ciphertext is damaged, belongs to another event, or was made with another key."""


def derive(secret: str, purpose: str) -> bytes:
    """A 32-byte key for one purpose, derived from the hub's secret (HKDF-SHA256)."""
    return HKDF(SHA256(), 32, salt=None, info=f"jalons/{purpose}".encode()).derive(secret.encode())


def new_key() -> bytes:
    """A person's key: 32 random bytes."""
    return AESGCM.generate_key(256)


def seal(key: bytes, clear: bytes, bound_to: str) -> str:
    """AES-256-GCM with a random nonce, base64: version, nonce, ciphertext with tag. bound_to is authenticated."""
    nonce = os.urandom(_NONCE)
    return base64.b64encode(_VERSION + nonce + AESGCM(key).encrypt(nonce, clear, bound_to.encode())).decode()


def unseal(key: bytes, sealed: str, bound_to: str) -> bytes:
    """The clear bytes. Raises Unsealable."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        if raw[:1] != _VERSION:
            raise Unsealable("sealed in a format this version does not know")
        return AESGCM(key).decrypt(raw[1 : 1 + _NONCE], raw[1 + _NONCE :], bound_to.encode())
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise Unsealable("cannot be unsealed with this person's key for this event") from error
