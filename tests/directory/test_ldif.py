"""The embedded directory: reading, searching, binding, and files that turn bad."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

import exfront
from exfront.config.roster import Roster
from exfront.config.settings import DirectoryUrl, Scheme
from exfront.directory import filters
from exfront.directory.interface import Query, Scope
from exfront.directory.ldif import LdifSource, read
from exfront.directory.logons import Logons
from exfront.directory.make import make_schema, make_source
from exfront.directory.service import Directory
from exfront.errors import DirectoryError
from exfront.model import AccountName, LoggedOn, LogonCause, NameKind, NoAccount
from tests.fakes.directory import basic, settings

DEMO = Path(exfront.__file__).parent.parent / "etc" / "demo.ldif"
SMALL = b"""version: 1

# a comment
dn: dc=x
objectClass: organization

dn: uid=anna, dc=x
objectClass: person
objectclass: top
cn:: w4RubmE=
description: a long
  line
userPassword: secret
userPassword: {SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
"""


class LdifCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.clock = Clock()

    def source(self, text: bytes = SMALL) -> LdifSource:
        self.path.write_bytes(text)
        return LdifSource(self.path, self.clock)

    def mistake(self, text: bytes) -> str:
        return str(self.assertRaises(DirectoryError, self.source, text))

    def search(self, source: LdifSource, base: str = "uid=anna,dc=x") -> list:
        query = Query(base, Scope.BASE, filters.present("objectClass"), ())
        return self.successResultOf(source.search(query))

    def cause(self, source: LdifSource, dn: str, password: str) -> LogonCause | None:
        return self.successResultOf(source.bind(dn, password)).cause


class Reading(LdifCase):
    def test_entries(self) -> None:
        """RFC 2849: base64, folded lines, comments, repeated attributes in any case; passwords are not shown."""
        (anna,) = self.search(self.source())
        self.assertEqual(anna.dn, "uid=anna, dc=x")
        self.assertEqual(
            anna.attributes,
            {"objectclass": (b"person", b"top"), "cn": ("Änna".encode(),), "description": (b"a long line",)},
        )

    def test_line_endings_and_a_byte_order_mark(self) -> None:
        """Files from other systems are read as well, and so is one without a newline at its end."""
        for text in (SMALL.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + SMALL, SMALL.rstrip(b"\n"), b"\n\n" + SMALL[12:]):
            self.assertEqual(len(self.search(self.source(text))), 1)

    def test_an_empty_file(self) -> None:
        """A directory with nobody in it."""
        self.assertEqual(self.search(self.source(b"")), [])
        self.assertEqual(self.search(self.source(b"# nobody\n")), [])

    def test_mistakes_name_file_line_and_entry(self) -> None:
        """So that an administrator finds the place; the line itself, which may hold a password, is not shown."""
        for text, line in (
            (b"dn: dc=x\nobjectClass: a\nuserPassword hunter2\n", 3),
            (b"objectClass: hunter2\n", 1),
            (b"dn: dc=x\nuserPassword:: %hunter2\n\n", 2),
            (b"dn: dc=x\njpegPhoto:< file:///hunter2\n", 2),
            (b"dn: dc=x\na: b\n\ndn: DC=X\na: b\n", 5),
            (b"dn: dc=x\nchangetype: delete\n", 2),
            (b" hunter2\n", 1),
            (b"version: hunter2\n", 1),
            (b"version: 7\n", 1),
            (b"dn: dc=\xff\na: b\n", 2),
        ):
            said = self.mistake(text)
            self.assertTrue(said.startswith(f"{self.path}:{line}"), (said, line))
            self.assertNotIn("hunter2", said)

    def test_no_such_file(self) -> None:
        """The system's own words."""
        self.assertIn("No such file", str(self.assertRaises(DirectoryError, LdifSource, self.path, self.clock)))


class Changing(LdifCase):
    def test_a_changed_file_is_read_again(self) -> None:
        """No restart is needed."""
        source = self.source()
        self.path.write_bytes(SMALL + b"\ndn: uid=bob,dc=x\nobjectClass: person\n")
        self.assertEqual(len(self.search(source, "uid=bob,dc=x")), 1)

    def test_a_file_that_turns_bad(self) -> None:
        """What was read before stays in use, and the log says once why."""
        source = self.source()
        with capturedLogs() as events:
            self.path.write_bytes(b"nonsense\n")
            for _ in range(3):
                self.assertEqual(len(self.search(source)), 1)
            os.unlink(self.path)
            self.assertEqual(len(self.search(source)), 1)
        self.assertEqual(len(events), 2)
        self.assertIn(f"{self.path}:1", events[0]["reason"])
        self.assertRaises(DirectoryError, source.reload)


class Binding(LdifCase):
    def test_passwords(self) -> None:
        """Any of the values opens; wrong ones and unknown names are the same."""
        source = self.source()
        self.assertIsNone(self.cause(source, "UID=anna,dc=x", "secret"))
        self.assertIs(self.cause(source, "uid=anna,dc=x", "wrong"), LogonCause.WRONG)
        self.assertIs(self.cause(source, "uid=anna,dc=x", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="), LogonCause.WRONG)
        self.assertIs(self.cause(source, "uid=eve,dc=x", "secret"), LogonCause.WRONG)
        self.assertIs(self.cause(source, "dc=x", "secret"), LogonCause.WRONG)
        self.assertIsNone(self.cause(source, "uid=anna,dc=x", "secret "[:6]))

    def test_password_policy(self) -> None:
        """F27: locked and must-change show with the right password only."""
        text = SMALL + b"pwdAccountLockedTime: 000001010000Z\n"
        self.assertIs(self.cause(self.source(text), "uid=anna,dc=x", "secret"), LogonCause.LOCKED)
        self.assertIs(self.cause(self.source(text), "uid=anna,dc=x", "wrong"), LogonCause.WRONG)
        self.assertIs(
            self.cause(self.source(SMALL + b"pwdReset: TRUE\n"), "uid=anna,dc=x", "secret"), LogonCause.MUST_CHANGE
        )

    def test_empty_ones_are_a_broken_contract(self) -> None:
        """F26: nobody may get here with them."""
        source = self.source()
        for dn, password in (("uid=anna,dc=x", ""), ("uid=anna,dc=x", " "), ("uid=anna,dc=x", "a\0"), ("", "secret")):
            self.assertRaises(ValueError, source.bind, dn, password)


class Demonstration(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        given = settings(url=(DirectoryUrl(Scheme.LDIF, path=DEMO),), poll=60)
        self.source = make_source(given, self.clock)
        self.directory = Directory(self.source, make_schema(given), Roster(()), self.clock, given)
        self.directory.start()
        self.addCleanup(self.directory.stop)

    def home(self, address: str) -> str:
        name = AccountName(NameKind.ADDRESS, address)
        return self.successResultOf(self.directory.account(name)).home.name

    def test_everybody_is_at_home(self) -> None:
        """F10: the sample organisation says who lives where."""
        homes = {"anna": 1, "bob": 2, "carol": 3, "dave": 4, "erin": 1, "grace": 3, "heidi": 5}
        for name, number in homes.items():
            self.assertEqual(self.home(f"{name}@adatum.com"), f"backend{number}")
        self.assertEqual(self.home("frank@contoso.com"), "backend2")
        self.assertEqual(self.home("grace@contoso.com"), "backend3")
        frank = AccountName(NameKind.ADDRESS, "frank@adatum.com")
        self.assertEqual(self.successResultOf(self.directory.account(frank)), NoAccount())

    def test_one_has_http_switched_off(self) -> None:
        """F18."""
        for name, enabled in (("erin", False), ("anna", True)):
            answer = self.directory.account(AccountName(NameKind.ACCOUNT, name))
            self.assertIs(self.successResultOf(answer).http_enabled, enabled)

    def test_trees(self) -> None:
        """F41, F42, F43."""
        tree = "cn=Apps,cn=Adatum,ou=configuration,dc=adatum,dc=com"
        default = self.successResultOf(self.directory.holders(""))
        apps = self.successResultOf(self.directory.holders(tree))
        self.assertEqual([one.name for one in default], ["backend1", "backend2", "backend3"])
        self.assertEqual([one.name for one in apps if one.current], ["backend2", "backend3", "backend4"])
        self.assertEqual([one.name for one in apps if not one.current], ["backend5"])

    def test_everybody_can_log_on(self) -> None:
        """F26: with the password `secret`."""
        scope = Logons(self.directory, self.source, self.clock, b"k" * 16).scope("default", "ADATUM")
        for typed in ("anna", "ADATUM\\bob", "carol@adatum.com", "frank@contoso.com", "frank@adatum.com"):
            self.assertIsInstance(self.successResultOf(scope.check(basic(typed, "secret"))), LoggedOn, typed)

    def test_it_has_no_unreadable_bytes(self) -> None:
        """The file is LDIF (RFC 2849): ASCII, but for comments."""
        for line in DEMO.read_bytes().splitlines():
            self.assertTrue(line.isascii() or line.startswith(b"#"))
        self.assertIsNotNone(read(DEMO).named("dc=adatum,dc=com"))


class Making(SynchronousTestCase):
    def test_an_embedded_directory_stands_alone(self) -> None:
        """Two kinds of directory cannot answer for each other."""
        urls = (DirectoryUrl(Scheme.LDIF, path=DEMO), DirectoryUrl(Scheme.LDAP, "gc1"))
        self.assertRaises(DirectoryError, make_source, settings(url=urls), Clock())

    def test_what_the_network_directory_cannot_use(self) -> None:
        """A service account without a password and certificates that are not there come out as DirectoryError, for the administrator."""
        server = (DirectoryUrl(Scheme.LDAPS, "gc1", 636),)
        self.assertRaises(DirectoryError, make_source, settings(url=server, bind_dn="cn=x"), Clock())
        self.assertRaises(DirectoryError, make_source, settings(url=server, ca_file=Path("nowhere.pem")), Clock())
