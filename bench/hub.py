"""A hub is measured from outside: `jalons up` of a checkout, reached by its command line and its HTTP API only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from bench.calls import Connection
from jalons.client import Client
from jalons.embedded.process import spawn

SENDER, RECEIVER, COORDINATOR = "cpas-hotton", "le-trusquin", "integra-plus"
ROOT = Path(__file__).parent.parent

_PROFILE: Any = {
    "age_band": "25-29",
    "sex": "F",
    "commune_nis": "6990",
    "education": "lower_secondary",
    "status": "ris",
    "household": "alone_children",
    "obstacles": ["mobilite", "garde_enfants"],
}
_CONSENT: Any = {"partners": [RECEIVER], "purposes": ["referral"], "attributes": ["age_band", "obstacles"]}
_REFERRAL = {
    "recipient": RECEIVER,
    "moment": "formation",
    "reason": "training",
    "goal": "qualify",
    "chosen_by": "together",
    "contact": "receiver_calls_referrer",
}


class Hub:
    """The whole stack of a checkout on an empty data folder, from `with` to its end. checkout: it has a `.venv`."""

    def __init__(self, checkout: Path, data: Path) -> None:
        self._checkout = checkout
        self._data = data
        self._log = data.with_name(f"{data.name}.log")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("JALONS_")}
        self._process: subprocess.Popen[bytes] | None = None
        self.info: dict[str, Any] = {}

    def __enter__(self) -> Self:
        arguments = ["up", "--data", self._data]
        self._process = spawn(
            [self._jalons, *map(str, arguments)], log=self._log, cwd=self._data.parent, env=self._environment
        )
        try:
            self._wait_until_ready()
            self._load_network()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def _jalons(self) -> Path:
        return self._checkout / ".venv" / "bin" / "jalons"

    def _wait_until_ready(self, seconds: float = 180) -> None:
        until = time.monotonic() + seconds
        while not (self._data / "hub.json").exists():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self._jalons} up did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.1)
        self.info = json.loads((self._data / "hub.json").read_text())

    def _load_network(self) -> None:
        network = self._checkout / "deploy" / "networks" / "integra-plus.yaml"
        subprocess.run(
            [self._jalons, "network", "load", network, "--data", self._data],
            check=True,
            capture_output=True,
            cwd=self._data.parent,
            env=self._environment,
        )

    def _stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def processes(self) -> list[psutil.Process]:
        """`jalons up` and everything it started, as of now."""
        assert self._process is not None
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        raise RuntimeError(f"the hub has ended:\n{self._log.read_text()[-2000:]}")

    def client(self, partner: str, scopes: list[str]) -> Client:
        """A client of the API for a partner. The caller closes it."""
        made = self._credentials(partner, scopes)
        return Client(self.info, made["client_id"], made["client_secret"])

    def connect(self) -> Connection:
        """A kept-open connection of the sending partner, with a token that lasts ten minutes."""
        made = self._credentials(SENDER, ["partner"])
        url = self.info["referrals"]
        answer = httpx.post(
            f"{url}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(made["client_id"], made["client_secret"]),
        )
        return Connection(url, answer.raise_for_status().json()["access_token"])

    def referrals(self, persons: int) -> list[bytes]:
        """Bodies of `POST /referrals`, one for each of so many new persons whose consent is recorded."""
        bodies = []
        with self.client(SENDER, ["partner"]) as sender:
            for _ in range(persons):
                person = sender.beneficiaries.register(profile=_PROFILE)["beneficiary"]
                sender.beneficiaries.consent(person, channel="paper", **_CONSENT)
                bodies.append(json.dumps(_REFERRAL | {"beneficiary": person, "again": True}).encode())
        return bodies

    def _credentials(self, partner: str, scopes: list[str]) -> dict[str, Any]:
        with Client(self.info, **self.info["operator"]) as operator:
            return dict(operator.partners.add_client(partner, scopes=scopes))
