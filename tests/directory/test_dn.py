"""Names of entries as cache keys."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.dn import first_value, is_below, normal_dn, parent


class NormalDn(SynchronousTestCase):
    def test_case_and_spaces_do_not_matter(self) -> None:
        """What a directory may spell in several ways is one key."""
        self.assertEqual(normal_dn("CN=Mailbox1, OU=Stores ,dc = Adatum"), "cn=mailbox1,ou=stores,dc=adatum")

    def test_an_escaped_comma_does_not_part(self) -> None:
        """A comma behind a backslash belongs to the value (RFC 4514)."""
        self.assertEqual(parent(normal_dn("cn=Berg\\, Anna,dc=adatum")), "dc=adatum")
        self.assertEqual(first_value("cn=Berg\\, Anna,dc=adatum"), "Berg, Anna")

    def test_a_backslash_behind_a_backslash_escapes_nothing_else(self) -> None:
        r"""In `a\\,b` the comma parts: the backslash before it is a character."""
        self.assertEqual(parent("cn=a\\\\,dc=b"), "dc=b")

    def test_an_escaped_space_stays(self) -> None:
        """White space at the end goes, but not what a backslash escapes (RFC 4514 2.4)."""
        self.assertEqual(normal_dn("cn=Anna\\  ,dc=b"), "cn=anna\\ ,dc=b")
        self.assertEqual(normal_dn("cn=a\\\\ ,dc=b"), "cn=a\\\\,dc=b")

    @settings(deadline=None, max_examples=1000)
    @given(some.text() | some.text("\\ =,a"))
    def test_any_text_is_accepted_and_normal_names_stay(self, text: str) -> None:
        """Normalising is total and needed once only."""
        once = normal_dn(text)
        self.assertEqual(normal_dn(once), once)
        self.assertIsInstance(first_value(text), str)


class Below(SynchronousTestCase):
    def test_only_whole_names_count(self) -> None:
        """`dc=xadatum` is not below `dc=adatum`."""
        self.assertTrue(is_below("cn=a,dc=adatum", "dc=adatum"))
        self.assertTrue(is_below("dc=adatum", "dc=adatum"))
        self.assertTrue(is_below("dc=adatum", ""))
        self.assertFalse(is_below("cn=a,dc=xadatum", "dc=adatum"))
