"""Reads a partner's own table as referrals; a table that could name a person is refused whole."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from jalons.privacy.national_number import holds_national_number

MOST_ROWS = 20_000
_MOST_UNPACKED = 200 * 1024 * 1024
"""Bytes. A workbook is a zip file, and a small one may unpack to any size."""

HEADINGS: dict[str, tuple[str, ...]] = {
    "local_ref": ("dossier", "n dossier", "numero de dossier", "reference interne"),
    "age_band": ("age", "tranche d age"),
    "sex": ("sexe", "genre"),
    "commune_nis": ("commune", "code postal", "ins", "nis"),
    "education": ("niveau d etudes", "etudes", "diplome"),
    "status": ("statut", "situation"),
    "household": ("menage", "situation familiale"),
    "obstacles": ("freins", "obstacles"),
    "recipient": ("destinataire", "partenaire", "operateur"),
    "offer": ("offre",),
    "moment": ("moment",),
    "reason": ("motif", "raison"),
    "goal": ("objectif", "but"),
    "chosen_by": ("choisi par", "choix"),
    "contact": ("contact", "prise de contact"),
    "happened_on": ("date", "date du relais"),
    "channel": ("accord", "canal de l accord"),
    "attributes": ("donnees partagees",),
    "expires_on": ("accord jusqu au", "fin de l accord"),
    "evidence_ref": ("preuve", "reference de l accord"),
    "ref": ("relais",),
}
"""Field → the headings recognised for it without a mapping, as `plain` writes them, besides its own name."""

ANSWERS: Mapping[str, str] = {
    "beneficiary": "Bénéficiaire",
    "referrer": "Envoyé par",
    "state": "État du relais",
    "reply_by": "Réponse attendue pour le",
    "first_contact_on": "Premier contact le",
    "place": "Lieu",
    "rank": "Rang d'attente",
    "expected_on": "Place attendue le",
    "decline_reason": "Refusé pour",
    "declined_by": "Refusé par",
    "started_on": "Commencé le",
    "outcome": "Résultat",
    "stop_reason": "Arrêté pour",
    "redirected_reference": "Remplacé par",
    "changed": "Modifié le",
}
"""Field → heading of the columns that an exported table has in addition. An import ignores them."""

_WHO = ("nom", "noms", "prenom", "prenoms", "naissance", "niss", "inss", "nationalite")
_WHERE = ("adresse", "rue", "telephone", "gsm", "mobile", "courriel", "email", "mail")
_NAMING = frozenset((*_WHO, *_WHERE))
_PROFILE = ("age_band", "sex", "commune_nis", "education", "status", "household", "obstacles")
_AGREEMENT = ("channel", "attributes", "expires_on", "evidence_ref")
_DATES = frozenset({"happened_on", "expires_on"})
_LISTS = frozenset({"obstacles", "attributes"})
LIST_OF = {
    **{
        field: field
        for field in ("age_band", "sex", "education", "household", "moment", "goal", "chosen_by", "contact")
    },
    "status": "person_status",
    "obstacles": "obstacle",
    "reason": "referral_reason",
    "channel": "consent_channel",
    "attributes": "attribute",
}
"""Field → the closed list of its codes."""
Labels = Mapping[str, Mapping[str, str]]
"""Field → label of a code, as `plain` writes it → the code."""
_OF_PERSON = ("local_ref", "age_band", "sex", "commune_nis", "education", "status", "household")
REQUIRED = (*_OF_PERSON, "recipient", "moment", "reason", "goal", "chosen_by", "contact")
"""The fields that every table must have a column for."""
IGNORED = "-"
"""The field to which a mapping maps a column that is to be left out."""


class NotTaken(Exception):
    """The file as a whole is refused, with the code, cause and cure of a problem."""

    def __init__(self, code: str, cause: str, cure: str) -> None:
        super().__init__(code)
        self.code = code
        self.cause = cause
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Sheet:
    """Headings, and rows of as many cells. A row's number is its line in the file; the headings are line 1."""

    headings: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read(content: bytes) -> Sheet:
    """CSV (`;`, `,` or tab; UTF-8 or Windows-1252) or XLSX (its first sheet). Raises NotTaken."""
    lines = _workbook(content) if content.startswith(b"PK\x03\x04") else _separated(content)
    numbered = [(number, cells) for number, cells in enumerate(lines, 1) if any(cells)]
    if len(numbered) < 2:
        raise NotTaken(
            "empty", "There is a heading at most, and no row.", "Send a file with one row for each referral."
        )
    if len(numbered) > MOST_ROWS + 1:
        raise NotTaken("too_many_rows", f"There are over {MOST_ROWS} rows.", "Send it in parts.")
    headings = tuple(numbered[0][1])
    width = len(headings)
    rows = tuple((number, (*cells[:width], *[""] * (width - len(cells)))) for number, cells in numbered[1:])
    return Sheet(headings, rows)


