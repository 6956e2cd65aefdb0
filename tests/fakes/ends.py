"""The two ends of a conversation that a test holds in its own hands: raw clients, and back-ends that do as they are told.

Owns sockets of Twisted's own kind, so that nothing of `exfront.wire` is on the test's side. What was received can be waited for; every
wait fails after `PATIENCE` seconds and then says what was there.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twisted.python.failure import Failure

PATIENCE = 20.0
"""Seconds, of real time, that a test waits for something that must come."""


class Message(NamedTuple):
    """A request or a response as it came over the wire."""

    start: bytes
    """The first line, without CRLF."""
    fields: list[tuple[bytes, bytes]]
    """Names as spelt, values without white space around."""
    body: bytes
    chunks: list[bytes] | None
    """The chunks of a chunked body, None for another."""
    trailers: bytes
    head: bytes
    """All bytes of the head."""

    @property
    def status(self) -> int:
        return int(self.start.split(b" ", 2)[1])

    def all(self, name: bytes) -> list[bytes]:
        """The values of every field of that name, any case."""
        return [value for one, value in self.fields if one.lower() == name.lower()]

    def one(self, name: bytes) -> bytes | None:
        """The value of the field that may stand once; None without it."""
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name!r} stands {len(values)} times in {self.head!r}")
        return values[0] if values else None


def read_message(data: bytes, method: bytes = b"", ended: bool = False) -> tuple[Message, bytes] | None:
    """The first message in `data` and what follows it, None while it is not whole.

    `method`: the data is the response to such a request. `ended`: no more bytes will come.
    """
    head, mark, rest = data.partition(b"\r\n\r\n")
    if not mark:
        return None
    start, *lines = head.split(b"\r\n")
    fields = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
    noted = {name.lower(): value for name, value in fields}

    def message(body: bytes, chunks: list[bytes] | None = None, trailers: bytes = b"") -> Message:
        return Message(start, fields, body, chunks, trailers, head + mark)

    if method:
        status = int(start.split(b" ")[1])
        if method == b"HEAD" or status < 200 or status in (204, 304):
            return message(b""), rest
    if noted.get(b"transfer-encoding", b"").lower() == b"chunked":
        unframed = _chunks(rest)
        if unframed is None:
            return None
        chunks, trailers, rest = unframed
        return message(b"".join(chunks), chunks, trailers), rest
    if b"content-length" in noted:
        length = int(noted[b"content-length"])
        return (message(rest[:length]), rest[length:]) if len(rest) >= length else None
    if method:
        return (message(rest), b"") if ended else None
    return message(b""), rest


def _chunks(data: bytes) -> tuple[list[bytes], bytes, bytes] | None:
    chunks = []
    while True:
        line, mark, data = data.partition(b"\r\n")
        if not mark:
            return None
        size = int(line, 16)
        if not size:
            if data.startswith(b"\r\n"):
                return chunks, b"", data[2:]
            trailers, mark, rest = data.partition(b"\r\n\r\n")
            return (chunks, trailers + b"\r\n", rest) if mark else None
        if len(data) < size + 2:
            return None
        if data[size : size + 2] != b"\r\n":
            raise AssertionError(f"no CRLF behind a chunk: {data[: size + 2][-40:]!r}")
        chunks.append(data[:size])
        data = data[size + 2 :]


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """One end of a connection."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pieces: list[bytes] = []
        self.total = 0
        """Bytes that came at all."""
        self.ended = False
        """The peer sends no more."""
        self.lost: Failure | None = None
        """Why the connection is closed, None while it is open."""
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    @property
    def received(self) -> bytes:
        """What came and has not been taken."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    @received.setter
    def received(self, data: bytes) -> None:
        self._pieces = [data]

    # what Twisted calls

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)
        self.total += len(data)
        self._look()

    def readConnectionLost(self) -> None:
        self.ended = True
        self._look()

    def writeConnectionLost(self) -> None:
        """Half-closing is what the test does itself."""

    def connectionLost(self, reason: Failure) -> None:
        self.ended = True
        self.lost = reason
        self._look()

    # what the test does

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    def send_bytewise(self, data: bytes) -> Deferred[None]:
        """Send byte by byte, each in a segment of its own as far as the kernel allows; fires when all are sent."""
        self.transport.setTcpNoDelay(True)
        sent: Deferred[None] = Deferred()
        left = [data[at : at + 1] for at in range(len(data))][::-1]

        def step() -> None:
            if left and self.lost is None:
                self.transport.write(left.pop())
                self._reactor.callLater(0, step)
            else:
                sent.callback(None)

        step()
        return sent

    def half_close(self) -> None:
        """Send no more, read on."""
        self.transport.loseWriteConnection()

    def close(self) -> None:
        self.transport.loseConnection()

    def reset(self) -> None:
        """Close with RST."""
        self.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abortConnection()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        self.transport.resumeProducing()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until `true()`; asked whenever something happens here."""
        if true():
            return
        waiting: Deferred[None] = Deferred()
        self._waiting.append((true, waiting))
        waiting.addTimeout(PATIENCE, self._reactor)
        try:
            await waiting
        except Exception as error:
            raise AssertionError(
                f"waited in vain; ended: {self.ended}, {self.total} bytes came, not taken: {self.received[:2000]!r}"
            ) from error

    async def until_received(self, data: bytes) -> None:
        """Wait until `data` is in what came and has not been taken."""
        await self.until(lambda: data in self.received)

    async def until_ended(self) -> None:
        """Wait until the peer sends no more."""
        await self.until(lambda: self.ended)

    async def until_lost(self) -> None:
        """Wait until the connection is closed."""
        await self.until(lambda: self.lost is not None)

    async def message(self, method: bytes = b"") -> Message:
        """Take the next message: a request, or the response to a request with `method`. Interim responses are messages, too."""
        found: list[tuple[Message, bytes]] = []

        def whole() -> bool:
            one = read_message(self.received, method, self.ended)
            if one is not None:
                found.append(one)
            return one is not None

        def over() -> bool:
            return whole() or self.ended

        await self.until(over)
        if not found:
            raise AssertionError(f"the connection ended in the midst of a message: {self.received[:2000]!r}")
        message, self.received = found[0]
        return message

    async def head(self) -> bytes:
        """Take a head alone, with its empty line."""
        await self.until_received(b"\r\n\r\n")
        head, mark, self.received = self.received.partition(b"\r\n\r\n")
        return head + mark

    def _look(self) -> None:
        for one in tuple(self._waiting):
            true, waiting = one
            if true():
                self._waiting.remove(one)
                waiting.callback(None)


