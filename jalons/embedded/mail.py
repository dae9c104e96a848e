"""The mail catcher: a message is on disk before it is answered 250, and each Message-ID is kept once.

Run as `python -m jalons.embedded.mail FOLDER`; port, user and password are those of JALONS_SMTP_URL, since other users
of the machine can read a command line.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import signal
import sys
import uuid
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from jalons.embedded import LOOPBACK

LARGEST = 25 * 1024 * 1024


class Catcher:
    """Stores messages in a Maildir, which any mail reader opens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer 250 once the message is stored, 451 (try again) if the disk refuses it."""
        try:
            await asyncio.to_thread(self.store, envelope.original_content, list(envelope.rcpt_tos))
        except OSError as error:
            return f"451 The message could not be stored ({error.strerror})"
        return "250 Stored"

    def store(self, message: bytes, recipients: list[str]) -> bool:
        """Store a message, synced to disk; False if it is there already, read or not. The file is named by the hash of
        its Message-ID."""
        known = message_from_bytes(message).get("Message-ID")
        name = hashlib.sha256(known.strip().encode()).hexdigest()[:32] if known else uuid.uuid4().hex
        if any((self.folder / "cur").glob(f"{name}*")):
            return False
        half = self.folder / "tmp" / uuid.uuid4().hex
        delivered = "".join(f"Delivered-To: {recipient}\r\n" for recipient in recipients)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(delivered.encode() + message)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(half, self.folder / "new" / name)
        except FileExistsError:
            return False
        finally:
            half.unlink()
        self._sync_names()
        return True

    def _sync_names(self) -> None:
        names = os.open(self.folder / "new", os.O_RDONLY)
        try:
            os.fsync(names)
        finally:
            os.close(names)


def serve(url: str, folder: str) -> None:
    """Catch mail on 127.0.0.1 until SIGTERM. url: `smtp://user:password@host:port`; nobody else may send."""
    asyncio.run(_serve(url, Path(folder)))


async def _serve(url: str, folder: Path) -> None:
    catcher, loop, stop = Catcher(folder), asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    parts = urlsplit(url)
    known = LoginPassword(unquote(parts.username or "").encode(), unquote(parts.password or "").encode())

    def knows(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        same = isinstance(given, LoginPassword) and given.login == known.login
        return AuthResult(success=same and hmac.compare_digest(given.password, known.password), handled=False)

    def session() -> asyncio.Protocol:
        protocol: asyncio.Protocol = SMTP(
            catcher,
            hostname="localhost",
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            ident="Jalons mail catcher",
            authenticator=knows,
            auth_required=True,
            auth_require_tls=False,
        )
        return protocol

    async with await loop.create_server(session, LOOPBACK, parts.port):
        await stop.wait()


if __name__ == "__main__":
    serve(os.environ["JALONS_SMTP_URL"], sys.argv[1])
