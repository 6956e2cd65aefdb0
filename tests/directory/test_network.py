"""Several servers in order, over real sockets: who is asked, what is repeated, and what callers are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ldaptor.protocols.pureldap import LDAPBindRequest, LDAPFilter_present, LDAPSearchRequest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from exfront.config.settings import DirectoryUrl, Scheme
from exfront.directory.dial import trusted
from exfront.directory.interface import Query, Scope
from exfront.directory.network import NetworkSource
from exfront.errors import DirectoryError, DirectoryUnreachable, SizeLimitExceeded
from exfront.model import LogonCause
from tests.fakes.ldap_server import FakeDirectory, Request, bound, done, entry, extended, usual, wire

QUERY = Query("dc=adatum", Scope.SUBTREE, LDAPFilter_present(b"cn"), ("cn",), 2)
PATIENCE = 0.4


def says(*ops: Any) -> Any:
    """Answer searches of the sample base with this, everything else as usual."""
    return lambda request: ops if is_search(request) else usual(request)


def is_search(request: Request) -> bool:
    """Whether it is a test's search, and not the greeting."""
    return isinstance(request.op, LDAPSearchRequest) and request.op.baseObject != b""


class NetworkCase(TestCase):
    async def fakes(self, count: int) -> list[FakeDirectory]:
        """So many servers that listen."""
        from twisted.internet import reactor

        self.servers = [FakeDirectory() for _ in range(count)]
        for server in self.servers:
            server.listen(reactor)
            self.addCleanup(lambda server=server: Deferred.fromCoroutine(server.stop()))
        return self.servers

    def source(
        self, *servers: FakeDirectory, bind_dn: str = "", bind_password: str = "", **changed: Any
    ) -> NetworkSource:
        """A started source of these servers, in order; stopped after the test."""
        from twisted.internet import reactor

        urls = [DirectoryUrl(Scheme.LDAP, "127.0.0.1", server.number) for server in servers]
        given = {"start_tls": False, "ca_file": None, "timeout": PATIENCE, "log": Logger("directory"), **changed}
        source = NetworkSource(reactor, urls, bind_dn=bind_dn, bind_password=bind_password, **given)
        source.start()
        self.addCleanup(source.stop)
        return source

    async def ready(self, count: int) -> tuple[NetworkSource, list[FakeDirectory]]:
        """A source that has connections to so many servers."""
        servers = await self.fakes(count)
        source = self.source(*servers)
        await self.until(lambda: all(server.state.name == "UP" for server in source._servers))
        return source, servers

    async def until(self, condition: Any, patience: float = 5) -> None:
        """Return as soon as the condition holds; the test fails if it does not within so many seconds."""
        from twisted.internet import reactor

        end = reactor.seconds() + patience
        while not condition():
            self.assertLess(reactor.seconds(), end, "the condition never came")
            await deferLater(reactor, 0.01)

    def counts(self) -> list[int]:
        """How many of the test's searches each server got."""
        return [len([request for request in server.asked if is_search(request)]) for server in self.servers]


class Order(NetworkCase):
    async def test_first(self) -> None:
        """The first server of the list is asked."""
        source, servers = await self.ready(2)
        servers[0].answer = says(entry("cn=first"), done())
        self.assertEqual((await source.search(QUERY))[0].dn, "cn=first")
        self.assertEqual(self.counts(), [1, 0])

    async def test_failover_and_back(self) -> None:
        """When the first goes the second is asked, and the first again as soon as it is back."""
        from twisted.internet import reactor

        source, servers = await self.ready(2)
        await servers[0].stop()
        await source.search(QUERY)
        self.assertEqual((self.counts(), source.away), ([0, 1], ""))
        servers[0].listen(reactor)
        await self.until(lambda: source._servers[0].state.name == "UP")
        await source.search(QUERY)
        self.assertEqual(self.counts(), [1, 1])

    async def test_before_the_first_connection(self) -> None:
        """A search right after the start waits for a connection; `away` is empty meanwhile."""
        source = self.source(*await self.fakes(1))
        self.assertEqual(source.away, "")
        self.assertEqual(await source.search(QUERY), [])

    async def test_nobody_there(self) -> None:
        """F21: with no server `away` names each with its trouble, and asking fails at once with the same."""
        servers = await self.fakes(2)
        for server in servers:
            await server.stop()
        source = self.source(*servers)
        error = await self.assertFailure(source.search(QUERY), DirectoryUnreachable)
        self.assertEqual(str(error), source.away)
        for server in servers:
            self.assertIn(f"ldap://127.0.0.1:{server.number}: connection refused", source.away)
        await self.assertFailure(source.bind("cn=anna", "secret"), DirectoryUnreachable)

    async def test_back(self) -> None:
        """F21: `away` is empty again within five seconds of a server's return."""
        from twisted.internet import reactor

        (server,) = await self.fakes(1)
        await server.stop()
        source = self.source(server)
        await self.until(lambda: source.away)
        server.listen(reactor)
        await self.until(lambda: not source.away, 5)
        self.assertEqual(await source.search(QUERY), [])

    async def test_back_at_once(self) -> None:
        """F21: the first request after a server's return is answered, however long the absence was."""
        from twisted.internet import reactor

        servers = await self.fakes(2)
        for server in servers:
            await server.stop()
        source = self.source(*servers)
        await self.until(lambda: source.away)
        source._servers[0]._delay = source._servers[1]._delay = 3.0
        for _ in range(2):
            await deferLater(reactor, 0.06)
            await self.assertFailure(source.search(QUERY), DirectoryUnreachable)
        servers[1].listen(reactor)
        await deferLater(reactor, 0.06)
        self.assertEqual(await source.search(QUERY), [])


