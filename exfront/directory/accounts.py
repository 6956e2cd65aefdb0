"""Accounts by name, cached: the search, what it means when one, none or several match, and where the mailbox is.

Owns the account cache. Knows nothing of passwords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from exfront.directory.cache import Cache, Fetched
from exfront.directory.dn import normal_dn
from exfront.directory.topology import Placed
from exfront.errors import DirectoryError, SizeLimitExceeded
from exfront.model import Account, AccountName, AmbiguousAccount, NoAccount

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from exfront.config.roster import Roster
    from exfront.config.settings import DirectorySettings
    from exfront.directory.interface import Entry, Query, Source
    from exfront.directory.outage import Outage
    from exfront.directory.schemas.base import AccountRecord, Schema
    from exfront.directory.topology import ServerMap

Answer = Account | NoAccount | AmbiguousAccount

MOST_NAMED = 20
"""How many DNs of an ambiguous name are fetched for the log."""
NO_ATTRIBUTES = ("1.1",)
"""Asks for names alone (RFC 4511 4.5.1.8)."""


class Accounts:
    """Looks accounts up; Deferreds fail with DirectoryError when the directory is away and nothing usable is cached."""

    _log = Logger()

    def __init__(
        self,
        source: Source,
        schema: Schema,
        servers: ServerMap | None,
        roster: Roster,
        clock: IReactorTime,
        settings: DirectorySettings,
        outage: Outage,
    ) -> None:
        self._source = source
        self._schema = schema
        self._servers = servers
        self._roster = roster
        self._clock = clock
        self._settings = settings
        self._cache: Cache[AccountName, Answer] = Cache(clock, outage)

    def __len__(self) -> int:
        return len(self._cache)

    def known(self, name: AccountName) -> Answer | None:
        """The answer, if it is cached."""
        return self._cache.peek(_key(name), self._clock.seconds())

    def fetch(self, name: AccountName) -> Deferred[Answer]:
        """The answer, cached or looked up.

        An account is kept under the name it was asked by, and no other: another of its names may be ambiguous, which only a search
        can tell.
        """
        key = _key(name)
        return self._cache.fetch(key, lambda: Deferred.fromCoroutine(self._find(key)))

    def remaining(self, name: AccountName) -> float:
        """Seconds that the cached answer may still be used; 0 or less where there is none or it is past its end."""
        return self._cache.expires(_key(name)) - self._clock.seconds()

    def forget(self, account: Account) -> None:
        """The account is looked up afresh when it is asked for next, by whatever name (F50)."""
        self._cache.drop_tagged(normal_dn(account.dn))

    def reset(self) -> None:
        """Forget everything (F61)."""
        self._cache.reset()

    async def _find(self, name: AccountName) -> Fetched[Answer]:
        query = self._schema.account_query(name)
        try:
            entries = await self._source.search(query)
        except SizeLimitExceeded:
            return self._ambiguous(name, await self._names(query))
        if not entries:
            return Fetched(NoAccount(), self._settings.negative_cache)
        if len(entries) > 1:
            return self._ambiguous(name, tuple(entry.dn for entry in entries))
        return await self._located(entries[0])

    async def _located(self, entry: Entry) -> Fetched[Answer]:
        """The account with its servers. It lives no longer than what is known of them, and only shortly without a home."""
        record = self._schema.read_account(entry)
        placed = await self._placed(record)
        account = Account(
            record.dn,
            record.name,
            record.identity,
            record.addresses,
            placed.home,
            record.store,
            placed.public,
            record.http_enabled,
        )
        most = self._settings.negative_cache if placed.home is None else self._settings.cache
        known = placed.until - self._clock.seconds()
        life = min(most, known) if known > 0 else -1.0
        return Fetched(account, life, self._settings.stale, normal_dn(record.dn))

    async def _placed(self, record: AccountRecord) -> Placed:
        if record.store is not None and self._servers is not None:
            return await self._servers.placed(record.dn, record.store)
        home = self._roster.server(record.host) if record.host else None
        return Placed(home, None, float("inf"))

    async def _names(self, query: Query) -> tuple[str, ...]:
        """The DNs that match, for the log; none where even that is refused."""
        try:
            entries = await self._source.search(query._replace(attributes=NO_ATTRIBUTES, size_limit=MOST_NAMED))
        except DirectoryError:
            return ()
        return tuple(entry.dn for entry in entries)

    def _ambiguous(self, name: AccountName, dns: tuple[str, ...]) -> Fetched[Answer]:
        self._log.error(
            "{value}: more than one entry matches: {dns}", value=name.value, dns="; ".join(dns) or "too many to name"
        )
        return Fetched(AmbiguousAccount(dns), self._settings.negative_cache)


def _key(name: AccountName) -> AccountName:
    """The name as schemas look at it: without the domain, so that one account has no cache entry for each invented domain."""
    return AccountName(name.kind, name.value) if name.domain else name
