"""The network directory against a real OpenLDAP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ldaptor.protocols.pureldap import (
    LDAPAssertionValue,
    LDAPAttributeDescription,
    LDAPFilter_equalityMatch,
    LDAPFilter_present,
)
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger, capturedLogs
from twisted.trial.unittest import TestCase

from exfront.config.settings import DirectoryUrl, Scheme
from exfront.directory.interface import Query, Scope
from exfront.directory.network import NetworkSource
from exfront.errors import DirectoryError, DirectoryUnreachable, SizeLimitExceeded
from exfront.model import LogonCause
from tests.real.certificates import Authority
from tests.real.organisation import BASE, CONFIGURATION, PEOPLE, SERVICE_DN, sid, user_dn
from tests.real.slapd import Slapd

if TYPE_CHECKING:
    from pathlib import Path

    from exfront.directory.interface import Bound, Entry

USERS = 1200
EVERYBODY = LDAPFilter_present(b"sAMAccountName")
PATIENCE = 2.0


def equal(name: bytes, value: bytes) -> LDAPFilter_equalityMatch:
    return LDAPFilter_equalityMatch(
        attributeDesc=LDAPAttributeDescription(name), assertionValue=LDAPAssertionValue(value)
    )


def by_address(number: int, *attributes: str) -> Query:
    wanted = equal(b"proxyAddresses", f"smtp:user{number}@adatum.com".encode())
    return Query(BASE, Scope.SUBTREE, wanted, attributes or ("uid",), size_limit=2)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class SlapdCase(TestCase):
    skip = Slapd.missing()
    users = 10
    options: dict[str, Any] = {}  # noqa: RUF012  a test case's constant

    def setUp(self) -> None:
        self.slapd = Slapd(**self.options)
        self.slapd.start(users=self.users)
        self.addCleanup(self.slapd.stop)

    def url(self, scheme: Scheme = Scheme.LDAP, host: str = "127.0.0.1") -> DirectoryUrl:
        return DirectoryUrl(scheme, host, self.slapd.tls_port if scheme is Scheme.LDAPS else self.slapd.port)

    def source(self, *urls: DirectoryUrl, ca_file: Path | None = None, **changed: Any) -> NetworkSource:
        """A source that is started, and stopped after the test."""
        from twisted.internet import reactor

        given = {
            "bind_dn": SERVICE_DN,
            "bind_password": Slapd.service_password,
            "start_tls": False,
            "timeout": PATIENCE,
        }
        source = NetworkSource(
            reactor,
            urls or [self.url()],
            ca_file=ca_file or self.slapd.ca_file,
            log=Logger("directory"),
            **{**given, **changed},
        )
        source.start()
        self.addCleanup(source.stop)
        return source

    async def until(self, condition: Any, patience: float) -> None:
        """Return as soon as the condition holds; the test fails if it does not within so many seconds."""
        from twisted.internet import reactor

        end = reactor.seconds() + patience
        while not condition():
            self.assertLess(reactor.seconds(), end, "the condition never came")
            await deferLater(reactor, 0.02)


class Searching(SlapdCase):
    users = USERS

    async def test_entry(self) -> None:
        """One user by address: only the attributes asked for, in lower case, values as raw bytes."""
        (found,) = await self.source().search(by_address(7, "uid", "objectSid", "proxyAddresses"))
        self.assertEqual(found.dn, user_dn(7))
        self.assertEqual(
            found.attributes,
            {"uid": (b"user7",), "objectsid": (sid(7),), "proxyaddresses": (b"SMTP:user7@adatum.com",)},
        )

    async def test_nobody(self) -> None:
        """No match is an empty list, and so is a base that is not there (result 32)."""
        source = self.source()
        self.assertEqual(await source.search(by_address(USERS + 5)), [])
        self.assertEqual(await source.search(Query(f"ou=nowhere,{BASE}", Scope.SUBTREE, EVERYBODY, ("uid",))), [])

    async def test_scopes(self) -> None:
        """Base, one level, subtree."""
        source = self.source()
        counts = [
            len(await source.search(Query(CONFIGURATION, scope, LDAPFilter_present(b"cn"), ("cn",))))
            for scope in (Scope.BASE, Scope.ONE, Scope.SUBTREE)
        ]
        self.assertEqual(counts, [1, 22, 23])

    async def test_two_match(self) -> None:
        """F19: more entries than wanted is an error and never one of them; as many as wanted is none."""
        source = self.source()
        query = Query(PEOPLE, Scope.ONE, EVERYBODY, ("uid",), size_limit=2)
        await self.assertFailure(source.search(query), SizeLimitExceeded)
        both = equal(b"mailHost", b"backend1")
        self.assertEqual(len(await source.search(query._replace(filter=both, size_limit=USERS))), USERS // 4)

    async def test_pages(self) -> None:
        """A list without a limit comes whole, page by page, although slapd's own limit is lower."""
        found = await self.source().search(Query(PEOPLE, Scope.ONE, EVERYBODY, ("uid",)))
        self.assertEqual(len({entry.dn for entry in found}), USERS)

    async def test_lists_side_by_side(self) -> None:
        """Lists and searches at the same time do not lose each other's pages."""
        source = self.source()
        lists = [source.search(Query(PEOPLE, Scope.ONE, EVERYBODY, ("uid",))) for _ in range(4)]
        searches = [source.search(by_address(3 + number)) for number in range(200)]
        found = await gatherResults([*lists, *searches])
        self.assertEqual([len(one) for one in found], [USERS] * 4 + [1] * 200)

    async def test_five_hundred_at_once(self) -> None:
        """Five hundred searches on one connection: each gets its own answer, at most a hundred are in flight."""
        source = self.source()
        await source.search(by_address(3))
        line = source._servers[0]._line
        searches = [source.search(by_address(3 + number)) for number in range(500)]
        self.assertEqual(line.connection.in_flight, 100)
        found = await gatherResults(searches)
        self.assertEqual([entries[0].dn for entries in found], [user_dn(3 + number) for number in range(500)])

    async def test_binds_do_not_disturb_searches(self) -> None:
        """A bind abandons what is in flight on its connection; searches have connections of their own."""
        source = self.source()
        searches = [source.search(by_address(3 + number)) for number in range(300)]
        binds = [source.bind(user_dn(3 + number), f"pw{3 + number}") for number in range(60)]
        found: list[list[Entry]] = await gatherResults(searches)
        words: list[Bound] = await gatherResults(binds)
        self.assertEqual([len(entries) for entries in found], [1] * 300)
        self.assertEqual({word.cause for word in words}, {None})
        self.assertLessEqual(source._servers[0]._binds.size, 16)

    async def test_anonymous(self) -> None:
        """Without a service account the searches are anonymous."""
        self.assertEqual(len(await self.source(bind_dn="", bind_password="").search(by_address(5))), 1)

    async def test_demanded_attribute_that_is_secret(self) -> None:
        """What the service account may not read does not come."""
        (found,) = await self.source().search(by_address(5, "uid", "userPassword"))
        self.assertEqual(set(found.attributes), {"uid"})


