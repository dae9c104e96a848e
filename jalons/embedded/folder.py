"""The data folder belongs to one running hub at a time, and only its owner may read it."""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jalons.embedded import LOOPBACK, CannotStart

# Below the ports of outgoing connections: a client that keeps connecting to a dead server's port there can end up
# connected to itself, and the server could not start again.
PORTS = range(20_000, 32_000)

LAYOUT = "1"
"""The version of what the folder holds; a folder with data and another one, or none, is refused."""

KAFKA_USERS = ("broker", "operator", "referrals", "observation", "notifications")
"""The embedded broker's users: itself, who may do everything, and a service each."""

MARKS = ("lock", "layout", "secrets.json")
"""A folder with one of them is a hub's. A copy may lack the lock."""

SECRETS = (
    *("secret_key", "database_password", "operator_client_secret", "hub_client_secret", "mail_password"),
    *(f"kafka_{user}_password" for user in KAFKA_USERS),
)


class DataFolder:
    """`path` with layout, secrets.json, ports.json, hub.json, run/, log/ and a folder for each server."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: int | None = None

    def open(self) -> None:
        """Create the folder if it does not exist, and lock it until `close`.

        Raises CannotStart if another hub runs on it, if it holds other things than a hub, or if this version cannot
        read its data.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(self.path.iterdir()) and not any((self.path / mark).exists() for mark in MARKS):
                raise CannotStart(f"{self.path} holds other things than a hub.", "Name an empty or a new folder.")
            self._take_lock()
            self._check_layout()
            self.path.chmod(0o700)
            for part in ("run", "log"):
                (self.path / part).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            self.close()
            raise CannotStart(
                f"The data folder {self.path} cannot be used ({error.strerror}).", "Name one that you may write to."
            ) from error

    def _check_layout(self) -> None:
        """A new folder is marked with the version of its layout; one with data must bear it."""
        mark = self.path / "layout"
        if not mark.exists() and not (self.path / "secrets.json").exists():
            mark.write_text(f"{LAYOUT}\n", encoding="ascii")
        found = mark.read_text(encoding="ascii").strip() if mark.exists() else None
        if found != LAYOUT:
            self.close()
            made = "before version 0.1.0" if found is None else "by a later version"
            raise CannotStart(
                f"The data folder {self.path} was made {made}, and this version cannot read it.",
                "Name a new folder with --data, or run the version that made this one"
                + ("." if found is None else ": install it as you installed this one, then start again."),
            )

    def _take_lock(self) -> None:
        """The operating system releases the lock when the process ends."""
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 20).decode(errors="replace").strip()
            os.close(lock)
            raise CannotStart(
                f"A hub runs on {self.path} already (process {holder or 'unknown'}).",
                "Use that one, stop it first, or name another folder with --data.",
            ) from error
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """The hub's secrets, made once. Without them its sealed and encrypted data cannot be read again."""
        kept = self._read("secrets.json")
        if set(kept) >= set(SECRETS):
            return {name: str(kept[name]) for name in SECRETS}
        made = {name: secrets.token_urlsafe(32) for name in SECRETS} | kept
        self.write("secrets.json", made)
        return made

    def ports(self, *names: str) -> dict[str, int]:
        """A port for each name: the last one used if it is free, else another, which is kept for next time."""
        kept = self._read("ports.json")
        chosen: dict[str, int] = {}
        for name in names:
            chosen[name] = _choose(kept.get(name), taken=set(chosen.values()))
        self.write("ports.json", kept | chosen)
        return chosen

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.path / name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise CannotStart(f"{self.path / name} is damaged.", "Bring it back from a backup.") from error

    def write(self, name: str, what: dict[str, Any]) -> None:
        """Replace a file atomically, readable by its owner only."""
        half = self.path / f".{name}.new"
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(what, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        half.replace(self.path / name)

    def remove(self, name: str) -> None:
        """Delete a file, if it exists."""
        with suppress(FileNotFoundError):
            (self.path / name).unlink()


def _choose(kept: object, taken: set[int]) -> int:
    if isinstance(kept, int) and kept not in taken and is_free(kept):
        return kept
    return next(port for port in random.sample(PORTS, len(PORTS)) if port not in taken and is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_run(base: int, length: int, free: Callable[[int], bool] = is_free) -> Sequence[int]:
    """The first `length` free ports in a row, from `base`, `base + length`, … Raises CannotStart if there are none."""
    for first in range(base, min(base + 100 * length, 65_536 - length), length):
        ports = range(first, first + length)
        if all(map(free, ports)):
            return ports
    raise CannotStart(f"No {length} ports in a row are free from {base} on.", "Name others with --port-base.")
