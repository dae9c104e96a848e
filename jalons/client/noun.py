"""What every noun's calls are made of, said once for both drivers.

One: what a call that has one answer returns (an Answer, or one to be awaited). Many: what a call that has many returns
(an iterator, or an asynchronous one), which fetches page after page as it is read.
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
    """How a call is made: at once, or to be awaited."""

    def one(self, call: Call) -> One_co:
        """The call's answer."""

    def many(self, call: Call) -> Many_co:
        """What its pages list."""

    def rows(self, call: Call) -> Many_co:
        """A table's rows, by heading."""

    def stream(self, call: Call) -> Many_co:
        """What comes, as it comes."""


def path(*parts: object) -> str:
    """A path of these parts, each as one segment."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


class Noun(Generic[One, Many]):
    """The calls of one noun, at the service that has it."""

    SERVICE: ClassVar[Service] = "referrals"
    NAME: ClassVar[str]

    def __init__(self, do: Do[One, Many]) -> None:
        self._do = do

    def _write(self, method: str, parts: Sequence[object], said: Mapping[str, object]) -> One:
        return self._do.one(written(method, self.SERVICE, path(self.NAME, *parts), said))

    def _listed(self, **query: object) -> Many:
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME), query))

    def _all(self, *parts: object) -> Many:
        return self._do.many(Call("GET", self.SERVICE, path(self.NAME, *parts)))


class Kept(Noun[One, Many]):
    """A noun of which each one can be read by itself."""

    def get(self, id: Id) -> One:  # noqa: A002 - the contract's name
        """One of them; its `etag` can be given as `if_match`."""
        return self._do.one(Call("GET", self.SERVICE, path(self.NAME, id)))


class Stepped(Kept[One, Many]):
    """A noun with a life cycle: what may be done with it is data (docs/reference/transitions.md)."""

    def act(self, id: Id, action: str, **said: Any) -> One:  # noqa: A002 - the contract's name
        """Do `action`, by its name in the table, and say what it must be given. Raises NotAllowed with what is open."""
        return self._write("POST", (id, action), said)
