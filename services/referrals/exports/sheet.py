"""Referrals as a table: the columns that an import knows, and the columns that say what became of each referral."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from services.referrals.imports.sheet import ANSWERS, LIST_OF, shielded

CodeLabels = Mapping[str, Mapping[str, str]]
"""List → code → its label."""

TITLES: Mapping[str, str] = {
    "ref": "Relais",
    "local_ref": "Dossier",
    "age_band": "Âge",
    "sex": "Sexe",
    "commune_nis": "Commune",
    "education": "Études",
    "status": "Statut",
    "household": "Ménage",
    "obstacles": "Freins",
    "recipient": "Destinataire",
    "offer": "Offre",
    "moment": "Moment",
    "reason": "Motif",
    "goal": "Objectif",
    "chosen_by": "Choisi par",
    "contact": "Contact",
    "happened_on": "Date du relais",
}
"""Field → heading, of the columns that an import takes."""

COLUMNS: Mapping[str, str] = {**TITLES, **ANSWERS}
"""Every column in order: field → heading."""

_LISTS: Mapping[str, str] = {
    **LIST_OF,
    "state": "referral_status",
    "decline_reason": "decline_reason",
    "declined_by": "declined_by",
    "outcome": "referral_outcome",
    "stop_reason": "end_reason",
}


def fields(body: Mapping[str, Any], local_ref: str | None, sent_on: date | None, changed: date) -> dict[str, Any]:
    """A row's fields. body: the referral's sheet. It and the other arguments: as the reader sees them, None if not."""
    of_the_person = dict(body.get("disclosed") or {})
    of_the_act = {name: body.get(name) for name in COLUMNS if name not in of_the_person and name != "status"}
    return {
        **of_the_person,
        **of_the_act,
        "local_ref": local_ref,
        "state": body["status"],
        "happened_on": sent_on,
        "stop_reason": body.get("interrupt_reason") or body.get("cancel_reason"),
        "changed": changed,
    }


def text(rows: Iterable[Mapping[str, Any]], labels: CodeLabels) -> str:
    """Rows as CSV with `;`, codes as labels, days in ISO format."""
    return _csv([_cell(field, row.get(field), labels) for field in COLUMNS] for row in rows)


def heading() -> str:
    """The first line, after the byte order mark by which spreadsheets recognise UTF-8."""
    return "\ufeff" + _csv([list(COLUMNS.values())])


def _csv(rows: Iterable[list[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=";", lineterminator="\r\n").writerows(rows)
    return written.getvalue()


def _cell(field: str, value: Any, labels: CodeLabels) -> str:
    if value is None:
        return ""
    known = labels.get(_LISTS.get(field, ""), {})
    if isinstance(value, list | tuple):
        return shielded("|".join(known.get(each, each) for each in value))
    return shielded(known.get(value, value) if isinstance(value, str) else str(value))
