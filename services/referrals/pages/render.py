"""Every page is rendered with headers that keep it private: no script, no outside host, no cache, no referrer."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from services.referrals.pages.words import LANGUAGES, Words

_STYLE = files("services.referrals.pages").joinpath("templates", "page.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
}
"""The page's own style is allowed by its hash, so that injected markup cannot bring another."""


class Pages:
    """Renders templates. network: its name, shown in each page's header."""

    def __init__(self, network: str) -> None:
        self._network = network
        self._templates = Environment(
            loader=PackageLoader("services.referrals.pages", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, words: Words, status: int = 200, **context: Any) -> HTMLResponse:
        """A rendered page. context: the variables of its template; `t`, `w` and those of the frame are added here."""
        text = self._templates.get_template(f"{template}.html.j2").render(
            t=words.text,
            w=words,
            style=Markup(_STYLE),  # noqa: S704 - our own file
            languages=LANGUAGES,
            network=self._network,
            **context,
        )
        return HTMLResponse(text, status, {**HEADERS, "Content-Language": words.language})
