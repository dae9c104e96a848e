"""`/mailbox`: the mails that the mail catcher holds, where mail is caught instead of sent."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from jalons.web.identity import Principal, require
from jalons.web.problems import Problem

Reader = Annotated[Principal, Depends(require("operator"))]


class CaughtMail(BaseModel):
    """A mail as it would have been sent."""

    to: str
    subject: str
    text: str
    html: str
    sent_at: datetime


class CaughtMails(BaseModel):
    """more: whether there are older ones than `limit` let through."""

    items: list[CaughtMail]
    more: bool


def mailbox_routes(folder: Path | None) -> APIRouter:
    """`GET /mailbox`. folder: the catcher's Maildir; None where mail is really sent."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/mailbox", summary="Mails that the mail catcher holds, newest last (scope operator)")
    def mailbox(_caller: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> CaughtMails:
        if folder is None:
            raise Problem(
                404, "no_mail_catcher", "Mail is sent here, not caught.", "GET /deliveries says what became of it."
            )
        found = sorted((each.stat().st_mtime, each) for part in ("new", "cur") for each in (folder / part).glob("*"))
        items = [_read(path, at) for at, path in found[-limit:]]
        return CaughtMails(items=items, more=len(found) > limit)

    return routes


def _read(path: Path, at: float) -> CaughtMail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return CaughtMail(
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        sent_at=datetime.fromtimestamp(at, UTC),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
