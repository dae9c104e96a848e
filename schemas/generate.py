"""Writes `schemas/json/` from the models, or says how it differs (`--check`).

A difference that would break a reader is refused in both cases: a new version of the type is the way.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from schemas.catalogue import TYPES
from schemas.compatibility import breaking
from schemas.envelope import Envelope, Payload

HERE = Path(__file__).parent


def schema(payload: type[Payload]) -> dict[str, Any]:
    """The JSON Schema of a type's whole event; what is sealed is described beside, under `x-sealed`."""
    data = payload.model_json_schema()
    definitions = data.pop("$defs", {})
    if payload.SEALED is not None:
        sealed = payload.SEALED.model_json_schema()
        definitions |= sealed.pop("$defs", {})
        data["properties"]["sealed"] = {
            "type": "string",
            "contentEncoding": "base64",
            "description": "AES-256-GCM under the person's key; in clear it is x-sealed",
        }
        data["x-sealed"] = sealed
    envelope = Envelope.model_json_schema()
    envelope["properties"] |= {"type": {"const": payload.TYPE}, "data": data}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:jalons:{payload.TYPE}",
        "title": payload.TYPE,
        "description": (payload.__doc__ or "").strip(),
        **{k: v for k, v in envelope.items() if k not in {"title", "description", "$defs"}},
        "$defs": definitions,
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Breaking differences of the envelope, of the open data and of the sealed part."""
    sealed = "x-sealed"
    before, after = old["properties"]["data"], new["properties"]["data"]
    roots = ({"$defs": old["$defs"]}, {"$defs": new["$defs"]})
    found = breaking(_around(old), _around(new), at="envelope")
    found += breaking(before | roots[0], after | roots[1])
    if sealed in before and sealed in after:
        found += breaking(before[sealed] | roots[0], after[sealed] | roots[1])
    elif (sealed in before) != (sealed in after):
        found.append("data.sealed: added or removed")
    return found


def _around(whole: dict[str, Any]) -> dict[str, Any]:
    """A type's schema without its data."""
    return whole | {"properties": {name: each for name, each in whole["properties"].items() if name != "data"}}


def wanted() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    return {HERE / "json" / f"{type_}.json": _text(schema(payload)) for type_, payload in TYPES.items()}


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _broken(files: dict[Path, str]) -> list[str]:
    found = []
    for path, text in files.items():
        if path.exists():
            old, new = json.loads(path.read_text("utf-8")), json.loads(text)
            found += [f"{path.stem}: {each}" for each in differences(old, new)]
    for path in sorted((HERE / "json").glob("*.json")):
        if path not in files:
            found.append(f"{path.stem}: the type is gone; events of it are still in the log")
    return found


def main(arguments: list[str]) -> int:
    """0 if the files are what the models say (or were written), 1 with the differences otherwise."""
    files = wanted()
    if broken := _broken(files):
        print("Breaking differences; make a new version of the type and upcast the old one:", file=sys.stderr)
        print("\n".join(f"  {each}" for each in broken), file=sys.stderr)
        return 1
    stale = [p for p, text in files.items() if not p.exists() or p.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(HERE.parent)} is not what the models say: `make schemas`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(files[path], "utf-8")
    print(f"{len(stale)} of {len(files)} files written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
