"""exfront as a process, for tests of its life: started by twistd or twist, signalled, and waited for.

Owns the process, its folder, a back-end in a thread, and the waiting: nothing sleeps for a fixed time, everything has a patience. All of it
blocks, which does not matter to tests whose other side is another process.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from select import select
from typing import TYPE_CHECKING

from tests.real.children import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from twisted.trial.unittest import TestCase

ROOT = Path(__file__).parents[1]
PATIENCE = 30.0
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
TWIST = "import sys; from twisted.application.twist._twist import Twist; sys.argv[0] = 'twist'; Twist.main()"

ONE_BACK_END = """\
[front-end]
listen = tcp:{port}:interface=127.0.0.1
access_log = access.log
{front}
[virtual-server default]
hosts = *
authentication = none

[virtual-directory all]
path = /all
kind = forward
servers = backend1

[back-end backend1]
address = 127.0.0.1
port = {back_end}
"""


class SlowBackEnd:
    """Answers every request with its path; below /slow only when `release` is set. `arrived` is set by a request below /slow."""

    def __init__(self, case: TestCase) -> None:
        self.arrived = threading.Event()
        self.release = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        case.addCleanup(self._stop)

    def _stop(self) -> None:
        self.release.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            try:
                while line := stream.readline():
                    target = line.split(b" ")[1]
                    while stream.readline() not in (b"\r\n", b""):
                        pass
                    if b"/slow" in target:
                        self.arrived.set()
                        self.release.wait(PATIENCE)
                    stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))
                    stream.flush()
            except OSError:
                pass  # the front-end has closed


class Running:
    """A started exfront; it is ended with the test."""

    def __init__(
        self,
        case: TestCase,
        ini: str = ONE_BACK_END,
        *,
        how: str = "twistd -n",
        options: tuple[str, ...] = (),
        **values: object,
    ) -> None:
        """`how`: `twistd -n`, `twistd` (a daemon) or `twist`. `{port}` in the text is a free port, other names are `values`."""
        self.case = case
        self.folder = Path(case.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.template = ini
        self.values = {"front": "", "back_end": 9, "port": self.port, **values}
        self.how = how
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.pidfd = -1
        self.configure()

    def configure(self, ini: str | None = None, **values: object) -> None:
        """Write the configuration, with some values changed."""
        self.values |= values
        text = ini if ini is not None else self.template.format_map(self.values)
        (self.folder / "fe.ini").write_text(text, "utf-8")

    def command(self) -> list[str]:
        """The whole command line."""
        front_end = ["exfront", "--config", "fe.ini"]
        if self.how == "twist":
            return [sys.executable, "-c", TWIST, "--log-format=text", *self.options, *front_end]
        daemon = ["--pidfile=twistd.pid", "--logfile=twistd.log"]
        how = ["--nodaemon", "--pidfile="] if self.how == "twistd -n" else daemon
        return [sys.executable, "-c", TWISTD, *how, *self.options, *front_end]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}

    def run(self, command: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run to the end: for starts that fail, and for daemons, whose start ends."""
        return subprocess.run(
            command or self.command(),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def start(self) -> Self:
        """Returns when the port accepts and signals are heard: ports are opened before the reactor runs."""
        if self.how == "twistd":
            ended = self.run()
            self.case.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self._watch(int((self.folder / "twistd.pid").read_text()))
        else:
            with (self.folder / "output").open("wb") as output, (self.folder / "errors").open("wb") as errors:
                self.process = subprocess.Popen(
                    self.command(), cwd=self.folder, env=self.environment(), stdout=output, stderr=errors
                )
            self._watch(self.process.pid)
        self.until(lambda: accepts(self.port), "the port does not accept")
        self.until_logged("exfront serves on")
        return self

    def _watch(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.case.addCleanup(self._end)

    def _end(self) -> None:
        if not self.ended(0):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.ended(PATIENCE)
        if self.process is not None:
            self.process.wait(PATIENCE)
        os.close(self.pidfd)

    # what the test does

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        signal.pidfd_send_signal(self.pidfd, number)

    def ended(self, patience: float) -> bool:
        """Whether the process has ended within so many seconds."""
        return bool(select([self.pidfd], [], [], patience)[0])

    def status(self) -> int:
        """Wait for the end of a process that is no daemon; its exit status, negative for a signal."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def until(self, true: Callable[[], object], what: str = "") -> None:
        """Wait until `true()`; fails when the process has ended, or patience has."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            ended = self.ended(0.01)
            if (ended and not true()) or time.monotonic() > deadline:
                raise AssertionError(f"{what or 'waited in vain'}; ended: {ended}; the log:\n{self.log()[-6000:]}")

    def log(self) -> str:
        """What was logged, and said to the terminal."""
        names = ("twistd.log", "output", "errors")
        return "".join(
            (self.folder / name).read_text("utf-8", "replace") for name in names if (self.folder / name).exists()
        )

    def until_logged(self, text: str, times: int = 1) -> None:
        """Wait until the log holds it so often."""
        self.until(lambda: self.log().count(text) >= times, f"not logged: {text}")

    def ask(self, path: str = "/all/", port: int | None = None) -> tuple[int, bytes]:
        """The status and body of the answer to a GET on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, port: int) -> dict[str, Any]:
        """What /status.json says."""
        found: dict[str, Any] = json.loads(self.ask("/status.json", port)[1])
        return found

    def assert_no_traceback(self) -> None:
        log = self.log()
        for sign in ("Traceback", "Unhandled", "a defect"):
            self.case.assertNotIn(sign, log)


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
