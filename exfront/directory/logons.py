"""Who may come in: credentials checked against the directory, and remembered as a keyed hash (F26, F27, F28).

Owns the remembered logons. Keeps neither passwords nor Authorization values: the key of an answer is a keyed BLAKE2b digest of the
value, and the key of the hash lives as long as the process. An unknown name costs one search and a wrong password a search and a
bind, so that somebody who measures times can tell them apart; what is answered is the same.
"""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from exfront.directory.cache import Cache, Fetched
from exfront.directory.dn import normal_dn
from exfront.directory.outage import or_away
from exfront.errors import DirectoryUnreachable
from exfront.model import Account, AmbiguousAccount, DirectoryAway, LoggedOn, LogonCause, LogonRefused, NoAccount
from exfront.policy.logon import account_name, read_basic

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from exfront.directory.cache import Slot
    from exfront.directory.interface import Bound, Source
    from exfront.directory.service import Directory
    from exfront.model import AccountName, LogonAnswer
    from exfront.policy.logon import Credentials

_log = Logger(__name__)  # compiled, the module has no frame to take it from

DIGEST_SIZE = 16

Remembered = LoggedOn | LogonRefused


class Logons:
    """The logons of all virtual servers.

    `key`: 16 to 64 random bytes. `cache`: seconds that a right password is believed. `failed_cache`: seconds that wrong credentials
    are remembered at first; twice as long after each further bind that they cost, up to `cache`. `stale`: seconds past their end
    that successful logons serve while the directory is away (F21).
    """

    def __init__(
        self,
        directory: Directory,
        source: Source,
        clock: IReactorTime,
        key: bytes,
        cache: float = 600,
        failed_cache: float = 10,
        stale: float = 3600,
    ) -> None:
        self._key = key
        self._clock = clock
        # A bind goes on when its client goes away: else a client in a hurry could try one wrong password any number of times.
        self._answers: Cache[bytes, Remembered] = Cache(clock, directory.outage, finish=True)
        self._checks = _Checks(directory, source, clock, cache, failed_cache, stale)
        directory.watch(self)

    def __repr__(self) -> str:
        return f"<Logons: {len(self._answers)} remembered>"

    def __len__(self) -> int:
        """How many logons are remembered, refused ones among them."""
        return len(self._answers)

    def scope(self, name: str, default_domain: str = "") -> LogonScope:
        """The logons of one realm (its `name` keeps it apart from others), with the domain of bare names."""
        hasher = blake2b(key=self._key, digest_size=DIGEST_SIZE)
        for part in (name, default_domain):
            raw = part.encode()
            hasher.update(len(raw).to_bytes(4, "big") + raw)
        return LogonScope(self._clock, self._answers, self._checks, hasher, default_domain)

    def drop(self, account: Account) -> None:
        """Forget all that is remembered of an account's credentials: its password has changed (F28)."""
        self._answers.drop_tagged(normal_dn(account.dn))

    def directory_reset(self) -> None:
        """See `Watcher`."""
        self._answers.reset()

    def account_changed(self, account: Account) -> None:
        """See `Watcher`: the password stays believed, the account is looked up again."""
        self._answers.expire_tagged(normal_dn(account.dn))


class LogonScope:
    """The logons of one realm."""

    def __init__(
        self,
        clock: IReactorTime,
        answers: Cache[bytes, Remembered],
        checks: _Checks,
        hasher: blake2b,
        default_domain: str,
    ) -> None:
        self._now = clock.seconds
        self._answers = answers
        self._peek = answers.peek
        self._checks = checks
        self._copy = hasher.copy
        self._default_domain = default_domain

    def known(self, authorization: bytes) -> LogonAnswer | None:
        """What is remembered of this Authorization value, at once; None: ask `check`. Costs about a microsecond."""
        hasher = self._copy()
        hasher.update(authorization)
        return self._peek(hasher.digest(), self._now())

    def check(self, authorization: bytes) -> Deferred[LogonAnswer]:
        """Who that is. Never fails: DirectoryAway when nobody can tell. Parallel checks of one value cost one bind (F28)."""
        credentials = read_basic(authorization)
        if isinstance(credentials, LogonRefused):
            return succeed(credentials)
        hasher = self._copy()
        hasher.update(authorization)
        digest = hasher.digest()
        name = account_name(credentials.name, self._default_domain)
        before = self._answers.slot(digest)
        checked = self._answers.fetch(digest, partial(self._checks.start, credentials, name, before))
        return or_away(checked, _log)


