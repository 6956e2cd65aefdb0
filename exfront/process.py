"""The front-end as a process of its own: signals, and defects that nobody caught.

Owns what a process has once. A front-end that somebody else's process runs (a test, another service) goes without.
"""

from __future__ import annotations

import gc
import signal
import traceback
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.logger import Logger

from exfront.wire.endpoints import native_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import FrameType

    from twisted.internet.defer import Deferred

    from exfront.service import FrontEndService

    SignalCatcher = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None

_MOST_FRAMES = 12

_COLLECTION = (20_000, 50, 100)
"""Thresholds of the garbage collector. A request leaves no cycles, yet its objects push the counter: with Python's 700 a tenth of the CPU
goes into looking for garbage that is not there."""


class FrontEndProcess(Service):
    """The service that `twistd` and `twist` run: the front-end, and around it what concerns the process.

    SIGHUP reloads. From the first SIGTERM or SIGINT on, all three are noted and change nothing more. SIGUSR1 is twistd's (log rotation).
    """

    name = "exfront"
    _log = Logger()

    def __init__(self, front_end: FrontEndService, reactor: Any) -> None:
        self.front_end = front_end
        self._reactor = reactor
        self._loop: asyncio.AbstractEventLoop = native_loop(reactor)
        self._before: dict[int, SignalCatcher] = {}
        self._collection = gc.get_threshold()
        # from now on, for who sees an open port may send it: it waits for the reactor's first turn
        self._catch(signal.SIGHUP, self._hang_up)

    def privilegedStartService(self) -> None:
        self.front_end.privilegedStartService()

    def startService(self) -> None:
        super().startService()
        self._loop.set_exception_handler(lambda _, context: self._defect(context))
        self.front_end.startService()
        gc.collect()
        gc.freeze()  # what is here now stays
        gc.set_threshold(*_COLLECTION)

    def stopService(self) -> Deferred[None]:
        """Stop the front-end, then give the process back as it was."""
        super().stopService()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            self._catch(number, self._too_late)
        return self.front_end.stopService().addBoth(self._give_back)

    def _give_back(self, result: Any) -> Any:
        gc.set_threshold(*self._collection)
        gc.unfreeze()
        for number, catcher in self._before.items():
            signal.signal(number, catcher)
        self._before.clear()
        self._loop.set_exception_handler(None)
        return result

    # signals: what they ask for is done in the reactor's turn and not between any two instructions

    def _catch(self, number: int, catcher: Callable[[int, FrameType | None], None]) -> None:
        before = signal.signal(number, catcher)
        self._before.setdefault(number, before)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self.front_end.reload)

    def _too_late(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(
            self._log.info, "{signal}: exfront is stopping", signal=signal.Signals(number).name
        )

    # defects

    def _defect(self, context: dict[str, Any]) -> None:
        """What the event loop caught. Where and of what kind it was is logged; its text may hold what a client sent, and is not."""
        error = context.get("exception")
        self._log.critical(
            "a defect: {words}: {kind} at {places}",
            words=context.get("message"),
            kind=type(error).__name__,
            places=_places(error),
        )


def _places(error: object) -> str:
    """The innermost frames of an exception, innermost last."""
    if not isinstance(error, BaseException):
        return "an unknown place"
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    return " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
