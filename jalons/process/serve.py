"""One service as one process: HTTP, relay, consumer and clocks side by side; if what matters ends, the process ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg
import uvicorn
import uvloop
from fastapi import FastAPI

from jalons import clock
from jalons.database import direct
from jalons.messaging.consumer import Consumer
from jalons.priority import give_way
from jalons.process import logs
from jalons.process.settings import ServiceName, Settings
from jalons.whole import WholeAnswers

log = logging.getLogger(__name__)

STOP_SECONDS = 10
"""Once asked to stop, the process ends itself after this long, whatever hangs."""


class Part(Protocol):
    """Something that works in threads of its own beside HTTP."""

    def start(self) -> None:
        """Begin; must not wait for a server."""

    def stop(self) -> None:
        """Ask for the end."""


@dataclass
class Service:
    """What `services.X.service.build(settings)` gives: wired, nothing opened.

    parts: started after HTTP and stopped before it. consumer: None in a service that follows nobody. stopping: set
    when the process is asked to end, so that blocking loops return. nice: what it yields to the others on a busy
    machine, 0 to 19, by how long those who wait for what it does can wait.
    """

    name: ServiceName
    app: FastAPI
    parts: Sequence[Part] = ()
    consumer: Consumer | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    nice: int = 0


def serve(name: ServiceName, settings: Settings) -> None:
    """Run one service until SIGTERM or SIGINT; returns when it has stopped. Raises SystemExit if it had to give up."""
    logs.configure(name, settings.log_level)
    clock.follow(settings.test_clock)
    module = importlib.import_module(f"services.{name}.service")
    service: Service = module.build(settings)
    gc.collect()
    gc.freeze()  # what was imported lives as long as the process: no collection need look at it again
    gc.set_threshold(10_000, 20, 20)
    give_way(service.nice)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # for Faust too, whose threads make loops of their own
    with asyncio.Runner() as runner:
        runner.run(_run(service, settings))


def end_process(code: int = 70) -> None:
    """End at once, without cleaning up: what has to survive is in PostgreSQL or Kafka."""
    logging.shutdown()
    os._exit(code)


async def _run(service: Service, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    holder = InstanceLock(settings, service.name) if settings.instance else None
    if holder:
        holder.start()
    server = _server(service, settings)
    tasks: set[asyncio.Task[Any]] = {
        asyncio.create_task(server.serve(), name="http"),
        asyncio.create_task(stop.wait(), name="stop"),
    }
    for part in service.parts:
        part.start()
    if service.consumer:
        tasks.add(asyncio.create_task(service.consumer.run(), name="consumer"))
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    failed = next((task for task in done if not task.cancelled() and task.exception()), None)
    if failed:
        log.error("%s ended: %s; ending the process", failed.get_name(), type(failed.exception()).__name__)
    await _stop(service, server, tasks)
    if holder:
        holder.stop()
    if not stop.is_set():
        end_process()


async def _stop(service: Service, server: uvicorn.Server, tasks: set[asyncio.Task[Any]]) -> None:
    """In order: no new work, what is in hand, then HTTP; a guard ends the process if something hangs."""
    guard = threading.Timer(STOP_SECONDS, end_process, args=(0,))
    guard.daemon = True
    guard.start()
    service.stopping.set()
    server.should_exit = True
    if service.consumer:
        service.consumer.stop()
    await asyncio.gather(*(asyncio.to_thread(part.stop) for part in service.parts), return_exceptions=True)
    waiting = {task for task in tasks if task.get_name() != "stop"}
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait(waiting, timeout=STOP_SECONDS)
    for task in tasks:
        task.cancel()
    guard.cancel()


class _Server(uvicorn.Server):
    """HTTP as one part of the process among others."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process handles its signals itself: HTTP stops last."""
        yield

    async def main_loop(self) -> None:
        """Look once a second, not ten times: an idle hub pays for each look."""
        while not self.should_exit:
            await self.on_tick(0)
            await asyncio.sleep(1)


def _server(service: Service, settings: Settings) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            service.app,
            host=settings.host,
            port=settings.port(service.name),
            log_config=None,
            access_log=False,
            lifespan="off",
            http=WholeAnswers,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )


class InstanceLock:
    """Holds the advisory lock on this worker's static id. Taken elsewhere: the process refuses to go on.

    While the database is away nobody can know; the lock is asked for again until it answers, and again if it is lost.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="instance-lock", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Let go."""
        self._stopping.set()

    def _run(self) -> None:
        name = f"instance {self._service} {self._settings.instance}"
        while not self._stopping.is_set():
            try:
                with direct(self._settings.direct_url, self._service, "instance") as conn:
                    row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)).fetchone()
                    if not row or not row[0]:
                        self._refuse()
                        return
                    while not self._stopping.wait(5):
                        conn.execute("SELECT 1")
            except psycopg.Error:
                self._stopping.wait(1)

    def _refuse(self) -> None:
        log.error(
            "another %s runs as JALONS_INSTANCE=%s; give each worker a name of its own",
            self._service,
            self._settings.instance,
        )
        end_process(78)
