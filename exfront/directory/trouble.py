"""What can go wrong between us and a directory server, in words an administrator can act on.

Owns the kinds of failure inside the network directory and the texts for foreign failures (sockets, TLS). Callers outside the
network directory only need `exfront.errors`: every class here is one of those. No text holds a credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import defer, error

from exfront.errors import DirectoryError, DirectoryUnreachable

if TYPE_CHECKING:
    from twisted.python.failure import Failure


_WORDS = (
    (VerificationError, "TLS not verified: the certificate is not for this host"),
    (error.ConnectionRefusedError, "connection refused"),
    (error.TimeoutError, "no connection in time"),
    (defer.TimeoutError, "no connection in time"),
    (defer.CancelledError, "given up"),
    (error.DNSLookupError, "the host name is not known"),
    (error.NoRouteError, "no route to the host"),
    (error.ConnectionDone, "the server closed the connection"),
    (error.ConnectionLost, "the server cut the connection"),
    (error.ConnectError, "the connection cannot be made"),
)


class BrokenMessage(DirectoryError):
    """A server's bytes are not LDAP (RFC 4511 section 5.1); fixed texts, nothing of the bytes."""


class LineLost(DirectoryUnreachable):
    """The connection ended before the answer; whether the server did what it was asked is not known."""


class AnswerOverdue(DirectoryUnreachable):
    """The server took the request and did not answer in time."""


class ServerUnwell(DirectoryUnreachable):
    """The server answered that it cannot serve now (result 51 busy, 52 unavailable, 80 other)."""


class NotConnected(DirectoryUnreachable):
    """No connection could be made, so nothing was sent: the request may go elsewhere without a second thought."""


class TlsNotVerified(DirectoryUnreachable):
    """The server's certificate is not signed by the trusted authorities, is not for this host, or there was no TLS at all."""


class ServiceRefused(DirectoryUnreachable):
    """The directory does not accept the service account: the administrator's mistake, not a user's."""


def lost(reason: Failure) -> DirectoryUnreachable:
    """The failure for whatever waited on a connection that ended with `reason`."""
    text = words(reason)
    if reason.check(VerificationError) or (reason.check(SSL.Error) and "verify failed" in text):
        return TlsNotVerified(text)
    return LineLost(text)


def words(reason: Failure) -> str:
    """One line that says what happened, for a log and for `away`."""
    found = reason.value
    if isinstance(found, DirectoryError):
        return str(found)
    if isinstance(found, SSL.Error):
        return _tls_words(found)
    for kind, text in _WORDS:
        if isinstance(found, kind):
            return text
    return type(found).__name__


def _tls_words(found: SSL.Error) -> str:
    """OpenSSL tells a list of (library, function, reason)."""
    reasons = [str(detail[-1]) for detail in found.args[0]] if found.args and isinstance(found.args[0], list) else []
    if any("verify failed" in text for text in reasons):
        return "TLS not verified: certificate verify failed"
    return f"TLS failed: {', '.join(reasons) or 'the server ended the handshake'}"
