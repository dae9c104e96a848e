"""What the Python client does again by itself, and what it does not: tokens, lost answers, a hub that is busy."""

from __future__ import annotations

import json
import logging
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jalons import client as sdk
from jalons.client import exchange
from jalons.database import engine
from jalons.embedded.stack import Stack
from services.referrals.identity.signing import SigningKeys
from tests.contracts.test_client_stage import Partner, at, sent_to
from tests.support.between import Between, drop_the_answer, drop_the_call, refuse
from tests.support.network import Network

pytest_plugins = ["tests.contracts.test_client_stage"]


def test_a_token_that_is_over_is_renewed_and_the_call_made_again(
    hotton: Partner, network: Network, stack: Stack
) -> None:
    pool = engine(stack.settings.database_url, "referrals", pool=1)
    signing = SigningKeys(pool, stack.settings.secret_key.get_secret_value())
    known = network["cpas-hotton"]
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    expired = signing.token(network.info["referrals"], known.client_id, known.slug, ["partner"], long_ago)
    pool.dispose()
    hotton.exchange._token = (expired, time.monotonic() + 500)
    assert hotton.refer()["status"] == "sent"
    assert hotton.exchange._token[0] != expired


def test_one_token_serves_many_calls_and_is_renewed_before_its_end(
    partner: Any, network: Network, before: Between
) -> None:
    hotton = partner("cpas-hotton", at(before, network))
    for _ in range(3):
        hotton.some(hotton.hub.offers.list())
    assert before.count("/oauth/token") == 1
    token, renewed_at = hotton.exchange._token
    assert 500 < renewed_at - time.monotonic() < 600
    hotton.exchange._token = (token, time.monotonic())
    hotton.some(hotton.hub.offers.list())
    assert before.count("/oauth/token") == 2


def test_a_call_that_stays_unauthorised_is_not_made_for_ever(partner: Any, network: Network, before: Between) -> None:
    hotton = partner("cpas-hotton", at(before, network))
    before.mishaps += [refuse(401), refuse(401)]
    with pytest.raises(sdk.Unauthorised):
        hotton.some(hotton.hub.offers.list())
    assert before.count("/offers") == 2


def test_a_call_whose_answer_was_lost_is_repeated_with_its_key_and_done_once(
    partner: Any, network: Network, before: Between
) -> None:
    hotton = partner("cpas-hotton", at(before, network))
    already = sent_to(network, "cpas-hotton")
    before.mishaps += [drop_the_answer, drop_the_call]
    sent = hotton.refer()
    assert sent["status"] == "sent"
    assert sent_to(network, "cpas-hotton") == already + 1
    keys = before.keys("/referrals")
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_key_of_the_callers_own_repeats_a_call_after_a_restart(partner: Any) -> None:
    key = f"H-2026-114/{uuid.uuid4()}"
    first = partner("cpas-hotton").refer(idempotency_key=key)
    again = partner("cpas-hotton").refer(idempotency_key=key)
    assert again == first
    assert again.call == first.call
    with pytest.raises(sdk.Invalid, match="idempotency_key_reused"):
        partner("cpas-hotton").refer(idempotency_key=key, goal="discover")


BUSY = json.dumps({"status": 409, "code": "still_running", "detail": "At work.", "cure": "Repeat."}).encode()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of every pause between two attempts."""
    recorded: list[float] = []

    class Recorded(exchange.Pause):
        def __init__(self, seconds: float) -> None:
            recorded.append(seconds)
            super().__init__(seconds)

    monkeypatch.setattr(exchange, "Pause", Recorded)
    return recorded


def test_what_cannot_be_taken_on_now_is_repeated_when_the_hub_says(
    partner: Any, network: Network, before: Between, pauses: list[float]
) -> None:
    hotton = partner("cpas-hotton", at(before, network), patience=10)
    for mishap, least in (
        (refuse(503, Retry_After="1"), 1.0),
        (refuse(429, Retry_After=_http_date(4)), 0.9),
        (refuse(409, BUSY, Content_Type="application/problem+json"), 0.1),
        (refuse(502, b"<html>"), 0.1),
    ):
        before.mishaps.append(mishap)
        assert hotton.refer()["status"] == "sent"
        assert pauses.pop() >= least
        assert pauses == []
    keys = before.keys("/referrals")
    assert len(keys) == 8
    assert len(set(keys)) == 4


def _http_date(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_patience_has_an_end(partner: Any, network: Network, before: Between, pauses: list[float]) -> None:
    hotton = partner("cpas-hotton", at(before, network), patience=1.5)
    before.mishaps.append(refuse(503, Retry_After="60"))
    with pytest.raises(sdk.Unavailable, match="503"):
        hotton.some(hotton.hub.offers.list())
    assert pauses == [], "a wait that is longer than patience is not begun"
    away = partner("cpas-hotton", "http://127.0.0.1:9", patience=1.0)
    with pytest.raises(sdk.Unreachable, match=r"referrals does not answer \(ConnectError\)"):
        away.refer()
    assert pauses, "it was repeated"
    assert sum(pauses) <= 1.0, "not for ever"


def test_a_refusal_is_not_repeated(partner: Any, network: Network, before: Between) -> None:
    hotton = partner("cpas-hotton", at(before, network))
    with pytest.raises(sdk.NoConvention):
        hotton.refer(recipient="forem-marche")
    assert before.count("/referrals") == 1


def test_neither_logs_nor_errors_hold_what_was_asked(
    hotton: Partner, partner: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = f"H-{uuid.uuid4().hex}"
    hotton.some(hotton.hub.beneficiaries.list(local_ref=secret))
    with pytest.raises(sdk.Unreachable) as failed:
        away = partner("cpas-hotton", "http://127.0.0.1:9", patience=0)
        away.some(away.hub.beneficiaries.list(local_ref=secret))
    assert secret not in str(failed.value)
    assert "HTTP Request: GET" in caplog.text
    assert secret not in caplog.text
