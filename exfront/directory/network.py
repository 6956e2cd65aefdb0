"""The directory over LDAP: several servers in order, the first that can be asked is asked.

Owns the choice of the server and what is repeated elsewhere. Refuses to know schemas, caches and who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults

from exfront.config.settings import Scheme
from exfront.directory.decoder import wire_name
from exfront.directory.dial import Dialer, trusted
from exfront.directory.server import DirectoryServer, State
from exfront.directory.trouble import LineLost, NotConnected
from exfront.errors import DirectoryUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twisted.logger import Logger

    from exfront.config.settings import DirectoryUrl
    from exfront.directory.interface import Bound, Entry, Query


class NetworkSource:
    """Answers searches and checks passwords over LDAP (see `exfront.directory.interface.Source`).

    Every server has its connections all the time, so that a failover costs nothing, and the first of the list is asked again
    as soon as it is back. A search is repeated once (result 51, 52, 80, a lost connection, a time-out); a bind goes to another server
    only while nothing has been sent.
    """

    def __init__(
        self,
        reactor: Any,
        urls: Sequence[DirectoryUrl],
        *,
        bind_dn: str,
        bind_password: str,
        start_tls: bool,
        ca_file: Path | None,
        timeout: float,
        log: Logger,
    ) -> None:
        """`timeout` is each request's patience and each connection attempt's, in seconds.

        Raises ValueError for no or foreign URLs and for a service account without a password, OSError for an unreadable `ca_file`.
        """
        if not urls or any(url.scheme not in (Scheme.LDAP, Scheme.LDAPS) for url in urls):
            raise ValueError("a network directory needs ldap:// or ldaps:// servers")
        if bind_dn:
            _check(bind_dn, bind_password)
        trust = trusted(ca_file) if start_tls or any(url.scheme is Scheme.LDAPS for url in urls) else None
        self._servers = [
            DirectoryServer(
                Dialer(reactor, url, start_tls=start_tls, trust=trust, patience=timeout),
                reactor,
                timeout,
                bind_dn=bind_dn,
                bind_password=bind_password,
                changed=self._changed,
                log=log,
            )
            for url in urls
        ]
        self._waiters: set[Deferred[None]] = set()
        self._away = ""

    @property
    def away(self) -> str:
        """Why no server can be asked at the moment, each server with its trouble; empty while one can, or may at any moment."""
        return self._away

    def search(self, query: Query) -> Deferred[list[Entry]]:
        """The entries. Fails with SizeLimitExceeded, DirectoryUnreachable or DirectoryError; [] where the base is not there."""
        return Deferred.fromCoroutine(self._search(query))

    def bind(self, dn: str, password: str) -> Deferred[Bound]:
        """Whether the password opens the entry. Raises ValueError for names and passwords that must never reach a directory (F26)."""
        _check(dn, password)
        return Deferred.fromCoroutine(self._bind(dn, password))

    def start(self) -> None:
        """Begin connecting (idempotent)."""
        for server in self._servers:
            server.start()

    def stop(self) -> Deferred[None]:
        """Close all connections, for good; what is in flight fails with DirectoryUnreachable."""
        return gatherResults([server.stop() for server in self._servers]).addCallback(lambda _: None)

    async def _search(self, query: Query) -> list[Entry]:
        server = await self._choose(())
        try:
            return await server.search(query)
        except DirectoryUnreachable as first:
            # A lone server that has only closed an idle connection is worth a second connection.
            other = self._ready((server,)) or (
                await self._choose(()) if isinstance(first, LineLost | NotConnected) else None
            )
            if other is None:
                raise
        return await other.search(query)

    async def _bind(self, dn: str, password: str) -> Bound:
        tried: list[DirectoryServer] = []
        while True:
            server = await self._choose(tried)
            try:
                return await server.bind(dn, password)
            except NotConnected:
                tried.append(server)
                if not self._ready(tried):
                    raise

    async def _choose(self, tried: Sequence[DirectoryServer]) -> DirectoryServer:
        """The best server, waiting while one is just connecting; raises DirectoryUnreachable when there is none."""
        others = [server for server in self._servers if server not in tried]
        hurried = False
        while True:
            server = self._ready(tried)
            if server is not None:
                return server
            if not any(server.state is State.CONNECTING for server in others):
                if not hurried:
                    hurried = True
                    for server in others:
                        server.hurry()
                if not any(server.hurrying for server in others):
                    raise DirectoryUnreachable(self._troubles())
            waiter: Deferred[None] = Deferred(self._waiters.discard)
            self._waiters.add(waiter)
            await waiter

    def _ready(self, tried: Sequence[DirectoryServer]) -> DirectoryServer | None:
        """The first server that is up and answers, else the first that is up."""
        doubtful = None
        for server in self._servers:
            if server.state is State.UP and server not in tried:
                if not server.doubtful:
                    return server
                doubtful = doubtful or server
        return doubtful

    def _changed(self, _: DirectoryServer) -> None:
        hope = any(
            server.state is State.CONNECTING or (server.state is State.UP and not server.doubtful)
            for server in self._servers
        )
        self._away = "" if hope else self._troubles()
        waiters, self._waiters = self._waiters, set()
        while waiters:
            waiters.pop().callback(None)

    def _troubles(self) -> str:
        return "; ".join(f"{server.name}: {server.trouble}" for server in self._servers)


def _check(dn: str, password: str) -> None:
    """A simple bind with an empty name or password is an anonymous one, which some servers call a success (RFC 4513 5.1.2)."""
    if not dn.strip():
        raise ValueError("an empty name must not be bound")
    if not password.strip() or "\0" in password:
        raise ValueError("an empty or blank password, or one with NUL, must not be sent")
    if not _can_be_sent(dn, password):
        raise ValueError("a name or password that is not Unicode text must not be sent")


def _can_be_sent(dn: str, password: str) -> bool:
    """Whether they can be encoded; found out here, because the encoder's own error would carry the password."""
    try:
        wire_name(dn)
        password.encode()
    except UnicodeEncodeError:
        return False
    return True
