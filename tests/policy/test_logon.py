"""What is typed at a logon, read by pure rules."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from exfront.model import AccountName, LogonCause, LogonRefused, NameKind
from exfront.policy.logon import Credentials, account_name, check_typed, read_basic


def header(text: str | bytes) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return b"Basic " + base64.b64encode(raw)


class Basic(SynchronousTestCase):
    def test_name_and_password(self) -> None:
        """F26: the first colon parts them (RFC 7617); the scheme's name is in any case, spaces do not matter."""
        for raw in (header("anna:a:b"), b"basic  " + header("anna:a:b")[6:] + b" ", b"BASIC " + header("anna:a:b")[6:]):
            self.assertEqual(read_basic(raw), Credentials("anna", "a:b"))

    def test_texts(self) -> None:
        """UTF-8, else Latin-1 (RFC 7617 section 3)."""
        self.assertEqual(read_basic(header("ännä:ö")), Credentials("ännä", "ö"))
        self.assertEqual(read_basic(header("ännä:ö".encode("latin-1"))), Credentials("ännä", "ö"))

    def test_malformed(self) -> None:
        """F27: no scheme, no base64, no colon, control characters in the name, an endless name."""
        for raw in (
            b"", b"Basic", b"Basic ", b"Basic a", b"Basic %%%%", b"Digest x", b"Basic YTpi\nYTpi",
            header("nocolon"), header("an\nna:x"), header("an\0na:x"), header("x" * 513 + ":x"),
        ):  # fmt: skip
            answer = read_basic(raw)
            self.assertIsInstance(answer, LogonRefused, repr(raw))
            self.assertIs(answer.cause, LogonCause.MALFORMED)

    def test_empty(self) -> None:
        """F26: empty, blank and NUL passwords and empty names are refused here already."""
        for name, password in (
            ("anna", ""),
            ("anna", " \t"),
            ("anna", "\u3000"),
            ("anna", "x\0"),
            ("", "x"),
            ("  ", "x"),
            ("ADATUM\\", "x"),
        ):
            answer = check_typed(name, password)
            self.assertEqual(answer, LogonRefused(LogonCause.EMPTY, name.strip()))

    def test_a_password_shows_nowhere(self) -> None:
        """Neither in credentials nor in a refusal."""
        self.assertNotIn("hunter2", repr(read_basic(header("anna:hunter2"))))
        self.assertNotIn("hunter2", repr(read_basic(header("anhunter2"))))
        self.assertNotIn("hunter2", repr(check_typed("", "hunter2")))
        self.assertNotIn("hunter2", repr(check_typed("anna", "hunter2\0")))

    @settings(deadline=None, max_examples=300)
    @given(some.one_of(some.binary(), some.binary().map(header), some.text().map(header)))
    def test_whatever_arrives_the_answer_is_a_value(self, raw: bytes) -> None:
        """No exception, and credentials are never empty, blank or NUL (F26)."""
        answer = read_basic(raw)
        if isinstance(answer, Credentials):
            self.assertTrue(answer.name.strip() and answer.password.strip() and "\0" not in answer.password)


class Names(SynchronousTestCase):
    def test_every_form(self) -> None:
        r"""F26: bare name with the default domain, DOMAIN\name, UPN; all in lower case."""
        for typed, expected in (
            ("Anna", (NameKind.ACCOUNT, "anna", "adatum")),
            (" anna ", (NameKind.ACCOUNT, "anna", "adatum")),
            ("CONTOSO\\Anna", (NameKind.ACCOUNT, "anna", "contoso")),
            ("\\anna", (NameKind.ACCOUNT, "anna", "")),
            ("Anna@Adatum.com", (NameKind.PRINCIPAL, "anna@adatum.com", "")),
            ("anna@", (NameKind.ACCOUNT, "anna@", "adatum")),
            ("@adatum.com", (NameKind.ACCOUNT, "@adatum.com", "adatum")),
            ("A\\b@c", (NameKind.ACCOUNT, "b@c", "a")),
        ):
            self.assertEqual(account_name(typed, "ADATUM"), AccountName(*expected), typed)

    @settings(deadline=None, max_examples=300)
    @given(some.text(), some.text())
    def test_any_text_is_some_name(self, typed: str, domain: str) -> None:
        """Reading a name never crashes, and its case does not matter."""
        name = account_name(typed, domain)
        self.assertEqual(name.value, name.value.strip())
        self.assertEqual(account_name(typed.lower(), domain), name)
