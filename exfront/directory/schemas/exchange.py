"""Schema `exchange`: accounts name their mailbox store, stores name their server.

`homeMDB` -> the store's `msExchOwningServer` -> the server's `networkAddress` (`ncacn_ip_tcp:HOST`) or `dNSHostName`;
`msExchHomePublicMDB` leads from a mailbox store to its public store, `msExchOwningPFTree` from a public store to its tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exfront.directory import filters
from exfront.directory.dn import first_value
from exfront.directory.interface import Query, Scope
from exfront.directory.schemas import base
from exfront.model import NameKind

if TYPE_CHECKING:
    from ldaptor.protocols.pureldap import LDAPFilter

    from exfront.config.settings import DirectorySettings
    from exfront.directory.interface import Entry
    from exfront.model import AccountName

ACCOUNT_ATTRIBUTES = (
    "proxyAddresses",
    "userPrincipalName",
    "sAMAccountName",
    "uid",
    "homeMDB",
    "protocolSettings",
    "objectSid",
    "entryUUID",
    "objectGUID",
)
IDENTITIES = ("objectSid", "entryUUID", "objectGUID")
STORE_ATTRIBUTES = ("msExchOwningServer", "msExchHomePublicMDB", "msExchOwningPFTree")
SERVER_ATTRIBUTES = ("cn", "networkAddress", "dNSHostName", "serialNumber")
SURVEYED = ("msExchPrivateMDB", "msExchPublicMDB", "msExchExchangeServer", "msExchPFTree")
UID_CLASSES = ("inetOrgPerson", "posixAccount", "account")
"""The classes whose `uid` is a logon name. Asked for by class, because Active Directory indexes classes and not `uid`."""
OLDEST_MAJOR = 6
"""A server below version 6.0 is never chosen (F43)."""

_VERSION = re.compile(r"(?i)version\s+(\d+)")
_HTTP_OFF = re.compile(rb"(?i)HTTP\xc2?\xa70(?:\xc2?\xa7|$)")
"""`HTTP§0§…`: the first field after the protocol's name switches it (F18); the section sign in UTF-8 or Latin-1."""


class ExchangeSchema:
    """Accounts by `proxyAddresses`, `userPrincipalName` or `sAMAccountName`."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._base = settings.base
        self._disabled = settings.disabled_attribute
        extra = (self._disabled,) if self._disabled else ()
        self._attributes = ACCOUNT_ATTRIBUTES + extra
        self.topology: base.Topology | None = ExchangeTopology(settings.configuration_base or settings.base)

    def account_query(self, name: AccountName) -> Query:
        """See `Schema`. The domain of an ACCOUNT name is not looked at: nothing in an account's entry says its NetBIOS domain."""
        return base.account_query(self._base, _condition(name), self._attributes)

    def read_account(self, entry: Entry) -> base.AccountRecord:
        """See `Schema`."""
        name = base.text(entry, "sAMAccountName") or base.text(entry, "uid") or base.text(entry, "userPrincipalName")
        off = any(_HTTP_OFF.match(value) for value in entry.attributes.get("protocolsettings", ()))
        return base.AccountRecord(
            entry.dn,
            name or first_value(entry.dn),
            base.identity(entry, IDENTITIES),
            smtp_addresses(base.texts(entry, "proxyAddresses")),
            not off and not base.switched_off(entry, self._disabled),
            store=base.text(entry, "homeMDB"),
        )


class ExchangeTopology:
    """Stores, servers and trees below the configuration's base."""

    def __init__(self, configuration_base: str) -> None:
        self._base = configuration_base

    def store_query(self, dn: str) -> Query:
        """See `Topology`."""
        return base.named_query(dn, STORE_ATTRIBUTES)

    def read_store(self, entry: Entry) -> base.StoreRecord:
        """See `Topology`."""
        return base.StoreRecord(entry.dn, *(base.text(entry, attribute) for attribute in STORE_ATTRIBUTES))

    def server_query(self, dn: str) -> Query:
        """See `Topology`."""
        return base.named_query(dn, SERVER_ATTRIBUTES)

    def read_server(self, entry: Entry) -> base.ServerRecord:
        """See `Topology`. The server is called by its `cn`."""
        return base.ServerRecord(
            (base.text(entry, "cn") or first_value(entry.dn)).lower(),
            _network_address(entry) or base.host(base.text(entry, "dNSHostName")),
            _current(base.text(entry, "serialNumber") or ""),
        )

    def replicas_query(self, tree: str) -> Query:
        """See `Topology`."""
        return self._all(filters.equal("msExchOwningPFTree", tree), STORE_ATTRIBUTES)

    def mailbox_stores_query(self) -> Query:
        """See `Topology`."""
        return self._all(filters.present("msExchHomePublicMDB"), ("msExchHomePublicMDB",))

    def survey_query(self) -> Query:
        """See `Topology`. Only attributes that routing depends on: others change all the time."""
        classes = filters.any_of(filters.equal("objectClass", name) for name in SURVEYED)
        return self._all(classes, STORE_ATTRIBUTES + SERVER_ATTRIBUTES)

    def _all(self, condition: LDAPFilter, attributes: tuple[str, ...]) -> Query:
        return Query(self._base, Scope.SUBTREE, condition, attributes)


def smtp_addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    """The SMTP addresses of `proxyAddresses`, lower case, the primary one (its prefix in capitals) first."""
    found = [value for value in values if value[:5].lower() == "smtp:" and "@" in value]
    found.sort(key=lambda value: not value.startswith("SMTP:"))
    return base.distinct(value[5:].strip().lower() for value in found)


def _condition(name: AccountName) -> LDAPFilter:
    address = filters.equal("proxyAddresses", f"smtp:{name.value}")
    match name.kind:
        case NameKind.ADDRESS:
            return address
        case NameKind.PRINCIPAL:
            return filters.any_of((filters.equal("userPrincipalName", name.value), address))
        case NameKind.ACCOUNT:
            classes = filters.any_of(filters.equal("objectClass", one) for one in UID_CLASSES)
            uid = filters.all_of((filters.equal("uid", name.value), classes))
            return filters.any_of((filters.equal("sAMAccountName", name.value), uid))


def _network_address(entry: Entry) -> str | None:
    for value in base.texts(entry, "networkAddress"):
        protocol, _, address = value.partition(":")
        if protocol.lower() == "ncacn_ip_tcp":
            return base.host(address)
    return None


def _current(version: str) -> bool:
    """A server that does not say its version counts as current."""
    found = _VERSION.search(version)
    return found is None or int(found[1]) >= OLDEST_MAJOR
