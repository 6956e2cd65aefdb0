"""One connection to a directory server: ldaptor's client with all replaced that a hostile or hanging server could use.

Owns message ids, what is in flight with its patience, and the end of the connection. Refuses to know what is asked, which server
this is, and what becomes of a request afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ldaptor.protocols import pureldap
from ldaptor.protocols.ldap.ldapclient import LDAPClient
from ldaptor.protocols.pureber import berDecodeObject
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from zope.interface import implementer

from exfront.directory.decoder import open_message, read_entry
from exfront.directory.framing import Framer
from exfront.directory.trouble import AnswerOverdue, BrokenMessage, LineLost, TlsNotVerified, lost
from exfront.errors import DirectoryUnreachable, SizeLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from exfront.directory.asking import Control
    from exfront.directory.interface import Entry

_ENTRY, _SEARCH_DONE, _REFERENCE, _EXTENDED, _INTERMEDIATE = 0x64, 0x65, 0x73, 0x78, 0x79
_EXPECTED = {
    pureldap.LDAPBindRequest: 0x61,
    pureldap.LDAPSearchRequest: _SEARCH_DONE,
    pureldap.LDAPModifyRequest: 0x67,
}
"""Tags of the final answers (RFC 4511 4.2 to 4.12); every other request is an extended one."""
_LARGEST_ID = 2**31 - 1
_STRIKES = 3
_REMEMBERED = 256
_FAREWELL = 1.0


class Answer(NamedTuple):
    """A request's final result with what came before it."""

    result: Any
    """ldaptor's LDAPResult: resultCode, errorMessage (bytes) and so on."""
    controls: Sequence[Control] | None
    entries: list[Entry]


class _Waiting:
    """A request in flight."""

    __slots__ = ("deferred", "entries", "expected", "most", "patience")

    def __init__(self, deferred: Deferred[Answer], expected: int, most: int, patience: IDelayedCall) -> None:
        self.deferred = deferred
        self.expected = expected
        self.most = most
        self.patience = patience
        self.entries: list[Entry] = []


