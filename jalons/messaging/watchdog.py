"""A consumer that delivers nothing although records wait ends its process; a supervisor starts a fresh one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from jalons.messaging.fuse import Partition
from jalons.messaging.kafka import reader
from jalons.process import metrics
from jalons.process.parts import CannotGoOn, Heartbeat, Part
from jalons.process.settings import Settings

CHECK_SECONDS = 10.0


class Stall:
    """Decides from the figures of each check whether a partition has delivered nothing for too long. Pure."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Partition, tuple[int, float]] = {}

    def check(
        self, ends: Mapping[Partition, int], delivered: Mapping[Partition, int], at: float, *, excused: bool
    ) -> Partition | None:
        """The partition that had records waiting and delivered none for `seconds`; None if there is none.

        ends: the offset after the last record. delivered: the last offset delivered. excused: a dependency is known to
        be away; that time does not count.
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
    """Compares the broker's end offsets, asked by a client of its own, with what was delivered.

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
    ) -> None:
        self._settings = settings
        self._service = service
        self._assigned = assigned
        self._delivered = delivered
        self._excused = excused
        self._stall = Stall(settings.watchdog_seconds)

    @property
    def part(self) -> Part:
        """The watchdog as a part of a process."""
        return Part("watchdog", self._run, passing=(KafkaError,), delay=CHECK_SECONDS)

    def _run(self, heartbeat: Heartbeat) -> None:
        client = reader(self._settings, f"jalons-{self._service}-watchdog", group=f"jalons-{self._service}")
        try:
            while not heartbeat.stopping.is_set():
                self._check(client)
                heartbeat.sleep(CHECK_SECONDS)
        finally:
            client.close()

    def _check(self, client: KafkaConsumer) -> None:
        partitions = [TopicPartition(*each) for each in self._assigned()]
        found = client.end_offsets(partitions) if partitions else {}
        ends = {(tp.topic, tp.partition): end for tp, end in found.items()}
        reached = self._reached(client, ends)
        self._report(ends, reached)
        if stuck := self._stall.check(ends, reached, time.monotonic(), excused=self._excused()):
            raise CannotGoOn(f"no record of {stuck} was delivered for {self._settings.watchdog_seconds} s")

    def _reached(self, client: KafkaConsumer, ends: Mapping[Partition, int]) -> dict[Partition, int]:
        """The last offset known to be delivered. The group is asked only for partitions that seem behind."""
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
