"""Connections for binds: each carries one operation at a time and never a search.

Owns how many there are. Refuses to know what is done on them and why one could not be made.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from twisted.internet import defer
from twisted.internet.defer import Deferred, gatherResults, succeed

from exfront.directory.trouble import NotConnected, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from exfront.directory.connection import DirectoryConnection

KEPT = 4
MOST = 16
IDLE = 60.0


class BindPool:
    """Grows on demand to `MOST` connections; those beyond `KEPT` that nobody needed for `IDLE` seconds are closed."""

    def __init__(self, dial: Callable[[], Deferred[DirectoryConnection]], clock: IReactorTime, patience: float) -> None:
        self._dial = dial
        self._clock = clock
        self._patience = patience
        self._idle: deque[DirectoryConnection] = deque()
        self._busy: set[DirectoryConnection] = set()
        self._dialling: set[Deferred[DirectoryConnection]] = set()
        self._queue: deque[Deferred[DirectoryConnection]] = deque()
        self._unneeded = 0
        self._trim_call: IDelayedCall | None = None
        self._stopped = False

    @property
    def size(self) -> int:
        """Connections that are open or being opened."""
        return len(self._idle) + len(self._busy) + len(self._dialling)

    def borrow(self) -> Deferred[DirectoryConnection]:
        """A connection for one operation: `give_back` it. Fails with NotConnected when none could be had in time."""
        if self._idle:
            connection = self._idle.pop()  # the one used last: the others may turn out not to be needed
            self._unneeded = min(self._unneeded, len(self._idle))
            self._busy.add(connection)
            return succeed(connection)
        turn: Deferred[DirectoryConnection] = Deferred(self._queue.remove)
        self._queue.append(turn)
        in_time = turn.addTimeout(self._patience, self._clock).addErrback(_not_connected)
        self._grow()
        return in_time

    def give_back(self, connection: DirectoryConnection) -> None:
        """The operation has ended; a connection that is over is dropped."""
        self._busy.discard(connection)
        if not connection.usable:
            self._grow()
        elif self._stopped:
            _ = connection.close()
        else:
            self._offer(connection)

    def ended(self, connection: DirectoryConnection) -> None:
        """A connection went away by itself."""
        if connection in self._idle:
            self._idle.remove(connection)
            self._unneeded = min(self._unneeded, len(self._idle))

    def stop(self) -> Deferred[None]:
        """Close the idle ones, give up the rest; fires when no connection is left open."""
        self._stopped = True
        if self._trim_call is not None:
            self._trim_call.cancel()
            self._trim_call = None
        for connection in self._busy:
            connection.abort("the directory is being closed")
        for dialling in list(self._dialling):
            dialling.cancel()
        while self._queue:
            self._queue.popleft().errback(NotConnected("the directory is being closed"))
        open_ones = [*self._idle, *self._busy]
        self._idle.clear()
        return gatherResults([connection.close() for connection in open_ones]).addCallback(lambda _: None)

    def _grow(self) -> None:
        while not self._stopped and len(self._queue) > len(self._dialling) and self.size < MOST:
            dialling = self._dial()
            self._dialling.add(dialling)
            _ = dialling.addCallbacks(self._dialled, self._not_dialled, (dialling,), errbackArgs=(dialling,))

    def _dialled(self, connection: DirectoryConnection, dialling: Deferred[DirectoryConnection]) -> None:
        self._dialling.discard(dialling)
        self.give_back(connection)

    def _not_dialled(self, reason: Failure, dialling: Deferred[DirectoryConnection]) -> None:
        self._dialling.discard(dialling)
        if self._queue:
            self._queue.popleft().errback(reason)
        self._grow()

    def _offer(self, connection: DirectoryConnection) -> None:
        if self._queue:
            self._busy.add(connection)
            self._queue.popleft().callback(connection)
            return
        self._idle.append(connection)
        if self._trim_call is None and len(self._idle) > KEPT:
            self._unneeded = len(self._idle)
            self._trim_call = self._clock.callLater(IDLE, self._trim)

    def _trim(self) -> None:
        self._trim_call = None
        for _ in range(self._unneeded - KEPT):
            _ = self._idle.popleft().close()
        self._unneeded = len(self._idle)
        if len(self._idle) > KEPT:
            self._trim_call = self._clock.callLater(IDLE, self._trim)


def _not_connected(reason: Failure) -> DirectoryConnection:
    """Nothing was sent, whatever the reason was."""
    if reason.check(defer.TimeoutError):
        raise NotConnected("no free connection in time")
    raise NotConnected(words(reason))
