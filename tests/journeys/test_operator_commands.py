"""The operator's commands do what their help says, on a real hub; the documents' examples run as written."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import psycopg
import pytest

from jalons.cli.doctor import measured
from jalons.cli.hub import Hub
from jalons.embedded.stack import Stack
from tests.support.days import day
from tests.support.network import Network, eventually
from tests.support.stream import COUNTED

tail = importlib.import_module("jalons.cli.tail")  # by name: the package's `tail` is the command itself
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"COLUMNS": "200", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

FOLLOWED = {"observation": ("referrals",), "notifications": ("referrals", "observation")}


def jalons(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jalons", *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT,
    )


def test_doctor_reports_a_running_hub_as_ready_with_notes(network: Network, stack: Stack) -> None:
    result = jalons(stack.folder.path, "doctor")
    assert result.returncode == 0, result.stdout
    assert "not ready" not in result.stdout
    assert "this machine only" in result.stdout, "no public address"
    assert "never sent" in result.stdout, "mail is caught"


def test_doctor_reports_a_missing_hub(tmp_path: Path) -> None:
    result = jalons(tmp_path, "doctor")
    assert result.returncode == 1
    assert "Start it: jalons up" in result.stderr


@pytest.mark.parametrize("damaged", ["", "{", "[]", "{}", '{"referrals": "http://127.0.0.1:1"}', "\x00"])
@pytest.mark.parametrize("command", [["doctor"], ["tail"], ["dead-letters"], ["republish", "referrals"]])
def test_a_damaged_hub_json_is_called_so(tmp_path: Path, damaged: str, command: list[str]) -> None:
    (tmp_path / "hub.json").write_text(damaged, "utf-8")
    if damaged in ("", "[]") or command == ["doctor"]:
        result = jalons(tmp_path, *command)
        assert result.returncode == 1
        assert "hub.json is damaged" in " ".join(result.stderr.split())
        assert "Traceback" not in result.stderr


def test_the_version_is_told() -> None:
    told = subprocess.run([sys.executable, "-m", "jalons", "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"jalons \d+\.\d+\.\d+\n", told.stdout)


def test_dead_letters_alone_are_listed(stack: Stack) -> None:
    alone, listed = (jalons(stack.folder.path, *command) for command in (["dead-letters"], ["dead-letters", "list"]))
    assert (alone.returncode, alone.stdout) == (0, listed.stdout)


def test_data_of_a_later_version_is_named_with_what_to_do(stack: Stack) -> None:
    environment = ENVIRONMENT | {
        f"JALONS_{name.upper()}": str(value) for name, value in stack.values.items() if value is not None
    }
    admin = stack.info["database"]
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("CREATE DATABASE later")
    with psycopg.connect(admin.rpartition("/")[0] + "/later", autocommit=True) as conn:
        conn.execute("CREATE SCHEMA referrals CREATE TABLE alembic_version (version_num text)")
        conn.execute("INSERT INTO referrals.alembic_version VALUES ('9999_later')")
    environment["JALONS_DATABASE_URL"] = environment["JALONS_DATABASE_URL"].rpartition("/")[0] + "/later"
    told = subprocess.run(
        [sys.executable, "-m", "jalons", "migrate"], capture_output=True, text=True, check=False, env=environment
    )
    assert told.returncode == 1
    assert "made by a later version" in told.stderr and "9999_later" in told.stderr
    assert "run the version that made the data" in told.stderr


def test_tail_waits_for_a_hub_that_is_away_and_follows_on() -> None:
    """The connection breaks, the hub is away, then another address answers: the stream goes on after the last event."""
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "old" and asked:
            raise httpx.ConnectError("away")
        if request.url.path == "/stream":
            asked.append((request.url.host, request.headers.get("last-event-id")))
            kind, body = {"Content-Type": "text/event-stream"}, f'id: {len(asked)}\ndata: {{"n": {len(asked)}}}\n\n'
            return httpx.Response(200, headers=kind, text=body)
        return httpx.Response(200, json={"access_token": "t"})

    names = iter(["old", "old", "new"])
    last = ["new"]

    def finds() -> Hub:
        name = next(names, last[0])
        return Hub({"referrals": f"http://{name}", "observation": f"http://{name}"}, "operator", "s")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail.time, "sleep", lambda _seconds: None)
        make = httpx.Client
        patch.setattr(tail.httpx, "Client", lambda **_: make(transport=httpx.MockTransport(answer)))
        events = tail.follow(finds, None, Path(__file__).parent, exists=lambda _path: True)
        assert [next(events), next(events)] == [{"n": 1}, {"n": 2}]
    assert asked == [("old", None), ("new", "1")]


@pytest.mark.parametrize(
    ("types", "unknown"),
    [
        ("referral.sent", []),
        ("referral.*,jalons.pathway.stalled.v1", []),
        ("referal.sent,referral.sent", ["referal.sent"]),
        ("*.nothing", ["*.nothing"]),
    ],
)
def test_tail_names_a_type_that_is_none(types: str, unknown: list[str]) -> None:
    assert tail.unknown_types(types) == unknown


def test_doctor_names_the_service_that_does_not_answer(stack: Stack, tmp_path: Path) -> None:
    info = json.loads((stack.folder.path / "hub.json").read_text("utf-8"))
    (tmp_path / "hub.json").write_text(json.dumps(info | {"observation": f"http://127.0.0.1:{free_port()}"}), "utf-8")
    result = jalons(tmp_path, "doctor")
    assert result.returncode == 1
    wrong = [line for line in result.stdout.splitlines() if line.startswith("not ready")]
    assert len(wrong) == 1
    assert "observation" in wrong[0]
    assert "Start it" in wrong[0]


@pytest.mark.parametrize(
    ("metric", "verdict", "text"),
    [
        ('jalons_outbox_oldest_seconds{service="referrals"} 90', "not ready", "waited 90 s"),
        ('jalons_deadlines_oldest_seconds{service="referrals"} 400', "not ready", "due for 400 s"),
        ('jalons_fuse_open{service="x",topic="jalons.pathways",partition="3"} 1', "not ready", "partition 3"),
        ('jalons_consumer_lag{service="x",topic="jalons.pathways",partition="3"} 700', "note", "700 records behind"),
        ('jalons_consumer_lag{service="x",topic="jalons.pathways",partition="3"} 2', "ok", "none waiting"),
    ],
)
def test_doctor_reports_backlogs_and_open_fuses(metric: str, verdict: str, text: str) -> None:
    findings = list(measured("x", f"{metric}\n"))
    assert [finding.verdict for finding in findings] == [verdict]
    assert text in findings[0].said


def test_republishing_changes_nothing(network: Network, stack: Stack) -> None:
    """The complete log of every service is sent again: no pathway, count, message or dead letter changes."""
    referral = network["cpas-hotton"].refer("le-trusquin")
    network["le-trusquin"].done("POST", f"/referrals/{referral['ref']}/accept", {"first_contact_on": day(4)})
    eventually(lambda: len(seen(network, referral)["events"]) == 4)
    eventually(lambda: sum(referral["ref"] in mail["subject"] for mail in network.mails()) == 2)
    eventually(lambda: not deliveries(network, "pending"))
    before = state(network, referral)
    length = {service: log_length(stack, service) for service in ("referrals", "observation", "notifications")}
    read = {service: log_read(stack, service) for service in length}
    dropped = {service: outcome(network, service, "seen") for service in ("observation", "notifications")}

    for service, number in length.items():
        sent = jalons(stack.folder.path, "republish", service)
        assert sent.returncode == 0, sent.stderr
        assert int(sent.stdout.split()[0]) >= number > 0

    for service, number in dropped.items():
        goal = number + sum(read[source] for source in FOLLOWED[service])
        eventually(lambda service=service, goal=goal: outcome(network, service, "seen") >= goal)
    assert state(network, referral) == before
    assert log_length(stack, "referrals") == length["referrals"], "positions did not change"


def test_republish_sends_exactly_the_range_and_refuses_one_outside_the_log(network: Network, stack: Stack) -> None:
    sent = jalons(stack.folder.path, "republish", "referrals", "--from", "2", "--to", "4")
    assert sent.stdout.startswith("3 events of referrals were sent again"), sent.stderr
    refused = jalons(stack.folder.path, "republish", "referrals", "--from", "100000000")
    assert refused.returncode == 1
    assert "ends at position" in refused.stderr
    assert "Name a range" in refused.stderr


def test_dead_letters_are_listed_from_every_service(network: Network, stack: Stack) -> None:
    result = jalons(stack.folder.path, "dead-letters", "list")
    assert result.returncode == 0, result.stderr
    letters = [
        letter
        for service in ("observation", "notifications")
        for letter in network.operator.done("GET", "/dead-letters", service=service)["items"]
    ]
    assert all(letter["id"] in result.stdout for letter in letters)
    assert letters or "No dead letter" in result.stdout


def test_tail_shows_a_referral_live(network: Network, stack: Stack) -> None:
    network["cpas-hotton"].refer("le-trusquin")
    command = [sys.executable, "-m", "jalons", "tail", "--data", str(stack.folder.path), "--after", "0"]
    with subprocess.Popen(
        [*command, "--type", "referral.*"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as tail:
        try:
            lines = reading(tail)
            lines.get(timeout=20)  # tail is connected and shows earlier events
            referral = network["cpas-hotton"].refer("le-trusquin")
            while referral["ref"] not in (line := lines.get(timeout=20)):
                pass
        finally:
            tail.terminate()
    assert re.search(r"referral\.sent +R-\S+ +cpas-hotton → le-trusquin \[formation\]", line)
    assert referral["beneficiary"] not in line


def test_the_tutorial_runs_as_written(network: Network, stack: Stack, tmp_path: Path) -> None:
    """Runs all shell blocks in one shell, except those that occupy a terminal; only the folder and the port differ."""
    text = (ROOT / "docs/tutorial/first-referral.md").read_text("utf-8")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    for written, here in (("DATA=data\n", f"DATA={stack.folder.path}\n"), ("PORT=8099\n", f"PORT={free_port()}\n")):
        assert script.count(written) == 1
        script = script.replace(written, here)
    ran = shell(script, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for shown in (
        "signed\npublished\n",
        '"code":"no_convention"',
        "accepted\nstarted\ncompleted\nstarted\n",
        "accueil cpas-rendeux None None\nformation miroir-vagabond qualify together\n"
        "experience atelier-du-pont find_job person\n",
        '"code":"not_found"',
        '"total":1}',
        "event: jalons.referral.sent.v1\ndata: {",
    ):
        assert shown in ran.stdout, shown
    assert re.search(r"relais@miroir-vagabond\.example \| Relais R-\S+ : réponse attendue pour le ", ran.stdout)
    assert re.search(r"verified: jalons\.referral\.declined\.v1 R-\S+ no_place\n$", ran.stdout)


def test_the_readmes_first_referral_works(network: Network, stack: Stack, tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    [script] = [block for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "curl" in block]
    hotton = network["cpas-hotton"]
    ran = shell(
        script,
        tmp_path,
        HUB=stack.info["referrals"],
        CLIENT_ID=hotton.client_id,
        CLIENT_SECRET=hotton.client_secret,
    )
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["status"] == "sent"
    assert answer["disclosed"] == {"age_band": "25-29", "obstacles": ["mobilite"]}


def shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    if bash is None or shutil.which("curl") is None:
        pytest.skip("this machine has no bash or no curl")
    return subprocess.run(
        [bash, "-eu", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def reading(process: subprocess.Popen[str]) -> Queue[str]:
    """The lines of a process's output, as they arrive."""
    lines: Queue[str] = Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def seen(network: Network, referral: dict[str, Any]) -> dict[str, Any]:
    return network.pathway("cpas-hotton", referral["beneficiary"]) or {"events": [], "steps": []}


