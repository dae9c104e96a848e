"""Mail by SMTP; a password never crosses the network in clear unless the operator's address says so in words."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from services.notifications.domain.outcome import Deferred, Delivered, Outcome, Refused

SECONDS = 10.0


class SmtpMailer:
    """url: `smtp://user:password@host:port` or `smtps://…` (TLS from the start; port 25 or 465 unless named).

    On smtp:// STARTTLS is used where it is offered, and is a must with a password or `?starttls=1`; `?starttls=0`
    turns it off, password or not. Certificates are always checked. Raises ValueError for any other URL.
    """

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        parts = urlsplit(url)
        said = parse_qs(parts.query).get("starttls", [""])[0]
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or said not in {"", "0", "1"}:
            raise ValueError("JALONS_SMTP_URL must be smtp://[user:password@]host[:port][?starttls=0|1] or smtps://…")
        self._implicit = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._implicit else 25)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._upgrade = said != "0"
        self._must = said == "1" or (bool(self._user) and self._upgrade)
        self._seconds = seconds

    def send(self, message: EmailMessage) -> Outcome:
        """One attempt. A refusal of this mailbox or message is final, everything else may pass."""
        try:
            server = self._connect()
        except smtplib.SMTPAuthenticationError:
            return Deferred("mail_server_login")
        except smtplib.SMTPNotSupportedError:
            return Deferred("mail_server_without_tls")
        except (smtplib.SMTPException, OSError):
            return Deferred("mail_server_away")
        try:
            return _hand_over(server, message)
        finally:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _connect(self) -> smtplib.SMTP:
        if self._implicit:
            tls = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._seconds, context=tls)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._seconds)
        try:
            server.ehlo_or_helo_if_needed()
            if not self._implicit and self._upgrade and (self._must or server.has_extn("starttls")):
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def _hand_over(server: smtplib.SMTP, message: EmailMessage) -> Outcome:
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
        return Deferred("mail_server_away")
    return Delivered()


class NoMailServer:
    """Where no mail server is set: messages wait until one is."""

    def send(self, message: EmailMessage) -> Outcome:  # noqa: ARG002 - the role's signature
        """Nothing can be sent."""
        return Deferred("mail_not_configured")
