"""The bench's figures in words, and how ratios are made of them. No figure of a measurement is judged here."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from bench import load, report, rounds
from bench.processes import Failed
from bench.scenarios import SCENARIOS


class RatioTests(TestCase):
    """Ratios are made of figures of the same round."""

    def table(self) -> rounds.Table:
        """Three rounds, the second of them on a machine half as fast."""
        costs = {"exfront": [30, 60, 33], "nginx auth_request": [30, 60, 30], "Apache mod_authnz_ldap": [60, 120, 120]}
        return rounds._table(SCENARIOS[0], costs, front_end=True)

    def test_pairs(self) -> None:
        """A slow round does not bend the ratio, and the spread is that of the ratios."""
        nginx = self.table().rows[1]
        self.assertEqual(nginx.ratio, rounds.Spread(1.0, 1.0, 1.1))
        self.assertEqual(nginx.cost, rounds.Spread(30, 30, 60))

    def test_verdicts(self) -> None:
        """A goal that is missed is called so; the front-end's own line has neither ratio nor verdict."""
        rows = self.table().sheet("how").rows
        self.assertEqual([row[-1] for row in rows], ["", "PASS", "MISSED"])
        self.assertEqual(rows[0][3:], ["", "", "", ""])

    def test_without_front_end(self) -> None:
        """The others alone are not compared with anything."""
        table = rounds._table(SCENARIOS[0], {"nginx auth_request": [30.0]}, front_end=False)
        self.assertEqual(table.sheet("").rows, [["nginx auth_request", "30.0", "30.0–30.0", "", "", "", ""]])


class PageTests(TestCase):
    """docs/bench.md is made of sheets that are renewed one by one."""

    def test_renew(self) -> None:
        """A new sheet takes the place of the old one of its name; the rest stays, in the page's order."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            idle = report.limits("idle", "Idle", "how", [("9 connections", 2.0, 6.0, "kB")])
            memory = report.limits("memory", "Bodies", "how", [("up", 50.0, 40.0, "MB"), ("seen", 1.0, None, "MB")])
            report.renew(folder, [idle], "one machine")
            report.renew(folder, [memory], "another machine")
            report.renew(
                folder, [report.limits("idle", "Idle", "how", [("9 connections", 7.0, 6.0, "kB")])], "one machine"
            )
            page = (folder / "bench.md").read_text()
        self.assertIn("| up | 50.0 MB | ≤ 40 MB | MISSED |", page)
        self.assertIn("| 9 connections | 7.0 kB | ≤ 6 kB | MISSED |", page)
        self.assertNotIn("2.0 kB", page)
        self.assertLess(page.index("another machine"), page.index("one machine"))

    def test_text(self) -> None:
        """On a terminal the columns stand beneath each other."""
        sheet = report.Sheet("n", "t", ["a", "b"], [["long word", "1"], ["x", "2"]])
        self.assertEqual(report.text(sheet).splitlines()[1:], ["  a          b", "  long word  1", "  x          2"])


class CountTests(TestCase):
    """What wrk says."""

    def test_counted(self) -> None:
        """The number of requests answered."""
        self.assertEqual(load._counted("  1234 requests in 1.00s, 1.9MB read\nRequests/sec: 1234.0", "url"), 1234)

    def test_trouble(self) -> None:
        """Errors and refusals make the measurement fail, so that nobody is quick by refusing."""
        for trouble in ("Non-2xx or 3xx responses: 5", "Socket errors: connect 0, read 1, write 0, timeout 0"):
            self.assertRaises(Failed, load._counted, f"1234 requests in 1.00s\n{trouble}\n", "url")
        stalled = "9 requests in 1.00s\nSocket errors: connect 0, read 0, write 0, timeout 64"
        self.assertRaises(load.Stalled, load._counted, stalled, "url")
        self.assertRaises(Failed, load._counted, "unable to connect", "url")
