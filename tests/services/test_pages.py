"""The pages as they are asked for: nothing moves by being read, and what is wrong is said where it can be mended."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import psycopg
import pytest

from jalons.embedded.stack import Stack
from jalons.privacy.links import AnswerLinks, LinkTarget
from schemas.codes import Language
from services.referrals.pages.words import LANGUAGES
from tests.support.calls import offer, written
from tests.support.days import day, in_french
from tests.support.network import Network
from tests.support.pages import Page, slip_code, well_made


@pytest.fixture(scope="module")
def links(stack: Stack) -> AnswerLinks:
    """The links of the running hub."""
    return AnswerLinks(stack.settings.secret_key.get_secret_value())


@pytest.fixture
def sent(network: Network) -> dict[str, Any]:
    """A referral to Le Trusquin that waits for an answer."""
    return network["cpas-hotton"].refer("le-trusquin", contact="person_comes")


@pytest.fixture
def link(network: Network, links: AnswerLinks, sent: dict[str, Any]) -> str:
    """Le Trusquin's link to it."""
    return _link(network, links, sent, "le-trusquin")


def _link(network: Network, links: AnswerLinks, sent: dict[str, Any], partner: str) -> str:
    token = links.token(LinkTarget("referral", uuid.UUID(sent["referral_id"]), partner))
    return f"{network.info['referrals']}/answer/{token}"


def _form(network: Network, link: str, action: str) -> dict[str, str]:
    return well_made(network.http.get(link)).forms()[action]


def test_following_a_link_however_often_changes_nothing(network: Network, link: str) -> None:
    before = written(network)
    for method in ("GET", "HEAD", "GET", "HEAD", "GET"):
        assert network.http.request(method, link).status_code == 200
    assert written(network) == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_whole_in_each_language(network: Network, link: str, language: Language) -> None:
    page = well_made(network.http.get(f"{link}?language={language}"))
    assert page.all("html")[0]["lang"] == language
    assert page.all("form")[0]["action"] == f"?language={language}", "an answer keeps the language"


def test_the_partners_own_language_goes_before_the_browsers(network: Network, link: str) -> None:
    dutch = {"Accept-Language": "nl-BE,nl;q=0.9,fr;q=0.5"}
    assert network.http.get(link, headers=dutch).headers["content-language"] == "fr"
    nowhere = f"{network.info['referrals']}/answer/nothing"
    assert network.http.get(nowhere, headers=dutch).headers["content-language"] == "nl"


def test_a_link_that_was_changed_opens_nothing_and_says_nothing(
    network: Network, links: AnswerLinks, sent: dict[str, Any], link: str
) -> None:
    stranger = _link(network, links, sent, "forem-marche")
    nobody = _link(network, links, sent | {"referral_id": str(uuid.uuid4())}, "le-trusquin")
    changed = [
        f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}",
        f"{link}x",
        f"{link[:-40]}",
        f"{link.rpartition('/')[0]}/nonsense",
    ]
    answers = [network.http.get(each) for each in (stranger, nobody, *changed)]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert "+32" not in well_made(answers[0]).text
    posted = network.http.post(stranger, data={"action": "accept", "key": str(uuid.uuid4()), "version": "1"})
    assert posted.status_code == 404


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(network: Network, link: str) -> None:
    before = written(network)
    form = _form(network, link, "accept") | {"first_contact_on": "demain", "place": "atelier"}
    answer = network.http.post(link, data=form)
    assert answer.status_code == 422
    page = well_made(answer)
    inputs = {each["id"]: each for each in page.all("input") if "id" in each}
    wrong = inputs["accept-first_contact_on"]
    assert wrong["aria-invalid"] == "true"
    assert next(e["text"] for e in page.all("span") if e.get("id") == wrong["aria-describedby"]).startswith(
        "Cette date"
    )
    [chosen] = [each for each in page.all("input") if each.get("name") == "place" and "checked" in each]
    assert chosen["value"] == "atelier"
    assert "#accept-first_contact_on" in [each["href"] for each in page.all("a")]
    assert page.all("title")[0]["text"].startswith("Erreur")
    assert written(network) == before


