"""A webhook is signed, cut to who receives it, and sent as its receiver asks."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from standardwebhooks import Webhook

from jalons.privacy.own_ids import day_of
from services.notifications.webhooks.client import MemoryWebhookClient
from services.notifications.webhooks.http_client import HttpWebhookClient
from tests.services.test_notifications_stage import REF, TELLING, Stage, event, own

pytest_plugins = ["tests.services.test_notifications_stage"]


def test_a_webhook_is_signed_and_every_attempt_has_the_same_id(stage: Stage, receives):
    receiver = receives((500, {}), (204, {}))
    stage.caller = HttpWebhookClient(loopback=True)
    stage.knows_everybody()
    secret = stage.subscribes("le-trusquin", receiver.url, "jalons.referral.*")
    stage.clock.at = datetime.now(UTC)
    stage.hears(event("referral.sent", sealed=TELLING))
    stage.sends()
    stage.clock.pass_(seconds=60)
    stage.sends()
    first, second = receiver.calls
    assert (
        first.headers["webhook-id"] == second.headers["webhook-id"] == str(stage.deliveries("webhook")[0].delivery_id)
    )
    for call in (first, second):
        seen = Webhook(secret).verify(call.body, call.headers)
        assert seen["data"]["reason"] == "sante"  # the receiver may see why
        assert "home" not in seen["data"]
        assert REF not in call.body.decode()  # its own alias instead
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


def test_the_home_partner_sees_all_and_a_stranger_nothing(stage: Stage):
    stage.caller = caller = MemoryWebhookClient()
    stage.knows_everybody()
    stage.subscribes("cpas-hotton", "https://home.example/")
    stage.subscribes("maison-de-repos-hotton", "https://employer.example/")
    stage.hears(event("referral.sent"), event("pathway.moment_entered", partner="hub"), event("beneficiary.registered"))
    stage.sends()
    seen = [json.loads(body) for _, body in caller.calls]
    assert {each["type"] for each in seen} == {
        "jalons.referral.sent.v1",
        "jalons.pathway.moment_entered.v1",
        "jalons.beneficiary.registered.v1",
    }
    assert {each["subject"] for each in seen} == {REF}


def test_an_employer_is_not_told_who_acted(stage: Stage):
    stage.caller = caller = MemoryWebhookClient()
    stage.knows_everybody()
    stage.subscribes("maison-de-repos-hotton", "https://employer.example/", "jalons.placement.*")
    stage.hears(event("placement.proposed"))
    stage.sends()
    ((_, body),) = caller.calls
    assert b"cpas" not in body
    assert not {"partner", "subject", "causationid"} & set(json.loads(body))


def test_an_id_only_subscription_gets_id_type_and_time(stage: Stage):
    stage.caller = caller = MemoryWebhookClient()
    stage.knows_everybody()
    stage.subscribes("le-trusquin", "https://partner.example/", mode="id_only")
    sent = event("referral.sent")
    stage.hears(sent)
    stage.sends()
    ((headers, body),) = caller.calls
    assert json.loads(body) == {
        "id": str(own(sent.id, "le-trusquin")),
        "type": sent.type,
        "time": day_of(sent.time).isoformat(),
    }
    assert headers["content-type"] == "application/json"


def test_410_disables_the_subscription_and_nothing_more_is_sent(stage: Stage, receives):
    receiver = receives((410, {}))
    stage.caller = HttpWebhookClient(loopback=True)
    stage.knows_everybody()
    stage.subscribes("le-trusquin", receiver.url)
    stage.hears(event("referral.sent"), event("referral.accepted", partner="le-trusquin"))
    stage.sends()
    stage.hears(event("referral.declined", partner="le-trusquin"))
    stage.sends()
    assert len(receiver.calls) == 1
    assert [tuple(row) for row in stage.rows("SELECT status, cause FROM subscriptions")] == [
        ("disabled", "receiver_gone")
    ]
    assert sorted(row.cause for row in stage.deliveries("webhook")) == ["receiver_gone", "subscription_disabled"]
    assert all(row.body is None for row in stage.deliveries("webhook"))


def test_a_receiver_that_asks_for_an_hour_gets_it(stage: Stage, receives):
    receiver = receives((503, {"retry-after": "3600"}), (200, {}))
    stage.caller = HttpWebhookClient(loopback=True)
    stage.knows_everybody()
    stage.subscribes("le-trusquin", receiver.url)
    stage.hears(event("referral.sent"))
    stage.sends()
    stage.clock.pass_(minutes=59)
    stage.sends()
    assert len(receiver.calls) == 1
    stage.clock.pass_(minutes=2)
    stage.sends()
    assert len(receiver.calls) == 2
