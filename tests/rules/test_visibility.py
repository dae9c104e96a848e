"""Every way out × every role × every field: what is shown is what the table says, and a row names every field."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, get_args
from uuid import UUID

import pytest

from jalons.messaging.outbox import Outbox
from jalons.messaging.partner_log import PartnerLog
from jalons.privacy.aliases import alias
from jalons.privacy.audit import Audit
from jalons.privacy.disclosure import PARTIES, cut, for_coordinator, readers, sees
from jalons.privacy.own_ids import day_of, own_id
from jalons.privacy.sealing import derive, unseal
from jalons.privacy.visibility import ENVELOPES, FORMS, NOUNS, TABLE, Role, cell, row
from jalons.web.identity import Principal
from schemas.beneficiary import ErasedV1
from schemas.catalogue import TYPES
from schemas.codes import EmployerCalls, PlacementKind
from schemas.envelope import Envelope, Event, attributes
from schemas.routing import FRONT, ROUTES
from schemas.topics import PATHWAYS
from services.notifications.routing.router import FACTS, Router
from services.notifications.webhooks.rows import Subscription
from services.observation.pathways import http as pathways
from services.observation.pathways.rules import Step
from services.observation.stream.http import Reader, Streams
from services.referrals.acts import late, sheets
from services.referrals.acts.lifecycle import Office
from services.referrals.acts.rules import LEFT, Act, Referral
from services.referrals.exports import http as export_http
from services.referrals.pages import in_words
from services.referrals.pages.words import words
from tests.support.visible import BY_ROLE, NOW, PERSON, TABLES, TODAY, fields_of, filled, full
from tests.support.visible import NOUNS as NOUN_OF

SECRET = "0123456789abcdef0123456789abcdef"
ALSO: Mapping[str, frozenset[str]] = {
    "referral": frozenset({"ref", "beneficiary", "alternatives", "from", "to", "age_days", "erased"}),
    "training": frozenset({"ref", "beneficiary", "erased"}),
    "placement": frozenset({"ref", "beneficiary", "erased"}),
    "need": frozenset({"reference", "beneficiary", "met_by_offer", "happened_on"}),
    "activity": frozenset({"beneficiary", "on"}),
    "step": frozenset(pathways.SeenStep.model_fields) - {"meaning"} | frozenset(pathways.Meaning.model_fields),
    "mail": frozenset({"contact.name", "contact.phone", "contact.phone_hours", "contact.mailbox"}),
}
"""Noun → the fields of its answers that no event and no act's facts have."""
FIELDS_OF_ACTS = {
    "uncovered_on",
    "uncovered_by",
    "operator_kind",
    "status",
    "version",
    "actions",
    "local_ref",
    "happened_on",
    "changed",
}


def named(ref: str, partner: str) -> UUID:
    return alias(b"s" * 32, ref, partner)


def own(known: UUID, reader: str) -> UUID:
    return own_id(b"o" * 32, known, reader)


def cases() -> list[tuple[str, dict[str, Any], Role]]:
    """Type, changes, role: every role that can read a type, in the form in which it reads it."""
    found = []
    for type_, payload in sorted(TYPES.items()):
        for role in (*readers(payload), Role.OTHER):
            kind = {"recipient_kind": "employer"} if role is Role.EMPLOYER else {}
            found.append((type_, kind if "recipient_kind" in payload.model_fields else {}, role))
            if "lapsed" in payload.model_fields:
                found.append((type_, {**kind, "lapsed": True}, role))
    return found


def reader_of(event: Event, role: Role) -> str:
    if role is Role.EMPLOYER and "recipient_kind" in type(event.data).model_fields:
        return BY_ROLE[Role.RECEIVER]
    return "@network" if role is Role.COORDINATOR else BY_ROLE.get(role, "")


def principal_of(event: Event, role: Role) -> Principal:
    if role is Role.COORDINATOR:
        return Principal("client", None, frozenset({"coordinator"}))
    return Principal("client", reader_of(event, role) or None, frozenset({"partner"}))


