"""What every schema offers, and the small pieces that several of them share.

A schema builds queries and reads entries. It is pure: it knows no source, no cache and no clock, and it never fails on what a
directory says; what cannot be read is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from exfront.directory import filters
from exfront.directory.dn import normal_dn
from exfront.directory.interface import Query, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ldaptor.protocols.pureldap import LDAPFilter

    from exfront.directory.interface import Entry
    from exfront.model import AccountName

ACCOUNT_LIMIT = 2
"""Two matches are enough to know that a name is ambiguous (F19)."""
OFF = frozenset({b"", b"false", b"no", b"0"})


class AccountRecord(NamedTuple):
    """One account entry, read. Either `store` or `host` says where the mailbox is; both None: it has none."""

    dn: str
    name: str
    identity: bytes
    addresses: tuple[str, ...]
    http_enabled: bool
    store: str | None = None
    """DN of the mailbox store, as the directory spells it."""
    host: str | None = None
    """Host name or address of the home server."""


class StoreRecord(NamedTuple):
    """One mailbox or public store entry, read; what the entry lacks is None."""

    dn: str
    owner: str | None
    """DN of the owning server."""
    public_store: str | None
    """DN of a mailbox store's public store (F41)."""
    tree: str | None
    """DN of the tree that a public store holds (F42)."""


class ServerRecord(NamedTuple):
    """One server entry, read."""

    name: str
    address: str | None
    """Where it is, None where the entry does not say."""
    current: bool
    """False below version 6.0 (F43)."""


class Schema(Protocol):
    """One way of writing down who lives where."""

    topology: Topology | None
    """How stores, servers and trees are written; None where accounts name their server themselves."""

    def account_query(self, name: AccountName) -> Query:
        """The search for one account, with size limit 2."""

    def read_account(self, entry: Entry) -> AccountRecord:
        """What an account's entry says."""


class Topology(Protocol):
    """Where stores, servers and trees are, for schemas that have them."""

    def store_query(self, dn: str) -> Query:
        """The search for one store by its name."""

    def read_store(self, entry: Entry) -> StoreRecord:
        """What a store's entry says."""

    def server_query(self, dn: str) -> Query:
        """The search for one server by its name."""

    def read_server(self, entry: Entry) -> ServerRecord:
        """What a server's entry says."""

    def replicas_query(self, tree: str) -> Query:
        """The search for the public stores that hold a tree (F42)."""

    def mailbox_stores_query(self) -> Query:
        """The search for all mailbox stores that name a public store: where the default tree is found (F41)."""

    def survey_query(self) -> Query:
        """The search for all servers, stores and trees, with what matters of them: a changed answer resets the caches (F61)."""


def account_query(base: str, condition: LDAPFilter, attributes: Iterable[str]) -> Query:
    """A search for an account below `base`."""
    return Query(base, Scope.SUBTREE, condition, tuple(attributes), ACCOUNT_LIMIT)


def named_query(dn: str, attributes: tuple[str, ...]) -> Query:
    """A search for the entry called `dn`, whatever it is."""
    return Query(dn, Scope.BASE, filters.present("objectClass"), attributes, 1)


def texts(entry: Entry, attribute: str) -> tuple[str, ...]:
    """The attribute's values that are texts; others are left out."""
    found = []
    for value in entry.attributes.get(attribute.lower(), ()):
        try:
            found.append(value.decode())
        except UnicodeDecodeError:
            continue
    return tuple(found)


def text(entry: Entry, attribute: str) -> str | None:
    """The attribute's first value that is a text and not blank."""
    return next((value for value in texts(entry, attribute) if value.strip()), None)


def identity(entry: Entry, attributes: Iterable[str]) -> bytes:
    """What the user is hashed by (F44): the first of the attributes that is there, else the DN in its normal spelling."""
    for attribute in attributes:
        values = entry.attributes.get(attribute.lower(), ())
        if values and values[0]:
            return values[0]
    return normal_dn(entry.dn).encode()


def switched_off(entry: Entry, attribute: str) -> bool:
    """Whether the configured attribute switches HTTP off: any value but empty, FALSE, no and 0 does (F18)."""
    if not attribute:
        return False
    return any(value.strip().lower() not in OFF for value in entry.attributes.get(attribute.lower(), ()))


def host(value: str | None) -> str | None:
    """A host name or address as it is connected to: lower case, without the brackets of an IPv6 literal; None for a blank."""
    return (value or "").strip().strip("[]").lower().rstrip(".") or None


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values in order, each once."""
    return tuple(dict.fromkeys(values))
