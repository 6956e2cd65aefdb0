"""Requests as they go out, and what result codes mean for a search."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from ldaptor.protocols.pureldap import LDAPFilter_present
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.asking import PAGED, bind_request, check_search, next_page, paged, search_request
from exfront.directory.interface import Query, Scope
from exfront.directory.trouble import BrokenMessage, ServerUnwell
from exfront.errors import DirectoryError, DirectoryUnreachable, SizeLimitExceeded
from tests.fakes.ldap_server import requests, wire


class Requests(SynchronousTestCase):
    def test_search(self) -> None:
        """Everything a query says is in the request, and aliases are never followed."""
        query = Query("ou=Müller,dc=adatum", Scope.ONE, LDAPFilter_present(b"cn"), ("cn", "mail"), 2)
        op = requests(wire(1, search_request(query)))[0].op
        self.assertEqual(op.baseObject, "ou=Müller,dc=adatum".encode())
        self.assertEqual((op.scope, op.derefAliases, op.sizeLimit, op.typesOnly), (1, 0, 2, 0))
        self.assertEqual(op.attributes, [b"cn", b"mail"])

    def test_names_keep_their_bytes(self) -> None:
        """A name that came from the wire goes back as the same bytes."""
        name = b"cn=M\xfcller".decode("utf-8", "surrogateescape")
        self.assertEqual(requests(wire(1, bind_request(name, "pä")))[0].op.dn, b"cn=M\xfcller")
        self.assertEqual(requests(wire(1, bind_request(name, "pä")))[0].op.auth, "pä".encode())

    @settings(deadline=None, max_examples=50)
    @given(st.binary(max_size=300))
    def test_pages(self, cookie: bytes) -> None:
        """A cookie goes into the control and comes out of it unchanged (RFC 2696)."""
        self.assertEqual(next_page([(b"1.2", None, None), paged(cookie)]), cookie)

    def test_last_page(self) -> None:
        """No control, no cookie: there is no further page."""
        self.assertEqual(next_page(None), b"")
        self.assertEqual(next_page([]), b"")

    def test_broken_page(self) -> None:
        """A control that cannot be read is the server's mistake."""
        for value in (None, b"", b"\x30\x00", b"\x30\x03\x02\x01\x00", b"garbage"):
            self.assertRaises(BrokenMessage, next_page, [(PAGED, None, value)])


class Results(SynchronousTestCase):
    def test_found(self) -> None:
        """0 is a list; 32, no such base, is an empty one."""
        self.assertTrue(check_search(0, b"", limited=True))
        self.assertFalse(check_search(32, b"", limited=True))

    def test_size_limit(self) -> None:
        """4 is never half a list, whoever set the limit."""
        for limited in (True, False):
            self.assertRaises(SizeLimitExceeded, check_search, 4, b"", limited=limited)

    def test_servers_state(self) -> None:
        """51, 52 and 80 are worth asking another server."""
        for code in (51, 52, 80):
            self.assertRaises(ServerUnwell, check_search, code, b"", limited=True)

    def test_refused(self) -> None:
        """Everything else is an error that another server would not help with, a referral included."""
        for code in (1, 2, 3, 8, 10, 11, 12, 13, 50, 53):
            error = self.assertRaises(DirectoryError, check_search, code, b"why", limited=True)
            self.assertNotIsInstance(error, DirectoryUnreachable)
            self.assertIn(str(code), str(error))
