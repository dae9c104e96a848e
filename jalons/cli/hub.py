"""Finds a running hub for the commands: by `--data DIR` and its hub.json, else by `JALONS_…` settings."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from jalons.cli.settings import refused

Data = Annotated[
    Path | None,
    typer.Option("--data", help="The folder of `jalons up`; without it JALONS_REFERRALS_URL … and a client are used."),
]
As = Annotated[
    str | None,
    typer.Option("--as", help="Act as this client; its secret is read from JALONS_CLIENT_SECRET. Else the operator."),
]

_TOKEN_FOR = 300.0
"""Seconds; a token lasts ten minutes."""


@dataclass(frozen=True)
class Hub:
    """Addresses of the services, and the client to act as."""

    urls: dict[str, str]
    client_id: str
    client_secret: str

    def token(self, http: httpx.Client) -> str:
        """An access token. Exits with cause and cure if the hub issues none."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        try:
            answer = http.post(f"{self.urls['referrals']}/oauth/token", data=form)
        except httpx.HTTPError:
            raise refused(f"No hub answers at {self.urls['referrals']}.", "Start it: jalons up --data DIR.") from None
        if answer.status_code != 200:
            raise refused(f"The hub does not know the client {self.client_id}.", "Check --as and its secret.")
        return str(answer.json()["access_token"])

    def call(self, method: str, service: str, path: str, **more: Any) -> Any:
        """Make one call; returns the JSON answer. On an error, exits with the problem's cause and cure."""
        with httpx.Client(timeout=30) as http:
            return self._answer(http, self.token(http), method, service, path, **more)

    @contextmanager
    def session(self, service: str) -> Iterator[Callable[..., Any]]:
        """A function `(method, path, body)` that calls one service; errors exit as in `call`."""
        with httpx.Client(timeout=30) as http:
            token, since = self.token(http), time.monotonic()

            def call(method: str, path: str, body: Any = None) -> Any:
                nonlocal token, since
                if time.monotonic() - since > _TOKEN_FOR:
                    token, since = self.token(http), time.monotonic()
                return self._answer(http, token, method, service, path, json=body)

            yield call

    def _answer(self, http: httpx.Client, token: str, method: str, service: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        try:
            answer = http.request(method, f"{self.urls[service]}{path}", headers=headers, **more)
        except httpx.HTTPError:
            raise refused(f"{service} does not answer.", "See its log in DIR/log, then try again.") from None
        if answer.is_error:
            problem = answer.json()
            raise refused(problem["detail"], problem["cure"])
        return answer.json()


def hub_json(data: Path) -> dict[str, Any]:
    """What a running hub says of itself. Exits with cause and cure if none runs, or if the file is damaged."""
    path = data / "hub.json"
    try:
        info = json.loads(path.read_text("utf-8"))
        whole = all(isinstance(info[name], str) for name in ("referrals", "observation", "notifications", "database"))
        whole = whole and {"client_id", "client_secret"} <= set(info["operator"]) and "kafka_access" in info
    except OSError:
        raise refused(f"There is no running hub in {data}.", f"Start it: jalons up --data {data}.") from None
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise refused(
            f"{path} is damaged.", f"Stop the hub and start it again: jalons up --data {data} writes it anew."
        )
    return dict(info)


def find(data: Path | None, as_client: str | None = None) -> Hub:
    """The hub that a command's options name. Exits with cause and cure if there is none."""
    if data is not None:
        info = hub_json(data)
        urls = {name: info[name] for name in ("referrals", "observation", "notifications")}
        client = (info["operator"]["client_id"], info["operator"]["client_secret"])
    else:
        names = ("referrals", "observation", "notifications")
        urls = {name: os.environ.get(f"JALONS_{name.upper()}_URL", "") for name in names}
        client = (
            os.environ.get("JALONS_OPERATOR_CLIENT_ID", "operator"),
            os.environ.get("JALONS_OPERATOR_CLIENT_SECRET", ""),
        )
        if not all(urls.values()):
            raise refused("Which hub?", "Name its folder with --data DIR, or set JALONS_REFERRALS_URL and the others.")
    if as_client:
        secret = os.environ.get("JALONS_CLIENT_SECRET")
        if not secret:
            raise refused(f"The secret of {as_client} is missing.", "Set JALONS_CLIENT_SECRET to it.")
        client = (as_client, secret)
    return Hub(urls, *client)
