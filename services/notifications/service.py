"""Builds and wires the notifications service; opens nothing."""

from __future__ import annotations

from jalons import clock
from jalons.postgres import direct
from jalons.privacy.keys import Keys
from jalons.privacy.links import AnswerLinks
from jalons.process.purge import Purge, shared
from jalons.process.serve import Service
from jalons.process.settings import Settings
from jalons.process.wiring import Ground, follower
from schemas.topics import DIRECTORY, PATHWAYS
from services.notifications.deliveries.dispatch import Dispatcher
from services.notifications.deliveries.http import delivery_routes
from services.notifications.emails.channel import EmailChannel
from services.notifications.emails.mailbox import mailbox_routes
from services.notifications.emails.mailer import Mailer
from services.notifications.emails.messages import MessageWriter
from services.notifications.emails.open_acts import open_acts_routes
from services.notifications.emails.smtp import NoMailServer, SmtpMailer
from services.notifications.expiry import expiries
from services.notifications.operator.health import Health
from services.notifications.operator.mails import OperatorMails
from services.notifications.operator.part import OperatorWatch
from services.notifications.routing.router import Router
from services.notifications.webhooks.channel import WebhookChannel
from services.notifications.webhooks.http import subscription_routes
from services.notifications.webhooks.http_client import HttpWebhookClient

PROMISE = "Tells each partner what waits for it, by e-mail and signed webhook: once, and nothing it may not know."
EMAIL_THREADS = 2
WEBHOOK_THREADS = 4


def build(settings: Settings) -> Service:
    """The service, wired. Raises ValueError for an invalid JALONS_SMTP_URL."""
    secret = settings.secret_key.get_secret_value()

    def apply(ground: Ground, keys: Keys) -> Router:
        coordinator = bool(settings.coordinator_mailbox)
        return Router(secret, ground.alias, ground.own, ground.outbox, keys.forget, coordinator=coordinator)

    service, ground = follower(
        settings,
        "notifications",
        PROMISE,
        topics=(PATHWAYS, DIRECTORY),
        follows=("referrals", "observation"),
        apply=apply,
        audited=False,
    )
    mailer: Mailer = SmtpMailer(settings.smtp_url) if settings.smtp_url else NoMailServer()
    client = HttpWebhookClient(loopback=settings.allow_loopback_webhooks)
    pages = settings.public_url or (settings.referrals_url if settings.mail_catcher_dir else None)
    writer = MessageWriter(settings.network_name, settings.mail_from, pages, AnswerLinks(secret))
    dispatcher = Dispatcher(
        ground.engine,
        ground.outbox,
        {
            EmailChannel(writer, mailer, settings.coordinator_mailbox): EMAIL_THREADS,
            WebhookChannel(secret, client): WEBHOOK_THREADS,
        },
        listen=lambda: direct(settings.direct_url, "notifications", "deliveries"),
        stopping=service.parts.stopping,
    )
    app = service.app
    app.include_router(subscription_routes(ground.engine, secret, client, clock.now))
    app.include_router(delivery_routes(ground.engine, ground.own, clock.now))
    app.include_router(open_acts_routes(ground.engine, secret, clock.now))
    app.include_router(mailbox_routes(settings.mail_catcher_dir))
    purge = Purge(ground.engine, [*shared(settings, audited=False), *expiries(settings)])
    service.parts.add(*dispatcher.parts, purge.part)
    if settings.operator_mail:
        health = Health(settings.urls)
        mails = OperatorMails(settings.network_name, settings.mail_from, settings.operator_mail)
        service.parts.add(OperatorWatch(ground.engine, health, mails, mailer).part)
    return service