class Client(End):
    """A client: sends bytes, takes answers."""

    async def ask(self, data: bytes) -> Message:
        """Send a whole request and take its (final) answer."""
        self.send(data)
        return await self.answer(data.partition(b" ")[0])

    async def answer(self, method: bytes = b"GET") -> Message:
        """The next final response."""
        while True:
            message = await self.message(method)
            if message.status >= 200 or message.status == 101:
                return message


class BackEnd(Factory):
    """A back-end. With `answer` it answers every request by itself; without, the test takes each connection and does it by hand."""

    noisy = False

    def __init__(self, reactor: Any, answer: Callable[[Message], bytes | None] | None = None, name: str = "") -> None:
        """`answer` gives the response's bytes, or None for silence; `name` is for messages of failed tests."""
        self._reactor = reactor
        self.answer = answer
        self.name = name
        self.ends: list[BackEndEnd] = []
        """Every connection so far, in the order they were accepted."""
        self.requests: list[Message] = []
        """What came whole (kept only with `answer`)."""
        self._waiting: list[tuple[int, Deferred[None]]] = []
        self.port: Any = None
        self.accepting = True
        """False: connections are closed as soon as they are accepted."""

    def listen(self, interface: str = "127.0.0.1", port: int = 0) -> BackEnd:
        self.port = self._reactor.listenTCP(port, self, interface=interface)
        return self

    @property
    def number(self) -> int:
        """The port's number."""
        found: int = self.port.getHost().port
        return found

    def buildProtocol(self, addr: object) -> BackEndEnd | None:
        return BackEndEnd(self._reactor, self) if self.accepting else None

    def accepted(self, end: BackEndEnd) -> None:
        self.ends.append(end)
        for one in tuple(self._waiting):
            if len(self.ends) >= one[0]:
                self._waiting.remove(one)
                one[1].callback(None)

    async def connection(self, number: int = 1) -> BackEndEnd:
        """The `number`th connection that was accepted, counted from 1."""
        if len(self.ends) < number:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((number, waiting))
            waiting.addTimeout(PATIENCE, self._reactor)
            try:
                await waiting
            except Exception as error:
                raise AssertionError(f"back-end {self.name}: connection {number} never came") from error
        return self.ends[number - 1]

    @property
    def open_ends(self) -> list[BackEndEnd]:
        return [one for one in self.ends if one.lost is None]

    async def stop(self) -> None:
        """Listen no more and close every connection."""
        port, self.port = self.port, None
        if port is not None:
            await port.stopListening()
        for end in self.open_ends:
            end.transport.abortConnection()
            await end.until_lost()


class BackEndEnd(End):
    """One connection at the back-end."""

    def __init__(self, reactor: Any, back_end: BackEnd) -> None:
        super().__init__(reactor)
        self._back_end = back_end

    def connectionMade(self) -> None:
        self._back_end.accepted(self)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        back_end = self._back_end
        while back_end.answer is not None and (found := read_message(self.received)) is not None:
            request, self.received = found
            back_end.requests.append(request)
            answer = back_end.answer(request)
            if answer is not None:
                self.transport.write(answer)


def ok(body: bytes = b"ok", *lines: bytes) -> bytes:
    """A plain response."""
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (
        b"".join(line + b"\r\n" for line in lines),
        len(body),
        body,
    )
