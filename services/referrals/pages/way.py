"""A person's way in plain words: its steps, ordered by when they began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.referrals.acts.rules import Act, Placement, Referral, Training
from services.referrals.pages import in_words
from services.referrals.pages.in_words import Directory, Row
from services.referrals.pages.words import Words

_FACTS = (
    "first_contact_on",
    "place",
    "planned_start",
    "planned_end",
    "started_on",
    "ended_on",
    "hours_done",
    "outcome",
)
_BEGINS = ("started_on", "first_contact_on", "planned_start", "sent_at")


@dataclass(frozen=True)
class Step:
    """One step. heading: moment and partner. sense: its goal and who chose it. now: its status and since when."""

    heading: str
    sense: str
    now: str
    facts: list[Row]


def steps(acts: Iterable[Act], words: Words, directory: Directory) -> list[Step]:
    """A person's acts in words; a referral is followed by its training or placement. Voided acts are left out."""
    kept = [act for act in acts if act.status != "voided"]
    began = {act.id: _began(act) for act in kept}

    def place(act: Act) -> tuple[str, UUID, bool, UUID]:
        answers = act.referral_id if isinstance(act, Training | Placement) and act.referral_id in began else None
        return began[answers or act.id], answers or act.id, answers is not None, act.id

    return [_step(act, words, directory) for act in sorted(kept, key=place)]


def _began(act: Act) -> str:
    return next((str(act.facts[name])[:10] for name in _BEGINS if act.facts.get(name)), "")


def _step(act: Act, words: Words, directory: Directory) -> Step:
    noun, at, what = _what(act, words)
    facts = [name for name in _FACTS if act.facts.get(name) is not None]
    since = act.last.get("on")
    status = words.code("Status", act.status)
    return Step(
        heading=words.text("way.heading", what=f"{what[:1].upper()}{what[1:]}", partner=directory.partners.get(at, at)),
        sense=words.text("way.sense", **_sense(act.facts, words)),
        now=words.text("way.since", status=status, date=words.day(since)) if since else status,
        facts=[(words.field(name), _fact(act, noun, name, words, directory)) for name in facts],
    )


def _fact(act: Act, noun: str, name: str, words: Words, directory: Directory) -> str:
    value = act.facts[name]
    if name == "place":
        return directory.address(act.receiver, value)
    return in_words.text_of(noun, name, value, words, directory)


def _what(act: Act, words: Words) -> tuple[str, str, str]:
    """An act's noun, partner and name."""
    match act:
        case Referral():
            return "referral", act.recipient, words.code("Moment", act.moment)
        case Training():
            return "training", act.operator, words.code("TrainingKind", act.facts["kind"])
        case Placement():
            return "placement", act.employer, words.code("PlacementKind", act.facts["kind"])
    raise TypeError(type(act).__name__)


def _sense(facts: Mapping[str, object], words: Words) -> dict[str, str]:
    named = {"goal": "Goal", "chosen_by": "ChosenBy"}
    return {name: words.code(codes, str(facts[name])) for name, codes in named.items()}
