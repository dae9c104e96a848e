"""What calls answer of imports."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from jalons.web.answers import Answers
from schemas import codes


class ImportTaken(TypedDict):
    """rows: how many the file has. outside: what stands beside the table. `GET /imports/{import_id}` says the rest."""

    import_id: UUID
    dry_run: bool
    rows: int
    outside: NotRequired[list[str]]


class RowFault(TypedDict):
    """A cell that is wrong: its heading, what is wrong with it, and what is allowed."""

    column: str
    code: str
    problem: str
    field: NotRequired[str]
    allowed: NotRequired[list[str]]


class ImportedRow(TypedDict):
    """What became of a row. code, cause, cure: why it was refused. differs: headings."""

    row: int
    outcome: Literal["done", "already_done", "refused"]
    ref: NotRequired[codes.Reference]
    code: NotRequired[str]
    cause: NotRequired[str]
    cure: NotRequired[str]
    faults: NotRequired[list[RowFault]]
    differs: NotRequired[list[str]]


class Import(TypedDict):
    """How far an import is: how many rows ended how, and a page of them."""

    import_id: UUID
    dry_run: bool
    status: Literal["working", "finished"]
    made: datetime
    finished: datetime | None
    rows: int
    done: int
    already_done: int
    refused: int
    outside: NotRequired[list[str]]
    items: list[ImportedRow]
    next: NotRequired[str]


ANSWERS: Answers = {
    ("POST", "/imports"): ImportTaken,
    ("GET", "/imports/mapping"): dict[str, str],
    ("PUT", "/imports/mapping"): dict[str, str],
    ("GET", "/imports/{import_id}"): Import,
}
