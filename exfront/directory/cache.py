"""Answers kept for a while, each looked up once however many ask (F60), and used past their end while the source is away (F21).

Owns the answers and the lookups in flight. What is looked up, and how long an answer lives, is the caller's business.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, succeed

from exfront.errors import DirectoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from exfront.directory.outage import Outage

SIZE = 200_000
BRIEF_SHARE = 0.1
"""How much of a cache may be answers that never go stale, "no such" and "wrong": a flood of them must not drive out the others."""

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class Fetched(NamedTuple, Generic[V]):
    """What a lookup brought, with all times in seconds from now."""

    value: V
    life: float
    """How long the answer is used. 0: it is handed out, and nothing is kept; below 0: what was kept before stays."""
    stale: float = 0.0
    """How long past its end it may serve while the source is away."""
    tag: str = ""
    """Answers of one tag can be dropped together; empty: none."""
    memo: float = 0.0
    """A number of the caller's own, given back in the slot."""


class Slot(NamedTuple, Generic[V]):
    """A kept answer; times are the clock's."""

    expires: float
    value: V
    renew: float
    """The middle of its life: from then on `fetch(young=True)` looks it up again."""
    stale_until: float
    tag: str
    memo: float


class Cache(Generic[K, V]):
    """Answers by key, at most `size` of them; the oldest go first.

    `finish` says whether a lookup goes on to its end when nobody waits for it any more; else it is cancelled.
    """

    def __init__(self, clock: IReactorTime, outage: Outage, *, size: int = SIZE, finish: bool = False) -> None:
        self._clock = clock
        self._outage = outage
        self._size = size
        self._finish = finish
        # An ordered dictionary, because taking the first key out of a plain one again and again walks over all the gaps before it.
        self._slots: OrderedDict[K, Slot[V]] = OrderedDict()
        self._brief: OrderedDict[K, None] = OrderedDict()
        self._tagged: dict[str, set[K]] = {}
        self._flights: dict[K, _Flight[V]] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def peek(self, key: K, now: float) -> V | None:
        """The answer, if one is kept that may be used at `now`; answers past their end only while the source is known to be away."""
        slot = self._slots.get(key)
        if slot is None:
            return None
        if now < slot.expires:
            return slot.value
        if now < slot.stale_until and (reason := self._outage.reason):
            self._outage.serving_stale(reason)
            return slot.value
        return None

    def slot(self, key: K) -> Slot[V] | None:
        """What is kept for the key, past its end or not."""
        return self._slots.get(key)

    def expires(self, key: K) -> float:
        """When the kept answer ends, by the clock; minus infinity where there is none."""
        slot = self._slots.get(key)
        return slot.expires if slot else float("-inf")

    def fetch(self, key: K, lookup: Callable[[], Deferred[Fetched[V]]], *, young: bool = False) -> Deferred[V]:
        """The kept answer, or what `lookup` brings; a lookup in flight for the key is joined.

        `young` asks for an answer in the first half of its life. When the lookup fails with a DirectoryError, an answer past its end is
        given if there is one; else the Deferred fails with that error. Cancelling the Deferred does not touch others who wait.
        """
        now = self._clock.seconds()
        slot = self._slots.get(key)
        if slot is None or not young or now < slot.renew or self._outage.reason:
            value = self.peek(key, now)
            if value is not None:
                return succeed(value)
        flight = self._flights.get(key)
        if flight is not None:
            return flight.join()
        flight = self._flights[key] = _Flight(None if self._finish else lambda gone: self._abandon(key, gone))
        waiter = flight.join()
        self._launch(key, flight, lookup)
        return waiter

    def drop(self, key: K) -> None:
        """Forget the key; a lookup in flight for it does not store its answer."""
        self._flights.pop(key, None)
        self._remove(key)

    def drop_tagged(self, tag: str) -> None:
        """Forget all answers of one tag; lookups in flight that turn out to have it do not store their answers."""
        for key in tuple(self._tagged.get(tag, ())):
            self.drop(key)
        self._spoil(tag)

    def expire_tagged(self, tag: str) -> None:
        """End the life of all answers of one tag: they are looked up again, with the slot still there to look at.

        Lookups in flight that turn out to have it do not store their answers.
        """
        self._spoil(tag)
        now = self._clock.seconds()
        for key in self._tagged.get(tag, ()):
            slot = self._slots[key]
            self._slots[key] = slot._replace(expires=min(slot.expires, now), renew=now)

    def reset(self) -> None:
        """Forget everything (F61). Lookups in flight answer those who wait and are not stored."""
        self._slots.clear()
        self._brief.clear()
        self._tagged.clear()
        self._flights.clear()

    def _launch(self, key: K, flight: _Flight[V], lookup: Callable[[], Deferred[Fetched[V]]]) -> None:
        lookup_begun: Deferred[Fetched[V]] = lookup()
        flight.lookup = lookup_begun.addCallbacks(
            lambda fetched: self._arrived(key, flight, fetched), lambda failure: self._failed(key, flight, failure)
        )

    def _arrived(self, key: K, flight: _Flight[V], fetched: Fetched[V]) -> None:
        if self._land(key, flight) and fetched.life >= 0 and fetched.tag not in flight.spoiled:
            self._store(key, fetched)
        flight.answer(fetched.value)

    def _failed(self, key: K, flight: _Flight[V], failure: Failure) -> None:
        self._land(key, flight)
        slot = self._slots.get(key)
        if slot is None or not failure.check(DirectoryError) or self._clock.seconds() >= slot.stale_until:
            flight.answer(failure)
            return
        if self._clock.seconds() >= slot.expires:
            self._outage.serving_stale(failure.getErrorMessage())
        flight.answer(slot.value)

    def _land(self, key: K, flight: _Flight[V]) -> bool:
        """Take the flight off the list; False when it was taken off before (a reset), and its answer is not to be stored."""
        if self._flights.get(key) is not flight:
            return False
        del self._flights[key]
        return True

    def _abandon(self, key: K, flight: _Flight[V]) -> None:
        self._land(key, flight)
        if flight.lookup is not None:
            flight.lookup.cancel()

    def _store(self, key: K, fetched: Fetched[V]) -> None:
        self._remove(key)
        if fetched.life == 0:
            return
        now = self._clock.seconds()
        expires = now + fetched.life
        self._slots[key] = Slot(
            expires, fetched.value, now + fetched.life / 2, expires + fetched.stale, fetched.tag, fetched.memo
        )
        if fetched.tag:
            self._tagged.setdefault(fetched.tag, set()).add(key)
        if fetched.stale <= 0:
            self._brief[key] = None
        self._make_room()

    def _make_room(self) -> None:
        """Let the oldest go, so that all answers and the brief ones among them stay within their bounds."""
        if len(self._brief) > self._size * BRIEF_SHARE:
            self._remove(next(iter(self._brief)))
        if len(self._slots) > self._size:
            self._remove(next(iter(self._slots)))

    def _remove(self, key: K) -> None:
        slot = self._slots.pop(key, None)
        if slot is None:
            return
        self._brief.pop(key, None)
        if slot.tag:
            keys = self._tagged[slot.tag]
            keys.discard(key)
            if not keys:
                del self._tagged[slot.tag]

    def _spoil(self, tag: str) -> None:
        for flight in self._flights.values():
            flight.spoiled.add(tag)


class _Flight(Generic[V]):
    """One lookup on its way, and who waits for it."""

    __slots__ = ("_abandon", "_waiters", "lookup", "spoiled")

    def __init__(self, abandon: Callable[[_Flight[V]], None] | None) -> None:
        self._abandon = abandon
        self._waiters: list[Deferred[V]] = []
        self.lookup: Deferred[None] | None = None
        self.spoiled: set[str] = set()
        """Tags that were dropped since the lookup began: its answer may be from before."""

    def join(self) -> Deferred[V]:
        """One more who waits."""
        waiter: Deferred[V] = Deferred(self._leave)
        self._waiters.append(waiter)
        return waiter

    def answer(self, result: V | Failure) -> None:
        """Everybody gets the result; a failure without anybody to hear it ends here."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(result)

    def _leave(self, waiter: Deferred[V]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            if not self._waiters and self._abandon is not None:
                self._abandon(self)
