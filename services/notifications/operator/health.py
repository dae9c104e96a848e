"""Asks each service how it is, as `jalons doctor` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.notifications.operator.rules import Trouble

SILENT = "service"
_BACKUP = "jalons_backup_made_timestamp_seconds"


class Health:
    """urls: service → its address. transport: what answers instead of the network, in a test."""

    def __init__(self, urls: Mapping[str, str], transport: httpx.BaseTransport | None = None) -> None:
        self._urls = urls
        self._http = httpx.Client(timeout=httpx.Timeout(10, connect=3), transport=transport)

    def troubles(self) -> Sequence[Trouble]:
        """All that does not work, by service."""
        return [Trouble(service, part) for service, url in self._urls.items() for part in self._parts(url)]

    def last_backup(self) -> datetime | None:
        """When the newest backup was made; None if nobody knows."""
        try:
            text = self._http.get(f"{self._urls['referrals']}/metrics").text
            found = [
                sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == _BACKUP and sample.value
            ]
        except (httpx.HTTPError, ValueError):
            return None
        return datetime.fromtimestamp(max(found), UTC) if found else None

    def _parts(self, url: str) -> Sequence[str]:
        try:
            answer = self._http.get(f"{url}/health/ready").json()
            return sorted({**answer["waits_for"], **answer["degraded"]})
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return [SILENT]
