"""Keeps what opens things: persons' keys wrapped, signing keys encrypted, both under the hub's secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm
from sqlalchemy import Connection, Engine

from jalons.clock import new_id
from jalons.database import one, transaction
from jalons.privacy.keys import GONE, Key, Keys
from jalons.privacy.sealing import derive, new_key, seal, unseal
from jalons.web.identity import ALGORITHM, AUDIENCE, TOKEN_SECONDS
from services.referrals.identity import rows as identity
from services.referrals.identity.rows import SigningKey
from services.referrals.persons import rows as persons
from services.referrals.persons.rows import Person

_CACHE_SECONDS = 60


def hashed(secret: str) -> bytes:
    """A client secret's hash. It is 256 random bits, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(secret.encode()).digest()


def matches(secret: str, kept: bytes) -> bool:
    """Whether a secret is the one that was hashed, in constant time."""
    return hmac.compare_digest(hashed(secret), kept)


def new_secret() -> str:
    """256 random bits, to be shown once."""
    return secrets.token_urlsafe(32)


class PersonKeys:
    """Every person's key, wrapped under the hub's secret; destroying the row is the erasure."""

    def __init__(self, engine: Engine, secret: str) -> None:
        self._engine = engine
        self._wrapping = derive(secret, "person keys")
        self.cache = Keys(self._fetch)

    def make(self, ref: UUID) -> str:
        """A new key for a person, wrapped."""
        key = new_key()
        return seal(self._wrapping, key, str(ref))

    def wanted(self, conn: Connection, subjects: Collection[str]) -> Mapping[str, bytes]:
        """Keys for sealing, read in the caller's transaction: a person added in it has one already."""
        wrapped = persons.wrapped_keys(conn, [UUID(subject) for subject in subjects])
        return {str(ref): self._unwrapped(ref, kept) for ref, kept in wrapped.items() if kept is not None}

    def unwrap(self, known: Iterable[Person]) -> dict[str, bytes]:
        """The keys of persons whose rows are at hand, by subject."""
        return {str(p.ref): self._unwrapped(p.ref, p.wrapped_key) for p in known if p.wrapped_key is not None}

    def resolve(self, subjects: Collection[str]) -> dict[str, Key]:
        """Keys by subject, destroyed ones as GONE; subjects that never had one are left out."""
        refs = [ref for subject in subjects if (ref := _uuid(subject)) is not None]
        with transaction(self._engine) as conn:
            wrapped = persons.wrapped_keys(conn, refs)
        return {str(ref): GONE if kept is None else self._unwrapped(ref, kept) for ref, kept in wrapped.items()}

    def _fetch(self, subjects: Collection[str]) -> Mapping[str, Key]:
        return self.resolve(subjects)

    def _unwrapped(self, ref: UUID, kept: str) -> bytes:
        return unseal(self._wrapping, kept, str(ref))


class SigningKeys:
    """Two ES256 pairs: one signs, the next is published ahead, so that a rotation surprises nobody."""

    def __init__(self, engine: Engine, secret: str) -> None:
        self._engine = engine
        self._wrapping = derive(secret, "signing keys")
        self._lock = threading.Lock()
        self._known: list[SigningKey] = []
        self._until = 0.0

    def key(self, kid: str) -> Any | None:
        """A public key of ours, for the verifier."""
        found = next((each for each in self._keys() if each.kid == kid), None)
        return jwt.PyJWK(found.public).key if found else None

    def jwks(self) -> dict[str, Any]:
        """The public keys as RFC 7517 has them."""
        return {"keys": [key.public for key in self._keys()]}

    def token(self, issuer: str, client_id: str, partner: str | None, scopes: Collection[str], now: datetime) -> str:
        """A signed token for ten minutes."""
        current = next(key for key in self._keys() if key.state == "current")
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": client_id,
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "iat": issued,
            "exp": issued + TOKEN_SECONDS,
            "jti": str(new_id()),
        }
        if partner:
            claims["partner"] = partner
        private = unseal(self._wrapping, current.private, current.kid)
        return jwt.encode(claims, load_pem_private_key(private, None), ALGORITHM, headers={"kid": current.kid})  # type: ignore[arg-type]

    def rotate(self, now: datetime) -> list[str]:
        """The next key signs from now on, the current one only verifies, and a new next one is published."""
        with transaction(self._engine) as conn:
            identity.lock_signing_keys(conn)
            by_state = {key.state: key for key in identity.signing_keys(conn)}
            turned = [self._made("next")]
            turned += [_as(by_state[old], new) for old, new in (("next", "current"), ("current", "retired"))]
            identity.replace_signing_keys(conn, turned, now)
        with self._lock:
            self._known, self._until = turned, time.monotonic() + _CACHE_SECONDS
        return [key.kid for key in turned]

    def _keys(self) -> list[SigningKey]:
        with self._lock:
            if time.monotonic() > self._until:
                self._known = self._loaded()
                self._until = time.monotonic() + _CACHE_SECONDS
            return self._known

    def _loaded(self) -> list[SigningKey]:
        with transaction(self._engine) as conn:
            found = identity.signing_keys(conn)
            if not found:
                identity.lock_signing_keys(conn)
                found = identity.signing_keys(conn)
            if not found:
                found = [self._made("current"), self._made("next")]
                identity.replace_signing_keys(conn, found, _now_of(conn))
            return found

    def _made(self, state: str) -> SigningKey:
        pair = ec.generate_private_key(ec.SECP256R1())
        kid = secrets.token_hex(8)
        pem = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = json.loads(ECAlgorithm.to_jwk(pair.public_key()))
        return SigningKey(
            kid, state, seal(self._wrapping, pem, kid), public | {"kid": kid, "use": "sig", "alg": ALGORITHM}
        )


def _as(key: SigningKey, state: str) -> SigningKey:
    return SigningKey(key.kid, state, key.private, key.public)


def _now_of(conn: Connection) -> datetime:
    now: datetime = one(conn, "SELECT now()").now
    return now


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
