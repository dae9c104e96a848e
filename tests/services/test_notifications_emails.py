"""What the mails say, and what they never say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from itertools import product
from typing import get_args
from uuid import UUID

import pytest

from jalons.clock import new_id
from jalons.messaging.outbox import Outbox
from jalons.privacy.disclosure import parties
from jalons.privacy.links import AnswerLinks, LinkTarget
from schemas.catalogue import TYPES
from schemas.codes import PlacementKind
from schemas.examples import DATA, SEALED
from schemas.routing import ASKED, BY_TYPE, COORDINATOR, FRONT, HOLDERS, ROUTES
from services.notifications.deliveries.gate import PartnerRecord
from services.notifications.deliveries.rows import Delivery
from services.notifications.emails.channel import coordinator_record
from services.notifications.emails.messages import OPEN_ACTS, InvalidMailbox, MessageWriter, in_words
from services.notifications.routing.router import Router
from tests.services.test_notifications_stage import NOW, SECRET, event, everything

_OWN = (lambda _ref, _partner: new_id(), lambda known, _reader: known)
ROUTER = Router(SECRET, *_OWN, Outbox("notifications"), lambda _subject: None, coordinator=True)
WRITER = MessageWriter("Intégra Plus", "jalons@integra.example", None, AnswerLinks(SECRET))
MAILED = [(route.event.TYPE, role) for route in ROUTES for role, message in route.messages() if message.send == "now"]
TO_HOLDERS = [each.TYPE for each in HOLDERS]


def _partner(slug: str, **given) -> PartnerRecord:
    fields = {
        "slug": slug,
        "name": slug.upper(),
        "mailbox": f"{slug}@partner.example",
        "phone": "+32 84 46 00 00",
        "phone_hours": "9-12 h",
        "language": "fr",
        "status": "active",
        "kind": "training_operator",
        "trial": False,
    }
    return PartnerRecord(**fields | given)


SPEAKS = _partner("integra-plus", name="Intégra Plus", phone="+32 86 99 99 99", mailbox="front@integra.example")


def _delivery(type_: str, role: str | None = None, **data) -> Delivery:
    """The delivery of an event to one of its parties."""
    if type_ == "jalons.referral.started.v1":
        data = {"answered_by": None, "answered_by_id": None, **data}
    for acted in (*BY_TYPE[type_].parties, "nobody"):
        happened = event(type_.removeprefix("jalons.").removesuffix(".v1"), **data)
        actor = parties(happened).get(acted, acted)
        happened = event(type_.removeprefix("jalons.").removesuffix(".v1"), partner=actor, **data)
        made = list(ROUTER._emails(happened))
        for each in made:
            if role in {None, each.facts["role"]}:
                return each
    raise AssertionError(f"nobody is told of {type_} as {role}")


def _write(delivery: Delivery, writer: MessageWriter = WRITER, contact: PartnerRecord | None = None, **recipient):
    to = _partner(delivery.recipient, **recipient)
    return writer.write(delivery, to, contact or _partner(delivery.contact), NOW)


@pytest.mark.parametrize(("type_", "role"), MAILED)
def test_every_mail_of_the_table_is_whole(type_, role):
    message = _write(_delivery(type_, role))
    said = everything(message)
    delivery = _delivery(type_, role)
    assert delivery.reference in message["Subject"]
    assert "Intégra Plus" in said
    assert "+32 84 46 00 00" in said
    assert message["Auto-Submitted"] == "auto-generated"
    assert not [name for name in message if name.lower().startswith("x-")]
    assert "{{" not in said
    assert "None" not in said
    assert [part.get_content_subtype() for part in message.iter_parts()] == ["plain", "html"]


@pytest.mark.parametrize("as_employer", [False, True])
@pytest.mark.parametrize("type_", TO_HOLDERS)
def test_who_holds_something_is_told_when_the_agreement_ends_and_an_employer_not_by_whom(type_, as_employer):
    contact = FRONT if as_employer else "b"
    holding = {
        "partner": "a",
        "contact": contact,
        "references": ["P-9D3H-6TV"],
        "act": str(new_id()),
        "as_employer": as_employer,
    }
    [made] = ROUTER._emails(event(type_[7:-3], partners=["a"], holdings=[holding]))
    message = _write(made, contact=SPEAKS if as_employer else _partner("b", kind="cpas"))
    said = everything(message)
    assert (made.recipient, made.contact, message["Subject"][-10:]) == ("a", contact, "P-9D3H-6TV")
    assert ("pour B," in said) is not as_employer
    assert "{{" not in said and "None" not in said


def test_a_referral_that_was_sent_says_who_until_when_and_what_otherwise():
    said = everything(_write(_delivery("jalons.referral.sent.v1")))
    assert "CPAS-HOTTON vous adresse une personne" in said
    assert "mardi 1er décembre 2026" in said
    assert "appelez CPAS-HOTTON au +32 84 46 00 00" in said
    assert "Sans réponse à cette date" in said


def test_the_second_reminder_is_not_the_first_one_again():
    said = [everything(_write(_delivery("jalons.referral.reminder_due.v1", number=number))) for number in (1, 2)]
    assert "un second rappel vous parviendra" in said[0]
    assert "second rappel" in said[1].splitlines()[0]
    assert "la coordination du réseau sera prévenue" in said[1]
    assert all("mardi 1er décembre 2026" in each for each in said)


ABOUT = {
    "referral": ("still_waiting", "first_contact", "start", "end"),
    "training": ("start", "end"),
    "placement": ("start", "end"),
}


@pytest.mark.parametrize(("type_", "role"), [each for each in MAILED if "news_due" in each[0]])
def test_each_silence_is_asked_about_in_its_own_words(type_, role):
    asked = ABOUT[type_.split(".")[1]]
    said = [everything(_write(_delivery(type_, role, about=about))) for about in asked]
    assert len(set(said)) == len(asked)
    assert all("début" in each for each, about in zip(said, asked, strict=True) if about == "start")


@pytest.mark.parametrize(
    "act", ["accepted", "declined", "waitlisted", "started", "completed", "interrupted", "reopened"]
)
def test_a_receiver_is_told_what_was_recorded_in_its_place_and_how_to_correct_it(act):
    said = everything(_write(_delivery(f"jalons.referral.{act}.v1", "recipient", reported_by="referrer")))
    assert "C'est noté à votre place" in said
    assert "corrigez-le dans le réseau, ou appelez CPAS-HOTTON au +32 84 46 00 00" in said


@pytest.mark.parametrize("act", ["interrupted", "reopened"])
def test_what_the_referrer_did_by_itself_is_not_said_to_be_in_the_receiver_s_place(act):
    assert "à votre place" not in everything(_write(_delivery(f"jalons.referral.{act}.v1", "recipient")))


def test_the_coordinator_is_told_who_waits_and_whom_to_answer():
    delivery = _delivery("jalons.referral.escalated.v1", "coordinator")
    message = WRITER.write(
        delivery, coordinator_record("coordination@integra.example"), _partner(delivery.contact), NOW
    )
    said = everything(message)
    assert (message["To"], message["Reply-To"].addresses[0].addr_spec) == (
        "coordination@integra.example",
        "cpas-hotton@partner.example",
    )
    assert "n'a pas reçu de réponse malgré les rappels" in said
    assert "celle de la coordination" in said
    assert "CPAS-HOTTON" in said


@pytest.mark.parametrize(("type_", "role"), MAILED)
def test_no_mail_holds_a_code_of_what_is_sealed(type_, role):
    said = everything(_write(_delivery(type_, role)))
    codes = [str(value) for value in SEALED.get(type_, {}).values() if "_" in str(value)]
    assert not [code for code in codes if code in said]
    for open_but_private in ("wrong_person", "lire-et-ecrire", "R-4M2P-8XK", "remise-a-niveau"):
        assert open_but_private not in said


@pytest.mark.parametrize("contact", ["person_comes", "receiver_calls_referrer", "referrer_arranges"])
def test_a_referral_says_who_reaches_whom(contact):
    said = {c: everything(_write(_delivery("jalons.referral.sent.v1", contact=c))) for c in (contact, "person_comes")}
    assert (said[contact] == said["person_comes"]) is (contact == "person_comes")


CPAS = {"name": "CPAS de Hotton", "kind": "cpas", "mailbox": "emploi@cpas.example", "phone": "+32 84 11 11 11"}
AT_WORK = [each for each in MAILED if each[1] == "employer"]


def _to_an_employer(type_: str, role: str, kind: str, calls: str) -> tuple[str, str, str]:
    """What a mail to an employer says: everything, whom it answers, its text."""
    cpas = dict.fromkeys(("proposer", "home", "referrer"), "cpas-hotton")
    employs = {"recipient_kind": "employer"} if "recipient_kind" in TYPES[type_].model_fields else {}
    happened = event(type_[7:-3], partner="nobody", **cpas, **employs, employer_calls=calls)
    if happened.sealed is not None and "kind" in type(happened.sealed).model_fields:
        happened = replace(happened, sealed=happened.sealed.model_copy(update={"kind": kind}))
    if "answered_by" in type(happened.data).model_fields:
        happened = replace(happened, data=happened.data.model_copy(update={"answered_by": None}))
    [delivery] = [each for each in ROUTER._emails(happened) if each.facts["role"] == role]
    known = {FRONT: SPEAKS, "cpas-hotton": _partner("cpas-hotton", **CPAS)}
    to = _partner(delivery.recipient, kind="employer")
    message = WRITER.write(delivery, to, known[delivery.contact], NOW, known)
    return everything(message), message["Reply-To"].addresses[0].addr_spec, str(message["Reply-To"])


@pytest.mark.parametrize("kind", get_args(PlacementKind))
@pytest.mark.parametrize(("type_", "role"), [*AT_WORK, *(e for e in MAILED if e[1] == "recipient")])
def test_an_employer_hears_from_the_network_and_of_no_cpas(type_, role, kind):
    said, answered, header = _to_an_employer(type_, role, kind, "front")
    sealed_kind = TYPES[type_].SEALED and "kind" in TYPES[type_].SEALED.model_fields
    if role == "employer" and sealed_kind and kind in ("art60_7", "art61"):
        assert "CPAS de Hotton" in said and answered == CPAS["mailbox"] and CPAS["phone"] in said
    else:
        assert "cpas" not in (said + header).lower()
        assert CPAS["phone"] not in said
        assert answered == SPEAKS.mailbox and SPEAKS.phone in said
    assert "None" not in said


@pytest.mark.parametrize(("type_", "role"), AT_WORK)
def test_who_agreed_that_the_accompanist_is_called_has_its_telephone_given_and_no_more(type_, role):
    said, answered, header = _to_an_employer(type_, role, "cdd", "proposer")
    assert CPAS["phone"] in said and SPEAKS.phone not in said
    assert answered == SPEAKS.mailbox
    assert "cpas" not in (said + header).lower()


ANSWERED = """
    referral.accepted      referrer: recipient    recipient: referrer
    referral.waitlisted    referrer: recipient    recipient: referrer
    referral.declined      referrer: recipient    recipient: referrer
    referral.cancelled     referrer: recipient    recipient: referrer
    referral.started       referrer: recipient    recipient: referrer
    referral.completed     referrer: recipient    recipient: referrer
    referral.interrupted   referrer: recipient    recipient: referrer
    referral.reopened      referrer: recipient    recipient: referrer
    referral.voided        referrer: recipient    recipient: referrer
    referral.news_due      referrer: recipient    recipient: referrer
    referral.expired       referrer: recipient    recipient: referrer   coordinator: referrer
    referral.sent          recipient: referrer
    referral.redirected    recipient: referrer
    referral.reminder_due  recipient: referrer
    referral.suggested     referrer: coordinator
    referral.escalated     coordinator: referrer
    beneficiary.said       referrer: referrer
    training.enrolled      home: operator    operator: home
    training.started       home: operator
    training.suspended     home: operator
    training.resumed       home: operator
    training.completed     home: operator
    training.attendance_falling  home: operator
    training.interrupted   home: operator    operator: home
    training.cancelled     home: operator    operator: home
    training.news_due      home: operator    operator: home
    placement.proposed     employer: front
    placement.confirmed    proposer: employer
    placement.refused      proposer: employer
    placement.cancelled    proposer: employer    employer: front
    placement.started      proposer: employer    employer: front
    placement.evaluated    proposer: employer    employer: front
    placement.ended        proposer: employer    employer: front
    placement.news_due     proposer: employer    employer: front
    placement.followed_up  home: proposer
    placement.end_near     home: proposer
    placement.follow_up_due  home: home
    callback.asked         proposer: said_by
