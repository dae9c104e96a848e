"""Mail by SMTP; a password is sent without TLS only if the operator's URL says `?starttls=0`."""

from __future__ import annotations

import smtplib
import ssl
import threading
from contextlib import suppress
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from services.notifications.deliveries.outcome import Deferred, Delivered, Outcome, Refused

SECONDS = 10.0
MAX_MESSAGES = 20
"""Per connection; some servers accept no more."""


class SmtpMailer:
    """url: `smtp://user:password@host:port` or `smtps://…` (TLS from the start; port 25 or 465 unless named).

    On smtp:// STARTTLS is used where it is offered, and is required with a password or `?starttls=1`; `?starttls=0`
    turns it off, even with a password. Certificates are always checked. Raises ValueError for any other URL.

    Each thread has a connection of its own, kept open for the next message until `disconnect`.
    """

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        parts = urlsplit(url)
        starttls = parse_qs(parts.query).get("starttls", [""])[0]
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or starttls not in {"", "0", "1"}:
            raise ValueError("JALONS_SMTP_URL must be smtp://[user:password@]host[:port][?starttls=0|1] or smtps://…")
        self._implicit = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._implicit else 25)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._upgrade = starttls != "0"
        self._required = starttls == "1" or (bool(self._user) and self._upgrade)
        self._seconds = seconds
        self._kept = threading.local()

    def send(self, message: EmailMessage) -> Outcome:
        """One attempt. A refusal of this mailbox or message is final; everything else is tried again."""
        try:
            server = self._open()
        except smtplib.SMTPAuthenticationError:
            return Deferred("mail_server_login")
        except smtplib.SMTPNotSupportedError:
            return Deferred("mail_server_without_tls")
        except (smtplib.SMTPException, OSError):
            return Deferred("mail_server_away")
        return _send(server, message)

    def disconnect(self) -> None:
        """Close this thread's connection."""
        server, self._kept.server = getattr(self._kept, "server", None), None
        if server is not None:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _open(self) -> smtplib.SMTP:
        """The open connection, if the server accepts another message on it; else a new one."""
        server: smtplib.SMTP | None = getattr(self._kept, "server", None)
        if server is None or self._kept.sent == MAX_MESSAGES or not _accepts_more(server):
            self.disconnect()
            server = self._kept.server = self._connect()
            self._kept.sent = 0
        self._kept.sent += 1
        return server

    def _connect(self) -> smtplib.SMTP:
        if self._implicit:
            tls = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._seconds, context=tls)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._seconds)
        try:
            server.ehlo_or_helo_if_needed()
            if not self._implicit and self._upgrade and (self._required or server.has_extn("starttls")):
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def _accepts_more(server: smtplib.SMTP) -> bool:
    """Whether a server accepts another message on this connection."""
    try:
        return server.rset()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


def _send(server: smtplib.SMTP, message: EmailMessage) -> Outcome:
    try:
        server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        return Refused("mailbox_refused") if code >= 500 else Deferred("mailbox_busy")
    except smtplib.SMTPSenderRefused:
        return Deferred("sender_refused")
    except smtplib.SMTPDataError as error:
        return Refused("message_refused") if error.smtp_code >= 500 else Deferred("mailbox_busy")
    except (smtplib.SMTPException, OSError):
        server.close()  # a late response must not be read as the next message's
        return Deferred("mail_server_away")
    return Delivered()


class NoMailServer:
    """Used when no mail server is configured: messages are tried again until one is."""

    def send(self, message: EmailMessage) -> Outcome:  # noqa: ARG002 - the role's signature
        """Nothing can be sent."""
        return Deferred("mail_not_configured")

    def disconnect(self) -> None:
        """Nothing is held open."""
