"""DAV suites and clients through exfront; `python -m tests.judges` holds all their sittings."""

from __future__ import annotations

from tests.judges import caldav, litmus, sessions
from tests.real.sitting import SittingTestCase


class LitmusTests(SittingTestCase):
    """The WebDAV suite against mod_dav."""

    def test_direct(self) -> None:
        """mod_dav passes without exfront, so that what fails with it is exfront's."""
        self.hold(litmus.SITTINGS, "litmus", "direct")

    def test_through(self) -> None:
        """All 104 tests pass through exfront (F2, F5)."""
        self.hold(litmus.SITTINGS, "litmus", "through exfront")

    def test_to_a_mailbox(self) -> None:
        """They pass when exfront asks for the password and the directory names the back-end (F10, F14, F25)."""
        self.hold(litmus.SITTINGS, "litmus", "to a mailbox through exfront")

    def test_behind_a_tls_proxy(self) -> None:
        """COPY and MOVE work when TLS ends before exfront and the back-end checks the scheme (F6)."""
        self.hold(litmus.SITTINGS, "litmus", "https by a proxy, through exfront")

    def test_own_tls(self) -> None:
        """They work when TLS ends at exfront (F6)."""
        self.hold(litmus.SITTINGS, "litmus", "https by exfront")


class CaldavTests(SittingTestCase):
    """The caldav library's tests against Radicale."""

    def test_through(self) -> None:
        """118 pass and 14 are skipped, as without exfront (F2, F5)."""
        self.hold(caldav.SITTINGS, "caldav", "through exfront")


class SessionTests(SittingTestCase):
    """Scripted sessions of DAV clients with odd names: every word and every file as without exfront (F2, F5, F7)."""

    def test_curl(self) -> None:
        """Every method of WebDAV, large bodies, locks."""
        self.hold(sessions.SITTINGS, "curl", "direct and through exfront")

    def test_cadaver(self) -> None:
        """Folders, properties, locks."""
        self.hold(sessions.SITTINGS, "cadaver", "direct and through exfront")

    def test_rclone_by_https(self) -> None:
        """A tree there and back, and `moveto` under TLS (F6)."""
        self.hold(sessions.SITTINGS, "rclone", "https by a proxy, through exfront")