"""
"""Kind of mail → reader: whom it answers. What a new kind of mail answers has to be written here."""


def _answered() -> dict[tuple[str, str], str]:
    found = {}
    for line in ANSWERED.split("\n"):
        name, *pairs = line.replace(":", "").split() or [""]
        found |= {(f"jalons.{name}.v1", role): who for role, who in zip(pairs[::2], pairs[1::2], strict=True)}
    return found


@pytest.mark.parametrize(("type_", "role"), MAILED)
def test_every_kind_of_mail_is_answered_to_whom_its_reader_naturally_answers(type_, role):
    who = _answered()[type_, role]
    roles = {each: f"who-is-{each.replace('_', '-')}" for each in (*BY_TYPE[type_].parties, "home", "proposer")}
    names = {name: slug for name, slug in roles.items() if name in TYPES[type_].model_fields}
    happened = event(type_[7:-3], partner="nobody", **names)
    if getattr(happened.data, "answered_by", None):
        happened = replace(happened, data=happened.data.model_copy(update={"answered_by": None}))
    [delivery] = [each for each in ROUTER._emails(happened) if each.facts["role"] == role]
    known = {slug: _partner(slug) for slug in (*names.values(), COORDINATOR, FRONT)}
    message = WRITER.write(delivery, known[delivery.recipient], known[delivery.contact], NOW, known)
    assert message["Reply-To"].addresses[0].addr_spec == f"{roles.get(who, who)}@partner.example"
    said = everything(message)
    assert ("arrive dans votre propre service" in said) is (who == role)
    assert (f"arrive à {roles.get(who, who).upper()}" in said) is (who != role)


def test_the_table_of_who_is_answered_has_no_row_that_is_not_mailed():
    assert set(_answered()) == set(MAILED)


def test_no_mail_is_named_for_a_type_or_party_that_is_never_told():
    entries = {name for name in WRITER._catalogues["fr"] if "/" in name} - {f"{OPEN_ACTS}/partner"}
    asked = [(payload.TYPE, "home") for payload in ASKED]
    told = [*MAILED, *product(TO_HOLDERS, ("holder", "employer")), *asked]
    assert entries == {f"{type_}/{role}" for type_, role in told}
    assert all(name.split("/")[0] in TYPES for name in entries)


def test_a_trial_says_so_first():
    message = _write(_delivery("jalons.referral.sent.v1", trial=True), trial=True)
    assert message["Subject"].startswith("[ESSAI] ")
    assert "aucune personne réelle" in everything(message)


def test_a_repeated_mail_has_the_same_message_id():
    delivery = _delivery("jalons.referral.sent.v1")
    assert _write(delivery)["Message-ID"] == _write(delivery)["Message-ID"]
    assert _write(delivery)["Message-ID"] == f"<{delivery.delivery_id}@integra.example>"


def test_where_no_answer_is_awaited_the_link_leads_to_the_record():
    public = MessageWriter("Intégra Plus", "jalons@integra.example", "https://jalons.example", AnswerLinks(SECRET))
    said = everything(_write(_delivery("jalons.referral.completed.v1", "referrer"), public))
    assert "https://jalons.example/answer/" in said
    assert "dit où cela en est" in said
    assert ">Voir : R-7K4M-2QX</a>" in said, "a button, named"
    assert "://" not in everything(_write(_delivery("jalons.referral.sent.v1")))


@pytest.mark.parametrize(
    ("type_", "role"), [each for each in MAILED if BY_TYPE[each[0]].message(each[1]).awaits_answer]
)
def test_where_an_answer_is_awaited_the_link_is_signed_for_this_act_and_this_recipient(type_, role):
    links = AnswerLinks(SECRET)
    public = MessageWriter("Intégra Plus", "jalons@integra.example", "https://jalons.example", links)
    delivery = _delivery(type_, role)
    message = _write(delivery, public)
    found = {
        re.search(r"https://jalons.example/answer/([\w-]+)", part.get_content())[1] for part in message.iter_parts()
    }
    noun = type_.split(".")[1]
    assert {links.read(token) for token in found} == {LinkTarget(noun, UUID(delivery.facts["act"]), delivery.recipient)}
    assert delivery.facts["act"] == DATA[type_][f"{noun}_id"]
    assert "sans compte ni mot de passe" in everything(message)
    assert "/referrals/" not in everything(message)


@pytest.mark.parametrize(
    "name",
    ["Trusquin\r\nBcc: spy@evil.example", "Trusquin\nX-Evil: 1", "Trusquin\x00\x1b[2J", "Trusquin\u2028Bcc: a@b"],
)
def test_a_partners_name_cannot_begin_a_header_or_a_line(name):
    message = _write(_delivery("jalons.referral.sent.v1"), contact=_partner("cpas-hotton", name=name), name=name)
    raw = message.as_bytes()
    headers = raw.split(b"\n\n")[0]
    assert not [line for line in headers.splitlines() if line.lower().startswith((b"bcc", b"x-"))]
    assert message["Bcc"] is None
    assert not [line for line in message.get_body(("plain",)).get_content().splitlines() if line.startswith("Bcc")]


def test_a_partners_name_is_text_in_html_and_in_templates():
    nasty = "<script>alert(1)</script> {{ network }}"
    html = _write(_delivery("jalons.referral.sent.v1"), contact=_partner("x", name=nasty)).get_body(("html",))
    assert "<script>" not in html.get_content()
    assert "{{ network }}" in html.get_content()


@pytest.mark.parametrize(
    "mailbox", ["a@b.example\r\nBcc: x@y.example", "a@b.example, c@d.example", "a b@c", "a@", "@b", "é@b.be"]
)
def test_what_is_not_one_address_is_no_mailbox(mailbox):
    with pytest.raises(InvalidMailbox):
        _write(_delivery("jalons.referral.sent.v1"), mailbox=mailbox)


def test_a_contact_without_a_usable_mailbox_is_still_named():
    message = _write(_delivery("jalons.referral.sent.v1"), contact=_partner("cpas-hotton", mailbox="none"))
    assert message["Reply-To"] is None
    assert "CPAS-HOTTON" in everything(message)


def test_an_unknown_language_is_written_to_in_french():
    assert "Bonjour" in everything(_write(_delivery("jalons.referral.sent.v1"), language="de"))


def test_dates_are_said_as_in_french():
    words = WRITER._catalogues["fr"]["dates"]
    assert in_words(date(2026, 12, 1), words) == "mardi 1er décembre 2026"
    assert in_words(date(2027, 2, 28), words) == "dimanche 28 février 2027"
    days = {in_words(date(2027, month, day), words) for month, day in product(range(1, 13), (1, 2, 28))}
    assert len(days) == 36


@pytest.mark.parametrize(
    ("count", "more", "subject", "what"),
    [
        (0, False, "Rien ne vous attend", "Rien n'attend de réponse de"),
        (1, False, "Une réponse est attendue de vous", "Voici tout ce qui attend"),
        (2, True, "2 réponses sont attendues de vous", "il y en a davantage"),
    ],
)
def test_the_list_of_what_waits_says_whether_it_is_all(count, more, subject, what):
    acts = [{"noun": "referral", "id": str(new_id()), "reference": f"R-7K4M-2Q{n}"} for n in range(count)]
    given = {"role": "partner", "acts": acts, "more": more}
    asked = new_id()
    delivery = Delivery(asked, asked, OPEN_ACTS, "email", "le-trusquin", trial=False, correlation=asked, facts=given)
    writer = MessageWriter("Intégra Plus", "jalons@integra.example", "https://hub.example", AnswerLinks(SECRET))
    message = _write(delivery, writer, _partner("le-trusquin"))
    said = everything(message)
    assert message["Subject"] == subject
    assert what in said and "None" not in said
    assert all(act["reference"] in said for act in acts)
    assert message.get_body(("plain",)).get_content().count("https://hub.example/answer/") == count
