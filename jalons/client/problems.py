"""Errors of a call: each has a class or code to branch on, a cause and a cure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class HubError(Exception):
    """A call failed. `str` gives cause and cure and is safe to log: it contains nothing that was sent."""


class Unreachable(HubError):
    """No answer in time. A writing call may have been done: repeat it with the same key."""

    def __init__(self, service: str, why: Exception) -> None:
        super().__init__(
            f"{service} does not answer ({type(why).__name__})."
            " Check the hub's address and the network, then repeat the call with the same idempotency_key."
        )
        self.service = service


class Problem(HubError):
    """An error of the hub (RFC 9457). Branch on code and status; docs/reference/problems.md lists the codes.

    title, detail (the cause), cure: sentences. members: the whole JSON object.
    """

    def __init__(self, members: Mapping[str, Any]) -> None:
        self.members = dict(members)
        self.status = int(self.members["status"])
        self.code = str(self.members["code"])
        self.title = str(self.members.get("title", ""))
        self.detail = str(self.members.get("detail", ""))
        self.cure = str(self.members.get("cure", ""))
        super().__init__(f"{self.detail} {self.cure} ({self.status} {self.code})")

    def __reduce__(self) -> tuple[type[Problem], tuple[dict[str, Any]]]:
        """Pickle support: rebuild from the members."""
        return type(self), (self.members,)


class Unauthorised(Problem):
    """Unknown client, wrong secret or invalid token."""


class Forbidden(Problem):
    """The caller may not do this."""


class NoConsent(Forbidden):
    """The person's agreement is not on record: ask the person, then record it."""


class NoConvention(Forbidden):
    """No convention in force covers it."""


class NotFound(Problem):
    """It does not exist, or the caller may not see it."""


class Conflict(Problem):
    """The current state does not allow it."""


class NotAllowed(Conflict):
    """The action is not open to the caller in this status."""

    @property
    def actions(self) -> list[str]:
        """Actions open to the caller now."""
        return [str(each) for each in self.members.get("actions", ())]


class Stale(Problem):
    """The item changed since it was read (`if_match`)."""


class Invalid(Problem):
    """The request has the wrong form."""

    @property
    def fields(self) -> dict[str, str]:
        """Field → what is wrong with it."""
        return {str(each["at"]): str(each["problem"]) for each in self.members.get("fields", ())}


class Unavailable(Problem):
    """The hub was unavailable until the client's patience ended."""


_OF_CODE: Mapping[str, type[Problem]] = {
    "no_consent": NoConsent,
    "no_convention": NoConvention,
    "transition_not_allowed": NotAllowed,
}
_OF_STATUS: Mapping[int, type[Problem]] = {
    400: Invalid,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Stale,
    413: Invalid,
    422: Invalid,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def problem_of(reply: httpx.Response) -> Problem:
    """The exception for an error response of the hub, or of a proxy before it."""
    try:
        said = reply.json()
    except ValueError:
        said = None
    if not isinstance(said, dict) or "code" not in said:
        said = {
            "code": f"http_{reply.status_code}",
            "detail": f"Something answered {reply.status_code} in a form that is not the hub's.",
            "cure": "Check the hub's address, and what stands between you and it.",
        }
    kind = _OF_CODE.get(str(said["code"])) or _OF_STATUS.get(reply.status_code, Problem)
    return kind(said | {"status": reply.status_code})
