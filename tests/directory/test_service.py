"""The façade: accounts and trees, found, cached, forgotten and served while the directory is away."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from exfront.config.roster import Roster
from exfront.config.settings import SchemaName
from exfront.directory.make import make_schema
from exfront.directory.service import Directory
from exfront.errors import DirectoryError
from exfront.model import Account, AccountName, AmbiguousAccount, DirectoryAway, NameKind, NoAccount
from tests.fakes.directory import (
    ORGANISATION,
    ROOT,
    FakeSource,
    entry,
    mailbox_store,
    organisation,
    person,
    public_store,
    server,
    settings,
)

ANNA = AccountName(NameKind.ADDRESS, "anna@adatum.com")
BOB = AccountName(NameKind.ADDRESS, "bob@adatum.com")
APPS = f"cn=Apps,{ORGANISATION}"


class DirectoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.source = FakeSource()
        self.make()

    def make(self, **keys: object) -> Directory:
        given = settings(**keys)
        self.directory = Directory(self.source, make_schema(given), Roster(()), self.clock, given)
        return self.directory

    def ask(self, name: AccountName = ANNA) -> object:
        """What the directory answers, which must come without waiting."""
        return self.successResultOf(self.directory.account(name))

    def holders(self, tree: str = "") -> list[str] | DirectoryAway:
        answer = self.successResultOf(self.directory.holders(tree))
        return answer if isinstance(answer, DirectoryAway) else [one.name for one in answer]


class Accounts(DirectoryCase):
    def test_the_home_server_is_found(self) -> None:
        """F10: user, mailbox store, owning server, its address."""
        account = self.ask()
        self.assertEqual((account.home.name, account.home.address), ("backend1", "backend1.adatum.com"))
        self.assertEqual((account.name, account.identity), ("anna", b"\x01\x05\0\0anna"))
        self.assertEqual(account.addresses, ("anna@adatum.com",))
        self.assertTrue(account.http_enabled)

    def test_the_public_server_is_found(self) -> None:
        """F41: the mailbox store names its public store, that one its server."""
        self.assertEqual(self.ask().public_server.name, "backend2")
        self.assertEqual(self.ask(BOB).public_server.name, "backend1")

    def test_every_kind_of_name(self) -> None:
        """F14, F26: address, principal and bare name lead to the same account; a domain before a bare name is not looked at."""
        names = (
            ANNA,
            AccountName(NameKind.PRINCIPAL, "anna@adatum.com"),
            AccountName(NameKind.ACCOUNT, "anna"),
            AccountName(NameKind.ACCOUNT, "anna", "adatum"),
        )
        self.assertEqual({self.ask(name) for name in names}, {self.ask()})
        self.assertEqual(self.ask(AccountName(NameKind.PRINCIPAL, "second@contoso.com")), self.ask(BOB))

    def test_invented_domains_fill_no_cache(self) -> None:
        """One account, one entry, however many domains are written before its name."""
        self.ask(AccountName(NameKind.ACCOUNT, "anna"))
        asked = len(self.source.searches)
        for number in range(10):
            self.ask(AccountName(NameKind.ACCOUNT, "anna", f"domain{number}"))
        self.assertEqual(len(self.source.searches), asked)

    def test_http_switched_off(self) -> None:
        """F18."""
        self.assertFalse(self.ask(AccountName(NameKind.ACCOUNT, "carol")).http_enabled)

    def test_nobody(self) -> None:
        """F19."""
        self.assertEqual(self.ask(AccountName(NameKind.ADDRESS, "x@y")), NoAccount())

    def test_two_entries_match(self) -> None:
        """F19: never one of the two, and the log names both DNs."""
        self.source.put(person("other", "Mailbox1", proxyAddresses="smtp:anna@adatum.com"))
        with capturedLogs() as events:
            answer = self.ask()
        self.assertEqual(sorted(answer.dns), [f"uid=anna,ou=people,{ROOT}", f"uid=other,ou=people,{ROOT}"])
        for dn in answer.dns:
            self.assertIn(dn, events[0]["dns"])

    def test_more_than_two_entries_match(self) -> None:
        """F19: a result that is too large is ambiguous as well; the names are fetched for the log."""
        for number in range(4):
            self.source.put(person(f"other{number}", "Mailbox1", proxyAddresses="smtp:anna@adatum.com"))
        self.assertEqual(len(self.ask().dns), 5)
        self.assertEqual(self.source.searches[-1].attributes, ("1.1",))

    def test_too_many_to_name(self) -> None:
        """F19: still ambiguous."""
        for number in range(30):
            self.source.put(person(f"other{number}", "Mailbox1", proxyAddresses="smtp:anna@adatum.com"))
        self.assertEqual(self.ask(), AmbiguousAccount(()))

    def test_an_ambiguous_name_does_not_hide_behind_a_good_one(self) -> None:
        """An account found under one name is not taken for the answer to another."""
        self.source.put(person("other", "Mailbox2", proxyAddresses="smtp:anna@adatum.com"))
        self.assertIsInstance(self.ask(AccountName(NameKind.ACCOUNT, "anna")), Account)
        self.assertIsNone(self.directory.known_account(ANNA))
        self.assertIsInstance(self.ask(ANNA), AmbiguousAccount)

    def test_an_old_home_server_is_marked(self) -> None:
        """F43: it is there, so that the refusal can say why, and not current."""
        self.source.put(mailbox_store("Mailbox1", "backend3", "Public2"))
        self.assertFalse(self.ask().home.current)

    def test_schema_laser(self) -> None:
        """F10: the entry itself names its home."""
        self.make(schema=SchemaName.LASER)
        self.source.put(entry(f"uid=eve,{ROOT}", uid="eve", mailLocalAddress="eve@x.org", mailHost="be7.x.org"))
        account = self.ask(AccountName(NameKind.ADDRESS, "eve@x.org"))
        self.assertEqual((account.home.name, account.home.address), ("be7.x.org", "be7.x.org"))
        self.assertEqual(self.directory.known_holders(""), ())
        self.assertEqual(self.holders(""), [])

    def test_cancelling_is_a_failure_and_reaches_the_source(self) -> None:
        """When the client goes away nobody goes on searching."""
        self.source.held = True
        waiting = self.directory.account(ANNA)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.source.cancelled, 1)

    def test_an_unexpected_error_is_logged_and_looks_like_absence(self) -> None:
        """Never fails, also when there is a bug."""
        self.source.down = ZeroDivisionError("bug")
        self.assertEqual(self.ask(), DirectoryAway("internal error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Dangling(DirectoryCase):
    def gone(self, *missing: str) -> tuple[Account, str]:
        """The account when these entries are not there, and what the log says."""
        for name in missing:
            self.source.remove(f"cn={name},{ORGANISATION}")
        with capturedLogs() as events:
            account = self.ask()
        return account, " | ".join(event["log_format"].format(**event) for event in events)

    def test_no_store(self) -> None:
        """A homeMDB that leads nowhere: no home, and the log names DN and attribute."""
        account, log = self.gone("Mailbox1")
        self.assertIsNone(account.home)
        self.assertIn(f"uid=anna,ou=people,{ROOT}: homeMDB", log)

    def test_no_server(self) -> None:
        """A store whose server is gone."""
        account, log = self.gone("backend1")
        self.assertIsNone(account.home)
        self.assertEqual(account.public_server.name, "backend2")
        self.assertIn(f"cn=Mailbox1,{ORGANISATION}: msExchOwningServer", log)

    def test_a_store_without_a_server(self) -> None:
        """A store that names none."""
        self.source.put(entry(f"cn=Mailbox1,{ORGANISATION}", objectClass="msExchPrivateMDB"))
        account, log = self.gone()
        self.assertIsNone(account.home)
        self.assertIn("msExchOwningServer is missing", log)

    def test_no_public_store(self) -> None:
        """The mailbox is still found."""
        account, log = self.gone("Public2")
        self.assertEqual(account.home.name, "backend1")
        self.assertIsNone(account.public_server)
        self.assertIn("msExchHomePublicMDB", log)

    def test_a_public_store_that_is_gone_for_good(self) -> None:
        """F60: such an account is kept as long as any other, and the log complains once, not for every user."""
        self.gone("Public2")
        with capturedLogs() as events:
            self.ask(AccountName(NameKind.ACCOUNT, "carol"))
            self.clock.advance(500)
            self.assertIsNotNone(self.directory.known_account(ANNA))
        self.assertEqual(events, [])

    def test_a_replica_in_the_air_does_not_matter(self) -> None:
        """F42, F60: the other holders are kept for their time."""
        self.source.put(public_store("Apps9", "nowhere", "Apps"))
        self.assertEqual(self.holders(APPS), ["backend2", "backend3"])
        self.clock.advance(500)
        self.assertIsNotNone(self.directory.known_holders(APPS))

    def test_nobody_home_is_asked_again_soon(self) -> None:
        """F60: an account without a home is a "no such" answer: ten seconds later a new mailbox is seen."""
        nobox = AccountName(NameKind.ACCOUNT, "nobox")
        self.assertIsNone(self.ask(nobox).home)
        self.source.put(person("nobox", "Mailbox2"))
        self.clock.advance(10)
        self.assertEqual(self.ask(nobox).home.name, "backend2")


class Caching(DirectoryCase):
    def test_known_for_600_seconds_and_not_after(self) -> None:
        """F60: and meanwhile the directory is not asked."""
        self.assertIsNone(self.directory.known_account(ANNA))
        account = self.ask()
        asked = len(self.source.searches)
        self.clock.advance(599)
        self.assertEqual(self.directory.known_account(ANNA), account)
        self.assertEqual(self.ask(), account)
        self.assertEqual(len(self.source.searches), asked)
        self.clock.advance(1)
        self.assertIsNone(self.directory.known_account(ANNA))

    def test_nobody_is_known_for_ten_seconds(self) -> None:
        """F60."""
        nobody = AccountName(NameKind.ADDRESS, "eve@adatum.com")
        self.ask(nobody)
        self.clock.advance(9)
        self.assertEqual(self.directory.known_account(nobody), NoAccount())
        self.source.put(person("eve", "Mailbox1"))
        self.clock.advance(1)
        self.assertIsInstance(self.ask(nobody), Account)

    def test_lookups_in_flight_are_made_once(self) -> None:
        """F60: a hundred requests, one search each for account, stores and servers."""
        self.source.held = True
        waiting = [self.directory.account(ANNA) for _ in range(100)]
        while self.source.waiting:
            self.source.release()
        self.assertEqual({self.successResultOf(one).name for one in waiting}, {"anna"})
        self.assertEqual(len(self.source.searches), 5)

    def test_stores_and_servers_are_shared(self) -> None:
        """F60: a second user of a store costs one search."""
        self.ask()
        asked = len(self.source.searches)
        self.ask(AccountName(NameKind.ACCOUNT, "carol"))
        self.assertEqual(len(self.source.searches), asked + 1)

    def test_a_moved_store_is_seen_by_everybody_in_time(self) -> None:
        """F60: what is known of a store is used for 600 seconds, also through accounts found later."""
        self.ask()
        self.clock.advance(299)
        carol = AccountName(NameKind.ACCOUNT, "carol")
        self.ask(carol)
        self.source.put(mailbox_store("Mailbox1", "backend2", "Public2"))
        self.clock.advance(301)
        self.assertEqual(self.ask(carol).home.name, "backend2")

    def test_no_account_lives_for_moments_only(self) -> None:
        """A store in the second half of its life is looked up again, so that accounts live half the time at least."""
        self.ask()
        self.clock.advance(599)
        self.ask(AccountName(NameKind.ACCOUNT, "carol"))
        self.assertGreaterEqual(self.directory.account_remaining(AccountName(NameKind.ACCOUNT, "carol")), 300)

    def test_forgetting_an_account_that_is_being_looked_up(self) -> None:
        """F50: the answer that was on its way is from before the move, and is not kept."""
        account = self.ask(AccountName(NameKind.ACCOUNT, "anna"))
        self.source.held = True
        waiting = self.directory.account(ANNA)
        self.directory.forget(account)
        self.source.release()
        self.assertIsInstance(self.successResultOf(waiting), Account)
        self.assertIsNone(self.directory.known_account(ANNA))

    def test_forgetting_an_account(self) -> None:
        """F50: a moved mailbox is found at once, by all its names; others stay known."""
        account = self.ask()
        self.ask(AccountName(NameKind.ACCOUNT, "anna"))
        self.ask(BOB)
        self.source.put(person("anna", "Mailbox2"))
        self.directory.forget(account)
        self.assertEqual(self.ask().home.name, "backend2")
        self.assertEqual(self.ask(AccountName(NameKind.ACCOUNT, "anna")).home.name, "backend2")
        self.assertIsNotNone(self.directory.known_account(BOB))

    def test_a_reset_forgets_everything(self) -> None:
        """F61: accounts, stores, servers and trees."""
        self.ask()
        self.holders(APPS)
        self.source.put(mailbox_store("Mailbox1", "backend2", "Public1"))
        self.source.put(public_store("Apps1", "backend1", "Apps"))
        self.directory.reset()
        self.assertIsNone(self.directory.known_account(ANNA))
        self.assertIsNone(self.directory.known_holders(APPS))
        self.assertEqual(self.ask().home.name, "backend2")
        self.assertEqual(self.holders(APPS), ["backend1", "backend2", "backend3"])


class Trees(DirectoryCase):
    def test_the_default_tree(self) -> None:
        """F41: the tree of the public stores that mailbox stores name; its servers by name."""
        self.assertIsNone(self.directory.known_holders(""))
        self.assertEqual(self.holders(""), ["backend1", "backend2"])
        self.assertEqual([one.name for one in self.directory.known_holders("")], ["backend1", "backend2"])

    def test_another_tree(self) -> None:
        """F42, F43: the servers with a replica; the old one is marked."""
        answer = self.successResultOf(self.directory.holders(APPS.upper()))
        self.assertEqual([(one.name, one.current) for one in answer], [("backend2", True), ("backend3", False)])

    def test_kept_for_600_seconds(self) -> None:
        """F60."""
        self.holders(APPS)
        self.source.put(public_store("Apps1", "backend1", "Apps"))
        self.clock.advance(599)
        self.assertEqual(self.holders(APPS), ["backend2", "backend3"])
        self.clock.advance(1)
        self.assertEqual(self.holders(APPS), ["backend1", "backend2", "backend3"])

    def test_no_such_tree(self) -> None:
        """F60: nobody holds it, for ten seconds."""
        self.assertEqual(self.holders("cn=Nothing"), [])
        self.assertEqual(self.directory.known_holders("cn=Nothing"), ())
        self.clock.advance(10)
        self.assertIsNone(self.directory.known_holders("cn=Nothing"))

    def test_a_server_twice_is_there_once(self) -> None:
        """Two stores of one tree on one server are one holder; a store without a server none."""
        self.source.put(public_store("Apps2b", "backend2", "Apps"))
        self.source.put(entry(f"cn=Apps9,{ORGANISATION}", objectClass="msExchPublicMDB", msExchOwningPFTree=APPS))
        self.assertEqual(self.holders(APPS), ["backend2", "backend3"])

    def test_no_default_tree(self) -> None:
        """No mailbox store names a public store."""
        self.source.hold([entry(ROOT, objectClass="organization")])
        self.assertEqual(self.holders(""), [])

    def test_the_directory_is_away(self) -> None:
        """F21: a value, not a failure; a cached answer goes on being used."""
        self.holders("")
        self.source.go_away()
        self.assertIsInstance(self.holders(APPS), DirectoryAway)
        self.clock.advance(4199)
        self.assertEqual(self.holders(""), ["backend1", "backend2"])
        self.clock.advance(1)
        self.assertIsInstance(self.holders(""), DirectoryAway)


class Away(DirectoryCase):
    def test_nothing_cached(self) -> None:
        """F21: DirectoryAway with a time to wait; when the directory is back, the next request is answered."""
        self.source.go_away()
        answer = self.ask()
        self.assertEqual((answer.reason, answer.retry_after), ("gc1: refused", 5))
        self.source.come_back()
        self.assertIsInstance(self.ask(), Account)

    def test_cached_answers_are_used_past_their_end(self) -> None:
        """F21: synchronously while the absence is known, up to `stale` seconds; the log says so."""
        account = self.ask()
        self.clock.advance(600)
        self.source.go_away()
        with capturedLogs() as events:
            self.assertEqual(self.directory.known_account(ANNA), account)
        self.assertIn("stale answers are served", events[0]["log_format"])
        self.clock.advance(3599)
        self.assertEqual(self.directory.known_account(ANNA), account)
        self.clock.advance(1)
        self.assertIsNone(self.directory.known_account(ANNA))
        self.assertIsInstance(self.ask(), DirectoryAway)

    def test_an_absence_nobody_has_noticed_yet(self) -> None:
        """F21: the first lookup that fails gives the stale answer."""
        account = self.ask()
        self.clock.advance(600)
        self.source.go_away(known=False)
        self.assertIsNone(self.directory.known_account(ANNA))
        self.assertEqual(self.ask(), account)

    def test_nobody_goes_stale(self) -> None:
        """F21: "no such" is not held against somebody for an hour."""
        nobody = AccountName(NameKind.ADDRESS, "eve@adatum.com")
        self.ask(nobody)
        self.clock.advance(10)
        self.source.go_away()
        self.assertIsInstance(self.ask(nobody), DirectoryAway)

    def test_back_again(self) -> None:
        """F21: the next request is answered from the directory."""
        self.ask()
        self.clock.advance(600)
        self.source.go_away()
        self.assertEqual(self.ask().home.name, "backend1")
        self.source.put(person("anna", "Mailbox2"))
        self.source.come_back()
        self.assertEqual(self.ask().home.name, "backend2")

    def test_a_stale_account_keeps_looking(self) -> None:
        """F21: while stale answers are served somebody asks the directory every few seconds, and failures of that stay quiet."""
        self.ask()
        self.clock.advance(600)
        self.source.go_away()
        asked = len(self.source.searches)
        for _ in range(11):
            self.directory.known_account(ANNA)
            self.clock.advance(1)
        self.assertEqual(len(self.source.searches), asked + 3)

    def test_the_absence_comes_between_account_and_store(self) -> None:
        """F21: half an answer is none."""
        self.source.held = True
        waiting = self.directory.account(ANNA)
        self.source.go_away()
        self.source.release()
        self.source.release()
        self.assertIsInstance(self.successResultOf(waiting), DirectoryAway)


class Polling(DirectoryCase):
    def start(self, **keys: object) -> None:
        self.make(poll=60, **keys).start()
        self.ask()

    def assert_reset(self, reset: bool) -> None:
        self.clock.advance(60)
        self.assertEqual(self.directory.known_account(ANNA) is None, reset)

    def test_nothing_changed(self) -> None:
        """F61: caches stay."""
        self.start()
        for _ in range(3):
            self.assert_reset(False)

    def test_changes_that_reset(self) -> None:
        """F61: a new server, another version or address, another owner, a new tree or store, one gone."""
        for change in (
            server("backend4"),
            server("backend1", "Version 8.0"),
            server("backend1", networkAddress="ncacn_ip_tcp:10.0.0.1"),
            mailbox_store("Mailbox1", "backend2", "Public2"),
            public_store("Apps1", "backend1", "Apps"),
            entry(f"cn=New,{ORGANISATION}", objectClass="msExchPFTree"),
        ):
            self.source.hold(organisation())
            self.start()
            self.source.put(change)
            with capturedLogs() as events:
                self.assert_reset(True)
            self.assertEqual(len([one for one in events if "caches reset" in one["log_format"]]), 1)
            self.successResultOf(self.directory.stop())
        self.source.hold(organisation())
        self.start()
        self.source.remove(f"cn=Apps2,{ORGANISATION}")
        self.assert_reset(True)

    def test_changes_that_do_not_matter(self) -> None:
        """F61: people, descriptions and the order of values reset nothing."""
        self.start()
        self.source.put(person("eve", "Mailbox1"))
        self.source.put(server("backend1", description="in the cellar"))
        addresses = ["ncacn_ip_tcp:backend2.adatum.com", "netbios:BACKEND2"]
        self.source.put(server("backend2", networkAddress=addresses))
        self.assert_reset(False)

    def test_absence_is_no_change(self) -> None:
        """F61: a failed look compares nothing; a change meanwhile is seen when the directory is back."""
        self.start()
        self.source.go_away()
        self.assert_reset(False)
        self.source.put(server("backend4"))
        self.source.come_back()
        self.assert_reset(True)

    def test_the_first_look_is_repeated_soon(self) -> None:
        """A directory that is not there yet at the start is looked at again in seconds."""
        self.source.go_away()
        self.make(poll=60).start()
        self.source.come_back()
        self.clock.advance(5)
        self.source.put(server("backend4"))
        self.ask()
        self.assert_reset(True)

    def test_never(self) -> None:
        """`poll = 0` asks nothing."""
        self.make(poll=0).start()
        self.clock.advance(1000)
        self.assertEqual((self.source.searches, self.clock.getDelayedCalls()), ([], []))

    def test_stopping(self) -> None:
        """Nothing is left behind: no delayed call, no search in flight; the source is stopped."""
        self.start()
        self.directory.start()
        self.successResultOf(self.directory.stop())
        self.assertEqual((self.clock.getDelayedCalls(), self.source.stopped), ([], 1))

    def test_stopping_during_a_look(self) -> None:
        """The look is cancelled and not repeated."""
        self.source.held = True
        self.make(poll=60).start()
        self.successResultOf(self.directory.stop())
        self.assertEqual((self.clock.getDelayedCalls(), self.source.cancelled), ([], 1))

    def test_a_bug_in_a_look_ends_no_polling(self) -> None:
        """It is logged, and the next look comes."""
        self.source.down = DirectoryError("busy")
        self.make(poll=60).start()
        self.source.down = ZeroDivisionError()
        self.clock.advance(5)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
