"""A partner without an account answers with the link in its mail, from acceptance to completion."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from jalons.clock import local_date, now
from tests.support.calls import end_of_log
from tests.support.days import day, in_french
from tests.support.network import Network, eventually, partner
from tests.support.pages import link_of, well_made

TODAY = local_date(now()).isoformat()
TRUSQUIN = "accueil@le-trusquin.example"


def _mail(network: Network, to: str, reference: str) -> dict[str, Any]:
    found = eventually(lambda: [m for m in network.mails() if m["to"] == to and reference in m["subject"]])
    return dict(found[0])


def _press(network: Network, link: str, action: str, **typed: str) -> httpx.Response:
    """Open the page, fill in an action's form and press its button."""
    page = well_made(network.http.get(link))
    return network.http.post(link, data=page.forms()[action] | typed, follow_redirects=True)


def test_a_referral_is_accepted_started_and_completed_by_the_link_of_its_mail(network: Network) -> None:
    hotton = network["cpas-hotton"]
    sent = hotton.refer("le-trusquin", contact="person_comes")
    mail = _mail(network, TRUSQUIN, sent["ref"])
    link = link_of(mail)
    assert link in mail["html"]

    page = well_made(network.http.get(link))
    assert page.all("h1")[0]["text"] == f"Relais {sent['ref']}"
    assert "25 à 29 ans" in page.text and "mobilité, garde d&#39;enfants" in page.text
    assert "CPAS de Hotton" in page.text and "+32 84 46 00 00" in page.text

    well_made(_press(network, link, "accept", first_contact_on=day(4), place="atelier"))
    seen = hotton.done("GET", f"/referrals/{sent['ref']}")
    assert (seen["status"], seen["first_contact_on"], seen["place"]) == ("accepted", day(4), "atelier")
    assert "accepté" in _mail(network, "insertion@cpas-hotton.example", sent["ref"])["subject"]

    assert _press(network, link, "start", started_on=TODAY).status_code == 200
    assert _press(network, link, "complete", outcome="partly").status_code == 200
    assert hotton.done("GET", f"/referrals/{sent['ref']}")["status"] == "completed"

    closed = network.http.get(link)
    assert closed.status_code == 200
    assert not well_made(closed).forms(), "read-only: nothing is left to answer"
    assert "+32 84 46 00 00" in closed.text and sent["ref"] in closed.text


def test_pressing_the_button_twice_records_once(network: Network) -> None:
    sent = network["cpas-hotton"].refer("le-trusquin")
    link = link_of(_mail(network, TRUSQUIN, sent["ref"]))
    form = well_made(network.http.get(link)).forms()["decline"] | {"reason": "no_place", "declined_by": "provider"}
    with ThreadPoolExecutor(4) as pressed:
        answers = list(pressed.map(lambda _: httpx.post(link, data=form, timeout=30), range(4)))
    assert [answer.status_code for answer in answers] == [303] * 4
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert network["cpas-hotton"].done("GET", f"/referrals/{sent['ref']}")["version"] == 2


def test_an_employer_answers_without_learning_the_proposer(network: Network) -> None:
    hotton = network["cpas-hotton"]
    referral = hotton.refer("le-trusquin")
    agreed = {"partners": ["home-hotton"], "purposes": ["employer"], "channel": "paper"}
    hotton.done("POST", f"/beneficiaries/{referral['beneficiary']}/consents", agreed)
    sense = {"kind": "cdd", "goal": "find_job", "chosen_by": "person", "planned_start": day(10)}
    proposed = hotton.done(
        "POST", "/placements", {"beneficiary": referral["beneficiary"], "employer": "home-hotton", **sense}
    )
    link = link_of(_mail(network, "rh@home-hotton.example", proposed["ref"]))
    page = network.http.get(link)
    well_made(page)
    assert "CPAS" not in page.text and "trouver un emploi" not in page.text
    assert "contrat à durée déterminée" in page.text and in_french(day(10)) in page.text
    done = _press(network, link, "confirm")
    assert done.status_code == 200 and "CPAS" not in done.text
    assert hotton.done("GET", f"/placements/{proposed['ref']}")["status"] == "confirmed"


