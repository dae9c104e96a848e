"""What partners, the coordinator and the operator ask of notifications over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from jalons.embedded.mail import Catcher
from jalons.web.application import application
from jalons.web.identity import Principal
from jalons.web.problems import Problem
from services.notifications.deliveries.http import delivery_routes
from services.notifications.deliveries.outcome import Deferred, Refused
from services.notifications.emails.mailbox import mailbox_routes
from services.notifications.emails.mailer import MemoryMailer
from services.notifications.webhooks.http import subscription_routes
from services.notifications.webhooks.http_client import HttpWebhookClient
from tests.services.test_notifications_stage import REF, SECRET, Stage, event, own

pytest_plugins = ["tests.services.test_notifications_stage"]


class Anybody:
    """A token is `partner`, `coordinator` or `operator`, or a partner's slug."""

    def principal(self, authorization: str | None) -> Principal:
        who = (authorization or "").removeprefix("Bearer ")
        if not who:
            raise Problem(401, "unauthorised", "No token.", "Send one.")
        scopes = {who} if who in {"coordinator", "operator"} else {"partner"}
        return Principal(who, None if who in {"coordinator", "operator"} else who, frozenset(scopes))


@pytest.fixture
def api(stage: Stage) -> Callable[[str], TestClient]:
    stage.caller = HttpWebhookClient(loopback=True)
    return _api(stage, None)


def _api(stage: Stage, mail: Path | None) -> Callable[[str], TestClient]:
    app = application("notifications", "test", Anybody(), dict, None)
    app.include_router(subscription_routes(stage.engine, SECRET, stage.caller, stage.clock))
    app.include_router(delivery_routes(stage.engine, own, stage.clock))
    app.include_router(mailbox_routes(mail))
    return lambda who: TestClient(app, headers={"authorization": f"Bearer {who}"}, raise_server_exceptions=False)


BODY = {"url": "https://193.190.198.27/hook", "types": ["jalons.referral.*"], "mode": "full"}


def test_a_secret_is_shown_once(api):
    trusquin = api("le-trusquin")
    first = trusquin.put("/subscriptions/dossiers", json=BODY)
    second = trusquin.put("/subscriptions/dossiers", json=BODY | {"types": ["*"]})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["secret"].startswith("whsec_")
    assert second.json()["secret"] is None
    assert second.json()["secret_already_shown"] is True
    assert second.json()["types"] == ["*"]
    assert "secret" not in trusquin.get("/subscriptions/dossiers").json()


def test_a_secret_is_not_kept_in_clear(api, stage: Stage):
    secret = api("le-trusquin").put("/subscriptions/dossiers", json=BODY).json()["secret"]
    assert secret.removeprefix("whsec_") not in str(stage.rows("SELECT * FROM secrets"))


