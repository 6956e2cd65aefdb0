"""The board of marks."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from exfront.backend.health import HealthBoard, Mark
from exfront.model import Server
from exfront.policy.failover import choose

A, B = Server("a", "127.0.0.1"), Server("b", "127.0.0.1")


class Board(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.clock = Clock()
        self.board = HealthBoard(self.clock, 600, Logger(observer=self.events.append))

    def test_a_mark_lasts_600_seconds(self) -> None:
        """F62: and then goes by itself."""
        self.board.mark(A, "refused")
        self.clock.advance(599.9)
        self.assertEqual(self.board.marks, {A: 0})
        self.clock.advance(0.1)
        self.assertEqual(self.board.marks, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_every_mark_has_its_own_end(self) -> None:
        """F62: a later mark ends later."""
        self.board.mark(A, "refused")
        self.clock.advance(100)
        self.board.mark(B, "reset")
        self.clock.advance(500)
        self.assertEqual(list(self.board.marks), [B])
        self.clock.advance(100)
        self.assertEqual(self.board.marks, {})

    def test_marked_again_begins_anew(self) -> None:
        """F65: so that of several dead servers another one is the oldest next time; the log is not told twice."""
        self.board.mark(A, "refused")
        self.clock.advance(10)
        self.board.mark(B, "refused")
        self.assertIs(choose((A, B), (), self.board.marks, self.clock.seconds(), 600), A)
        self.clock.advance(10)
        self.board.mark(A, "refused again")
        self.assertIs(choose((A, B), (), self.board.marks, self.clock.seconds(), 600), B)
        self.assertEqual(len(self.events), 2)
        self.clock.advance(591)
        self.assertEqual(list(self.board.marks), [A])
        self.assertEqual(self.board.snapshot(), (Mark("a", "refused again", 591.0),))
        self.clock.advance(9)
        self.assertEqual(self.board.marks, {})

    def test_success_ends_a_mark(self) -> None:
        """F65: a server is back the moment it answers; one that was never marked makes no noise."""
        self.board.mark(A, "refused")
        self.board.succeeded(A)
        self.board.succeeded(B)
        self.assertEqual(self.board.marks, {})
        self.assertEqual(
            [one["log_format"] for one in self.events], ["{server} is unavailable: {reason}", "{server} answers again"]
        )
        self.clock.advance(600)
        self.board.mark(B, "x")
        self.clock.advance(600)
        self.assertEqual(self.board.marks, {})

    def test_reset_forgets_all(self) -> None:
        """F61: marks and timer."""
        self.board.mark(A, "refused")
        self.board.reset()
        self.board.reset()
        self.assertEqual((self.board.marks, self.board.snapshot(), self.clock.getDelayedCalls()), ({}, (), []))

    def test_a_snapshot_shows_what_counts(self) -> None:
        """F62: for the status page, the oldest first."""
        self.board.mark(B, "reset")
        self.clock.advance(5)
        self.board.mark(A, "refused")
        self.assertEqual(self.board.snapshot(), (Mark("b", "reset", 5.0), Mark("a", "refused", 0.0)))

    def test_unavailable_zero_marks_nothing(self) -> None:
        """F62: `unavailable = 0` switches marks off."""
        board = HealthBoard(self.clock, 0, Logger(observer=self.events.append))
        board.mark(A, "refused")
        self.assertEqual((board.marks, self.clock.getDelayedCalls()), ({}, []))

    def test_another_duration(self) -> None:
        """A changed `unavailable` counts for the marks that stand; none is left where it is 0."""
        self.board.mark(A, "refused")
        self.clock.advance(100)
        self.board.mark(B, "reset")
        self.board.configure(150)
        self.clock.advance(49)
        self.assertEqual(set(self.board.marks), {A, B})
        self.clock.advance(1)
        self.assertEqual(set(self.board.marks), {B})
        self.board.configure(0)
        self.assertEqual((self.board.marks, self.board.snapshot(), self.clock.getDelayedCalls()), ({}, (), []))
        self.board.configure(600)
        self.board.mark(A, "refused")
        self.clock.advance(599)
        self.assertEqual(len(self.board.snapshot()), 1)

    def test_forgotten(self) -> None:
        """A server that is reached in another way now is not marked any more; unknown ones do not matter."""
        self.board.mark(A, "refused")
        self.board.mark(B, "reset")
        self.board.forget([A, Server("c", "127.0.0.1")])
        self.assertEqual([mark.server for mark in self.board.snapshot()], ["b"])
