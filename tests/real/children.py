"""Servers that a test starts for itself: a process, the port it listens on, its log, and a way to end it.

Knows nothing of what the server is. Nothing here sleeps for a fixed time: a start is over when the port accepts, a stop when the
process has ended, and both have a patience. A child whose parent dies is told to end (`setpriv --pdeathsig`).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from select import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

_BETWEEN_TRIES = 0.02


class ChildFailed(Exception):
    """A server did not start, did not end, or ended by itself; the text holds the end of its log."""


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that the kernel chose and that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def program(*names: str) -> str | None:
    """The path of the first of `names` that this machine has; /usr/sbin is looked into as well."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    return None


class Child:
    """One server process. `with Child(…)` starts it and ends it."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        port: int,
        *,
        environment: Mapping[str, str] | None = None,
        patience: float = 30,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Starts nothing yet. `folder` is the working directory and holds the log; `port` (on 127.0.0.1) accepts once it is ready.

        `patience` is in seconds, for the start and for the end each.
        """
        self.command = list(command)
        self.folder = folder
        self.port = port
        self.log_file = folder / f"{Path(command[0]).name}-{port}.log"
        self._environment = {**os.environ, **(environment or {})}
        self.patience = patience
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """What the server has written so far, to standard output and standard error."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    def start(self) -> None:
        """Returns when the port accepts. Raises ChildFailed when the process ends first or the patience does."""
        leash = ["setpriv", "--pdeathsig", "TERM"] if program("setpriv") else []
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*leash, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment,
            )
        deadline = time.monotonic() + self.patience
        while not self._accepts():
            if self._ended(_BETWEEN_TRIES):
                raise ChildFailed(f"{self.command[0]} ended with {self._process.returncode}:\n{self.log()[-4000:]}")
            if time.monotonic() > deadline:
                self.stop()
                raise ChildFailed(f"{self.command[0]} did not listen within {self.patience} s:\n{self.log()[-4000:]}")

    def stop(self) -> int | None:
        """Ends the process and returns its exit status; None when it never started. Safe to call twice.

        Raises ChildFailed when it had to be killed.
        """
        process = self._process
        if process is None or process.returncode is not None:
            return None if process is None else process.returncode
        process.send_signal(self._stop_signal)
        try:
            return process.wait(self.patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ChildFailed(
                f"{self.command[0]} did not end within {self.patience} s:\n{self.log()[-4000:]}"
            ) from None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _ended(self, patience: float) -> bool:
        assert self._process is not None
        pidfd = os.pidfd_open(self._process.pid)
        try:
            select([pidfd], [], [], patience)
        finally:
            os.close(pidfd)
        return self._process.poll() is not None