def columns(sheet: Sheet, mapping: Mapping[str, str]) -> dict[str, int]:
    """The column of each field. mapping: the partner's own headings → field or IGNORED. Raises NotTaken.

    A file is refused if a column, mapped or not, names a person, or if any cell holds a national number.
    """
    own = {plain(heading): field for heading, field in mapping.items()}
    found: dict[str, int] = {}
    unknown = []
    for column, heading in enumerate(sheet.headings):
        text = plain(heading)
        field = own.get(text) or _KNOWN.get(text)
        if field not in HEADINGS and _NAMING & set(text.split()):
            raise NotTaken(
                "names_a_person",
                f"Column {column + 1} looks like a name, a birth date, an address or a number of a person.",
                "Take the column out: the hub must not receive it.",
            )
        if field is None:
            unknown.append(column + 1)
        elif field != IGNORED:
            if field in found:
                raise NotTaken("column_twice", f"Two columns are {field}.", "Take one out, or map it to `-`.")
            found[field] = column
    _refuse_national_numbers(sheet)
    if unknown:
        raise NotTaken(
            "unknown_columns",
            f"It is not known what these columns are: {', '.join(map(str, unknown))}.",
            "Map each heading to a field, or to `-` to leave it out: PUT /imports/mapping.",
        )
    missing = [field for field in REQUIRED if field not in found]
    if missing:
        raise NotTaken(
            "missing_columns", f"Missing: {', '.join(missing)}.", "Add the columns, or map your own to them."
        )
    return found


def referral(cells: Sequence[str], where: Mapping[str, int], labels: Labels) -> dict[str, Any]:
    """A row as the body of `POST /referrals`. A cell holds a code or its label."""
    texts = {field: text for field, column in where.items() if (text := unshielded(cells[column]))}
    texts.pop("ref", None)
    values: dict[str, Any] = {}
    for field, text in texts.items():
        if field in _DATES:
            values[field] = _day(text)
        elif field in _LISTS:
            values[field] = [_code(each, labels.get(field, {})) for each in re.split(r"[|,/+]", text) if each.strip()]
        else:
            values[field] = text if field in {"local_ref", "evidence_ref"} else _code(text, labels.get(field, {}))
    profile = {field: values.pop(field) for field in _PROFILE if field in values}
    agreement = {field: values.pop(field) for field in _AGREEMENT if field in values}
    person = {"profile": profile} | ({"local_ref": values.pop("local_ref")} if "local_ref" in values else {})
    return values | {"person": person} | ({"agreement": agreement} if agreement else {})


def answered(cells: Sequence[str], where: Mapping[str, int]) -> str | None:
    """The reference in a row that the hub exported; None for a new row."""
    return cells[where["ref"]].strip() or None if "ref" in where else None


_FORMULA = tuple("=+-@＝＋－＠")
"""The first characters of a formula, with the full-width forms that some spreadsheets accept."""


def shielded(text: str) -> str:
    """A text as a cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def unshielded(cell: str) -> str:
    """A cell's text, without the quote that `shielded` put before it."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def plain(text: str) -> str:
    """Lower case, no accents, letters and digits only, one space between words."""
    bare = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", bare))


_KNOWN = {heading: field for field, known in HEADINGS.items() for heading in (plain(field), *known)} | {
    plain(heading): IGNORED for heading in ANSWERS.values()
}


def _refuse_national_numbers(sheet: Sheet) -> None:
    cells = ((0, sheet.headings), *sheet.rows)
    for number, texts in cells:
        if any(len(text) >= 11 and holds_national_number(text) for text in texts):
            raise NotTaken(
                "national_number",
                f"Row {number or 1} holds what looks like a national register number.",
                "Take it out of the file: the hub must not receive it.",
            )


def _code(text: str, labels: Mapping[str, str]) -> str:
    return labels.get(plain(text), text.strip())


def _day(text: str) -> str:
    """A date dd/mm/yyyy in ISO form; any other text unchanged, for the body's validation."""
    found = re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", text)
    if found is None:
        return text
    day, month, year = map(int, found.groups())
    return f"{year:04}-{month:02}-{day:02}"


def _separated(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            raise _unreadable() from None
    if "\0" in text:
        raise _unreadable()
    heading = text.partition("\n")[0]
    delimiter = max(";,\t", key=heading.count)
    try:
        return [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error:
        raise _unreadable() from None


def _workbook(content: bytes) -> Iterable[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > _MOST_UNPACKED:
                raise _unreadable()
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        return [[_text(cell) for cell in row] for row in sheet.to_python()]
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError):
        raise _unreadable() from None


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell).strip()


def _unreadable() -> NotTaken:
    return NotTaken(
        "unreadable",
        "The file is neither a CSV in UTF-8 or Windows-1252 nor an XLSX workbook.",
        "Save it again from your spreadsheet as « CSV UTF-8 » or « Excel (.xlsx) ».",
    )
