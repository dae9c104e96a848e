"""The hub for partners' own systems, in Python: typed calls, blocking or awaited; refusals are exceptions.

It needs httpx, httpx-sse and pydantic only. How to use it: docs/how-to/python-client.md.
"""

from jalons.client.drivers import AsyncClient, Client
from jalons.client.exchange import Answer
from jalons.client.problems import (
    Conflict,
    Forbidden,
    HubError,
    Invalid,
    NoConsent,
    NoConvention,
    NotAllowed,
    NotFound,
    Problem,
    Stale,
    Unauthorised,
    Unavailable,
    Unreachable,
)

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "Conflict",
    "Forbidden",
    "HubError",
    "Invalid",
    "NoConsent",
    "NoConvention",
    "NotAllowed",
    "NotFound",
    "Problem",
    "Stale",
    "Unauthorised",
    "Unavailable",
    "Unreachable",
]
