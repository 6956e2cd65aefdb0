"""The directory as the rest of exfront sees it: who lives where, which servers hold a tree, and nothing about how that is found.

Owns the moments of change: the poll, resets, and who is told of them. The answers are kept by `accounts` and `topology`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger

from exfront.directory import filters
from exfront.directory.accounts import NO_ATTRIBUTES, Accounts
from exfront.directory.interface import Query, Scope
from exfront.directory.outage import Outage, or_away
from exfront.directory.topology import ServerMap
from exfront.errors import DirectoryError

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from exfront.config.roster import Roster
    from exfront.config.settings import DirectorySettings
    from exfront.directory.interface import Source
    from exfront.directory.schemas.base import Schema
    from exfront.directory.topology import Snapshot
    from exfront.model import Account, AccountAnswer, AccountName, HoldersAnswer

FIRST_LOOK_AGAIN = 5.0
"""Seconds until the first look at servers and stores is repeated when it failed."""


class Watcher(Protocol):
    """Somebody who keeps answers that were made from the directory's."""

    def directory_reset(self) -> None:
        """Everything may have changed."""

    def account_changed(self, account: Account) -> None:
        """One account has to be looked up afresh."""


class Directory:
    """Answers about accounts and trees; never fails but with a value.

    `clock` gives the time of all caches. `start` begins connecting and polling; `stop` ends both.
    """

    _log = Logger()

    def __init__(
        self, source: Source, schema: Schema, roster: Roster, clock: IReactorTime, settings: DirectorySettings
    ) -> None:
        self._source = source
        self._clock = clock
        self._settings = settings
        self.outage = Outage(source, clock, self._probe)
        topology = schema.topology
        self._servers = ServerMap(source, topology, roster, clock, settings, self.outage) if topology else None
        self._accounts = Accounts(source, schema, self._servers, roster, clock, settings, self.outage)
        self._watchers: list[Watcher] = []
        self._snapshot: Snapshot | None = None
        self._next_look: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._running = False

    def known_account(self, name: AccountName) -> AccountAnswer | None:
        """The cached answer, at once, or None. Past its end only while the directory is known to be away (F21)."""
        return self._accounts.known(name)

    def account(self, name: AccountName) -> Deferred[AccountAnswer]:
        """Who has that name. Never fails: DirectoryAway when there is no answer to be had. May be cancelled."""
        return or_away(self._accounts.fetch(name), self._log)

    def sizes(self) -> dict[str, int]:
        """How many answers are kept, by what they are about."""
        return {"accounts": len(self._accounts), **(self._servers.sizes() if self._servers else {})}

    def account_remaining(self, name: AccountName) -> float:
        """Seconds for which the cached answer to that name is good; 0 or less: there is none."""
        return self._accounts.remaining(name)

    def known_holders(self, tree: str) -> HoldersAnswer | None:
        """The cached answer, at once, or None."""
        return self._servers.known_holders(tree) if self._servers else ()

    def holders(self, tree: str) -> Deferred[HoldersAnswer]:
        """The servers with a replica of the tree (its DN; empty: the default tree), by name (F41, F42).

        Old ones are among them, marked (F43). Never fails: DirectoryAway when there is no answer to be had. May be cancelled.
        """
        if self._servers is None:
            return succeed(())
        return or_away(self._servers.holders(tree), self._log)

    def forget(self, account: Account) -> None:
        """Look the account up afresh next time (F50)."""
        self._accounts.forget(account)
        for watcher in self._watchers:
            watcher.account_changed(account)

    def reset(self) -> None:
        """Forget all answers at once (F61)."""
        self._accounts.reset()
        if self._servers:
            self._servers.reset()
        for watcher in self._watchers:
            watcher.directory_reset()

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of resets and forgotten accounts from now on."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Begin connecting and polling."""
        self._source.start()
        if self._running:
            return
        self._running = True
        if self._settings.poll > 0 and self._servers:
            self._look()

    def stop(self) -> Deferred[None]:
        """Stop polling and close all connections."""
        self._running = False
        if self._next_look is not None and self._next_look.active():
            self._next_look.cancel()
        self._next_look = None
        if self._looking is not None:
            self._looking.cancel()
        return self._source.stop()

    def _look(self) -> None:
        self._next_look = None
        looking = self._looking = Deferred.fromCoroutine(self._compare())
        _ = looking.addCallbacks(lambda _: self._look_later(), self._look_failed)

    async def _compare(self) -> None:
        """Reset when servers, stores or trees are not what they were at the last look."""
        if self._servers is None:
            return
        seen = await self._servers.snapshot()
        before, self._snapshot = self._snapshot, seen
        if before is not None and before != seen:
            changed = sorted({dn for dn, _ in before ^ seen})
            self._log.info(
                "the directory's servers, stores or trees changed ({dns}): caches reset", dns="; ".join(changed)
            )
            self.reset()

    def _look_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError, DirectoryError):
            self._log.debug("no look at servers and stores: {reason}", reason=failure.getErrorMessage())
        else:
            self._log.failure("the look at servers and stores failed", failure)
        self._look_later()

    def _look_later(self) -> None:
        self._looking = None
        if not self._running:
            return
        poll = self._settings.poll
        wait = poll if self._snapshot is not None else min(poll, FIRST_LOOK_AGAIN)
        self._next_look = self._clock.callLater(wait, self._look)

    def _probe(self) -> None:
        """Ask anything, so that a directory that is back is noticed."""
        query = Query(self._settings.base, Scope.BASE, filters.present("objectClass"), NO_ATTRIBUTES, 1)
        _ = self._source.search(query).addErrback(lambda failure: failure.trap(DirectoryError))
