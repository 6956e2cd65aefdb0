"""A whole front-end inside the test's process, put together by `exfront.tap` from an INI text, on ports that the kernel chooses.

Owns its start and its end, and sees to it that no test passes over a defect: exceptions that the event loop caught, failures that were
logged (trial does that), connections that are left, and requests without exactly one record. The access log is kept as records; the
directory may be a fake one; the clock is the test's where it says so.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.trial import unittest

from exfront import tap
from exfront.config.reader import load
from exfront.errors import ConfigurationError
from tests.fakes.ends import PATIENCE, BackEnd, Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from exfront.service import FrontEndService
    from tests.fakes.ends import Message

ONE_BACK_END = """\
[front-end]
listen = tcp:0:interface=127.0.0.1
log_format = json
access_log = -
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
port = {backend1}

[failover]
{failover}
"""
"""Everything under /all goes to one back-end."""

DIRECTORY = """\
[front-end]
listen = tcp:0:interface=127.0.0.1
log_format = json
access_log = -
{front}

[directory]
url = ldap://directory.invalid
base = dc=adatum,dc=com
start_tls = no
poll = 0
{directory}

[virtual-server default]
hosts = *
authentication = basic
default_domain = ADATUM
smtp_domain = adatum.com
realm = adatum.com

[virtual-directory exchange]
path = /exchange
kind = mailbox

[virtual-directory public]
path = /public
kind = public

[virtual-directory open]
path = /open
kind = mailbox
authentication = none
{more}

[back-end backend1]
address = 127.0.0.1
port = {backend1}

[back-end backend2]
address = 127.0.0.1
port = {backend2}

[failover]
{failover}
"""
"""Mailboxes and folders of the organisation in `tests.fakes.directory`."""


class TestClock(Clock):
    """The test's clock, with the loop that sockets need below it."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self._asyncioEventloop = global_reactor._asyncioEventloop


class _Lines:
    """Stands where the access log's file would."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class FrontCase(unittest.TestCase):
    """A test with a front-end in it."""

    timeout = 60

    def setUp(self) -> None:
        self.reactor: Any = global_reactor
        self.clock: TestClock | None = None
        self.lines = _Lines()
        self.expected_records: int | None = None
        self._seen = 0
        self.patch(tap, "LogFile", lambda path, clock, log: self.lines)
        self.caught: list[dict[str, Any]] = []
        """What the event loop caught: always a defect."""
        loop = global_reactor._asyncioEventloop
        loop.set_exception_handler(lambda _, context: self.caught.append(context))
        self.addCleanup(self._assert_nothing_caught, loop)

    def _assert_nothing_caught(self, loop: Any) -> None:
        loop.set_exception_handler(None)
        if self.caught:
            raise AssertionError(f"the event loop caught: {self.caught}") from self.caught[0].get("exception")

    # putting it together

    def back_end(
        self, answer: Callable[[Message], bytes | None] | None = None, interface: str = "127.0.0.1"
    ) -> BackEnd:
        """A listening back-end, stopped with the test."""
        back_end = BackEnd(self.reactor, answer).listen(interface)
        self.addCleanup(lambda: Deferred.fromCoroutine(back_end.stop()))
        return back_end

    def start(
        self, ini: str = ONE_BACK_END, *, source: object = None, clock: bool = False, **values: object
    ) -> FrontEndService:
        """Serve the configuration; `{name}` stands for a value, a BackEnd for its port. `clock`: time is `self.clock`."""
        names = {"front": "", "failover": "", "directory": "", "more": ""}
        shown = {
            name: value.number if isinstance(value, BackEnd) else value for name, value in (names | values).items()
        }
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        path = folder / "fe.ini"
        path.write_text(ini.format_map(shown), "utf-8")
        self.path = path
        if source is not None:
            self.source = source
            self.patch(tap, "make_source", lambda settings, reactor: source)
        if clock:
            self.clock = TestClock()
        try:
            settings = load(path)
        except ConfigurationError as wrong:
            raise AssertionError("\n".join(map(str, wrong.mistakes))) from None
        service = self.service = tap.make_service(settings, self.clock or self.reactor, path)
        service.startService()
        self.addCleanup(self._stop)
        return service

    async def _stop_service(self) -> None:
        stopping = self.service.stopService()
        if self.clock is not None:
            self.clock.advance(60)
        await stopping

    def _stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        for client in list(getattr(self, "clients", [])):
            if client.lost is None:
                client.transport.abortConnection()
                await client.until_lost()
        await self.eventually(lambda: not self.connections, "client connections are left")
        await self._stop_service()
        # a look whether a half-closed client lives may still be due
        await self.eventually(
            lambda: not [one for one in self.reactor.getDelayedCalls() if "_leave_the_dead" in repr(one.func)]
        )
        lasting = self.service._lasting
        await self.eventually(lambda: len(lasting.patience) == 0, "connections are watched that nobody has")

    @property
    def connections(self) -> set[Any]:
        """The client connections that are open."""
        found: set[Any] = self.service._lasting.factory.connections
        return found

    @property
    def port(self) -> Any:
        """The address of the first listener."""
        return next(iter(self.service.ports.values())).getHost()

    async def client(self, host: str = "127.0.0.1", receive_buffer: int = 0) -> Client:
        """A connected client, closed with the test."""
        kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
        client = await connectProtocol(kind(self.reactor, host, self.port.port), Client(self.reactor))
        self.__dict__.setdefault("clients", []).append(client)
        return client

    # waiting without sleeping

    async def turns(self, number: int = 5) -> None:
        """Let the reactor turn: everything that is ready is done."""
        for _ in range(number):
            turned: Deferred[None] = Deferred()
            self.reactor.callLater(0, turned.callback, None)
            await turned

    async def eventually(self, true: Callable[[], object], what: str = "") -> None:
        """Let the reactor turn until `true()`; fails after PATIENCE seconds."""
        end = self.reactor.seconds() + PATIENCE
        while not true():
            if self.reactor.seconds() > end:
                raise AssertionError(what or "waited in vain")
            turned: Deferred[None] = Deferred()
            self.reactor.callLater(0.002, turned.callback, None)
            await turned

    # what is recorded

    @property
    def records(self) -> list[dict[str, Any]]:
        """The access log so far."""
        return [json.loads(line) for line in self.lines.lines]

    async def recorded(self, number: int = 1) -> list[dict[str, Any]]:
        """Wait for the `number`th record, see that there are no more than that, and return them all."""
        await self.eventually(lambda: len(self.lines.lines) >= number, f"{len(self.lines.lines)} records, not {number}")
        await self.turns()
        self.assertEqual(len(self.lines.lines), number, self.records)
        return self.records


def get(target: bytes = b"/all/", *lines: bytes, method: bytes = b"GET", host: bytes = b"www.adatum.com") -> bytes:
    """A request without a body."""
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, target, host, b"".join(line + b"\r\n" for line in lines))


def post(body: bytes, target: bytes = b"/all/", *lines: bytes, method: bytes = b"POST") -> bytes:
    """A request with a body."""
    return get(target, *lines, b"Content-Length: %d" % len(body), method=method) + body


def basic(name: str, password: str = "secret") -> bytes:
    """The field line of an Authorization."""
    return b"Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode())
