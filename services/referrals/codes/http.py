"""Every closed list with its labels, for the forms of partners' systems."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Depends
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from schemas import codes
from schemas.reasons import LISTS, OF_THE_OFFER, PARENTS, UNMET_NEED, VERSION, Group
from services.referrals.calls.edge import Answer, Edge, call
from services.referrals.codes import commands
from services.referrals.codes import rows as store
from services.referrals.codes.bodies import FinerBody
from services.referrals.work import Call, Work

_LABELS = Path(__file__).with_name("labels")
_UNMET: dict[str, str] = {str(reason): of for reason, of in UNMET_NEED.items()}

Coordinator = Annotated[Call, Depends(call("coordinator"))]
Name = Annotated[codes.FinerCode, PathParameter()]
Reader = Annotated[Call, Depends(call("partner", "coordinator", "read:counts", "hub"))]


def routes(edge: Edge) -> APIRouter:
    """`/codes`."""
    router = APIRouter(tags=["directory"])

    @router.get("/codes", summary="Every closed list, its codes with labels and parents; the network's finer ones last")
    def every(_caller: Reader, language: Literal["fr"] = "fr") -> JSONResponse:
        def lists_now(conn: Connection) -> Answer:
            lists = {name: list(each) for name, each in labelled(language).items()}
            for row in store.every(conn):
                lists[row.pop("list")].append(row | {"finer": True})
            return Answer({"version": VERSION, "language": language, "lists": lists})

        return edge.read(lists_now)

    @router.put("/codes/{list}/{code}", summary="A finer reason of the network's own (coordinator)", status_code=201)
    def put(list: Name, code: Name, body: FinerBody, caller: Coordinator) -> JSONResponse:  # noqa: A002 - as the path says
        def put_code(work: Work) -> Answer:
            row, is_new = commands.put(work, list, code, body.parent, body.label)
            return Answer(dict(row), 201 if is_new else 200)

        return edge(caller, put_code)

    return router


@cache
def labelled(language: str) -> dict[str, list[dict[str, Any]]]:
    """Every closed list by name, its codes in order. `unmet_need` says which unmet need a decline reason records.

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
