"""httpx logs every address it calls; the hub's hold persons' references, so only service and method are let through."""

from __future__ import annotations

import logging

import httpx

from jalons.client.exchange import Addresses

_LOG = logging.getLogger("httpx")


class Discretion(logging.Filter):
    """Cuts path and query from the log lines of calls to the hub; calls to others are logged as ever."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__()
        self._origins = addresses.origins()

    def begin(self) -> None:
        """From now on."""
        _LOG.addFilter(self)

    def end(self) -> None:
        """No more."""
        _LOG.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every line through, some of them cut."""
        if isinstance(record.args, tuple):
            record.args = tuple(self._cut(each) if isinstance(each, httpx.URL) else each for each in record.args)
        return True

    def _cut(self, url: httpx.URL) -> httpx.URL:
        ours = (url.scheme, url.host, url.port) in self._origins
        return url.copy_with(path="/…", query=None) if ours else url
