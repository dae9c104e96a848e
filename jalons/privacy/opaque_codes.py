"""An opaque code names a thing in a partner's own words, and is never free text: a name, a number or an address.

Dossier numbers, references of an agreement's paper, and the codes of staff are all of one pattern.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from jalons.privacy.national_number import holds_control_character, holds_national_number, is_uuid
from jalons.privacy.references import ALPHABET, check_digit, is_checked, typed

PATTERN = r"^[A-Za-z0-9./_ -]*[0-9][A-Za-z0-9./_ -]*$"
"""The pattern as the API documents state it; blanks are taken out before the code is measured and kept."""
_CODE = re.compile(r"(?=.*[0-9])[A-Za-z0-9./_-]{1,36}", re.ASCII)
_TELEPHONE = re.compile(r"(?:0|0032|32)[1-9]\d{7,8}|00[1-9]\d{8,13}", re.ASCII)
"""Belgian numbers, fixed (8 digits after the prefix) and mobile (9), and any with an international prefix."""
_MOBILE = re.compile(r"(?:0|0032|32)4[5-9]\d{7}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{32}")
"""A UUID without its dashes."""
_SPOKEN_LETTERS = 7


class NotOpaque(ValueError):
    """A text that is no opaque code. The message says what is allowed, and never repeats the text."""


def opaque(text: str) -> str:
    """A code as it is stored, without blanks. Raises NotOpaque."""
    code = "".join(unicodedata.normalize("NFKC", text).split())
    if holds_control_character(text) or not _CODE.fullmatch(code):
        raise NotOpaque(
            "not a code: 1 to 36 letters (without accents), digits and . / _ -, with at least one digit; never a name"
        )
    if is_uuid(code) or _HEX.fullmatch(code):
        return code
    if holds_national_number(code):
        raise NotOpaque("looks like a national register number; use a number of your own")
    if _reads_as_telephone(code):
        raise NotOpaque("reads as a telephone number; put a letter before it, or use a number of your own")
    return code


def _reads_as_telephone(code: str) -> bool:
    """Whether a code of bare digits, or a run of digits beside letters, reads as a telephone number. Separators do not
    count. Beside letters only a mobile number does: few dossier numbers have its prefix and its length."""
    runs = re.findall(r"[0-9]+", re.sub(r"[./_-]", "", code))
    alone = not re.search(r"[A-Za-z]", code)
    return any((_TELEPHONE if alone else _MOBILE).fullmatch(run) for run in runs)


def new_dossier_code() -> str:
    """A random spoken dossier code such as `D-7K4M-2QX`, for a person whose home partner gives no number of its own.

    Six characters of Crockford base 32 and a check character, as a spoken reference has; at least one is a digit.
    """
    while True:
        drawn = "".join(secrets.choice(ALPHABET) for _ in range(_SPOKEN_LETTERS - 1))
        code = drawn + check_digit(drawn)
        if any(each.isdigit() for each in code):
            return f"D-{code[:4]}-{code[4:]}"


def dossier_code(text: str) -> str | None:
    """A spoken dossier code as it is stored, from one somebody typed (`d7k4m2qx`); None if it is none."""
    letters = "".join(c for c in text.upper() if c.isalnum())
    code = typed(letters[1:])
    if letters[:1] != "D" or len(code) != _SPOKEN_LETTERS or not is_checked(code):
        return None
    return f"D-{code[:4]}-{code[4:]}"


_MEANING = "your own code: 1 to 36 letters, digits and . / _ -, with a digit; no name, no telephone number"
SCHEMA = {"type": "string", "minLength": 1, "maxLength": 36, "pattern": PATTERN, "description": _MEANING}
"""How the API documents describe one."""
OpaqueCode = Annotated[str, AfterValidator(opaque), WithJsonSchema(SCHEMA)]
"""The type of a body's field that is an opaque code."""
