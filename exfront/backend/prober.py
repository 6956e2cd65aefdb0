"""Asks marked back-ends whether they are back, so that a mark may end before its time (F63).

Owns the rounds and the questions under way. A mark is lifted by `exfront.backend.health`; nothing here ever makes one, and a back-end
that is not marked is never asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from exfront.backend.health import HealthBoard
    from exfront.backend.pools import Pools
    from exfront.model import ResponseHead, Server
    from exfront.policy.outcome import Unanswered
    from exfront.wire.outbound import ServerConnection

_log = Logger()


class Prober:
    """Every `interval` seconds a GET of `path` to each marked back-end, as long as `path` is not empty."""

    def __init__(self, clock: IReactorTime, health: HealthBoard, pools: Pools, path: str, interval: float) -> None:
        self.health = health
        self.pools = pools
        self._path = path
        self._interval = interval
        self._asking: dict[Server, Probe] = {}
        self._rounds = LoopingCall(self._round)
        self._rounds.clock = clock

    @property
    def request(self) -> bytes:
        """The request line, and what is the same for all back-ends."""
        return b"GET %b HTTP/1.1\r\nUser-Agent: exfront\r\nAccept: */*\r\n" % self._path.encode("ascii")

    def start(self) -> None:
        """Begin, where there is a path to ask for. Idempotent."""
        if self._path and not self._rounds.running:
            _ = self._rounds.start(self._interval, now=False).addErrback(_unexpected)

    def stop(self) -> None:
        """Ask no more, and wait for no answer."""
        if self._rounds.running:
            self._rounds.stop()
        for probe in tuple(self._asking.values()):
            probe.stop()

    def configure(self, path: str, interval: float) -> None:
        """Another reading of the configuration."""
        if (path, interval) != (self._path, self._interval):
            self.stop()
            self._path, self._interval = path, interval
            self.start()

    def ended(self, server: Server) -> None:
        """The question to that server is over."""
        self._asking.pop(server, None)

    def _round(self) -> None:
        for server in tuple(self.health.marks):
            if server not in self._asking:
                probe = self._asking[server] = Probe(self, server)
                probe.start()


class Probe:
    """One question to one back-end: an `Attempt`. Any answer below 500 says that the server is there."""

    def __init__(self, prober: Prober, server: Server) -> None:
        self._prober = prober
        self._server = server
        self._waiting: Deferred[None] | None = None
        self._connection: ServerConnection | None = None

    def start(self) -> None:
        """Connect, on a new connection: an old one proves nothing."""
        connecting = self._prober.pools.of(self._server).connect()
        waiting = self._waiting = connecting.addCallbacks(self._connected, self._unreached)
        _ = waiting.addErrback(_unexpected)

    def stop(self) -> None:
        """Forget it."""
        if self._connection is None and self._waiting is not None:
            self._waiting.cancel()
        self._end()

    def _connected(self, connection: ServerConnection) -> None:
        if not connection.usable:
            self._end()
            return
        self._connection = connection
        server = self._server
        host = server.name if server.port == (443 if server.tls else 80) else f"{server.name}:{server.port}"
        connection.send(self, b"GET", self._prober.request + b"Host: %b\r\n\r\n" % host.encode("ascii"), True)

    def _unreached(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            _log.debug("{server} is still away: {why}", server=self._server.name, why=failure.getErrorMessage())
        self._end()

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()
        self._prober.ended(self._server)

    # Attempt

    def answered(self, head: ResponseHead, data: bytes, done: bool) -> None:
        if done:
            self._connection = None  # in its pool already
        if head.status < 500:
            self._prober.health.succeeded(self._server)
        else:
            _log.debug("{server} is still away: status {status}", server=self._server.name, status=head.status)
        self._end()

    def unanswered(self, outcome: Unanswered) -> None:
        _log.debug("{server} is still away: {why}", server=self._server.name, why=outcome.reason)
        self._connection = None
        self._end()

    def switched(self, head: ResponseHead, data: bytes) -> None:
        self._end()

    def interim(self, head: ResponseHead) -> None:
        """Not the answer yet."""

    def continued(self, data: bytes, done: bool) -> None:
        """The head was enough."""

    def broken_off(self, reason: str) -> None:
        """The head was enough."""

    def pause_body(self) -> None:
        """A probe has no body."""

    def resume_body(self) -> None:
        """A probe has no body."""


def _unexpected(failure: Failure) -> None:
    """A defect of ours: it is logged, and the marks end by themselves."""
    _log.failure("back-ends could not be probed", failure=failure)
