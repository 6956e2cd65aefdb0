"""One server over time: connecting, losing it, doubting it, all on a clock of the test's own."""

from __future__ import annotations

from typing import Any

from ldaptor.protocols.pureldap import LDAPBindRequest, LDAPFilter_present, LDAPSearchRequest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.connection import DirectoryConnection
from exfront.directory.interface import Query, Scope
from exfront.directory.server import DirectoryServer, State
from exfront.directory.trouble import AnswerOverdue, LineLost, NotConnected
from exfront.errors import DirectoryUnreachable
from exfront.model import LogonCause
from tests.fakes.ldap_server import Line, Request, bound, done, entry, wire

QUERY = Query("dc=adatum", Scope.SUBTREE, LDAPFilter_present(b"cn"), ("cn",), 2)
SECRET = "service secret"


class FakeDialer:
    """Gives connections when the test says so."""

    name = "ldap://dc1.adatum.com:389"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._dialling: list[tuple[Deferred[DirectoryConnection], Any]] = []
        self.lines: list[Line] = []

    @property
    def waiting(self) -> int:
        """Dials that are neither accepted nor refused."""
        return len(self._dialling)

    def dial(self, ended: Any) -> Deferred[DirectoryConnection]:
        dialling: Deferred[DirectoryConnection] = Deferred()
        self._dialling.append((dialling, ended))
        return dialling

    def accept(self) -> Line:
        """The oldest dial succeeds."""
        dialling, ended = self._dialling.pop(0)
        connection = DirectoryConnection(self._clock, 5, ended)
        self.lines.append(Line(connection, self._clock))
        dialling.callback(connection)
        return self.lines[-1]

    def refuse(self, error: Exception | None = None) -> None:
        """The oldest dial fails."""
        self._dialling.pop(0)[0].errback(error or NotConnected("connection refused"))


def say(line: Line, request: Request, *ops: Any) -> None:
    line.protocol.dataReceived(b"".join(wire(request.number, op) for op in ops))


class ServerCase(SynchronousTestCase):
    service = ("cn=exfront", SECRET)

    def setUp(self) -> None:
        self.clock = Clock()
        self.dialer = FakeDialer(self.clock)
        self.changes: list[State] = []
        self.server = DirectoryServer(
            self.dialer, self.clock, 5, bind_dn=self.service[0], bind_password=self.service[1],
            changed=lambda server: self.changes.append(server.state), log=Logger("directory"),
        )  # fmt: skip

    def up(self) -> Line:
        """Started, connected, the service account bound."""
        self.server.start()
        return self.log_on()

    def log_on(self) -> Line:
        line = self.dialer.accept()
        (request,) = line.asked()
        say(line, request, bound() if isinstance(request.op, LDAPBindRequest) else done())
        self.assertIs(self.server.state, State.UP)
        return line

    def search(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.server.search(QUERY))

    def bind(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.server.bind("cn=anna", "a secret"))


class Starting(ServerCase):
    def test_service_account(self) -> None:
        """The search connection is bound once, as the service account; then the server is up."""
        self.server.start()
        self.assertIs(self.server.state, State.CONNECTING)
        line = self.dialer.accept()
        (request,) = line.asked()
        self.assertEqual((request.op.dn, request.op.auth), (b"cn=exfront", SECRET.encode()))
        self.assertIs(self.server.state, State.CONNECTING)
        say(line, request, bound())
        self.assertEqual((self.server.state, self.changes), (State.UP, [State.UP]))
        found = self.search()
        (request,) = line.asked()
        self.assertIsInstance(request.op, LDAPSearchRequest)
        say(line, request, entry("cn=a"), done())
        self.assertEqual(self.successResultOf(found)[0].dn, "cn=a")

    def test_twice(self) -> None:
        """Starting again changes nothing."""
        self.server.start()
        self.server.start()
        self.assertEqual(self.dialer.waiting, 1)

    def test_not_started(self) -> None:
        """Before the start there is nothing to ask."""
        self.failureResultOf(self.search(), NotConnected)

    def test_refused(self) -> None:
        """A refused service account is said plainly, without its password, and tried again ever less often."""
        self.server.start()
        pauses = []
        with capturedLogs() as events:
            for _ in range(7):
                line = self.dialer.accept()
                (request,) = line.asked()
                before = self.clock.seconds()
                say(line, request, bound(49, "80090308: data 52e"))
                self.assertIs(self.server.state, State.DOWN)
                self.assertTrue(line.aborted)
                self.clock.advance(0)
                while not self.dialer.waiting:
                    self.clock.advance(5)
                pauses.append(self.clock.seconds() - before)
        self.assertEqual(pauses, [30, 60, 120, 240, 480, 600, 600])
        self.assertIn("refuses the service account 'cn=exfront' (wrong password)", self.server.trouble)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.error])
        self.assertNotIn(SECRET, repr(events) + self.server.trouble)

    def test_tls_demanded(self) -> None:
        """Result 8 for the service account names the configuration's remedy."""
        self.server.start()
        line = self.dialer.accept()
        say(line, line.asked()[0], bound(8))
        self.assertIn("start_tls = yes", self.server.trouble)

    def test_silent(self) -> None:
        """A server that takes the connection and says nothing is not up."""
        self.server.start()
        self.dialer.accept()
        self.clock.advance(5)
        self.assertEqual((self.server.state, self.server.trouble), (State.DOWN, "no answer within 5 seconds"))


