"""Domain.md, section 9, story 2: a person who is declined is referred again, and counted once."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.support.calls import refused
from tests.support.network import Network, Partner, eventually
from tests.support.rerouting import agree, joins, offers
from tests.support.stream import MONTHS

HOME, ASKED, INSTEAD, WITHOUT = "cpas-rendeux", "trusquin-bis", "lire-et-ecrire", "maison-de-l-emploi"
MOMENT = "preformation"


@pytest.fixture(scope="module")
def rendeux(network: Network) -> Network:
    """CPAS Rendeux, which may refer to two operators but not to a third; each operator has an offer."""
    joins(network, HOME, "cpas", ["accueil"])
    for slug in (ASKED, INSTEAD, WITHOUT):
        joins(network, slug, "training_operator", [MOMENT], secrecy_class="discretion")
        offers(network, f"cours-{slug}", slug, moment=MOMENT, type=MOMENT, transport_help=slug == INSTEAD)
    agree(network, [HOME], [ASKED, INSTEAD], [MOMENT])
    return network


def _mails(network: Network, mailbox: str, reference: str) -> list[dict[str, Any]]:
    return [mail for mail in network.mails() if mail["to"] == mailbox and reference in mail["subject"]]


def _events(who: Partner, *types: str) -> list[dict[str, Any]]:
    """Events of these types in referrals' log that a partner may read; each type must occur."""
    items, after = [], 0
    while (page := who.done("GET", f"/events?limit=1000&after={after}"))["next"] != after:
        items, after = [*items, *page["items"]], page["next"]
    found = [[each for each in items if fnmatchcase(each["type"], type_)] for type_ in types]
    return [event for events in found for event in events] if all(found) else []


def _count(network: Network, measure: str) -> int:
    answer = network[HOME].done("GET", f"/counts?measure={measure}&by=month&{MONTHS}", service="observation")
    return int(answer["total"])


def test_after_a_redirect_the_first_receiver_no_longer_sees_the_person(rendeux: Network) -> None:
    home, asked, instead = rendeux[HOME], rendeux[ASKED], rendeux[INSTEAD]
    first = home.refer(ASKED, offer=f"cours-{ASKED}", moment=MOMENT, reason="training")
    sheet = asked.done("GET", f"/referrals/{first['ref']}")
    assert sheet["disclosed"]["obstacles"] == ["mobilite", "garde_enfants"]

    declined = asked.done(
        "POST", f"/referrals/{first['ref']}/decline", {"reason": "distance_mobility", "declined_by": "provider"}
    )
    assert declined["status"] == "declined"
    assert [each["offer"] for each in declined["alternatives"]] == [f"cours-{INSTEAD}"], (
        "covered by a convention, at another partner"
    )
    [fits] = home.done("GET", f"/referrals/{first['ref']}")["alternatives"]
    assert (fits["partner"], fits["moment"], fits["transport_help"]) == (INSTEAD, MOMENT, True)

    new = {"agreement": {"channel": "oral", "attributes": ["age_band"]}}
    path = f"/referrals/{first['ref']}/redirect"
    refused(home.call("POST", path, {"offer": f"cours-{WITHOUT}", **new}), 403, "no_convention")
    refused(home.call("POST", path, {"offer": fits["offer"]}), 403, "no_consent")
    assert home.done("GET", f"/referrals/{first['ref']}")["status"] == "declined", "a refused redirect changes nothing"

    answer = home.call("POST", path, {"offer": fits["offer"], **new})
    assert answer.status_code == 201
    second = answer.json()
    assert (second["recipient"], second["status"], second["parent"]) == (INSTEAD, "sent", first["referral_id"])
    assert (second["beneficiary"], second["moment"], second["goal"]) == (first["beneficiary"], MOMENT, "qualify")
    instead.done("POST", f"/referrals/{second['ref']}/accept", {})

    left = asked.done("GET", f"/referrals/{first['ref']}")
    assert left == {
        **{k: first[k] for k in ("referral_id", "ref")},
        "status": "redirected",
        "version": 3,
        "actions": [],
    }
    [listed] = asked.done("GET", "/referrals?box=received")["items"]
    assert listed == left
    assert "parent" not in instead.done("GET", f"/referrals/{second['ref']}"), "the earlier recipient is not disclosed"
    refused(asked.call("GET", f"/referrals/{second['ref']}"), 404, "not_found")

    eventually(lambda: _mails(rendeux, f"relais@{INSTEAD}.example", second["ref"]))
    measures = ("referrals_declined", "referrals_accepted", "referrals_sent", "persons_new")
    eventually(lambda: [_count(rendeux, each) for each in measures] == [1, 1, 2, 1])

    declined, unmet = eventually(lambda: _events(home, "jalons.referral.declined.*", "jalons.need.unmet.*"))
    assert (unmet["subject"], unmet["causationid"]) == (first["beneficiary"], declined["id"])
    assert (unmet["data"]["obstacle"], unmet["data"]["referral_id"]) == ("mobilite", first["referral_id"])
    eventually(lambda: _count(rendeux, "needs_unmet") == 1)
    for other in (asked, instead, rendeux["integra-plus"]):
        for type_ in ("expressed", "unmet", "reported"):
            visible = [event for event in _events(other, f"jalons.need.{type_}.*") if event["partner"] != other.slug]
            assert not visible, "only the home partner and the author see a need"

    refused(home.call("POST", path, {"recipient": INSTEAD, **new}), 409, "transition_not_allowed")
    refused(asked.call("POST", f"/referrals/{first['ref']}/accept", {}), 409, "transition_not_allowed")


def test_a_redirect_repeated_with_the_same_key_creates_one_referral(rendeux: Network) -> None:
    home = rendeux[HOME]
    first = home.refer(ASKED, moment=MOMENT)
    body = {"recipient": INSTEAD, "agreement": {"channel": "oral"}}
    one, again = (home.call("POST", f"/referrals/{first['ref']}/redirect", body, key=first["ref"]) for _ in range(2))
    assert (one.status_code, again.status_code) == (201, 201)
    assert again.json() == one.json()
    back = home.call("POST", f"/referrals/{one.json()['ref']}/redirect", {"recipient": ASKED})
    refused(back, 409, "comes_back")
