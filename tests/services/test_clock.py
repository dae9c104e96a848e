"""Time is moved where the hub was started for it, forward only; elsewhere the real time is all there is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from jalons import clock
from jalons.embedded import CannotStart
from jalons.embedded.stack import Stack
from jalons.process.settings import Settings
from tests.support.calls import refused
from tests.support.network import Network

DAY = timedelta(days=1)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """This process goes by a test clock."""
    clock.follow(tmp_path / "clock")
    yield tmp_path / "clock"
    clock.follow(None)


def test_time_goes_on_from_where_it_was_moved_to(file: Path) -> None:
    real = clock.real_now()
    assert clock.now() - real < DAY
    clock.move_to(real + 3 * DAY)
    first, second = clock.now(), clock.now()
    assert 3 * DAY <= first - real < 3 * DAY + timedelta(minutes=1)
    assert second > first
    assert clock.real_now() - real < DAY
    clock.follow(file)  # another process, or this one started again
    assert clock.now() >= second


def test_time_never_goes_back(file: Path) -> None:
    with pytest.raises(clock.NotForward):
        clock.move_to(clock.real_now() - DAY)
    clock.move_to(clock.real_now() + DAY)
    with pytest.raises(clock.NotForward):
        clock.move_to(clock.real_now() + DAY - timedelta(seconds=1))
    assert clock.now() - clock.real_now() >= DAY - timedelta(seconds=1)


def test_another_process_sees_it_within_a_second(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock.now()
    (file.parent / "half").write_text("86400.0\n")
    (file.parent / "half").replace(file)
    assert clock.now() - before < DAY, "it looks once a second"
    monkeypatch.setattr(clock._test_clock, "_read_at", float("-inf"))
    assert clock.now() - before >= DAY


def test_without_a_test_clock_time_is_real_and_rests_are_long() -> None:
    with pytest.raises(clock.NoTestClock):
        clock.move_to(clock.now() + DAY)
    assert clock.pause(30) == 30


def test_with_one_rests_are_short(file: Path) -> None:
    assert clock.pause(30) == 1
    assert clock.pause(0.2) == 0.2


def test_it_is_refused_where_the_hub_was_not_started_for_it(network: Network) -> None:
    later = {"now": (clock.now() + DAY).isoformat()}
    refused(network.operator.call("POST", "/test/clock", later), 409, "no_test_clock")
    refused(network["integra-plus"].call("POST", "/test/clock", later), 403, "wrong_scope")
    refused(network.operator.call("POST", "/test/clock", {"now": "2026-12-01T08:00:00"}), 422, "invalid")


@pytest.mark.parametrize("real", [{"host": "0.0.0.0"}, {"mail_catcher_dir": None}])
def test_a_hub_that_reaches_people_has_the_real_time(real: dict[str, str | None], tmp_path: Path) -> None:
    tried_out = {
        "database_url": "postgresql+psycopg://h/d",
        "kafka": "127.0.0.1:1",
        "secret_key": "s" * 32,
        "hub_client_secret": "s",
        "mail_catcher_dir": tmp_path,
        "test_clock": tmp_path / "clock",
    }
    assert Settings.model_validate(tried_out).test_clock
    with pytest.raises(ValidationError, match="JALONS_TEST_CLOCK"):
        Settings.model_validate(tried_out | real)


def test_a_folder_whose_time_was_moved_is_not_started_otherwise(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "hub")
    stack.folder.open()
    (stack.folder.path / "clock").write_text("86400.0\n")
    stack.folder.close()
    with pytest.raises(CannotStart) as refusal, stack:
        pass
    assert "--test-clock" in refusal.value.cure


def test_mail_is_not_sent_from_a_hub_whose_time_is_moved(tmp_path: Path) -> None:
    with (
        pytest.raises(CannotStart) as refusal,
        Stack(tmp_path / "hub", test_clock=True, smtp_url="smtp://127.0.0.1:2525"),
    ):
        pass
    assert "mail" in refusal.value.cause
