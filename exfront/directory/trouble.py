"""What can go wrong between us and a directory server, in words an administrator can act on.

Owns the kinds of failure inside the network directory and the texts for foreign failures (sockets, TLS). Callers outside the
network directory only need `exfront.errors`: every class here is one of those. No text holds a credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, DNSLookupError, TimeoutError

from exfront.errors import DirectoryError, DirectoryUnreachable

if TYPE_CHECKING:
    from twisted.python.failure import Failure


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


def lost(reason: Failure, told: str = "") -> DirectoryUnreachable:
    """The failure for whatever waited on a connection that ended with `reason`; `told` is our own reason for ending it."""
    if told:
        return LineLost(told)
    text = words(reason)
    if reason.check(VerificationError) or (reason.check(SSL.Error) and "verify failed" in text):
        return TlsNotVerified(text)
    return LineLost(text)


def words(reason: Failure) -> str:
    """One line that says what happened, for a log and for `away`."""
    error = reason.value
    if isinstance(error, DirectoryError):
        return str(error)
    if isinstance(error, VerificationError):
        return "TLS not verified: the certificate is not for this host"
    if isinstance(error, SSL.Error):
        details = error.args[0] if error.args and isinstance(error.args[0], list) else []
        return f"TLS not verified: {'; '.join(str(detail[-1]) for detail in details) or 'handshake failed'}" if details else "TLS failed"
    if isinstance(error, TimeoutError | DeferredTimeout | CancelledError):
        return "no connection in time"
    if isinstance(error, DNSLookupError):
        return "the host name is not known"
    if isinstance(error, ConnectionDone | ConnectionLost):
        return "the server closed the connection"
    if isinstance(error, ConnectError):
        return str(error.__doc__ or "").strip(". ").lower() or type(error).__name__
    return type(error).__name__