def test_a_persons_answer_by_slip_is_reported_to_the_referrer_and_changes_nothing(network: Network) -> None:
    hotton = network["cpas-hotton"]
    before = end_of_log(hotton)
    sent = hotton.refer("le-trusquin")
    slip = hotton.call("GET", f"/referrals/{sent['ref']}/slip?language=nl")
    assert slip.status_code == 200
    code = next(each["text"] for each in well_made(slip).all("p") if each.get("class") == "code")

    address = network.info["referrals"]
    opened = network.http.post(f"{address}/s", data={"code": code.lower().replace("-", " ")}, follow_redirects=True)
    page = well_made(opened)
    assert "envoyé, sans réponse encore" in opened.text
    assert sent["ref"] not in opened.text and "Trusquin" in opened.text, "status, when, where, and whom to call"
    said = page.forms()[""] | {"said": "no_longer"}
    answered = network.http.post(f"{address}/s/word", data=said, follow_redirects=True)
    well_made(answered)

    mail = eventually(
        lambda: [
            m for m in network.mails() if m["to"] == "insertion@cpas-hotton.example" and sent["ref"] in m["subject"]
        ]
    )[0]
    assert "laissé un mot" in mail["subject"] and "souhaite plus" not in mail["text"]
    reported = [
        event["data"]
        for event in hotton.done("GET", f"/events?after={before}")["items"]
        if event["type"] == "jalons.beneficiary.said.v1"
    ]
    assert [(event["reference"], event["said"]) for event in reported] == [(sent["ref"], "no_longer")]
    seen = hotton.done("GET", f"/referrals/{sent['ref']}")
    assert (seen["status"], seen["version"]) == ("sent", 1)


def test_the_list_of_open_acts_is_mailed_to_the_mailbox_on_file_only(network: Network) -> None:
    mailbox = "seul@en-chemin.example"
    record = partner("training_operator", ["formation"], name="En chemin", mailbox=mailbox)
    asked_of = network.join("en-chemin", record, ["partner"])
    scope = [{"from": "cpas-hotton", "to": "en-chemin", "moments": ["formation"]}]
    signed = network.convention() | {"parties": ["cpas-hotton", "en-chemin"], "scope": scope}
    network.operator.done("POST", "/conventions", signed)
    sent = [network["cpas-hotton"].refer("en-chemin") for _ in range(2)]
    asked_of.done("POST", f"/referrals/{sent[1]['ref']}/decline", {"reason": "no_place", "declined_by": "provider"})
    address = f"{network.info['referrals']}/answer"
    form = well_made(network.http.get(address)).forms()
    assert form == {}, "it has no hidden input"
    before = len(network.mails())
    asked = network.http.post(address, data={"mailbox": mailbox.upper()})
    assert asked.status_code == 200
    shown = well_made(asked).text
    assert sent[0]["ref"] not in shown and "En chemin" not in shown

    def list_of() -> list[dict[str, Any]]:
        return [
            each
            for each in network.mails()
            if each["to"] == mailbox and "attendue" in each["subject"] and "Voici tout" in each["text"]
        ]

    mail = eventually(list_of)[0]
    assert sent[0]["ref"] in mail["text"] and sent[1]["ref"] not in mail["text"], "a closed act is not in the list"
    links = re.findall(r"http\S+/answer/\S+", mail["text"])
    assert len(links) == mail["text"].count("\n- ")
    pages = [network.http.get(each) for each in links]
    assert {each.status_code for each in pages} == {200}
    assert any(sent[0]["ref"] in each.text for each in pages)
    assert all(each in mail["html"] for each in links)

    again = network.http.post(address, data={"mailbox": mailbox})
    nobody = network.http.post(address, data={"mailbox": "nobody@nowhere.example"})
    assert {again.text, nobody.text} == {asked.text}, "the page does not reveal who is in the network"
    assert len(list_of()) == 1, "once in ten minutes"
    assert len(network.mails()) >= before + 1
    assert not [each for each in network.mails() if each["to"].endswith("nowhere.example")]