def expected(event: Event, role: Role) -> dict[str, Any] | None:
    """What the table says of an event, written down anew: nothing of `disclosure` is called."""
    noun, verb = event.type.split(".")[1:3]
    verb = "lapsed" if getattr(event.data, "lapsed", False) else verb
    data = event.data.model_dump(mode="json", exclude_none=True)
    data |= event.sealed.model_dump(mode="json", exclude_none=True) if event.sealed else {}
    reader = reader_of(event, role)
    ids = {"id": event.id, "correlationid": event.correlation, "causationid": event.causation}
    ids |= {"about": UUID(data["about"])} if "about_type" in data else {}
    held = [each for each in data.get("holdings", []) if each["partner"] == reader]
    mine = {
        "subject": str(named(event.subject, reader)),
        **{name: str(own(known, reader)) for name, known in ids.items()},
        "holdings": [{"partner": reader, "references": each["references"]} for each in held],
    }
    day = day_of(NOW).isoformat()

    def shown(fields: Mapping[str, Any]) -> dict[str, Any]:
        cells = {name: cell(noun, name, role, verb, event.data.TOPIC.name) for name in fields}
        forms = {"yes": lambda name: fields[name], "own": mine.get, "day": lambda _name: day}
        return {name: forms[how](name) for name, how in cells.items() if how in FORMS}

    envelope = shown(attributes(event))
    return envelope | {"data": shown(data)} if "type" in envelope else None


def by_events(event: Event, role: Role) -> dict[str, Any] | None:
    nothing: Any = None
    log = PartnerLog(nothing, nothing, named, own, nothing, None)
    shown = log.shown(event, principal_of(event, role))
    if shown is not None and event.type == ErasedV1.TYPE and role is not Role.COORDINATOR:
        assert not {"subject", "partitionkey"} & shown.keys(), "once erased, nothing is read under a name of the person"
        whole = expected(event, role) or {}
        return {name: whole[name] for name in ("subject", "partitionkey") if name in whole} | shown
    return shown


def by_stream(event: Event, role: Role) -> dict[str, Any] | None:
    caller = principal_of(event, role)
    nothing: Any = None
    see = Streams(nothing, nothing, named, own, nothing, Audit(SECRET, "observation"))._cut(caller)
    frames, _lines = Reader(nothing, frozenset({event.type}), see, str).shown([(1, event)])
    lines = [line for line in frames.decode().splitlines() if line.startswith("data: ")]
    return json.loads(lines[0].removeprefix("data: ")) if lines else None


def router() -> Router:
    return Router(SECRET, named, own, Outbox("notifications"), lambda _subject: None, coordinator=True)


def by_webhook(event: Event, role: Role) -> dict[str, Any] | None:
    partner = reader_of(event, role)
    wanted = Subscription(partner, "all", "https://x.example", ["*"], "full", "active", None, NOW, NOW)
    made = list(router()._webhooks(event, [wanted]))
    key = derive(SECRET, "webhook-bodies")
    return json.loads(unseal(key, made[0].body or "", str(made[0].delivery_id))) if made else None


WAYS: Mapping[str, Callable[[Event, Role], dict[str, Any] | None]] = {
    "events": by_events,
    "stream": by_stream,
    "webhook": by_webhook,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("type_", "changes", "role"), cases())
def test_an_event_shows_what_the_table_says(way: str, type_: str, changes: dict[str, Any], role: Role) -> None:
    if (way, role) == ("webhook", Role.COORDINATOR):
        return  # she has no subscription
    event = filled(type_, **changes)
    assert WAYS[way](event, role) == expected(event, role)


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_a_row_names_every_field_of_an_event(type_: str) -> None:
    payload = TYPES[type_]
    noun, verb = type_.split(".")[1:3]
    envelope = Envelope.model_fields.keys() - {"data"}
    assert envelope == attributes(filled(type_)).keys()
    for name in (*envelope, *fields_of(payload)):
        assert row(noun, name, verb, payload.TOPIC.name) is not None, f"no row of {noun} names {name}"
        for role in readers(payload):
            if sees(payload, "type", role):
                assert cell(noun, name, role, verb, payload.TOPIC.name) != "-", f"{role} reads {type_}: {name}?"


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_the_home_partner_sees_every_field_of_its_persons_events(type_: str) -> None:
    payload = TYPES[type_]
    if payload.TOPIC == PATHWAYS:
        assert set(readers(payload)[Role.HOME]) == set(fields_of(payload))


def asked_of_the_table(monkeypatch: pytest.MonkeyPatch, module: Any, made: Callable[[], Any]) -> set[str]:
    """The fields that a module asks the table about."""
    asked: set[str] = set()

    def noted(noun: str, fields: Mapping[str, Any], role: Role) -> dict[str, Any]:
        unnamed = [name for name in fields if row(noun, name) is None]
        assert not unnamed, f"no row of {noun} names {unnamed}"
        asked.update(fields)
        return {name: value for name, value in fields.items() if cell(noun, name, role) in FORMS}

    with monkeypatch.context() as patched:
        patched.setattr(module, "visible", noted)
        made()
    return asked