class Repeating(NetworkCase):
    async def test_unwell(self) -> None:
        """Results 51, 52 and 80 are repeated once, on the other server."""
        source, servers = await self.ready(2)
        servers[1].answer = says(entry("cn=second"), done())
        for number, code in enumerate((51, 52, 80), 1):
            servers[0].answer = says(done(code))
            self.assertEqual((await source.search(QUERY))[0].dn, "cn=second")
            self.assertEqual(self.counts(), [number, number])

    async def test_only_once(self) -> None:
        """If the second is no better the search fails; a third server is not asked."""
        source, servers = await self.ready(3)
        for server in servers:
            server.answer = says(done(51))
        await self.assertFailure(source.search(QUERY), DirectoryUnreachable)
        self.assertEqual(self.counts(), [1, 1, 0])

    async def test_lost(self) -> None:
        """A search whose connection is cut is repeated on the other server."""
        source, servers = await self.ready(2)
        servers[0].answer = lambda request: None if is_search(request) else usual(request)
        servers[1].answer = says(entry("cn=second"), done())
        self.assertEqual((await source.search(QUERY))[0].dn, "cn=second")
        self.assertEqual(self.counts(), [1, 1])

    async def test_garbage(self) -> None:
        """So is one that is answered with something that is not LDAP."""
        source, servers = await self.ready(2)
        servers[0].answer = says(b"HTTP/1.0 400\r\n")
        servers[1].answer = says(entry("cn=second"), done())
        self.assertEqual((await source.search(QUERY))[0].dn, "cn=second")

    async def test_time_out(self) -> None:
        """So is one without an answer; the next go to the other server directly while the first is in doubt."""
        source, servers = await self.ready(2)
        servers[0].answer = lambda _: []
        await source.search(QUERY)
        self.assertEqual(self.counts(), [1, 1])
        await gatherResults([source.search(QUERY) for _ in range(5)])
        self.assertEqual((self.counts(), source.away), ([1, 6], ""))

    async def test_lone_server_in_doubt(self) -> None:
        """F21: a lone server that does not answer is away after one patience, and back with its next answer."""
        source, (server,) = await self.ready(1)
        server.answer = lambda _: []
        await self.assertFailure(source.search(QUERY), DirectoryUnreachable)
        self.assertIn("no answer within", source.away)
        server.answer = says(done())
        await self.until(lambda: not source.away)
        self.assertEqual(await source.search(QUERY), [])

    async def test_late_answer(self) -> None:
        """An answer after its time-out is ignored, and the connection goes on."""
        source, (server,) = await self.ready(1)
        late: list[Request] = []
        server.answer = lambda request: late.append(request) or [] if is_search(request) else usual(request)
        await self.assertFailure(source.search(QUERY), DirectoryUnreachable)
        server.answer = says(done())
        connection = server.connections[0]
        connection.transport.write(wire(late[0].number, entry("cn=late")) + wire(late[0].number, done()))
        self.assertEqual(await source.search(QUERY), [])
        self.assertEqual(server.connections, [connection])

    async def test_lone_server_that_closed(self) -> None:
        """With one server that has only closed its connection the search waits for the next connection."""
        source, (server,) = await self.ready(1)
        source._servers[0]._up_since -= 900  # the connection had held for long
        first = server.connections[0]
        server.answer = lambda request: None if is_search(request) and first in server.connections else usual(request)
        self.assertEqual(await source.search(QUERY), [])
        self.assertEqual(self.counts(), [2])

    async def test_answers_are_not_repeated(self) -> None:
        """What a server answers is the answer: too many entries, a referral, a refusal."""
        source, servers = await self.ready(2)
        for code, kind in ((4, SizeLimitExceeded), (10, DirectoryError), (50, DirectoryError), (53, DirectoryError)):
            servers[0].answer = says(done(code))
            await self.assertFailure(source.search(QUERY), kind)
        self.assertEqual(self.counts(), [4, 0])


