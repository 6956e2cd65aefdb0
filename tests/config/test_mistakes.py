"""How a mistake reads."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from exfront.config.mistakes import MOST_SHOWN, Mistake, did_you_mean, sensitive, shown


class MistakeTests(SynchronousTestCase):
    """One mistake as a line of text."""

    def test_whole(self) -> None:
        """C1: `FILE:LINE: [section] key: text`."""
        self.assertEqual(
            str(Mistake("fe.ini", 7, "front-end", "listen", "wrong")), "fe.ini:7: [front-end] listen: wrong"
        )

    def test_section_alone(self) -> None:
        """Where the section is the mistake there is no key."""
        self.assertEqual(str(Mistake("fe.ini", 7, "front-end", "", "wrong")), "fe.ini:7: [front-end]: wrong")

    def test_file_alone(self) -> None:
        """Where the file is the mistake there is neither line nor section."""
        self.assertEqual(str(Mistake("fe.ini", 0, "", "", "wrong")), "fe.ini: wrong")

    def test_key_without_section(self) -> None:
        """A key before the first section."""
        self.assertEqual(str(Mistake("fe.ini", 1, "", "listen", "wrong")), "fe.ini:1: listen: wrong")


class WordingTests(SynchronousTestCase):
    """The pieces that mistakes are made of."""

    def test_close(self) -> None:
        """C1: the closest name is proposed, as it is written, whatever the case of what was found."""
        self.assertEqual(did_you_mean("LISTN", ["admin", "Listen"]), ", did you mean 'Listen'?")

    def test_not_close(self) -> None:
        """Nothing is proposed for what is far from everything, be it as long as it may."""
        self.assertEqual(did_you_mean("x" * 100_000, ["listen"]), "")

    def test_shown(self) -> None:
        """What was found is repeated, a long text shortened."""
        self.assertEqual(shown("abc"), "'abc'")
        self.assertEqual(shown("x" * (MOST_SHOWN + 1)), f"'{'x' * MOST_SHOWN}…'")

    def test_sensitive(self) -> None:
        """Lines that look as if a credential stood in them are known; the bare word is no credential."""
        for line in ("bind_password hunter2", "PASSWD: x", "ldap://anna:hunter2@gc1", "my secret=x"):
            self.assertTrue(sensitive(line), line)
        for line in ("password", "/iisadmpwd", "tcp:80", "directory.secret", "anna@adatum.com"):
            self.assertFalse(sensitive(line), line)