@pytest.mark.parametrize(
    ("action", "typed", "said"),
    [
        ("accept", {}, "Il manque une réponse ici."),
        ("decline", {"reason": "no_place"}, "Il manque une réponse ici."),
        ("decline", {"reason": "rainy", "declined_by": "provider"}, "Choisissez une réponse de la liste."),
        ("accept", {"first_contact_on": day(4), "place": "x" * 201}, "Choisissez une réponse de la liste."),
        ("accept", {"first_contact_on": day(4), "place": "ailleurs"}, "Choisissez une réponse de la liste."),
    ],
)
def test_a_form_that_does_not_fit_records_nothing(
    network: Network, link: str, action: str, typed: dict[str, str], said: str
) -> None:
    form = _form(network, link, action) | typed
    before = written(network)
    answer = network.http.post(link, data=form)
    assert answer.status_code == 422
    assert said in well_made(answer).all("main")[0]["text"]
    assert written(network) == before


@pytest.mark.parametrize("action", ["start", "void", "redirect", "nonsense", ""])
def test_an_act_that_is_not_open_is_not_done(network: Network, link: str, action: str) -> None:
    form = _form(network, link, "accept") | {"action": action, "started_on": day(), "reason": "wrong_person"}
    before = written(network)
    answer = network.http.post(link, data=form)
    assert answer.status_code in (409, 422)
    well_made(answer)
    assert written(network) == before


def test_an_answer_to_what_has_changed_meanwhile_is_explained(
    network: Network, link: str, sent: dict[str, Any]
) -> None:
    form = _form(network, link, "accept") | {"first_contact_on": day(4)}
    network["le-trusquin"].done("POST", f"/referrals/{sent['ref']}/receive", {})
    answer = network.http.post(link, data=form)
    assert answer.status_code == 412
    assert "La situation a changé" in well_made(answer).text
    again = Page(answer.text).forms()["accept"] | {"first_contact_on": day(4)}
    assert network.http.post(link, data=again).status_code == 303, "the page that explains it can be answered"


def test_after_a_button_the_confirmation_may_be_reloaded(network: Network, link: str) -> None:
    form = _form(network, link, "accept") | {"first_contact_on": day(4), "place": "quai"}
    answer = network.http.post(link, data=form)
    assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
    confirmed = httpx.URL(link).join(answer.headers["location"])
    before = written(network)
    for _ in range(2):
        page = well_made(network.http.get(confirmed))
        assert "C'est noté" in page.all("h1")[0]["text"]
        assert in_french(day(4)) in page.text and "Quai 4" in page.text and "accepté" in page.text
    assert written(network) == before
    assert network.http.post(link, data=form).status_code == 303, "the same form again records nothing"
    assert written(network) == before


def test_a_place_that_is_not_there_is_not_given_by_a_link(network: Network, links: AnswerLinks) -> None:
    full = offer(title="Complet", places=0, moment="formation", type="formation")
    network["le-trusquin"].done("PUT", "/offers/complet", full)
    sent = network["cpas-hotton"].refer("le-trusquin", contact="person_comes", offer="complet")
    link = _link(network, links, sent, "le-trusquin")
    form = _form(network, link, "accept") | {"first_contact_on": day(4)}
    answer = network.http.post(link, data=form)
    assert answer.status_code == 409
    page = well_made(answer)
    assert "Toutes les places" in page.text
    assert {"value": day(4)}.items() <= next(
        each.items() for each in page.all("input") if each.get("id") == "accept-first_contact_on"
    )


def test_a_form_without_its_number_or_too_long_is_refused(network: Network, link: str) -> None:
    form = _form(network, link, "receive")
    before = written(network)
    without = network.http.post(link, data={name: value for name, value in form.items() if name != "key"})
    assert without.status_code == 422
    assert network.http.post(link, data=form | {"place": "x" * 9_000}).status_code == 413
    binary = network.http.post(link, content=b"\xff\x00=1", headers={"Content-Type": "application/octet-stream"})
    assert binary.status_code == 422
    assert written(network) == before


def test_a_referrer_that_waits_has_nothing_to_answer(
    network: Network, links: AnswerLinks, sent: dict[str, Any]
) -> None:
    answer = network.http.get(_link(network, links, sent, "cpas-hotton"))
    assert answer.status_code == 200
    assert "accept" not in well_made(answer).forms()


