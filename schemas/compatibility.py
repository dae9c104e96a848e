"""Which differences between two JSON Schemas of one type break a reader or a replay of its events."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_FIXED = (
    *("type", "format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)


def breaking(old: Schema, new: Schema, at: str = "data") -> list[str]:
    """Each breaking difference as a sentence; empty if events written under either read under the other.

    Breaking: a field removed, retyped or narrowed, a code removed from a closed list, a required field added, an
    optional one made required or a required one optional, a limit moved, a list opened to any text. Not breaking: an
    optional field or a code added. at: what the sentences call the schema.
    """
    return _compare(old, new, old, new, at)


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> list[str]:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    found = [
        f"{at}: {word} was {old.get(word)!r}, is {new.get(word)!r}" for word in _FIXED if old.get(word) != new.get(word)
    ]
    found += _codes(old, new, at)
    found += _fields(old, new, old_root, new_root, at)
    found += _members(old, new, old_root, new_root, at)
    found += _choices(old, new, old_root, new_root, at)
    return found


def _codes(old: Schema, new: Schema, at: str) -> list[str]:
    """Closed lists; pydantic writes one of a single code as `const`."""
    before, after = ({*map(str, s.get("enum", ())), *([str(s["const"])] if "const" in s else [])} for s in (old, new))
    if bool(before) != bool(after):
        return [f"{at}: {'no longer' if before else 'now'} a closed list"]
    removed = sorted(before - after)
    return [f"{at}: codes removed: {', '.join(removed)}"] if removed else []


def _members(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> list[str]:
    """What stands in a list (`items`) or under free keys (`additionalProperties`)."""
    found = []
    for word in ("items", "additionalProperties"):
        before, after = old.get(word), new.get(word)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _compare(before, after, old_root, new_root, f"{at}[]")
        elif before != after:
            found.append(f"{at}: {word} changed")
    return found


def _fields(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    found = [f"{at}.{name}: removed" for name in before if name not in after]
    found += [f"{at}.{name}: added as required" for name in after if name not in before and name in needs]
    for name in before.keys() & after.keys():
        if (name in needed) != (name in needs):
            found.append(f"{at}.{name}: was {'' if name in needed else 'not '}required")
        found += _compare(before[name], after[name], old_root, new_root, f"{at}.{name}")
    return sorted(found)


def _choices(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> list[str]:
    """`anyOf` of something and null is an optional field; any other change of alternatives is breaking."""
    before, after = old.get("anyOf", []), new.get("anyOf", [])
    if len(before) != len(after):
        return [f"{at}: alternatives changed"]
    return [
        difference
        for one, other in zip(before, after, strict=True)
        for difference in _compare(one, other, old_root, new_root, at)
    ]


def _resolve(schema: Schema, root: Schema) -> Schema:
    """The schema a local `$ref` points to; itself otherwise."""
    ref = schema.get("$ref")
    return root["$defs"][ref.rsplit("/", 1)[1]] if ref else schema
