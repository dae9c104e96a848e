"""Tokens and public keys; and persons' keys for the hub's own services."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Depends, Form, Header
from fastapi.responses import JSONResponse

from jalons import clock
from jalons.database import transaction
from jalons.privacy.keys import GONE
from jalons.process.settings import Settings
from jalons.web.identity import SCOPES, TOKEN_SECONDS, Principal, require
from jalons.web.problems import Problem, refuse_unsafe_text
from services.referrals.calls.edge import Edge
from services.referrals.identity import rows as identity
from services.referrals.identity.bodies import ResolveBody
from services.referrals.identity.client_secrets import hashed, matches
from services.referrals.identity.signing import SigningKeys
from services.referrals.persons.keys import PersonKeys

_NOBODY = hashed("nobody has this secret")


def routes(settings: Settings, edge: Edge, keys: PersonKeys, signing: SigningKeys) -> APIRouter:
    """`/oauth/token`, `/.well-known/…`, `/keys/resolve` and `/signing-keys/rotate`."""
    router = APIRouter(tags=["identity"])

    @router.post("/oauth/token", summary="A token for a client's id and secret (client_credentials)")
    def token(
        grant_type: Annotated[str, Form(max_length=50)],
        client_id: Annotated[str | None, Form(max_length=200)] = None,
        client_secret: Annotated[str | None, Form(max_length=200)] = None,
        scope: Annotated[str | None, Form(max_length=200)] = None,
        authorization: Annotated[str | None, Header()] = None,
    ) -> JSONResponse:
        if grant_type != "client_credentials":
            raise _oauth(400, "unsupported_grant_type", "Only client_credentials is granted.")
        client, secret = _basic(authorization) or (client_id or "", client_secret or "")
        refuse_unsafe_text([client, scope])
        principal = _client(settings, edge, client, secret)
        scopes = frozenset(scope.split()) if scope else principal.scopes
        if not scopes or not scopes <= principal.scopes:
            raise _oauth(400, "invalid_scope", f"This client has: {' '.join(sorted(principal.scopes))}.")
        access = signing.token(settings.token_issuer, client, principal.partner, scopes, clock.real_now())
        body = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": " ".join(sorted(scopes)),
        }
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    @router.get("/.well-known/jwks.json", summary="The public keys that tokens are checked with")
    def jwks() -> JSONResponse:
        return JSONResponse(signing.jwks(), headers={"Cache-Control": "public, max-age=300"})

    @router.get("/.well-known/oauth-authorization-server", summary="Where and how tokens are had (RFC 8414)")
    def metadata() -> JSONResponse:
        base = settings.public_url or settings.referrals_url
        body = {
            "issuer": settings.token_issuer,
            "token_endpoint": f"{base}/oauth/token",
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "scopes_supported": list(SCOPES),
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        return JSONResponse(body, headers={"Cache-Control": "public, max-age=300"})

    @router.post("/keys/resolve", summary="Persons' keys for the hub's services (scope hub)")
    def resolve(body: ResolveBody, _caller: Annotated[Principal, Depends(require("hub"))]) -> dict[str, Any]:
        resolved = keys.resolve(body.subjects)
        return {"keys": {s: None if key is GONE else base64.b64encode(key).decode() for s, key in resolved.items()}}

    @router.post("/signing-keys/rotate", summary="The next signing key takes over (scope operator)")
    def rotate(_caller: Annotated[Principal, Depends(require("operator"))]) -> dict[str, Any]:
        return {"kids": signing.rotate(clock.real_now())}

    return router


def _client(settings: Settings, edge: Edge, client_id: str, secret: str) -> Principal:
    """The principal of a client. Raises Problem 401, the same for an unknown client and a wrong secret."""
    own = {settings.hub_client_id: (settings.hub_client_secret, "hub")}
    if settings.operator_client_secret:
        own[settings.operator_client_id] = (settings.operator_client_secret, "operator coordinator")
    if client_id in own:
        kept, scopes = own[client_id]
        if matches(secret, hashed(kept.get_secret_value())):
            return Principal(client_id, None, frozenset(scopes.split()))
    else:
        with transaction(edge.ground.engine) as conn:
            found = identity.client(conn, client_id)
        if matches(secret, found.secret_hash if found else _NOBODY) and found:
            return Principal(client_id, found.partner, frozenset(found.scopes))
    raise _oauth(401, "invalid_client", "The client is unknown, revoked, or its secret is wrong.")


def _oauth(status: int, code: str, detail: str) -> Problem:
    """A problem with the member `error` that RFC 6749 requires."""
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Basic"} if status == 401 else {})
    cure = "Check client_id, client_secret and scope; the coordinator gives out clients."
    return Problem(status, code, detail, cure, headers=headers, error=code)


def _basic(authorization: str | None) -> tuple[str, str] | None:
    """Client id and secret of a Basic header (RFC 6749, section 2.3.1); None without a valid one."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote_plus(client_id), unquote_plus(secret)
