"""Pages of the front-end's own, rendered by twisted.web on our connection.

A `Page` collects the small body of one request, lets a twisted.web resource render it and writes what came of it in one piece. The resource
sees an ordinary `twisted.web.server.Request`; of twisted.web's own connection handling nothing is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from exfront.frontend.answers import answer, error_answer
from exfront.frontend.visitor import request_id_of, visitor_of
from exfront.ledger import Finished

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IAddress, ITransport
    from twisted.web.resource import IResource

    from exfront.errors import MessageError
    from exfront.frontend.services import Services
    from exfront.model import RequestHead
    from exfront.wire.inbound import ClientConnection

MOST_BODY = 64 * 1024
"""Bytes of a form; 413 beyond."""

_FRAMING = frozenset((b"connection", b"transfer-encoding", b"content-length", b"date", b"server", b"keep-alive"))
_log = Logger()


class _Rendered:
    """The site that a `twisted.web.server.Request` asks for its settings."""

    displayTracebacks = False


class PageRequest(Request):
    """A twisted.web request whose resource is known already."""

    resource: IResource

    def process(self) -> None:
        self.site = self.channel.site  # type: ignore[attr-defined]  # our Page
        self.prepath, self.postpath = [], []
        self.sentLength = 0
        self.render(self.resource)


class Page:
    """One request for a page; its `Receiver`, and the channel that twisted.web writes to."""

    site = _Rendered()

    def __init__(
        self, name: str, resource: IResource, services: Services, connection: ClientConnection, head: RequestHead
    ) -> None:
        self._name = name
        self._resource = resource
        self._services = services
        self._connection = connection
        self._head = head
        self._started = services.now()
        self._body: list[bytes] = []
        self._size = 0
        self._written: list[bytes] = []
        self._status = 0
        self._lines = b""
        self._over = False
        self._request: PageRequest | None = None
        visitor = visitor_of(connection, head, services.trusts)
        self._peer = visitor.client.address
        self.request_id = request_id_of(visitor, head, services.next_id)
        self.answering = False

    def begin(self) -> Page | None:
        """Render at once where there is no body to wait for; None when the request is answered."""
        if self._head.length == 0:
            self._render()
        elif self._head.length > MOST_BODY:
            self._refuse(413, "large-form")
        return None if self._over else self

    # Receiver

    def body_received(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MOST_BODY:
            self._refuse(413, "large-form")
        else:
            self._body.append(data)

    def body_ended(self, trailers: bytes) -> None:
        self._render()

    def body_broken(self, error: MessageError) -> None:
        self._refuse(error.status, "broken-body", close=True)

    def client_gone(self) -> None:
        self._over = True
        self._record(499, 0, "client-gone")
        if self._request is not None:
            from twisted.internet.error import ConnectionLost
            from twisted.python.failure import Failure

            self._request.connectionLost(Failure(ConnectionLost()))

    def pauseProducing(self) -> None:
        """A page is small: it is written in one piece."""

    def resumeProducing(self) -> None:
        """See `pauseProducing`."""

    # rendering

    def _render(self) -> None:
        request = self._request = PageRequest(self, False, parsePOSTFormSubmission=True)
        request.resource = self._resource
        head = self._head
        body = b"".join(self._body)
        headers = Headers()
        for line in head.lines.splitlines():
            name, _, value = line.partition(b":")
            headers.addRawHeader(name, value.strip(b" \t"))
        request.requestHeaders = headers
        request.gotLength(len(body))
        request.handleContentChunk(body)
        try:
            request.requestReceived(head.method, head.target, b"HTTP/1.%d" % head.minor)
        except Exception:  # noqa: BLE001  whatever a page does wrong, its client gets an answer
            _log.failure("the page {name} could not be rendered", name=self._name)
            self._refuse(500, "defect")

    # what twisted.web's request asks of its channel

    @property
    def transport(self) -> ITransport:
        """For resources that look at it; nothing is written there."""
        return self._connection.transport

    def isSecure(self) -> bool:
        return self._connection.scheme == b"https"

    def getPeer(self) -> IAddress:
        found: IAddress = self._connection.transport.getPeer()
        return found

    def getHost(self) -> IAddress:
        found: IAddress = self._connection.transport.getHost()
        return found

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: object) -> None:
        pairs = headers.getAllRawHeaders() if isinstance(headers, Headers) else headers
        self._status = int(code)
        lines = []
        for name, value in _flat(pairs):  # type: ignore[arg-type]
            if name.lower() not in _FRAMING:
                lines.append(b"%b: %b\r\n" % (name, value))
        self._lines = b"".join(lines)

    def write(self, data: bytes) -> None:
        self._written.append(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self._written.extend(data)

    def requestDone(self, request: Request) -> None:
        if self._over:
            return
        body = b"".join(self._written)
        if request.chunked:
            body = _unchunked(self._written)
        whole, sent = answer(
            self._status,
            self._lines + b"X-Request-Id: %b\r\n" % self.request_id,
            body,
            self._head,
            not self._connection.persists,
        )
        self._end(self._status, whole, sent, "")

    def loseConnection(self) -> None:
        """twisted.web gave up on the request."""
        if not self._over:
            self._refuse(500, "defect", close=True)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """twisted.web could not read a form."""
        self._refuse(400, "broken-form", close=True)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("pages are written in one piece")

    def unregisterProducer(self) -> None:
        """No producer was registered."""

    # the end

    def _refuse(self, status: int, reason: str, close: bool = False) -> None:
        close = close or not self._connection.persists
        whole, sent = error_answer(status, self.request_id, self._head, close=close)
        self._end(status, whole, sent, reason, close)

    def _end(self, status: int, whole: bytes, sent: int, reason: str, close: bool = False) -> None:
        self._over = True
        self.answering = True
        self._connection.write(whole)
        self._record(status, sent, reason)
        self._connection.finished(close)

    def _record(self, status: int, sent: int, reason: str) -> None:
        head = self._head
        services = self._services
        services.ledger.record(
            Finished(
                self._peer,
                head.method,
                head.raw_target,
                head.minor,
                status,
                sent,
                services.now() - self._started,
                self.request_id,
                self._size,
                "",
                self._name,
                "",
                reason,
                -1.0,
                0,
                head.noted.get(b"referer", b""),
                head.noted.get(b"user-agent", b""),
            )
        )


def _flat(pairs: Iterable[tuple[bytes, object]]) -> Iterable[tuple[bytes, bytes]]:
    """(name, value) from either (name, value) or (name, values) pairs."""
    for name, value in pairs:
        if isinstance(value, bytes):
            yield name, value
        else:
            for one in value:  # type: ignore[attr-defined]
                yield name, one


def _unchunked(pieces: list[bytes]) -> bytes:
    """The payload of what twisted.web wrote in chunks."""
    from exfront.wire.bodies import ChunkedBody

    return ChunkedBody().feed(b"".join(pieces))
