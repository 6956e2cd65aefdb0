"""What a source of entries (a network directory, an embedded LDIF file) offers, and what it is asked with.

Two implementations: `exfront.directory.network` over LDAP and `exfront.directory.ldif` in memory. Schemas build queries and read
entries; they are pure and know neither implementation.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ldaptor.protocols.pureldap import LDAPFilter
    from twisted.internet.defer import Deferred

    from exfront.model import LogonCause


class Scope(Enum):
    """How far below the base a search reaches (RFC 4511 4.5.1.2); the values are LDAP's."""

    BASE = 0
    ONE = 1
    SUBTREE = 2


class Entry(NamedTuple):
    """One entry as it came: attribute names in lower case, values raw bytes in the directory's order."""

    dn: str
    attributes: dict[str, tuple[bytes, ...]]


class Query(NamedTuple):
    """One search. `filter` is a filter object, never a string (its values are bytes)."""

    base: str
    scope: Scope
    filter: LDAPFilter
    attributes: tuple[str, ...]
    size_limit: int = 0
    """Most entries wanted; one more than that makes the search fail with SizeLimitExceeded; 0 = no limit, paged (RFC 2696)."""


class Bound(NamedTuple):
    """The directory's word on a bind: `cause` None means that the password is right."""

    cause: LogonCause | None
    expires_in: int | None = None
    """Seconds until the password expires, where the directory says so."""
    detail: str = ""
    """For the log: the directory's own diagnostic message, with no credential in it."""


class Source(Protocol):
    """A place that answers searches and checks passwords."""

    @property
    def away(self) -> str:
        """Why no server can be asked at the moment, or an empty text: lets callers use stale answers at once (F21)."""

    def search(self, query: Query) -> Deferred[list[Entry]]:
        """The entries. Fails with SizeLimitExceeded, DirectoryUnreachable or DirectoryError. A base that is not there gives []."""

    def bind(self, dn: str, password: str) -> Deferred[Bound]:
        """Whether the password opens the entry.

        Empty names and empty, blank or NUL passwords raise ValueError before any byte is sent (F26).
        Fails with DirectoryUnreachable; is never repeated on another server after an answer.
        """

    def start(self) -> None:
        """Begin connecting (idempotent)."""

    def stop(self) -> Deferred[None]:
        """Close all connections."""
