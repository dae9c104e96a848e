"""`jalons doctor`: says in plain words what is not ready; it only reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from jalons.cli.hub import Hub, find

_SERVICES = ("referrals", "observation", "notifications")
_FOLLOWERS = ("observation", "notifications")
_WAITED_TOO_LONG = 60
"""Seconds in the outbox; the same figure as the alert's."""
_OVERDUE = 300
"""Seconds a deadline may be due before something is wrong; the same figure as the alert's."""
_FAR_BEHIND = 50
"""Records not yet delivered; the same figure as the alert's."""
_COLOURS = {"ok": "green", "note": "yellow", "not ready": "bold red"}
_CURES = {
    "database": "Check that PostgreSQL runs and that JALONS_DATABASE_URL names it.",
    "broker": "Wait half a minute after a start; then check that Kafka runs and that JALONS_KAFKA names it.",
    "relay": "Check that Kafka runs and has room, and that JALONS_KAFKA names it. Unsent events are kept.",
    "watchdog": "Check that Kafka runs and that JALONS_KAFKA names it.",
    "backup": "Check that the disk of the backups has room; jalons backup FILE makes one now.",
    "erased list": "Check that the folder of the backups can be written to.",
    "sending": "Check that Kafka runs, that its disk has room, and who may write. Then they go by themselves.",
    "topics": "Consumers drop what they have applied; with `jalons up`, add --data DIR.",
    "forged": "`jalons dead-letters list` names them. Find who writes the topics, or whether the source was restored.",
    "batch": "Check that PostgreSQL and the other services run. It then goes on by itself; nothing is lost meanwhile.",
}

