"""The form of each answer that routes put together themselves, for the documents."""

from __future__ import annotations

from jalons.web.answers import Answers
from services.referrals.activities import answers as activities
from services.referrals.acts import answers as acts
from services.referrals.clock import answers as clock
from services.referrals.codes import answers as codes
from services.referrals.directory import answers as directory
from services.referrals.identity import answers as identity
from services.referrals.imports import answers as imports
from services.referrals.needs import answers as needs
from services.referrals.persons import answers as persons

_ROOMS = (acts, activities, clock, codes, directory, identity, imports, needs, persons)

ANSWERS: Answers = {call: form for room in _ROOMS for call, form in room.ANSWERS.items()}