class Binding(SlapdCase):
    async def test_right_and_wrong(self) -> None:
        """F26: the right password opens, a wrong one does not, on the same connection one after the other."""
        source = self.source()
        for password, cause in (("pw4", None), ("pw5", LogonCause.WRONG), ("pw4", None), ("PW4", LogonCause.WRONG)):
            self.assertEqual((await source.bind(user_dn(4), password)).cause, cause)
        self.assertEqual(source._servers[0]._binds.size, 1)

    async def test_nobody(self) -> None:
        """F27: slapd says of an entry that is not there what it says of a wrong password."""
        self.assertEqual((await self.source().bind(user_dn(5000), "pw4")).cause, LogonCause.WRONG)

    async def test_not_a_name(self) -> None:
        """A name that is no DN opens nothing."""
        self.assertEqual((await self.source().bind("user4", "pw4")).cause, LogonCause.UNKNOWN)

    async def test_empty(self) -> None:
        """F26: empty, blank and NUL passwords and empty names never reach the directory."""
        source = self.source()
        for dn, password in ((user_dn(4), ""), (user_dn(4), "  "), (user_dn(4), "pw4\0"), ("", "pw4"), (" ", "pw4")):
            self.assertRaises(ValueError, source.bind, dn, password)
        self.assertRaises(ValueError, source.bind, user_dn(4), "\udcff")
        self.assertEqual(source._servers[0]._binds.size, 0)

    async def test_policy(self) -> None:
        """F27, F30: locked, expired, must change, and soon to expire, as the password policy control says it."""
        source = self.source()
        for name, cause in (
            ("locked", LogonCause.LOCKED),
            ("expired", LogonCause.EXPIRED),
            ("reset", LogonCause.MUST_CHANGE),
        ):
            word = await source.bind(f"uid={name},{PEOPLE}", f"pw {name}")
            self.assertEqual(word.cause, cause, name)
        word = await source.bind(f"uid=expiring,{PEOPLE}", "pw expiring")
        self.assertIsNone(word.cause)
        self.assertTrue(86400 - 600 < word.expires_in <= 86400, word)
        self.assertIsNone((await source.bind(user_dn(4), "pw4")).expires_in)

    async def test_expired_is_told_only_to_the_right_password(self) -> None:
        """F27: a wrong password is wrong, whatever else is the matter with the account."""
        self.assertEqual((await self.source().bind(f"uid=expired,{PEOPLE}", "no")).cause, LogonCause.WRONG)

    async def test_lockout(self) -> None:
        """F27, F28: three wrong passwords lock; from then on the right one says locked."""
        source, dn = self.source(), f"uid=strict,{PEOPLE}"
        for _ in range(3):
            self.assertEqual((await source.bind(dn, "no")).cause, LogonCause.WRONG)
        self.assertEqual((await source.bind(dn, "pw strict")).cause, LogonCause.LOCKED)


