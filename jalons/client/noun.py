"""Base classes of the nouns' calls, shared by both drivers.

One: return type of a call with one answer (an Answer, or an awaitable). Many: return type of a call with many answers
(an iterator, or an async iterator), which fetches page after page as it is consumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import quote

from jalons.client.bodies import Id
from jalons.client.exchange import Call, Service, written

One = TypeVar("One")
Many = TypeVar("Many")
One_co = TypeVar("One_co", covariant=True)
Many_co = TypeVar("Many_co", covariant=True)


class Do(Protocol[One_co, Many_co]):
    """Makes calls, blocking or async."""

    def one(self, call: Call) -> One_co:
        """The call's answer."""

    def many(self, call: Call) -> Many_co:
        """The items of all its pages."""

    def rows(self, call: Call) -> Many_co:
        """The rows of a CSV, by heading."""

    def stream(self, call: Call) -> Many_co:
        """Server-sent events as they arrive."""


def path(*parts: object) -> str:
    """A path with each part quoted as one segment."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


class Noun(Generic[One, Many]):
    """The calls of one noun."""

    SERVICE: ClassVar[Service] = "referrals"
    NAME: ClassVar[str]

    def __init__(self, do: Do[One, Many]) -> None:
        self._do = do

    def _write(self, method: str, parts: Sequence[object], fields: Mapping[str, object]) -> One:
        return self._do.one(written(method, self.SERVICE, path(self.NAME, *parts), fields))

    def _listed(self, **query: object) -> Many:
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME), query))

    def _all(self, *parts: object) -> Many:
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME, *parts)))


class Kept(Noun[One, Many]):
    """A noun whose items can be read one by one."""

    def get(self, id: Id) -> One:  # noqa: A002 - the contract's name
        """One item; pass its `etag` as `if_match`."""
        return self._do.one(Call("GET", self.SERVICE, path(self.NAME, id)))


class Stepped(Kept[One, Many]):
    """A noun with a life cycle (docs/reference/transitions.md)."""

    def act(self, id: Id, action: str, **fields: Any) -> One:  # noqa: A002 - the contract's name
        """Do an action of the table with the fields it needs. Raises NotAllowed with the actions open now."""
        return self._write("POST", (id, action), fields)
