"""Reads a network file; an incomplete or inconsistent file is refused before anything is sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Self, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from jalons.mailboxes import Mailbox
from jalons.web.problems import Problem, refuse_unsafe_text
from schemas import codes
from schemas.communes import communes, name_of
from schemas.reasons import FINER, LISTS

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()./-]{3,30}$")]
Slugs = Annotated[
    tuple[codes.Slug, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v), Field(min_length=1)
]


def _commune(nis: str) -> str:
    """Raises ValueError for a code that is no commune's today."""
    commune = communes().get(nis)
    if commune is None:
        raise ValueError("no commune has this NIS code")
    if commune.now:
        raise ValueError(f"{commune.name} is part of {name_of(commune.now)} ({commune.now}) since {commune.until}")
    return nis


Nis = Annotated[codes.Nis, AfterValidator(_commune)]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader where the wheel includes it; ten times as fast."""


class WrongFile(Exception):
    """The file has a mistake. The message names the line and the path."""


class Part(BaseModel):
    """A part of the file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkName(Part):
    """The network's name and territory."""

    name: Line
    territory: Line | None = None


def _labels(code: Any) -> Any:
    """Labels for a closed list: exactly one for each code."""

    def complete(labels: Mapping[str, str]) -> Mapping[str, str]:
        if missing := [each for each in get_args(code) if each not in labels]:
            raise ValueError(f"no label for {', '.join(missing)}")
        return labels

    return AfterValidator(complete)


class Labels(Part):
    """The network's labels for codes."""

    moments: Annotated[dict[codes.Moment, Line], _labels(codes.Moment)]
    offer_types: Annotated[dict[codes.OfferType, Line], _labels(codes.OfferType)]
    sent_for: Annotated[dict[codes.ReferralReason, Line], _labels(codes.ReferralReason)]
    declined: Annotated[dict[codes.DeclineReason, Line], _labels(codes.DeclineReason)]
    ended: Annotated[dict[codes.EndReason, Line], _labels(codes.EndReason)]


class CommunePart(Part):
    """A commune as `PUT /communes/{nis}` takes it. Latitude and longitude in degrees."""

    name: Line
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class CodePart(Part):
    """A finer code of the network's own, as `PUT /codes/{list}/{code}` takes it."""

    parent: codes.FinerCode
    label: Line


class PlacePart(Part):
    """A place where a partner receives persons."""

    code: codes.PlaceCode
    address: Line


class PartnerPart(Part):
    """A partner, as `PUT /partners/{partner}` takes it."""

    name: Line
    kind: codes.PartnerKind
    sector: codes.Sector
    commune_nis: Nis
    moments: tuple[codes.Moment, ...]
    secrecy_class: codes.SecrecyClass
    mailbox: Mailbox
    phone: Phone
    phone_hours: Line | None = None
    address: Line | None = None
    language: codes.Language = "fr"
    trial: bool = False
    places: tuple[PlacePart, ...] = Field(default=(), max_length=50)
    front: bool = False
    valid_from: date | None = None
    valid_to: date | None = None


class ScopePart(Part):
    """Who may refer to whom for which moments; lists mean every combination."""

    referrers: Slugs = Field(alias="from")
    recipients: Slugs = Field(alias="to")
    moments: tuple[codes.Moment, ...] = Field(min_length=1)


class ConventionPart(Part):
    """A convention, as `POST /conventions` takes it."""

    parties: tuple[codes.Slug, ...] = Field(min_length=2, max_length=100)
    valid_from: date
    valid_to: date | None = None
    scope: tuple[ScopePart, ...] = Field(min_length=1)
    shared_attributes: tuple[codes.Attribute, ...]
    legal_basis: codes.LegalBasis
    reply_within_working_days: int = Field(default=5, ge=1, le=60)
    remind_on_working_days: tuple[Annotated[int, Field(ge=1, le=365)], ...] = Field(default=(3, 5), max_length=5)
    expire_after_days: int = Field(default=30, ge=1, le=365)

    def body(self) -> dict[str, Any]:
        """The request body, with one scope row per pair of partners."""
        rows = [
            {"from": one, "to": other, "moments": list(each.moments)}
            for each in self.scope
            for one, other in product(each.referrers, each.recipients)
            if one != other
        ]
        return self.model_dump(mode="json", exclude={"scope"}) | {"parties": sorted(self.parties), "scope": rows}


class OfferPart(Part):
    """An offer as `PUT /offers/{offer}` takes it. Without a status, an existing offer keeps its own."""

    partner: codes.Slug
    title: Line
    moment: codes.Moment
    type: codes.OfferType
    places: int = Field(ge=0, le=10_000)
    commune_nis: Nis
    status: codes.OfferStatus | None = None
    transport_help: bool = False
    childcare: bool = False
    mailbox: Mailbox | None = None
    place: codes.PlaceCode | None = None
    project: codes.Slug | None = None
    valid_from: date | None = None
    valid_to: date | None = None


class NetworkFile(Part):
    """The whole file."""

    network: NetworkName
    labels: Labels
    finer: dict[str, dict[codes.FinerCode, CodePart]] = Field(default={}, alias="codes")
    communes: dict[Nis, CommunePart] = {}
    partners: dict[codes.Slug, PartnerPart] = Field(min_length=1)
    conventions: tuple[ConventionPart, ...] = ()
    offers: dict[codes.Slug, OfferPart] = {}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if wrong := next(_disagreements(self), None):
            raise ValueError(wrong)
        return self


