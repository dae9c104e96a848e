"""Request bodies of identity; the token request is a form and is read in `http.py`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class ResolveBody(BaseModel):
    """`POST /keys/resolve`."""

    model_config = ConfigDict(extra="forbid")

    subjects: list[Annotated[str, Field(max_length=100)]] = Field(max_length=1000)


EXAMPLES: dict[tuple[str, str], Any] = {
    ("POST", "/keys/resolve"): {"subjects": ["3f8a1c52-6d0e-4b7a-9c21-5e4d7f60a913"]},
}
