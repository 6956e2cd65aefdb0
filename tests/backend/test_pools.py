"""Which kept-alive connection is handed out, and how long one is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.task import Clock
from twisted.trial import unittest

from exfront.backend.pools import FRESH, IDLE, MARGIN, MOST_IDLE, Pool, Pools
from exfront.model import Server
from exfront.wire.patience import FOREVER, Patience
from tests.fakes.transports import FakeTransport

if TYPE_CHECKING:
    from exfront.wire.outbound import ServerConnection


class PoolCase(unittest.TestCase):
    """A pool on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock)
        self.patience.start()
        self.addCleanup(self.patience.stop)
        self.pool = self.new_pool()

    def new_pool(self) -> Pool:
        return Pool(Server("backend1", "127.0.0.1"), self.clock, self.patience, 3, 60)

    def connection(self, kept_for: float = FOREVER) -> ServerConnection:
        """A connection that has just carried a request."""
        connection = self.pool.buildProtocol(None)
        FakeTransport(connection).connect()
        connection.keep_alive_for = kept_for
        connection.kept_alive = True
        return connection


class IdleTests(PoolCase):
    """Idle connections."""

    def test_last_one_first(self) -> None:
        """The one used last is handed out first; none twice."""
        first, second = self.connection(), self.connection()
        self.pool.release(first)
        self.pool.release(second)
        self.assertIs(self.pool.take(True), second)
        self.assertIs(self.pool.take(True), first)
        self.assertIsNone(self.pool.take(True))
        self.assertEqual((first.deadline, second.deadline), (FOREVER, FOREVER))

    def test_closed_in_time(self) -> None:
        """An idle connection is closed before the back-end closes it: after IDLE seconds, or before its Keep-Alive time-out."""
        for kept_for, until in ((FOREVER, IDLE), (5.0, 5 - MARGIN), (100.0, IDLE)):
            connection = self.connection(kept_for)
            self.pool.release(connection)
            self.clock.pump([0.5] * int(2 * until - 1))
            self.assertFalse(connection.transport.disconnecting)
            self.clock.pump([0.5] * 4)
            self.assertIsNone(connection.transport, kept_for)
            self.assertIsNone(self.pool.take(True))

    def test_not_worth_keeping(self) -> None:
        """A back-end that keeps its connections a second or less gets no second request on one."""
        connection = self.connection(MARGIN)
        self.pool.release(connection)
        self.assertIsNone(connection.transport)
        self.assertIsNone(self.pool.take(True))

    def test_fresh(self) -> None:
        """F64: a request that may not be repeated gets a connection only within FRESH seconds of its last use."""
        connection = self.connection()
        self.pool.release(connection)
        self.clock.advance(FRESH)
        self.assertIs(self.pool.take(False), connection)
        self.pool.release(connection)
        self.clock.advance(FRESH + 0.1)
        self.assertIsNone(self.pool.take(False))
        self.assertIs(self.pool.take(True), connection)

    def test_most(self) -> None:
        """No more than MOST_IDLE are kept."""
        connections = [self.connection() for _ in range(MOST_IDLE + 1)]
        for one in connections:
            self.pool.release(one)
        self.assertIsNone(connections[-1].transport)
        self.assertIsNotNone(connections[0].transport)

    def test_lost_while_idle(self) -> None:
        """One that the back-end closes, or writes to, is not handed out."""
        for go in (
            lambda one: one.readConnectionLost(),
            lambda one: one.dataReceived(b"unasked"),
            lambda one: one.transport.lose(),
        ):
            connection = self.connection()
            self.pool.release(connection)
            go(connection)
            self.assertIsNone(self.pool.take(True))
            self.assertIsNone(connection.transport)
        self.assertEqual(len(self.patience), 0)

    def test_close(self) -> None:
        """A closed pool closes what is idle, and the others when they become idle."""
        idle, busy = self.connection(), self.connection()
        self.pool.release(idle)
        self.pool.close()
        self.assertIsNone(idle.transport)
        self.assertIsNotNone(busy.transport)
        self.pool.release(busy)
        self.assertIsNone(busy.transport)


class PoolsTests(PoolCase):
    """All pools."""

    def test_one_each(self) -> None:
        """One pool a server; a server whose address has changed gets a new one, and the old one's idle connections close."""
        pools = Pools(self.clock, self.patience, 3, 60)
        server = Server("backend1", "127.0.0.1")
        pool = self.pool = pools.of(server)
        self.assertIs(pools.of(server), pool)
        self.assertIsNot(pools.of(Server("backend2", "127.0.0.1")), pool)
        connection = self.connection()
        pool.release(connection)
        moved = Server("backend1", "127.0.0.2")
        self.assertIsNot(pools.of(moved), pool)
        self.assertIsNone(connection.transport)
        pools.close()