def _disagreements(network: NetworkFile) -> Iterator[str]:
    """References to missing entries, and duplicates. The caller uses only the first."""
    dated: dict[str, PartnerPart | OfferPart | ConventionPart] = {
        **{f"partners.{slug}": partner for slug, partner in network.partners.items()},
        **{f"offers.{name}": offer for name, offer in network.offers.items()},
        **{f"conventions.{number}": each for number, each in enumerate(network.conventions)},
    }
    for at, each in dated.items():
        if each.valid_from and each.valid_to and each.valid_to < each.valid_from:
            yield f"{at}: valid_to is before valid_from"
    yield from _second_front(network.partners)
    for name, parts in network.finer.items():
        yield from (f"codes.{name}{wrong}" for wrong in _wrong_codes(name, parts))
    for name, offer in network.offers.items():
        partner = network.partners.get(offer.partner)
        if partner is None:
            yield f"offers.{name}: there is no partner {offer.partner}"
        elif offer.place and offer.place not in {place.code for place in partner.places}:
            yield f"offers.{name}: {offer.partner} has no place {offer.place}"
        elif offer.moment not in partner.moments:
            yield f"offers.{name}: {offer.partner} does not serve the moment {offer.moment}"
    seen = set()
    for number, convention in enumerate(network.conventions):
        yield from (f"conventions.{number}: {wrong}" for wrong in _wrong(convention, network.partners))
        key = (frozenset(convention.parties), convention.valid_from)
        if key in seen:
            yield f"conventions.{number}: another one has the same parties and first day"
        seen.add(key)


def _second_front(partners: Mapping[str, PartnerPart]) -> Iterator[str]:
    first, *others = [slug for slug, partner in partners.items() if partner.front] or [""]
    yield from (f"partners.{slug}: {first} speaks to employers already; one partner does" for slug in others)


def _wrong_codes(name: str, parts: Mapping[str, CodePart]) -> Iterator[str]:
    if name not in FINER:
        yield f": finer codes hang under {', '.join(FINER)}"
        return
    for code, part in parts.items():
        if code in LISTS[name]:
            yield f".{code}: the list has it already"
        if part.parent not in LISTS[name]:
            yield f".{code}: there is no {part.parent} in that list"


def _wrong(convention: ConventionPart, partners: Mapping[str, PartnerPart]) -> Iterator[str]:
    yield from (f"there is no partner {each}" for each in convention.parties if each not in partners)
    rows = convention.body()["scope"]
    if not 0 < len(rows) <= 500:
        yield f"its scope comes to {len(rows)} pairs of partners; from 1 to 500 are possible"
    for row in rows:
        if stranger := {row["from"], row["to"]} - set(convention.parties):
            yield f"{min(stranger)} stands in its scope and is no party of it"
        elif unserved := set(row["moments"]) - set(partners[row["to"]].moments):
            yield f"{row['to']} does not serve the moment {min(unserved)}"


def read(path: Path) -> NetworkFile:
    """Read and check a network file. Raises WrongFile."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise WrongFile(f"{path} cannot be read as a text file in UTF-8.") from None
    root, value = _parsed(text, path.name)
    try:
        refuse_unsafe_text(value)
        return NetworkFile.model_validate(value)
    except Problem as problem:
        raise WrongFile(f"{path.name}: {problem.detail}") from None
    except ValidationError as error:
        raise WrongFile(_first(error, root, path.name)) from None


def _parsed(text: str, name: str) -> tuple[yaml.Node, Any]:
    """The YAML nodes (with line numbers) and the parsed value. Raises WrongFile."""
    try:
        loader = _LOADER(text)
        root = loader.get_single_node()
        if root is None:
            raise WrongFile(f"{name} is empty.")
        _refuse_twice(root, name)
        return root, loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WrongFile(f"{name}, line {line}: not YAML ({error.problem}).") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WrongFile(f"{name}: not YAML of this form ({str(error) or type(error).__name__}).") from None


def shipped(name: str) -> Path:
    """Path of a network file shipped with the hub: `deploy/` in a checkout, `share/` when installed."""
    checkout = Path(__file__).resolve().parents[3] / "deploy/networks" / name
    return checkout if checkout.exists() else Path(sys.prefix) / "share/jalons/networks" / name


def _first(error: ValidationError, root: yaml.Node, name: str) -> str:
    """The first mistake, and how many more there are."""
    found = error.errors(include_url=False, include_input=False)
    told = min(found, key=lambda each: each["type"] != "extra_forbidden")  # a misspelt key is also missing
    loc, said = told["loc"], told["msg"].removeprefix("Value error, ")
    if told["type"] == "extra_forbidden":
        said = "no such key"
    path = [part for part in loc if part != "[key]"]
    where = f"{'.'.join(map(str, path))}: " if path else ""
    asked = path or said.partition(":")[0].split(".")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{name}, line {_line(root, asked)}: {where}{said}{more}."


def _line(node: yaml.Node, path: Sequence[Any]) -> int:
    """1-based line of a path of keys and indexes; of its longest existing prefix if it does not exist."""
    line = node.start_mark.line
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and str(part).isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1


def _refuse_twice(node: yaml.Node, name: str) -> None:
    """Refuse duplicate keys: YAML would silently keep only the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise WrongFile(f"{name}, line {key.start_mark.line + 1}: {key.value} stands here a second time.")
            seen.add(key.value)
            _refuse_twice(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(value, name)
