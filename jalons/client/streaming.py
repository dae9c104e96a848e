"""Server-sent events as they are heard line by line; a stream that broke goes on after the last whole event."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from jalons.client.exchange import Answer, Call


@dataclass
class Listening:
    """Where a stream is. call: what to ask, now and again each time that it has ended."""

    call: Call
    _pause: float = 2.0
    _heard: dict[str, str] = field(default_factory=dict)

    def hear(self, line: str) -> Answer | None:
        """An event once its last line is there: the event as `GET /events` has it, with its `position`."""
        if line:
            name, _, value = line.partition(":")
            self._heard[name] = value.removeprefix(" ")
            return None
        heard, self._heard = self._heard, {}
        if heard.get("retry", "").isdigit():
            self._pause = int(heard["retry"]) / 1000
        if "id" not in heard or "data" not in heard:
            return None
        position = int(heard["id"])
        self.call = self.call.after(position)
        return Answer({"position": position, **json.loads(heard["data"])})

    def again_in(self) -> float:
        """It ended: seconds until `call` is to be made. What came of an event that did not come whole is forgotten: it
        comes again."""
        self._heard = {}
        return self._pause
