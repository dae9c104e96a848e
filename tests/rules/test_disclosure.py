"""Who sees what of an event: the home partner all, a party its own part, everybody else nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from jalons.messaging.codec import encode, opened, read
from jalons.privacy.aliases import alias
from jalons.privacy.disclosure import PARTIES, cut, for_coordinator, parties, readers, sees
from jalons.privacy.own_ids import own_id
from jalons.privacy.visibility import Role
from schemas.catalogue import TYPES
from schemas.envelope import Event, Payload
from schemas.examples import SEALED, example
from schemas.topics import DELIVERIES, DIRECTORY, PATHWAYS

KEY = b"k" * 32
ABOUT_PERSONS = sorted(type_ for type_, payload in TYPES.items() if payload.TOPIC == PATHWAYS)


def seen_by(payload: type[Payload]) -> dict[str, frozenset[str]]:
    """Field that names a party → the fields that party sees."""
    seen, fields = readers(payload), payload.model_fields
    holders = {"partners": frozenset(seen[Role.HOLDER])} if Role.HOLDER in seen else {}
    return {
        field: frozenset(seen[role]) for field, role in PARTIES.items() if field in fields and field != "home"
    } | holders


def read_by(payload: type[Payload]) -> str | None:
    """Of what is about nobody, the field that names the one partner who reads it."""
    return (
        None
        if payload.TOPIC == PATHWAYS or sees(payload, "type", Role.OTHER)
        else next((field for field in PARTIES if field in payload.model_fields and payload.TOPIC == DIRECTORY), None)
    )


FOR_THE_HOME = {"jalons.consent.renewal_due.v1"}
"""Events that name partners and are told to the home partner alone."""
KEPT_FROM = [
    (type_, role)
    for type_ in ABOUT_PERSONS
    for role, seen in seen_by(TYPES[type_]).items()
    if not seen and (role != "partners" or type_ in FOR_THE_HOME)
]
"""Of these events that party is told nothing."""
BOUND_TO_A_PERSON = ("subject", "partitionkey", "causationid", "correlationid", "sequence", "traceparent")


def named(ref: str, partner: str) -> UUID:
    """A partner's alias."""
    return alias(b"s" * 32, ref, partner)


def own(known: UUID, reader: str) -> UUID:
    """A reader's own id."""
    return own_id(b"o" * 32, known, reader)


def _holdings(event: Event, partner: str) -> list[dict[str, Any]]:
    data: Any = event.data
    return [each.model_dump(mode="json") for each in data.holdings if each.partner == partner]


def event_of(type_: str, **data: Any) -> Event:
    """The example of a type, read as a consumer reads it, with its sealed part; every party is another partner."""
    wire = example(type_)["event"]
    wire["data"] = {name: value for name, value in wire["data"].items() if name != "sealed"}
    roles = {"referrer": "cpas-erezee", "proposer": "mire"} | data
    wire["data"] |= {name: value for name, value in roles.items() if name in TYPES[type_].model_fields}
    payload = TYPES[type_].model_validate(wire["data"])
    if payload.SEALED:
        wire["data"]["sealed"] = "AQ=="
    closed = opened(read(json.dumps(wire).encode()), _gone())
    sealed = payload.SEALED.model_validate(SEALED[type_]) if payload.SEALED else None
    whole = Event(**{name: getattr(closed, name) for name in Event.__slots__} | {"sealed": sealed})
    return opened(read(encode(whole, KEY)), KEY)


def _gone() -> Any:
    from jalons.privacy.keys import GONE

    return GONE


@pytest.mark.parametrize("type_", ABOUT_PERSONS)
def test_only_the_home_partner_meets_the_ref_the_cause_and_the_numbering(type_: str) -> None:
    event = event_of(type_)
    for field, partner in parties(event).items():
        seen = cut(event, partner, named, own)
        if (type_, field) in KEPT_FROM:
            continue
        assert seen is not None, f"{field} is a party"
        if field == "home":
            assert (seen["subject"], seen["causationid"]) == (event.subject, str(own(event.causation, partner)))
            assert (seen["sequence"], seen["partner"]) == ("3", event.partner)
            continue
        assert event.subject not in json.dumps(seen)
        assert str(event.causation) not in json.dumps(seen)
        assert not {"sequence", "causationid", "correlationid", "partitionkey", "traceparent"} & seen.keys()
        assert "home" not in seen["data"]
        assert seen.get("subject") in (None, str(named(event.subject, partner)))


