"""WebSocket through a real exfront, as the Autobahn test suite judges it."""

from __future__ import annotations

from tests.judges import autobahn
from tests.real.sitting import SittingTestCase


class AutobahnTests(SittingTestCase):
    """Cases 1 to 7 and 10 against an echo server."""

    def test_same_as_direct(self) -> None:
        """Each of the 247 cases ends as it does without exfront."""
        self.hold(autobahn.SITTINGS, "autobahn", "direct and through exfront")
