"""Writes `docs/reference/` and `docs/api/` from the code they describe, or says what is stale (`--check`)."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import Counter
from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql

from jalons.messaging import tables as messaging
from jalons.privacy import tables as privacy
from jalons.privacy import visibility
from jalons.privacy.disclosure import readers, withheld
from jalons.privacy.visibility import Role
from jalons.process import metrics
from jalons.process.settings import SERVICES, Settings
from schemas import asyncapi, beneficiary, routing
from schemas.catalogue import PAYLOADS
from schemas.envelope import Payload
from schemas.topics import DEAD_LETTERS, DELIVERIES, DIRECTORY, PATHWAYS, TOPICS, Topic
from services.notifications.deliveries.causes import CAUSES
from services.referrals.acts import events as act_events
from services.referrals.acts import lifecycle
from services.referrals.persons import rules as accompaniment

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGES = HERE / "reference"
DOCUMENTS = HERE / "api"
WHO_SEES_WHAT = HERE / "explanation" / "who-sees-what.md"
_BEGIN = "<!-- Table written by docs/generate.py from jalons/privacy/visibility.py; change it there, then run it. -->"
_END = "<!-- End of the table. -->"
_WRITTEN = "<!-- Written by docs/generate.py from the code; change the code, then run it. -->\n"

_EVENTS = """# Events

CloudEvents 1.0, structured JSON in the Kafka value. The version is part of the type. Each has a
[JSON Schema](../../schemas/json) and an [example](../../schemas/examples).

*In clear* is what `data` holds for whoever reads Kafka; *sealed* is ciphertext under the person's key (`data.sealed`),
until that key is destroyed. What a reader sees is the same in webhooks, `GET /events` and the stream
([who sees what](../explanation/who-sees-what.md)).
"""
_READERS: Mapping[Topic, str] = {
    PATHWAYS: "The home partner sees all fields; another reader sees those named here; anyone else sees nothing. An "
    "employer sees neither who acted nor on whom.",
    DIRECTORY: "Organisations, offers, conventions and needs of nobody: every reader sees all fields, unless said.",
    DELIVERIES: "The recipient sees its own, without the call that caused them.",
    DEAD_LETTERS: "Only the operator of the hub reads them.",
}
_TRANSITIONS = """# Life cycles

Who may do what, from which status, and what has to be said with it. Anything else is refused with
`transition_not_allowed` and the actions that are open; a missing field with `missing`. Every act takes `happened_on`:
not before what the act follows, over five years back, nor after today. Planned dates and first contacts lie between
five working days before and three years after that day. Planning a training or a placement without `happened_on`
counts as done on a planned start that is past.
`first_contact_on` may be left out when the referral's `contact` is `receiver_calls_referrer`.

*(†)*: when the receiver does not use the hub, the referrer may record what the receiver said, with
`"reported_by": "referrer"`. *author*: who did the last act (or the receiver, of what was recorded in its place), within
two working days and if nothing followed. What the *hub* does has no route. `redirect` answers 201 with the new
referral, whose `parent` is the old one; a chain goes to no partner twice and has at most five links. When one of
referrals that are `alternative_to` one another starts, those not yet started `lapse`. A person has one referral at a
time to a recipient, for a moment and an offer or none, that has not started: another gets 409 `already_open`, unless it
is `alternative_to` one or says `again: true`; to one offer there is never another. A started one blocks nothing: the
answer names it under `also_open`.

*Told*: who gets an e-mail at once, from the table in [`schemas/routing.py`](../../schemas/routing.py). Whoever did it
is not told: of `accept` the referrer is, or the recipient if the referrer recorded it. *link*: the e-mail can be
answered without an account; *offers*: the record lists other offers that fit; *digest*: no e-mail of its own.
`redirect` also sends the new referral, whose recipient is told as by `send`. A webhook goes to every subscriber that
may see the event.
"""
_PERSON: Mapping[str, type[Payload]] = {
    "pause": beneficiary.PausedV1,
    "resume": beneficiary.ResumedV1,
    "leave": beneficiary.LeftV1,
}
_TARGETS = {lifecycle.STAYS: "no change", lifecycle.BEFORE: "the state before"}
_METRICS = """# Metrics

