"""Filter texts, against ldaptor's own parser where that one is right and against the wire where it is not."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as some
from ldaptor import ldapfilter
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory import filters

SAME = (
    "(objectClass=*)",
    "(uid=anna)",
    "(&(objectClass=person)(uid=anna))",
    "(|(uid=anna)(mail=anna@adatum.com)(cn=Anna Berg))",
    "(!(uid=anna))",
    "(&(!(a=1))(|(b=2)(c=3)))",
    "(cn=A*)",
    "(cn=*a)",
    "(cn=*a*b*)",
    "(cn=a*b*c)",
    "(age>=3)",
    "(age<=3)",
    "(cn~=anna)",
    "(cn=a\\2ab)",
    "(cn;lang-en=x)",
)
WRONG = (
    "",
    "uid=anna",
    "(uid=anna",
    "(uid=anna))",
    "()",
    "(&)",
    "(!(a=1)(b=2))",
    "(=x)",
    "(uid anna)",
    "((a=1))",
    "(a=1)(b=2)",
)


class Parsing(SynchronousTestCase):
    def test_ldaptor_agrees(self) -> None:
        """Two parsers make the same bytes out of the same text."""
        for text in SAME:
            self.assertEqual(filters.parse(text).toWire(), ldapfilter.parseFilter(text).toWire(), text)

    def test_a_long_one_may_be_laid_out(self) -> None:
        """White space between filters is not RFC 4515, and harmless."""
        self.assertEqual(
            filters.parse(" (& (a=1)\n (! (b=2) ) ) ").toWire(), filters.parse("(&(a=1)(!(b=2)))").toWire()
        )

    def test_escaped_bytes_stay_bytes(self) -> None:
        r"""`\c3\a9` is two bytes and `\e7` one, also where that is no UTF-8."""
        self.assertEqual(filters.parse("(cn=\\c3\\a9\\e7)").assertionValue.value, b"\xc3\xa9\xe7")

    def test_a_matching_rule_by_its_number(self) -> None:
        """Active Directory's bit tests are matching rules with object identifiers."""
        parsed = filters.parse("(!(userAccountControl:1.2.840.113556.1.4.803:=2))")
        self.assertIn(b"1.2.840.113556.1.4.803", parsed.toWire())
        self.assertIn(b"userAccountControl", parsed.toWire())

    def test_what_is_no_filter_says_where(self) -> None:
        """A mistake in the configuration is a ValueError with a place."""
        for text in WRONG:
            error = self.assertRaises(ValueError, filters.parse, text)
            self.assertRegex(str(error), "character [0-9]+")

    def test_a_deep_one_ends(self) -> None:
        """Nesting is bounded, and no recursion error comes out."""
        self.assertRaises(ValueError, filters.parse, "(!" * 5000 + "(a=1)" + ")" * 5000)

    @settings(deadline=None, max_examples=300)
    @given(some.text(alphabet="()&|!=*:<>~\\ab1é .;-"))
    def test_any_text_is_a_filter_or_a_value_error(self, text: str) -> None:
        """No other exception, whatever is written."""
        with contextlib.suppress(ValueError):
            filters.parse(text).toWire()


class Making(SynchronousTestCase):
    @settings(deadline=None, max_examples=200)
    @given(some.text())
    def test_values_are_never_syntax(self, value: str) -> None:
        """A value with parentheses, stars and NULs arrives as it is."""
        made = filters.equal("uid", value)
        self.assertEqual(made.assertionValue.value, value.encode("utf-8", "surrogatepass"))
        self.assertTrue(made.toWire().endswith(value.encode("utf-8", "surrogatepass")))

    def test_one_of_one_is_that_one(self) -> None:
        """No needless layer around a single filter."""
        one = filters.equal("uid", "anna")
        self.assertIs(filters.any_of([one]), one)
        self.assertIs(filters.all_of([one]), one)
