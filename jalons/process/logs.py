"""Logs are one line an event, on stderr; what libraries say about records' content is kept out of them."""

from __future__ import annotations

import logging
import sys

_QUIET = {
    "faust": logging.ERROR,
    "mode": logging.ERROR,
    "aiokafka": logging.CRITICAL,
    "kafka": logging.ERROR,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,
    "sqlalchemy": logging.CRITICAL,
    "asyncio": logging.ERROR,
}
"""Libraries that log addresses, records or whole tracebacks; what matters of it the hub says itself."""


def configure(service: str, level: str) -> None:
    """Set up the process' logging once, at the edge."""
    form = f"%(asctime)s {service} %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=level, format=form, force=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