class Anonymous(ServerCase):
    service = ("", "")

    def test_greeting(self) -> None:
        """Without a service account nothing is bound; one cheap question shows that the server lives, whatever it answers."""
        self.server.start()
        line = self.dialer.accept()
        (request,) = line.asked()
        self.assertEqual((request.op.baseObject, request.op.scope, request.op.attributes), (b"", 0, [b"1.1"]))
        say(line, request, done(50))
        self.assertIs(self.server.state, State.UP)


class Losing(ServerCase):
    def test_again_at_once(self) -> None:
        """A connection that had held (an idle one that the server closed) is made again at once: worth waiting for."""
        line = self.up()
        self.clock.advance(900)
        line.cut(ConnectionDone())
        self.assertIs(self.server.state, State.CONNECTING)
        self.clock.advance(0)
        self.log_on()

    def test_pauses(self) -> None:
        """Between attempts the pauses grow to three seconds, so that a server that is back is asked within that time."""
        line = self.up()
        self.clock.advance(900)
        line.cut()
        self.clock.advance(0)
        pauses = []
        for _ in range(6):
            self.dialer.refuse()
            before = self.clock.seconds()
            while not self.dialer.waiting:
                self.clock.advance(0.25)
            pauses.append(self.clock.seconds() - before)
        self.assertEqual(pauses, [0.5, 1, 2, 3, 3, 3])
        self.assertEqual((self.server.state, self.server.trouble), (State.DOWN, "connection refused"))
        self.log_on()
        self.assertEqual(self.server.trouble, "")

    def test_no_hammering(self) -> None:
        """A server that accepts and cuts at once is not asked in a tight loop."""
        line = self.up()
        for _ in range(4):
            line.cut()
            self.assertIs(self.server.state, State.DOWN)
            self.clock.advance(0.25)
            self.assertEqual(self.dialer.waiting, 0)
            self.clock.advance(2.75)
            line = self.log_on()

    def test_hurried(self) -> None:
        """F21: who asks brings the next attempt forward where the last one was refused at once; not in a tight loop."""
        self.server.start()
        self.dialer.refuse()
        self.server.hurry()
        self.assertEqual((self.dialer.waiting, self.server.hurrying), (0, False))
        self.clock.advance(0.05)
        self.server.hurry()
        self.server.hurry()
        self.assertEqual((self.dialer.waiting, self.server.hurrying), (1, True))
        self.log_on()
        self.assertFalse(self.server.hurrying)

    def test_not_hurried(self) -> None:
        """Where an attempt takes its time, or the service account is refused, nobody waits for another one, nor makes it."""
        self.server.start()
        self.clock.advance(0.5)
        self.dialer.refuse()
        self.clock.advance(0.1)
        self.server.hurry()
        self.assertEqual((self.dialer.waiting, self.server.hurrying), (0, False))
        self.clock.advance(0.4)
        line = self.dialer.accept()
        (request,) = line.asked()
        say(line, request, bound(49))
        self.clock.advance(0.1)
        self.server.hurry()
        self.assertEqual((self.dialer.waiting, self.server.hurrying), (0, False))

    def test_logged_once(self) -> None:
        """An outage is one line, and its end another."""
        with capturedLogs() as events:
            self.server.start()
            for _ in range(5):
                self.dialer.refuse()
                self.clock.advance(3)
            self.log_on()
        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn, LogLevel.info])

    def test_surprise(self) -> None:
        """An error of our own while connecting is logged with its traceback, and does not end the attempts."""
        self.server.start()
        self.dialer.refuse(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.server.state, self.server.trouble), (State.DOWN, "ZeroDivisionError"))
        self.clock.advance(3)
        self.log_on()

    def test_in_flight(self) -> None:
        """What was in flight fails after the state has changed, so that whoever repeats it does not come back here."""
        line = self.up()
        found = self.search()
        line.cut()
        self.failureResultOf(found, LineLost)
        self.assertIs(self.changes[-1], State.DOWN)


