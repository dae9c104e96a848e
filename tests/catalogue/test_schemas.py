"""The catalogue as data: exactly the types have a model, a schema on disk and a valid example."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jalons.messaging.codec import encode, opened, read
from jalons.privacy.keys import GONE
from schemas import generate
from schemas.catalogue import PAYLOADS, TYPES
from schemas.compatibility import breaking
from schemas.envelope import Event, Payload
from schemas.examples import DATA, SEALED, example
from schemas.topics import PATHWAYS, TOPICS

KEY = b"k" * 32
HERE = Path(generate.__file__).parent


def models(kind: type[Payload]) -> list[type[Payload]]:
    """All subclasses of a model, without itself."""
    return [each for below in kind.__subclasses__() for each in (below, *models(below))]


def test_the_catalogue_contains_every_type_once() -> None:
    named = [model for model in models(Payload) if "TYPE" in vars(model) and model.__module__.startswith("schemas.")]
    assert set(named) == set(PAYLOADS)
    assert len(TYPES) == len(PAYLOADS)


def test_exactly_the_types_have_a_schema_and_an_example_on_disk() -> None:
    for folder in ("json", "examples"):
        assert {path.stem for path in (HERE / folder).iterdir()} == set(TYPES)
    assert set(DATA) == set(TYPES)
    assert set(SEALED) == {type_ for type_, payload in TYPES.items() if payload.SEALED}


def test_generated_files_are_up_to_date() -> None:
    stale = [path.name for path, text in generate.wanted().items() if path.read_text("utf-8") != text]
    assert stale == []
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_a_type_is_named_noun_verb_version_and_has_a_declared_topic(type_: str) -> None:
    payload = TYPES[type_]
    assert re.fullmatch(r"jalons\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]*", type_)
    assert payload.__name__.endswith("V" + type_.rpartition(".v")[2])
    assert payload.TOPIC in TOPICS
    assert (payload.__doc__ or "").strip(), "the published schema states its meaning"


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_an_event_of_a_person_names_the_home_partner_and_no_other_is_sealed(type_: str) -> None:
    payload = TYPES[type_]
    if payload.TOPIC == PATHWAYS:
        assert "home" in payload.model_fields, "the home partner sees all"
    else:
        assert payload.SEALED is None


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_every_example_survives_decoding_and_encoding(type_: str) -> None:
    kept = json.loads((HERE / "examples" / f"{type_}.json").read_text("utf-8"))
    assert kept == example(type_)
    wire, payload = kept["event"], TYPES[type_]
    topic, key = payload.TOPIC.name, wire["subject"].encode()
    event = opened(read(json.dumps(wire).encode(), topic=topic, key=key), GONE)
    sealed = payload.SEALED.model_validate(kept["unsealed"], extra="forbid") if payload.SEALED else None
    whole = Event(**{name: getattr(event, name) for name in Event.__slots__} | {"sealed": sealed})
    value = encode(whole, KEY)
    assert opened(read(value, topic=topic, key=key), KEY) == whole
    again = json.loads(value)
    assert _without_sealed(again["data"]) == payload.model_validate(wire["data"]).model_dump(
        mode="json", exclude_none=True
    )
    assert payload.model_validate(_without_sealed(wire["data"]), extra="forbid"), "no unknown field"
    assert not set(kept["unsealed"] or ()) & set(again["data"]), "no sealed field is also in clear"


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_every_example_is_valid_against_its_schema(type_: str) -> None:
    schema = json.loads((HERE / "json" / f"{type_}.json").read_text("utf-8"))
    kept = example(type_)
    assert schema["$id"] == f"urn:jalons:{type_}"
    assert schema["properties"]["type"] == {"const": type_}
    _fits(kept["event"], schema, schema)
    data = schema["properties"]["data"]
    assert ("x-sealed" in data) == (kept["unsealed"] is not None)
    if kept["unsealed"] is not None:
        _fits(kept["unsealed"], data["x-sealed"], schema)


def _fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> None:
    """Validates the part of JSON Schema that the generated schemas use."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        schema = next(each for each in schema["anyOf"] if (each.get("type") == "null") == (value is None))
        return _fits(value, schema, root)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    assert isinstance(value, kinds[schema["type"]]) if "type" in schema else True
    assert value in schema.get("enum", [value])
    assert value == schema.get("const", value)
    assert re.search(schema["pattern"], value) if "pattern" in schema else True
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"])
        for name, each in value.items():
            _fits(each, schema["properties"][name], root)
    for each in value if isinstance(value, list) else ():
        _fits(each, schema["items"], root)
    return None


def _without_sealed(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "sealed"}


def of(**properties: Any) -> dict[str, Any]:
    """A schema of an object; a field whose schema says `needed` is required."""
    needed = [name for name, each in properties.items() if each.get("needed")]
    plain = {name: {k: v for k, v in each.items() if k != "needed"} for name, each in properties.items()}
    return {"type": "object", "properties": plain} | ({"required": needed} if needed else {})


TEXT, NUMBER, NEEDED = {"type": "string"}, {"type": "integer"}, {"type": "string", "needed": True}
MAYBE = {"anyOf": [TEXT, {"type": "null"}]}
CODES = {"type": "string", "enum": ["a", "b"]}
LIST = {"type": "array", "items": CODES}

CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    ("nothing", of(x=TEXT), of(x=TEXT), None),
    ("an optional field added", of(x=TEXT), of(x=TEXT, y=MAYBE), None),
    ("a code added", of(x=CODES), of(x=CODES | {"enum": ["a", "b", "c"]}), None),
    ("a code added to a single one", of(x={"type": "string", "const": "a"}), of(x=CODES), None),
    ("a code added in a list", of(x=LIST), of(x=LIST | {"items": CODES | {"enum": ["a", "b", "c"]}}), None),
    ("another description", of(x=TEXT), of(x=TEXT | {"description": "said better"}), None),
    ("a field removed", of(x=TEXT, y=MAYBE), of(x=TEXT), "data.y: removed"),
    ("a field renamed", of(x=TEXT), of(y=TEXT), "data.x: removed"),
    ("a required field added", of(), of(x=NEEDED), "data.x: added as required"),
    ("made required", of(x=TEXT), of(x=NEEDED), "data.x: was not required"),
    ("made optional", of(x=NEEDED), of(x=TEXT), "data.x: was required"),
    ("retyped", of(x=TEXT), of(x=NUMBER), "data.x: type was 'string', is 'integer'"),
    ("narrowed to a format", of(x=TEXT), of(x=TEXT | {"format": "date"}), "data.x: format"),
    ("another pattern", of(x=TEXT | {"pattern": "^a"}), of(x=TEXT | {"pattern": "^b"}), "data.x: pattern"),
    ("a limit set", of(x=TEXT), of(x=TEXT | {"maxLength": 5}), "data.x: maxLength"),
    ("a limit moved", of(x=NUMBER | {"maximum": 9}), of(x=NUMBER | {"maximum": 8}), "data.x: maximum"),
    ("a code removed", of(x=CODES), of(x=CODES | {"enum": ["a"]}), "data.x: codes removed: b"),
    ("only one code left", of(x=CODES), of(x={"type": "string", "const": "a"}), "data.x: codes removed: b"),
    (
        "a code removed in a list",
        of(x=LIST),
        of(x=LIST | {"items": CODES | {"enum": ["b"]}}),
        "data.x[]: codes removed",
    ),
    ("a list opened to any text", of(x=CODES), of(x=TEXT), "data.x: no longer a closed list"),
    ("any text closed to a list", of(x=TEXT), of(x=CODES), "data.x: now a closed list"),
    ("a list of anything", of(x=LIST), of(x={"type": "array"}), "data.x: items changed"),
    ("null let in", of(x=TEXT), of(x=MAYBE), "data.x: "),
    ("null kept out", of(x=MAYBE), of(x=TEXT), "data.x: "),
    ("retyped below null", of(x=MAYBE), of(x={"anyOf": [NUMBER, {"type": "null"}]}), "data.x: type"),
    ("removed within", of(x=of(y=TEXT)), of(x=of()), "data.x.y: removed"),
    (
        "other free keys",
        of(x=TEXT | {"additionalProperties": TEXT}),
        of(x=TEXT | {"additionalProperties": NUMBER}),
        "type",
    ),
]


@pytest.mark.parametrize(("how", "old", "new", "said"), CHANGES, ids=[how for how, *_ in CHANGES])
def test_breaking_differences_are_recognised(
    how: str, old: dict[str, Any], new: dict[str, Any], said: str | None
) -> None:
    found = breaking(old, new)
    assert bool(found) == (said is not None), found
    assert said is None or any(said in each for each in found), found


def test_differences_behind_references_are_found() -> None:
    def with_defs(codes: list[str]) -> dict[str, Any]:
        return of(x={"$ref": "#/$defs/Code"}) | {"$defs": {"Code": {"type": "string", "enum": codes}}}

    assert breaking(with_defs(["a", "b"]), with_defs(["a"])) == ["data.x: codes removed: b"]
    assert breaking(with_defs(["a", "b"]), of(x=CODES)) == [], "the place of the definition does not matter"


SENT = "jalons.referral.sent.v1"
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the generated files."""
    monkeypatch.setattr(generate, "HERE", tmp_path)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    return tmp_path


def _rewritten(folder: Path, change: Change) -> Path:
    path = folder / "json" / f"{SENT}.json"
    schema = json.loads(path.read_text("utf-8"))
    change(schema)
    path.write_text(json.dumps(schema), "utf-8")
    return path


BREAKING: dict[str, Change] = {
    "a field that was there": lambda s: s["properties"]["data"]["properties"].update(older=TEXT),
    "a sealed field that was there": lambda s: s["properties"]["data"]["x-sealed"]["properties"].update(older=TEXT),
    "no sealed part": lambda s: s["properties"]["data"].pop("x-sealed"),
    "another envelope": lambda s: s["properties"]["sequence"].update(type="integer"),
}


@pytest.mark.parametrize("how", BREAKING)
@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["write", "check"])
def test_a_breaking_difference_is_refused_and_nothing_is_written(
    copied: Path, how: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = _rewritten(copied, BREAKING[how])
    before = path.read_text("utf-8")
    assert generate.main(arguments) == 1
    said = capsys.readouterr().err
    assert SENT in said and "new version" in said
    assert path.read_text("utf-8") == before


def test_removing_a_type_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "json" / "jalons.referral.sung.v1.json").write_text("{}", "utf-8")
    assert generate.main([]) == 1
    assert "jalons.referral.sung.v1: the type is gone" in capsys.readouterr().err


def test_a_compatible_difference_is_written_or_reported_as_stale(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _rewritten(copied, lambda s: s["properties"]["data"]["properties"].pop("follows"))
    assert generate.main(["--check"]) == 1
    assert f"{SENT}.json is not what the models say" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert "follows" in path.read_text("utf-8")


def test_a_schema_has_no_difference_from_itself() -> None:
    for payload in PAYLOADS:
        schema = generate.schema(payload)
        assert generate.differences(schema, copy.deepcopy(schema)) == []
