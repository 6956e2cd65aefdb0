"""The cache: each answer looked up once, used for its time and not after."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.cache import Cache, Fetched
from exfront.directory.outage import Outage
from exfront.errors import DirectoryUnreachable
from tests.fakes.directory import FakeSource


class Asked:
    """A lookup whose answers the test gives."""

    def __init__(self) -> None:
        self.waiting: list[Deferred] = []
        self.cancelled = 0

    def __call__(self) -> Deferred:
        self.waiting.append(Deferred(self._cancel))
        return self.waiting[-1]

    def _cancel(self, _: Deferred) -> None:
        self.cancelled += 1


class CacheCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.source = FakeSource([])
        self.probes = 0
        self.outage = Outage(self.source, self.clock, self._probe)
        self.cache: Cache[str, str] = Cache(self.clock, self.outage)
        self.asked = Asked()

    def _probe(self) -> None:
        self.probes += 1

    def peek(self, key: str = "key") -> str | None:
        return self.cache.peek(key, self.clock.seconds())

    def store(
        self, value: str = "value", life: float = 600, stale: float = 3600, key: str = "key", tag: str = ""
    ) -> None:
        self.cache.drop(key)
        self.successResultOf(self.cache.fetch(key, lambda: succeed(Fetched(value, life, stale, tag))))


class Lifetime(CacheCase):
    def test_used_for_its_time_and_not_after(self) -> None:
        """F60: 600 seconds, to the tick."""
        self.store()
        self.clock.advance(599.9)
        self.assertEqual(self.peek(), "value")
        self.clock.advance(0.1)
        self.assertIsNone(self.peek())

    def test_an_answer_without_life_is_handed_out_and_not_kept(self) -> None:
        """Nothing of it is left."""
        self.store(life=0)
        self.assertIsNone(self.peek())
        self.assertEqual(len(self.cache), 0)

    def test_what_was_kept_goes_or_stays(self) -> None:
        """An answer of no life replaces what was kept; one of less than none leaves it, for a while in which nobody can be asked."""
        for life, kept in ((-1, "value"), (0, None)):
            self.store(stale=100)
            self.clock.advance(600)
            self.assertEqual(
                self.successResultOf(self.cache.fetch("key", lambda n=life: succeed(Fetched("new", n)))), "new"
            )
            self.source.away = "refused"
            self.assertEqual(self.peek(), kept)
            self.source.away = ""

    def test_a_young_answer_is_taken_and_an_older_one_renewed(self) -> None:
        """In its second half an answer is looked up again by those who ask for a young one; others still use it."""
        self.store()
        self.clock.advance(300)
        self.assertEqual(self.successResultOf(self.cache.fetch("key", self.asked)), "value")
        young = self.cache.fetch("key", self.asked, young=True)
        self.asked.waiting[0].callback(Fetched("newer", 600))
        self.assertEqual(self.successResultOf(young), "newer")
        self.assertEqual(self.peek(), "newer")

    def test_the_oldest_go_first(self) -> None:
        """The size is bounded; a renewed answer counts as new."""
        self.cache = Cache(self.clock, self.outage, size=3)
        for key in ("a", "b", "c", "a", "d"):
            self.store(key=key, tag="tag")
        self.assertEqual([key for key in "abcd" if self.peek(key)], ["a", "c", "d"])
        self.cache.drop_tagged("tag")
        self.assertEqual(len(self.cache), 0)

    def test_a_flood_of_refusals_drives_nobody_out(self) -> None:
        """Answers that never go stale have a tenth of the room, the youngest of them."""
        self.cache = Cache(self.clock, self.outage, size=50)
        for number in range(20):
            self.store(key=f"good{number}")
        for number in range(1000):
            self.store(key=f"bad{number}", life=10, stale=0, tag="bad")
        self.assertEqual(len(self.cache), 25)
        self.assertEqual(self.peek("good0"), "value")
        self.assertEqual([number for number in range(1000) if self.peek(f"bad{number}")], [995, 996, 997, 998, 999])
        self.cache.drop_tagged("bad")
        self.assertEqual(len(self.cache), 20)


class SingleFlight(CacheCase):
    def test_lookups_in_flight_are_made_once(self) -> None:
        """F60: many ask, one lookup is made, all get its answer."""
        waiters = [self.cache.fetch("key", self.asked) for _ in range(5)]
        self.assertEqual(len(self.asked.waiting), 1)
        self.asked.waiting[0].callback(Fetched("value", 600))
        self.assertEqual([self.successResultOf(one) for one in waiters], ["value"] * 5)

    def test_a_failure_reaches_everybody_and_is_not_kept(self) -> None:
        """The next one asks again."""
        waiters = [self.cache.fetch("key", self.asked) for _ in range(2)]
        self.asked.waiting[0].errback(DirectoryUnreachable("no"))
        for one in waiters:
            self.failureResultOf(one, DirectoryUnreachable)
        again = self.cache.fetch("key", self.asked)
        self.asked.waiting[1].callback(Fetched("value", 600))
        self.assertEqual(self.successResultOf(again), "value")

    def test_one_who_leaves_does_not_take_the_others_along(self) -> None:
        """A cancelled waiter is one waiter less."""
        first, second = (self.cache.fetch("key", self.asked) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.asked.cancelled, 0)
        self.asked.waiting[0].callback(Fetched("value", 600))
        self.assertEqual(self.successResultOf(second), "value")

    def test_the_last_who_leaves_ends_the_lookup(self) -> None:
        """Nobody waits: the lookup is cancelled, and the next one starts afresh."""
        waiters = [self.cache.fetch("key", self.asked) for _ in range(2)]
        for one in waiters:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.assertEqual(self.asked.cancelled, 1)
        self.assertNoResult(self.cache.fetch("key", self.asked))
        self.assertEqual(len(self.asked.waiting), 2)

    def test_a_lookup_that_is_to_be_finished_is(self) -> None:
        """With `finish` the answer is kept although nobody waits for it."""
        self.cache = Cache(self.clock, self.outage, finish=True)
        waiter = self.cache.fetch("key", self.asked)
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.assertEqual(self.asked.cancelled, 0)
        self.asked.waiting[0].callback(Fetched("value", 600))
        self.assertEqual(self.peek(), "value")

    def test_a_failure_nobody_waits_for_is_swallowed(self) -> None:
        """No unhandled error is left behind (trial would report it)."""
        self.cache = Cache(self.clock, self.outage, finish=True)
        waiter = self.cache.fetch("key", self.asked)
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.asked.waiting[0].errback(DirectoryUnreachable("no"))
        self.assertIsNone(self.peek())


class Dropping(CacheCase):
    def test_reset_forgets_at_once(self) -> None:
        """F61."""
        self.store()
        self.cache.reset()
        self.assertIsNone(self.peek())

    def test_a_lookup_in_flight_during_a_reset_is_not_kept(self) -> None:
        """F61: it answers who asked before; who asks after the reset gets a lookup made after it."""
        before = self.cache.fetch("key", self.asked)
        self.cache.reset()
        after = self.cache.fetch("key", self.asked)
        self.asked.waiting[1].callback(Fetched("new", 600))
        self.asked.waiting[0].callback(Fetched("old", 600))
        self.assertEqual((self.successResultOf(before), self.successResultOf(after)), ("old", "new"))
        self.assertEqual(self.peek(), "new")

    def test_answers_of_one_tag_go_together(self) -> None:
        """And no others."""
        for key, tag in (("a", "anna"), ("b", "anna"), ("c", "bob"), ("d", "")):
            self.store(key=key, tag=tag)
        self.cache.drop_tagged("anna")
        self.cache.drop_tagged("nobody")
        self.assertEqual([key for key in "abcd" if self.peek(key)], ["c", "d"])

    def test_expired_answers_of_a_tag_stay_to_be_looked_at(self) -> None:
        """Their slots are there, their lives are over."""
        self.store(tag="anna")
        self.cache.expire_tagged("anna")
        self.assertIsNone(self.peek())
        self.assertEqual(self.cache.slot("key").value, "value")


class Away(CacheCase):
    def setUp(self) -> None:
        super().setUp()
        self.store()
        self.clock.advance(600)

    def test_served_at_once_while_the_source_is_known_to_be_away(self) -> None:
        """F21: no waiting for time-outs, up to `stale` seconds past the end."""
        self.source.away = "refused"
        self.assertEqual(self.peek(), "value")
        self.clock.advance(3599)
        self.assertEqual(self.peek(), "value")
        self.clock.advance(1)
        self.assertIsNone(self.peek())

    def test_served_when_the_lookup_fails(self) -> None:
        """F21: also where the source has not noticed yet."""
        failing = self.cache.fetch("key", lambda: fail(DirectoryUnreachable("timed out")))
        self.assertEqual(self.successResultOf(failing), "value")

    def test_not_served_when_the_lookup_has_a_bug(self) -> None:
        """Only DirectoryError means that the directory is away."""
        self.failureResultOf(self.cache.fetch("key", lambda: fail(ZeroDivisionError())), ZeroDivisionError)

    def test_not_served_once_the_source_is_back(self) -> None:
        """F21: the next request is answered afresh."""
        self.source.away = "refused"
        self.assertEqual(self.peek(), "value")
        self.source.away = ""
        self.assertIsNone(self.peek())

    def test_a_line_at_most_once_a_minute(self) -> None:
        """F21: the log says so, and does not drown in it."""
        self.source.away = "refused"
        with capturedLogs() as events:
            for _ in range(130):
                self.peek()
                self.clock.advance(1)
        lines = [event for event in events if "stale answers are served" in event["log_format"]]
        self.assertEqual(len(lines), 3)
        self.assertEqual(lines[0]["reason"], "refused")

    def test_somebody_keeps_asking(self) -> None:
        """Stale answers alone would never notice that the directory is back: a probe goes out every five seconds."""
        self.source.away = "refused"
        for _ in range(10):
            self.peek()
            self.clock.advance(1)
        self.assertEqual(self.probes, 2)


KEYS = some.sampled_from("abc")
STEPS = some.one_of(
    some.tuples(some.just("store"), KEYS, some.integers(0, 20)),
    some.tuples(some.just("advance"), some.integers(0, 12), some.none()),
    some.tuples(some.just("drop"), KEYS, some.none()),
    some.tuples(some.just("tag"), some.sampled_from(["vowel", "other"]), some.none()),
    some.tuples(some.just("away"), some.booleans(), some.none()),
    some.tuples(some.just("reset"), some.none(), some.none()),
)


class Model(SynchronousTestCase):
    @settings(deadline=None, max_examples=200)
    @given(some.lists(STEPS, max_size=30))
    def test_like_a_dictionary_with_times(self, steps: list) -> None:
        """F60, F21: whatever happens in whatever order, an answer is there exactly while it may be used."""
        clock, source = Clock(), FakeSource([])
        cache: Cache[str, int] = Cache(clock, Outage(source, clock, lambda: None))
        model: dict[str, tuple[int, float]] = {}
        for number, (step, what, life) in enumerate(steps):
            match step:
                case "store":
                    cache.drop(what)
                    tag = "vowel" if what == "a" else "other"
                    cache.fetch(what, lambda n=number, s=life, t=tag: succeed(Fetched(n, s, 5, t)))
                    model.pop(what, None)
                    if life:
                        model[what] = (number, clock.seconds() + life)
                case "advance":
                    clock.advance(what)
                case "drop":
                    cache.drop(what)
                    model.pop(what, None)
                case "tag":
                    cache.drop_tagged(what)
                    model = {key: kept for key, kept in model.items() if (key == "a") != (what == "vowel")}
                case "away":
                    source.away = "away" if what else ""
                case "reset":
                    cache.reset()
                    model.clear()
            slack = 5 if source.away else 0
            for key in "abc":
                number_kept, ends = model.get(key, (None, 0))
                usable = number_kept if clock.seconds() < ends + slack else None
                self.assertEqual(cache.peek(key, clock.seconds()), usable)
