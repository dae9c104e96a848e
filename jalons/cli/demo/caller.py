"""Partners' systems in small: each calls the hub's public API as itself, and nothing else is used."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx


class DemoFailed(Exception):
    """The hub answered otherwise than the story says."""


@dataclass
class Caller:
    """A client of the hub."""

    http: httpx.Client
    urls: dict[str, Any]
    client_id: str
    client_secret: str
    _token: str = field(default="", repr=False)

    def __call__(self, method: str, path: str, body: Any = None, *, service: str = "referrals") -> dict[str, Any]:
        """A call that must succeed. Raises DemoFailed with the problem's code."""
        answer = self.http.request(method, f"{self.urls[service]}{path}", json=body, headers=self._headers(method))
        if answer.is_error:
            raise DemoFailed(f"{method} {path} answered {answer.status_code}: {answer.json().get('code')}")
        found: dict[str, Any] = answer.json()
        return found

    @property
    def token(self) -> str:
        """A token, asked for once: a demo is shorter than its ten minutes."""
        if not self._token:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
            }
            self._token = self.http.post(f"{self.urls['referrals']}/oauth/token", data=form).json()["access_token"]
        return self._token

    def _headers(self, method: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        return headers | ({"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {})