@pytest.mark.parametrize("type_", ABOUT_PERSONS)
def test_a_party_sees_the_fields_its_role_is_given_and_no_other(type_: str) -> None:
    event = event_of(type_)
    for field, fields in seen_by(type(event.data)).items():
        said = getattr(event.data, field)
        for partner in [said] if isinstance(said, str) else said:
            seen = cut(event, partner, named, own)
            if (type_, field) in KEPT_FROM:
                assert seen is None
                continue
            assert seen is not None
            assert set(seen["data"]) <= {name.removeprefix("sealed.") for name in fields}


@pytest.mark.parametrize(
    "type_", [type_ for type_ in ABOUT_PERSONS if "partners" in seen_by(TYPES[type_]) and type_ not in FOR_THE_HOME]
)
def test_who_only_holds_something_learns_that_it_happened_and_to_whom_not_by_whom(type_: str) -> None:
    event = event_of(type_)
    seen = cut(event, "le-trusquin", named, own)
    assert seen is not None
    assert seen.pop("subject") == str(named(event.subject, "le-trusquin"))
    assert set(seen) == {"specversion", "id", "source", "type", "time", "datacontenttype", "recordedtime", "data"}
    mine = [{"partner": "le-trusquin", "references": each["references"]} for each in _holdings(event, "le-trusquin")]
    assert (seen["data"], "cpas" in json.dumps(seen)) == ({"holdings": mine} if mine else {"holdings": []}, False)


@pytest.mark.parametrize("type_", ABOUT_PERSONS)
def test_who_is_no_party_sees_nothing(type_: str) -> None:
    event = event_of(type_)
    for stranger in ("forem-marche", "", "hub", "cpas"):
        assert cut(event, stranger, named, own) is None


EMPLOYERS = [(type_, {}) for type_ in ABOUT_PERSONS if seen_by(TYPES[type_]).get("employer")] + [
    (type_, {"recipient_kind": "employer", "recipient": "maison-de-repos-hotton"})
    for type_ in ABOUT_PERSONS
    if seen_by(TYPES[type_]).get("recipient")
]


@pytest.mark.parametrize(("type_", "role"), KEPT_FROM)
def test_a_party_that_may_see_no_field_of_an_event_does_not_get_it(type_: str, role: str) -> None:
    somebody = ["somebody"] if role == "partners" else "somebody"
    assert cut(event_of(type_, **{role: somebody}), "somebody", named, own) is None


@pytest.mark.parametrize(("type_", "data"), EMPLOYERS, ids=[type_ for type_, _ in EMPLOYERS])
def test_an_employer_never_learns_who_stands_behind_nor_why(type_: str, data: dict[str, str]) -> None:
    event = event_of(type_, **data)
    seen = cut(event, "maison-de-repos-hotton", named, own)
    assert seen is not None
    assert not {"partner", "subject"} & seen.keys()
    assert not {"reason", "goal", "chosen_by", "disclosed", "referrer", "proposer", "home"} & seen["data"].keys()
    assert not any(who in json.dumps(seen) for who in ("cpas-hotton", "cpas-erezee", "mire", "mobilite"))
    assert seen["data"]["reference"]


@pytest.mark.parametrize("type_", [type_ for type_ in sorted(TYPES) if not read_by(TYPES[type_])])
def test_the_coordinator_gets_spoken_references_and_nothing_bound_to_a_person(type_: str) -> None:
    event = event_of(type_)
    seen = for_coordinator(event, "integra-plus", own)
    if event.data.TOPIC == DIRECTORY:
        assert seen is not None
        assert seen["data"]["commune_nis" if "convention" not in type_ else "parties"]
        return
    if event.data.TOPIC == DELIVERIES or seen is None:
        assert seen is None
        return
    assert not set(BOUND_TO_A_PERSON) & seen.keys()
    assert set(seen["data"]) <= set(readers(type(event.data))[Role.COORDINATOR])
    ids = [value for name, value in event.data if isinstance(value, UUID)]
    assert not any(str(each) in json.dumps(seen) for each in [event.subject, *ids])
    sealed = event.sealed.model_dump() if event.sealed else {}
    assert not set(sealed) & seen["data"].keys()


