"""What a page's request carries: who reads it, and the form, whose size is limited before it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from fastapi import Depends, Query, Request

from jalons.clock import new_id, now
from jalons.web.identity import Principal
from schemas.codes import Language
from services.referrals.pages.words import Words, chosen
from services.referrals.work import Call

MOST_BYTES = 8_000
_MOST_FIELDS = 30

OPENAPI_FORM = {
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
"""The request body in the OpenAPI document; the fields are the page's own."""


@dataclass(frozen=True)
class Reader:
    """Who reads the page. language: of `?language=`. accepted: the header Accept-Language. address: the client's."""

    language: str | None
    accepted: str | None
    address: str

    def words(self, on_record: str | None = None) -> Words:
        """The catalogue to read in. on_record: the language of the partner's record."""
        return chosen(self.language, on_record, self.accepted)


def reader(
    request: Request,
    language: Annotated[Language | None, Query(description="the page's language, instead of the partner's own")] = None,
) -> Reader:
    """A dependency: the reader of a page."""
    return Reader(language, request.headers.get("accept-language"), caller_address(request))


PageReader = Annotated[Reader, Depends(reader)]


@dataclass(frozen=True)
class SubmittedForm:
    """A form as it was sent. fields: name → text. digest: tells a repeat from another form. too_large: not read."""

    fields: Mapping[str, str]
    digest: bytes
    too_large: bool = False

    @property
    def key(self) -> str | None:
        """The random key that the page was given, so that submitting it twice records it once; None without one."""
        try:
            return str(UUID(self.fields.get("key", "")))
        except ValueError:
            return None


async def submitted_form(request: Request) -> SubmittedForm:
    """A dependency: the form of the request; without fields if the body is not a form."""
    body = await request.body()
    digest = hashlib.sha256(b"\0".join([b"FORM", request.scope["path"].encode(), body])).digest()
    if len(body) > MOST_BYTES:
        return SubmittedForm({}, digest, too_large=True)
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        return SubmittedForm({}, digest)
    return SubmittedForm({name: text.strip() for name, text in pairs}, digest)


Submitted = Annotated[SubmittedForm, Depends(submitted_form)]


def new_key() -> str:
    """A key for a page's form."""
    return str(uuid4())


def page_call(client: str, partner: str | None, form: SubmittedForm | None = None) -> Call:
    """A call made through a page. client: what the audit names as the client, since a page has none of its own."""
    version = form.fields.get("version", "") if form else ""
    return Call(
        id=new_id(),
        principal=Principal(client, partner, frozenset({"partner"} if partner else ())),
        now=now(),
        key=form.key if form else None,
        if_match=f'"{version}"' if version.isdecimal() else None,
        request=form.digest if form else b"",
        actor=client,
    )


def caller_address(request: Request) -> str:
    """The client's address: the connection's own, or the one that a proxy of JALONS_TRUSTED_PROXIES vouches for."""
    return request.client.host[:60] if request.client else "unknown"
