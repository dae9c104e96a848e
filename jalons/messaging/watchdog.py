"""A consumer that stands still before waiting records ends its process; its supervisor starts a fresh one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from jalons.messaging.fuse import Partition
from jalons.messaging.kafka import reader
from jalons.process import metrics
from jalons.process.settings import Settings

log = logging.getLogger(__name__)

CHECK_SECONDS = 10.0


class Stall:
    """Decides, from what was seen at each check, whether a partition has stood still too long. Pure."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Partition, tuple[int, float]] = {}

    def check(
        self, ends: Mapping[Partition, int], delivered: Mapping[Partition, int], at: float, *, excused: bool
    ) -> Partition | None:
        """The partition that had records waiting and none delivered for `seconds`; None if all move.

        ends: the offset after the last record. excused: a dependency is known to be away; that time does not count.
        """
        for partition, end in ends.items():
            reached = delivered.get(partition, -1)
            if reached + 1 >= end or excused:
                self._since.pop(partition, None)
                continue
            before = self._since.get(partition)
            if before is None or before[0] != reached:
                self._since[partition] = (reached, at)
            elif at - before[1] > self._seconds:
                return partition
        for gone in self._since.keys() - ends.keys():
            del self._since[gone]
        return None


class Watchdog:
    """Asks the broker by a client of its own how far each assigned partition goes, and compares.

    Where this process has delivered nothing yet, or another member went further, the group's committed offset counts.
    """

    def __init__(
        self,
        settings: Settings,
        service: str,
        *,
        assigned: Callable[[], Iterable[Partition]],
        delivered: Callable[[], Mapping[Partition, int]],
        excused: Callable[[], bool],
        end_process: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._service = service
        self._assigned = assigned
        self._delivered = delivered
        self._excused = excused
        self._end_process = end_process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watchdog-{service}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch; does not wait."""
        self._stopping.set()

    def _run(self) -> None:
        stall = Stall(self._settings.watchdog_seconds)
        while not self._stopping.wait(CHECK_SECONDS):
            try:
                self._watch(stall)
            except KafkaError as error:
                log.info("the watchdog cannot ask the broker: %s", type(error).__name__)

    def _watch(self, stall: Stall) -> None:
        client = reader(self._settings, f"jalons-{self._service}-watchdog", group=f"jalons-{self._service}")
        try:
            while not self._stopping.wait(CHECK_SECONDS):
                partitions = list(self._assigned())
                asked = [TopicPartition(*p) for p in partitions]
                found = client.end_offsets(asked) if asked else {}
                ends = {(tp.topic, tp.partition): end for tp, end in found.items()}
                reached = self._reached(client, ends)
                self._report(ends, reached)
                stuck = stall.check(ends, reached, time.monotonic(), excused=self._excused())
                if stuck:
                    log.error("no record of %s delivered for %s s: ending", stuck, self._settings.watchdog_seconds)
                    self._end_process()
                    return
        finally:
            client.close()

    def _reached(self, client: KafkaConsumer, ends: Mapping[Partition, int]) -> dict[Partition, int]:
        """The last offset known to be delivered; the group is asked only where we seem behind."""
        delivered = self._delivered()
        reached = {partition: delivered.get(partition, -1) for partition in ends}
        for partition, end in ends.items():
            if reached[partition] + 1 < end:
                committed = client.committed(TopicPartition(*partition)) or 0
                reached[partition] = max(reached[partition], committed - 1)
        return reached

    def _report(self, ends: Mapping[Partition, int], reached: Mapping[Partition, int]) -> None:
        for (topic, partition), end in ends.items():
            lag = max(0, end - 1 - reached[topic, partition])
            metrics.CONSUMER_LAG.labels(self._service, topic, str(partition)).set(lag)
