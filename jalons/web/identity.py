"""Authentication: a signed token names the client, its partner and its scopes; a partner acts only as itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import jwt
from fastapi import Request
from pydantic import SecretStr

from jalons.web.demands import Demand, demanding
from jalons.web.problems import Problem

AUDIENCE = "jalons"
ALGORITHM = "ES256"
TOKEN_SECONDS = 600
SCOPES = ("partner", "coordinator", "read:counts", "operator", "hub")
_CACHE_SIZE = 5_000
_REFETCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller. partner: None for the operator and for the hub itself."""

    client_id: str
    partner: str | None
    scopes: frozenset[str]

    def has(self, *scopes: str) -> bool:
        """Whether the caller has at least one of these scopes."""
        return not self.scopes.isdisjoint(scopes)


class KeySet(Protocol):
    """A source of public keys."""

    def key(self, kid: str) -> Any | None:
        """The public key with that id; None if unknown. Raises KeySetUnavailable."""


class KeySetUnavailable(Exception):
    """No key set was fetched yet, and the issuer does not answer."""


class RemoteKeySet:
    """An issuer's JWKS, fetched on first use and on an unknown key id, and kept while the issuer is unavailable.

    PyJWT's `PyJWKClient` is not used: its set expires, and each token with an unknown key id makes it fetch again.
    """

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http
        self._keys: dict[str, Any] = {}
        self._fetched_at = float("-inf")
        self._lock = threading.Lock()

    def key(self, kid: str) -> Any | None:
        """The public key with that id. An unknown id causes a fetch at most every 5 s."""
        with self._lock:
            if kid not in self._keys and time.monotonic() - self._fetched_at > _REFETCH_SECONDS:
                self._fetch()
            return self._keys.get(kid)

    def _fetch(self) -> None:
        self._fetched_at = time.monotonic()
        try:
            answer = self._http.get(self._url)
            answer.raise_for_status()
            self._keys = {key["kid"]: jwt.PyJWK(key).key for key in answer.json()["keys"] if key.get("use") == "sig"}
        except (httpx.HTTPError, ValueError, KeyError) as error:
            if not self._keys:
                self._fetched_at = float("-inf")
                raise KeySetUnavailable from error


class Verifier:
    """Verifies tokens and caches the result until they expire: one ES256 check takes about 0.14 ms."""

    def __init__(self, keys: KeySet, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._verified: dict[str, tuple[float, Principal]] = {}

    def principal(self, authorization: str | None) -> Principal:
        """The caller named by an Authorization header.

        Raises Problem 401, which does not say which check failed, and 503 if the issuer's keys are not available.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorised("No bearer token was sent.")
        cached = self._verified.get(token)
        if cached and cached[0] > time.time():
            return cached[1]
        claims = self._claims(token)
        principal = Principal(str(claims["client_id"]), claims.get("partner"), frozenset(str(claims["scope"]).split()))
        if len(self._verified) >= _CACHE_SIZE:
            self._verified.clear()
        self._verified[token] = (float(claims["exp"]), principal)
        return principal

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.key(str(kid)) if kid else None
            if key is None:
                raise _unauthorised("The token is not one this hub accepts.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "iss", "aud", "client_id", "scope"]},
            )
        except KeySetUnavailable:
            raise Problem(
                503,
                "keys_unavailable",
                "The issuer's keys are not available.",
                "Try again.",
                headers={"Retry-After": "5"},
            ) from None
        except jwt.InvalidTokenError:
            raise _unauthorised("The token is expired or not one this hub accepts.") from None
        return claims


def _unauthorised(detail: str) -> Problem:
    return Problem(
        401,
        "unauthorised",
        detail,
        "Get a token from /oauth/token and send it as `Authorization: Bearer …`.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def forbidden(*scopes: str) -> Problem:
    """The problem for a caller whose token has none of these scopes."""
    return Problem(
        403,
        "wrong_scope",
        "This token does not allow this call.",
        f"Use a client that has the scope {' or '.join(scopes)}.",
    )


def require(*scopes: str) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that returns the caller, who needs one of these scopes. Raises Problem 401 or 403."""

    async def caller(request: Request) -> Principal:
        verifier: Verifier = request.app.state.verifier
        principal = verifier.principal(request.headers.get("authorization"))
        if not principal.has(*scopes):
            raise forbidden(*scopes)
        return principal

    return demanding(caller, Demand(scopes))


class HubTokens:
    """The hub's own token for calls between services; renewed one minute before it expires."""

    def __init__(self, url: str, client_id: str, secret: SecretStr, http: httpx.Client) -> None:
        self._url = url
        self._client_id = client_id
        self._secret = secret
        self._http = http
        self._token = ""
        self._until = 0.0
        self._lock = threading.Lock()

    def token(self) -> str:
        """A token with scope `hub`. Raises httpx.HTTPError."""
        with self._lock:
            if time.monotonic() > self._until:
                form: Mapping[str, str] = {
                    "grant_type": "client_credentials",
                    "client_id": self._client_id,
                    "client_secret": self._secret.get_secret_value(),
                    "scope": "hub",
                }
                answer = self._http.post(f"{self._url}/oauth/token", data=form)
                answer.raise_for_status()
                self._token = answer.json()["access_token"]
                self._until = time.monotonic() + answer.json()["expires_in"] - 60
            return self._token
