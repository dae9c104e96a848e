"""Stores activities; they are deleted when their person is erased."""

from __future__ import annotations

from services.referrals import tables
from services.referrals.activities.rules import Activity
from services.referrals.statements.rows import Statements

ACTIVITIES = Statements(tables.activities, Activity)