`GET /metrics` of each service, in Prometheus' format; not reachable through Caddy. No label holds a person, a URL or an
address. What to do about them: [alerts](../../deploy/prometheus/alerts.yml).
"""
_SETTINGS = """# Settings

Environment variables of `jalons serve`, `jalons migrate` and the other commands. `jalons up` makes its own values for
most of them; `JALONS_KAFKA`, `JALONS_DATABASE_URL` and `JALONS_SMTP_URL` name servers that it then uses instead of its
own. Durations are seconds; URLs have no slash at their end.
"""
_COMMANDS = """
Commands that talk to a running hub find it by `--data DIR`; without it by `JALONS_REFERRALS_URL`,
`JALONS_OBSERVATION_URL`, `JALONS_NOTIFICATIONS_URL` and the operator's client. With `--as CLIENT` they act as that
client, whose secret is `JALONS_CLIENT_SECRET`.
"""
_CAUSES = """# Why a message was not sent

The `code` of a delivery in `GET /deliveries` that was not sent, or not yet; of a disabled subscription; and of the
answer to `PUT /subscriptions/{name}` when its URL is refused (422).
"""


def events() -> str:
    """Every type of event, by topic."""
    topics = [
        (
            f"`{t.name}`",
            " and ".join(t.writers),
            t.key,
            str(t.partitions),
            f"{t.retention_days} days" if t.retention_days else "for ever",
        )
        for t in TOPICS
    ]
    lines = [_EVENTS, _table(("Topic", "Written by", "Key", "Partitions", "Kept"), topics)]
    for topic in TOPICS:
        lines.append(f"\n## On `{topic.name}`\n\n{_READERS[topic]}\n")
        for payload in PAYLOADS:
            if payload.TOPIC is topic:
                lines += _event(payload)
    return "\n".join(lines)


def _event(payload: type[Payload]) -> Iterator[str]:
    yield f"### `{payload.TYPE}`\n"
    meaning = " ".join((payload.__doc__ or "").split())
    shared = payload.__mro__[1]
    if shared is not Payload:
        meaning += " " + " ".join((shared.__doc__ or "").split())
    yield meaning + "\n"
    yield f"- In clear: {_names(payload.model_fields)}"
    if payload.SEALED:
        yield f"- Sealed: {_names(payload.SEALED.model_fields)}"
    for role, fields in readers(payload).items():
        who = "Any other partner" if role is Role.OTHER else f"The {role}"
        if (why := withheld(payload, "type", role)) is not None:
            yield f"- {who} does not see it: {why}"
        elif payload.TOPIC == PATHWAYS and role is not Role.HOME:
            yield f"- {who} sees: {_names(sorted(fields)) if fields else 'that it happened'}"
    yield ""


def visibility_table() -> str:
    """The whole table of who sees what: the words it uses, then one table per noun and per envelope."""
    lines = [_table(("Role", "Reader"), ((f"`{role}`", meaning) for role, meaning in visibility.ROLES.items())), ""]
    words = {**visibility.FORMS, **{word: f"withheld: {why}" for word, why in visibility.REASONS.items()}}
    lines += [_table(("Cell", "Meaning"), ((word, meaning) for word, meaning in words.items() if word != "-")), ""]
    for name, rows in visibility.TABLE.items():
        envelope = name in visibility.ENVELOPES
        roles = list(next(iter(rows.values())))
        shared: dict[tuple[str, ...], list[str]] = {}
        for field, row in rows.items():
            shared.setdefault(tuple(row.values()), []).append(field)
        cells = ((_names(fields), *("" if cell == "-" else cell for cell in row)) for row, fields in shared.items())
        lines += [f"### {f'Envelope on `{name}`' if envelope else f'`{name}`'}\n", _table(("Field", *roles), cells), ""]
    return "\n".join(lines)


def transitions() -> str:
    """The life cycles, as the code runs them."""
    lines = [_TRANSITIONS]
    for noun, path, born, table, events_of in (
        ("Referral", "referrals", "sent", lifecycle.REFERRAL, act_events.EVENTS["referral"]),
        ("Training", "trainings", "enrolled", lifecycle.TRAINING, act_events.EVENTS["training"]),
        ("Placement", "placements", "proposed", lifecycle.PLACEMENT, act_events.EVENTS["placement"]),
        ("Person", "beneficiaries", "active", accompaniment.PERSON, _PERSON),
    ):
        rows = [
            (
                f"`{t.action}`",
                _names(sorted(t.source)),
                _TARGETS.get(t.target, f"`{t.target}`"),
                _by(t),
                ", ".join(" or ".join(f"`{name}`" for name in asked.split("|")) for asked in sorted(t.must_give))
                or "–",
                _told(t, events_of[t.action]),
            )
            for t in table
        ]
        lines += [
            f"## {noun}\n",
            f"`POST /{path}` makes it `{born}`; `POST /{path}/{{id}}/ACTION` does the rest.\n",
            _table(("Action", "From", "To", "By", "Must give", "Told"), rows),
            "",
        ]
    return "\n".join(lines)


def _by(row: lifecycle.Transition) -> str:
    """Who may do it, and whether the referrer may record it."""
    return " or ".join(sorted(row.by)) + (" (†)" if row.reported else "")


def _told(row: lifecycle.Transition, event: type[Payload]) -> str:
    """Who is told of it: the roles of the event's row, without one that alone can do it."""
    route = routing.BY_TYPE.get(event.TYPE)
    actors = row.by | ({"referrer"} if row.reported else set())
    told = [(role, message) for role, message in route.messages() if actors != {role}] if route else []
    return ", ".join(role + _how(message) for role, message in told) or "–"


