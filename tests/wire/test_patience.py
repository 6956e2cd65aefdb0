"""Time-outs for many connections with one timer, on a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.task import Clock
from twisted.trial import unittest

from exfront.wire.patience import FOREVER, Patience

if TYPE_CHECKING:
    from collections.abc import Callable


class Waiter:
    """Something with a deadline; remembers when it was told."""

    def __init__(self, deadline: float, then: Callable[[], None] = lambda: None) -> None:
        self.deadline = deadline
        self.told: list[float] = []
        self._then = then

    def out_of_patience(self, now: float) -> None:
        self.told.append(now)
        self.deadline = FOREVER
        self._then()


class PatienceTests(unittest.TestCase):
    """Who is told, and when."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock)
        self.patience.start()
        self.patience.start()
        self.addCleanup(self.patience.stop)

    def test_never_early_at_most_a_second_late(self) -> None:
        """A deadline is noticed within a second after it."""
        waiters = [Waiter(at / 10) for at in range(1, 100)]
        for one in waiters:
            self.patience.watch(one)
        deadlines = [one.deadline for one in waiters]
        self.clock.pump([0.25] * 60)
        for one, deadline in zip(waiters, deadlines, strict=True):
            (told,) = one.told
            self.assertTrue(deadline <= told <= deadline + 1, (deadline, told))

    def test_forever(self) -> None:
        """Without a deadline nobody is told, nor is one that is forgotten."""
        one, two = Waiter(FOREVER), Waiter(1)
        self.patience.watch(one)
        self.patience.watch(two)
        self.assertEqual(len(self.patience), 2)
        self.patience.forget(two)
        self.patience.forget(two)
        self.clock.pump([1] * 1000)
        self.assertEqual((one.told, two.told, len(self.patience)), ([], [], 1))

    def test_given_more_time_meanwhile(self) -> None:
        """One whose time another's end has prolonged is not told."""
        late = Waiter(1)
        other = Waiter(1)

        def prolong_both() -> None:
            late.deadline = other.deadline = 100

        late._then = other._then = prolong_both
        self.patience.watch(late)
        self.patience.watch(other)
        self.clock.advance(2)
        self.assertEqual(len(late.told) + len(other.told), 1)

    def test_changes_while_looking(self) -> None:
        """Who is told may watch and forget others."""
        new = Waiter(1)
        for _ in range(3):
            self.patience.watch(
                Waiter(1, lambda: (self.patience.watch(new), self.patience.forget(new), self.patience.watch(new)))
            )
        self.clock.pump([1, 1])
        self.assertEqual(len(new.told), 1)

    def test_defect_of_one(self) -> None:
        """A defect is logged, and the others are told all the same, now and later."""

        def fail() -> None:
            raise ZeroDivisionError

        waiters = [Waiter(1, fail), Waiter(1), Waiter(1, fail), Waiter(5)]
        for one in waiters:
            self.patience.watch(one)
        self.clock.pump([1] * 6)
        self.assertEqual([len(one.told) for one in waiters], [1, 1, 1, 1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_stop(self) -> None:
        """Nobody is told after the end, and nothing waits on the clock."""
        one = Waiter(1)
        self.patience.watch(one)
        self.patience.stop()
        self.patience.stop()
        self.clock.advance(5)
        self.assertEqual((one.told, self.clock.getDelayedCalls()), ([], []))
