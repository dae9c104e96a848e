"""A hub's services in ten lines, and `jalons up` with them: what is under test is what starts and watches them."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread

import psycopg
import typer

from jalons.embedded.stack import Stack
from jalons.process.settings import Settings

PRELOAD = ("jalons.embedded.stack", "jalons.embedded.mail", "jalons.process.settings", "aiosmtpd.smtp", "fakes")
FakeStack = partial(Stack, service="fakes:serve", migrate="fakes:migrate", preload=PRELOAD)


def migrate(settings: Settings) -> None:
    """A table that says how often it ran."""
    with psycopg.connect(settings.database_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO starts DEFAULT VALUES")


def serve(name: str, settings: Settings) -> None:
    """Ready at once; `/about` tells what a child is."""
    about = {"name": name, "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0)}
    about["modules"] = sorted(sys.modules)
    about["main"] = Path(str(getattr(sys.modules["__main__"], "__file__", ""))).name

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(about).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((settings.host, settings.port(name)), Handler)  # type: ignore[arg-type]
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    command = import_module("jalons.cli.up")  # by name: the package's `up` is the command itself
    command.Stack = FakeStack
    typer.run(command.up)