def _how(message: routing.Message) -> str:
    kinds = {"digest": message.send == "digest", "link": message.awaits_answer, "offers": message.with_offers}
    said = [kind for kind, holds in kinds.items() if holds]
    return f" ({', '.join(said)})" if said else ""


def measured() -> str:
    """Every metric, with its unit and meaning."""
    rows = [
        (
            f"`{each.name}{'_total' if each.kind is Counter else ''}`",
            each.kind.__name__.lower(),
            _names(each.labels),
            each.meaning,
        )
        for each in metrics.METRICS
    ]
    return "\n".join([_METRICS, _table(("Metric", "Kind", "Labels", "Meaning"), rows)])


def settings() -> str:
    """Every setting: its variable, its default, what it is for (the comment before it, or its description)."""
    rows = []
    for name, meaning in _meanings().items():
        kept = Settings.model_fields[name]
        default = (
            "must be set" if kept.default is PydanticUndefined else "–" if kept.default is None else f"`{kept.default}`"
        )
        rows.append((f"`JALONS_{name.upper()}`", default, meaning))
    return "\n".join([_SETTINGS, _table(("Variable", "Default", "Meaning"), rows), _COMMANDS])


_TABLES = """# Tables

What each service keeps, in the PostgreSQL schema of its own name. `tables.py` of each service is the source.
How long it is kept: [retention](retention.md).
"""


def tables() -> str:
    """Every table of every service; those that all services have, once."""
    shared = (*messaging.metadata.sorted_tables, *privacy.metadata.sorted_tables)
    lines = [_TABLES, "## In every service\n", *(_kept(table) for table in shared)]
    for service in SERVICES:
        own: MetaData = importlib.import_module(f"services.{service}.tables").metadata
        lines += [f"## {service}\n"]
        lines += [_kept(t) for t in own.sorted_tables if t.name not in {each.name for each in shared}]
    return "\n".join(lines)


def _kept(table: Table) -> str:
    rows = [
        (
            f"`{column.name}`" + (" (key)" if column.primary_key else ""),
            column.type.compile(postgresql.dialect()).lower() + (" or null" if column.nullable else ""),
            column.comment or "",
        )
        for column in table.columns
    ]
    heading = f"### `{table.name}`\n\n" + (
        f"{table.comment[0].upper()}{table.comment[1:]}.\n\n" if table.comment else ""
    )
    return heading + _table(("Column", "Type", "Meaning"), rows) + "\n"


