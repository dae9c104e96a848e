"""The example of each request body, for the documents; a test parses each as the body of its call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.referrals.activities import bodies as activities
from services.referrals.acts import bodies as acts
from services.referrals.agreements import bodies as agreements
from services.referrals.clock import bodies as clock
from services.referrals.codes import bodies as codes
from services.referrals.directory import bodies as directory
from services.referrals.identity import bodies as identity
from services.referrals.imports import bodies as imports
from services.referrals.needs import bodies as needs
from services.referrals.persons import bodies as persons

_ROOMS = (acts, activities, agreements, clock, codes, directory, identity, imports, needs, persons)

EXAMPLES: Mapping[tuple[str, str], Any] = {call: body for room in _ROOMS for call, body in room.EXAMPLES.items()}
"""Method and path → a body that the call accepts."""
