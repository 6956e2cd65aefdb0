"""Schema `laser`: `inetLocalMailRecipient` entries (draft-lachman-laser-ldap-mail-routing), which name their host themselves.

`mailLocalAddress` are the addresses, `mailHost` is the home server, `uid` the logon name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.directory import filters
from exfront.directory.dn import first_value
from exfront.directory.schemas import base
from exfront.model import NameKind

if TYPE_CHECKING:
    from exfront.config.settings import DirectorySettings
    from exfront.directory.interface import Entry, Query
    from exfront.model import AccountName

ATTRIBUTES = ("uid", "mail", "mailLocalAddress", "mailHost", "objectSid", "entryUUID")
IDENTITIES = ("objectSid", "entryUUID")
SEARCHED = {
    NameKind.ADDRESS: ("mailLocalAddress",),
    NameKind.PRINCIPAL: ("mailLocalAddress", "uid"),
    NameKind.ACCOUNT: ("uid",),
}


class LaserSchema:
    """Accounts by `mailLocalAddress` or `uid`; there are no stores and no trees."""

    topology: base.Topology | None = None

    def __init__(self, settings: DirectorySettings) -> None:
        self._base = settings.base
        self._disabled = settings.disabled_attribute
        self._attributes = ATTRIBUTES + ((self._disabled,) if self._disabled else ())

    def account_query(self, name: AccountName) -> Query:
        """See `Schema`."""
        condition = filters.any_of(filters.equal(attribute, name.value) for attribute in SEARCHED[name.kind])
        return base.account_query(self._base, condition, self._attributes)

    def read_account(self, entry: Entry) -> base.AccountRecord:
        """See `Schema`. The primary address is `mail` where that is one of the local addresses, else the first of them."""
        local = base.distinct(value.strip().lower() for value in base.texts(entry, "mailLocalAddress"))
        primary = {value.strip().lower() for value in base.texts(entry, "mail")}
        return base.AccountRecord(
            entry.dn,
            base.text(entry, "uid") or first_value(entry.dn),
            base.identity(entry, IDENTITIES),
            tuple(sorted(local, key=lambda value: value not in primary)),
            not base.switched_off(entry, self._disabled),
            host=base.host(base.text(entry, "mailHost")),
        )