class Binding(NetworkCase):
    def bound_by(self, server: FakeDirectory) -> int:
        """How many binds of users a server saw."""
        return len([request for request in server.of(LDAPBindRequest) if request.op.dn == b"cn=anna"])

    async def test_never_repeated_after_an_answer(self) -> None:
        """F28: a refused bind is not tried elsewhere: it would count twice towards a lockout. Nor is any other answered one."""
        source, servers = await self.ready(2)
        servers[0].answer = lambda request: [bound(49)] if isinstance(request.op, LDAPBindRequest) else usual(request)
        self.assertIs((await source.bind("cn=anna", "secret")).cause, LogonCause.WRONG)
        servers[0].answer = lambda request: [bound(52)] if isinstance(request.op, LDAPBindRequest) else usual(request)
        await self.assertFailure(source.bind("cn=anna", "secret"), DirectoryUnreachable)
        self.assertEqual([self.bound_by(server) for server in servers], [2, 0])

    async def test_never_repeated_when_unknown(self) -> None:
        """A bind that was sent and not answered, cut or timed out, is not tried elsewhere either."""
        source, servers = await self.ready(2)
        for silence in (None, []):
            servers[0].answer = lambda request, silence=silence: (
                silence if isinstance(request.op, LDAPBindRequest) else usual(request)
            )
            await self.assertFailure(source.bind("cn=anna", "secret"), DirectoryUnreachable)
        self.assertEqual([self.bound_by(server) for server in servers], [2, 0])

    async def test_elsewhere_when_nothing_was_sent(self) -> None:
        """While no connection for it can be made a bind goes to the next server."""
        source, servers = await self.ready(2)
        port, servers[0]._port = servers[0]._port, None
        await port.stopListening()  # the search connection stays
        self.assertIsNone((await source.bind("cn=anna", "secret")).cause)
        self.assertEqual([self.bound_by(server) for server in servers], [0, 1])

    async def test_no_connection_anywhere(self) -> None:
        """If no server takes a connection for it the bind fails, unsent."""
        source, servers = await self.ready(2)
        for server in servers:
            port, server._port = server._port, None
            await port.stopListening()
        await self.assertFailure(source.bind("cn=anna", "secret"), DirectoryUnreachable)

    async def test_never_on_a_search_connection(self) -> None:
        """Searches and binds do not share connections: a bind would abandon the searches."""
        source, (server,) = await self.ready(1)
        searching = server.connections[0]
        words = await gatherResults([source.bind("cn=anna", "secret") for _ in range(40)])
        self.assertEqual({word.cause for word in words}, {None})
        self.assertEqual(server.accepted, 17)
        self.assertIs(server.connections[0], searching)

    async def test_service_password_is_not_sent_to_strangers(self) -> None:
        """A referral as the answer to the service account's bind leads nowhere."""
        server, stranger = await self.fakes(2)
        server.answer = lambda request: [bound(10)] if isinstance(request.op, LDAPBindRequest) else usual(request)
        source = self.source(server, bind_dn="cn=exfront", bind_password="service secret")
        await self.assertFailure(source.search(QUERY), DirectoryUnreachable)
        self.assertIn("refers", source.away)
        self.assertEqual(stranger.accepted, 0)


class Making(NetworkCase):
    def test_urls(self) -> None:
        """Only ldap:// and ldaps://, and at least one."""
        from twisted.internet import reactor

        for urls in ([], [DirectoryUrl(Scheme.LDIF)], [DirectoryUrl(Scheme.SRV, "adatum.com")]):
            self.assertRaises(
                ValueError, NetworkSource, reactor, urls, bind_dn="", bind_password="", start_tls=False, ca_file=None,
                timeout=5, log=Logger("directory"),
            )  # fmt: skip

    def test_service_account_without_a_password(self) -> None:
        """F26: an empty password would be an anonymous bind that looks like success."""
        self.assertRaises(ValueError, self.source, FakeDirectory(), bind_dn="cn=exfront")

    def test_names(self) -> None:
        """Servers are named as in the configuration, IPv6 addresses in brackets."""
        from twisted.internet import reactor

        source = NetworkSource(
            reactor, [DirectoryUrl(Scheme.LDAP, "::1", 389), DirectoryUrl(Scheme.LDAPS, "dc1.adatum.com", 636)], bind_dn="",
            bind_password="", start_tls=False, ca_file=None, timeout=5, log=Logger("directory"),
        )  # fmt: skip
        self.assertEqual(
            [server.name for server in source._servers], ["ldap://[::1]:389", "ldaps://dc1.adatum.com:636"]
        )

    def test_authorities(self) -> None:
        """A file without a certificate, or no file at all, is an error when the source is made."""
        empty = Path(self.mktemp())
        self.assertRaises(OSError, trusted, empty)
        empty.write_text("no certificate")
        self.assertRaises(ValueError, trusted, empty)
        self.assertIsNotNone(trusted(None))

    async def test_start_tls_refused(self) -> None:
        """A server without StartTLS is not spoken to in the clear: no search, no bind, no password reaches it."""
        (server,) = await self.fakes(1)
        server.answer = lambda request: usual(request) or [extended(2)]
        source = self.source(server, bind_dn="cn=exfront", bind_password="service secret", start_tls=True)
        await self.assertFailure(source.search(QUERY), DirectoryUnreachable)
        self.assertIn("refuses StartTLS", source.away)
        self.assertEqual(server.of(LDAPBindRequest) + server.of(LDAPSearchRequest), [])
