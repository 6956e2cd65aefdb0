"""What follows from an absent directory: the log says so, somebody keeps asking, and errors become values (F21).

Owns the last time of each; knows nothing of caches and answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from exfront.errors import DirectoryError
from exfront.model import DirectoryAway

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from exfront.directory.interface import Source

LINE_EVERY = 60.0
"""Seconds between two log lines about answers past their end."""
PROBE_EVERY = 5.0
"""Seconds between two attempts to find the directory back while only answers past their end are served."""


T = TypeVar("T")


class Outage:
    """One directory's absence. `probe` is called, at most every five seconds, while nobody else asks the directory anything."""

    _log = Logger()

    def __init__(self, source: Source, clock: IReactorTime, probe: Callable[[], object]) -> None:
        self._source = source
        self._clock = clock
        self._probe = probe
        self._next_line = self._next_probe = float("-inf")

    @property
    def reason(self) -> str:
        """Why the directory is away; empty when it is there, as far as is known."""
        return self._source.away

    def serving_stale(self, reason: str) -> None:
        """An answer past its end is being used, because of `reason`."""
        now = self._clock.seconds()
        if now >= self._next_line:
            self._next_line = now + LINE_EVERY
            self._log.warn("the directory is away ({reason}): stale answers are served", reason=reason)
        if now >= self._next_probe:
            self._next_probe = now + PROBE_EVERY
            self._probe()


def or_away(waiting: Deferred[T], log: Logger) -> Deferred[T | DirectoryAway]:
    """What is waited for, or DirectoryAway: the one place where the directory's exceptions become values.

    A cancellation stays a failure; anything unexpected is logged, and looks to the client like an absent directory.
    """

    def translate(failure: Failure) -> DirectoryAway:
        if failure.check(CancelledError):
            failure.raiseException()
        if failure.check(DirectoryError):
            return DirectoryAway(failure.getErrorMessage())
        log.failure("asking the directory failed unexpectedly", failure)
        return DirectoryAway("internal error")

    return waiting.addErrback(translate)