def causes() -> str:
    """Why messages are not sent."""
    rows = [(f"`{code}`", each.cause, each.cure) for code, each in CAUSES.items()]
    return "\n".join([_CAUSES, _table(("Code", "Cause", "Cure"), rows)])


def openapi(service: str) -> dict[str, Any]:
    """A service's OpenAPI document, from its application, which opens nothing until it is started."""
    settings = Settings(
        database_url="postgresql+psycopg://nobody@localhost/nothing",
        kafka="localhost:1",
        secret_key=SecretStr("x" * 32),
        hub_client_secret=SecretStr("x"),
        public_url=None,
    )
    document: dict[str, Any] = importlib.import_module(f"services.{service}.service").build(settings).app.openapi()
    return document


def documents() -> dict[Path, str]:
    """Every generated document for programs and what it must hold."""
    made = {f"{service}.openapi": openapi(service) for service in SERVICES} | {"events.asyncapi": asyncapi.document()}
    return {
        DOCUMENTS / f"{name}.json": json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for name, document in made.items()
    }


_MEANT = {
    "database_url": "PostgreSQL, `postgresql+psycopg://user:password@host:port/name`",
    "database_direct_url": "the same server without a pooler before it, for locks and LISTEN; unset: the other",
    "database_pool": "connections each service keeps at most",
    "kafka_security": "how brokers are spoken to: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
    "kafka_sasl_mechanism": "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    "kafka_username": "with SASL; a service logs in as the user of its own name",
    "kafka_password": "with SASL",
    "kafka_ca_file": "the authority that signed the brokers' certificates",
    "kafka_replication": "copies of each topic when `jalons migrate` makes it; 3 in a cluster",
    "secret_key": "all that is kept encrypted or derived hangs on it; 32 characters or more, never changed",
    "operator_client_id": "the operator's client",
    "operator_client_secret": "its secret; unset: there is no operator",
    "hub_client_id": "the client by which the services know one another",
    "hub_client_secret": "its secret",
    "issuer": "who signs tokens, if not the hub",
    "jwks_url": "where that issuer's public keys are",
    "host": "the address the services listen on",
    "referrals_port": "where referrals listens",
    "observation_port": "where observation listens",
    "notifications_port": "where notifications listens",
    "referrals_url": "where the others find referrals",
    "observation_url": "where the others find observation",
    "notifications_url": "where the others find notifications",
    "mail_from": "the sender of mails",
    "mail_catcher_dir": "a Maildir whose mails `GET /mailbox` shows; `jalons up` sets it while mail is caught",
    "network_name": "the name that signs mails",
    "allow_loopback_webhooks": "let webhooks go to this machine, in the clear; for trying out",
    "watchdog_seconds": "a consumer that delivers nothing for so long, with something to deliver, ends its process",
    "reconcile_seconds": "how often what was applied is compared with the sources' logs",
    "log_level": "DEBUG, INFO, WARNING or ERROR",
}


def _meanings() -> Mapping[str, str]:
    """Field → meaning: its own description, else the sentence above. Raises KeyError for a field with neither."""
    return {name: kept.description or _MEANT[name] for name, kept in Settings.model_fields.items()}


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *(tuple(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def pages() -> dict[Path, str]:
    """Every generated page and what it must hold."""
    made = {
        "events": events(),
        "transitions": transitions(),
        "metrics": measured(),
        "settings": settings(),
        "causes": causes(),
        "tables": tables(),
    }
    written = {PAGES / f"{name}.md": _WRITTEN + text.rstrip() + "\n" for name, text in made.items()}
    return written | {WHO_SEES_WHAT: _filled(WHO_SEES_WHAT.read_text("utf-8"), visibility_table())}


def _filled(page: str, text: str) -> str:
    """A page with the part between its marks written anew."""
    before, rest = page.split(_BEGIN)
    return f"{before}{_BEGIN}\n{text.rstrip()}\n{_END}{rest.split(_END)[1]}"


def main(arguments: list[str]) -> int:
    """0 if the files are what the code says (or were written), 1 with those that are not."""
    wanted = pages() | documents()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what the code says: python docs/generate.py\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path], "utf-8")
    sys.stdout.write(f"{len(stale)} of {len(wanted)} files written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