def acts() -> list[tuple[Act, str, Role]]:
    """An act with every fact, its reader and that reader's role: each role in each status."""
    found: list[tuple[Act, str, Role]] = []
    for kind, table in TABLES.items():
        for status in sorted(
            {each for line in table for each in line.source} | ({*LEFT} if kind is Referral else set())
        ):
            state = full(kind, status)
            for field, partner in state.parties().items():
                role = PARTIES[field]
                found.append((state, partner, Role.HOLDER if role is Role.RECEIVER and status in LEFT else role))
            if kind is Referral:
                at_employer = replace(state, facts={**state.facts, "recipient_kind": "employer"})
                found.append((state, Office.COORDINATOR, Role.COORDINATOR))
                found.append((at_employer, state.recipient, Role.HOLDER if status in LEFT else Role.EMPLOYER))
                at_home = replace(state, home=state.referrer)
                found.append((at_home, state.referrer, Role.HOME))
    return found


ACTS = acts()
IDS = [f"{NOUN_OF[type(state)]}-{state.status}-{role}" for state, _, role in ACTS]


@pytest.mark.parametrize(("state", "reader", "role"), ACTS, ids=IDS)
def test_a_sheet_shows_what_the_table_says(
    monkeypatch: pytest.MonkeyPatch, state: Act, reader: str, role: Role
) -> None:
    noun = NOUN_OF[type(state)]
    asked = asked_of_the_table(monkeypatch, sheets, lambda: sheets.sheet(state, reader, PERSON, TODAY))
    assert asked >= state.facts.keys() | state.parties().keys() | {"ref", "beneficiary", "status", "version", "actions"}
    seen = sheets.sheet(state, reader, PERSON, TODAY)
    assert set(seen) == {name for name in asked if cell(noun, name, role) in FORMS}
    page = in_words.facts(noun, seen, words("fr"), in_words.Directory({}, {}))
    assert len(page) <= len(seen.keys() - in_words.NOT_SHOWN), "the page says nothing that the sheet has not"
    if isinstance(state, Referral):
        assert sheets.sees(state, "alternatives", reader) is (cell(noun, "alternatives", role) in FORMS)


@pytest.mark.parametrize(
    ("state", "reader", "role"), [each for each in ACTS if isinstance(each[0], Referral) and each[1] != "coordinator"]
)
def test_a_row_of_the_csv_shows_what_the_table_says(state: Referral, reader: str, role: Role) -> None:
    edge: Any = SimpleNamespace(ground=SimpleNamespace(alias=named))
    caller: Any = SimpleNamespace(principal=Principal("client", reader, frozenset({"partner"})), today=TODAY)
    written = export_http._fields(edge, caller, state, "H-114", NOW)
    here = {"state": "status", "stop_reason": "interrupt_reason", "age_band": "disclosed"}
    for column in written:
        name = here.get(column, column)
        if row("referral", name) is None:
            assert column in in_words.PROFILE, f"no row names {column}"
        elif written[column] is None:
            continue
        else:
            assert cell("referral", name, role) in FORMS, f"{role} reads {column}"
    for name in ("local_ref", "happened_on", "changed", "reason", "goal", "decline_reason", "age_band"):
        assert (written.get(name) is not None) is (cell("referral", here.get(name, name), role) in FORMS)


