"""The client's side of HTTP/1.1: one connection, its requests one after the other.

Owns the framing of requests: finding heads, decoding bodies, answering in order when requests are pipelined, limits and time-outs, and the
end of the connection. Knows nothing of what a request means: a `Site` takes each head and names a `Receiver` for what follows.
Whoever answers writes through `write` and says `finished` once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from zope.interface import classImplements

from exfront.errors import MessageError
from exfront.wire.bodies import ChunkedBody, LengthBody
from exfront.wire.heads import head_end, parse_request, skip_empty_lines
from exfront.wire.line import ClientLine, text_address
from exfront.wire.patience import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from exfront.model import RequestHead
    from exfront.wire.patience import Patience
    from exfront.wire.roles import ConnectionKeeper, Limits, Pinned, Receiver, Site

PIPELINED = 64 * 1024
"""Bytes of further requests that are kept while one is being answered; then reading pauses."""

DISCARDED = 256 * 1024
"""Bytes of a body nobody wants that are read away so that the connection can go on; with more to come it is closed instead."""


class ClientConnection(ClientLine):
    """One client connection."""

    __slots__ = (
        "__weakref__",
        "_body",
        "_body_bytes",
        "_buffer",
        "_expects",
        "_keep_alive",
        "_pumping",
        "_site",
        "_taker",
        "context",
        "factory",
        "pinned",
        "scheme",
    )

    def __init__(self, site: Site, limits: Limits, clock: IReactorTime, patience: Patience) -> None:
        super().__init__(limits, clock, patience)
        self._site = site
        self._buffer = b""
        self._pumping = False
        self._body: LengthBody | ChunkedBody | None = None
        self._body_bytes = 0
        self._expects = False
        self._keep_alive = True
        self._taker: Callable[[bytes], None] | None = None
        self.factory: ConnectionKeeper | None = None
        self.scheme = b"http"
        self.pinned: Pinned | None = None
        """A back-end connection that belongs to this client connection alone (connection-bound authentication)."""
        self.context: object = None
        """What the site remembers with this connection."""

    # what the transport calls

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self, True)
        self.deadline = self._now() + self._limits.header_timeout
        self._patience.watch(self)
        if self.factory is not None:
            self.factory.made(self)

    def dataReceived(self, data: bytes) -> None:
        if not self._busy and not self.transport.write_paused:
            if self._buffer:
                self._pump(self._buffer + data)
            elif data.find(b"\r\n\r\n") + 4 == len(data) <= self._limits.max_head_size and data[0] > 32 and self.peer:
                # one whole head and nothing else, as nearly always
                try:
                    self._take(parse_request(data))
                except MessageError as error:
                    self._refuse(error)
            else:
                self._pump(data)
        elif self._taker is not None:
            self._taker(data)
        elif self._body is not None:
            self._feed(data)
        elif not self._closing:
            self._buffer += data  # a pipelined request waits for its turn
            if len(self._buffer) > PIPELINED:
                self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """The client will send no more (half-close)."""
        self._half_closed = True
        if self._taker is not None and self._receiver is not None:
            self._receiver.body_ended(b"")
        elif self._busy and self._body is None and not self._closing:
            self._look_for_life()
        elif self._busy or not (self._buffer and self.transport.write_paused):
            # between requests, or within a head or a body: there is nothing left to answer
            self._gone()
            self._hang_up()

    def connectionLost(self, reason: Failure) -> None:
        self._patience.forget(self)
        self.deadline = FOREVER
        self._busy = self._closing = True
        self._buffer = b""
        self._gone()
        pinned, self.pinned = self.pinned, None
        if pinned is not None:
            pinned.close()
        if self.factory is not None:
            self.factory.lost(self)
        self.context = self.transport = None  # type: ignore[assignment]

    def _gone(self) -> None:
        receiver, self._receiver = self._receiver, None
        self._taker = self._body = None
        if receiver is not None:
            receiver.client_gone()

    # heads

    def _pump(self, data: bytes) -> None:
        """Take heads out of `data` until one is being answered or more bytes are needed."""
        if not self.peer:
            self.peer = text_address(self.transport.getPeer())
        self._pumping = True
        begun = bool(self._buffer)
        try:
            while data and not self._busy and not self.transport.write_paused:
                end = data.find(b"\r\n\r\n") + 4
                if end == 3 or data[0] <= 32:
                    data = self._incomplete(data, begun)
                    continue
                if end > self._limits.max_head_size:
                    raise _too_large(data, self._limits.max_head_size)
                if len(data) == end:
                    self._buffer = b""
                    self._take(parse_request(data))
                else:
                    self._buffer = data[end:]
                    self._take(parse_request(data[:end]))
                data = self._buffer
                begun = False
        except MessageError as error:
            self._refuse(error)
        finally:
            self._pumping = False

    def _incomplete(self, data: bytes, begun: bool) -> bytes:
        """Strip empty lines before a head (RFC 9112 2.2); keep an unfinished one, watch its size, set its deadline once.

        `begun`: the deadline is set already. Empty lines alone begin nothing. Returns what is to be parsed now, or nothing when more bytes
        are needed.
        """
        data = data[skip_empty_lines(data) :]
        if head_end(data) > 0:
            return data
        if data and not begun:
            self.deadline = self._now() + self._limits.header_timeout
        self._buffer = data
        if len(data) > self._limits.max_head_size:
            raise _too_large(data, self._limits.max_head_size)
        return b""

    def _take(self, head: RequestHead) -> None:
        self._busy = True
        self._keep_alive = head.keep_alive
        if not head.length:
            self.deadline = FOREVER
            receiver = self._site.take(self, head)
            if self._busy:
                self._receiver = receiver
                self._interim = head.minor == 1
            return
        self._expect_body(head)
        receiver = self._site.take(self, head)
        if self._body is not None:
            self._receiver = receiver
            rest, self._buffer = self._buffer, b""
            if rest:
                self._feed(rest)

    def _refuse(self, error: MessageError) -> None:
        self._busy = True
        self._buffer = b""
        self._keep_alive = False
        self.deadline = FOREVER
        self._site.refuse(self, error)

    # bodies

    def _expect_body(self, head: RequestHead) -> None:
        limit = self._limits.max_body_size
        if limit and head.length > limit:
            raise MessageError(413, "the request body is too large")
        self._body = LengthBody(head.length) if head.length > 0 else ChunkedBody()
        self._body_bytes = 0
        self._expects = b"expect" in head.noted
        self._interim = head.minor == 1
        self.deadline = self._now() + self._limits.body_timeout

    def _feed(self, data: bytes) -> None:
        """Bytes that belong to the body, and perhaps to what follows it."""
        body = self._body
        assert body is not None
        self._expects = False
        self.deadline = self._now() + self._limits.body_timeout
        try:
            payload = body.feed(data)
            self._body_bytes += len(payload)
            if self._limits.max_body_size and self._body_bytes > self._limits.max_body_size:
                raise MessageError(413, "the request body is too large")
        except MessageError as error:
            self._break_body(error)
            return
        receiver = self._receiver
        if payload and receiver is not None:
            receiver.body_received(payload)
        if self._body is not body:
            return
        if body.done:
            self._end_body(body)
        elif self._receiver is None and self._body_bytes > DISCARDED:
            self._close()

    def _end_body(self, body: LengthBody | ChunkedBody) -> None:
        self._body = None
        self.deadline = FOREVER
        self._buffer = body.rest
        if self._receiver is not None:
            self._receiver.body_ended(body.trailers)
        elif not self._closing:
            self._next()  # it was answered before it was whole

    def _break_body(self, error: MessageError) -> None:
        receiver, self._receiver = self._receiver, None
        self._body = None
        self._keep_alive = False
        self._buffer = b""
        self.deadline = FOREVER
        if receiver is None:
            self._close()
        else:
            receiver.body_broken(error)

    # the answer's end

    @property
    def persists(self) -> bool:
        """Whether the connection goes on after this answer: else the answer says `Connection: close` (RFC 9112 9.6)."""
        if not self._keep_alive:
            return False
        body = self._body
        return body is None or not (self._expects or body.remaining > DISCARDED)

    def close_after(self) -> None:
        """The answer under way says `Connection: close`."""
        self._keep_alive = False

    def finished(self, close: bool = False) -> None:
        """The answer is written whole. The next request is taken, or the connection closed (by `close`, or where it does not persist)."""
        self._receiver = None
        if (
            self._body is None
            and self._keep_alive
            and self.transport.reading
            and not (close or self._buffer or self._half_closed)
        ):
            self._busy = False
            self.deadline = self._now() + self._limits.idle_timeout
        elif close or not self.persists:
            self._close()
        elif self._body is not None:
            self._body_bytes = 0
            self.deadline = self._now() + self._limits.body_timeout
            self.transport.resumeProducing()
        else:
            self._next()

    def _next(self) -> None:
        """Ready for the next request, which may be here already."""
        self._busy = False
        self.deadline = self._now() + self._limits.idle_timeout
        self.transport.resumeProducing()
        if self._buffer:
            # a client that asks for much and reads nothing is not answered into memory
            if not self._pumping and not self.transport.write_paused:
                self._pump_kept()
        elif self._half_closed:
            self._hang_up()

    def _pump_kept(self) -> None:
        buffer, self._buffer = self._buffer, b""
        self._pump(buffer)

    def _close(self) -> None:
        """No further request."""
        self._buffer = b""
        self._body = None
        self._part()

    def drain(self) -> None:
        """The front-end is stopping: close now when idle, else after the answer."""
        self._keep_alive = False
        if not self._busy and not self._buffer:
            self._hang_up()

    def abandon(self) -> None:
        """Close at once, whatever is under way, and tell who carries it."""
        self._gone()
        self.abort()

    # tunnels

    def tunnel(self, receiver: Receiver, taker: Callable[[bytes], None]) -> None:
        """From now on every byte goes to `taker` as it comes (after a 101)."""
        self._receiver = receiver
        self._taker = taker
        self.deadline = FOREVER
        rest, self._buffer = self._buffer, b""
        if rest:
            taker(rest)
        if self._half_closed:
            receiver.body_ended(b"")

    # a slow client, and patience

    def pauseProducing(self) -> None:
        """The transport says that the client reads too slowly."""
        self._unsent = self.transport.unsent
        self.deadline = self._now() + self._limits.body_timeout
        if self._receiver is not None:
            self._receiver.pauseProducing()

    def resumeProducing(self) -> None:
        if self._body is None and not self._closing and self._busy:
            self.deadline = FOREVER
        if self._receiver is not None:
            self._receiver.resumeProducing()
        elif not self._busy and self._buffer:
            self._pump_kept()

    def stopProducing(self) -> None:
        """Part of the interface; the transport tells `connectionLost` instead."""

    def out_of_patience(self, now: float) -> None:
        """What the deadline stood for depends on where the connection is."""
        if self._closing or self.transport.write_paused:
            self._wait_for_reader(now)
        elif not self._busy:
            if self._buffer:
                self._refuse(MessageError(408, "the request head took too long"))
            else:
                self._hang_up()
        elif self._body is not None:
            if self.transport.reading:
                self._break_body(MessageError(408, "the request body took too long"))
            else:
                self.deadline = now + self._limits.body_timeout  # it is us who do not read
        elif self._taker is not None:
            self.transport.abortConnection()  # the tunnel's other end closed long ago
        elif self._half_closed:
            self._look_for_life()
        else:
            self.deadline = FOREVER


def _too_large(data: bytes, most: int) -> MessageError:
    """A head of more than `most` bytes: it is the target where that many bytes do not hold the first line (RFC 9110 15.5.15)."""
    if data.find(b"\r\n", 0, most) < 0:
        return MessageError(414, "the request target is too long")
    return MessageError(431, "the request head is too large")


classImplements(ClientConnection, IProtocol, IHalfCloseableProtocol, IPushProducer)
