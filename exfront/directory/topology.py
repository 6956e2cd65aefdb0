"""Servers, stores and trees as the directory has them, cached: which server owns a store, which servers hold a tree.

Owns the caches of stores, servers and trees. Accounts are another module's. What hangs in the air (a store that is gone, a server
that a store does not name) is absent and logged with DN and attribute, never an error.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from exfront.directory.cache import Cache, Fetched
from exfront.directory.dn import normal_dn

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from exfront.config.roster import Roster
    from exfront.config.settings import DirectorySettings
    from exfront.directory.interface import Source
    from exfront.directory.outage import Outage
    from exfront.directory.schemas.base import StoreRecord, Topology
    from exfront.model import Server

Kept = TypeVar("Kept")

Snapshot = frozenset[tuple[str, tuple[tuple[str, tuple[bytes, ...]], ...]]]
"""Everything that routing depends on of servers, stores and trees, to be compared."""


class Missing(NamedTuple):
    """The directory has no such entry."""

    dn: str


class Placed(NamedTuple):
    """A mailbox store's servers, and until when (by the clock) that may be believed; None for what the directory lacks."""

    home: Server | None
    public: Server | None
    until: float


class ServerMap:
    """Answers about one directory's servers; Deferreds fail with DirectoryError when it is away and nothing usable is cached."""

    _log = Logger()

    def __init__(
        self,
        source: Source,
        topology: Topology,
        roster: Roster,
        clock: IReactorTime,
        settings: DirectorySettings,
        outage: Outage,
    ) -> None:
        self._source = source
        self._topology = topology
        self._roster = roster
        self._clock = clock
        self._settings = settings
        self._stores: Cache[str, StoreRecord | Missing] = Cache(clock, outage)
        self._servers: Cache[str, Server | Missing] = Cache(clock, outage)
        self._holders: Cache[str, tuple[Server, ...]] = Cache(clock, outage)
        self._complained: dict[tuple[str, str], float] = {}

    def sizes(self) -> dict[str, int]:
        """How many answers are kept, by what they are about."""
        return {"stores": len(self._stores), "servers": len(self._servers), "trees": len(self._holders)}

    def known_holders(self, tree: str) -> tuple[Server, ...] | None:
        """The servers that hold the tree, if that is cached."""
        return self._holders.peek(tree, self._clock.seconds())

    def holders(self, tree: str) -> Deferred[tuple[Server, ...]]:
        """The servers that hold the tree (its DN; empty: the default tree), by name, each once (F41, F42); empty where none does."""
        return self._holders.fetch(tree, lambda: Deferred.fromCoroutine(self._find_holders(tree)))

    async def placed(self, account: str, store: str) -> Placed:
        """The servers of an account's mailbox store; both DNs."""
        record, until = await self._store(store)
        if isinstance(record, Missing):
            self._complain(account, "homeMDB", store)
            return Placed(None, None, until)
        home, home_until = await self._owner(record)
        public, public_until = await self._public_server(record)
        if public is None:
            # Public stores are often gone for good while mailbox stores still name them: no reason to ask every ten seconds.
            return Placed(home, None, min(until, home_until))
        return Placed(home, public, min(until, home_until, public_until))

    async def snapshot(self) -> Snapshot:
        """What the directory says now, past all caches."""
        entries = await self._source.search(self._topology.survey_query())
        return frozenset(
            (normal_dn(one.dn), tuple(sorted((name, tuple(sorted(values))) for name, values in one.attributes.items())))
            for one in entries
        )

    def reset(self) -> None:
        """Forget everything (F61)."""
        for cache in (self._stores, self._servers, self._holders):
            cache.reset()
        self._complained.clear()

    async def _public_server(self, record: StoreRecord) -> tuple[Server | None, float]:
        if record.public_store is None:
            return None, float("inf")
        public, until = await self._store(record.public_store)
        if isinstance(public, Missing):
            self._complain(record.dn, "msExchHomePublicMDB", public.dn)
            return None, until
        server, server_until = await self._owner(public)
        return server, min(until, server_until)

    async def _owner(self, record: StoreRecord) -> tuple[Server | None, float]:
        """The server that owns a store, and until when that may be believed."""
        if record.owner is None:
            self._complain(record.dn, "msExchOwningServer", None)
            return None, self._soon()
        key = normal_dn(record.owner)
        server = await self._servers.fetch(key, partial(self._ask_server, record.owner), young=True)
        if isinstance(server, Missing):
            self._complain(record.dn, "msExchOwningServer", server.dn)
            return None, self._soon()
        return server, self._servers.expires(key)

    async def _store(self, dn: str) -> tuple[StoreRecord | Missing, float]:
        """The store. Looked up again in the second half of its life, so that an answer built on it never lives only moments."""
        key = normal_dn(dn)
        record = await self._stores.fetch(key, partial(self._ask_store, dn), young=True)
        return record, self._stores.expires(key)

    def _ask_store(self, dn: str) -> Deferred[Fetched[StoreRecord | Missing]]:
        return Deferred.fromCoroutine(self._find_store(dn))

    def _ask_server(self, dn: str) -> Deferred[Fetched[Server | Missing]]:
        return Deferred.fromCoroutine(self._find_server(dn))

    async def _find_store(self, dn: str) -> Fetched[StoreRecord | Missing]:
        entries = await self._source.search(self._topology.store_query(dn))
        if not entries:
            return Fetched(Missing(dn), self._settings.negative_cache)
        return self._kept(self._topology.read_store(entries[0]))

    async def _find_server(self, dn: str) -> Fetched[Server | Missing]:
        entries = await self._source.search(self._topology.server_query(dn))
        if not entries:
            return Fetched(Missing(dn), self._settings.negative_cache)
        record = self._topology.read_server(entries[0])
        return self._kept(self._roster.server(record.name, record.address, current=record.current))

    async def _find_holders(self, tree: str) -> Fetched[tuple[Server, ...]]:
        dn = tree or await self._default_tree()
        if not dn:
            self._log.warn("no mailbox store names a public store with a tree: there is no default tree")
            return Fetched((), self._settings.negative_cache)
        stores = await self._source.search(self._topology.replicas_query(dn))
        owners = [await self._owner(self._topology.read_store(entry)) for entry in stores]
        held = [(server, until) for server, until in owners if server is not None]
        servers = sorted({server for server, _ in held}, key=lambda server: server.name)
        if not servers:
            self._log.warn("{tree}: no server holds this tree", tree=dn)
            return Fetched((), self._settings.negative_cache)
        known = min(until for _, until in held) - self._clock.seconds()
        life = min(self._settings.cache, known) if known > 0 else -1.0
        return Fetched(tuple(servers), life, self._settings.stale)

    async def _default_tree(self) -> str | None:
        """The tree of the public stores that mailbox stores name; where they differ, the one most of them lead to."""
        named: Counter[str] = Counter()
        for entry in await self._source.search(self._topology.mailbox_stores_query()):
            public = self._topology.read_store(entry).public_store
            if public is not None:
                named[normal_dn(public)] += 1
        trees: Counter[str] = Counter()
        for public, times in named.items():
            record, _ = await self._store(public)
            if not isinstance(record, Missing) and record.tree is not None:
                trees[normal_dn(record.tree)] += times
        return min(trees, key=lambda tree: (-trees[tree], tree), default=None)

    def _complain(self, dn: str, attribute: str, missing: str | None) -> None:
        """Log what hangs in the air, each once in a cache's time: a store may have thousands of users."""
        now = self._clock.seconds()
        if now < self._complained.get((dn, attribute), float("-inf")):
            return
        self._complained[dn, attribute] = now + self._settings.cache
        if missing is None:
            self._log.warn("{dn}: {attribute} is missing", dn=dn, attribute=attribute)
        else:
            self._log.warn(
                "{dn}: {attribute} names {missing}, which is not there", dn=dn, attribute=attribute, missing=missing
            )

    def _kept(self, value: Kept) -> Fetched[Kept]:
        return Fetched(value, self._settings.cache, self._settings.stale)

    def _soon(self) -> float:
        return self._clock.seconds() + self._settings.negative_cache
