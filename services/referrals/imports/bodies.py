"""Request bodies of imports; the file itself is multipart and is read in `http.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from services.referrals.calls.bodies import Text


class MappingBody(RootModel[dict[Text, Literal["-"] | Annotated[str, Field(pattern="^[a-z_]{2,20}$")]]]):
    """`PUT /imports/mapping`: heading → field, or `-` to leave the column out."""


EXAMPLES: dict[tuple[str, str], Any] = {
    ("PUT", "/imports/mapping"): {"Dossier": "local_ref", "Remarques": "-"},
}
