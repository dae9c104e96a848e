"""A whole hub on one machine: real Kafka, real PostgreSQL, and services that stand in for the three."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from conftest import HERE, Up, eventually
from fakes import FakeStack
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from jalons.embedded import CannotStart
from jalons.embedded.folder import KAFKA_USERS, free_run
from jalons.embedded.stack import SERVICES, Servers, Stack
from tests.support.broker import answers_a_stranger, lets_in, login


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Iterator[Stack]:
    """Shared; each story leaves it whole."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(HERE)
    base = free_run(18_100, 3)[0]
    with FakeStack(tmp_path_factory.mktemp("hub") / "data", port_base=base, report=said.append) as hub:
        yield hub
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def about(hub: Stack, name: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{hub.info[name]}/about", timeout=5) as answer:
        return dict(json.load(answer))


def all_ready(hub: Servers) -> Callable[[], bool]:
    return lambda: all(child.ready for child in hub.children.values())


def test_hub_json_says_where_everything_is_to_its_owner_only(hub: Stack) -> None:
    path = hub.folder.path / "hub.json"
    info = json.loads(path.read_text())
    assert set(info) == {*SERVICES, "kafka", "kafka_access", "database", "operator"}
    assert set(info["operator"]) == {"client_id", "client_secret"}
    assert info == hub.info
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((hub.folder.path / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((hub.folder.path / "kafka" / "server.properties").stat().st_mode) == 0o600
    assert not (hub.folder.path / "kafka" / "format.properties").exists()
    assert stat.S_IMODE(hub.folder.path.stat().st_mode) == 0o700
    with psycopg.connect(info["database"]) as connection:
        assert connection.execute("SELECT current_setting('fsync')").fetchone() == ("on",)


def test_a_port_base_that_is_taken_is_refused_by_name(hub: Stack, tmp_path: Path) -> None:
    taken = hub.port_base + 1 if hub.port_base else 0
    with pytest.raises(CannotStart, match=f"Port {taken} and {taken + 1} is taken"):
        FakeStack(tmp_path / "data", port_base=taken).__enter__()
    assert not (tmp_path / "data" / "hub.json").exists()


def test_a_copy_of_a_running_hubs_folder_starts_and_harms_nothing(hub: Stack, tmp_path: Path) -> None:
    for name in ("layout", "secrets.json", "ports.json", "hub.json"):
        (tmp_path / name).write_bytes((hub.folder.path / name).read_bytes())
    shutil.copytree(hub.folder.path / "run", tmp_path / "run")
    before = {name: hub.pid_of(name) for name in hub.children if name != "migrate"}
    with Servers(tmp_path) as copied:
        assert copied.ports["kafka"] != hub.ports["kafka"]
        assert copied.secrets == hub.secrets
    assert {name: hub.pid_of(name) for name in before} == before
    assert about(hub, "referrals")["pid"] == before["referrals"]


def test_only_loopback_listens(hub: Stack) -> None:
    pids = {hub.pid_of(name) for name in hub.children if name != "migrate"}
    pids |= {child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)}
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in pids]
    assert len(listening) >= 7  # broker, controller, database, mail, three services
    assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


def test_the_database_wants_its_password(hub: Stack) -> None:
    wrong = hub.info["database"].replace(hub.secrets["database_password"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry"):
        psycopg.connect(hub.info["database"].replace("//jalons:", "//postgres:"))


@pytest.mark.parametrize("listener", ["kafka", "controller"])
def test_the_broker_wants_a_password_on_both_its_ports(hub: Stack, listener: str) -> None:
    port, known = hub.ports[listener], {user: hub.secrets[f"kafka_{user}_password"] for user in KAFKA_USERS}
    assert not answers_a_stranger(port)
    assert not lets_in(port, "broker", "wrong")
    let_in = {user for user, password in known.items() if lets_in(port, user, password)}
    assert let_in == (set(KAFKA_USERS) if listener == "kafka" else {"broker"})


def test_the_brokers_passwords_are_in_no_log_and_on_no_command_line(hub: Stack) -> None:
    secrets = [hub.secrets[name] for name in hub.secrets if name.endswith("_password")]
    assert len(secrets) == 7
    said = [path.read_text("utf-8", "replace") for path in (hub.folder.path / "log").iterdir()]
    children = [psutil.Process(hub.pid_of(name)) for name in hub.children if name != "migrate"]
    lines = [" ".join(each.cmdline()) for child in children for each in (child, *child.children(recursive=True))]
    assert any("kafka.Kafka" in line for line in lines)
    assert not [secret for secret in secrets if secret in "".join([*said, *lines])]


def test_a_second_hub_on_the_folder_is_refused_and_harms_nothing(hub: Stack) -> None:
    with pytest.raises(CannotStart, match=f"already .process {os.getpid()}"), FakeStack(hub.folder.path):
        pass
    assert (hub.folder.path / "hub.json").exists()
    assert about(hub, "referrals")["name"] == "referrals"


def test_each_service_is_a_process_of_its_own_in_a_session_of_its_own(hub: Stack) -> None:
    told = [about(hub, name) for name in SERVICES]
    assert {one["parent"] for one in told} == {os.getpid()}
    assert [one["pid"] for one in told] == [hub.pid_of(name) for name in SERVICES]
    assert all(one["session"] == one["pid"] for one in told), "Ctrl-C at a terminal is not for them"


def test_a_killed_service_comes_back_and_is_said(hub: Stack, said: list[str]) -> None:
    before = hub.pid_of("observation")
    hub.kill("observation", signal.SIGKILL)
    eventually(lambda: "observation is back." in said)
    assert hub.pid_of("observation") != before
    assert about(hub, "observation")["pid"] == hub.pid_of("observation")
    assert any(line.startswith("observation ended (signal SIGKILL)") for line in said)


def test_killed_servers_come_back_with_what_they_had(hub: Stack) -> None:
    admin = KafkaAdminClient(**login(hub))
    admin.create_topics([NewTopic("kept", 2, 1)])
    admin.close()
    producer = KafkaProducer(**login(hub), enable_idempotence=True, acks="all")
    producer.send("kept", b"an event").get(timeout=10)
    producer.close()
    hub.kill("kafka", signal.SIGKILL)
    hub.kill("postgres", signal.SIGKILL)
    eventually(lambda: not (hub.children["kafka"].ready or hub.children["postgres"].ready))
    eventually(all_ready(hub), 40)
    consumer = KafkaConsumer("kept", **login(hub), auto_offset_reset="earliest", consumer_timeout_ms=10_000)
    assert next(consumer).value == b"an event"
    consumer.close()
    with psycopg.connect(hub.info["database"]) as connection:
        assert connection.execute("SELECT count(*) FROM starts").fetchone() == (1,)


def test_servers_named_in_the_environment_are_used_instead(
    hub: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JALONS_KAFKA", hub.info["kafka"])
    monkeypatch.setenv("JALONS_DATABASE_URL", hub.info["database"])
    monkeypatch.setenv("JALONS_SMTP_URL", "smtp://mail.example:587")
    with FakeStack(tmp_path / "data", port_base=18_300) as other:
        assert set(other.children) == {"migrate", *SERVICES}
        assert other.info["kafka"] == hub.info["kafka"]
        assert other.info["database"] == hub.info["database"]
        assert other.settings.smtp_url == "smtp://mail.example:587"
        assert other.settings.mail_catcher_dir is None


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(CannotStart, match="other things"), Servers(tmp_path):
        pass
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize(("layout", "made"), [(None, "before version 0.1.0"), ("2", "by a later version")])
def test_a_folder_of_another_version_is_refused_in_a_sentence(
    up: Callable[..., Up], tmp_path: Path, layout: str | None, made: str
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "lock").touch()
    (data / "secrets.json").write_text("{}")
    if layout:
        (data / "layout").write_text(layout)
    refused = up(data)
    assert refused.process.wait(30) == 1
    said = " ".join(refused.said().split())
    assert f"was made {made}, and this version cannot read it." in said
    assert "Name a new folder with --data" in said
    assert (data / "secrets.json").read_text() == "{}", "it is left as it was"


def test_up_stops_on_sigterm_goes_on_where_it_was_and_survives_sigkill(up: Callable[..., Up], tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = up(data, "--port-base", "18200")
    first.wait_ready()
    info = json.loads((data / "hub.json").read_text())
    everything = psutil.Process(first.process.pid).children(recursive=True)
    os.killpg(first.process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    assert first.process.wait(timeout=15) == 0
    assert "The hub is ready" in first.said()
    assert not any(process.is_running() for process in everything)
    assert not (data / "hub.json").exists()

    second = up(data, "--port-base", "18200")
    second.wait_ready()
    assert json.loads((data / "hub.json").read_text()) == info  # same ports, same secrets
    everything = psutil.Process(second.process.pid).children(recursive=True)
    for process in [*everything, psutil.Process(second.process.pid)]:
        process.kill()
    second.process.communicate()
    (data / "hub.json").unlink()  # else the wait below would not wait

    third = up(data, "--port-base", "18200")
    third.wait_ready()
    with psycopg.connect(json.loads((data / "hub.json").read_text())["database"]) as connection:
        assert connection.execute("SELECT count(*) FROM starts").fetchone() == (3,)
    third.process.terminate()
    assert third.process.wait(timeout=15) == 0


def test_up_that_cannot_start_says_cause_and_cure(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    refused = up(tmp_path)
    assert refused.process.wait(timeout=20) == 1
    assert "holds other things than a hub" in refused.said()
