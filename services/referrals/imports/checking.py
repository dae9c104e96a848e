"""A row becomes a referral only if nothing is wrong with it, and only if it is not one already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from jalons.clock import local_date
from jalons.privacy.references import normalise
from services.referrals.acts.bodies import ReferralBody
from services.referrals.acts.rules import Referral
from services.referrals.agreements.rules import Consent
from services.referrals.imports.headings import HEADINGS, REQUIRED
from services.referrals.imports.sheet import Fault, Row
from services.referrals.imports.vocabulary import Vocabulary

OPEN = frozenset({"sent", "received", "waitlisted", "accepted", "started"})
_OF_PARTNER = frozenset({"local_ref", "evidence_ref"})
_COMPARED = ("goal", "chosen_by", "contact")


def content(row: Row) -> bytes:
    """A row as it is stored until it is worked off."""
    return json.dumps(row).encode()


def stored(given: bytes) -> Row:
    """The row that was stored."""
    number, texts, faults = json.loads(given)
    return Row(number, texts, tuple(Fault(*each) for each in faults))


def returned(row: Row) -> str | None:
    """The reference in a row that the hub exported; None for a new row, and for what is no reference."""
    return normalise(row.texts.get("ref", ""))


def checked(row: Row, vocabulary: Vocabulary) -> tuple[dict[str, Any], list[Fault]]:
    """The row as the fields of `POST /referrals`, and all that is wrong with it; with faults, the fields are none."""
    given, faults = vocabulary.values(row)
    if row.texts.get("ref"):
        faults.append(Fault("no_reference", "ref"))
    seen = {fault.field for fault in faults}
    faults += [Fault("missing", name) for name in REQUIRED if name not in row.texts and name not in seen]
    try:
        body = ReferralBody.model_validate(given)
    except ValidationError as error:
        known = {fault.field for fault in faults}
        for each in error.errors(include_input=False, include_url=False, include_context=False):
            if (fault := _fault(each)).field not in known:
                known.add(fault.field)
                faults.append(fault)
        if not faults:
            faults.append(Fault("missing", "local_ref"))
    if faults:
        return {}, sorted(faults, key=_place)
    return body.model_dump(exclude_none=True), []


def _fault(error: Mapping[str, Any]) -> Fault:
    """The fault of the innermost field that an error of the body names; its content is not repeated."""
    field = next((part for part in reversed(error["loc"]) if part in HEADINGS), None)
    if error["type"] == "missing":
        return Fault("missing", field)
    if field == "commune_nis":
        return Fault("no_commune", field)
    return Fault("no_code" if field in _OF_PARTNER else "unknown_value", field)


def _place(fault: Fault) -> int:
    order = [*HEADINGS]
    return order.index(fault.field) if fault.field in order else len(order)


def same(found: Sequence[Referral], given: Mapping[str, Any]) -> Referral | None:
    """The referral that a row is known as: same recipient, moment, offer and date; undated, while it is open."""
    alike = [
        act
        for act in found
        if act.status != "voided"
        and (act.recipient, act.moment, act.offer) == (given["recipient"], given["moment"], given.get("offer"))
    ]
    dated = [act for act in alike if sent_on(act) == given.get("happened_on")]
    open_ = [act for act in alike if act.status in OPEN]
    return next(iter([*dated[::-1], *open_[::-1]]), None)


def sent_on(act: Referral) -> date:
    """The day on which a referral was sent, as its sender said; else the day on which it was recorded."""
    said = act.facts.get("sent_on")
    return date.fromisoformat(said) if said else local_date(datetime.fromisoformat(act.facts["sent_at"]))


def differences(
    act: Referral, profile: Mapping[str, Any], consents: Sequence[Consent], given: Mapping[str, Any]
) -> list[str]:
    """The fields in which a row differs from the referral it is known as, and from what is on record with it."""
    facts = act.facts
    found = [name for name in _COMPARED if given[name] != facts.get(name)]
    if given["reason"] not in {facts.get("reason"), facts.get("finer")}:
        found.append("reason")
    if given.get("happened_on", sent_on(act)) != sent_on(act):
        found.append("happened_on")
    return found + other_profile(profile, given) + _other_agreement(act, consents, given)


def changed(act: Referral, local_ref: str | None, row: Row, vocabulary: Vocabulary) -> list[str]:
    """The fields in which a row of an exported table says something else than its referral. An empty cell says nothing,
    nor does a cell of the profile that the referral did not disclose. local_ref: the person's dossier number."""
    given, faults = vocabulary.values(row)
    profile, told = given["person"]["profile"], act.facts.get("disclosed") or {}
    known = {
        **{name: act.facts.get(name) for name in _COMPARED},
        **{name: told[name] for name in profile if name in told},
        "recipient": act.recipient,
        "moment": act.moment,
        "offer": act.offer,
        "local_ref": local_ref,
        "happened_on": sent_on(act).isoformat(),
    }
    said = {**given, **given["person"], **profile}
    found = {name for name, value in known.items() if name in said and _plain(said[name]) != _plain(value)}
    if "reason" in said and said["reason"] not in {act.facts.get("reason"), act.facts.get("finer")}:
        found.add("reason")
    wrong = {each.field for each in faults if each.field and known.get(each.field) != row.texts.get(each.field)}
    return [name for name in HEADINGS if name in found | wrong]


def _plain(value: Any) -> Any:
    """A value as it is compared: a list in whatever order."""
    return sorted(value) if isinstance(value, list | tuple) else value


def other_profile(profile: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """The fields of the profile in which a row differs from the record; obstacles in whatever order."""
    row = given["person"]["profile"]
    return [
        name
        for name, value in row.items()
        if _plain(value) != _plain(profile.get(name) or ([] if isinstance(value, list) else None))
    ]


def _other_agreement(act: Referral, consents: Sequence[Consent], given: Mapping[str, Any]) -> list[str]:
    """What a row says of the agreement that no agreement on record for this recipient says."""
    said = given.get("agreement")
    standing = [each for each in consents if act.recipient in each.partners]
    if said is None or not standing:
        return []
    wanted = (frozenset(said.get("attributes") or ()), said.get("expires_on"))
    if wanted in [(each.attributes, each.expires_on) for each in standing]:
        return []
    other = [] if wanted[0] in [each.attributes for each in standing] else ["attributes"]
    return other + ([] if wanted[1] in [each.expires_on for each in standing] else ["expires_on"])


def as_json(faults: Sequence[Fault]) -> list[list[Any]]:
    """Faults as they are stored."""
    return [[*fault] for fault in faults]
