"""One process imports everything once; the services are forked from it and share those pages.

Run as `python -m jalons.embedded.nursery FD MODULE …`, it imports the modules, says so, and forks what it is told.
Not multiprocessing's fork server: that one runs the parent's main script again in each child, passes over a preload
that fails, is one per process however many hubs a test starts, and brings a second process that tracks resources.
Its children die with it, and it with the supervisor.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, NoReturn

from jalons.embedded.launch import die_with_parent
from jalons.embedded.process import Process, open_log, spawn


@dataclass
class Forked:
    """A child of the nursery, seen from the supervisor."""

    nursery: Nursery
    pid: int
    ended: int | None = None

    def poll(self) -> int | None:
        """As Popen's: the nursery says when it ended."""
        self.nursery.hear()
        return self.ended

    def send_signal(self, sig: int, /) -> None:
        """Nothing once it has ended."""
        if self.ended is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)


@dataclass
class Nursery:
    """The supervisor's side. Any thread may use it."""

    modules: Sequence[str]
    log: Path
    stop_signal: int = signal.SIGTERM
    _pipe: Connection | None = field(default=None, init=False)
    _imported: bool = field(default=False, init=False)
    _children: dict[int, Forked] = field(default_factory=dict, init=False)
    _turn: threading.RLock = field(default_factory=threading.RLock, init=False)

    def launch(self) -> Process:
        """Start (again); children of an earlier nursery have died with it."""
        self.lose_all()
        ours, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), *self.modules]
            process = spawn(command, log=self.log, cwd=Path.cwd(), pass_fds=[theirs.fileno()])
        with self._turn:
            self._pipe = ours
        return process

    def ready(self) -> bool:
        """Whether all is imported. A module that cannot be imported ends the nursery, its traceback in the log."""
        self.hear()
        return self._imported

    def fork(self, target: str, arguments: tuple[Any, ...], log: Path) -> Forked:
        """A child that calls `module:function`. ConnectionError when there is no nursery to fork it."""
        with self._turn:
            if not self.ready() or self._pipe is None:
                raise ConnectionError("the nursery is not ready")
            try:
                self._pipe.send((target, arguments, str(log)))
                while True:
                    kind, pid, code = self._pipe.recv()
                    if kind == "forked":
                        break
                    self._end(pid, code)
            except (OSError, EOFError) as error:
                self.lose_all()
                raise ConnectionError("the nursery ended") from error
            child = self._children[pid] = Forked(self, pid)
            return child

    def hear(self) -> None:
        """Take in what the nursery has said since."""
        with self._turn:
            try:
                while self._pipe and self._pipe.poll():
                    kind, pid, code = self._pipe.recv()
                    if kind == "imported":
                        self._imported = True
                    else:
                        self._end(pid, code)
            except (OSError, EOFError):
                self.lose_all()

    def _end(self, pid: int, code: int) -> None:
        if child := self._children.pop(pid, None):
            child.ended = code

    def lose_all(self) -> None:
        """Without the nursery nobody would say when they end: what it left is killed."""
        with self._turn:
            if self._pipe:
                self._pipe.close()
            self._pipe, self._imported = None, False
            for child in self._children.values():
                child.send_signal(signal.SIGKILL)
                child.ended = -signal.SIGKILL
            self._children.clear()


class _Forker:
    """The nursery's own side: a single thread, which only waits, forks and reaps."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.children: set[int] = set()
        self.woken, self.wake = socket.socketpair()
        self.wake.setblocking(False)
        self.woken.setblocking(False)

    def run(self) -> None:
        """Until the supervisor closes the pipe or SIGTERM."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake.fileno(), warn_on_full_buffer=False)
        self.pipe.send(("imported", 0, 0))
        try:
            while True:
                if self.pipe in wait([self.pipe, self.woken]):
                    self.fork(*self.pipe.recv())
                self.reap()
        except (EOFError, ConnectionError):
            return  # the supervisor is gone
        finally:
            for pid in self.children:
                os.kill(pid, signal.SIGTERM)

    def fork(self, target: str, arguments: tuple[Any, ...], log: str) -> None:
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # a child must not run the nursery's handler
        pid = os.fork()
        if pid == 0:
            self.be_child(parent, target, arguments, Path(log))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        self.children.add(pid)
        self.pipe.send(("forked", pid, 0))

    def reap(self) -> None:
        with suppress(BlockingIOError):
            self.woken.recv(1024)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self.children.discard(ended[0])
                self.pipe.send(("ended", ended[0], os.waitstatus_to_exitcode(ended[1])))

    def be_child(self, parent: int, target: str, arguments: tuple[Any, ...], log: Path) -> NoReturn:
        """Forget the nursery, then do what is asked; never returns into its loop."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            os.setsid()
            die_with_parent(parent, signal.SIGKILL)
            for end in (self.pipe, self.woken, self.wake):
                end.close()
            with open_log(log) as out:
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            module, _, function = target.partition(":")
            getattr(importlib.import_module(module), function)(*arguments)
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        except BaseException:  # noqa: BLE001 - the last frame of a process: it says what happened and ends
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def main(descriptor: int, modules: list[str]) -> None:
    """Import all, freeze what was made so that collecting garbage does not unshare it, and serve."""
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    _Forker(Connection(descriptor)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
