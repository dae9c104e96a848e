"""Logs go to stderr, one line per event; libraries that would log the content of records are silenced."""

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
    "uvicorn": logging.ERROR,
    "uvicorn.access": logging.CRITICAL,
    "sqlalchemy": logging.CRITICAL,
    "asyncio": logging.ERROR,
}
"""Libraries that log addresses, records or tracebacks. The hub logs itself what matters of it."""


def configure(service: str, level: str) -> None:
    """Configure the process's logging; called once, at start."""
    form = f"%(asctime)s {service} %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=level, format=form, force=True)
    quieten()


def quieten() -> None:
    """Silence the libraries; all that a command does which prints its own results."""
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
