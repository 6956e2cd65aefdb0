"""A judge's sitting (tests.judges) as a test: skipped with its reason where it cannot be held, failed with every complaint."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.judges.cache import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.judges.finding import Finding, Sitting


class SittingTestCase(SynchronousTestCase):
    """Blocks the reactor while a sitting is held: nothing in this process takes part in one."""

    def hold(self, sittings: Iterable[Sitting], judge: str, way: str) -> Finding:
        """Holds the one sitting of that judge and way; what it found, for further assertions."""
        (sitting,) = (one for one in sittings if (one.judge, one.way) == (judge, way))
        if reason := sitting.missing():
            raise SkipTest(reason)
        try:
            finding = sitting.hold()
        except Unavailable as why:
            raise SkipTest(str(why)) from None
        wrong = "\n".join(sitting.complaints(finding))
        self.assertEqual(wrong, "", f"{judge}, {way}: {finding}\n{wrong}")
        return finding
