"""Python client for partners' systems: typed calls, blocking or async; errors are exceptions.

It needs httpx, httpx-sse and pydantic only. Usage: docs/how-to/python-client.md.
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