@pytest.mark.parametrize(
    ("type_", "shown"),
    [
        ("jalons.referral.reminder_due.v1", {"number": 1, "reply_by": "2026-12-01"}),
        ("jalons.referral.escalated.v1", {"reply_by": "2026-12-01", "recipient": "le-trusquin"}),
        ("jalons.referral.news_due.v1", {"about": "first_contact", "since": "2026-12-03"}),
        ("jalons.referral.suggested.v1", {"suggested_partner": "lire-et-ecrire"}),
    ],
)
def test_the_coordinator_sees_what_waits_for_whom_and_since_when(type_: str, shown: dict[str, Any]) -> None:
    seen = for_coordinator(event_of(type_), "integra-plus", own)
    assert seen is not None
    assert shown.items() <= seen["data"].items()


@pytest.mark.parametrize("type_", sorted(type_ for type_ in SEALED if "reason" in SEALED[type_]))
def test_a_finer_reason_is_seen_by_who_sees_the_reason_and_by_nobody_else(type_: str) -> None:
    for kind in ("training_operator", "employer"):
        event = event_of(type_, recipient_kind=kind)
        if "finer" not in type(event.sealed).model_fields:
            continue
        assert event.sealed is not None
        event = replace(event, sealed=event.sealed.model_copy(update={"finer": "no_bus"}))
        for partner in parties(event).values():
            seen = cut(event, partner, named, own)
            assert seen is None or ("finer" in seen["data"]) == ("reason" in seen["data"])


OF_NOBODY = sorted(type_ for type_, payload in TYPES.items() if payload.TOPIC == DIRECTORY)


@pytest.mark.parametrize("type_", [type_ for type_ in OF_NOBODY if read_by(TYPES[type_])])
def test_what_is_of_nobody_and_yet_not_everybodys_is_who_said_its(type_: str) -> None:
    event = event_of(type_)
    said_by = str(getattr(event.data, read_by(TYPES[type_]) or ""))
    assert cut(event, said_by, named, own)
    assert cut(event, "whoever", named, own) is None
    assert for_coordinator(event, "integra-plus", own) is None


@pytest.mark.parametrize("type_", [type_ for type_ in OF_NOBODY if not read_by(TYPES[type_])])
def test_the_directory_is_everybodys(type_: str) -> None:
    event = event_of(type_)
    seen = [cut(event, "whoever", named, own), cut(event, "le-trusquin", named, own)]
    seen.append(for_coordinator(event, "integra-plus", own))
    ids = [each and each.pop("id") for each in seen]
    assert all(ids)
    assert len(set(ids)) == 3, "an id of its own for each"
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("type_", sorted(type_ for type_, payload in TYPES.items() if payload.TOPIC == DELIVERIES))
def test_what_became_of_a_message_is_its_recipients_alone_and_joins_nothing(type_: str) -> None:
    event = event_of(type_)
    assert cut(event, "cpas-hotton", named, own) is None
    seen = cut(event, "le-trusquin", named, own)
    assert seen is not None
    assert not {"causationid", "correlationid", "traceparent"} & seen.keys()


@pytest.mark.parametrize("type_", sorted(type_ for type_ in TYPES if ".dead_letter." in type_))
def test_dead_letters_are_no_partners_business(type_: str) -> None:
    event = event_of(type_)
    assert all(cut(event, who, named, own) is None for who in ("cpas-hotton", "le-trusquin", "observation"))
    assert for_coordinator(event, "integra-plus", own) is None


def test_once_the_key_is_gone_the_home_partner_sees_the_open_part_only() -> None:
    event = event_of("jalons.referral.sent.v1")
    erased = opened(read(encode(event, KEY)), _gone())
    seen = cut(erased, "cpas-hotton", named, own)
    assert seen is not None
    assert "reason" not in seen["data"]
    assert seen["data"]["moment"] == "formation"