class ServiceAccount(SlapdCase):
    async def test_refused(self) -> None:
        """A wrong service password is the administrator's mistake: `away` and the log say so, without the password."""
        with capturedLogs() as events:
            source = self.source(bind_password="a wrong secret")
            await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)
            self.assertIn("service account", source.away)
            self.assertIn(SERVICE_DN, source.away)
            await source.stop()
        self.assertTrue(any("service account" in str(event.get("trouble")) for event in events))
        self.assertNotIn("a wrong secret", repr(events) + source.away)

    async def test_refused_is_not_repeated(self) -> None:
        """Each attempt may count towards the service account's lockout, so the next one is at least half a minute away."""
        source = self.source(bind_password="a wrong secret")
        await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)
        again = source._servers[0]._again
        self.assertGreater(again.getTime() - again.seconds(), 25)


class Secured(SlapdCase):
    async def test_ldaps(self) -> None:
        """LDAPS, verified by name and by address."""
        for host in ("localhost", "127.0.0.1"):
            source = self.source(self.url(Scheme.LDAPS, host))
            self.assertEqual(len(await source.search(by_address(3))), 1)
            self.assertIsNone((await source.bind(user_dn(4), "pw4")).cause)

    async def test_start_tls(self) -> None:
        """StartTLS, for searches and for binds."""
        source = self.source(self.url(host="localhost"), start_tls=True)
        self.assertEqual(len(await source.search(by_address(3))), 1)
        self.assertIsNone((await source.bind(user_dn(4), "pw4")).cause)

    async def test_wrong_authority(self) -> None:
        """A certificate that another authority signed is refused and named as the reason, for LDAPS and StartTLS."""
        from pathlib import Path

        folder = Path(self.mktemp())
        folder.mkdir()
        other = Authority(folder)
        for url, start_tls in ((self.url(Scheme.LDAPS), False), (self.url(), True)):
            source = self.source(url, ca_file=other.ca_file, start_tls=start_tls)
            await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)
            self.assertIn("TLS not verified: certificate verify failed", source.away)
            await self.assertFailure(source.bind(user_dn(4), "pw4"), DirectoryUnreachable)

    async def test_not_tls_at_all(self) -> None:
        """LDAPS to the plain port does not work and does not fall back."""
        source = self.source(DirectoryUrl(Scheme.LDAPS, "localhost", self.slapd.port))
        await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)
        self.assertNotEqual(source.away, "")


class WrongName(SlapdCase):
    options = {"names": ("dc1.adatum.com",)}  # noqa: RUF012  a test case's constant

    async def test_wrong_name(self) -> None:
        """A certificate for another host is refused and named as the reason, for names and addresses, LDAPS and StartTLS."""
        for host in ("localhost", "127.0.0.1"):
            for scheme in (Scheme.LDAPS, Scheme.LDAP):
                source = self.source(self.url(scheme, host), start_tls=True)
                await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)
                self.assertIn("TLS not verified: the certificate is not for this host", source.away)


class TlsDemanded(SlapdCase):
    options = {"more_global": "security simple_bind=1"}  # noqa: RUF012  a test case's constant

    async def test_plain_bind(self) -> None:
        """A directory that demands TLS for binds (result 13): the configuration's fault, nobody's wrong password."""
        source = self.source(bind_dn="", bind_password="")
        failure = await self.assertFailure(source.bind(user_dn(4), "pw4"), DirectoryError)
        self.assertIn("demands TLS", str(failure))
        secure = self.source(start_tls=True)
        self.assertIsNone((await secure.bind(user_dn(4), "pw4")).cause)