class Doubting(ServerCase):
    def test_answers_again(self) -> None:
        """After a time-out the server is doubtful until it answers the cheapest question."""
        line = self.up()
        found = self.search()
        line.clear()
        self.clock.advance(5)
        self.failureResultOf(found, AnswerOverdue)
        self.assertTrue(self.server.doubtful)
        probe = line.asked()[-1]
        self.assertEqual(probe.op.baseObject, b"")
        say(line, probe, done())
        self.assertEqual((self.server.doubtful, self.server.trouble, self.server.state), (False, "", State.UP))

    def test_gone(self) -> None:
        """A server that stays silent is given up after three patiences; it is down then and not worth waiting for."""
        line = self.up()
        self.clock.advance(900)
        found = self.search()
        self.clock.advance(5)
        self.failureResultOf(found, AnswerOverdue)
        self.clock.pump([5, 4.9])
        self.assertIs(self.server.state, State.UP)
        self.clock.advance(0.2)
        self.assertTrue(line.aborted)
        self.assertEqual((self.server.state, self.server.trouble), (State.DOWN, "3 time-outs in a row"))
        self.clock.advance(1)
        self.log_on()
        self.assertFalse(self.server.doubtful)

    def test_bind(self) -> None:
        """A bind without an answer raises the doubt as well; its connection is not used again."""
        line = self.up()
        word = self.bind()
        bind_line = self.dialer.accept()
        self.clock.advance(5)
        self.failureResultOf(word, AnswerOverdue)
        self.assertTrue(bind_line.aborted)
        self.assertTrue(self.server.doubtful)
        say(line, line.asked()[-1], done())
        self.assertFalse(self.server.doubtful)
        self.assertEqual(self.server._binds.size, 0)


class Binding(ServerCase):
    def test_own_connection(self) -> None:
        """Binds have connections of their own, asked for the password policy, and used again after an answer."""
        line = self.up()
        word = self.bind()
        bind_line = self.dialer.accept()
        (request,) = bind_line.asked()
        self.assertEqual((request.op.dn, request.op.auth), (b"cn=anna", b"a secret"))
        self.assertEqual(request.controls, [(b"1.3.6.1.4.1.42.2.27.8.5.1", None, None)])
        say(bind_line, request, bound(49))
        self.assertIs(self.successResultOf(word).cause, LogonCause.WRONG)
        again = self.bind()
        (request,) = bind_line.asked()
        say(bind_line, request, bound())
        self.assertIsNone(self.successResultOf(again).cause)
        self.assertEqual(line.asked(), [])

    def test_nothing_sent(self) -> None:
        """A connection that cannot be made is NotConnected; one that is lost after sending is not."""
        self.up()
        word = self.bind()
        self.dialer.refuse()
        self.failureResultOf(word, NotConnected)
        word = self.bind()
        self.dialer.accept().cut()
        self.assertIsInstance(self.failureResultOf(word, DirectoryUnreachable).value, LineLost)

    def test_cancelled(self) -> None:
        """A bind that is cancelled takes its connection with it."""
        self.up()
        word = self.bind()
        bind_line = self.dialer.accept()
        word.cancel()
        self.failureResultOf(word, CancelledError)
        self.assertTrue(bind_line.aborted)


class Stopping(ServerCase):
    def test_stop(self) -> None:
        """All connections are closed, what is in flight fails, and nothing is tried again."""
        self.up()
        found, word = self.search(), self.bind()
        self.dialer.accept()
        stopped = self.server.stop()
        self.assertNoResult(stopped)
        self.clock.advance(0)
        self.successResultOf(stopped)
        self.failureResultOf(found, LineLost)
        self.failureResultOf(word, LineLost)
        self.assertEqual((self.dialer.waiting, self.clock.getDelayedCalls()), (0, []))

    def test_while_connecting(self) -> None:
        """A dial is cancelled; a pause before the next attempt ends."""
        self.server.start()
        self.successResultOf(self.server.stop())
        self.setUp()
        self.server.start()
        self.dialer.refuse()
        self.successResultOf(self.server.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_logging_on(self) -> None:
        """A connection whose service account is not bound yet is cut."""
        self.server.start()
        line = self.dialer.accept()
        self.successResultOf(self.server.stop())
        self.assertTrue(line.aborted)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
