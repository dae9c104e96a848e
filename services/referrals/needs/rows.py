"""Stores needs; those of a person are deleted when the person is erased."""

from __future__ import annotations

from services.referrals import tables
from services.referrals.needs.rules import Need
from services.referrals.statements.rows import Statements

NEEDS = Statements(tables.needs, Need)
