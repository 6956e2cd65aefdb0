"""Endpoints on uvloop's native transports: listening for clients, connecting to back-ends.

Ordinary `IStreamServerEndpoint` and `IStreamClientEndpoint`: factories and protocols are Twisted's. Sockets are bound when `listen` is
called and not when the loop first runs, so that a port that is taken, or that only root may have, is told at once.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, ConnectError, TimeoutError, getConnectError
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from zope.interface import implementer

from exfront.errors import ExfrontError
from exfront.wire.transport import NativeTransport, address_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime

BACKLOG = 4096

_OURS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL))


def native_loop(reactor: object) -> asyncio.AbstractEventLoop:
    """The asyncio loop below the reactor. Raises ExfrontError where the reactor has none."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise ExfrontError(
            f"exfront needs Twisted's asyncio reactor, not {type(reactor).__name__}: leave out --reactor"
        )
    return loop


class _Refused(asyncio.Protocol):
    """What a connection gets that the factory does not want: a close."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.abort()  # type: ignore[attr-defined]


@implementer(IListeningPort)
class NativePort:
    """A listening socket, and the uvloop server on it once the loop runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, factory: IProtocolFactory) -> None:
        self._loop = loop
        self._sock = sock
        self._factory = factory
        self._server: asyncio.AbstractServer | None = None
        self._address = address_of(sock.getsockname())
        self._starting: asyncio.Handle | asyncio.Task[None] | None = None

    def startListening(self) -> None:
        self._sock.listen(BACKLOG)
        self._factory.doStart()
        self._starting = self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._starting = self._loop.create_task(self._serve())

    async def _serve(self) -> None:
        self._server = await self._loop.create_server(self._accept, sock=self._sock, backlog=BACKLOG)

    def _accept(self) -> Any:
        protocol = self._factory.buildProtocol(self._address)
        return _Refused() if protocol is None else NativeTransport(protocol)

    def getHost(self) -> IAddress:
        return self._address

    def stopListening(self) -> Deferred[None]:
        """Accept no more; connections that are there stay. Idempotent."""
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
            self._factory.doStop()
        if self._server is not None:
            self._server.close()
            self._server = None
        self._sock.close()
        return succeed(None)


@implementer(IStreamServerEndpoint)
class NativeServerEndpoint:
    """Listens on TCP: `interface` is an address (v4 or v6, empty for all of both families), `port` 0 lets the kernel choose."""

    def __init__(self, reactor: object, port: int, interface: str = "") -> None:
        self._reactor = reactor
        self._port = port
        self._interface = interface

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Fires with the port; fails with CannotListenError that names address and port."""
        try:
            sock = _bound(self._interface, self._port)
        except OSError as error:
            return fail(CannotListenError(self._interface or "any", self._port, error))
        return _listening(self._reactor, sock, protocolFactory)


@implementer(IStreamServerEndpoint)
class InheritedServerEndpoint:
    """Listens on a socket that the process was started with (systemd socket activation: descriptor 3 + index)."""

    def __init__(self, reactor: object, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Fires with the port; fails with CannotListenError where there is no such socket."""
        try:
            sock = _inherited(self._descriptor)
        except OSError as error:
            return fail(CannotListenError("inherited", self._descriptor, error))
        return _listening(self._reactor, sock, protocolFactory)


def _listening(reactor: object, sock: socket.socket, factory: IProtocolFactory) -> Deferred[IListeningPort]:
    port = NativePort(native_loop(reactor), sock, factory)
    port.startListening()
    return succeed(port)


def _inherited(descriptor: int) -> socket.socket:
    """The listening socket behind `descriptor`, which itself stays open for the next reload. Raises OSError where it is something else."""
    sock = socket.socket(fileno=os.dup(descriptor))
    try:
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(errno.EINVAL, "not a listening socket")
        sock.set_inheritable(False)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _bound(interface: str, port: int) -> socket.socket:
    """A bound, non-blocking socket; without an interface it takes both address families where the machine has IPv6."""
    everywhere = not interface
    family = socket.AF_INET6 if ":" in interface or (everywhere and socket.has_dualstack_ipv6()) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # accepted connections inherit it: a client that vanished without a word is noticed, tunnels included
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not everywhere)
        try:
            sock.bind((interface, port))
        except OSError as error:
            if not (everywhere and family == socket.AF_INET6 and error.errno == errno.EADDRNOTAVAIL):
                raise
            sock.close()
            return _bound("0.0.0.0", port)
    except BaseException:
        sock.close()
        raise
    return sock


@implementer(IStreamClientEndpoint)
class NativeClientEndpoint:
    """Connects to HOST:PORT within `timeout` seconds; `tls` verifies chain and name against `host`."""

    def __init__(
        self,
        reactor: IReactorTime,
        host: str,
        port: int,
        timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._tls = tls

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Fires with the connected protocol; fails with a ConnectError (TimeoutError when time ran out). May be cancelled."""
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]  # the address is not known yet
        assert protocol is not None
        loop = native_loop(self._reactor)
        transport = NativeTransport(protocol)
        task = loop.create_task(self._connected(loop, transport))
        deferred: Deferred[IProtocol] = Deferred(lambda _: _cancel(task))
        patience = self._reactor.callLater(self._timeout, task.cancel)

        def done(task: asyncio.Task[None]) -> None:
            late = not patience.active()
            if not late:
                patience.cancel()
            if transport.connected and (task.cancelled() or task.exception() is not None):
                # given up in the very moment it came about: the loop closes the socket and tells nobody
                transport.connection_lost(None)
            if deferred.called:  # cancelled by whoever waited
                if not task.cancelled() and task.exception() is None:
                    transport.abortConnection()
            elif task.cancelled():
                deferred.errback(TimeoutError() if late else ConnectError(string="cancelled"))
            elif (error := task.exception()) is not None:
                deferred.errback(_connect_error(error))
            else:
                deferred.callback(protocol)

        task.add_done_callback(done)
        return deferred

    async def _connected(self, loop: asyncio.AbstractEventLoop, transport: NativeTransport) -> None:
        name = self._host if self._tls is not None else None
        await loop.create_connection(
            lambda: transport,  # type: ignore[type-var]  # an asyncio protocol in all but its ancestry
            self._host,
            self._port,
            ssl=self._tls,
            server_hostname=name,
        )


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


def is_ours(error: BaseException | None) -> bool:
    """Whether a failure to connect says nothing about the other side: we have no descriptor, memory or local port left."""
    return isinstance(error, ConnectError) and error.osError in _OURS


def told(error: BaseException | None) -> str:
    """A failure to connect in a few words, for the log: `connection refused`, `connect time-out`."""
    if isinstance(error, TimeoutError):
        return "connect time-out"
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return os.strerror(error.osError).lower()
    return str(error.args[0]) if isinstance(error, ConnectError) and error.args else str(error)


def _connect_error(error: BaseException) -> Exception:
    """A foreign failure to connect in Twisted's words."""
    if isinstance(error, ssl.SSLError):
        return ConnectError(
            string=f"TLS: {error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason}"
        )
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
        found: Exception = getConnectError((error.errno, error.strerror or str(error)))
        return found
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return ConnectError(string=f"the name does not resolve: {error}")
    return ConnectError(string=f"{type(error).__name__}: {error}")
