"""A scratch folder, ports of the kernel's choice, and servers that live exactly as long as the measurement.

Two runs at once do not meet: nothing here has a fixed port or path. Whatever was started is ended when the workshop is left,
by an exception or a signal too. Knows no server by name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from bench import cpu

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import FrameType, TracebackType

READY = 20.0
"""Seconds within which a server usually has to accept connections."""
PATIENCE = 5.0
"""Seconds between asking a server to end and ending it."""


class Failed(Exception):
    """A program needed for the measurement is missing, did not start or did not work; the message says which and why."""


class Running(NamedTuple):
    """A server that was started."""

    name: str
    pid: int


def free_port(addresses: Sequence[str] = ("127.0.0.1",)) -> int:
    """A TCP port free on every one of the addresses.

    The port is left in TIME_WAIT for a minute: a server (they all set SO_REUSEADDR) can bind it, while the kernel gives it to nobody
    else who asks for a free one, nor to an outgoing connection.
    """
    for _ in range(50):
        port = _reserve(addresses[0], 0)
        try:
            for address in addresses[1:]:
                _reserve(address, port)
        except OSError:
            continue
        return port
    raise Failed(f"no port is free on all of {', '.join(addresses)}")


def _reserve(address: str, port: int) -> int:
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(1)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.close()  # the listener's side closes first, so TIME_WAIT is its own
        port = listener.getsockname()[1]
    return int(port)


class Workshop:
    """A context manager: a temporary folder and the servers started in it."""

    def __init__(self) -> None:
        self._started: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.folder = Path()

    def __enter__(self) -> Self:
        self._on_term = signal.signal(signal.SIGTERM, _as_exception)
        self.folder = Path(tempfile.mkdtemp(prefix="exfront-bench-"))
        self.folder.chmod(0o755)  # servers started by root look at it with another user's eyes
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            with contextlib.ExitStack() as ending:
                for _, process in self._started:
                    ending.callback(_end, process)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            signal.signal(signal.SIGINT, before)
            signal.signal(signal.SIGTERM, self._on_term)

    def room(self, name: str) -> Path:
        """A new folder inside the workshop; anyone may write to it."""
        path = self.folder / name
        path.mkdir()
        path.chmod(0o777)
        return path

    def start(
        self,
        name: str,
        command: Sequence[str],
        ready: Sequence[tuple[str, int]],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        patience: float = READY,
    ) -> Running:
        """Start a server in the foreground and return once it accepts connections at all the addresses of `ready`.

        `patience` is how many seconds that may take. The server's output goes to a file, whose end is in the message of
        `Failed` when it does not come up.
        """
        output = self.folder / f"{name}.out"
        with output.open("wb") as sink:
            try:
                process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    cwd=folder or self.folder,
                    start_new_session=True,  # so that Ctrl-C reaches us alone, and all of its processes can be ended
                )
            except OSError as error:
                raise Failed(f"{name}: {error}") from None
        self._started.append((name, process))
        deadline = time.monotonic() + patience
        for address in ready:
            while not _accepts(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    said = output.read_text(errors="replace")[-2000:]
                    raise Failed(f"{name} does not listen at {address[0]}:{address[1]}; it said:\n{said}")
                time.sleep(0.05)
        return Running(name, process.pid)

    def stop(self, pids: Collection[int]) -> None:
        """End some servers before the others."""
        for name, process in [entry for entry in self._started if entry[1].pid in pids]:
            _end(process)
            self._started.remove((name, process))

    def check_alive(self) -> None:
        """Raise `Failed` when a server has ended by itself."""
        for name, process in self._started:
            if process.poll() is not None:
                raise Failed(f"{name} ended by itself with status {process.returncode}")


def _accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, wait, then end what is left of its group; returns when nothing of it runs any more."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + PATIENCE
    while cpu.group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def _as_exception(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
