"""The search line: at most a hundred in flight, the rest in order, and none for ever."""

from __future__ import annotations

from typing import Any

from ldaptor.protocols.pureldap import LDAPAbandonRequest, LDAPFilter_present, LDAPSearchRequest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.asking import PAGED, next_page, paged
from exfront.directory.connection import DirectoryConnection
from exfront.directory.interface import Query, Scope
from exfront.directory.searches import IN_FLIGHT, SearchLine
from exfront.directory.trouble import AnswerOverdue, LineLost
from exfront.errors import SizeLimitExceeded
from tests.fakes.ldap_server import Line, done, entry, wire

ONE = Query("dc=adatum", Scope.SUBTREE, LDAPFilter_present(b"cn"), ("cn",), 2)
ALL = ONE._replace(size_limit=0)


class SearchCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.connection = DirectoryConnection(self.clock, 5)
        self.line = Line(self.connection)
        self.searches = SearchLine(self.connection, self.clock, 5)

    def search(self, query: Query = ONE) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.searches.search(query))


class Limited(SearchCase):
    def test_entries(self) -> None:
        """The entries, or [] where the base is not there."""
        found, nothing = self.search(), self.search()
        self.connection.dataReceived(wire(1, entry("cn=a")) + wire(2, done(32)) + wire(1, done()))
        self.assertEqual([one.dn for one in self.successResultOf(found)], ["cn=a"])
        self.assertEqual(self.successResultOf(nothing), [])

    def test_size_limit(self) -> None:
        """Result 4 is an error, although entries came (F19)."""
        found = self.search()
        self.assertEqual(self.line.asked()[0].op.sizeLimit, 2)
        self.connection.dataReceived(wire(1, entry("cn=a")) + wire(1, entry("cn=b")) + wire(1, done(4)))
        self.failureResultOf(found, SizeLimitExceeded)


class Lists(SearchCase):
    def test_pages(self) -> None:
        """Page follows page by the server's cookie; entries of all pages come."""
        found = self.search(ALL)
        for number, (cookie, following) in enumerate(((b"", b"one"), (b"one", b"two"), (b"two", b"")), 1):
            (request,) = self.line.asked()
            self.assertEqual((request.op.sizeLimit, next_page(request.controls)), (0, cookie))
            answer = wire(number, entry(f"cn={number}")) + wire(number, done(), [paged(following)])
            self.connection.dataReceived(answer)
        self.assertEqual([one.dn for one in self.successResultOf(found)], ["cn=1", "cn=2", "cn=3"])

    def test_without_pages(self) -> None:
        """A server that does not know the control sends everything at once."""
        found = self.search(ALL)
        self.connection.dataReceived(wire(1, entry("cn=a")) + wire(1, done()))
        self.assertEqual(len(self.successResultOf(found)), 1)

    def test_one_after_the_other(self) -> None:
        """OpenLDAP keeps one paged search a connection: the second waits for the first, also when that fails."""
        first, second = self.search(ALL), self.search(ALL)
        self.assertEqual(len(self.line.asked()), 1)
        self.connection.dataReceived(wire(1, done(4)))
        self.failureResultOf(first, SizeLimitExceeded)
        self.assertEqual(len(self.line.asked()), 1)
        self.connection.dataReceived(wire(2, done(0), [(PAGED, None, paged(b"")[2])]))
        self.assertEqual(self.successResultOf(second), [])

    def test_base_that_is_gone(self) -> None:
        """A base that is not there gives []."""
        found = self.search(ALL)
        self.connection.dataReceived(wire(1, done(32)))
        self.assertEqual(self.successResultOf(found), [])


class Queue(SearchCase):
    def test_hundred(self) -> None:
        """The hundred and first goes out when the first is answered."""
        found = [self.search() for _ in range(IN_FLIGHT + 2)]
        self.assertEqual(len(self.line.asked()), IN_FLIGHT)
        self.connection.dataReceived(wire(7, done()))
        self.successResultOf(found[6])
        self.assertEqual([request.number for request in self.line.asked()], [IN_FLIGHT + 1])
        self.connection.dataReceived(wire(8, done()) + wire(9, done()))
        self.assertEqual([request.number for request in self.line.asked()], [IN_FLIGHT + 2])
        self.line.cut()
        for one in found:
            one.addErrback(lambda failure: failure.trap(LineLost))

    def test_turn_that_never_comes(self) -> None:
        """A turn has a patience of its own."""
        self.searches._busy = IN_FLIGHT
        waiting = self.search()
        self.clock.advance(5)
        self.failureResultOf(waiting, AnswerOverdue)
        self.assertEqual(self.line.asked(), [])

    def test_cancelled_while_waiting(self) -> None:
        """Who gives up waiting is never sent."""
        found = [self.search() for _ in range(IN_FLIGHT)]
        waiting = self.search()
        self.line.clear()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.connection.dataReceived(wire(1, done()))
        self.assertEqual(self.line.asked(), [])
        for one in found:
            one.addErrback(lambda failure: failure.trap(LineLost))
        self.line.cut()

    def test_cancelled_in_flight(self) -> None:
        """Who gives up in flight is abandoned, and the next has its turn."""
        found = [self.search() for _ in range(IN_FLIGHT + 1)]
        self.line.clear()
        found[0].cancel()
        self.failureResultOf(found[0], CancelledError)
        self.assertEqual([type(request.op) for request in self.line.asked()], [LDAPAbandonRequest, LDAPSearchRequest])
        for one in found[1:]:
            one.addErrback(lambda failure: failure.trap(LineLost))
        self.line.cut()

    def test_lost_with_thousands_waiting(self) -> None:
        """A connection that goes takes the whole queue with it, however long it is."""
        found = [self.search() for _ in range(2000)]
        self.line.cut()
        for one in found:
            self.failureResultOf(one, LineLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])
