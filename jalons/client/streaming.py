"""Where a stream is: after it breaks it resumes after the last complete event."""

from __future__ import annotations

import json
from dataclasses import dataclass

from httpx_sse import ServerSentEvent

from jalons.client.exchange import Answer, Call


@dataclass
class Resumable:
    """call: the next request. pause: seconds to wait before it, as the hub asks for."""

    call: Call
    pause: float = 2.0

    def receive(self, sent: ServerSentEvent) -> Answer | None:
        """The event as `GET /events` has it, with its `cursor`; None if what was sent carries no event."""
        if sent.retry is not None:
            self.pause = sent.retry / 1000
        if not sent.data:
            return None
        self.call = self.call.after(sent.id)
        return Answer({"cursor": sent.id, **json.loads(sent.data)})
