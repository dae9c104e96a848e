"""Every closed list with its labels: what a partner's form offers, and what a reason reveals."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Depends

from schemas.reasons import LISTS, OF_THE_OFFER, PARENTS, UNMET_NEED, VERSION, Group
from services.referrals.api.edge import call
from services.referrals.work import Call

_LABELS = Path(__file__).parents[1] / "labels"
_UNMET: dict[str, str] = {str(reason): of for reason, of in UNMET_NEED.items()}

Reader = Annotated[Call, Depends(call("partner", "coordinator", "read:counts", "hub"))]


def routes() -> APIRouter:
    """`/codes`."""
    router = APIRouter(tags=["directory"])

    @router.get("/codes", summary="Every closed list, its codes with labels and parents")
    def codes(_caller: Reader, language: Literal["fr"] = "fr") -> dict[str, Any]:
        return {"version": VERSION, "language": language, "lists": labelled(language)}

    return router


@cache
def labelled(language: str) -> dict[str, list[dict[str, Any]]]:
    """Name of the list → its codes in their order. unmet_need: of what a decline for this reason is an unmet need.

    Raises KeyError for a code without a label.
    """
    labels = tomllib.loads((_LABELS / f"{language}.toml").read_text("utf-8"))
    lists = {**LISTS, "reason_group": get_args(Group)}
    return {name: [_code(name, code, labels[name][code]) for code in each] for name, each in lists.items()}


def _code(name: str, code: str, label: str) -> dict[str, Any]:
    known: dict[str, Any] = {"code": code, "label": label}
    if name in PARENTS:
        known["parent"] = PARENTS[name].get(code)
    if name == "decline_reason" and code in _UNMET:
        of = _UNMET[code]
        known["unmet_need"] = {"of": of} if of == OF_THE_OFFER else {"of": "obstacle", "obstacle": of}
    return known