def deliveries(network: Network, status: str | None = None) -> list[str]:
    asked = f"/deliveries?limit=200{f'&status={status}' if status else ''}"
    return [each["delivery_id"] for each in network.operator.done("GET", asked, service="notifications")["items"]]


def state(network: Network, referral: dict[str, Any]) -> dict[str, Any]:
    """Everything that a repeated event could change."""
    pathway = seen(network, referral)
    return {
        "events": pathway["events"],
        "steps": pathway["steps"],
        "deliveries": deliveries(network),
        "mails": len(network.mails()),
        "counts": {
            measure: network.operator.done("GET", f"/counts?measure={measure}&by=month", service="observation")["total"]
            for measure in COUNTED
        },
        "dead letters": [
            letter["id"]
            for service in ("observation", "notifications")
            for letter in network.operator.done("GET", "/dead-letters?resolved=true", service=service)["items"]
        ],
    }


def log_length(stack: Stack, service: str) -> int:
    with psycopg.connect(stack.info["database"]) as conn:
        row = conn.execute(f"SELECT coalesce(max(position), 0) FROM {service}.events").fetchone()
    assert row is not None
    return int(row[0])


def log_read(stack: Stack, service: str) -> int:
    """Number of a log's events on consumed topics; dead letters and deliveries are not consumed."""
    with psycopg.connect(stack.info["database"]) as conn:
        row = conn.execute(
            f"SELECT count(*) FROM {service}.events WHERE topic IN ('jalons.pathways', 'jalons.directory')"
        ).fetchone()
    assert row is not None
    return int(row[0])


def outcome(network: Network, service: str, name: str) -> float:
    text = network.http.get(f"{network.info[service]}/metrics").text
    found = re.search(
        rf'^jalons_events_delivered_total{{outcome="{name}",service="{service}"}} (\S+)$', text, re.MULTILINE
    )
    return float(found[1]) if found else 0.0
