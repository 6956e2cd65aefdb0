"""The status page's markup."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.admin.page import POLICY, status_page
from tests.admin.test_status import Cells


def seen(**more: Any) -> dict[str, Any]:
    """An overview in which nothing has happened yet."""
    nothing: dict[str, Any] = {
        "version": "1",
        "state": "ready",
        "started": "2026-01-01T00:00:00+00:00",
        "uptime": 0.0,
        "reloads": 0,
        "last_reload_refused": False,
        "ports": [],
        "connections": {"open": 0, "most": 1},
        "access_log": {"lost_lines": 0},
        "directory": None,
        "caches": {},
        "virtual_servers": [],
        "virtual_directories": [],
        "requests": {},
        "back_ends": [],
    }
    return nothing | more


class PageTests(SynchronousTestCase):
    def test_policy_lets_the_style_in(self) -> None:
        """The policy names the digest of the style that is there."""
        style = re.search(rb"<style>(.*?)</style>", status_page(seen()), re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
        self.assertIn(f"style-src 'sha256-{digest}'", POLICY)

    def test_nothing_yet(self) -> None:
        """Without anything to show there are no empty tables."""
        page = status_page(seen())
        self.assertEqual(list(Cells(page).tables), ["general"])
        self.assertNotIn(b"class=bad", page)

    def test_times_and_sizes(self) -> None:
        """The two largest units; decimal prefixes."""
        for uptime, words in ((0, "0 s"), (61, "1 min 1 s"), (3600, "1 h"), (90061.9, "1 d 1 h"), (86400, "1 d")):
            rows = Cells(status_page(seen(uptime=uptime))).tables["general"]
            self.assertIn(["Running", f"{words}, since 2026-01-01 00:00:00 UTC"], rows)
        for size, words in (
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (15_500_000, "15.5 MB"),
            (10**19, "10000.0 PB"),
        ):
            one = {"total": 1, "by_status": {200: 1}, "sent": size, "received": 0, "mean_seconds": 0.00125}
            row = Cells(status_page(seen(requests={"": one}))).tables["requests"][1]
            self.assertEqual(row, ["(none)", "1", "200: 1", words, "0 B", "1.2 ms"])

    def test_trouble_is_marked(self) -> None:
        """What needs somebody's attention is not shown by colour alone."""
        mark = {"reason": "refused", "for": 5.0, "remaining": 595.0}
        page = status_page(
            seen(
                state="directory-away",
                directory={"state": "away", "reason": "gc1: refused"},
                last_reload_refused=True,
                access_log={"lost_lines": 3},
                back_ends=[
                    {"name": "one", "unavailable": mark, "idle": 0, "drain": False},
                    {"name": "two", "unavailable": None, "idle": 2, "drain": True},
                ],
            )
        )
        self.assertEqual(page.count(b"class=bad") + page.count(b'class="bad"'), 5)
        rows = Cells(page).tables["back-ends"]
        self.assertEqual(rows[1][1], "unavailable for 5 s: refused; may be tried again in 9 min 55 s")
        self.assertEqual(rows[2], ["two", "draining", "2"])

    @settings(deadline=None, max_examples=50)
    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
    def test_names_are_no_markup(self, name: str) -> None:
        """Names from the configuration or the directory stay text."""
        page = status_page(
            seen(
                back_ends=[{"name": name, "unavailable": None, "idle": 0, "drain": False}],
                directory={"state": "away", "reason": name},
            )
        )
        tables = Cells(page).tables
        self.assertEqual(tables["back-ends"][1][0], name)
        self.assertIn(["Directory", f"away: {name}"], tables["general"])
