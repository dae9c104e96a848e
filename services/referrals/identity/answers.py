"""What calls answer of tokens and keys."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from jalons.web.answers import Answers


class Token(TypedDict):
    """A token; expires_in: seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class Jwk(TypedDict):
    """A public key (RFC 7517)."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    alg: str
    use: str


class Jwks(TypedDict):
    """The public keys that tokens are checked with."""

    keys: list[Jwk]


class ServerMetadata(TypedDict):
    """The hub as an OAuth 2 authorization server (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]


class PersonKeysResolved(TypedDict):
    """Subject → key, base64; null for one that was destroyed."""

    keys: dict[str, str | None]


class SigningKeysRotated(TypedDict):
    """The ids of the signing keys, newest first."""

    kids: list[str]


ANSWERS: Answers = {
    ("POST", "/oauth/token"): Token,
    ("GET", "/.well-known/jwks.json"): Jwks,
    ("GET", "/.well-known/oauth-authorization-server"): ServerMetadata,
    ("POST", "/keys/resolve"): PersonKeysResolved,
    ("POST", "/signing-keys/rotate"): SigningKeysRotated,
}
