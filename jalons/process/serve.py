"""One service as one process: HTTP, the parts beside it and the consumer; if one of them ends, the process ends."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import resource
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI

from jalons import clock
from jalons.messaging.consumer import Consumer
from jalons.process import logs, metrics
from jalons.process.parts import Parts, end_process
from jalons.process.settings import ServiceName, Settings
from jalons.web.heads import protocol

log = logging.getLogger(__name__)

STOP_SECONDS = 10
"""A process that was asked to stop ends itself after this long, whatever hangs."""


@dataclass
class Service:
    """What `services.X.service.build(settings)` returns: wired, with nothing opened.

    parts: run beside HTTP, and stopped before it. consumer: None in a service that follows no other.
    """

    name: ServiceName
    app: FastAPI
    parts: Parts
    consumer: Consumer | None = None


def serve(name: ServiceName, settings: Settings) -> None:
    """Run one service until SIGTERM or SIGINT, and return when it has stopped. Ends the process if it cannot go on."""
    logs.configure(name, settings.log_level)
    clock.follow(settings.test_clock)
    _open_many_files()
    metrics.begin_at_zero(name)
    service: Service = importlib.import_module(f"services.{name}.service").build(settings)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # for Faust too, whose threads make their own loops
    asyncio.run(_run(service, settings))


def _open_many_files() -> None:
    """Use all the file descriptors the machine allows: each connection takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(service: Service, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = _server(service, settings)
    working = {asyncio.create_task(server.serve(), name="http")}
    if service.consumer:
        working.add(asyncio.create_task(service.consumer.run(service.parts.heartbeat("consumer")), name="consumer"))
    service.parts.start()
    asked = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({*working, asked}, return_when=asyncio.FIRST_COMPLETED)
    for task in done - {asked}:
        error = task.exception()
        log.error("%s ended (%s); ending the process", task.get_name(), type(error).__name__ if error else "no error")
    await _shut_down(service, server, working)
    if not stop.is_set():
        end_process()


async def _shut_down(service: Service, server: uvicorn.Server, working: set[asyncio.Task[Any]]) -> None:
    """Begin nothing new, finish what is under way, close HTTP last. A timer ends the process if something hangs."""
    guard = threading.Timer(STOP_SECONDS, end_process, args=(0,))
    guard.daemon = True
    guard.start()
    server.should_exit = True
    if service.consumer:
        service.consumer.stop()
    await asyncio.to_thread(service.parts.stop)
    await asyncio.wait(working, timeout=STOP_SECONDS)
    guard.cancel()


class _Server(uvicorn.Server):
    """HTTP inside a process that handles its signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: HTTP closes last."""
        yield


def _server(service: Service, settings: Settings) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            service.app,
            host=settings.host,
            port=settings.port(service.name),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            http=protocol(settings.trusted_proxies),
            ws="none",
            proxy_headers=True,
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=5,
        )
    )
