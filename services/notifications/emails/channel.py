"""The e-mail channel: a message is written when it is sent, with what is known of its partners by then."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from schemas.routing import COORDINATOR
from services.notifications.deliveries.channel import Send
from services.notifications.deliveries.gate import Goes, Never, PartnerRecord, Waits, email_gate
from services.notifications.deliveries.queue import Due
from services.notifications.emails.mailer import Mailer
from services.notifications.emails.messages import InvalidMailbox, MessageWriter


class EmailChannel:
    """E-mails to partners' mailboxes. coordinator: her mailbox, if the network has one."""

    name = "email"

    def __init__(self, writer: MessageWriter, mailer: Mailer, coordinator: str | None = None) -> None:
        self._writer = writer
        self._mailer = mailer
        self._coordinator = coordinator_record(coordinator) if coordinator else None
        self._office = {COORDINATOR: self._coordinator} if self._coordinator else {}

    def prepare(self, conn: Connection, due: Due, now: datetime) -> Send | Waits | Never:  # noqa: ARG002 - the role's signature
        """The message, addressed to and naming the partners as they are now."""
        delivery, recipient, contact = due.delivery, due.recipient, due.contact
        if (delivery.facts or {}).get("role") == COORDINATOR:
            recipient = self._coordinator
        gate = email_gate(recipient, contact, trial=delivery.trial, waited=now - due.since)
        if not isinstance(gate, Goes) or recipient is None or contact is None:
            return gate if not isinstance(gate, Goes) else Never("unexpected")
        try:
            message = self._writer.write(delivery, recipient, contact, now, {**due.known, **self._office})
        except InvalidMailbox:
            return Never("mailbox_invalid")
        return lambda: self._mailer.send(message)

    def disconnect(self) -> None:
        """Close this thread's connection to the mail server."""
        self._mailer.disconnect()


def coordinator_record(mailbox: str) -> PartnerRecord:
    """The coordinator as a recipient; the directory has no record of her."""
    return PartnerRecord(
        slug=COORDINATOR,
        name="",
        mailbox=mailbox,
        phone="",
        phone_hours=None,
        language="fr",
        status="active",
        kind="association_chapitre_xii",
        trial=False,
        front=False,
    )
