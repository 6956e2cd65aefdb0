"""Kept-alive connections to back-ends, one pool a server.

Owns the idle connections. A connection is handed out again while its back-end surely still keeps it; the one used last goes first, so that
the others grow old and are closed before the back-end closes them.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from exfront.wire.endpoints import NativeClientEndpoint
from exfront.wire.outbound import ServerConnection
from exfront.wire.patience import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress, IReactorTime

    from exfront.model import Server
    from exfront.wire.patience import Patience

IDLE = 15.0
"""Seconds an idle connection is kept where the back-end does not say how long it keeps it."""

MARGIN = 1.0
"""Seconds that an idle connection is closed before the back-end closes it."""

FRESH = 1.0
"""Seconds of idleness up to which a connection is used for a request that may not be repeated: should the back-end close it at this very
moment, the request would be lost (RFC 9112 9.3.1)."""

MOST_IDLE = 512
"""Idle connections kept to one server."""


# compiled, a class with a foreign base needs a decorator, or weak references to it break
@implementer(IProtocolFactory)
class Pool(Factory):
    """The connections to one server."""

    noisy = False

    def __init__(
        self, server: Server, reactor: IReactorTime, patience: Patience, connect_timeout: float, response_timeout: float
    ) -> None:
        self.server = server
        self._reactor = reactor
        self._now: Callable[[], float] = reactor.seconds
        self._patience = patience
        self._response_timeout = response_timeout
        self._idle: list[ServerConnection] = []
        self._closed = False
        self._endpoint = NativeClientEndpoint(
            reactor, server.address, server.port, connect_timeout, _tls_context(server) if server.tls else None
        )

    def buildProtocol(self, addr: IAddress | None) -> ServerConnection:  # type: ignore[override]
        return ServerConnection(self, self._response_timeout, self._reactor, self._patience)

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, repeatable: bool) -> ServerConnection | None:
        """An idle connection, or None: connect then. `repeatable`: the request may be sent twice (F64)."""
        idle = self._idle
        if not idle:
            return None
        if not repeatable and self._now() - idle[-1].idle_since > FRESH:
            return None
        connection = idle.pop()
        connection.deadline = FOREVER
        return connection

    def connect(self) -> Deferred[ServerConnection]:
        """A new connection; fails as `NativeClientEndpoint.connect` does."""
        return self._endpoint.connect(self)  # type: ignore[return-value]

    def release(self, connection: ServerConnection) -> None:
        now = connection.idle_since = self._now()
        kept_for = connection.keep_alive_for
        keep = IDLE if kept_for == FOREVER else min(IDLE, kept_for - MARGIN)
        if self._closed or keep <= 0 or len(self._idle) >= MOST_IDLE:
            connection.close()
        else:
            connection.deadline = now + keep
            self._idle.append(connection)

    def lost(self, connection: ServerConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the idle connections, and the others when they become idle."""
        self._closed = True
        for connection in tuple(self._idle):
            connection.close()


def _tls_context(server: Server) -> ssl.SSLContext:
    """Verifies chain and name of a back-end (F4)."""
    context = ssl.create_default_context(cafile=server.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reached_alike(one: Server, other: Server) -> bool:
    """Whether a connection to the one is as good as one to the other."""
    return (one.address, one.port, one.tls, one.ca_file) == (other.address, other.port, other.tls, other.ca_file)


class Pools:
    """All pools, made on demand."""

    def __init__(
        self, reactor: IReactorTime, patience: Patience, connect_timeout: float, response_timeout: float
    ) -> None:
        self._reactor = reactor
        self._patience = patience
        self._connect_timeout = connect_timeout
        self._response_timeout = response_timeout
        self._pools: dict[str, Pool] = {}

    def of(self, server: Server) -> Pool:
        """The server's pool; a server that a reload has moved gets a new one."""
        pool = self._pools.get(server.name)
        if pool is None or pool.server is not server:
            pool = self._renew(server, pool)
        return pool

    def configure(self, connect_timeout: float, response_timeout: float) -> None:
        """New patience, seconds, for connections made from now on; where it differs, idle connections are closed."""
        if (connect_timeout, response_timeout) != (self._connect_timeout, self._response_timeout):
            self._connect_timeout = connect_timeout
            self._response_timeout = response_timeout
            self.close()

    def snapshot(self) -> dict[str, int]:
        """How many idle connections each server's pool keeps."""
        return {name: len(pool) for name, pool in self._pools.items()}

    def _renew(self, server: Server, old: Pool | None) -> Pool:
        if old is not None:
            if _reached_alike(old.server, server):
                # another reading of the configuration, the same server
                old.server = server
                return old
            old.close()
        pool = self._pools[server.name] = Pool(
            server, self._reactor, self._patience, self._connect_timeout, self._response_timeout
        )
        return pool

    def close(self) -> None:
        """Close every idle connection."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
