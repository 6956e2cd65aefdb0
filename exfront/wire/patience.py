"""Time-outs for many connections at the price of one timer.

A watched connection has an attribute `deadline` (seconds on the reactor's clock, or FOREVER); once a second those whose deadline has passed
are told. Setting a deadline is an attribute store: a timer per request would cost more than the request's parsing. So a time-out comes
up to a second late, never early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

FOREVER = float("inf")


class Watched(Protocol):
    """What can lose patience."""

    deadline: float

    def out_of_patience(self, now: float) -> None:
        """The deadline has passed: set another one, or close."""


class Patience:
    """Watches deadlines."""

    def __init__(self, clock: IReactorTime, interval: float = 1.0) -> None:
        self._watched: set[Watched] = set()
        self._interval = interval
        self._clock = clock
        self._looping = LoopingCall(self._look)
        self._looping.clock = clock
        self.watch = self._watched.add
        self.forget = self._watched.discard

    def start(self) -> None:
        if not self._looping.running:
            _ = self._looping.start(self._interval, now=False).addErrback(_unexpected)

    def stop(self) -> None:
        if self._looping.running:
            self._looping.stop()

    def __len__(self) -> int:
        return len(self._watched)

    def _look(self) -> None:
        now = self._clock.seconds()
        for late in [one for one in self._watched if one.deadline <= now]:
            if late.deadline > now:
                continue  # one that was told before it has given it more time
            try:
                late.out_of_patience(now)
            except Exception:  # noqa: BLE001  the others' time-outs must not end with this one
                _unexpected(Failure())


def _unexpected(failure: Failure) -> None:
    """A defect in somebody's `out_of_patience`: it is logged, the process goes on."""
    Logger(__name__).failure("a time-out could not be handled", failure=failure)