class _Checks:
    """One check: the account by its name, the password by a bind as the account that was found."""

    def __init__(
        self,
        directory: Directory,
        source: Source,
        clock: IReactorTime,
        cache: float,
        failed_cache: float,
        stale: float,
    ) -> None:
        self._directory = directory
        self._source = source
        self._clock = clock
        self._cache = cache
        self._failed_cache = min(failed_cache, cache)
        self._stale = stale

    def start(
        self, credentials: Credentials, name: AccountName, before: Slot[Remembered] | None
    ) -> Deferred[Fetched[Remembered]]:
        """Check; `before` is what was remembered of these credentials. Fails with DirectoryError."""
        return Deferred.fromCoroutine(self._check(credentials, name, before))

    async def _check(
        self, credentials: Credentials, name: AccountName, before: Slot[Remembered] | None
    ) -> Fetched[Remembered]:
        account = await self._directory.account(name)
        if isinstance(account, DirectoryAway):
            raise DirectoryUnreachable(account.reason)
        if isinstance(account, NoAccount):  # kept by the directory, for its own time
            return Fetched(LogonRefused(LogonCause.UNKNOWN, credentials.name), 0)
        if isinstance(account, AmbiguousAccount):
            return Fetched(LogonRefused(LogonCause.AMBIGUOUS, credentials.name, "; ".join(account.dns)), 0)
        ends = self._believed_until(account, before)
        if ends is None:
            bound = await self._source.bind(account.dn, credentials.password)
            if bound.cause is not None:
                return self._refused(credentials.name, account, bound, before)
            ends = self._clock.seconds() + self._cache
        return self._logged_on(credentials.name, account, name, ends)

    def _believed_until(self, account: Account, before: Slot[Remembered] | None) -> float | None:
        """Until when an earlier bind of these very credentials as this very entry is believed; None: bind now."""
        if before is None or not isinstance(before.value, LoggedOn) or before.tag != normal_dn(account.dn):
            return None
        return before.memo if self._clock.seconds() < before.memo else None

    def _logged_on(self, typed: str, account: Account, name: AccountName, ends: float) -> Fetched[Remembered]:
        """A logon lives as long as the account that was found for it, so that a moved mailbox is seen in time.

        Its slot's memo says when the password has to be checked again.
        """
        left, known = ends - self._clock.seconds(), self._directory.account_remaining(name)
        life = min(left, known) if known > 0 else -1.0
        return Fetched(LoggedOn(typed, account), life, left - life + self._stale, normal_dn(account.dn), ends)

    def _refused(
        self, typed: str, account: Account, bound: Bound, before: Slot[Remembered] | None
    ) -> Fetched[Remembered]:
        """A wrong password is remembered twice as long each time; the memo says how long.

        What an administrator may end at any moment (a lock, an expired password) is remembered for the first time's length only.
        """
        assert bound.cause is not None
        level = before.memo if before is not None and isinstance(before.value, LogonRefused) else 0.0
        life = self._failed_cache
        if bound.cause is LogonCause.WRONG:
            life = level = min(2 * level, self._cache) if level else self._failed_cache
        refusal = LogonRefused(bound.cause, typed, bound.detail)
        return Fetched(refusal, life, 0.0, normal_dn(account.dn), level)
