"""Every link in every kind of mail opens a page that its reader can read, without an account, in their language."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import Any

import pytest

from jalons.privacy.links import AnswerLinks
from schemas.catalogue import TYPES
from schemas.routing import COORDINATOR, FRONT, HOLDERS, ROUTES
from services.notifications.deliveries.rows import Delivery
from services.notifications.emails.messages import OPEN_ACTS, MessageWriter
from tests.services.test_notifications_emails import ROUTER, _partner
from tests.services.test_notifications_stage import NOW, event
from tests.support.apps import SECRET, Apps
from tests.support.directory import agreed, day, joined
from tests.support.network import Partner
from tests.support.pages import slip_code, well_made

WRITER = MessageWriter("Intégra Plus", "jalons@integra.example", "http://referrals", AnswerLinks(SECRET))
MAILED = [(route.event.TYPE, role) for route in ROUTES for role, message in route.messages() if message.send == "now"]


@pytest.fixture(scope="module")
def there(apps: Apps) -> dict[str, Any]:
    """One act of each noun between partners that read Dutch and German, and those partners by role."""
    home = joined(apps.network, "cpas-hotton", language="nl")
    operator = joined(apps.network, "le-trusquin", language="de")
    employer = joined(apps.network, "home-hotton", language="en")
    agreed(apps.network, home.slug, operator.slug)
    referral = home.refer(operator.slug, contact="person_comes")
    person = referral["beneficiary"]
    sense = {"beneficiary": person, "goal": "qualify", "chosen_by": "person", "planned_start": day(7)}
    plan = {"partner": operator.slug, "title": "Cours", "moment": "formation", "type": "formation", "places": 9}
    operator.done("PUT", f"/offers/{operator.slug}", plan | {"commune_nis": "83034"})
    training = home.done("POST", "/trainings", sense | {"kind": "formation", "offer": operator.slug})
    consent = {"partners": [employer.slug], "purposes": ["employer"], "channel": "oral"}
    home.done("POST", f"/beneficiaries/{person}/consents", consent)
    placement = home.done("POST", "/placements", sense | {"kind": "cdd", "employer": employer.slug})
    acts = {"referral": referral, "training": training, "placement": placement}
    parties: dict[str, Partner] = dict.fromkeys(("home", "referrer", "proposer"), home)
    parties |= {"recipient": operator, "operator": operator, "employer": employer}
    return {"acts": acts, "parties": parties, "language": {home.slug: "nl", operator.slug: "de", employer.slug: "en"}}


def links_of(delivery: Delivery) -> list[str]:
    """Every link in the two forms of a delivery's mail."""
    known = {slug: _partner(slug) for slug in (delivery.recipient, delivery.contact or "", FRONT, COORDINATOR)}
    message = WRITER.write(delivery, known[delivery.recipient], known[delivery.contact or ""], NOW, known)
    return [link for part in message.iter_parts() for link in re.findall(r"https?://[^\s\"<]+", part.get_content())]


def opens(apps: Apps, there: dict[str, Any], delivery: Delivery) -> str:
    """Follow every link of a mail; the text of the page."""
    links = links_of(delivery)
    assert links, "a mail without a link leads nowhere"
    page = None
    for link in links:
        answer = apps.network.http.request("GET", link)
        assert answer.status_code == 200, (link, answer.text)
        page = well_made(answer)
        assert answer.headers["content-language"] == there["language"].get(delivery.recipient, "fr")
    return page.text if page else ""


@pytest.mark.parametrize(("type_", "role"), MAILED)
def test_every_link_of_every_mail_opens_a_page(apps: Apps, there: dict[str, Any], type_: str, role: str) -> None:
    noun = (
        next(each for each in there["acts"] if f"{each}_id" in TYPES[type_].model_fields and each in type_)
        if (type_.split(".")[1] in there["acts"])
        else ("referral" if "said" in type_ else "placement")
    )
    act = there["acts"][noun]
    ids = {f"{noun}_id": act[f"{noun}_id"], "reference": act["ref"]}
    parties = {name: who.slug for name, who in there["parties"].items() if name in TYPES[type_].model_fields}
    happened = event(type_[7:-3], partner="nobody", **(ids | parties))
    if getattr(happened.data, "answered_by", None):
        happened = replace(happened, data=happened.data.model_copy(update={"answered_by": None}))
    [delivery] = [each for each in ROUTER._emails(happened) if (each.facts or {})["role"] == role]
    opens(apps, there, delivery)


@pytest.mark.parametrize("type_", [each.TYPE for each in HOLDERS])
@pytest.mark.parametrize("noun", ["referral", "training", "placement"])
def test_who_held_something_reads_what_is_left_of_it(apps: Apps, there: dict[str, Any], type_: str, noun: str) -> None:
    act = there["acts"][noun]
    who = there["parties"]["employer" if noun == "placement" else "operator"].slug
    holding = {"partner": who, "contact": "b", "references": [act["ref"]], "act": act[f"{noun}_id"]}
    [delivery] = ROUTER._emails(event(type_[7:-3], partners=[who], holdings=[holding]))
    assert act["ref"] in opens(apps, there, delivery)


def test_the_list_of_what_waits_opens_a_page_for_each_act(apps: Apps, there: dict[str, Any]) -> None:
    acts = [
        {"noun": n, "id": a[f"{n}_id"], "reference": a["ref"]} for n, a in there["acts"].items() if n != "placement"
    ]
    facts = {"role": "partner", "acts": acts, "more": False}
    who, asked = there["parties"]["operator"].slug, uuid.uuid4()
    made = Delivery(asked, asked, OPEN_ACTS, "email", who, trial=False, correlation=asked, contact=who, facts=facts)
    opens(apps, there, made)


def test_the_page_says_what_the_person_said_to_the_referrer_and_to_nobody_else(
    apps: Apps, there: dict[str, Any]
) -> None:
    home, operator, referral = there["parties"]["home"], there["parties"]["operator"], there["acts"]["referral"]
    slip = home.call("GET", f"/referrals/{referral['ref']}/slip")
    opened = apps.network.http.request("GET", f"http://referrals/s/{slip_code(slip)}")
    said = well_made(opened).forms()[""] | {"said": "wants_to_talk"}
    apps.network.http.request("POST", "http://referrals/s/word", data=said)
    ids = {"referral_id": referral["referral_id"], "reference": referral["ref"]}
    named = ids | {"home": home.slug, "referrer": home.slug, "recipient": operator.slug}
    [delivery] = ROUTER._emails(event("beneficiary.said", partner="nobody", **named))
    word = "erover praten"
    assert word in opens(apps, there, delivery)
    [other] = ROUTER._emails(event("referral.sent", partner=home.slug, **named))
    assert word not in opens(apps, there, other) and "Ich möchte darüber sprechen" not in opens(apps, there, other)
