"""Connections for binds: one operation at a time, as many as needed, none for ever."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.connection import DirectoryConnection
from exfront.directory.pool import IDLE, KEPT, MOST, BindPool
from exfront.directory.trouble import LineLost, NotConnected
from tests.fakes.ldap_server import Line


class PoolCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.dialling: list[Deferred[DirectoryConnection]] = []
        self.pool = BindPool(self.dial, self.clock, 5)

    def dial(self) -> Deferred[DirectoryConnection]:
        self.dialling.append(Deferred())
        return self.dialling[-1]

    def connected(self) -> DirectoryConnection:
        """The oldest dial succeeds."""
        connection = DirectoryConnection(self.clock, 5, self.pool.ended)
        Line(connection, self.clock)
        self.dialling.pop(0).callback(connection)
        return connection

    def filled(self, count: int) -> list[DirectoryConnection]:
        """So many connections, all borrowed."""
        borrowed = [self.pool.borrow() for _ in range(count)]
        while self.dialling:
            self.connected()
        return [self.successResultOf(one) for one in borrowed]


class Borrowing(PoolCase):
    def test_one_at_a_time(self) -> None:
        """A connection belongs to one operation until it is given back; then it is used again."""
        (first,) = self.filled(1)
        other = self.pool.borrow()
        self.assertNoResult(other)
        second = self.connected()
        self.assertIs(self.successResultOf(other), second)
        self.pool.give_back(first)
        self.assertIs(self.successResultOf(self.pool.borrow()), first)
        self.assertEqual(self.pool.size, 2)

    def test_most(self) -> None:
        """Not more than sixteen; the next waits for one that is given back."""
        borrowed = self.filled(MOST)
        waiting = self.pool.borrow()
        self.assertEqual((self.pool.size, self.dialling), (MOST, []))
        self.pool.give_back(borrowed[3])
        self.assertIs(self.successResultOf(waiting), borrowed[3])

    def test_given_back_before_dialled(self) -> None:
        """Who waits for a dial takes a connection that comes back earlier; the new one is kept for the next."""
        (first,) = self.filled(1)
        waiting = self.pool.borrow()
        self.pool.give_back(first)
        self.assertIs(self.successResultOf(waiting), first)
        second = self.connected()
        self.assertIs(self.successResultOf(self.pool.borrow()), second)

    def test_never_used_after_the_end(self) -> None:
        """A connection that was aborted (an outcome is unknown) or lost is never handed out again."""
        first, second = self.filled(2)
        first.abort("unknown outcome")
        self.pool.give_back(first)
        self.pool.give_back(second)
        second.transport.cut()
        self.assertEqual(self.pool.size, 0)
        self.assertNoResult(self.pool.borrow())

    def test_lost_one_makes_room(self) -> None:
        """With all sixteen out and one lost, whoever waits gets a new one."""
        borrowed = self.filled(MOST)
        waiting = self.pool.borrow()
        borrowed[0].abort("unknown outcome")
        self.pool.give_back(borrowed[0])
        self.assertIs(self.connected(), self.successResultOf(waiting))


class Failing(PoolCase):
    def test_no_connection(self) -> None:
        """A dial that fails is NotConnected: nothing was sent. The next one tries afresh."""
        waiting = self.pool.borrow()
        self.dialling.pop().errback(LineLost("cut"))
        self.assertEqual(str(self.failureResultOf(waiting, NotConnected).value), "cut")
        waiting = self.pool.borrow()
        self.connected()
        self.successResultOf(waiting)

    def test_patience(self) -> None:
        """Who waits longer than the patience fails; the connection that comes later is kept."""
        waiting = self.pool.borrow()
        self.clock.advance(5)
        self.failureResultOf(waiting, NotConnected)
        late = self.connected()
        self.assertIs(self.successResultOf(self.pool.borrow()), late)

    def test_cancelled(self) -> None:
        """Who gives up waiting gets nothing."""
        waiting = self.pool.borrow()
        waiting.cancel()
        self.failureResultOf(waiting, NotConnected, CancelledError)
        self.connected()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Idle(PoolCase):
    def test_trimmed(self) -> None:
        """Those beyond four that nobody needed for a minute are closed; the four stay."""
        for connection in self.filled(10):
            self.pool.give_back(connection)
        self.clock.pump([IDLE, IDLE])
        self.assertEqual(self.pool.size, KEPT)
        self.clock.pump([0, IDLE, IDLE, 0])
        self.assertEqual(self.pool.size, KEPT)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_needed_ones_stay(self) -> None:
        """As many as were needed at once in the last minute stay beside the four."""
        for connection in self.filled(10):
            self.pool.give_back(connection)
        self.clock.advance(IDLE)
        before = self.pool.size
        for connection in [self.successResultOf(self.pool.borrow()) for _ in range(3)]:
            self.pool.give_back(connection)
        self.clock.advance(IDLE)
        self.assertEqual((before, self.pool.size), (9, 3 + KEPT))
        self.clock.advance(IDLE)
        self.assertEqual(self.pool.size, KEPT)

    def test_lost_while_idle(self) -> None:
        """An idle connection that the server closes is forgotten, and the trimming is not confused."""
        connections = self.filled(6)
        for connection in connections:
            self.pool.give_back(connection)
        for connection in connections[:3]:
            connection.transport.cut()
        self.assertEqual(self.pool.size, 3)
        self.clock.advance(IDLE)
        self.assertEqual(self.pool.size, 3)


class Stopping(PoolCase):
    def test_stop(self) -> None:
        """Idle ones say goodbye, busy ones are cut, dials are cancelled, and who waits is told."""
        borrowed = self.filled(3)
        self.pool.give_back(borrowed[0])
        waiting = [self.pool.borrow() for _ in range(2)]
        self.successResultOf(waiting[0])
        stopped = self.pool.stop()
        self.assertNoResult(stopped)
        self.failureResultOf(waiting[1], NotConnected)
        self.clock.advance(0)
        self.successResultOf(stopped)
        self.assertEqual([connection.connected for connection in borrowed], [0, 0, 0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dials_are_cancelled(self) -> None:
        """A dial under way is given up."""
        waiting = self.pool.borrow()
        dialling = self.dialling.pop()
        self.successResultOf(self.pool.stop())
        self.failureResultOf(waiting, NotConnected)
        self.assertTrue(dialling.called)
        self.assertEqual((self.pool.size, self.clock.getDelayedCalls()), (0, []))

    def test_trimming_ends(self) -> None:
        """No timer is left."""
        for connection in self.filled(6):
            self.pool.give_back(connection)
        stopped = self.pool.stop()
        self.clock.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dialled_too_late(self) -> None:
        """A connection that comes after the end, its dial deaf to cancelling, is closed."""
        self.pool.borrow().addErrback(lambda failure: failure.trap(NotConnected))
        deaf: Deferred[DirectoryConnection] = Deferred(lambda _: None)
        self.pool.stop()
        connection = DirectoryConnection(self.clock, 5, self.pool.ended)
        line = Line(connection, self.clock)
        self.pool._dialled(connection, deaf)
        self.assertTrue(line.disconnecting)
        self.clock.advance(0)
