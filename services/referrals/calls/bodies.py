"""What every request body is made of: closed lists, bounded texts, no unknown field, no national number in any text.

The bodies of a room's calls are in its own `bodies.py`.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from jalons.privacy.references import normalise
from jalons.web.problems import refuse_unsafe_text
from schemas import codes
from services.referrals.directory.communes import nis


def spoken(text: str) -> str:
    """A spoken reference in its stored form. Raises ValueError."""
    reference = normalise(text)
    if reference is None:
        raise ValueError("neither an id nor a spoken reference such as R-7K4M-2QX")
    return reference


def visible(text: str) -> str:
    """A text in composed form. Raises ValueError if it has characters that cannot be seen, or turn its direction."""
    composed = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(c) == "Cf" or c in _BLANK_LETTERS for c in composed):
        raise ValueError("has characters that cannot be seen or that turn the direction of writing")
    return composed


def named(text: str) -> str:
    """A name. Raises ValueError if it has no letter."""
    if not any(c.isalpha() for c in text):
        raise ValueError("has no letter")
    return text


_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5")
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(visible)]
Name = Annotated[Text, AfterValidator(named)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()./-]{3,30}$")]
Commune = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,5}$"), AfterValidator(nis)]
Day = Annotated[date, Field(ge=date(1950, 1, 1), le=date(2199, 12, 31))]
"""Not before 1892: until then the offset of Brussels had seconds, which RFC 3339 cannot express."""
Days = Annotated[int, Field(ge=1, le=365)]
Spoken = UUID | Annotated[str, AfterValidator(spoken), WithJsonSchema(TypeAdapter(codes.Reference).json_schema())]


class Body(BaseModel):
    """The base of every request body."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        refuse_unsafe_text(self.__dict__)
        return self


class Dated(Body):
    """The base of bodies of acts that may have happened on an earlier day."""

    happened_on: Day | None = None
