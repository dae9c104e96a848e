"""Plans the calls that bring the hub in line with a network file; planning again afterwards gives nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from jalons.cli.network.file import CodePart, ConventionPart, NetworkFile, OfferPart


class Calls(Protocol):
    """Calls referrals as a client that may write the directory; a failed call ends the command."""

    def __call__(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer."""


class CannotBecome(Exception):
    """The hub has an entry that no call can change into what the file says. The message names it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the file and what to do about it. said: its label, or what changes."""

    verdict: Literal["add", "change", "same"]
    noun: Literal["code", "commune", "partner", "convention", "offer"]
    name: str
    said: str
    method: str
    path: str
    body: Mapping[str, Any]


def plan(network: NetworkFile, call: Calls) -> list[Step]:
    """The steps, in an order that works. Only reads from the hub. Raises CannotBecome."""
    lists = call("GET", "/codes")["lists"] if network.finer else {}
    finer = {(name, row["code"]): row for name, rows in lists.items() for row in rows if row.get("finer")}
    partners = {row["slug"]: row for row in _all(call, "/partners")}
    communes = {row["nis"]: row for row in _all(call, "/communes")}
    offers = {row["offer"]: row for row in _all(call, "/offers", "&past=true")}
    signed = {(frozenset(row["parties"]), row["valid_from"]): row for row in _all(call, "/conventions")}
    steps = [
        _code(f"{name}/{code}", part, finer.get((name, code)))
        for name, parts in network.finer.items()
        for code, part in parts.items()
    ]
    steps += [
        _put("commune", nis, part.name, part.model_dump(mode="json"), communes.get(nis))
        for nis, part in network.communes.items()
    ]
    steps += [
        _put("partner", slug, part.name, part.model_dump(mode="json"), partners.get(slug))
        for slug, part in network.partners.items()
    ]
    steps += [_sign(part, signed) for part in network.conventions]
    return steps + [_offer(name, part, offers.get(name)) for name, part in network.offers.items()]


def carry_out(steps: list[Step], call: Calls, done: Callable[[int], None]) -> int:
    """Execute the steps that are not `same`; returns how many."""
    todo = [step for step in steps if step.verdict != "same"]
    for step in todo:
        call(step.method, step.path, dict(step.body))
        done(1)
    return len(todo)


def _code(name: str, part: CodePart, known: Mapping[str, Any] | None) -> Step:
    if known and known["parent"] != part.parent:
        raise CannotBecome(f"The code {name} hangs under {known['parent']} on the hub: a code keeps its meaning.")
    return _put("code", name, part.label, part.model_dump(), known)


def _offer(name: str, part: OfferPart, known: Mapping[str, Any] | None) -> Step:
    if known and known["partner"] != part.partner:
        raise CannotBecome(f"The offer {name} is {known['partner']}'s on the hub: an offer does not change hands.")
    body = part.model_dump(mode="json", exclude={"status"})
    body["status"] = part.status or (known["status"] if known else "published")
    if body["status"] == "published" and known and known["status"] == "full":
        body["status"] = "full"
    return _put("offer", name, part.title, body, known)


def _put(
    noun: Literal["code", "commune", "partner", "offer"],
    name: str,
    said: str,
    body: Mapping[str, Any],
    known: Mapping[str, Any] | None,
) -> Step:
    path = f"/{noun}s/{name}"
    if known is None:
        return Step("add", noun, name, said, "PUT", path, body)
    changed = [f"{key}: {known[key]} → {value}" for key, value in body.items() if known[key] != value]
    return Step("change" if changed else "same", noun, name, "; ".join(changed), "PUT", path, body)


def _sign(part: ConventionPart, signed: Mapping[Any, Mapping[str, Any]]) -> Step:
    body = part.body()
    name = f"of {part.valid_from}, {len(part.parties)} parties"
    known = signed.get((frozenset(part.parties), body["valid_from"]))
    if known is None:
        return Step("add", "convention", name, ", ".join(part.parties), "POST", "/conventions", body)
    if changed := sorted(key for key, value in body.items() if known[key] != value):
        raise CannotBecome(f"The convention {name} ({known['convention_id']}) has another {', '.join(changed)}.")
    return Step("same", "convention", name, "", "POST", "/conventions", body)


def _all(call: Calls, path: str, asked: str = "") -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = call("GET", f"{path}?limit=500{asked}{cursor}")
        yield from page["items"]
        if "next" not in page:
            return
        cursor = f"&cursor={page['next']}"
