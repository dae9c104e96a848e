"""A service's calls to the other services: keys, logs and receipts, under the hub's own token."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from jalons.messaging.source_log import HttpLog
from jalons.privacy.keys import GONE, Key, Keys, KeysUnavailable
from jalons.privacy.national_number import is_uuid
from jalons.process.settings import ServiceName, Settings
from jalons.web.identity import HubTokens, RemoteKeySet, Verifier
from schemas.topics import Topic


class PeerAway(Exception):
    """Another service did not answer."""


class Peers:
    """Clients of the other services, which share one connection pool. Opens nothing before the first call.

    transport: what answers instead of the network, in a test."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._http = httpx.Client(
            timeout=httpx.Timeout(10, connect=3), limits=httpx.Limits(max_connections=10), transport=transport
        )
        self._tokens = HubTokens(settings.referrals_url, settings.hub_client_id, settings.hub_client_secret, self._http)

    def verifier(self) -> Verifier:
        """A verifier of tokens, with the issuer's keys."""
        url = self._settings.jwks_url or f"{self._settings.referrals_url}/.well-known/jwks.json"
        return Verifier(RemoteKeySet(url, self._http), self._settings.token_issuer)

    def keys(self) -> Keys:
        """The persons' keys, resolved by referrals."""
        return Keys(self._resolve)

    def log(self, service: ServiceName, topics: Sequence[Topic]) -> HttpLog:
        """A service's own log, compared for the subjects of these topics."""
        return HttpLog(f"/services/{service}", self._settings.url(service), self._http, self._tokens, topics)

    def forgotten(self, service: ServiceName, receipt_id: UUID) -> datetime | None:
        """When a service applied an erasure; None if it has not yet. Raises PeerAway."""
        try:
            answer = self._http.get(
                f"{self._settings.url(service)}/forgotten/{receipt_id}",
                headers={"Authorization": f"Bearer {self._tokens.token()}"},
            )
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
            return datetime.fromisoformat(answer.json()["at"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise PeerAway(f"{service} did not answer: {type(error).__name__}") from error

    def tell_what_waits(self, asked: UUID, partner: str, acts: list[dict[str, Any]], more: bool) -> None:
        """Have notifications mail to a partner the acts that wait for it. asked: the id of this request, mailed once;
        more: whether there are more than listed. Raises PeerAway."""
        try:
            self._http.post(
                f"{self._settings.url('notifications')}/waiting",
                json={"asked": str(asked), "partner": partner, "acts": acts, "more": more},
                headers={"Authorization": f"Bearer {self._tokens.token()}"},
            ).raise_for_status()
        except httpx.HTTPError as error:
            raise PeerAway(f"notifications did not answer: {type(error).__name__}") from error

    def _resolve(self, subjects: Collection[str]) -> Mapping[str, Key]:
        """Only persons have keys: another subject is not asked for, since it could spoil the answer for the rest."""
        persons = sorted(subject for subject in subjects if is_uuid(subject))
        if not persons:
            return {}
        try:
            answer = self._http.post(
                f"{self._settings.referrals_url}/keys/resolve",
                json={"subjects": persons},
                headers={"Authorization": f"Bearer {self._tokens.token()}"},
            )
            answer.raise_for_status()
            given = answer.json()["keys"]
            return {s: GONE if key is None else base64.b64decode(key) for s, key in given.items()}
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeysUnavailable(f"referrals did not give the keys: {type(error).__name__}") from error
