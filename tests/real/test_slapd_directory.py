"""The whole directory side against a real OpenLDAP: schemas, caches and logons over the network."""

from __future__ import annotations

import subprocess
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from exfront.config.roster import Roster
from exfront.config.settings import DirectorySettings, DirectoryUrl, SchemaName, Scheme, Secret
from exfront.directory.logons import Logons
from exfront.directory.make import make_schema, make_source
from exfront.directory.service import Directory
from exfront.model import (
    Account,
    AccountName,
    AmbiguousAccount,
    DirectoryAway,
    LoggedOn,
    LogonCause,
    LogonRefused,
    NameKind,
    NoAccount,
)
from tests.fakes.directory import basic
from tests.real.children import program
from tests.real.organisation import BASE, CONFIGURATION, PEOPLE, sid, user_dn
from tests.real.slapd import Slapd


class DirectoryOnSlapd(TestCase):
    skip = Slapd.missing()

    def setUp(self) -> None:
        self.slapd = Slapd()
        self.slapd.start(users=10)
        self.addCleanup(self.slapd.stop)
        self.make()

    def make(self, **keys: Any) -> Directory:
        """A directory on the server, started, with a realm for logons."""
        from twisted.internet import reactor

        given = {
            "base": BASE,
            "bind_dn": Slapd.service_dn,
            "bind_password": Secret(Slapd.service_password),
            "start_tls": True,
            "ca_file": self.slapd.ca_file,
            "timeout": 2,
            "poll": 0,
        }
        url = DirectoryUrl(Scheme.LDAP, "127.0.0.1", self.slapd.port)
        settings = DirectorySettings(url=(url,), **(given | keys))
        self.source = make_source(settings, reactor)
        self.directory = Directory(self.source, make_schema(settings), Roster(()), reactor, settings)
        self.logons = Logons(self.directory, self.source, reactor, b"k" * 32)
        self.scope = self.logons.scope("default", "ADATUM")
        self.directory.start()
        self.addCleanup(self.directory.stop)
        return self.directory

    def account(self, value: str, kind: NameKind = NameKind.ADDRESS) -> Deferred:
        return self.directory.account(AccountName(kind, value))

    def modify(self, changes: str) -> None:
        """Change the server's data, as an administrator does."""
        command = [program("ldapmodify") or "ldapmodify", "-x", "-H", self.slapd.url, "-D", self.slapd.admin_dn]
        subprocess.run(
            [*command, "-w", self.slapd.admin_password], input=changes.encode(), check=True, capture_output=True
        )

    async def until(self, condition: Any, patience: float = 10) -> None:
        """Return as soon as the condition holds."""
        from twisted.internet import reactor

        end = reactor.seconds() + patience
        while not condition():
            self.assertLess(reactor.seconds(), end, "the condition never came")
            await deferLater(reactor, 0.02)

    async def test_every_kind_of_name(self) -> None:
        """F10, F14, F26, F41: a real server's matching rules find what the schema asks for."""
        account = await self.account("USER5@adatum.com")
        self.assertEqual((account.name, account.identity, account.dn), ("user5", sid(5), user_dn(5)))
        self.assertEqual((account.home.name, account.public_server.name), ("backend2", "backend3"))
        for value, kind in (("user5@adatum.com", NameKind.PRINCIPAL), ("user5", NameKind.ACCOUNT)):
            self.assertEqual(await self.account(value, kind), account)
        self.assertEqual((await self.account("second2@contoso.com")).name, "user2")
        self.assertFalse((await self.account("user0", NameKind.ACCOUNT)).http_enabled)
        for value in ("nobody@adatum.com", "user*", "*", ")(uid=*", "\0", "ü@x"):
            self.assertEqual(await self.account(value), NoAccount(), value)

    async def test_two_and_more_match(self) -> None:
        """F19: two, and so many that the server's limit is reached."""
        for number in range(1, 4):
            self.modify(
                f"dn: {user_dn(number)}\nchangetype: modify\nadd: proxyAddresses\nproxyAddresses: smtp:all@adatum.com\n"
            )
            self.directory.reset()
            answer = await self.account("all@adatum.com")
            if number == 1:
                self.assertIsInstance(answer, Account)
            else:
                self.assertEqual(answer, AmbiguousAccount(tuple(user_dn(n) for n in range(1, number + 1))))

    async def test_trees(self) -> None:
        """F41, F42, F43."""
        default = await self.directory.holders("")
        apps = await self.directory.holders(f"CN=Apps,{CONFIGURATION}")
        self.assertEqual([one.name for one in default], ["backend1", "backend2", "backend3"])
        self.assertEqual([(one.name, one.current) for one in apps][-2:], [("backend4", True), ("backend5", False)])

    async def test_schema_laser(self) -> None:
        """F10: mailHost says where."""
        self.make(schema=SchemaName.LASER)
        account = await self.account("user5@adatum.com")
        self.assertEqual((account.home.name, account.addresses), ("backend2", ("user5@adatum.com",)))

    async def test_schema_custom(self) -> None:
        """F10: with names from the configuration."""
        keys = {"home_attribute": "mailHost", "account_filter": "(&(objectClass=inetOrgPerson)(!(sn=6)))"}
        self.make(schema=SchemaName.CUSTOM, **keys)
        account = await self.account("user5@adatum.com")
        self.assertEqual((account.home.name, account.name, len(account.identity)), ("backend2", "user5", 36))
        self.assertEqual(await self.account("user6@adatum.com"), NoAccount())

    async def test_logons(self) -> None:
        """F26, F27: right, wrong, unknown, and what a policy says."""
        for typed in ("user5", "ADATUM\\user5", "user5@adatum.com"):
            answer = await self.scope.check(basic(typed, "pw5"))
            self.assertIsInstance(answer, LoggedOn)
            self.assertEqual(answer.account.dn, user_dn(5))
        for name, password, cause in (
            ("user5", "wrong", LogonCause.WRONG),
            ("nobody", "pw5", LogonCause.UNKNOWN),
            ("locked", "pw locked", LogonCause.LOCKED),
            ("expired", "pw expired", LogonCause.EXPIRED),
            ("reset", "pw reset", LogonCause.MUST_CHANGE),
        ):
            answer = await self.scope.check(basic(name, password))
            self.assertIsInstance(answer, LogonRefused)
            self.assertIs(answer.cause, cause, name)

    async def test_a_phone_does_not_lock_its_owner_out(self) -> None:
        """F28: fifty requests with an old password are one failure of the three that lock."""
        phone = basic("strict", "old password")
        for answer in await gatherResults([self.scope.check(phone) for _ in range(50)]):
            self.assertIs(answer.cause, LogonCause.WRONG)
        self.assertIsNotNone(self.scope.known(phone))
        self.assertIsInstance(await self.scope.check(basic("strict", "pw strict")), LoggedOn)

    async def test_a_changed_topology_resets_the_caches(self) -> None:
        """F61: seen by polling, without a restart."""
        self.make(poll=0.1)
        name = AccountName(NameKind.ADDRESS, "user4@adatum.com")
        self.assertEqual((await self.directory.account(name)).home.name, "backend1")
        await self.until(lambda: self.directory._snapshot is not None)
        self.modify(
            f"dn: cn=Mailbox1b,{CONFIGURATION}\nchangetype: modify\nreplace: msExchOwningServer\n"
            f"msExchOwningServer: cn=backend4,{CONFIGURATION}\n"
        )
        await self.until(lambda: self.directory.known_account(name) is None)
        self.assertEqual((await self.directory.account(name)).home.name, "backend4")

    async def test_the_server_goes_and_comes(self) -> None:
        """F21: known answers and logons go on, others are told to wait; back again, the next is answered."""
        self.make(cache=0.5)
        name = AccountName(NameKind.ADDRESS, "user5@adatum.com")
        header = basic("user5", "pw5")
        account = await self.directory.account(name)
        self.assertIsInstance(await self.scope.check(header), LoggedOn)
        self.slapd.kill()
        await self.until(lambda: self.source.away)
        from twisted.internet import reactor

        await deferLater(reactor, 0.5)
        self.assertEqual(self.directory.known_account(name), account)
        self.assertIsInstance(await self.account("user6@adatum.com"), DirectoryAway)
        self.assertIsInstance(await self.scope.check(basic("user6", "pw6")), DirectoryAway)
        self.slapd.restart()
        await self.until(lambda: not self.source.away)
        self.assertIsInstance(await self.account("user6@adatum.com"), Account)
        self.assertIsInstance(await self.scope.check(header), LoggedOn)

    async def test_people_alone_are_searched(self) -> None:
        """A base below the whole directory bounds accounts; stores are found where the configuration says."""
        self.make(base=PEOPLE, configuration_base=CONFIGURATION)
        self.assertEqual((await self.account("user5@adatum.com")).home.name, "backend2")
        self.assertEqual(len(await self.directory.holders("")), 3)
