"""Links and codes: only the hub makes them, they say nothing of a person, and a slip of the finger opens nothing."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jalons.privacy.links import AnswerLinks, LinkTarget
from jalons.privacy.private_codes import code_hash, private_code
from services.referrals.acts import lifecycle

SECRET = "0123456789abcdef0123456789abcdef"
LINKS = AnswerLinks(SECRET)
named = st.builds(
    LinkTarget,
    st.sampled_from(["referral", "training", "placement"]),
    st.uuids(),
    st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True),
)


@given(named, st.data())
def test_a_link_is_read_as_it_was_made_and_only_by_who_has_the_secret(what: LinkTarget, data: st.DataObject) -> None:
    token = LINKS.token(what)
    assert LINKS.read(token) == what
    assert AnswerLinks(SECRET + "x").read(token) is None
    at = data.draw(st.integers(0, len(token) - 2))  # the last character may hold bits that mean nothing
    other = data.draw(st.sampled_from("ABCdef019-_"))
    if other != token[at]:
        assert LINKS.read(token[:at] + other + token[at + 1 :]) is None
    assert str(what.id) not in token and len(token) <= 130


@given(st.text(max_size=250))
def test_what_is_no_link_is_read_as_none(text: str) -> None:
    assert LINKS.read(text) is None


@given(st.uuids())
def test_a_code_is_said_as_one_likes_and_stays_the_same(about: uuid.UUID) -> None:
    code = private_code(SECRET, "slip-codes", about)
    assert code == private_code(SECRET, "slip-codes", about)
    assert [len(group) for group in code.split("-")] == [4] * 3
    said = code.lower().replace("-", " ").replace("1", "l").replace("0", "o")
    assert code_hash(said) == code_hash(code) is not None
    assert code_hash(code[:-1]) is None and code_hash(code + "A") is None
    assert private_code(SECRET, "slip-codes", uuid.uuid4()) != code != private_code(SECRET, "another", about)


@pytest.mark.parametrize(
    ("table", "status", "role", "over"),
    [
        (lifecycle.REFERRAL, "sent", "recipient", False),
        (lifecycle.REFERRAL, "accepted", "recipient", False),
        (lifecycle.REFERRAL, "completed", "recipient", True),
        (lifecycle.REFERRAL, "declined", "recipient", True),
        (lifecycle.TRAINING, "enrolled", "operator", False),
        (lifecycle.TRAINING, "completed", "operator", True),
        (lifecycle.PLACEMENT, "proposed", "proposer", False),
        (lifecycle.PLACEMENT, "ended", "employer", True),
    ],
)
def test_it_is_over_when_nothing_is_left_to_do(table: lifecycle.Table, status: str, role: str, over: bool) -> None:
    assert lifecycle.is_over(table, status, {role}) is over


def test_taking_back_what_is_over_does_not_open_it_again() -> None:
    back = lifecycle.Transition("reopen", frozenset({"completed"}), "started", frozenset({"recipient"}))
    assert lifecycle.is_over((*lifecycle.REFERRAL, back), "completed", {"recipient"})