class ComingAndGoing(SlapdCase):
    async def test_stop_and_restart(self) -> None:
        """F21: `away` says so when the server is gone, and within five seconds of its return it is asked again."""
        source = self.source()
        await source.search(by_address(3))
        await source.bind(user_dn(4), "pw4")
        self.assertEqual(source.away, "")
        self.slapd.terminate()
        await self.until(lambda: source.away, 5)
        self.assertIn(f"127.0.0.1:{self.slapd.port}", source.away)
        await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)
        await self.assertFailure(source.bind(user_dn(4), "pw4"), DirectoryUnreachable)
        self.slapd.restart()
        await self.until(lambda: not source.away, 5)
        self.assertEqual(len(await source.search(by_address(3))), 1)
        self.assertIsNone((await source.bind(user_dn(4), "pw4")).cause)

    async def test_crash_under_load(self) -> None:
        """A crash fails what is in flight and nothing waits for ever."""
        source = self.source()
        await source.search(by_address(3))
        searches = [source.search(by_address(3 + number % 7)) for number in range(300)]
        self.slapd.kill()
        for search in searches:
            _ = search.addErrback(lambda failure: failure.trap(DirectoryUnreachable) and None)
        await gatherResults(searches)
        self.slapd.restart()
        await self.until(lambda: not source.away, 5)

    async def test_hanging(self) -> None:
        """F21: a server that hangs is away after one patience, not only after three, and back when it answers again."""
        source = self.source(timeout=0.5)
        await source.search(by_address(3))
        self.slapd.pause()
        await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)
        self.assertIn("no answer", source.away)
        self.slapd.resume()
        await self.until(lambda: not source.away, 5)
        self.assertEqual(len(await source.search(by_address(3))), 1)

    async def test_hanging_for_long(self) -> None:
        """A server that goes on hanging is given up, connection and all, and taken again when it answers."""
        source = self.source(timeout=0.3)
        await source.search(by_address(3))
        first = source._servers[0]._line
        self.slapd.pause()
        await self.assertFailure(source.bind(user_dn(4), "pw4"), DirectoryUnreachable)
        await self.until(lambda: source._servers[0]._line is not first, 5)
        self.assertNotEqual(source.away, "")
        self.slapd.resume()
        await self.until(lambda: not source.away, 5)
        self.assertIsNone((await source.bind(user_dn(4), "pw4")).cause)


class TwoServers(SlapdCase):
    async def test_failover(self) -> None:
        """The first server is asked while it is there, the second while it is not, without a failed search in between."""
        second = Slapd()
        second.start(users=10)
        self.addCleanup(second.stop)
        source = self.source(self.url(), DirectoryUrl(Scheme.LDAP, "127.0.0.1", second.port))
        first_server, second_server = source._servers
        await self.until(lambda: first_server.state.name == second_server.state.name == "UP", 5)
        self.assertIs(source._ready(()), first_server)
        searches = [source.search(by_address(3)) for _ in range(200)]
        self.slapd.kill()
        self.assertEqual([len(entries) for entries in await gatherResults(searches)], [1] * 200)
        self.assertIsNone((await source.bind(user_dn(4), "pw4")).cause)
        self.assertEqual(source.away, "")
        self.assertIs(source._ready(()), second_server)
        self.slapd.restart()
        await self.until(lambda: source._ready(()) is first_server, 5)


class Leaving(SlapdCase):
    async def test_descriptors(self) -> None:
        """After `stop` no socket is left, with TLS and without, with binds and searches in flight or none."""
        from twisted.internet import reactor

        await self.source().search(by_address(3))  # whatever the reactor opens for good is open now
        for start_tls in (False, True):
            before = descriptors()
            source = self.source(start_tls=start_tls)
            await source.search(by_address(3))
            await gatherResults([source.bind(user_dn(4), "pw4") for _ in range(20)])
            self.assertGreater(descriptors(), before + 4)
            waiting = [source.search(by_address(3)), source.bind(user_dn(4), "pw4")]
            for one in waiting:
                _ = one.addErrback(lambda failure: failure.trap(DirectoryUnreachable) and None)
            await source.stop()
            await gatherResults(waiting)
            await deferLater(reactor, 0)
            self.assertEqual(descriptors(), before)
            await self.assertFailure(source.search(by_address(3)), DirectoryUnreachable)

    async def test_at_once(self) -> None:
        """A source that is stopped while it connects leaves nothing behind; starting twice is starting once."""
        source = self.source()
        source.start()
        waiting: Deferred[Any] = source.search(by_address(3))
        await source.stop()
        await self.assertFailure(waiting, DirectoryUnreachable)
