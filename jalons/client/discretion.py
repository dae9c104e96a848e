"""Removes paths and queries of calls to the hub from httpx's log lines: they contain persons' references."""

from __future__ import annotations

import logging

import httpx

from jalons.client.exchange import Addresses

_LOG = logging.getLogger("httpx")


class Discretion(logging.Filter):
    """A logging filter; calls to other hosts are logged unchanged."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__()
        self._origins = addresses.origins()

    def begin(self) -> None:
        """Install the filter."""
        _LOG.addFilter(self)

    def end(self) -> None:
        """Remove the filter."""
        _LOG.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every line, with the hub's URLs shortened."""
        if isinstance(record.args, tuple):
            record.args = tuple(self._cut(each) if isinstance(each, httpx.URL) else each for each in record.args)
        return True

    def _cut(self, url: httpx.URL) -> httpx.URL:
        ours = (url.scheme, url.host, url.port) in self._origins
        return url.copy_with(path="/…", query=None) if ours else url
