"""The keys that sign access tokens. Private keys are stored encrypted under the hub's secret."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Collection
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm
from sqlalchemy import Engine

from jalons import clock
from jalons.database import transaction
from jalons.privacy.sealing import derive, seal, unseal
from jalons.web.identity import ALGORITHM, AUDIENCE, TOKEN_SECONDS
from services.referrals.identity import rows as identity
from services.referrals.identity.rows import SigningKey

_CACHE_SECONDS = 60


class SigningKeys:
    """ES256 key pairs: the current one signs; the next one is published ahead, so verifiers know it before it signs."""

    def __init__(self, engine: Engine, secret: str) -> None:
        self._engine = engine
        self._wrapping = derive(secret, "signing keys")
        self._lock = threading.Lock()
        self._known: list[SigningKey] = []
        self._until = 0.0

    def key(self, kid: str) -> Any | None:
        """A public key by its id, for the verifier; None if unknown."""
        found = next((each for each in self._keys() if each.kid == kid), None)
        return jwt.PyJWK(found.public).key if found else None

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK set (RFC 7517)."""
        return {"keys": [key.public for key in self._keys()]}

    def token(self, issuer: str, client_id: str, partner: str | None, scopes: Collection[str], now: datetime) -> str:
        """A signed access token, valid for TOKEN_SECONDS."""
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
            "jti": str(clock.new_id()),
        }
        if partner:
            claims["partner"] = partner
        private = unseal(self._wrapping, current.private, current.kid)
        return jwt.encode(claims, load_pem_private_key(private, None), ALGORITHM, headers={"kid": current.kid})  # type: ignore[arg-type]

    def rotate(self, now: datetime) -> list[str]:
        """Make the next key current, the current one verify-only, and publish a new next key. The ids, newest first."""
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
                identity.replace_signing_keys(conn, found, clock.now())
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
