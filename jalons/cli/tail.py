"""`jalons tail`: the live stream as the coordinator sees it, one line per event."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from httpx_sse import connect_sse
from rich.console import Console

from jalons.cli.hub import As, Data, Hub, find
from jalons.cli.settings import refused
from schemas.catalogue import TYPES

_NOUN_COLOURS = {"referral": "cyan", "training": "green", "placement": "magenta", "pathway": "yellow"}


def tail(
    data: Data = None,
    as_client: As = None,
    types: Annotated[
        str | None, typer.Option("--type", help="Only these types, * allowed: `referral.*,pathway.stalled`.")
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Only events that name this: a spoken reference (R-7K4M-2QX), a partner, an offer."),
    ] = None,
    since: Annotated[str | None, typer.Option("--after", help="Begin after this event's cursor; 0 for all.")] = None,
) -> None:
    """Show events as they happen: when, what, who, the spoken reference. Ctrl-C ends it.

    Shows what a coordinator may see, never a person. Reconnects by itself
    and continues where it stopped.

        jalons tail --data data --type 'referral.*'
    """
    console = Console(highlight=False)
    for unknown in unknown_types(types):
        typer.echo(f"No type of event is called {unknown}; docs/reference/events.md has them all.", err=True)
    pattern = _pattern(types)
    try:
        for event in follow(lambda: find(data, as_client), since, data):
            kind = event["type"].removeprefix("jalons.")
            if (pattern is None or pattern.fullmatch(kind)) and (subject is None or subject in _names(event)):
                console.print(_line(event, kind), soft_wrap=True)
    except KeyboardInterrupt:
        return


def follow(
    finds: Callable[[], Hub],
    after: str | None,
    data: Path | None = None,
    exists: Callable[[Path], bool] = Path.exists,
) -> Iterator[dict[str, Any]]:
    """Yield the stream's events forever; after a lost connection, resume after the last one.

    A hub that was stopped is waited for, and found anew: its addresses may be others. Exits with cause and cure if it
    is not there at first, or refuses.
    """
    hub = finds()
    position = after
    with httpx.Client(timeout=httpx.Timeout(10, read=40)) as http:
        while True:
            headers = {"Authorization": f"Bearer {hub.token(http)}"}
            if position is not None:
                headers["Last-Event-ID"] = position
            try:
                with connect_sse(http, "GET", f"{hub.urls['observation']}/stream", headers=headers) as stream:
                    _refuse(stream.response)
                    for event in stream.iter_sse():
                        if event.data:  # the hub also sends its retry delay alone
                            position = event.id
                            yield event.json()
            except httpx.HTTPError:
                typer.echo("Connection to the stream lost; reconnecting …", err=True)
            hub = _found_again(http, finds, lambda: data is None or exists(data / "hub.json"))


def _refuse(answer: httpx.Response) -> None:
    """Exit with cause and cure if a retry would be refused again. Raises HTTPStatusError for other errors."""
    if answer.status_code in {httpx.codes.FORBIDDEN, httpx.codes.UNPROCESSABLE_ENTITY}:
        answer.read()
        raise refused(answer.json()["detail"], answer.json()["cure"])
    answer.raise_for_status()


def _found_again(http: httpx.Client, finds: Callable[[], Hub], runs: Callable[[], bool]) -> Hub:
    """The hub, once it answers again."""
    while True:
        time.sleep(1)
        if not runs():
            continue
        hub = finds()
        try:
            for service in ("referrals", "observation"):
                http.get(f"{hub.urls[service]}/health/live").raise_for_status()
        except httpx.HTTPError:
            continue
        return hub


def unknown_types(types: str | None) -> list[str]:
    """The asked types that match none of the catalogue."""
    asked = [one.strip() for one in types.split(",")] if types else []
    known = [name.removeprefix("jalons.") for name in TYPES]
    return [one for one in asked if not any(_expression(one).fullmatch(name) for name in known)]


def _pattern(types: str | None) -> re.Pattern[str] | None:
    """Compile `referral.*,pathway.stalled` into one expression; the version is optional."""
    if types is None:
        return None
    return re.compile("|".join(_expression(one.strip()).pattern for one in types.split(",")))


def _expression(one: str) -> re.Pattern[str]:
    escaped = re.escape(one.removeprefix("jalons.")).replace(r"\*", ".*")
    return re.compile(rf"{escaped}(\.v\d+)?")


def _names(event: dict[str, Any]) -> set[str]:
    return {str(value) for value in (*event["data"].values(), event["partner"], event.get("subject"))}


def _line(event: dict[str, Any], kind: str) -> str:
    data = event["data"]
    noun = kind.split(".", maxsplit=1)[0]
    about = data.get("reference") or data.get("slug") or data.get("offer") or data.get("convention_id") or ""
    others = [data[name] for name in ("recipient", "operator", "employer", "at") if name in data]
    to = f" → {others[0]}" if others and others[0] != event["partner"] else ""
    moment = f" [{data['moment']}]".replace("[", r"\[") if "moment" in data else ""
    colour = _NOUN_COLOURS.get(noun, "white")
    return f"{event['time'][:10]} [{colour}]{kind.rsplit('.v', 1)[0]:<26}[/] {about:<12} {event['partner']}{to}{moment}"
