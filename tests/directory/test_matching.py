"""Entries in memory: filters, scopes, limits, and an index that answers like a scan."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory import filters
from exfront.directory.interface import Query, Scope
from exfront.directory.make import make_schema
from exfront.directory.matching import Store, comparable, matches
from exfront.errors import DirectoryError, SizeLimitExceeded
from exfront.model import AccountName, NameKind
from tests.fakes.directory import ORGANISATION, ROOT, FakeSource, entry, organisation, person
from tests.fakes.directory import settings as organisation_settings

NAMES = some.sampled_from(["cn", "uid", "mail"])
VALUES = some.sampled_from(["a", "A", "b", "ab", "abc", "b c", ""])
FILTERS = some.recursive(
    some.one_of(
        some.builds(filters.equal, NAMES, VALUES),
        some.builds(filters.present, NAMES),
        some.builds(lambda name, value: filters.parse(f"({name}=*{value}*)"), NAMES, VALUES),
    ),
    lambda inner: some.one_of(
        some.builds(filters.all_of, some.lists(inner, min_size=1, max_size=3)),
        some.builds(filters.any_of, some.lists(inner, min_size=1, max_size=3)),
        some.builds(lambda one: filters.parse("(!(cn=a))").__class__(one), inner),
    ),
    max_leaves=6,
)
ENTRIES = some.lists(some.dictionaries(NAMES, some.lists(VALUES, min_size=1, max_size=2), max_size=3), max_size=6)


def store(*entries: object) -> Store:
    return FakeSource(list(entries))._store


def found(text: str, *entries: object, base: str = "", scope: Scope = Scope.SUBTREE, limit: int = 0) -> list[str]:
    query = Query(base, scope, filters.parse(text), (), limit)
    return [one.dn for one in store(*entries).search(query)]


class Filters(SynchronousTestCase):
    def test_values_without_regard_to_case_and_spaces(self) -> None:
        """As caseIgnoreMatch does."""
        one = entry("cn=x", CN="Anna  Berg ")
        for text in (
            "(cn=anna berg)",
            "(CN=ANNA BERG)",
            "(cn= anna   berg)",
            "(cn=*)",
            "(cn=anna*)",
            "(cn=*na*be*)",
            "(cn=*berg)",
        ):
            self.assertEqual(found(text, one), ["cn=x"], text)
        for text in ("(cn=anna)", "(cn=berg*)", "(cn=*anna)", "(cn=*berg*anna*)", "(uid=anna)", "(!(cn=*))", "(sn=*)"):
            self.assertEqual(found(text, one), [], text)

    def test_names_of_entries_are_compared_as_names(self) -> None:
        """Spaces behind commas do not matter in a DN's value."""
        self.assertEqual(found("(homeMDB=CN=A,DC=B)", entry("cn=x", homeMDB="cn=a, dc=b")), ["cn=x"])

    def test_bytes_that_are_no_text(self) -> None:
        """A SID is found by its bytes."""
        self.assertEqual(found("(objectSid=\\01\\ff)", entry("cn=x", objectSid=b"\x01\xff")), ["cn=x"])

    def test_substrings_do_not_overlap(self) -> None:
        """`ab*b` needs two letters b."""
        self.assertEqual(found("(cn=ab*b)", entry("cn=x", cn="ab")), [])
        self.assertEqual(found("(cn=*ab*ab*)", entry("cn=x", cn="aab")), [])

    def test_what_is_not_evaluated_says_so(self) -> None:
        """Rather than to give a wrong answer."""
        self.assertRaises(DirectoryError, found, "(age>=3)", entry("cn=x", age="4"))

    @settings(deadline=None, max_examples=300)
    @given(ENTRIES, FILTERS)
    def test_the_index_answers_like_a_scan(self, entries: list, condition: object) -> None:
        """Whatever the filter, the index leaves nothing out and puts nothing in."""
        made = [entry(f"cn={number}", **attributes) for number, attributes in enumerate(entries)]
        kept = store(*made)
        scanned = [
            one.dn
            for one in made
            if matches(
                condition, {name: frozenset(map(comparable, several)) for name, several in one.attributes.items()}
            )
        ]
        answers = kept.search(Query("", Scope.SUBTREE, condition, ()))
        self.assertEqual(sorted(one.dn for one in answers), sorted(scanned))


class Searches(SynchronousTestCase):
    def test_scopes(self) -> None:
        """RFC 4511 4.5.1.2; a base that is not there gives nothing."""
        entries = [entry("dc=x"), entry("ou=a,dc=x"), entry("cn=1,ou=a,dc=x"), entry("dc=xx")]
        for item in entries:
            item.attributes["objectclass"] = (b"top",)
        self.assertEqual(found("(objectClass=*)", *entries, base="DC=X", scope=Scope.BASE), ["dc=x"])
        self.assertEqual(found("(objectClass=*)", *entries, base="dc=x", scope=Scope.ONE), ["ou=a,dc=x"])
        self.assertEqual(len(found("(objectClass=*)", *entries, base="dc=x")), 3)
        self.assertEqual(len(found("(objectClass=top)", *entries)), 4)
        self.assertEqual(found("(objectClass=*)", *entries, base="dc=y", scope=Scope.BASE), [])
        self.assertEqual(found("(objectClass=*)", *entries, base="dc=y"), [])

    def test_the_size_limit(self) -> None:
        """As many as allowed are answered, one more is an error."""
        people = [entry(f"uid={number}", cn="same") for number in range(3)]
        self.assertEqual(len(found("(cn=same)", *people, limit=3)), 3)
        self.assertRaises(SizeLimitExceeded, found, "(cn=same)", *people, limit=2)

    def test_attributes(self) -> None:
        """Those that were asked for, in any case; all for none; none for 1.1; hidden ones never, nor are they searched."""
        one = entry("cn=x", cn="x", sn="y", userPassword="secret")
        kept = Store({"cn=x": one}, frozenset({"userpassword"}))

        def names(*wanted: str) -> list[str]:
            return sorted(kept.search(Query("", Scope.SUBTREE, filters.equal("cn", "x"), wanted))[0].attributes)

        self.assertEqual(names("CN"), ["cn"])
        self.assertEqual(names(), ["cn", "sn"])
        self.assertEqual(names("*", "userPassword"), ["cn", "sn"])
        self.assertEqual(names("1.1"), [])
        self.assertEqual(kept.search(Query("", Scope.SUBTREE, filters.equal("userPassword", "secret"), ())), [])
        self.assertEqual(kept.named("cn=x").attributes["userpassword"], (b"secret",))

    def test_searches_for_accounts_use_the_index(self) -> None:
        """However many entries there are, a name is found without a look at each of them."""
        schema = make_schema(organisation_settings())
        people = [person(f"user{number}", None) for number in range(500)]
        kept = store(*people)
        for kind, value in (
            (NameKind.ADDRESS, "user7@adatum.com"),
            (NameKind.PRINCIPAL, "user7@adatum.com"),
            (NameKind.ACCOUNT, "user7"),
            (NameKind.ACCOUNT, "nobody"),
        ):
            candidates = kept._indexed(schema.account_query(AccountName(kind, value)).filter)
            self.assertEqual(len(candidates), 0 if value == "nobody" else 1)

    def test_a_sample(self) -> None:
        """The organisation of the other tests."""
        self.assertEqual(len(found("(objectClass=msExchPublicMDB)", *organisation(), base=ROOT)), 4)
        self.assertEqual(len(found(f"(msExchOwningPFTree=CN=Apps, {ORGANISATION})", *organisation(), base=ROOT)), 2)