def test_the_slip_is_the_referrers_to_print_in_four_languages(network: Network, sent: dict[str, Any]) -> None:
    path = f"/referrals/{sent['ref']}/slip"
    pages = {each: network["cpas-hotton"].call("GET", f"{path}?language={each}") for each in LANGUAGES}
    codes = set()
    for language, answer in pages.items():
        page = well_made(answer)
        assert page.all("html")[0]["lang"] == language
        assert "EFT Le Trusquin" in answer.text and "+32 84 46 00 00" in answer.text and sent["ref"] in answer.text
        codes |= {each["text"] for each in page.all("p") if each.get("class") == "code"}
    assert len(codes) == 1, "printed again, it is the same"
    assert [len(each) for each in codes] == [14], "short enough to type"
    assert "Réseau" in pages["fr"].text and in_french(day()) in pages["fr"].text
    assert len(Page(pages["fr"].text).all("svg")) == 1, "the QR code"
    assert "alone_children" not in pages["fr"].text and "lower_secondary" not in pages["fr"].text
    assert "25 à 29 ans" in pages["fr"].text and "secondaire" not in pages["fr"].text
    for partner in ("le-trusquin", "forem-marche"):
        assert network[partner].call("GET", path).status_code == 404
    assert network.http.get(f"{network.info['referrals']}{path}").status_code == 401


def test_a_code_is_kept_as_a_hash_and_tried_in_vain(network: Network, stack: Stack, sent: dict[str, Any]) -> None:
    slip = network["cpas-hotton"].call("GET", f"/referrals/{sent['ref']}/slip")
    code = slip_code(slip)
    address = f"{network.info['referrals']}/s"
    spoofing = {"X-Forwarded-For": "2001:db8::1"}  # by nobody whom the hub trusts
    with httpx.Client(headers=spoofing, transport=httpx.HTTPTransport(local_address="127.0.0.7")) as guesser:
        assert guesser.get(f"{address}/{code}").status_code == 303
        before = written(network)
        for method in ("GET", "HEAD"):
            assert guesser.request(method, f"{address}/{code}").status_code == 303
        assert written(network) == before
        tried = [guesser.get(f"{address}/{'ABCDEFGHJKMNPQRSTVWXYZ'[n % 10 :][:12]}") for n in range(21)]
        assert [answer.status_code for answer in tried] == [404] * 20 + [429]
        assert well_made(tried[0]).text != well_made(tried[-1]).text
        fields = [each["name"] for each in well_made(tried[0]).all("input")]
        assert fields == ["code"], "it can be typed again at once"
        assert guesser.get(f"{address}/{code}").status_code == 429, "not even the right one is looked at"
    assert network.http.get(f"{address}/{code}").status_code == 303, "nobody else waits"


def test_a_word_by_the_slip_is_said_once_and_only_one_of_the_four(network: Network, sent: dict[str, Any]) -> None:
    slip = network["cpas-hotton"].call("GET", f"/referrals/{sent['ref']}/slip")
    code = slip_code(slip)
    address = f"{network.info['referrals']}/s"
    with httpx.Client(follow_redirects=True) as person:
        opened = person.get(f"{address}/{code}")
        page = well_made(opened)
        assert code not in str(opened.url) and code.replace("-", "") not in str(opened.url)
        assert "EFT Le Trusquin" in page.text and "+32 84 46 00 00" in page.text, "whom to call, and where"
        form = page.forms()[""]
        before = written(network)
        assert person.post(f"{address}/word", data=form).status_code == 422
        assert person.post(f"{address}/word", data=form | {"said": "hello"}).status_code == 422
        assert person.post(f"{address}/word", data=form | {"said": "goes_on"}).status_code == 422
        assert written(network) == before
        answers = [person.post(f"{address}/word", data=form | {"said": "contacted"}) for _ in range(2)]
        assert [(answer.status_code, answer.history[0].status_code) for answer in answers] == [(200, 303)] * 2
        assert "a contacté" in well_made(answers[0]).text, "this page may be reloaded"
    assert written(network)[0] - before[0] == 1
    without = httpx.post(f"{address}/word", data=form | {"said": "contacted"})
    assert without.status_code == 404, "ten minutes later"


