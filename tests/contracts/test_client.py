"""What the Python client promises, blocking and awaited alike, against a real hub and what may stand before it."""

from __future__ import annotations

import inspect
import pickle
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_type_hints

import httpx
import pytest

from jalons import client as sdk
from jalons.client import acts, bodies, nouns
from jalons.client.exchange import Addresses, Call
from services.referrals.activities.bodies import ActivityBody
from services.referrals.acts import bodies as acts_bodies
from services.referrals.acts.http import ACTIONS
from services.referrals.agreements import bodies as agreements_bodies
from services.referrals.calls.bodies import Body
from services.referrals.codes.bodies import FinerBody
from services.referrals.directory import bodies as directory_bodies
from services.referrals.directory.offers_http import OfferQuery
from services.referrals.needs.bodies import NeedBody
from services.referrals.persons import bodies as persons_bodies
from tests.contracts.test_client_stage import Partner, at
from tests.support.between import Between, break_off, drop_the_answer, refuse
from tests.support.calls import course, work
from tests.support.days import day
from tests.support.network import PROFILE, Network, eventually

pytest_plugins = ["tests.contracts.test_client_stage"]


def test_a_referral_goes_its_way_by_named_acts_and_by_the_generic_one(hotton: Partner, trusquin: Partner) -> None:
    sent = hotton.refer()
    assert (sent["status"], sent.etag, uuid.UUID(sent.call).version) == ("sent", '"1"', 4)
    accepted = trusquin.one(
        trusquin.hub.referrals.accept(sent["ref"], first_contact_on=date.fromisoformat(day(4)), place=None)
    )
    assert (accepted["status"], accepted["first_contact_on"]) == ("accepted", day(4))
    started = trusquin.one(trusquin.hub.referrals.act(sent["referral_id"], "start", started_on=day()))
    assert started["status"] == "started"
    read = hotton.one(hotton.hub.referrals.get(sent["referral_id"]))
    assert (read["status"], read.etag) == ("started", '"3"')


def test_persons_trainings_and_placements_are_called_by_their_nouns(hotton: Partner, trusquin: Partner) -> None:
    local_ref = f"T/{uuid.uuid4().hex[:8]}"
    person = hotton.one(hotton.hub.beneficiaries.register(profile=PROFILE, local_ref=local_ref))["beneficiary"]
    assert [each["beneficiary"] for each in hotton.some(hotton.hub.beneficiaries.list(local_ref=local_ref))] == [person]
    agreed = hotton.one(
        hotton.hub.beneficiaries.consent(
            person,
            partners=["home-hotton"],
            purposes=["employer"],
            channel="paper",
            expires_on=date.fromisoformat(day(1000)),
        )
    )
    placement = hotton.one(hotton.hub.placements.propose(**work(beneficiary=person)))
    assert placement["status"] == "proposed"
    withdrawn = hotton.one(hotton.hub.beneficiaries.withdraw(person, agreed["consent_id"]))
    assert withdrawn["status"] == "withdrawn"
    assert len(hotton.some(hotton.hub.beneficiaries.consents(person))) == 1
    alias = trusquin.one(trusquin.hub.referrals.get(hotton.refer()["ref"]))["beneficiary"]
    training = trusquin.one(trusquin.hub.trainings.enrol(**course(beneficiary=alias)))
    assert trusquin.one(trusquin.hub.trainings.start(training["ref"], started_on=day()))["status"] == "started"


def test_a_table_comes_back_row_by_row(hotton: Partner, trusquin: Partner) -> None:
    local_ref = f"T/118_{uuid.uuid4().hex[:8]}"
    made = hotton.refer(person={"profile": PROFILE, "local_ref": local_ref})
    [row] = [each for each in hotton.some(hotton.hub.referrals.table(box="sent")) if each["Relais"] == made["ref"]]
    assert (row["Dossier"], row["Destinataire"], row["État du relais"]) == (local_ref, "le-trusquin", "Envoyé")
    assert (
        hotton.some(hotton.hub.referrals.table(box="sent", changed_since=datetime.now(UTC) + timedelta(hours=1))) == []
    )
    assert made["ref"] in {each["Relais"] for each in trusquin.some(trusquin.hub.referrals.table())}


