"""The data folder belongs to one running hub at a time, and only its owner may look into it."""

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

# Below what systems hand out to outgoing connections: a client that keeps asking for a dead server's port there can
# end up connected to itself, and the server could not come back.
PORTS = range(20_000, 32_000)

SECRETS = ("secret_key", "database_password", "operator_client_secret", "hub_client_secret")


class DataFolder:
    """`path` with secrets.json, ports.json, hub.json, run/, log/ and each server's own folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: int | None = None

    def open(self) -> None:
        """Make it if need be and lock it until `close`. CannotStart when it is another hub's, or no hub's, folder."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(self.path.iterdir()) and not (self.path / "lock").exists():
                raise CannotStart(f"{self.path} holds other things than a hub.", "Name an empty or a new folder.")
            self._take_lock()
            self.path.chmod(0o700)
            for part in ("run", "log"):
                (self.path / part).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            self.close()
            raise CannotStart(
                f"The data folder {self.path} cannot be used ({error.strerror}).", "Name one that you may write to."
            ) from error

    def _take_lock(self) -> None:
        """The operating system drops it with the process, whatever ended that."""
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
        """Let another hub have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """Made once; without them what is sealed and encrypted here cannot be read again."""
        kept = self._read("secrets.json")
        if set(kept) >= set(SECRETS):
            return {name: str(kept[name]) for name in SECRETS}
        made = {name: secrets.token_urlsafe(32) for name in SECRETS} | kept
        self.write("secrets.json", made)
        return made

    def ports(self, *names: str) -> dict[str, int]:
        """A port for each: the one of last time where it is free, else another. Noted for next time."""
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
        """Whole or not at all, for its owner only."""
        half = self.path / f".{name}.new"
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(what, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        half.replace(self.path / name)

    def remove(self, name: str) -> None:
        """What said that the hub is ready is not true any more."""
        with suppress(FileNotFoundError):
            (self.path / name).unlink()


def _choose(kept: object, taken: set[int]) -> int:
    if isinstance(kept, int) and kept not in taken and is_free(kept):
        return kept
    return next(port for port in random.sample(PORTS, len(PORTS)) if port not in taken and is_free(port))


def is_free(port: int) -> bool:
    """Whether a server of ours could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that is only cooling down is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_run(base: int, length: int, free: Callable[[int], bool] = is_free) -> Sequence[int]:
    """The first `length` free ports in a row at `base`, `base + length`, … CannotStart when there is none."""
    for first in range(base, min(base + 100 * length, 65_536 - length), length):
        ports = range(first, first + length)
        if all(map(free, ports)):
            return ports
    raise CannotStart(f"No {length} ports in a row are free from {base} on.", "Name others with --port-base.")
