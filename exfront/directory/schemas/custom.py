"""Schema `custom`: attribute names from the configuration, for directories of any other kind.

An account names its home server in `home_attribute`; `account_filter` is asked for besides the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.directory import filters
from exfront.directory.dn import first_value
from exfront.directory.schemas import base
from exfront.directory.schemas.exchange import smtp_addresses
from exfront.model import NameKind

if TYPE_CHECKING:
    from ldaptor.protocols.pureldap import LDAPFilter

    from exfront.config.settings import DirectorySettings
    from exfront.directory.interface import Entry, Query
    from exfront.model import AccountName


class CustomSchema:
    """Accounts by the configured attributes. Raises ValueError when `account_filter` is not an RFC 4515 filter."""

    topology: base.Topology | None = None

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._condition = filters.parse(settings.account_filter)
        self._prefixed = settings.address_attribute.lower() == "proxyaddresses"
        wanted = (
            settings.name_attribute,
            settings.address_attribute,
            settings.home_attribute,
            settings.identity_attribute,
            settings.disabled_attribute,
        )
        self._attributes = base.distinct(name for name in wanted if name)

    def account_query(self, name: AccountName) -> Query:
        """See `Schema`."""
        condition = filters.all_of((self._named(name), self._condition))
        return base.account_query(self._settings.base, condition, self._attributes)

    def read_account(self, entry: Entry) -> base.AccountRecord:
        """See `Schema`."""
        settings = self._settings
        return base.AccountRecord(
            entry.dn,
            base.text(entry, settings.name_attribute) or first_value(entry.dn),
            base.identity(entry, (settings.identity_attribute,)),
            self._addresses(base.texts(entry, settings.address_attribute)),
            not base.switched_off(entry, settings.disabled_attribute),
            host=base.host(base.text(entry, settings.home_attribute)),
        )

    def _named(self, name: AccountName) -> LDAPFilter:
        settings = self._settings
        address = filters.equal(settings.address_attribute, f"smtp:{name.value}" if self._prefixed else name.value)
        logon = filters.equal(settings.name_attribute, name.value)
        match name.kind:
            case NameKind.ADDRESS:
                return address
            case NameKind.PRINCIPAL:
                return filters.any_of((address, logon, filters.equal("userPrincipalName", name.value)))
            case NameKind.ACCOUNT:
                return logon

    def _addresses(self, values: tuple[str, ...]) -> tuple[str, ...]:
        if self._prefixed:
            return smtp_addresses(values)
        return base.distinct(value.strip().lower() for value in values if "@" in value)
