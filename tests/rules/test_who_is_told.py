"""Who is told of an event, when a delivery is tried again, and when it is not sent: the rules alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import routing
from schemas.catalogue import TYPES
from schemas.topics import PATHWAYS
from services.notifications.deliveries import gate
from services.notifications.deliveries.causes import CAUSES
from services.notifications.deliveries.outcome import Deferred, Delivered, Gone
from services.notifications.deliveries.retrying import next_attempt
from services.notifications.routing.rules import is_recent, recipients, subscribed
from services.notifications.webhooks import addresses
from services.notifications.webhooks.response import outcome_of
from services.referrals.acts.events import EVENTS
from services.referrals.acts.rules import Placement, Referral, Training, act
from tests.rules.test_lifecycle import AUTHORS, PARTY, TABLES, TODAY, all_given, new

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
REFERRAL = {"home": "cpas-hotton", "referrer": "cpas-hotton", "recipient": "le-trusquin"}
TRAINING = {"home": "cpas-hotton", "operator": "le-trusquin"}
HER = {"coordinator": routing.COORDINATOR}
PLACEMENT = {"home": "cpas-hotton", "proposer": "forem", "employer": "home-hotton"}


@pytest.mark.parametrize(
    ("type_", "parties", "acted", "who"),
    [
        ("referral.sent", REFERRAL, "cpas-hotton", {"le-trusquin"}),
        ("referral.received", REFERRAL, "le-trusquin", set()),
        ("referral.accepted", REFERRAL, "le-trusquin", {"cpas-hotton"}),
        ("referral.accepted", REFERRAL, "cpas-hotton", {"le-trusquin"}),  # recorded for a receiver without the hub
        ("referral.declined", REFERRAL, "le-trusquin", {"cpas-hotton"}),
        ("referral.started", REFERRAL, "le-trusquin", {"cpas-hotton"}),
        ("referral.completed", REFERRAL, "le-trusquin", {"cpas-hotton"}),
        ("referral.waitlisted", REFERRAL, "le-trusquin", {"cpas-hotton"}),
        ("referral.redirected", REFERRAL, "cpas-hotton", {"le-trusquin"}),
        ("referral.cancelled", REFERRAL, "cpas-hotton", {"le-trusquin"}),
        ("referral.cancelled", REFERRAL, "hub", {"cpas-hotton", "le-trusquin"}),  # an alternative was taken up
        ("referral.interrupted", REFERRAL, "cpas-hotton", {"le-trusquin"}),
        ("referral.interrupted", REFERRAL, "le-trusquin", {"cpas-hotton"}),
        ("referral.expired", REFERRAL, "hub", {"cpas-hotton", "le-trusquin"}),
        ("referral.expired", REFERRAL | HER, "hub", {"cpas-hotton", "le-trusquin", "coordinator"}),
        ("referral.reopened", REFERRAL, "integra-plus", {"cpas-hotton", "le-trusquin"}),
        ("referral.voided", REFERRAL, "cpas-hotton", {"le-trusquin"}),
        ("referral.suggested", REFERRAL | HER, "integra-plus", {"cpas-hotton"}),
        ("referral.reminder_due", REFERRAL | HER, "hub", {"le-trusquin"}),
        ("referral.escalated", REFERRAL | HER, "hub", {"coordinator"}),
        ("referral.escalated", REFERRAL, "hub", set()),  # the network has no mailbox for her
        ("referral.news_due", REFERRAL, "hub", {"cpas-hotton", "le-trusquin"}),
        ("training.suspended", TRAINING, "le-trusquin", {"cpas-hotton"}),
        ("training.resumed", TRAINING, "le-trusquin", {"cpas-hotton"}),
        ("training.attendance_falling", TRAINING, "le-trusquin", {"cpas-hotton"}),
        ("training.interrupted", TRAINING, "le-trusquin", {"cpas-hotton"}),
        ("training.cancelled", TRAINING, "cpas-hotton", {"le-trusquin"}),
        ("training.news_due", TRAINING, "hub", {"cpas-hotton", "le-trusquin"}),
        ("placement.refused", PLACEMENT, "home-hotton", {"forem"}),
        ("placement.cancelled", PLACEMENT, "forem", {"home-hotton"}),
        ("placement.evaluated", PLACEMENT, "home-hotton", {"forem"}),
        ("placement.followed_up", PLACEMENT, "cpas-hotton", set()),
        ("placement.followed_up", PLACEMENT, "forem", {"cpas-hotton"}),
        ("placement.news_due", PLACEMENT, "hub", {"forem", "home-hotton"}),
        ("placement.end_near", PLACEMENT, "hub", {"cpas-hotton"}),  # the home partner, whoever proposed
        ("placement.follow_up_due", PLACEMENT, "hub", {"cpas-hotton"}),
        ("training.enrolled", TRAINING, "le-trusquin", {"cpas-hotton"}),
        ("training.enrolled", TRAINING, "cpas-hotton", {"le-trusquin"}),
        ("training.started", TRAINING, "le-trusquin", {"cpas-hotton"}),
        ("training.started", TRAINING, "cpas-hotton", set()),
        ("training.completed", TRAINING, "le-trusquin", {"cpas-hotton"}),
        ("placement.proposed", PLACEMENT, "forem", {"home-hotton"}),
        ("placement.confirmed", PLACEMENT, "home-hotton", {"forem"}),
        ("placement.started", PLACEMENT, "home-hotton", {"forem"}),
        ("placement.started", PLACEMENT, "forem", {"home-hotton"}),
        ("placement.ended", PLACEMENT, "home-hotton", {"forem"}),
        ("placement.ended", PLACEMENT, "forem", {"home-hotton"}),
        ("beneficiary.registered", {"home": "cpas-hotton"}, "cpas-hotton", set()),
        ("pathway.moment_entered", {"home": "cpas-hotton"}, "hub", set()),
    ],
)
def test_each_act_is_told_to_the_other_party(type_, parties, acted, who):
    told = recipients(f"jalons.{type_}.v1", parties, acted)
    assert {each.partner for each in told} == who
    assert all(each.contact in parties.values() and each.contact != each.partner for each in told)


@given(
    st.sampled_from(routing.ROUTES), st.lists(st.sampled_from("abcd"), min_size=3, max_size=3), st.sampled_from("abcd")
)
def test_who_acted_is_never_told_and_nobody_twice(route, slugs, acted):
    parties = dict(zip((*route.parties, "home"), slugs, strict=True))
    told = [each.partner for each in recipients(route.event.TYPE, parties, acted)]
    assert acted not in told
    assert len(told) == len(set(told))


def test_the_table_names_parties_that_the_event_has():
    for route in routing.ROUTES:
        assert set(route.parties) <= set(route.event.model_fields)
        assert route.contact(routing.COORDINATOR) == route.parties[0]


def test_every_event_about_a_person_is_in_the_table_once_or_named_as_told_to_nobody():
    named = [*(route.event for route in routing.ROUTES), *routing.HOLDERS, *routing.ASKED, *routing.TOLD_TO_NOBODY]
    assert len(named) == len(set(named))
    assert set(named) == {kind for kind in TYPES.values() if kind.TOPIC == PATHWAYS}


LIVES = {"referral": Referral, "training": Training, "placement": Placement}


@pytest.mark.parametrize(
    ("noun", "action"), [(noun, row.action) for noun, kind in LIVES.items() for row in TABLES[kind]]
)
def test_every_transition_of_the_three_life_cycles_has_its_row(noun, action):
    route = routing.BY_TYPE[EVENTS[noun][action].TYPE]
    assert dict(route.messages()), "somebody is told"
    assert set(EVENTS[noun]) == {row.action for row in TABLES[LIVES[noun]]}


@pytest.mark.parametrize(
    ("noun", "row"), [(noun, row) for noun, kind in LIVES.items() for row in TABLES[kind] if row.source]
)
def test_an_action_makes_the_event_that_the_table_is_asked_for(noun, row):
    kind = LIVES[noun]
    for status in sorted(row.source):
        state = new(kind, status, **AUTHORS)
        event = act(state, row.action, PARTY[sorted(row.by)[0]], all_given(kind, row), TODAY).event
        assert type(event) is EVENTS[noun][row.action]


def test_nobody_is_in_the_table_for_an_act_that_only_they_can_do():
    for noun, kind in LIVES.items():
        for made in set(EVENTS[noun].values()):
            rows = [row for row in TABLES[kind] if EVENTS[noun][row.action] is made]
            actors = {role for row in rows for role in (*row.by, *(["referrer"] if row.reported else []))}
            for role, _ in routing.BY_TYPE[made.TYPE].messages():
                assert actors != {role}, (made.TYPE, role)


@pytest.mark.parametrize(
    ("pattern", "type_", "matches"),
    [
        ("*", "jalons.referral.sent.v1", True),
        ("jalons.referral.*", "jalons.referral.sent.v1", True),
        ("jalons.referral.*", "jalons.training.started.v1", False),
        ("jalons.*.started.v1", "jalons.training.started.v1", True),
        ("jalons.referral.sent.v1", "jalons.referral.sent.v1", True),
        ("jalons.referral.sent.v1", "jalons.referral.sent.v11", False),
        ("jalons.*.v1*.v1", "jalons.x.v1", False),  # both parts must find a place of their own
    ],
)
def test_a_star_stands_for_anything_and_the_rest_for_itself(pattern, type_, matches):
    assert subscribed([pattern], type_) is matches


def test_pauses_grow_to_six_hours_and_end_after_three_days():
    at, pauses, number = NOW, [], 1
    while (following := next_attempt(number, NOW, at, 0.5)) is not None:
        pauses.append((following - at).total_seconds())
        at, number = following, number + 1
    assert pauses[:4] == [30, 60, 120, 240]
    assert max(pauses) == 6 * 3600
    assert timedelta(days=3) <= at - NOW <= timedelta(days=3, hours=6)


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1e7))
def test_a_receiver_that_asks_for_time_gets_it_up_to_a_day(number, spread, asked):
    again = next_attempt(number, NOW, NOW, spread, asked)
    assert again is not None
    assert (again - NOW).total_seconds() >= min(asked, 86_400) - 1e-6
    assert again - NOW <= timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "retry_after", "meaning"),
    [
        (200, None, Delivered()),
        (204, None, Delivered()),
        (302, None, Deferred("receiver_redirects")),
        (400, None, Deferred("receiver_refuses")),
        (410, None, Gone("receiver_gone")),
        (429, "120", Deferred("receiver_busy", 120.0)),
        (503, "Tue, 24 Nov 2026 09:31:00 GMT", Deferred("receiver_busy", 60.0)),
        (503, "soon", Deferred("receiver_busy", None)),
        (503, None, Deferred("receiver_busy", None)),
        (500, "120", Deferred("receiver_fails")),
    ],
)
def test_what_a_receivers_answer_means(status, retry_after, meaning):
    assert outcome_of(status, retry_after, NOW) == meaning


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("127.0.0.1", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "fe80::1%eth0", "fd00::1"),
        *("fec0::1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1", "::", "255.255.255.255", "not-an-address"),
    ],
)
def test_no_address_inside_can_be_reached(address):
    assert not addresses.may_be_reached(address, loopback=False, encrypted=True)


def test_public_addresses_can_be_reached_with_tls_only():
    for address in ("193.190.198.27", "2a01:690::1"):
        assert addresses.may_be_reached(address, loopback=False, encrypted=True)
        assert not addresses.may_be_reached(address, loopback=True, encrypted=False)


def test_loopback_can_be_reached_where_the_setting_says_so_and_nothing_else_inside():
    assert addresses.may_be_reached("127.0.0.1", loopback=True, encrypted=False)
    assert addresses.may_be_reached("::1", loopback=True, encrypted=False)
    assert not addresses.may_be_reached("10.0.0.1", loopback=True, encrypted=True)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://partner.example/hook", "url_not_https"),
        ("ftp://partner.example/hook", "url_not_https"),
        ("https:///hook", "url_malformed"),
        ("https://partner.example:port/", "url_malformed"),
        ("https://partner.example/a b", "url_malformed"),
        ("https://partner.example/\r\nx: y", "url_malformed"),
        ("https://pärtner.example/", "url_malformed"),
        ("https://user:word@partner.example/", "url_with_credentials"),
        ("https://partner.example:8443/hook?x=1", None),
    ],
)
def test_a_url_is_https_and_carries_no_password(url, cause):
    assert addresses.refusal_of_url(url, loopback=False) == cause


def _partner(**given_) -> gate.PartnerRecord:
    fields = {
        "slug": "le-trusquin",
        "name": "EFT Le Trusquin",
        "mailbox": "a@b.example",
        "phone": "084 00 00 00",
        "phone_hours": None,
        "language": "fr",
        "status": "active",
        "kind": "training_operator",
        "trial": False,
    }
    return gate.PartnerRecord(**fields | given_)


@pytest.mark.parametrize(
    ("recipient", "contact", "trial", "waited", "says"),
    [
        (_partner(), _partner(), False, 0, gate.Goes()),
        (None, _partner(), False, 0, gate.Waits("partner_unknown")),
        (None, _partner(), False, 31, gate.Never("waited_too_long")),
        (_partner(mailbox=""), _partner(), False, 0, gate.Waits("mailbox_missing")),
        (_partner(), None, False, 0, gate.Waits("contact_unknown")),
        (_partner(status="suspended"), _partner(), False, 0, gate.Waits("partner_suspended")),
        (_partner(status="left"), _partner(), False, 0, gate.Never("partner_left")),
        (_partner(), _partner(), True, 0, gate.Never("trial_only", suppressed=True)),
        (_partner(trial=True), _partner(), True, 0, gate.Goes()),
        (_partner(), _partner(), False, 31, gate.Goes()),
    ],
)
def test_a_mail_goes_when_nothing_is_missing_and_a_trial_reaches_trial_partners_only(
    recipient, contact, trial, waited, says
):
    assert gate.email_gate(recipient, contact, trial=trial, waited=timedelta(days=waited)) == says


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("active", gate.Goes()),
        ("paused", gate.Waits("subscription_paused")),
        ("disabled", gate.Never("subscription_disabled")),
        (None, gate.Never("subscription_disabled")),
    ],
)
def test_a_webhook_goes_while_its_subscription_is_active(status, says):
    assert gate.webhook_gate(_partner(), status, trial=False, waited=timedelta()) == says


@pytest.mark.parametrize(("days", "news"), [(0, True), (7, True), (7.01, False), (400, False)])
def test_what_is_a_week_old_when_it_is_first_seen_is_history(days, news):
    assert is_recent(NOW - timedelta(days=days), NOW) is news


def test_every_cause_says_what_happened_and_what_to_do():
    for code, cause in CAUSES.items():
        assert code == cause.code
        assert cause.cause.endswith(".")
        assert cause.cure.endswith(".")
