"""Parts at work in a test, without the process around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jalons.process.parts import Part, Parts


def at_work(*parts: Part) -> Parts:
    """These parts, started; the test stops them. One that cannot go on is left alone."""
    running = Parts("tests", end_process=lambda _code: None)
    running.add(*parts)
    running.start()
    return running


@contextmanager
def working(*parts: Part) -> Iterator[Parts]:
    """These parts, stopped at the end."""
    running = at_work(*parts)
    yield running
    running.stop()
