"""A page's form is read whole and bounded before anything is done with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from fastapi import Request

from jalons.clock import new_id, now
from jalons.web.identity import Principal
from services.referrals.work import Call

MOST_BYTES = 8_000
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"key": {"type": "string", "format": "uuid"}},
                    "additionalProperties": {"type": "string"},
                }
            }
        },
    }
}
"""For the document: a page's own fields."""
_MOST_FIELDS = 30


@dataclass(frozen=True)
class Form:
    """What a page sent. typed: field → text; too_large: it was not read; digest: tells a repeat from another form."""

    typed: Mapping[str, str]
    digest: bytes
    too_large: bool = False

    @property
    def key(self) -> str | None:
        """The random number that the page was given, so that pressing twice does once."""
        try:
            return str(UUID(self.typed.get("key", "")))
        except ValueError:
            return None


async def sent_form(request: Request) -> Form:
    """A dependency: the form. What is not one is an empty one."""
    body = await request.body()
    digest = hashlib.sha256(b"\0".join([b"FORM", request.scope["path"].encode(), body])).digest()
    if len(body) > MOST_BYTES:
        return Form({}, digest, too_large=True)
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        return Form({}, digest)
    return Form({name: text.strip() for name, text in pairs}, digest)


def new_key() -> str:
    """What a page carries so that its form is recorded once."""
    return str(uuid4())


def by_page(client: str, partner: str | None, form: Form | None = None) -> Call:
    """A call made through a page. client: what stands in the audit for who has no client of its own."""
    version = form.typed.get("version", "") if form else ""
    return Call(
        id=new_id(),
        principal=Principal(client, partner, frozenset({"partner"} if partner else ())),
        now=now(),
        key=form.key if form else None,
        if_match=f'"{version}"' if version.isdecimal() else None,
        request=form.digest if form else b"",
        actor=client,
    )