Verdict = Literal["ok", "note", "not ready"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. A note does not make a hub unready."""

    verdict: Verdict
    about: str
    said: str


def doctor(
    data: Annotated[
        Path | None, typer.Option("--data", help="The folder of `jalons up`; without it JALONS_… settings are used.")
    ] = None,
) -> None:
    """Report what does not work, and what to do about it. Exits 1 if anything does not.

    Checks whether each service answers calls and which of its parts do not
    work, the public address, the network's front, mail, dead letters, outboxes, consumer lag
    and fuses.

        jalons doctor --data data
    """
    console = Console(highlight=False)
    ready = True
    for finding in examine(find(data), data):
        ready = ready and finding.verdict != "not ready"
        colour = _COLOURS[finding.verdict]
        console.print(f"[{colour}]{finding.verdict:<9}[/] {finding.about:<14} {escape(finding.said)}", soft_wrap=True)
    if not ready:
        raise typer.Exit(1)


def examine(hub: Hub, data: Path | None) -> Iterator[Finding]:
    """Every finding, in the order in which to fix them. Checks of a service that does not answer are skipped; that it
    does not answer is a finding. Raises typer.Exit, after printing cause and cure, if the operator is not known."""
    with httpx.Client(timeout=10) as http:
        answering = set()
        for service in _SERVICES:
            for finding in health(http, hub, service, data):
                if finding.verdict == "ok":
                    answering.add(service)
                yield finding
        if "referrals" not in answering:
            return
        yield _address(http, hub, data)
        headers = {"Authorization": f"Bearer {hub.token(http)}"}
        yield from _front(http, hub, headers)
        if "notifications" in answering:
            yield _mail(http, hub, headers, sends=data is not None or bool(os.environ.get("JALONS_SMTP_URL")))
        for service in _FOLLOWERS:
            if service in answering:
                yield from _dead_letters(http, hub, service, headers)
        for service in _SERVICES:
            if service in answering:
                yield from measured(service, http.get(f"{hub.urls[service]}/metrics").text)


def health(http: httpx.Client, hub: Hub, service: str, data: Path | None) -> Iterator[Finding]:
    """Whether it answers calls; then one finding for each part of it that does not work."""
    log = f"{data}/log/{service}.log" if data else "its log"
    try:
        answer = http.get(f"{hub.urls[service]}/health/ready").json()
        waits: dict[str, str] = answer["waits_for"]
        degraded: dict[str, str] = answer["degraded"]
    except (httpx.HTTPError, ValueError, KeyError):
        yield Finding(
            "not ready", service, f"nothing answers at {hub.urls[service]}. Start it; {log} says why it ended."
        )
        return
    if not waits:
        yield Finding("ok", service, f"answers at {hub.urls[service]}")
    for name, cause in (waits | degraded).items():
        yield Finding("not ready", service, f"{name}: {cause}. {_CURES.get(name, f'See {log}.')}")


def _address(http: httpx.Client, hub: Hub, data: Path | None) -> Finding:
    """Links carry the address that the OpenAPI document names."""
    servers = http.get(f"{hub.urls['referrals']}/openapi.json").json().get("servers") or []
    if servers and servers[0]["url"] != "/":
        return Finding("ok", "address", f"links lead to {servers[0]['url']}")
    cure = "jalons up --public-url URL" if data else "JALONS_PUBLIC_URL"
    return Finding("note", "address", f"links lead to this machine only. To be reached from elsewhere: {cure}.")


def _front(http: httpx.Client, hub: Hub, headers: dict[str, str]) -> Iterator[Finding]:
    """Whether a partner speaks to employers for the network: without one nobody is proposed to any. A network without
    partners is not loaded yet."""
    active: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = http.get(f"{hub.urls['referrals']}/partners", params={"limit": 500, "cursor": cursor}, headers=headers)
        if page.is_error:
            yield _refused("front", page)
            return
        active += [each for each in page.json()["items"] if each["status"] == "active"]
        cursor = page.json().get("next")
    if fronts := [each for each in active if each["front"]]:
        yield Finding("ok", "front", f"{fronts[0]['name']} speaks to employers for the network")
    elif active:
        said = "no_front: no partner speaks to employers for the network, so none can be proposed a person."
        verdict: Verdict = "not ready" if any(each["kind"] == "employer" for each in active) else "note"
        yield Finding(verdict, "front", f"{said} The coordinator marks one: PUT /partners/… with `front: true`.")


def _mail(http: httpx.Client, hub: Hub, headers: dict[str, str], *, sends: bool) -> Finding:
    """sends: whether a mail server is set. `jalons up` without a mail catcher was given one."""
    answer = http.get(f"{hub.urls['notifications']}/mailbox", params={"limit": 1}, headers=headers)
    if answer.status_code == httpx.codes.NOT_FOUND and not sends:
        return Finding("not ready", "mail", "no mail server is set, and none is caught. Set JALONS_SMTP_URL.")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return Finding("ok", "mail", "is handed to an SMTP server; `GET /deliveries` says what became of it")
    if answer.is_success:
        return Finding("note", "mail", "is caught and shown by GET /mailbox, never sent. To send it: JALONS_SMTP_URL.")
    return _refused("mail", answer)


def _dead_letters(http: httpx.Client, hub: Hub, service: str, headers: dict[str, str]) -> Iterator[Finding]:
    about = "dead letters"
    answer = http.get(f"{hub.urls[service]}/dead-letters", params={"limit": 1000}, headers=headers)
    if answer.is_error:
        yield _refused(about, answer)
        return
    kinds = [letter["kind"] for letter in answer.json()["items"]]
    parked, aside, forged = kinds.count("parked"), kinds.count("set_aside"), kinds.count("forged")
    if forged:
        said = (
            f"{service} has {forged} that their source did not write: somebody else writes the topics, or the source "
            "was restored. `jalons dead-letters list` names them."
        )
        yield Finding("not ready", about, said)
    if parked:
        said = f"{service} has parked {parked}, and what follows them waits. `jalons dead-letters list` says why."
        yield Finding("not ready", about, said)
    if aside:
        said = f"{service} set {aside} aside unread; nobody waits for them. `jalons dead-letters list` says why."
        yield Finding("note", about, said)
    if not kinds:
        yield Finding("ok", about, f"{service} has none open")


def measured(service: str, text: str) -> Iterator[Finding]:
    """Findings from a service's own metrics: outbox, lag, deadlines, fuses. text: Prometheus format."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        found[family.name] = [(sample.labels, sample.value) for sample in family.samples]
    oldest = max((value for _, value in found.get("jalons_outbox_oldest_seconds", [])), default=0)
    lag = sum(value for _, value in found.get("jalons_consumer_lag", []))
    fused = [labels for labels, value in found.get("jalons_fuse_open", []) if value]
    for labels in fused:
        yield Finding("not ready", "reading", f"{service}: {_fuse(labels)}")
    if oldest > _WAITED_TOO_LONG:
        said = (
            f"{service}: an event has waited {oldest:.0f} s. See that Kafka runs and has room; then it goes by itself."
        )
        yield Finding("not ready", "sending", said)
    overdue = max((value for _, value in found.get("jalons_deadlines_oldest_seconds", [])), default=0)
    if overdue > _OVERDUE:
        said = f"{service}: a deadline has been due for {overdue:.0f} s and is not dealt with. Its log says why."
        yield Finding("not ready", "deadlines", said)
    if lag > _FAR_BEHIND:
        said = f"{service} is {lag:.0f} records behind. If that does not shrink, its log says what it waits for."
        yield Finding("note", "reading", said)
    if not fused and oldest <= _WAITED_TOO_LONG and overdue <= _OVERDUE and lag <= _FAR_BEHIND:
        yield Finding("ok", "events", f"{service} has none waiting to be sent or read")


def _fuse(labels: dict[str, Any]) -> str:
    where = f"partition {labels['partition']} of {labels['topic']}"
    return f"its fuse has stopped {where}: nearly nothing there could be applied. Mend the cause, then start it again."


def _refused(about: str, answer: httpx.Response) -> Finding:
    problem = answer.json()
    return Finding("not ready", about, f"{problem['detail']} {problem['cure']}")
