"""The fake directory does what its tests rely on."""

from __future__ import annotations

from ldaptor.protocols.pureldap import LDAPBindRequest, LDAPSearchRequest, LDAPUnbindRequest
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from tests.fakes.ldap_server import FakeDirectory, bound, done, entry, requests, wire


class FakeDirectoryTests(TestCase):
    def setUp(self) -> None:
        self.directory = FakeDirectory()
        self.transport = StringTransport()
        self.connection = self.directory.buildProtocol(None)
        self.connection.makeConnection(self.transport)

    def test_usual_answers(self) -> None:
        """Binds succeed and searches find nothing; each request is kept."""
        self.connection.dataReceived(wire(1, LDAPBindRequest(dn=b"cn=a", auth=b"b")) + wire(2, LDAPSearchRequest()))
        self.assertEqual(self.transport.value(), wire(1, bound()) + wire(2, done()))
        self.assertEqual([request.number for request in self.directory.of(LDAPBindRequest)], [1])

    def test_scripted_answers(self) -> None:
        """A test says what comes back, controls included."""
        self.directory.answer = lambda _: [entry("cn=a", cn=["a"]), (done(), [(b"1.2", None, b"x")])]
        self.connection.dataReceived(wire(7, LDAPSearchRequest()))
        answers = requests(self.transport.value())
        self.assertEqual([answer.number for answer in answers], [7, 7])
        self.assertEqual(answers[1].controls, [(b"1.2", None, b"x")])

    def test_cut(self) -> None:
        """None cuts the connection, an unbind closes it."""
        self.directory.answer = lambda _: None
        self.connection.dataReceived(wire(1, LDAPSearchRequest()))
        self.assertTrue(self.transport.disconnected)

    def test_unbind(self) -> None:
        """An unbind closes the connection."""
        self.connection.dataReceived(wire(1, LDAPUnbindRequest()))
        self.assertTrue(self.transport.disconnecting)
