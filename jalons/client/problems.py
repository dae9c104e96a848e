"""What a call may come to instead of an answer: each has a name to branch on, a cause and a cure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class HubError(Exception):
    """The call has no answer. `str` says cause and cure, in words fit for a log: nothing that was sent is in them."""


class Unreachable(HubError):
    """No answer came in time. A call that writes may have been done: the same key repeats it safely."""

    def __init__(self, service: str, why: Exception) -> None:
        super().__init__(
            f"{service} does not answer ({type(why).__name__})."
            " Check the hub's address and the network, then repeat the call with the same idempotency_key."
        )
        self.service = service


class Problem(HubError):
    """A refusal, as the hub said it (RFC 9457). code and status are what to build on; docs/reference/problems.md lists
    the codes.

    title, detail (the cause), cure: sentences. members: the whole answer.
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
        """Made again from what the hub said, so that it crosses from one process to another."""
        return type(self), (self.members,)


class Unauthorised(Problem):
    """The hub does not know the client or its secret, or takes no token of it."""


class Forbidden(Problem):
    """The caller may not do this."""


class NoConsent(Forbidden):
    """The person's agreement to this is not on record: ask the person, then record it."""


class NoConvention(Forbidden):
    """No convention in force covers it."""


class NotFound(Problem):
    """It is not there, or not the caller's to see."""


class Conflict(Problem):
    """What is there now does not let it be done."""


class NotAllowed(Conflict):
    """The act is not open to the caller in this status."""

    @property
    def actions(self) -> list[str]:
        """What is open to the caller now."""
        return [str(each) for each in self.members.get("actions", ())]


class Stale(Problem):
    """It changed since the caller read it (`if_match`)."""


class Invalid(Problem):
    """What was sent is not of the form the call takes."""

    @property
    def fields(self) -> dict[str, str]:
        """Where it is wrong → what is wrong there."""
        return {str(each["at"]): str(each["problem"]) for each in self.members.get("fields", ())}


class Unavailable(Problem):
    """The hub cannot take it on now, and could not for as long as the client was patient."""


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
    """The exception for an answer that is none, whoever gave it: the hub, or something before it."""
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
