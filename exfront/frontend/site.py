"""Where client connections bring their requests, and where they are counted.

Owns the tree that counts now (a reload swaps it) and the open connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer

from exfront.frontend.answers import answer, error_answer
from exfront.frontend.visitor import request_id_of, visitor_of
from exfront.ledger import Finished
from exfront.wire.inbound import ClientConnection

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress, IReactorTime

    from exfront.errors import MessageError
    from exfront.frontend.services import Services
    from exfront.frontend.tree import Tree
    from exfront.frontend.visitor import Visitor
    from exfront.model import RequestHead
    from exfront.wire.patience import Patience
    from exfront.wire.roles import Limits, Receiver

_log = Logger(__name__)


class FrontSite:
    """A `Site`: finds the leaf for each request."""

    def __init__(self, tree: Tree, services: Services) -> None:
        self.tree = tree
        self.services = services
        self.draining = False
        """The front-end is stopping: every answer is its connection's last one."""

    def swap(self, tree: Tree, services: Services) -> None:
        """Requests from now on see the new tree; those under way end in the old one."""
        self.tree = tree
        self.services = services

    def take(self, connection: ClientConnection, head: RequestHead) -> Receiver | None:
        if self.draining:
            connection.close_after()
        root = self.tree.virtual_server(head.host)
        if root is None:
            self._refuse(connection, head, 404, "unknown-host")
            return None
        if head.target == b"*" or (b"max-forwards" in head.noted and self._ends_here(head)):
            self._options(connection, head)
            return None
        safe, leaf = root.find(head.path)
        if leaf is not None:
            return leaf.take(connection, head)
        self._refuse(connection, head, *((404, "unknown-path") if safe else (400, "unsafe-path")))
        return None

    def refuse(self, connection: ClientConnection, error: MessageError) -> None:
        """A message that could not be read: an error page, and the end of the connection."""
        services = self.services
        request_id = services.next_id()
        whole, sent = error_answer(error.status, request_id, None, close=True)
        connection.write(whole)
        services.ledger.record(
            Finished(
                connection.peer,
                b"-",
                b"-",
                1,
                error.status,
                sent,
                0.0,
                request_id,
                reason=error.reason.replace(" ", "-"),
            )
        )
        connection.finished(close=True)

    def _ends_here(self, head: RequestHead) -> bool:
        """Whether the request may go no further (RFC 9110 7.6.2)."""
        value = head.noted[b"max-forwards"]
        return head.method in (b"OPTIONS", b"TRACE") and (not value.isdigit() or not value.strip(b"0"))

    def _options(self, connection: ClientConnection, head: RequestHead) -> None:
        if head.method == b"TRACE":
            self._refuse(connection, head, 405, "trace")
            return
        whole, sent = answer(200, b"", b"", head, not connection.persists)
        visitor = visitor_of(connection, head, self.services.trusts)
        request_id = request_id_of(visitor, head, self.services.next_id)
        self._answered(connection, head, 200, whole, sent, "", request_id, visitor)

    def _refuse(self, connection: ClientConnection, head: RequestHead, status: int, reason: str) -> None:
        visitor = visitor_of(connection, head, self.services.trusts)
        request_id = request_id_of(visitor, head, self.services.next_id)
        whole, sent = error_answer(status, request_id, head, reason=reason, close=not connection.persists)
        self._answered(connection, head, status, whole, sent, reason, request_id, visitor)

    def _answered(
        self,
        connection: ClientConnection,
        head: RequestHead,
        status: int,
        whole: bytes,
        sent: int,
        reason: str,
        request_id: bytes,
        visitor: Visitor,
    ) -> None:
        connection.write(whole)
        self.services.ledger.record(
            Finished(
                visitor.client.address,
                head.method,
                head.raw_target,
                head.minor,
                status,
                sent,
                0.0,
                request_id,
                reason=reason,
                referer=head.noted.get(b"referer", b""),
                user_agent=head.noted.get(b"user-agent", b""),
            )
        )
        connection.finished()


# compiled, a class with a foreign base needs a decorator, or weak references to it break
@implementer(IProtocolFactory)
class ClientFactory(Factory):
    """Makes client connections, at most so many at a time."""

    noisy = False

    def __init__(
        self, site: FrontSite, limits: Limits, max_connections: int, clock: IReactorTime, patience: Patience
    ) -> None:
        self._site = site
        self._limits = limits
        self._max_connections = max_connections
        self._clock = clock
        self._patience = patience
        self._said_full = -60.0
        self._empty: Deferred[None] | None = None
        self.connections: set[ClientConnection] = set()
        """Those that are open."""

    def configure(self, limits: Limits, max_connections: int) -> None:
        """New limits, for connections made from now on."""
        self._limits = limits
        self._max_connections = max_connections

    def buildProtocol(self, addr: IAddress | None) -> ClientConnection | None:  # type: ignore[override]
        if len(self.connections) >= self._max_connections:
            self._say_full()
            return None
        connection = ClientConnection(self._site, self._limits, self._clock, self._patience)
        connection.factory = self
        return connection

    def made(self, connection: ClientConnection) -> None:
        self.connections.add(connection)

    def lost(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)
        if self._empty is not None and not self.connections and not self._empty.called:
            self._empty.callback(None)

    async def drained(self, patience: float) -> int:
        """Close what is idle, the others after their answer; after `patience` seconds at once. Returns how many that were."""
        self._site.draining = True
        for connection in tuple(self.connections):
            connection.drain()
        if not self.connections:
            return 0
        empty: Deferred[None] = Deferred()
        self._empty = empty
        late = self._clock.callLater(patience, empty.callback, None)
        await empty
        self._empty = None
        if late.active():
            late.cancel()
        left = len(self.connections)
        for connection in tuple(self.connections):
            connection.abandon()
        return left

    def _say_full(self) -> None:
        now = self._clock.seconds()
        if now - self._said_full >= 60:
            self._said_full = now
            _log.warn(
                "all {most} connections (max_connections) are in use: new ones are closed", most=self._max_connections
            )
