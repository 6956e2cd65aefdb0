"""The pages in docs/ and the README: they lead somewhere, and leave out nothing that an administrator meets."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from exfront.model import LogonCause

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
REASON = re.compile(
    r"\b(?:Refuse|AskLogon|_?refuse|_ask_logon|_leave|_record|error_answer)\([^\n]*?\"([a-z]+(?:-[a-z]+)+|trace|defect)\""
)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


class DocsTests(SynchronousTestCase):
    def test_links(self) -> None:
        """Every link to a file of ours leads to one, and to a heading that is there."""
        for page in PAGES:
            for first, second in LINK.findall(page.read_text("utf-8")):
                file, _, anchor = (first or second).partition("#")
                if "://" in file:
                    continue
                target = (page.parent / file) if file else page
                self.assertTrue(target.exists(), f"{page.name}: {file}")
                if anchor:
                    self.assertIn(anchor, anchors(target), page.name)

    def test_reasons(self) -> None:
        """Each reason that can stand in the access log is explained."""
        code = [*(ROOT / "exfront" / "frontend").glob("*.py"), ROOT / "exfront" / "policy" / "route.py"]
        reasons = {found for one in code for found in REASON.findall(one.read_text("utf-8"))}
        self.assertLessEqual({"no-mailbox", "client-gone", "no-credentials", "broken-off", "directory-away"}, reasons)
        reasons |= {f"logon-{cause.name.lower().replace('_', '-')}" for cause in LogonCause}
        explained = (ROOT / "docs" / "operations.md").read_text("utf-8")
        self.assertEqual({one for one in reasons if f"`{one}`" not in explained}, set())

    def test_metrics(self) -> None:
        """Each metric of exfront's own is explained."""
        code = (ROOT / "exfront" / "admin" / "metrics.py").read_text("utf-8")
        explained = (ROOT / "docs" / "operations.md").read_text("utf-8")
        names = set(re.findall(r"\"(exfront_\w+)\"", code))
        self.assertEqual({one for one in names if f"`{one}" not in explained}, set())