def test_a_partner_sees_its_own_subscriptions_only(api):
    api("le-trusquin").put("/subscriptions/dossiers", json=BODY)
    assert api("cpas-hotton").get("/subscriptions").json() == {"items": []}
    assert api("cpas-hotton").get("/subscriptions/dossiers").status_code == 404
    assert [each["name"] for each in api("le-trusquin").get("/subscriptions").json()["items"]] == ["dossiers"]
    assert api("coordinator").get("/subscriptions").status_code == 403


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "https://10.0.0.1/"}, "address_not_public"),
        ({"url": "https://169.254.169.254/latest"}, "address_not_public"),
        ({"url": "http://193.190.198.27/"}, "address_not_public"),  # without TLS this machine only, and by a setting
        ({"url": "ftp://partner.example/"}, "url_not_https"),
        ({"url": "https://user:pass@partner.example/"}, "url_with_credentials"),
        ({"url": "https://193.190.198.27/?person=85073003328"}, "national_number"),
        ({"types": []}, "invalid"),
        ({"types": ["referral.sent"]}, "invalid"),
        ({"mode": "some"}, "invalid"),
        ({"secret": "whsec_mine"}, "unknown_field"),
    ],
)
def test_what_cannot_be_subscribed_is_refused_with_its_cure(api, change, code):
    answer = api("le-trusquin").put("/subscriptions/dossiers", json=BODY | change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["cure"]
    assert api("le-trusquin").get("/subscriptions").json()["items"] == []


def test_types_without_an_event_so_far_are_said(api):
    body = BODY | {"types": ["jalons.referal.*", "jalons.referral.*"]}
    assert api("le-trusquin").put("/subscriptions/dossiers", json=body).json()["matches_nothing_yet"] == [
        "jalons.referal.*"
    ]


def test_what_comes_during_a_pause_goes_after_it(api, stage: Stage, receives):
    receiver, trusquin = receives(), api("le-trusquin")
    trusquin.put("/subscriptions/dossiers", json=BODY | {"url": receiver.url})
    stage.knows_everybody()
    assert trusquin.post("/subscriptions/dossiers/pause").json()["status"] == "paused"
    stage.hears(event("referral.sent"))
    stage.sends()
    assert receiver.calls == []
    assert [each["code"] for each in trusquin.get("/deliveries?status=waiting").json()["items"]] == [
        "subscription_paused"
    ]
    assert trusquin.post("/subscriptions/dossiers/resume").json()["status"] == "active"
    stage.sends()
    assert len(receiver.calls) == 1


def test_an_old_secret_signs_on_for_a_day(api, stage: Stage, receives):
    receiver, trusquin = receives(), api("le-trusquin")
    stage.clock.at = datetime.now(UTC)
    stage.knows_everybody()
    old = trusquin.put("/subscriptions/dossiers", json=BODY | {"url": receiver.url}).json()["secret"]
    new = trusquin.post("/subscriptions/dossiers/rotate-secret").json()["secret"]
    trusquin.post("/subscriptions/dossiers/test")
    stage.sends()
    call = receiver.calls[-1]
    for secret in (old, new):
        assert Webhook(secret).verify(call.body, call.headers)["type"] == "jalons.subscription.test.v1"
    stage.clock.pass_(hours=25)
    trusquin.post("/subscriptions/dossiers/test")
    stage.sends()
    late = receiver.calls[-1]
    assert len(late.headers["webhook-signature"].split()) == 1
    headers = late.headers | {"webhook-timestamp": call.headers["webhook-timestamp"]}
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(late.body, headers)


def test_a_test_event_is_a_delivery_like_any_other(api, stage: Stage, receives):
    trusquin = api("le-trusquin")
    trusquin.put("/subscriptions/dossiers", json=BODY | {"url": receives((500, {})).url})
    stage.knows_everybody()
    made = trusquin.post("/subscriptions/dossiers/test")
    assert made.status_code == 202
    stage.sends()
    seen = trusquin.get(f"/deliveries/{made.json()['delivery_id']}").json()
    assert (seen["status"], seen["code"], len(seen["attempts"])) == ("pending", "receiver_fails", 1)


def test_a_disabled_subscription_is_put_again(api, stage: Stage, receives):
    trusquin, receiver = api("le-trusquin"), receives((410, {}))
    trusquin.put("/subscriptions/dossiers", json=BODY | {"url": receiver.url})
    stage.knows_everybody()
    trusquin.post("/subscriptions/dossiers/test")
    stage.sends()
    seen = trusquin.get("/subscriptions/dossiers").json()
    assert (seen["status"], seen["code"]) == ("disabled", "receiver_gone")
    assert seen["cure"]
    assert trusquin.post("/subscriptions/dossiers/resume").status_code == 409
    assert trusquin.post("/subscriptions/dossiers/test").status_code == 409
    assert trusquin.put("/subscriptions/dossiers", json=BODY | {"url": receiver.url}).json()["status"] == "active"


def test_a_partner_sees_its_own_messages_and_the_coordinator_all(api, stage: Stage):
    stage.knows_everybody()
    stage.hears(event("referral.sent"), event("referral.accepted", partner="le-trusquin"))
    stage.sends()
    seen = {who: api(who).get("/deliveries").json()["items"] for who in ("le-trusquin", "cpas-hotton", "coordinator")}
    assert [each["recipient"] for each in seen["le-trusquin"]] == ["le-trusquin"]
    assert [each["recipient"] for each in seen["cpas-hotton"]] == ["cpas-hotton"]
    assert len(seen["coordinator"]) == len(api("operator").get("/deliveries").json()["items"]) == 2
    other = seen["cpas-hotton"][0]["delivery_id"]
    assert api("le-trusquin").get(f"/deliveries/{other}").status_code == 404
    assert api("le-trusquin").post(f"/deliveries/{other}/retry").status_code == 404
    assert REF not in str(seen)


def test_deliveries_are_paged_and_none_is_missed_or_seen_twice(api, stage: Stage):
    stage.knows_everybody()
    for _ in range(3):
        stage.hears(*(event("referral.sent") for _ in range(3)))
        stage.clock.pass_(seconds=1)
    met, cursor = [], ""
    while cursor is not None:
        page = (
            api("le-trusquin").get("/deliveries", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        )
        met += [each["delivery_id"] for each in page["items"]]
        cursor = page["next"]
    assert len(met) == len(set(met)) == 9
    assert api("le-trusquin").get("/deliveries?cursor=nonsense").json()["code"] == "invalid"


def test_a_failure_says_its_cause_and_its_cure_and_can_be_tried_again(api, stage: Stage):
    stage.mailer = MemoryMailer(lambda _m: Refused("mailbox_refused"))
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    stage.sends()
    (item,) = api("le-trusquin").get("/deliveries?status=failed&channel=email").json()["items"]
    assert item["code"] == "mailbox_refused"
    assert item["cause"]
    assert item["cure"]
    assert [(each["number"], each["outcome"], each["code"]) for each in item["attempts"]] == [
        (1, "refused", "mailbox_refused")
    ]
    stage.mailer = mended = MemoryMailer()
    assert api("le-trusquin").post(f"/deliveries/{item['delivery_id']}/retry").status_code == 202
    stage.sends()
    assert len(mended.taken) == 1
    again = api("le-trusquin").post(f"/deliveries/{item['delivery_id']}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "not_to_be_sent")


def test_a_message_that_waits_for_its_next_attempt_goes_at_once_when_asked(api, stage: Stage):
    stage.mailer = MemoryMailer(lambda _m: Deferred("mail_server_away"))
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    stage.sends()
    (item,) = api("operator").get("/deliveries?status=pending").json()["items"]
    assert item["next_attempt"] is not None
    stage.mailer = back = MemoryMailer()
    api("operator").post(f"/deliveries/{item['delivery_id']}/retry")
    stage.sends()
    assert len(back.taken) == 1


def test_a_given_up_webhook_says_that_its_content_is_destroyed(api, stage: Stage, receives):
    api("le-trusquin").put("/subscriptions/dossiers", json=BODY | {"url": receives((410, {})).url})
    stage.knows_everybody()
    stage.hears(event("referral.sent"))
    stage.sends()
    (item,) = api("le-trusquin").get("/deliveries?channel=webhook").json()["items"]
    answer = api("le-trusquin").post(f"/deliveries/{item['delivery_id']}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "message_destroyed")


def test_the_mailbox_shows_what_the_catcher_holds_newest_last(stage: Stage, tmp_path: Path):
    catcher, api = Catcher(tmp_path), _api(stage, tmp_path)
    for number, name in enumerate(("premier", "dernier")):
        message = EmailMessage()
        message["To"], message["Subject"], message["Message-ID"] = "a@b.example", f"Relais {name} é", f"<{name}@x>"
        message.set_content("Bonjour é")
        message.add_alternative("<p>Bonjour é</p>", subtype="html")
        catcher.store(message.as_bytes(), ["a@b.example"])
        for each in (tmp_path / "new").iterdir():
            if each.stat().st_mtime > 10_000:
                os.utime(each, (number + 1, number + 1))
    items = api("operator").get("/mailbox").json()["items"]
    assert [each["subject"] for each in items] == ["Relais premier é", "Relais dernier é"]
    assert items[0]["to"] == "a@b.example"
    assert "Bonjour é" in items[0]["text"]
    assert "<p>Bonjour é</p>" in items[0]["html"]
    for other in ("le-trusquin", "coordinator"):
        refused = api(other).get("/mailbox")
        assert (refused.status_code, refused.json()["code"]) == (403, "wrong_scope")
        assert "Bonjour" not in refused.text


def test_without_a_mail_catcher_there_is_no_mailbox(api):
    answer = api("operator").get("/mailbox")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_mail_catcher")
