"""Makes connections to one directory server: name, TCP, TLS with the certificate verified.

Owns what a connection needs before its first request. Refuses to know what it is for, and when to try again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory

from exfront.config.settings import Scheme
from exfront.directory.connection import DirectoryConnection
from exfront.directory.trouble import NotConnected, words
from exfront.errors import DirectoryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
    from twisted.python.failure import Failure

    from exfront.config.settings import DirectoryUrl

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def trusted(ca_file: Path | None) -> Any:
    """What certificates are verified against: every certificate in a PEM file, or (None) the system's store.

    Raises OSError for a file that cannot be read and ValueError for one without a certificate.
    """
    if ca_file is None:
        return ssl.platformTrust()
    found = _PEM.findall(ca_file.read_bytes())
    if not found:
        raise ValueError(f"{ca_file} has no certificate in it")
    return ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(pem) for pem in found])


class Dialer:
    """Connections to one server, each ready for its first request."""

    def __init__(self, reactor: Any, url: DirectoryUrl, *, start_tls: bool, trust: Any, patience: float) -> None:
        self._reactor = reactor
        self._patience = patience
        self._start_tls = start_tls and url.scheme is Scheme.LDAP
        self.name = f"{url.scheme.value}://{f'[{url.host}]' if ':' in url.host else url.host}:{url.port}"
        """For log lines."""
        # the least that RFC 8305 section 5 recommends: also a refused connection is told only after that time
        self._endpoint: IStreamClientEndpoint = HostnameEndpoint(
            reactor, url.host, url.port, timeout=patience, attemptDelay=0.1
        )
        self._secure_at_once = url.scheme is Scheme.LDAPS
        if self._secure_at_once or self._start_tls:
            # Made once: the certificates are parsed here, and every connection shares the context.
            self._creator = ssl.optionsForClientTLS(url.host, trustRoot=trust)
        if self._secure_at_once:
            self._endpoint = wrapClientTLS(self._creator, self._endpoint, reactor)

    def dial(self, ended: Callable[[DirectoryConnection], None]) -> Deferred[DirectoryConnection]:
        """A new connection, its TLS verified; `ended` is called once when it goes away. Cancel it to give up.

        Fails with TlsNotVerified, LineLost or NotConnected, within twice the patience at most.
        """
        connecting = Deferred.fromCoroutine(self._dial(ended))
        return connecting.addTimeout(self._patience, self._reactor).addErrback(_translated)

    async def _dial(self, ended: Callable[[DirectoryConnection], None]) -> DirectoryConnection:
        maker = _Maker(lambda: DirectoryConnection(self._reactor, self._patience, ended))
        connection = cast("DirectoryConnection", await self._endpoint.connect(maker))
        try:
            connection.transport.setTcpNoDelay(True)
            connection.transport.setTcpKeepAlive(True)
            if self._secure_at_once:
                await connection.secured()
            elif self._start_tls:
                await connection.start_tls(self._creator)
        except BaseException:  # cancellation too: nobody will hold this connection
            connection.abort("the connection was given up")
            raise
        return connection


class _Maker(Factory):
    noisy = False

    def __init__(self, make: Callable[[], DirectoryConnection]) -> None:
        self._make = make

    def buildProtocol(self, _: IAddress | None) -> DirectoryConnection:
        return self._make()


def _translated(reason: Failure) -> Any:
    if reason.check(DirectoryError):
        return reason
    raise NotConnected(words(reason))
