"""One directory server: its search connection, kept up in the background, and its bind connections.

Owns whether the server can be asked. Refuses to know that there are others.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import LogLevel

from exfront.directory.asking import PASSWORD_POLICY, bind_request
from exfront.directory.bound import bound
from exfront.directory.pool import BindPool
from exfront.directory.searches import SearchLine
from exfront.directory.trouble import AnswerOverdue, NotConnected, ServiceRefused, TlsNotVerified, words
from exfront.errors import DirectoryError, DirectoryUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.logger import Logger
    from twisted.python.failure import Failure

    from exfront.directory.asking import Control
    from exfront.directory.connection import DirectoryConnection
    from exfront.directory.dial import Dialer
    from exfront.directory.interface import Bound, Entry, Query

_FIRST_DELAY, _LONGEST_DELAY = 0.25, 3.0
_REFUSED_DELAY, _LONGEST_REFUSED_DELAY = 30.0, 600.0
_SETTLED = 10.0
_SWIFT, _BREATH = 0.5, 0.05
_ASK_FOR_POLICY: list[Control] = [(PASSWORD_POLICY, None, None)]


class State(Enum):
    DOWN = "down"
    """No connection; the last attempt failed, or nobody has started it."""
    CONNECTING = "connecting"
    """The first attempt since the start or since a connection ended: worth waiting for."""
    UP = "up"


class DirectoryServer:
    """Start it; from then on it connects again by itself, within three seconds of the server's return.

    A service account that is refused is tried again only after 30 seconds and then ever less often: each attempt may count
    towards its lockout.
    """

    def __init__(
        self,
        dialer: Dialer,
        clock: IReactorTime,
        patience: float,
        *,
        bind_dn: str,
        bind_password: str,
        changed: Callable[[DirectoryServer], None],
        log: Logger,
    ) -> None:
        self.name = dialer.name
        self.state = State.DOWN
        self.trouble = "not started"
        """Why the server cannot be asked, when it cannot."""
        self.doubtful = False
        """It let a request wait too long and has answered nothing since."""
        self._dialer = dialer
        self._clock = clock
        self._patience = patience
        self._service = (bind_dn, bind_password) if bind_dn else None
        self._changed = changed
        self._log = log
        self._line: SearchLine | None = None
        self._connecting: Deferred[None] | None = None
        self._again: IDelayedCall | None = None
        self._delay = _FIRST_DELAY
        self._up_since = self._dialled = 0.0
        self._swift = False
        """The last attempt was refused within half a second: another one costs as little."""
        self._running = False
        self._logged = ""
        self._binds = BindPool(self._dial_for_binds, clock, patience)

    def start(self) -> None:
        """Begin connecting; idempotent."""
        if not self._running:
            self._running = True
            self.state, self.trouble = State.CONNECTING, ""
            self._connect()

    def stop(self) -> Deferred[None]:
        """Close everything; fires when no connection is left."""
        self._running = False
        self.state, self.trouble = State.DOWN, "stopped"
        if self._again is not None:
            self._again.cancel()
            self._again = None
        closing = [self._binds.stop()]
        if self._connecting is not None:
            self._connecting.cancel()
        if self._line is not None:
            closing.append(self._line.connection.close())
        self._changed(self)
        return gatherResults(closing).addCallback(lambda _: None)

    async def search(self, query: Query) -> list[Entry]:
        """The entries; the errors of SearchLine. Only to be asked when UP."""
        if self._line is None:
            raise NotConnected(self.trouble)
        try:
            return await self._line.search(query)
        except AnswerOverdue:
            self._doubt()
            raise

    async def bind(self, dn: str, password: str) -> Bound:
        """The directory's word. NotConnected: nothing was sent. Any other DirectoryUnreachable: perhaps it was tried."""
        connection = await self._binds.borrow()
        try:
            answer = await connection.ask(bind_request(dn, password), _ASK_FOR_POLICY)
        except AnswerOverdue:
            self._doubt()
            raise
        finally:
            self._binds.give_back(connection)
        result = answer.result
        return bound(result.resultCode, result.errorMessage, answer.controls, password)

    def _dial_for_binds(self) -> Deferred[DirectoryConnection]:
        return self._dialer.dial(self._binds.ended)

    @property
    def hurrying(self) -> bool:
        """Down, and an attempt is under way that is worth waiting for, as it will be over in a moment."""
        return self.state is State.DOWN and self._swift and self._connecting is not None

    def hurry(self) -> None:
        """Somebody asks: try now what is due in a moment anyway, so that the first request after the server's return is answered (F21).

        Only where the last attempt failed swiftly before anything was sent, and not more often than every 50 milliseconds.
        """
        if self._again is not None and self._swift and self._clock.seconds() - self._dialled >= _BREATH:
            self._again.cancel()
            self._connect()

    # The search connection.

    def _connect(self) -> None:
        self._again = None
        self._dialled = self._clock.seconds()
        self._connecting = connecting = Deferred.fromCoroutine(self._open())
        _ = connecting.addErrback(self._not_connected)

    async def _open(self) -> None:
        connection = await self._dialer.dial(self._ended)
        line = SearchLine(connection, self._clock, self._patience)
        try:
            if self._service is None:
                await line.greet()
            else:
                await self._log_on(connection, *self._service)
        except BaseException:
            connection.abort("the connection was given up")
            raise
        self._connecting = None
        self._line, self._up_since = line, self._clock.seconds()
        self.state, self.trouble, self.doubtful, self._swift = State.UP, "", False, False
        self._log.info("directory server {server} is connected", server=self.name)
        self._logged = ""
        self._changed(self)

    async def _log_on(self, connection: DirectoryConnection, dn: str, password: str) -> None:
        answer = await connection.ask(bind_request(dn, password), _ASK_FOR_POLICY)
        word = bound(answer.result.resultCode, answer.result.errorMessage, answer.controls, password)
        if word.cause is not None:
            raise ServiceRefused(
                f"the directory refuses the service account {dn!r} ({word.cause.value}): check bind_dn and bind_password"
            )

    def _not_connected(self, reason: Failure) -> None:
        self._connecting = None
        if not self._running:
            reason.trap(DirectoryError, CancelledError)
            return
        if not reason.check(DirectoryError):
            self._log.failure("connecting to {server} failed unexpectedly", reason, server=self.name)
        self._swift = bool(reason.check(NotConnected)) and self._clock.seconds() - self._dialled < _SWIFT
        if reason.check(ServiceRefused):
            self._delay = min(max(self._delay * 2, _REFUSED_DELAY), _LONGEST_REFUSED_DELAY)
        else:
            self._delay = min(self._delay * 2, _LONGEST_DELAY)
        self._down(words(reason), LogLevel.error if reason.check(ServiceRefused, TlsNotVerified) else LogLevel.warn)

    def _ended(self, connection: DirectoryConnection) -> None:
        """The search connection went away: one that was good is made again at once, and waiting for that is worth it."""
        if self._line is None or connection is not self._line.connection:
            return  # still being opened: `_open` fails by itself
        was_doubtful = self.doubtful
        self._line, self.doubtful = None, False
        if not self._running:
            return
        told = str(connection.trouble)
        if was_doubtful or self._clock.seconds() - self._up_since < _SETTLED:
            self._delay = min(self._delay * 2, _LONGEST_DELAY)
            self._down(told)
            return
        self._delay = _FIRST_DELAY
        self._log.info("directory server {server}: {trouble}; connecting again", server=self.name, trouble=told)
        self.state, self.trouble = State.CONNECTING, told
        self._again = self._clock.callLater(0, self._connect)
        self._changed(self)

    def _down(self, trouble: str, level: Any = LogLevel.warn) -> None:
        self.state, self.trouble = State.DOWN, trouble
        self._again = self._clock.callLater(self._delay, self._connect)
        if trouble != self._logged:
            self._logged = trouble
            self._log.emit(
                level, "directory server {server} cannot be asked: {trouble}", server=self.name, trouble=trouble
            )
        self._changed(self)

    def _doubt(self) -> None:
        """Something waited in vain: ask the cheapest question until it is answered or the connection gives itself up."""
        if not self.doubtful and self._line is not None:
            self.doubtful, self.trouble = True, f"no answer within {self._patience:g} seconds"
            self._changed(self)
            probing = Deferred.fromCoroutine(self._probe(self._line))
            _ = probing.addErrback(lambda reason: reason.trap(DirectoryUnreachable))

    async def _probe(self, line: SearchLine) -> None:
        while line.connection.usable:
            try:
                await line.greet()
            except AnswerOverdue:
                continue
            self.doubtful, self.trouble = False, ""
            self._changed(self)
            return
