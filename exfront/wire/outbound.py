"""The back-end's side of HTTP/1.1: one connection, one request at a time.

Owns the framing of responses, the time-out until an answer comes and between its bytes, and whether the connection may carry another
request. Knows nothing of clients, plans and header rules: an `Attempt` is told what came. What went wrong is told as an outcome, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from zope.interface import classImplements

from exfront.errors import IncompleteBody, MessageError
from exfront.policy.outcome import Unanswered
from exfront.wire.bodies import ChunkedBody, LengthBody, UntilCloseBody
from exfront.wire.heads import head_end, parse_response
from exfront.wire.patience import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime, ITransport
    from twisted.python.failure import Failure

    from exfront.model import ResponseHead
    from exfront.wire.patience import Patience
    from exfront.wire.roles import Attempt, Follower, Keeper
    from exfront.wire.transport import NativeTransport

MAX_RESPONSE_HEAD = 256 * 1024
"""Bytes; back-ends send long cookies and long Kerberos answers, but not more than this."""

INTERIM_LIMIT = 32
"""Interim responses to one request; a back-end that sends more is broken."""


class ServerConnection:
    """One back-end connection."""

    __slots__ = (
        "_attempt",
        "_body",
        "_buffer",
        "_interims",
        "_keep_alive",
        "_method",
        "_now",
        "_patience",
        "_pool",
        "_response_timeout",
        "_sent_whole",
        "_switched",
        "deadline",
        "idle_since",
        "keep_alive_for",
        "kept_alive",
        "pinned",
        "server",
        "trailers",
        "transport",
        "write",
    )

    def __init__(self, pool: Keeper, response_timeout: float, clock: IReactorTime, patience: Patience) -> None:
        self._pool = pool
        self.server = pool.server
        self._response_timeout = response_timeout
        self._now: Callable[[], float] = clock.seconds
        self._patience = patience
        self._attempt: Attempt | None = None
        self._buffer = b""
        self._body: LengthBody | ChunkedBody | UntilCloseBody | None = None
        self._method = b""
        self._keep_alive = False
        self._sent_whole = True
        self._switched = False
        self._interims = 0
        self.deadline = FOREVER
        self.idle_since = 0.0
        self.keep_alive_for = FOREVER
        """Seconds the back-end says it keeps an idle connection (`Keep-Alive: timeout=5`)."""
        self.kept_alive = False
        """Whether it has carried a request before this one."""
        self.pinned = False
        """Whether it belongs to one client connection (connection-bound authentication) and is never pooled."""
        self.trailers = b""

    # what the transport calls

    def makeConnection(self, transport: ITransport) -> None:
        self.transport = cast("NativeTransport", transport)
        self.connectionMade()

    def connectionMade(self) -> None:
        self.write: Callable[[bytes], None] = self.transport.write
        self.transport.registerProducer(self, True)
        self._patience.watch(self)

    def dataReceived(self, data: bytes) -> None:
        if self._attempt is None:
            # nothing was asked: whatever this is, it must not be taken for the next answer
            self._discard()
        elif self._body is not None:
            self._feed(data)
        elif self._switched:
            self._attempt.continued(data, False)
        else:
            self._head(self._buffer + data if self._buffer else data)

    def readConnectionLost(self) -> None:
        """The back-end sends no more: the end of a body without length, of a tunnel's one way, or of everything."""
        attempt = self._attempt
        if self._switched and attempt is not None:
            attempt.continued(b"", True)
            return
        if self._body is not None and attempt is not None:
            self._end_of_stream(attempt)
        elif attempt is not None:
            self._fail("closed without an answer", owed=self._owed)
        self._discard()

    def writeConnectionLost(self) -> None:
        """Nothing to do: the answer may still come."""

    def connectionLost(self, reason: Failure) -> None:
        self._patience.forget(self)
        self.deadline = FOREVER
        if self._attempt is not None:
            attempt = self._attempt
            if self._switched or self._body is not None:
                self._attempt = None
                attempt.broken_off("the back-end closed")
            else:
                self._fail("reset without an answer", owed=self._owed)
        self._pool.lost(self)
        self._body = None
        self.transport = None  # type: ignore[assignment]

    # the request

    @property
    def usable(self) -> bool:
        """Whether the connection is open and idle."""
        return self._attempt is None and self.transport is not None and not self.transport.disconnecting

    def send(self, attempt: Attempt, method: bytes, data: bytes, whole: bool, waits: bool = False) -> None:
        """Send a request's head (and body, as far as it is in `data`); `whole`: nothing follows.

        `waits`: the client sends its body only when the back-end says so (`Expect: 100-continue`).
        """
        self._attempt = attempt
        self._method = method
        self._sent_whole = whole
        # while the client still sends, it is not the back-end that keeps us waiting
        self.deadline = self._now() + self._response_timeout if whole or waits else FOREVER
        self.write(data)

    def send_more(self, data: bytes, whole: bool) -> None:
        """Send more of the body; `whole` with the last."""
        if whole:
            self._sent_whole = True
            if self._body is None:
                self.deadline = self._now() + self._response_timeout
        elif self._body is None and not self.transport.write_paused:
            self.deadline = FOREVER  # it sends after all, without the word it was to wait for (RFC 9110 10.1.1)
        if data:
            self.write(data)

    def hand_to(self, tunnel: Follower) -> None:
        """The connection has switched: from now on `tunnel` is told what comes."""
        self._attempt = cast("Attempt", tunnel)  # nothing but a follower's part is left to tell

    def leave(self) -> None:
        """The attempt wants no more (its client is gone): nothing is told any more and the connection closes."""
        self._attempt = None
        self._discard()

    def part(self) -> None:
        """The tunnel is over on both ways: nothing is told any more, and the connection closes when all is sent."""
        self._attempt = None
        self._pool.lost(self)
        if self.transport is not None:
            self.deadline = self._now() + self._response_timeout
            self.transport.loseConnection()

    def close(self) -> None:
        """Close an idle or pinned connection."""
        if self._attempt is None:
            self._discard()

    # the response

    def _head(self, data: bytes) -> None:
        """Take heads out of `data`: interim ones, then the answer's."""
        while True:
            end = data.find(b"\r\n\r\n") + 4
            try:
                if end == 3:
                    self._incomplete(data)
                    return
                head = parse_response(data[:end], self._method)
            except MessageError as error:
                self._fail(f"not HTTP: {error.reason}", garbled=True)
                self._discard()
                return
            if head.status >= 200:
                break
            data = data[end:]
            if head.status == 101:
                self._switch(head, data)
                return
            if not self._interim(head):
                return
            if not data:
                self._buffer = b""
                return
        self._buffer = b""
        self._keep_alive = head.keep_alive
        if b"keep-alive" in head.noted:
            self._note_keep_alive(head.noted[b"keep-alive"])
        data = data[end:]
        if len(data) == head.length:
            # all of it came at once, as most answers do
            attempt = self._attempt
            assert attempt is not None
            self._done()
            attempt.answered(head, data, True)
        else:
            self._begin_body(head, data)

    def _incomplete(self, data: bytes) -> None:
        head_end(data, 0, 502)
        if len(data) > MAX_RESPONSE_HEAD:
            raise MessageError(502, "the response head is too large")
        self._buffer = data

    def _interim(self, head: ResponseHead) -> bool:
        self._interims += 1
        if self._interims > INTERIM_LIMIT:
            self._fail("too many interim responses", garbled=True)
            self._discard()
            return False
        self.deadline = self._now() + self._response_timeout if self._sent_whole else FOREVER
        attempt = self._attempt
        assert attempt is not None
        attempt.interim(head)
        return self._attempt is attempt

    def _begin_body(self, head: ResponseHead, data: bytes) -> None:
        attempt = self._attempt
        assert attempt is not None
        body = self._body = _body_of(head.length)
        payload = b""
        if data:
            try:
                payload = body.feed(data)
            except MessageError as error:
                self._body = None
                self._fail(f"not HTTP: {error.reason}", garbled=True)
                self._discard()
                return
        if body.done:
            self._end(body)
        else:
            self.deadline = self._now() + self._response_timeout
        attempt.answered(head, payload, body.done)

    def _feed(self, data: bytes) -> None:
        body, attempt = self._body, self._attempt
        assert body is not None and attempt is not None
        try:
            payload = body.feed(data)
        except MessageError as error:
            self._break_off(f"not HTTP: {error.reason}")
            return
        if body.done:
            self._end(body)
            attempt.continued(payload, True)
        else:
            self.deadline = self._now() + self._response_timeout
            if payload:
                attempt.continued(payload, False)

    def _end_of_stream(self, attempt: Attempt) -> None:
        body = self._body
        assert body is not None
        try:
            body.end()
        except IncompleteBody:
            self._break_off("the body ended early")
            return
        self._end(body)
        attempt.continued(b"", True)

    def _end(self, body: LengthBody | ChunkedBody | UntilCloseBody) -> None:
        self.trailers = body.trailers
        if body.rest:
            self._keep_alive = False  # more than was asked for: never to be used again
        self._done()

    def _done(self) -> None:
        """The response is whole: back to the pool, or closed."""
        self._attempt = None
        self._body = None
        self._interims = 0
        self.deadline = FOREVER
        self.kept_alive = True
        if not (self._keep_alive and self._sent_whole):
            self._discard()
        elif not self.pinned:
            self._pool.release(self)

    def _switch(self, head: ResponseHead, data: bytes) -> None:
        self._buffer = b""
        self._switched = True
        self.deadline = FOREVER
        attempt = self._attempt
        assert attempt is not None
        attempt.switched(head, data)

    def _note_keep_alive(self, value: bytes) -> None:
        """Apache and others say how long they keep an idle connection (RFC 2068 19.7.1)."""
        for one in value.split(b","):
            name, _, seconds = one.strip().partition(b"=")
            if name.strip().lower() == b"timeout" and seconds.strip().isdigit():
                self.keep_alive_for = float(seconds)

    # failures

    @property
    def _owed(self) -> bool:
        """Whether it is the client that keeps the exchange waiting: its body has not come whole, and what came is sent."""
        return not self._sent_whole and not self.transport.write_paused

    def _fail(self, reason: str, timed_out: bool = False, owed: bool = False, garbled: bool = False) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.unanswered(Unanswered(reason, timed_out, self.kept_alive, owed, garbled))

    def _break_off(self, reason: str) -> None:
        attempt, self._attempt = self._attempt, None
        self._body = None
        self._discard()
        if attempt is not None:
            attempt.broken_off(reason)

    def _discard(self) -> None:
        self.deadline = FOREVER
        self._pool.lost(self)
        if self.transport is not None:
            self.transport.abortConnection()

    def out_of_patience(self, now: float) -> None:
        """The back-end hangs (F62), or an idle connection's time is up."""
        if self._attempt is None:
            self._discard()
        elif not self.transport.reading:
            self.deadline = now + self._response_timeout  # it is our client who is slow
        elif self._body is not None:
            self._break_off("the back-end stopped in the middle of its answer")
        else:
            self._fail("no answer in time", timed_out=True, owed=self._owed)
            self._discard()

    # back-pressure

    def pauseProducing(self) -> None:
        """The transport says that the back-end reads too slowly; one that reads nothing at all hangs."""
        if self._attempt is not None:
            if self._body is None and not self._switched:
                self.deadline = self._now() + self._response_timeout
            self._attempt.pause_body()

    def resumeProducing(self) -> None:
        if self._attempt is not None:
            if self._body is None and not self._sent_whole:
                self.deadline = FOREVER
            self._attempt.resume_body()

    def stopProducing(self) -> None:
        """Part of the interface; the transport tells `connectionLost` instead."""


classImplements(ServerConnection, IProtocol, IHalfCloseableProtocol, IPushProducer)


def _body_of(length: int) -> LengthBody | ChunkedBody | UntilCloseBody:
    if length >= 0:
        return LengthBody(length)
    return ChunkedBody(status=502) if length == -1 else UntilCloseBody()
