"""Who may call: a token the hub signed, for a client it knows, of a partner that takes part, with its scope."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jalons.database import engine
from jalons.embedded.stack import Stack
from services.referrals.identity.signing import SigningKeys
from tests.support.calls import refused
from tests.support.network import PARTNERS, PROFILE, Network

PATH = "/referrals"


@pytest.fixture
def signing(stack: Stack) -> Iterator[SigningKeys]:
    """The hub's own signing keys, as only referrals has them."""
    pool = engine(stack.settings.database_url, "referrals", pool=2)
    yield SigningKeys(pool, stack.settings.secret_key.get_secret_value())
    pool.dispose()


@pytest.fixture
def ask(network: Network) -> Callable[[str], httpx.Response]:
    """A call with an Authorization header as it stands."""
    url = f"{network.info['referrals']}{PATH}"
    return lambda header: network.http.get(url, headers={"Authorization": header.encode()} if header else {})


def jwks(network: Network) -> list[dict[str, Any]]:
    """The hub's public keys."""
    return list(network.http.get(f"{network.info['referrals']}/.well-known/jwks.json").json()["keys"])


def test_no_token_and_no_bearer_are_refused(ask: Callable[[str], httpx.Response]) -> None:
    for header in ("", "Bearer", "Basic b3BlcmF0b3I6eA==", "Bearer a.b", "Bearer é.é.é", "Bearer " + "x" * 9000):
        answer = ask(header)
        refused(answer, 401, "unauthorised")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_is_the_hubs_own_and_in_its_time(
    network: Network, signing: SigningKeys, ask: Callable[[str], httpx.Response]
) -> None:
    issuer, client, now = network.info["referrals"], network["cpas-hotton"].client_id, datetime.now(UTC)

    def token(issuer: str = issuer, at: datetime = now) -> str:
        return signing.token(issuer, client, "cpas-hotton", ["partner"], at)

    assert ask(f"Bearer {token()}").status_code == 200
    refused(ask(f"Bearer {token(at=now - timedelta(hours=1))}"), 401, "unauthorised")
    refused(ask(f"Bearer {token(at=now + timedelta(hours=1))}"), 401, "unauthorised")
    refused(ask(f"Bearer {token(issuer='https://elsewhere.example')}"), 401, "unauthorised")
    head, claims, signature = token().split(".")
    refused(ask(f"Bearer {head}.{_changed(claims, scope='partner operator')}.{signature}"), 401, "unauthorised")
    refused(ask(f"Bearer {head}.{claims}."), 401, "unauthorised")


def test_a_forged_token_is_refused_whatever_it_says_of_itself(
    network: Network, ask: Callable[[str], httpx.Response]
) -> None:
    genuine = network["cpas-hotton"].token()
    claims = jwt.decode(genuine, options={"verify_signature": False})
    kid = jwt.get_unverified_header(genuine)["kid"]
    own = ec.generate_private_key(ec.SECP256R1())
    public = next(key for key in jwks(network) if key["kid"] == kid)
    pem = jwt.PyJWK(public).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = {
        "another key under the hub's name": jwt.encode(claims, own, "ES256", headers={"kid": kid}),
        "another key under its own": jwt.encode(claims, own, "ES256", headers={"kid": "mine"}),
        "no name": jwt.encode(claims, own, "ES256"),
        "no signature": jwt.encode(claims, None, "none", headers={"kid": kid}),
        "the public key as a secret": _hs256(claims, kid, pem),
        "its JWK as a secret": _hs256(claims, kid, json.dumps(public).encode()),
        "a key of its own inside": jwt.encode(claims, own, "ES256", headers={"kid": kid, "jwk": json.loads(_jwk(own))}),
    }
    for how, token in forged.items():
        answer = ask(f"Bearer {token}")
        assert answer.status_code == 401, how
        assert token not in answer.text


def test_a_scope_opens_what_it_names_and_nothing_else(network: Network) -> None:
    home, coordinator, operator = network["cpas-hotton"], network["integra-plus"], network.operator
    refused(operator.call("POST", "/referrals", {}), 403, "wrong_scope")
    refused(coordinator.call("GET", "/referrals"), 403, "wrong_scope")
    refused(home.call("GET", "/dead-letters"), 403, "wrong_scope")
    refused(home.call("GET", "/events?subject=x"), 403, "wrong_scope")
    refused(coordinator.call("POST", "/keys/resolve", {"subjects": []}), 403, "wrong_scope")
    counts = network.token(home.client_id, home.client_secret, "read:counts")
    narrowed = network.http.get(f"{network.info['referrals']}/referrals", headers={"Authorization": f"Bearer {counts}"})
    refused(narrowed, 403, "wrong_scope")
    refused(_token(network, home.client_id, home.client_secret, scope="operator"), 400, "invalid_scope")