def test_a_table_that_breaks_off_is_not_taken_for_a_whole_one(partner: Any, network: Network, before: Between) -> None:
    hotton = partner("cpas-hotton", at(before, network))
    half = "Relais;Dossier\r\nR-7K4M-2QX;H-1\r\nR-5WP".encode("utf-8-sig")
    before.mishaps.append(break_off(half, "text/csv; charset=utf-8"))
    rows = hotton.hub.referrals.table(box="sent")
    assert hotton.some(rows, most=1) == [{"Relais": "R-7K4M-2QX", "Dossier": "H-1"}]
    with pytest.raises(sdk.Unreachable):
        hotton.some(rows)


def test_an_activity_is_said_and_read_by_its_noun(hotton: Partner) -> None:
    person = hotton.refer()["beneficiary"]
    made = hotton.one(
        hotton.hub.activities.create(beneficiary=person, on=date.fromisoformat(day(-7)), form="independant")
    )
    assert hotton.one(hotton.hub.activities.get(made["activity_id"])) == made
    assert hotton.some(hotton.hub.activities.list(beneficiary=person)) == [made]


def test_needs_are_said_and_read_by_their_noun(hotton: Partner) -> None:
    about: Any = {"domain": "numerique", "kind": "need", "source": "partner", "commune_nis": "6990"}
    person = hotton.refer()["beneficiary"]
    of_nobody = hotton.one(hotton.hub.needs.express(**about, met_by_offer=False))
    theirs = hotton.one(hotton.hub.needs.express(**about, beneficiary=person))
    assert hotton.one(hotton.hub.needs.get(of_nobody["need_id"]))["met_by_offer"] is False
    assert [each["need_id"] for each in hotton.some(hotton.hub.needs.list(beneficiary=person))] == [theirs["need_id"]]


def test_lists_are_read_page_by_page_to_their_end(hotton: Partner) -> None:
    refs = [hotton.refer()["ref"] for _ in range(3)]
    pages = hotton.hub._do.many(Call("GET", "referrals", "/referrals", {"box": "sent", "status": "sent", "limit": 2}))
    found = [each["ref"] for each in hotton.some(pages)]
    assert found[:3] == refs[::-1]
    assert len(found) == len(set(found))
    assert found == [each["ref"] for each in hotton.some(hotton.hub.referrals.list(box="sent", status="sent"))]


def test_what_has_no_method_of_its_own_is_called_by_its_path(hotton: Partner) -> None:
    hub = hotton.hub
    assert "referrals_sent" in str(hotton.one(hub.call("GET", "/counts/measures", service="observation")))
    assert len(hotton.one(hub.call("GET", "/partners", query={"limit": 1}))["items"]) == 1
    assert len(hotton.one(hub.call("GET", "/partners?limit=2"))["items"]) == 2
    made = hotton.one(hub.call("POST", "/beneficiaries", {"profile": PROFILE}, actor="c-17"))
    assert made.call


def test_a_table_is_imported_once_however_often_its_call_is_repeated(
    partner: Any, network: Network, before: Between
) -> None:
    hotton = partner("cpas-hotton", at(before, network))
    columns = "age_band sex commune_nis education status household recipient moment reason goal chosen_by contact"
    values = "25-29,F,6990,higher,ris,alone,le-trusquin,formation,training,nonsense,together,person_comes"
    lines = [",".join(["local_ref", *columns.split()]), *(f"I/{number},{values}" for number in range(130))]
    table = "\n".join(lines).encode()
    before.mishaps.append(drop_the_answer)
    taken = hotton.one(hotton.hub.imports.send(table, dry_run=True))
    assert (taken["rows"], taken["dry_run"]) == (130, True)
    assert len(set(before.keys("/imports"))) == 1
    eventually(lambda: hotton.one(hotton.hub.imports.get(taken["import_id"]))["status"] == "finished", 60)
    rows = hotton.some(hotton.hub.imports.rows(taken["import_id"], outcome="refused"))
    assert len({row["row"] for row in rows}) == len(rows) == 130
    assert {fault["field"] for row in rows for fault in row["faults"]} == {"goal"}


def test_the_log_is_polled_from_a_position_on(hotton: Partner) -> None:
    person = hotton.refer()["beneficiary"]
    deadline = time.monotonic() + 10
    mine: list[sdk.Answer] = []
    while len(mine) < 3 and time.monotonic() < deadline:
        mine = [each for each in hotton.some(hotton.hub.events(limit=7)) if each["subject"] == person]
    assert [each["type"].split(".")[1] for each in mine] == ["beneficiary", "consent", "referral"]
    after = mine[-1]["cursor"]
    known = {each["id"] for each in mine}
    assert not known & {each["id"] for each in hotton.some(hotton.hub.events(after=after))}
    assert {each["id"] for each in hotton.some(hotton.hub.events(after=mine[0]["cursor"]))} >= {
        each["id"] for each in mine[1:]
    }
    end = hotton.some(hotton.hub.events())[-1]["cursor"]
    assert hotton.one(hotton.hub.events_page(after=end))["items"] == []


