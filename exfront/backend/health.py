"""Which back-ends are marked unavailable, since when and why (F62, F63).

The one writer of the marks. What a mark means for the next choice is `exfront.policy.failover`'s business; whether an outcome
earns one, too. Knows no connections: it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.logger import Logger

    from exfront.model import Server


class Mark(NamedTuple):
    """A mark as the status page shows it."""

    server: str
    reason: str
    age: float
    """Seconds since the server was marked, or marked again."""


class HealthBoard:
    """The marks of all back-ends. `unavailable` is how long one counts, in seconds."""

    def __init__(self, clock: IReactorTime, unavailable: float, log: Logger) -> None:
        self.marks: dict[Server, float] = {}
        """When each marked server was marked, on the clock. Read it, never write it; empty most of the time, so ask that first."""
        self._reasons: dict[Server, str] = {}
        self._clock = clock
        self._unavailable = unavailable
        self._log = log
        self._expiry: IDelayedCall | None = None

    def mark(self, server: Server, reason: str) -> None:
        """The server could not be used now. Logged when it was not marked before; a mark begins anew otherwise (F65)."""
        if self._unavailable <= 0:
            return
        if server not in self.marks:
            self._log.warn("{server} is unavailable: {reason}", server=server.name, reason=reason)
        # Taken out first, so that the dictionary stays in the order of the marks and the first one ends first.
        self.marks.pop(server, None)
        self.marks[server] = self._clock.seconds()
        self._reasons[server] = reason
        if self._expiry is None:
            self._expiry = self._clock.callLater(self._unavailable, self._expire)

    def succeeded(self, server: Server) -> None:
        """The server answered: its mark, if any, ends."""
        if self.marks.pop(server, None) is not None:
            del self._reasons[server]
            self._log.info("{server} answers again", server=server.name)

    def prune(self) -> None:
        """Take away the marks whose time is over. It happens by itself, too."""
        end = self._clock.seconds() - self._unavailable
        over = [server for server, since in self.marks.items() if since <= end]
        for server in over:
            del self.marks[server], self._reasons[server]
            self._log.info("{server} may be tried again", server=server.name)

    def snapshot(self) -> tuple[Mark, ...]:
        """All marks that count now, the oldest first."""
        self.prune()
        now = self._clock.seconds()
        return tuple(Mark(server.name, self._reasons[server], now - since) for server, since in self.marks.items())

    def configure(self, unavailable: float) -> None:
        """A mark counts so many seconds from now on; those that stand, too."""
        if unavailable != self._unavailable:
            self._unavailable = unavailable
            if self._expiry is not None:
                self._expiry.cancel()
                self._expire()

    def forget(self, servers: Iterable[Server]) -> None:
        """Forget the marks of these servers: they are reached in another way now."""
        for server in servers:
            if self.marks.pop(server, None) is not None:
                del self._reasons[server]

    def reset(self) -> None:
        """Forget every mark and wait for nothing."""
        self.marks.clear()
        self._reasons.clear()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _expire(self) -> None:
        self._expiry = None
        self.prune()
        if self.marks:
            first = next(iter(self.marks.values()))
            wait = max(first + self._unavailable - self._clock.seconds(), 0.001)
            self._expiry = self._clock.callLater(wait, self._expire)