def test_only_a_known_client_with_its_secret_gets_a_token(network: Network) -> None:
    home = network["cpas-hotton"]
    wrong = [
        _token(network, home.client_id, "wrong"),
        _token(network, home.client_id, ""),
        _token(network, "nobody", home.client_secret),
        _token(network, "hub", "wrong"),
    ]
    answers = [refused(answer, 401, "invalid_client") for answer in wrong]
    assert all(answer == answers[0] for answer in answers), "an unknown client and a wrong secret are not told apart"
    assert answers[0]["error"] == "invalid_client"
    refused(_token(network, "a\x00b", "x"), 422, "control_character")
    refused(_token(network, home.client_id, home.client_secret, grant_type="password"), 400, "unsupported_grant_type")
    basic = network.http.post(
        f"{network.info['referrals']}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(home.client_id, home.client_secret),
    )
    assert (basic.status_code, basic.headers["cache-control"]) == (200, "no-store")


def test_a_revoked_client_and_a_suspended_partner_get_no_token(network: Network) -> None:
    operator = network.operator
    operator.done("PUT", "/partners/short-lived", PARTNERS["cpas-erezee"])
    path = "/partners/short-lived/clients"
    first, second = (operator.done("POST", path, {"scopes": ["partner"]}) for _ in range(2))
    assert _token(network, **_named(first)).status_code == 200
    operator.done("DELETE", f"{path}/{first['client_id']}")
    refused(_token(network, **_named(first)), 401, "invalid_client")
    assert _token(network, **_named(second)).status_code == 200
    for status, answer in (("suspended", 401), ("active", 200), ("left", 401)):
        operator.done("PUT", "/partners/short-lived/status", {"status": status})
        assert _token(network, **_named(second)).status_code == answer, status
    refused(operator.call("DELETE", f"/partners/cpas-hotton/clients/{second['client_id']}"), 404, "not_found")
    shown = operator.done("GET", path)["items"]
    assert [bool(each["revoked"]) for each in shown] == [True, False]
    assert "secret" not in json.dumps(shown)


def test_a_partner_that_is_suspended_receives_nothing(network: Network) -> None:
    operator, home = network.operator, network["cpas-hotton"]
    operator.done("PUT", "/partners/resting", PARTNERS["le-trusquin"] | {"name": "EFT"})
    operator.done("PUT", "/partners/resting/status", {"status": "suspended"})
    body = {"recipient": "resting", "moment": "formation", "reason": "training", "goal": "qualify"}
    body |= {"chosen_by": "together", "contact": "person_comes", "person": {"profile": PROFILE}}
    refused(home.call("POST", "/referrals", body), 409, "partner_not_active")


def test_a_rotation_surprises_nobody(network: Network, ask: Callable[[str], httpx.Response]) -> None:
    home = network["cpas-hotton"]
    old = network.token(home.client_id, home.client_secret)
    before = [key["kid"] for key in jwks(network)]
    assert len(before) >= 2
    network.operator.done("POST", "/signing-keys/rotate")
    new = network.token(home.client_id, home.client_secret)
    signs = jwt.get_unverified_header(new)["kid"]
    assert signs != jwt.get_unverified_header(old)["kid"]
    assert signs in before, "it was published ahead"
    after = jwks(network)
    assert jwt.get_unverified_header(old)["kid"] in {key["kid"] for key in after}
    assert len({key["kid"] for key in after} - set(before)) == 1
    assert not any("d" in key for key in after), "never a private part"
    for token in (old, new):
        assert ask(f"Bearer {token}").status_code == 200
        counted = network.http.get(
            f"{network.info['notifications']}/deliveries", headers={"Authorization": f"Bearer {token}"}
        )
        assert counted.status_code == 200, "the other services take both"


def _named(client: dict[str, Any]) -> dict[str, str]:
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}


def _token(network: Network, client_id: str, client_secret: str, **more: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, **more}
    return network.http.post(f"{network.info['referrals']}/oauth/token", data=form)


def _changed(part: str, **claims: Any) -> str:
    raw = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) | claims
    return base64.urlsafe_b64encode(json.dumps(raw).encode()).rstrip(b"=").decode()


def _hs256(claims: dict[str, Any], kid: str, secret: bytes) -> str:
    """Signed by hand, since PyJWT refuses a public key as a secret."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode(), json.dumps(claims).encode()]
    said = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mark = base64.urlsafe_b64encode(hmac.digest(secret, said, hashlib.sha256)).rstrip(b"=")
    return (said + b"." + mark).decode()


def _jwk(key: ec.EllipticCurvePrivateKey) -> str:
    return str(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