def test_the_late_list_shows_what_the_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    late_one: Any = SimpleNamespace(
        reference="R-7K4M-2QX",
        referrer="a",
        recipient="b",
        moment="formation",
        sent_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
    asked = asked_of_the_table(monkeypatch, late, lambda: late._item(late_one, date(2026, 11, 24)))
    assert asked == late._item(late_one, TODAY).keys() == {"ref", "from", "to", "moment", "age_days"}


@pytest.mark.parametrize("role", [Role.HOME, Role.RECEIVER])
def test_a_step_of_the_pathway_shows_what_the_table_says(monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
    first = uuid.uuid4()
    step = Step(first, first, "formation", "le-trusquin", "cpas-hotton", first, first, NOW, "qualify", "person")
    step = replace(step, follows=first, cause=first, entered_at=NOW, left_at=NOW)
    asked = asked_of_the_table(monkeypatch, pathways, lambda: pathways._step(step, role, lambda known: known))
    assert asked == ALSO["step"]
    body = pathways._step(step, role, lambda known: known).model_dump()
    flat = {name: value for name, value in (body | body["meaning"]).items() if name != "meaning" and value is not None}
    assert set(flat) == {name for name in asked if cell("step", name, role) in FORMS}


@pytest.mark.parametrize(("type_", "changes", "role"), [each for each in cases() if TYPES[each[0]].TOPIC == PATHWAYS])
def test_an_event_of_the_pathway_shows_what_the_table_says(type_: str, changes: dict[str, Any], role: Role) -> None:
    event = filled(type_, **changes)
    seen = expected(event, role)
    if role is Role.COORDINATOR or seen is None:
        return  # she asks for no pathway; what is not shown is not listed
    shown = pathways._shown(seen)
    listed = {name for name, value in shown.model_dump().items() if value is not None}
    known = {"recorded": "recordedtime", "causation": "causationid"}
    assert {known.get(name, name) for name in listed} <= seen.keys()


MAILED = [(route.event.TYPE, role) for route in ROUTES for role, message in route.messages() if message.send == "now"]


@pytest.mark.parametrize(("type_", "party"), MAILED)
@pytest.mark.parametrize("kind", ["training_operator", "employer"])
def test_a_mail_has_the_facts_that_the_table_shows(type_: str, party: str, kind: str) -> None:
    event = filled(type_, recipient_kind=kind)
    if getattr(event.data, "answered_by", None):
        event = filled(type_, recipient_kind=kind, answered_by=None, answered_by_id=None)
    role = Role.COORDINATOR if party == "coordinator" else PARTIES[party]
    if role is Role.RECEIVER and kind == "employer" and "recipient_kind" in type(event.data).model_fields:
        role = Role.EMPLOYER
    noun, verb = type_.split(".")[1:3]
    [made] = [each for each in router()._emails(event) if (each.facts or {})["role"] == party]
    facts = (made.facts or {}).keys() - {"role", "noun", "act", "phone_of", "answer"}
    data = event.data.model_dump(mode="json", exclude_none=True)
    shown = {name for name in data if cell(noun, name, role, verb, event.data.TOPIC.name) in FORMS}
    assert facts == shown & set(FACTS)


ABOUT_WORK = [each for each in MAILED if {"kind", "employer_calls"} & {*fields_of(TYPES[each[0]])}]


@pytest.mark.parametrize("kind", get_args(PlacementKind))
@pytest.mark.parametrize("calls", get_args(EmployerCalls))
@pytest.mark.parametrize(("type_", "party"), ABOUT_WORK)
def test_only_art_60_and_61_name_to_an_employer_who_accompanies_the_person(
    type_: str, party: str, kind: str, calls: str
) -> None:
    event = filled(type_, recipient_kind="employer", employer_calls=calls, answered_by=None, answered_by_id=None)
    sealed = event.sealed
    if sealed is not None and "kind" in type(sealed).model_fields and type_.startswith("jalons.placement"):
        sealed = sealed.model_copy(update={"kind": kind})
    event = replace(event, sealed=sealed)
    [made] = [each for each in router()._emails(event) if (each.facts or {})["role"] == party]
    facts = made.facts or {}
    to_an_employer = party == "employer" or (party == "recipient" and type_.startswith("jalons.referral"))
    named_by_kind = getattr(sealed, "kind", None) in ("art60_7", "art61") and type_.startswith("jalons.placement")
    if to_an_employer and not named_by_kind:
        assert made.contact == FRONT
        assert {name: facts[name] for name in ("phone_of", "answer") if name in facts} == (
            {"phone_of": BY_ROLE[Role.REFERRER]} if calls == "proposer" else {}
        )
    else:
        assert made.contact != FRONT and "phone_of" not in facts


def test_every_row_names_a_field_that_exists() -> None:
    known: dict[str, set[str]] = {noun: set(ALSO.get(noun, ())) for noun in NOUNS}
    verbs: dict[str, set[str]] = {noun: {"sheet"} for noun in NOUNS}
    for type_, payload in TYPES.items():
        noun, verb = type_.split(".")[1:3]
        known[noun] |= {*fields_of(payload), *Envelope.model_fields}
        verbs[noun] |= {verb, "lapsed"} if "lapsed" in payload.model_fields else {verb}
    for kind in TABLES:
        state = full(kind, "started")
        known[NOUN_OF[kind]] |= {*state.facts, *FIELDS_OF_ACTS}
    for noun in NOUNS:
        for field in TABLE[noun]:
            if field in known[noun]:
                continue
            verb, _, name = field.partition(".")
            assert verb in verbs[noun] and name in known[noun], f"{noun}: {field} is no field"
    for topic in ENVELOPES:
        assert set(TABLE[topic]) == Envelope.model_fields.keys() - {"data"}


def test_an_unnamed_field_is_shown_to_nobody() -> None:
    assert all(cell("referral", "a_new_field", role) not in FORMS for role in Role)


def test_who_is_no_party_sees_nothing_and_the_coordinator_no_id_of_a_person() -> None:
    for type_, payload in TYPES.items():
        if payload.TOPIC == PATHWAYS:
            event = filled(type_)
            assert cut(event, "forem-marche", named, own) is None
            assert str(PERSON) not in json.dumps(for_coordinator(event, "integra-plus", own))