def test_a_stream_tells_what_comes_and_goes_on_where_it_was_left(hotton: Partner) -> None:
    person = hotton.refer()["beneficiary"]
    told = hotton.some(hotton.hub.stream(types=["referral.sent", "consent.*"], after="0"), most=2)
    assert told[0]["cursor"] != told[1]["cursor"]
    again = hotton.some(hotton.hub.stream(types=["referral.sent", "consent.*"], after=told[0]["cursor"]), most=1)
    assert again == told[1:]
    types = {"jalons.referral.sent.v1", "jalons.consent.given.v1", "jalons.consent.withdrawn.v1"}
    assert {each["type"] for each in told} <= types
    assert person


def test_a_stream_that_breaks_off_goes_on_after_the_last_whole_event(
    partner: Any, network: Network, before: Between
) -> None:
    hotton = partner("cpas-hotton", {**network.info, "observation": before.url})
    whole = b'id: %d\nevent: x\ndata: {"type": "x", "subject": "%d"}\n\n'
    streamed = {"Content_Type": "text/event-stream"}
    before.mishaps += [
        refuse(200, b"retry: 50\n\n" + whole % (5, 5) + b'id: 6\nevent: x\ndata: {"type"', **streamed),
        refuse(503, Retry_After="0"),
        refuse(200, b":\n\n" + whole % (6, 6), **streamed),
    ]
    told = hotton.some(hotton.hub.stream(after="4"), most=2)
    assert [(each["cursor"], each["subject"]) for each in told] == [("5", "5"), ("6", "6")]
    assert [call.query for call in before.calls] == ["after=4", "after=5", "after=5"]


def test_counts_and_pathways_are_read_from_observation(hotton: Partner) -> None:
    person = hotton.refer()["beneficiary"]
    counted = hotton.one(hotton.hub.counts("referrals_sent", by=["month", "partner"], first="2026-01", last="2026-12"))
    assert counted["by"] == ["month", "partner"]
    deadline = time.monotonic() + 10
    while True:
        try:
            pathway = hotton.one(hotton.hub.pathways.get(person, as_of=datetime.now(UTC)))
            break
        except sdk.NotFound:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert pathway["beneficiary"] == person


def test_subscriptions_and_deliveries_are_notifications(trusquin: Partner) -> None:
    name = f"s-{uuid.uuid4().hex[:8]}"
    hub = trusquin.hub
    made = trusquin.one(hub.subscriptions.put(name, url="http://127.0.0.1:9/x", types=["jalons.referral.*"]))
    assert made["secret"].startswith("whsec_")
    assert trusquin.one(hub.subscriptions.act(name, "pause"))["status"] == "paused"
    assert name in {each["name"] for each in trusquin.some(hub.subscriptions.list())}
    assert isinstance(trusquin.some(hub.deliveries.list(channel="email"), most=3), list)


def test_a_refusal_is_an_exception_with_its_cause_and_its_cure(hotton: Partner, trusquin: Partner) -> None:
    ref = hotton.refer()["ref"]
    with pytest.raises(sdk.NotAllowed) as refused:
        hotton.one(hotton.hub.referrals.accept(ref, first_contact_on=day(4)))
    problem = refused.value
    assert (problem.status, problem.code) == (409, "transition_not_allowed")
    assert problem.detail in str(problem)
    assert problem.cure in str(problem)
    with pytest.raises(sdk.NotAllowed) as refused:
        trusquin.one(trusquin.hub.referrals.complete(ref, outcome="reached"))
    assert {"accept", "decline"} <= set(refused.value.actions)
    copied = pickle.loads(pickle.dumps(refused.value))
    assert (type(copied), copied.actions, str(copied)) == (sdk.NotAllowed, refused.value.actions, str(refused.value))