@implementer(IHandshakeListener)
class DirectoryConnection(LDAPClient):  # type: ignore[misc]  # ldaptor has no types
    """Ask it; every request ends: with an Answer, AnswerOverdue after `patience` seconds, or LineLost.

    Only searches can be abandoned (RFC 4511 4.11), so a time-out or a cancellation of anything else aborts the connection: its
    outcome is unknown and the connection must not be used again. So do three time-outs in a row.
    """

    debug = False  # ldaptor would log requests, passwords of modifications included

    def __init__(
        self, clock: IReactorTime, patience: float, ended: Callable[[DirectoryConnection], None] | None = None
    ) -> None:
        super().__init__()
        self._clock = clock
        self._patience = patience
        self._ended = ended
        self._framer = Framer()
        self._last_id = 0
        self._tombstones: dict[int, None] = {}  # ids that were given up and may still be answered, oldest first
        self._strikes = 0
        self.onwire: dict[int, _Waiting] = {}
        self._over = False
        self._farewell: IDelayedCall | None = None
        self._handshake: Deferred[None] | None = None
        self._secure = False
        self._gone: Deferred[None] = Deferred()
        self.trouble: DirectoryUnreachable = LineLost("the connection is not made yet")
        """Why the connection ended, once it has."""

    @property
    def usable(self) -> bool:
        """Whether a request can be sent now."""
        return bool(self.connected) and not self._over

    @property
    def in_flight(self) -> int:
        """Requests without their final answer."""
        return len(self.onwire)

    def ask(self, request: Any, controls: Sequence[Control] | None = None, *, most: int = 0) -> Deferred[Answer]:
        """The final answer with its entries. `most` (0: any number) entries or the Deferred fails with SizeLimitExceeded.

        Fails at once with LineLost on a connection that is over; never raises. Cancel it to give up.
        """
        if not self.usable:
            return fail(self.trouble)
        number = self._next_id()
        wire = pureldap.LDAPMessage(request, controls=controls, id=number).toWire()
        deferred: Deferred[Answer] = Deferred(lambda _: self._cancelled(number))
        expected = _EXPECTED.get(type(request), _EXTENDED)
        timer = self._clock.callLater(self._patience, self._overdue, number)
        self.onwire[number] = _Waiting(deferred, expected, most, timer)
        self.transport.write(wire)
        return deferred

    async def secured(self) -> None:
        """Wait for the TLS handshake. Raises TlsNotVerified when the certificate is not the host's, LineLost for other ends."""
        if not self._secure:
            if self._over:
                raise self.trouble
            self._handshake = Deferred()
            await self._handshake

    async def start_tls(self, creator: Any) -> None:
        """Change to TLS on this fresh connection (RFC 4511 4.14). Raises TlsNotVerified or another DirectoryUnreachable."""
        await self.startTLS(creator)
        await self.secured()

    def abort(self, told: str) -> None:
        """End it now; whatever is in flight fails with `told`, a text for the log."""
        if not self._over:
            self._finish(LineLost(told))
            self.transport.abortConnection()

    def close(self) -> Deferred[None]:
        """Say goodbye (unbind, RFC 4511 4.3) and close; fires when the connection is gone, after a second at the latest."""
        if self.usable:
            self.transport.write(pureldap.LDAPMessage(pureldap.LDAPUnbindRequest(), id=self._next_id()).toWire())
            self._finish(LineLost("the connection is closed"))
            self.transport.loseConnection()
            self._farewell = self._clock.callLater(_FAREWELL, self.transport.abortConnection)
        gone: Deferred[None] = Deferred()
        _ = self._gone.addCallback(gone.callback)
        return gone

    # What Twisted and ldaptor call.

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        framer = self._framer
        try:
            framer.feed(data)
            while not self._over and (message := framer.take()) is not None:
                self._received(message)
        except BrokenMessage as broken:
            self.abort(str(broken))

    def handshakeCompleted(self) -> None:
        self._secure = True
        handshake, self._handshake = self._handshake, None
        if handshake is not None and not self._over:
            handshake.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self._finish(lost(reason))
        if self._farewell is not None and self._farewell.active():
            self._farewell.cancel()
        waiting, self.onwire = list(self.onwire.values()), {}
        for one in waiting:
            one.patience.cancel()
        trouble = self.trouble
        handshake, self._handshake = self._handshake, None
        if handshake is not None and not handshake.called:
            handshake.errback(trouble)
        for one in waiting:
            one.deferred.errback(trouble)
        self._gone.callback(None)

    def startTLS(self, ctx: Any = None) -> Deferred[Any]:
        """What ldaptor has verifies nothing without a context and waits on the global reactor."""
        if ctx is None:
            raise ValueError("TLS without verification is not offered")
        if self.onwire:
            return fail(LineLost("StartTLS has to come before other requests"))
        return self.ask(pureldap.LDAPStartTLSRequest()).addCallback(self._cbStartTLS, ctx)

    def _cbStartTLS(self, answer: Answer, ctx: Any) -> None:
        """Bytes behind the answer came in the clear and would be believed as if they had come over TLS."""
        code = answer.result.resultCode
        if code != 0:
            raise TlsNotVerified(f"the server refuses StartTLS (result {code})")
        if answer.result.responseName not in (None, b"", pureldap.LDAPStartTLSRequest.oid):
            raise TlsNotVerified("the server answers StartTLS with something else")
        if self._framer.pending:
            self.abort("plain text behind the answer to StartTLS: somebody is in between")
            raise TlsNotVerified("plain text behind the answer to StartTLS: somebody is in between")
        self.transport.startTLS(ctx)

    # Our own half.

    def _finish(self, trouble: DirectoryUnreachable) -> None:
        """From now on it cannot be used: said once, before anything that was in flight hears of it."""
        if not self._over:
            self._over, self.trouble = True, trouble
            ended, self._ended = self._ended, None
            if ended is not None:
                ended(self)

    def _received(self, message: bytes) -> None:
        number, tag, at = open_message(message)
        waiting = self.onwire.get(number)
        if waiting is None:
            self._stray(number, tag, message)
            return
        self._strikes = 0
        if tag == _ENTRY:
            waiting.entries.append(read_entry(message, at))
            if waiting.most and len(waiting.entries) > waiting.most:
                self._give_up(number)
                waiting.deferred.errback(SizeLimitExceeded("more entries match than wanted"))
        elif tag not in (_REFERENCE, _INTERMEDIATE):
            if tag != waiting.expected:
                raise BrokenMessage("the server answered another question than the one asked")
            value, controls = _decoded(message, self.berdecoder)
            self._forget(number)
            waiting.deferred.callback(Answer(value, controls, waiting.entries))

    def _stray(self, number: int, tag: int, message: bytes) -> None:
        """A late answer to something given up, or an unsolicited notification; unknown ids are nobody's business."""
        if number == 0 and tag == _EXTENDED:
            value, _ = _decoded(message, self.berdecoder)
            if getattr(value, "responseName", None) == b"1.3.6.1.4.1.1466.20036":
                self.abort(f"the server ended the connection (result {value.resultCode})")
        elif tag not in (_ENTRY, _REFERENCE, _INTERMEDIATE):
            self._tombstones.pop(number, None)

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % _LARGEST_ID + 1
            if self._last_id not in self.onwire and self._last_id not in self._tombstones:
                return self._last_id

    def _forget(self, number: int) -> _Waiting:
        waiting: _Waiting = self.onwire.pop(number)
        if waiting.patience.active():
            waiting.patience.cancel()
        return waiting

    def _overdue(self, number: int) -> None:
        waiting = self._give_up(number)
        self._strikes += 1
        if self._strikes >= _STRIKES:
            self.abort(f"{_STRIKES} time-outs in a row")
        waiting.deferred.errback(AnswerOverdue(f"no answer within {self._patience:g} seconds"))

    def _cancelled(self, number: int) -> None:
        self._give_up(number)

    def _give_up(self, number: int) -> _Waiting:
        """Forget a request: a search is abandoned, anything else takes the connection with it."""
        waiting = self._forget(number)
        if waiting.expected != _SEARCH_DONE:
            self.abort("a request was given up and its outcome is not known")
        elif self.usable:
            self._tombstones[number] = None
            if len(self._tombstones) > _REMEMBERED:
                del self._tombstones[next(iter(self._tombstones))]
            abandon = pureldap.LDAPMessage(pureldap.LDAPAbandonRequest(id=number), id=self._next_id())
            self.transport.write(abandon.toWire())
        return waiting


def _decoded(message: bytes, context: Any) -> tuple[Any, Sequence[Control] | None]:
    """What ldaptor makes of a message that is not an entry. Raises BrokenMessage."""
    try:
        decoded, _ = berDecodeObject(context, message)
        return decoded.value, decoded.controls
    except Exception:  # noqa: BLE001  assertions, attribute and recursion errors: ldaptor trusts what it decodes
        raise BrokenMessage("the server sent a message that cannot be read") from None
