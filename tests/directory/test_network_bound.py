"""What directories say to a bind, and what it means for the user."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.asking import PASSWORD_POLICY
from exfront.directory.bound import Policy, bound, read_policy
from exfront.directory.interface import Bound
from exfront.directory.trouble import ServerUnwell
from exfront.errors import DirectoryError
from exfront.model import LogonCause

WINDOWS = b"80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data %s, v4f7c\0"


def policy(value: str) -> list[tuple[bytes, bool | None, bytes | None]]:
    return [(b"1.2.3", None, b"other"), (PASSWORD_POLICY, None, bytes.fromhex(value))]


class PolicyTests(SynchronousTestCase):
    def test_values(self) -> None:
        """The control's values as OpenLDAP sends them."""
        for value, wanted in (
            ("3000", Policy()),
            ("3007a0058003015180", Policy(expires_in=86400)),
            ("3005a003800101", Policy(expires_in=1)),
            ("3005a003810102", Policy(expires_in=0)),
            ("3003810100", Policy(error=0)),
            ("3003810101", Policy(error=1)),
            ("300aa0058003015180810102", Policy(expires_in=86400, error=2)),
        ):
            self.assertEqual(read_policy(bytes.fromhex(value)), wanted, value)

    def test_nothing(self) -> None:
        """A control without a value says nothing."""
        self.assertEqual(read_policy(None), Policy())
        self.assertEqual(read_policy(b""), Policy())

    @settings(deadline=None, max_examples=200)
    @given(st.binary(max_size=20))
    def test_nonsense(self, value: bytes) -> None:
        """Whatever comes, reading it raises nothing and invents no negative time."""
        self.assertGreaterEqual(read_policy(value).expires_in or 0, 0)


class BoundTests(SynchronousTestCase):
    def test_right(self) -> None:
        """Result 0 opens the door, with the time until the password expires if there is one."""
        self.assertEqual(bound(0, b"", None, "secret"), Bound(None))
        self.assertEqual(bound(0, b"", policy("3007a0058003015180"), "secret"), Bound(None, 86400))

    def test_policy_errors(self) -> None:
        """F27: expired, locked and must change are told by the control, must change even with result 0."""
        for code, value, cause in (
            (49, "3003810100", LogonCause.EXPIRED),
            (49, "3003810101", LogonCause.LOCKED),
            (0, "3003810102", LogonCause.MUST_CHANGE),
            (49, "3003810102", LogonCause.MUST_CHANGE),
            (49, "3000", LogonCause.WRONG),
            (49, "3003810106", LogonCause.WRONG),
            (0, "3003810101", LogonCause.LOCKED),
        ):
            self.assertEqual(bound(code, b"", policy(value), "secret").cause, cause, (code, value))

    def test_windows(self) -> None:
        """F27: Active Directory's sub-codes."""
        for sub_code, cause in (
            (b"525", LogonCause.UNKNOWN),
            (b"52e", LogonCause.WRONG),
            (b"530", LogonCause.DISABLED),
            (b"531", LogonCause.DISABLED),
            (b"532", LogonCause.EXPIRED),
            (b"533", LogonCause.DISABLED),
            (b"701", LogonCause.ACCOUNT_EXPIRED),
            (b"773", LogonCause.MUST_CHANGE),
            (b"775", LogonCause.LOCKED),
            (b"52E", LogonCause.WRONG),
            (b"999", LogonCause.WRONG),
        ):
            answer = bound(49, WINDOWS % sub_code, None, "secret")
            self.assertEqual(answer.cause, cause, sub_code)
            self.assertTrue(answer.detail.isprintable())
            self.assertIn(sub_code.decode(), answer.detail)

    def test_codes(self) -> None:
        """Result codes that speak of the user."""
        for code, cause in (
            (49, LogonCause.WRONG),
            (48, LogonCause.WRONG),
            (32, LogonCause.UNKNOWN),
            (34, LogonCause.UNKNOWN),
            (19, LogonCause.LOCKED),
            (53, LogonCause.DISABLED),
            (50, LogonCause.DISABLED),
        ):
            self.assertEqual(bound(code, b"", None, "secret"), Bound(cause, None, f"result {code}"))

    def test_sub_codes_belong_to_49(self) -> None:
        """Words that look like a sub-code mean nothing with another result."""
        self.assertEqual(bound(53, b"data 532", None, "secret").cause, LogonCause.DISABLED)

    def test_not_the_users_fault(self) -> None:
        """A directory that demands TLS (8, 13), refers elsewhere (10) or cannot serve says nothing about a password."""
        for code in (8, 13):
            self.assertIn("demands TLS", str(self.assertRaises(DirectoryError, bound, code, b"", None, "secret")))
        for code in (51, 52, 80):
            self.assertRaises(ServerUnwell, bound, code, b"", None, "secret")
        for code in (1, 2, 3, 7, 10, 11, 14, 118):
            self.assertRaises(DirectoryError, bound, code, b"", None, "secret")

    def test_no_credential_in_the_detail(self) -> None:
        """A server that repeats the password gets its words dropped, in answers and in errors."""
        self.assertEqual(bound(49, b"'secret' is wrong", None, "secret").detail, "")
        self.assertNotIn("secret", str(self.assertRaises(DirectoryError, bound, 1, b"'secret' is odd", None, "secret")))

    def test_detail_fits_a_line(self) -> None:
        """Line ends, other control characters and long messages cannot reach the log."""
        detail = bound(49, b"a\r\nb\x1b[0m\xff" + b"x" * 1000, None, "secret").detail
        self.assertTrue(detail.isprintable())
        self.assertLess(len(detail), 220)