def test_each_refusal_that_a_caller_branches_on_has_its_own_name(hotton: Partner, partner: Any) -> None:
    with pytest.raises(sdk.NoConvention):
        hotton.refer(recipient="forem-marche")
    with pytest.raises(sdk.NoConsent):
        hotton.refer(agreement=None)
    with pytest.raises(sdk.NotFound):
        hotton.one(hotton.hub.referrals.get("R-7K4M-2QQ"))
    with pytest.raises(sdk.Forbidden):
        hotton.one(hotton.hub.partners.set_status("le-trusquin", "left"))
    with pytest.raises(sdk.Invalid) as refused:
        hotton.refer(moment="retraite")
    assert "moment" in refused.value.fields
    with pytest.raises(sdk.Unauthorised):
        unknown = partner("cpas-hotton")
        unknown.exchange._basic = httpx.BasicAuth("nobody", "wrong")
        unknown.refer()


def test_what_was_read_is_changed_only_if_it_stayed(hotton: Partner, trusquin: Partner) -> None:
    ref = hotton.refer()["ref"]
    read = trusquin.one(trusquin.hub.referrals.get(ref))
    trusquin.one(trusquin.hub.referrals.receive(ref, if_match=read.etag))
    with pytest.raises(sdk.Stale):
        trusquin.one(trusquin.hub.referrals.accept(ref, first_contact_on=day(4), if_match=read.etag))


@pytest.mark.parametrize("noun", ACTIONS)
def test_the_client_has_a_method_for_every_act_and_takes_every_field_of_its_form(noun: str) -> None:
    methods = {"referrals": acts.Referrals, "trainings": acts.Trainings, "placements": acts.Placements}[noun]
    for action, form in ACTIONS[noun].items():
        _takes(getattr(methods, action.replace("-", "_")), set(form.model_fields))


@pytest.mark.parametrize(
    ("method", "form"),
    [
        (acts.Referrals.send, acts_bodies.ReferralBody),
        (nouns.Communes.put, directory_bodies.CommuneBody),
        (nouns.Codes.put, FinerBody),
        (acts.Trainings.enrol, acts_bodies.TrainingBody),
        (acts.Placements.propose, acts_bodies.PlacementBody),
        (nouns.Beneficiaries.register, persons_bodies.BeneficiaryBody),
        (nouns.Beneficiaries.update_profile, persons_bodies.ProfileChange),
        (nouns.Beneficiaries.consent, agreements_bodies.ConsentBody),
        (nouns.Activities.create, ActivityBody),
        (nouns.Needs.express, NeedBody),
        (nouns.Partners.put, directory_bodies.PartnerBody),
        (nouns.Conventions.sign, directory_bodies.ConventionBody),
        (nouns.Offers.put, directory_bodies.OfferBody),
    ],
)
def test_the_client_takes_every_field_that_a_call_does(method: Any, form: type[Body]) -> None:
    _takes(method, set(form.model_fields))


@pytest.mark.parametrize(
    ("said", "form"),
    [
        (bodies.Person, persons_bodies.PersonBody),
        (bodies.Profile, persons_bodies.ProfileBody),
        (bodies.Agreement, agreements_bodies.AgreementBody),
    ],
)
def test_what_is_said_within_has_every_field_too(said: Any, form: type[Body]) -> None:
    assert set(form.model_fields) <= set(said.__annotations__)


def test_offers_are_searched_by_every_question_that_they_may_be_asked() -> None:
    assert set(OfferQuery.model_fields) - {"cursor", "limit"} == set(bodies.OfferFilter.__annotations__)


def test_offers_are_found_as_they_are_asked_for(hotton: Partner) -> None:
    found = hotton.some(hotton.hub.offers.list(moment="formation", commune="6990", covered=True, past=False))
    assert "auxiliaire-de-soins" in {offer["offer"] for offer in found}
    assert {offer["moment"] for offer in found} == {"formation"}


def _takes(method: Any, fields: set[str]) -> None:
    """A method's keyword arguments: anything, or those of a TypedDict."""
    accepted = get_type_hints(method)["fields"]
    known = set(fields) if accepted is Any else set(get_type_hints(accepted.__args__[0]))
    named = {name for name in inspect.signature(method).parameters if name != "fields"}
    assert fields <= known | named, method.__qualname__


def test_under_one_public_address_each_services_log_has_its_own_path() -> None:
    public = Addresses("https://hub.example/")
    assert public.url("referrals", "/referrals") == "https://hub.example/referrals"
    assert public.url("referrals", "/oauth/token") == "https://hub.example/oauth/token"
    assert public.url("observation", "/events") == "https://hub.example/services/observation/events"
    own = Addresses({name: f"http://{name}:1" for name in ("referrals", "observation", "notifications")})
    assert own.url("observation", "/events") == "http://observation:1/events"
