"""One connection: every request ends, and nothing that a server can send makes it believe or do the wrong thing."""

from __future__ import annotations

from typing import Any

from ldaptor.protocols import pureldap
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.connection import DirectoryConnection
from exfront.directory.trouble import AnswerOverdue, LineLost, TlsNotVerified
from exfront.errors import SizeLimitExceeded
from tests.fakes.ldap_server import Line, bound, done, entry, extended, wire

SEARCH = pureldap.LDAPSearchRequest(baseObject=b"dc=adatum,dc=com")
BIND = pureldap.LDAPBindRequest(dn=b"cn=anna", auth=b"a secret")
DISCONNECTION = b"1.3.6.1.4.1.1466.20036"


class ConnectionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ended: list[DirectoryConnection] = []
        self.connection = DirectoryConnection(self.clock, 5, self.ended.append)
        self.line = Line(self.connection)

    def say(self, *messages: bytes) -> None:
        self.connection.dataReceived(b"".join(messages))

    def over(self) -> None:
        """The connection was ended by our side, and says so once."""
        self.assertTrue(self.line.aborted)
        self.assertFalse(self.connection.usable)
        self.assertEqual(self.ended, [self.connection])
        self.line.cut(ConnectionAborted())
        self.assertEqual(self.ended, [self.connection])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Asking(ConnectionCase):
    def test_search(self) -> None:
        """Entries and the final result arrive together, whatever the pieces they come in."""
        asked = self.connection.ask(SEARCH)
        stream = wire(1, entry("cn=a", cn=["a"])) + wire(1, entry("cn=b")) + wire(1, done())
        for number in range(len(stream)):
            self.assertNoResult(asked)
            self.connection.dataReceived(stream[number : number + 1])
        answer = self.successResultOf(asked)
        self.assertEqual([found.dn for found in answer.entries], ["cn=a", "cn=b"])
        self.assertEqual(answer.result.resultCode, 0)
        self.assertEqual(self.connection.in_flight, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pipelined(self) -> None:
        """Answers belong to their requests by id, in whatever order they come."""
        asked = [self.connection.ask(SEARCH) for _ in range(3)]
        self.assertEqual([request.number for request in self.line.asked()], [1, 2, 3])
        self.say(wire(3, entry("cn=c")), wire(1, entry("cn=a")), wire(3, done()), wire(2, done(32)), wire(1, done()))
        answers = [self.successResultOf(one) for one in asked]
        self.assertEqual([[found.dn for found in answer.entries] for answer in answers], [["cn=a"], [], ["cn=c"]])
        self.assertEqual([answer.result.resultCode for answer in answers], [0, 32, 0])

    def test_controls(self) -> None:
        """Controls go out with the request and come back with the answer."""
        asked = self.connection.ask(BIND, [(b"1.2.3", None, None)])
        self.assertEqual(self.line.asked()[0].controls, [(b"1.2.3", None, None)])
        self.say(wire(1, bound(49, "no"), [(b"4.5.6", None, b"value")]))
        answer = self.successResultOf(asked)
        self.assertEqual(answer.controls, [(b"4.5.6", None, b"value")])
        self.assertEqual(answer.result.errorMessage, b"no")

    def test_references_are_not_followed(self) -> None:
        """Search references (RFC 4511 4.5.3) and intermediate answers neither disturb nor lead anywhere."""
        asked = self.connection.ask(SEARCH)
        self.line.clear()
        reference = pureldap.LDAPMessage(pureldap.LDAPSearchResultReference(uris=[]), id=1).toWire()
        self.assertIn(b"\x73", reference)
        self.say(reference, b"\x30\x05\x02\x01\x01\x79\x00", wire(1, done()))
        self.assertEqual(self.successResultOf(asked).entries, [])
        self.assertEqual(self.line.value(), b"")

    def test_too_many_entries(self) -> None:
        """A server that ignores the size limit is stopped: the search fails and is abandoned."""
        asked = self.connection.ask(SEARCH, most=2)
        self.line.clear()
        self.say(*(wire(1, entry(name)) for name in ("cn=a", "cn=b", "cn=c", "cn=d")), wire(1, done()))
        self.failureResultOf(asked, SizeLimitExceeded)
        self.assertEqual([request.op.value for request in self.line.asked()], [1])
        self.assertTrue(self.connection.usable)

    def test_dead_connection(self) -> None:
        """Asking a connection that is gone is a failed Deferred and no exception."""
        self.line.cut()
        self.failureResultOf(self.connection.ask(SEARCH), LineLost)

    def test_lost(self) -> None:
        """When the connection goes, whatever is in flight fails; the owner hears of it first."""
        order: list[str] = []
        self.connection._ended = lambda _: order.append("owner")
        asked = [self.connection.ask(SEARCH), self.connection.ask(SEARCH)]
        for one in asked:
            one.addErrback(lambda failure: (order.append("request"), failure)[1])
        self.line.cut(ConnectionDone())
        for one in asked:
            self.failureResultOf(one, LineLost)
        self.assertEqual(order, ["owner", "request", "request"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ids_come_round(self) -> None:
        """After the largest id (RFC 4511 4.1.1.1) the smallest that is not in use follows."""
        self.connection.ask(SEARCH).addErrback(lambda _: None)
        self.connection._last_id = 2**31 - 2
        for _ in range(2):
            self.connection.ask(SEARCH).addErrback(lambda _: None)
        self.assertEqual([request.number for request in self.line.asked()], [1, 2**31 - 1, 2])

    def test_no_debugging(self) -> None:
        """Ldaptor's log of all requests, new passwords included, stays off."""
        self.assertFalse(self.connection.debug)


class TimeOuts(ConnectionCase):
    def test_search_is_abandoned(self) -> None:
        """A search without an answer fails after the patience, is abandoned (RFC 4511 4.11), and its late answer is ignored."""
        asked = self.connection.ask(SEARCH)
        self.line.clear()
        self.clock.advance(4.9)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        self.failureResultOf(asked, AnswerOverdue)
        (abandon,) = self.line.asked()
        self.assertIsInstance(abandon.op, pureldap.LDAPAbandonRequest)
        self.assertEqual(abandon.op.value, 1)
        self.say(wire(1, entry("cn=late")), wire(1, done()))
        self.assertTrue(self.connection.usable)
        again = self.connection.ask(SEARCH)
        self.say(wire(3, done()))
        self.assertEqual(self.successResultOf(again).entries, [])

    def test_ids_of_the_abandoned_stay_unused(self) -> None:
        """A tombstone keeps a late answer from being taken for the answer to something new."""
        asked = self.connection.ask(SEARCH)
        self.clock.advance(5)
        self.failureResultOf(asked, AnswerOverdue)
        self.line.clear()
        self.connection._last_id = 0
        self.connection.ask(SEARCH).addErrback(lambda _: None)
        self.assertEqual(self.line.asked()[0].number, 2)

    def test_tombstones_are_bounded(self) -> None:
        """A server that swallows searches for years does not fill the memory."""
        for _ in range(300):
            asked = self.connection.ask(SEARCH)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
        self.assertLessEqual(len(self.connection._tombstones), 256)

    def test_three_in_a_row(self) -> None:
        """Three time-outs without an answer in between end the connection, and with it whatever is in flight."""
        overdue = [self.connection.ask(SEARCH) for _ in range(2)]
        self.clock.advance(5)
        self.assertTrue(self.connection.usable)
        overdue.append(self.connection.ask(SEARCH))
        self.clock.advance(2)
        waiting = self.connection.ask(SEARCH)
        self.clock.advance(3)
        for one in overdue:
            self.failureResultOf(one, AnswerOverdue)
        self.over()
        self.assertIn("3 time-outs", str(self.failureResultOf(waiting, LineLost).value))

    def test_an_answer_begins_the_count_again(self) -> None:
        """Time-outs with answers in between, two by two, are the searches' fault and not the server's."""
        for _ in range(4):
            overdue = [self.connection.ask(SEARCH) for _ in range(2)]
            self.clock.advance(5)
            for one in overdue:
                self.failureResultOf(one, AnswerOverdue)
            asked = self.connection.ask(SEARCH)
            self.say(wire(self.connection._last_id, done()))
            self.successResultOf(asked)
        self.assertTrue(self.connection.usable)

    def test_bind(self) -> None:
        """A bind cannot be abandoned: its outcome is unknown, so the connection ends with it."""
        asked = self.connection.ask(BIND)
        self.clock.advance(5)
        self.failureResultOf(asked, AnswerOverdue)
        self.over()

    def test_cancelled_search(self) -> None:
        """A search that is cancelled is abandoned."""
        asked = self.connection.ask(SEARCH)
        self.line.clear()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertIsInstance(self.line.asked()[0].op, pureldap.LDAPAbandonRequest)
        self.assertTrue(self.connection.usable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_bind(self) -> None:
        """A bind that is cancelled takes the connection with it."""
        asked = self.connection.ask(BIND)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.over()


class Strangers(ConnectionCase):
    def test_unknown_ids(self) -> None:
        """Answers to nobody's question are ignored, and those in flight go on."""
        asked = self.connection.ask(SEARCH)
        self.say(wire(77, done()), wire(78, entry("cn=x")), wire(79, bound()), wire(1, done()))
        self.successResultOf(asked)
        self.assertTrue(self.connection.usable)

    def test_garbage(self) -> None:
        """Bytes that are not LDAP end the connection at once."""
        asked = self.connection.ask(SEARCH)
        self.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.over()
        self.failureResultOf(asked, LineLost)

    def test_broken_messages(self) -> None:
        """So do messages that are not what they claim to be, whatever ldaptor makes of them."""
        for broken in (
            b"\x30\x00",
            b"\x30\x05\x02\x01\x01\x65\x00",
            b"\x30\x07\x02\x01\x01\x65\x02\x0a\x01",
            b"\x30\x08\x02\x01\x01\x64\x03\x04\x01a",
            b"\x30\x05\x02\x01\x01\x7f\x00",
            b"\x30\x03\x02\x01\x01",
            b"\x30\x82\x10\x00\x02\x01\x01" + b"\x30\x80" * 2046 + b"\x30",
        ):
            self.setUp()
            asked = self.connection.ask(SEARCH)
            self.say(broken)
            self.over()
            self.failureResultOf(asked, LineLost)

    def test_wrong_kind_of_answer(self) -> None:
        """A bind's answer to a search is no answer, and the other way round: a success must be the right success."""
        for request, answer in ((SEARCH, bound()), (BIND, done()), (BIND, extended())):
            self.setUp()
            asked = self.connection.ask(request)
            self.say(wire(1, answer))
            self.over()
            self.failureResultOf(asked, LineLost)

    def test_notice_of_disconnection(self) -> None:
        """The server's farewell (RFC 4511 4.4.1) ends the connection; other notifications are ignored."""
        self.say(wire(0, extended(0, b"1.2.3")))
        self.assertTrue(self.connection.usable)
        self.say(wire(0, extended(52, DISCONNECTION)))
        self.over()
        self.assertIn("52", str(self.connection.trouble))

    def test_nothing_is_believed_afterwards(self) -> None:
        """What stands behind the message that ended the connection is not read."""
        asked = self.connection.ask(BIND)
        self.say(wire(0, extended(52, DISCONNECTION)), wire(1, bound()))
        pending = self.connection._framer.pending
        self.say(wire(1, bound()))
        self.assertEqual(self.connection._framer.pending, pending)
        self.assertNoResult(asked)
        self.over()
        self.failureResultOf(asked, LineLost)


class Securing(ConnectionCase):
    def begin(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.connection.start_tls("creator"))

    def test_start_tls(self) -> None:
        """It is done when the handshake is: only then has the certificate been verified."""
        begun = self.begin()
        self.assertEqual(self.line.asked()[0].op.toWire(), pureldap.LDAPStartTLSRequest().toWire())
        self.say(wire(1, extended()))
        self.assertEqual(self.line.tls, "creator")
        self.assertNoResult(begun)
        self.connection.handshakeCompleted()
        self.successResultOf(begun)

    def test_injection(self) -> None:
        """Bytes behind the answer came in the clear: never believed, the connection ends before TLS begins."""
        for behind in (wire(2, bound()), b"\x30", wire(99, done())):
            self.setUp()
            begun = self.begin()
            self.say(wire(1, extended()), behind)
            self.failureResultOf(begun, TlsNotVerified)
            self.assertIsNone(self.line.tls)
            self.over()

    def test_injection_in_pieces(self) -> None:
        """A partial message that was there before the answer's end cannot be: the answer itself comes whole or not at all."""
        begun = self.begin()
        stream = wire(1, extended()) + wire(2, bound())
        self.connection.dataReceived(stream[:5])
        self.connection.dataReceived(stream[5:])
        self.failureResultOf(begun, TlsNotVerified)
        self.over()

    def test_refused(self) -> None:
        """A server that will not speak TLS is not spoken to in the clear instead."""
        begun = self.begin()
        self.say(wire(1, extended(2)))
        self.failureResultOf(begun, TlsNotVerified)
        self.assertIsNone(self.line.tls)

    def test_other_answer(self) -> None:
        """The answer may name its operation, and then it has to be StartTLS (RFC 4511 4.14.2)."""
        for name, begins in ((b"1.3.6.1.4.1.1466.20037", True), (b"1.2.3", False)):
            self.setUp()
            begun = self.begin()
            self.say(wire(1, extended(0, name)))
            self.assertEqual(self.line.tls is not None, begins)
            self.line.cut()
            self.failureResultOf(begun, LineLost if begins else TlsNotVerified)

    def test_never_without_verification(self) -> None:
        """Ldaptor's default, a context that verifies nothing, is not to be had."""
        self.assertRaises(ValueError, self.connection.startTLS)

    def test_not_between_requests(self) -> None:
        """StartTLS with a request in flight is refused (RFC 4511 4.14.1)."""
        asked = self.connection.ask(SEARCH)
        self.failureResultOf(self.begin(), LineLost)
        self.line.cut()
        self.failureResultOf(asked, LineLost)

    def test_verification_failures_are_named(self) -> None:
        """A wrong authority and a wrong name are told apart from a lost connection."""
        for reason, text in (
            (SSL.Error([("SSL routines", "", "certificate verify failed")]), "certificate verify failed"),
            (VerificationError(errors=[]), "not for this host"),
        ):
            self.setUp()
            begun = self.begin()
            self.say(wire(1, extended()))
            self.line.cut(reason)
            self.assertIn(text, str(self.failureResultOf(begun, TlsNotVerified).value))

    def test_handshake_that_breaks(self) -> None:
        """A handshake that just ends is no verification failure."""
        for reason in (SSL.Error([("SSL routines", "", "wrong version number")]), SSL.Error(), ConnectionDone()):
            self.setUp()
            begun = self.begin()
            self.say(wire(1, extended()))
            self.line.cut(reason)
            self.failureResultOf(begun, LineLost)

    def test_handshake_that_is_done_already(self) -> None:
        """LDAPS may be through before anybody asks; a connection that is over already says why."""
        self.connection.handshakeCompleted()
        self.successResultOf(Deferred.fromCoroutine(self.connection.secured()))
        self.setUp()
        self.line.cut(VerificationError(errors=[]))
        self.failureResultOf(Deferred.fromCoroutine(self.connection.secured()), TlsNotVerified)


class Closing(ConnectionCase):
    def test_farewell(self) -> None:
        """A closed connection says goodbye (RFC 4511 4.3) and is done when it is gone."""
        closed = self.connection.close()
        self.assertIsInstance(self.line.asked()[0].op, pureldap.LDAPUnbindRequest)
        self.assertTrue(self.line.disconnecting)
        self.assertNoResult(closed)
        self.line.cut(ConnectionDone())
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_deaf_server(self) -> None:
        """A server that does not take the farewell is cut off after a second."""
        closed = self.connection.close()
        self.clock.advance(1)
        self.assertTrue(self.line.aborted)
        self.line.cut(ConnectionAborted())
        self.successResultOf(closed)

    def test_twice(self) -> None:
        """Closing again, or when it is gone already, waits for the same end."""
        first, second = self.connection.close(), self.connection.close()
        self.line.cut()
        for one in (first, second, self.connection.close()):
            self.successResultOf(one)
