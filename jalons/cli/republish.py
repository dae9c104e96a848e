"""`jalons republish`: sends a range of a service's log to Kafka again; consumers drop what they already applied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jalons.cli.hub import hub_json
from jalons.cli.settings import from_environment, refused

if TYPE_CHECKING:
    from jalons.process.settings import Settings


def republish(
    service: Annotated[Literal["referrals", "observation", "notifications"], typer.Argument()],
    first: Annotated[int, typer.Option("--from", min=1, help="The first position to send again.")] = 1,
    last: Annotated[int | None, typer.Option("--to", min=1, help="The last one; without it, all up to now.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The folder of `jalons up`; without it JALONS_… settings are used.")
    ] = None,
) -> None:
    """Send a range of a service's own log to Kafka again, in order.

    For a topic that was lost, recreated or restored. Positions are those
    of `GET /events` and do not change. Consumers drop events they already
    applied, so choose the range too large rather than too small.

        jalons republish referrals --from 1 --data data
    """
    from kafka.errors import KafkaError
    from psycopg import Error

    from jalons.messaging.relay import NotSent
    from jalons.process.logs import quieten

    quieten()
    settings = _settings(data)
    try:
        sent = _run(settings, service, first, last)
    except (KafkaError, NotSent) as error:
        raise refused(
            f"Kafka did not accept every event ({type(error).__name__}).",
            "Check that it runs and has disk space, then run the command again: events sent twice are dropped.",
        ) from error
    except Error as error:
        raise refused(
            f"The log could not be read from the database ({type(error).__name__}).",
            "Check that PostgreSQL runs and that `jalons migrate` was run, then run the command again.",
        ) from error
    typer.echo(f"{sent} events of {service} were sent again; consumers drop those they already applied.")


def _run(settings: Settings, service: str, first: int, last: int | None) -> int:
    from jalons.cli.progress import Bar
    from jalons.messaging import relay_rows
    from jalons.messaging import republish as again
    from jalons.messaging.kafka import producer
    from jalons.postgres import direct

    with direct(settings.direct_url, service, "republish") as conn:
        newest = relay_rows.last_position(conn)
        upto = newest if last is None else min(last, newest)
        if upto < first > 1:
            raise refused(f"The log of {service} ends at position {newest}.", "Name a range within it.")
        sender = producer(settings, f"jalons-{service}-republish")
        try:
            with Bar("sending again", upto - first + 1) as advance:
                return again.republish(conn, sender, service, first, upto, advance)
        finally:
            sender.close(timeout=1)


def _settings(data: Path | None) -> Settings:
    """With a folder, the database and broker of its hub.json: this command needs no other setting."""
    if data is None:
        return from_environment()
    from jalons.process.settings import Settings

    info = hub_json(data)
    unused = "nothing sealed is opened to send events again"
    return Settings(
        database_url=info["database"],
        kafka=info["kafka"],
        **info["kafka_access"],
        secret_key=unused,
        hub_client_secret=unused,
    )
