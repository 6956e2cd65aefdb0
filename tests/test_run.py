"""The closing line of a test run."""

from __future__ import annotations

from twisted.trial import unittest

from tests.run import closing_line


class ClosingLineTests(unittest.SynchronousTestCase):
    """Trial's words, counted."""

    def test_passed(self) -> None:
        """All counts of a good run; what was expected to fail counts as left out."""
        lines = ["Ran 7 tests in 0.1s", "", "PASSED (skips=2, expectedFailures=1, successes=4)"]
        self.assertEqual(closing_line(lines), "4 passed, 0 failed, 3 skipped")

    def test_failed(self) -> None:
        """Failures, errors and successes nobody expected are all failed."""
        lines = ["FAILED (failures=1, errors=2, unexpectedSuccesses=1, successes=5)", ""]
        self.assertEqual(closing_line(lines), "5 passed, 4 failed, 0 skipped")

    def test_nothing_ran(self) -> None:
        """A run of nothing has no counts."""
        self.assertEqual(closing_line(["PASSED"]), "0 passed, 0 failed, 0 skipped")

    def test_broken_off(self) -> None:
        """A run that died before its summary is a failure, whatever it printed."""
        self.assertEqual(closing_line(["Segmentation fault"]), "0 passed, 1 failed, 0 skipped")