def test_a_persons_way_is_the_home_partners_to_print_in_four_languages(network: Network) -> None:
    hotton, trusquin = network["cpas-hotton"], network["le-trusquin"]
    sent = hotton.refer("le-trusquin")
    person = sent["beneficiary"]
    path = f"/beneficiaries/{person}/way"
    trusquin.done("POST", f"/referrals/{sent['ref']}/accept", {"first_contact_on": day(4), "place": "quai"})
    sense = {"goal": "find_job", "chosen_by": "person", "planned_start": day(10), "beneficiary": person}
    consent = {"partners": ["home-hotton"], "purposes": ["employer"], "channel": "oral"}
    hotton.done("POST", f"/beneficiaries/{person}/consents", consent)
    hotton.done("POST", "/placements", sense | {"kind": "cdd", "employer": "home-hotton"})
    wrong = hotton.refer("le-trusquin", beneficiary=person, moment="projet")
    hotton.done("POST", f"/referrals/{wrong['ref']}/void", {"reason": "recorded_in_error"})
    for language in LANGUAGES:
        page = well_made(hotton.call("GET", f"{path}?language={language}"))
        headings = [each["text"] for each in page.all("h2")]
        assert [heading.rpartition(" – ")[2] for heading in headings] == [
            "EFT Le Trusquin",
            "Maison de repos de Hotton",
        ]
    french = hotton.call("GET", f"{path}?language=fr").text
    assert in_french(day(4)) in french and "Quai 4" in french and "accepté, noté le" in french
    assert "mobilité" not in french and person not in french, "a way, not a profile"
    for partner in ("le-trusquin", "cpas-erezee"):
        assert network[partner].call("GET", path).status_code == 404
    alias = trusquin.done("GET", f"/referrals/{sent['ref']}")["beneficiary"]
    assert trusquin.call("GET", f"/beneficiaries/{alias}/way").status_code == 404


def test_no_longer_stops_reminders_and_what_is_shown_until_the_referrer_answers(
    network: Network, stack: Stack, links: AnswerLinks
) -> None:
    hotton, trusquin = network["cpas-hotton"], network["le-trusquin"]
    sent = hotton.refer("le-trusquin", contact="person_comes")
    path = f"/referrals/{sent['ref']}"
    say(network, slip_code(hotton.call("GET", f"{path}/slip")), "no_longer")
    assert trusquin.done("GET", path).get("disclosed", {}) == {}, "nothing more is shown"
    assert due(stack, sent) == ["expire"], "nobody is reminded"
    say(network, slip_code(hotton.call("GET", f"{path}/slip")), "wants_to_talk")
    trusquin.done("POST", f"{path}/receive", {})
    assert due(stack, sent) == ["expire"], "neither a further word nor the receiver answers it"
    assert trusquin.call("POST", f"{path}/go-on").status_code == 404
    link = _link(network, links, sent, "cpas-hotton")
    form = _form(network, link, "go-on")
    assert network.http.post(link, data=form, follow_redirects=True).status_code == 200
    assert trusquin.done("GET", path)["disclosed"], "shown again"
    assert "reminder" in due(stack, sent) and "escalate" in due(stack, sent)
    assert hotton.done("GET", path)["said"] == "goes_on"
    assert hotton.call("POST", f"{path}/go-on").status_code == 409


def test_a_step_of_the_referrer_answers_no_longer(network: Network, stack: Stack) -> None:
    hotton = network["cpas-hotton"]
    sent = hotton.refer("le-trusquin", contact="person_comes")
    say(network, slip_code(hotton.call("GET", f"/referrals/{sent['ref']}/slip")), "no_longer")
    seen = hotton.done("GET", f"/referrals/{sent['ref']}")
    assert seen["stop_asked_on"] == day()
    done = {"first_contact_on": day(4), "reported_by": "referrer"}
    seen = hotton.done("POST", f"/referrals/{sent['ref']}/accept", done)
    assert "stop_asked_on" not in seen and due(stack, sent) == ["first_contact"]


def say(network: Network, code: str, said: str) -> None:
    """Say something by a slip's code."""
    with httpx.Client(follow_redirects=True) as person:
        form = well_made(person.get(f"{network.info['referrals']}/s/{code}")).forms()[""]
        assert person.post(f"{network.info['referrals']}/s/word", data=form | {"said": said}).status_code == 200


def due(stack: Stack, sent: dict[str, Any]) -> list[str]:
    """The kinds of the deadlines of a referral that are still to come."""
    with psycopg.connect(stack.info["database"]) as conn:
        rows = conn.execute(
            "SELECT DISTINCT kind FROM referrals.deadlines WHERE about = %s AND done_at IS NULL ORDER BY kind",
            (sent["referral_id"],),
        )
        return [row[0] for row in rows]
