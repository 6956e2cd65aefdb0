"""Verdicts: who is asked, where a request goes, why it goes nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.config.roster import Roster
from exfront.config.settings import Authentication, BackEnd, Hash, Kind, Match, VirtualDirectory, VirtualServer
from exfront.model import (
    Account,
    AccountName,
    AmbiguousAccount,
    AskDirectory,
    AskHolders,
    AskLogon,
    DirectoryAway,
    Forward,
    LoggedOn,
    NameKind,
    NoAccount,
    Refuse,
    RequestHead,
    Server,
)
from exfront.policy.replicas import order
from exfront.policy.route import route
from exfront.policy.rule import Rule, make_rule

ROSTER = Roster([BackEnd("backend1", "127.0.0.2", 9001)])
ONE, TWO, THREE = (ROSTER.server(name) for name in ("backend1", "backend2", "backend3"))
OLD = ROSTER.server("backend0", current=False)
ANNA = Account("cn=anna", "anna.logon", b"S-1-5-1", ("anna@adatum.com", "am@contoso.com"), ONE, public_server=TWO)
BORIS = Account("cn=boris", "boris", b"S-1-5-2", ("boris@adatum.com",), TWO)
ME = LoggedOn("ADATUM\\anna", ANNA)
AWAY = DirectoryAway("no answer", 7)


def head(target: bytes) -> RequestHead:
    return RequestHead(b"GET", target, target.partition(b"?")[0], 1, b"www.adatum.com", b"", {}, 0, True, target)


def rule(path: str = "/exchange", kind: Kind = Kind.MAILBOX, *, logon: bool = True, **more: Any) -> Rule:
    server = VirtualServer(
        "default", authentication=Authentication.BASIC if logon else Authentication.NONE, smtp_domain=("adatum.com",)
    )
    return make_rule(server, VirtualDirectory(path.strip("/") or "root", path, kind, **more), ROSTER)


def asked(*addresses: str) -> AskDirectory:
    return AskDirectory(tuple(AccountName(NameKind.ADDRESS, one) for one in addresses))


class Rules(SynchronousTestCase):
    def test_defaults_come_from_the_virtual_server(self) -> None:
        """F11, F25: its authentication and its SMTP domains, unless the virtual directory has its own."""
        self.assertEqual((rule().domains, rule().authenticate, rule().depth), (("adatum.com",), True, 1))
        own = rule(authentication=Authentication.NONE, smtp_domain=("b.com",))
        self.assertEqual((own.domains, own.authenticate), (("b.com",), False))

    def test_a_domain_named_twice_counts_once(self) -> None:
        """F11: where it stood first, in any case."""
        self.assertEqual(rule(smtp_domain=("B.com", "a.com", "b.com")).domains, ("b.com", "a.com"))

    def test_servers_are_the_configured_ones(self) -> None:
        """F46: in the order of the configuration, with what [back-end] says of them."""
        made = rule("/f", Kind.FORWARD, servers=("backend2", "BACKEND1", "backend2"))
        self.assertEqual(made.servers, (TWO, ONE))
        self.assertEqual((made.servers[1].address, made.servers[1].port), ("127.0.0.2", 9001))


class Logon(SynchronousTestCase):
    def test_it_comes_first(self) -> None:
        """F25: before anything is looked up, in every kind that is routed."""
        for kind in (Kind.MAILBOX, Kind.PUBLIC, Kind.TREE, Kind.FORWARD):
            self.assertIsInstance(route(head(b"/exchange//x"), rule(kind=kind), None), AskLogon)

    def test_other_kinds_are_not_routed_here(self) -> None:
        """The tree never brings an application or the password page here."""
        for kind in (Kind.APPLICATION, Kind.PASSWORD):
            self.assertRaises(ValueError, route, head(b"/x"), rule("/x", kind, logon=False), None)


class Implicit(SynchronousTestCase):
    def test_the_user_s_own_mailbox(self) -> None:
        """F12: at the home server, the local part of the address in the vdir's domain, query and spelling kept."""
        self.assertEqual(route(head(b"/Exchange?Cmd=x"), rule(), ME), Forward((ONE,), b"/Exchange/anna/?Cmd=x"))
        self.assertEqual(
            route(head(b"/exchange/"), rule(smtp_domain=("contoso.com",)), ME), Forward((ONE,), b"/exchange/am/")
        )

    def test_the_first_domain_counts_first(self) -> None:
        """F12: the order of the configuration, not that of the user's addresses."""
        made = rule(smtp_domain=("none.com", "contoso.com", "adatum.com"))
        self.assertEqual(route(head(b"/exchange/"), made, ME), Forward((ONE,), b"/exchange/am/"))

    def test_no_address_in_the_domain(self) -> None:
        """F12, F15: the whole primary address; without any address the logon name."""
        made = rule(smtp_domain=("other.com",))
        self.assertEqual(route(head(b"/exchange/"), made, ME), Forward((ONE,), b"/exchange/anna@adatum.com/"))
        bare = LoggedOn("anna", replace(ANNA, addresses=()))
        self.assertEqual(route(head(b"/exchange/"), made, bare), Forward((ONE,), b"/exchange/anna.logon/"))

    def test_match_domain_wants_an_address_there(self) -> None:
        """F16: 403 without one."""
        made = rule(match=Match.DOMAIN, smtp_domain=("other.com",))
        self.assertEqual(route(head(b"/exchange/"), made, ME), Refuse(403, "not-in-domain"))
        self.assertEqual(route(head(b"/exchange/"), rule(match=Match.DOMAIN), ME), Forward((ONE,), b"/exchange/anna/"))
        made = rule(match=Match.DOMAIN, smtp_domain=("other.com",), user_in_path=False)
        self.assertEqual(route(head(b"/exchange/x"), made, ME), Refuse(403, "not-in-domain"))

    def test_without_authentication_it_is_refused(self) -> None:
        """F13: the page says to name the mailbox."""
        self.assertEqual(route(head(b"/exchange/"), rule(logon=False), None), Refuse(404, "name-the-mailbox"))

    def test_a_name_that_is_a_dot_segment_goes_nowhere(self) -> None:
        """F7, F12: the directory's values do not lead out of the virtual directory either."""
        odd = LoggedOn("x", replace(ANNA, addresses=("..@adatum.com",)))
        self.assertEqual(route(head(b"/exchange/"), rule(), odd), Refuse(404, "no-mailbox"))
        self.assertEqual(
            route(head(b"/exchange/"), rule(), LoggedOn("x", replace(ANNA, addresses=(), name="."))),
            Refuse(404, "no-mailbox"),
        )

    def test_user_in_path_no(self) -> None:
        """F12: the URL is left alone, nothing in it is read as a mailbox, only the server is chosen."""
        made = rule("/caldav", user_in_path=False)
        for target in (b"/caldav/", b"/caldav/boris/x?y", b"/caldav//x"):
            self.assertEqual(route(head(target), made, ME), Forward((ONE,), target))
        self.assertEqual(
            route(head(b"/caldav/boris"), rule("/caldav", user_in_path=False, logon=False), None),
            Refuse(404, "name-the-mailbox"),
        )


class Explicit(SynchronousTestCase):
    def test_the_directory_is_asked_in_the_domain(self) -> None:
        """F10, F14: with and without authentication; every domain of the vdir, in order."""
        self.assertEqual(route(head(b"/exchange/Boris/Inbox"), rule(), ME), asked("boris@adatum.com"))
        self.assertEqual(route(head(b"/exchange/boris"), rule(logon=False), None), asked("boris@adatum.com"))
        several = rule(smtp_domain=("a.com", "b.com"))
        self.assertEqual(route(head(b"/exchange/boris"), several, ME), asked("boris@a.com", "boris@b.com"))

    def test_an_address_overrides_the_domain(self) -> None:
        """F15: `match = account`."""
        self.assertEqual(route(head(b"/exchange/x@other.com/"), rule(), ME), asked("x@other.com"))

    def test_match_domain_takes_addresses_of_its_domain_only(self) -> None:
        """F16: any other is no mailbox; so is a user without an address there."""
        made = rule(match=Match.DOMAIN)
        self.assertEqual(route(head(b"/exchange/x@other.com/"), made, ME), Refuse(404, "no-mailbox"))
        self.assertEqual(route(head(b"/exchange/x@adatum.com/"), made, ME), asked("x@adatum.com"))
        stranger = replace(BORIS, addresses=("boris@other.com",))
        self.assertEqual(route(head(b"/exchange/boris/"), made, ME, stranger), Refuse(404, "no-mailbox"))
        self.assertEqual(route(head(b"/exchange/boris/"), made, ME, BORIS), Forward((TWO,), b"/exchange/boris/"))

    def test_no_domain_at_all(self) -> None:
        """F14: a name is then an account's; `match = domain` admits none."""
        server = VirtualServer("default", authentication=Authentication.NONE)
        for match, verdict in (
            (Match.ACCOUNT, AskDirectory((AccountName(NameKind.ACCOUNT, "anna"),))),
            (Match.DOMAIN, Refuse(404, "no-mailbox")),
        ):
            made = make_rule(server, VirtualDirectory("m", "/m", Kind.MAILBOX, match=match), ROSTER)
            self.assertEqual(route(head(b"/m/anna"), made, None), verdict)

    def test_the_owner_s_server(self) -> None:
        """F10, F17: a delegate's request goes to the owner's server, with the URL as it came."""
        self.assertEqual(
            route(head(b"/exchange/Boris/x?y"), rule(), ME, BORIS), Forward((TWO,), b"/exchange/Boris/x?y")
        )

    def test_neither_implicit_nor_a_name(self) -> None:
        """F19: an empty segment names nobody."""
        self.assertEqual(route(head(b"/exchange//boris"), rule(), ME), Refuse(404, "no-mailbox"))

    def test_nobody_two_and_no_home(self) -> None:
        """F19: 404; 403 with both DNs for the log; an entry without a home server is no mailbox."""
        self.assertEqual(route(head(b"/exchange/x"), rule(), ME, NoAccount()), Refuse(404, "no-mailbox"))
        both = route(head(b"/exchange/x"), rule(), ME, AmbiguousAccount(("cn=a", "cn=b")))
        self.assertEqual(both, Refuse(403, "ambiguous", "cn=a / cn=b"))
        self.assertEqual(route(head(b"/exchange/x"), rule(), ME, replace(BORIS, home=None)), Refuse(404, "no-mailbox"))

    def test_http_switched_off(self) -> None:
        """F18: implicit and explicit, the user's own switch and the mailbox owner's."""
        off = LoggedOn("anna", replace(ANNA, http_enabled=False))
        refused = Refuse(403, "http-disabled")
        self.assertEqual(route(head(b"/exchange/"), rule(), off), refused)
        self.assertEqual(route(head(b"/exchange/boris"), rule(), off), refused)
        self.assertEqual(route(head(b"/exchange/boris"), rule(), ME, replace(BORIS, http_enabled=False)), refused)

    def test_an_old_server_is_never_chosen(self) -> None:
        """F43: 502, for the user's own mailbox and for another's; the log says why."""
        for verdict in (
            route(head(b"/exchange/boris"), rule(), ME, replace(BORIS, home=OLD)),
            route(head(b"/exchange/"), rule(), LoggedOn("a", replace(ANNA, home=OLD))),
        ):
            assert isinstance(verdict, Refuse)
            self.assertEqual((verdict.status, verdict.reason), (502, "no-server"))
            self.assertIn("backend0, the home server, is older than version 6.0", verdict.detail)

    def test_the_directory_is_away(self) -> None:
        """F21: 503, with the time to wait."""
        self.assertEqual(
            route(head(b"/exchange/boris"), rule(), ME, AWAY), Refuse(503, "directory-away", "no answer", 7)
        )


class Forwarding(SynchronousTestCase):
    def test_first_available_without_authentication(self) -> None:
        """F46: the order of `servers`."""
        made = rule("/", Kind.FORWARD, logon=False, servers=("backend3", "backend1"))
        self.assertEqual(route(head(b"/x"), made, None), Forward((THREE, ONE), b"/x"))

    def test_hashed_when_authenticated(self) -> None:
        """F44: the order of the user's hash, by the rule's hash."""
        names = ("backend3", "backend1", "backend2")
        for how in Hash:
            made = rule("/", Kind.FORWARD, servers=names, hash=how)
            expected = Forward(order(ANNA.identity, (THREE, ONE, TWO), how), b"/x")
            self.assertEqual([route(head(b"/x"), made, ME), route(head(b"/x"), made, ME)], [expected, expected])

    def test_nothing_to_choose_from(self) -> None:
        """F43: 502."""
        self.assertEqual(route(head(b"/x"), rule("/", Kind.FORWARD), ME), Refuse(502, "no-server"))


class Trees(SynchronousTestCase):
    def test_the_directory_is_asked_for_the_holders(self) -> None:
        """F40, F42: of the tree the virtual directory is configured for; the default tree has no name."""
        self.assertEqual(route(head(b"/apps/x"), rule("/apps", Kind.TREE, tree="CN=Apps"), ME), AskHolders("CN=Apps"))
        self.assertEqual(route(head(b"/public/x"), rule("/public", Kind.PUBLIC), ME), AskHolders(""))

    def test_the_holders_in_the_order_of_the_user_s_hash(self) -> None:
        """F42, F44: and the target as it came."""
        made = rule("/apps", Kind.TREE, tree="CN=Apps")
        ordered = order(ANNA.identity, (ONE, TWO, THREE), Hash.RENDEZVOUS)
        self.assertEqual(route(head(b"/apps/A%20b?c"), made, ME, (ONE, TWO, THREE)), Forward(ordered, b"/apps/A%20b?c"))

    def test_a_new_list_is_ordered_anew(self) -> None:
        """F44, F61: what was ordered before does not outlive the directory's list."""
        made = rule("/apps", Kind.TREE, tree="CN=Apps")
        route(head(b"/apps/"), made, ME, (ONE, TWO))
        self.assertEqual(set(route(head(b"/apps/"), made, ME, (TWO, THREE))[0]), {TWO, THREE})

    def test_replicas_stand_for_the_directory_s_list(self) -> None:
        """F46: in their own order without authentication, hashed with it."""
        given = {"tree": None, "replicas": ("backend3", "backend1")}
        self.assertEqual(
            route(head(b"/apps/"), rule("/apps", Kind.TREE, logon=False, **given), None),
            Forward((THREE, ONE), b"/apps/"),
        )
        self.assertEqual(
            route(head(b"/apps/"), rule("/apps", Kind.TREE, **given), ME)[0],
            order(ANNA.identity, (THREE, ONE), Hash.RENDEZVOUS),
        )

    def test_without_authentication_by_the_directory_s_order(self) -> None:
        """F46: every request to the first available."""
        made = rule("/apps", Kind.TREE, logon=False)
        self.assertEqual(route(head(b"/apps/"), made, None, (ONE, OLD, TWO)), Forward((ONE, TWO), b"/apps/"))

    def test_old_servers_are_left_out(self) -> None:
        """F43: never chosen, and 502 where no other is left."""
        made = rule("/apps", Kind.TREE)
        self.assertEqual(route(head(b"/apps/"), made, ME, (OLD, ONE)), Forward((ONE,), b"/apps/"))
        self.assertEqual(route(head(b"/apps/"), made, ME, (OLD,)), Refuse(502, "no-server"))
        self.assertEqual(route(head(b"/apps/"), made, ME, ()), Refuse(502, "no-server"))

    def test_the_directory_is_away(self) -> None:
        """F21: 503."""
        self.assertEqual(
            route(head(b"/apps/"), rule("/apps", Kind.TREE), ME, AWAY), Refuse(503, "directory-away", "no answer", 7)
        )

    def test_an_account_is_no_list(self) -> None:
        """The caller's mistake is an exception, not a page."""
        self.assertRaises(TypeError, route, head(b"/apps/"), rule("/apps", Kind.TREE), ME, BORIS)


class DefaultTree(SynchronousTestCase):
    def test_the_public_store_s_server_comes_first(self) -> None:
        """F41: then the other holders in the order of the user's hash."""
        holders = (ONE, TWO, THREE)
        rest = [one for one in order(ANNA.identity, holders, Hash.RENDEZVOUS) if one != TWO]
        self.assertEqual(
            route(head(b"/public/F"), rule("/public", Kind.PUBLIC), ME, holders), Forward((TWO, *rest), b"/public/F")
        )
        alone: tuple[Server, ...] = ()
        self.assertEqual(
            route(head(b"/public/F"), rule("/public", Kind.PUBLIC), ME, alone), Forward((TWO,), b"/public/F")
        )

    def test_an_old_or_unknown_public_server_is_passed_over(self) -> None:
        """F43: the holders alone are left."""
        for public in (OLD, None):
            user = LoggedOn("anna", replace(ANNA, public_server=public))
            self.assertEqual(
                route(head(b"/public/F"), rule("/public", Kind.PUBLIC), user, (OLD, THREE)),
                Forward((THREE,), b"/public/F"),
            )

    def test_away_but_known(self) -> None:
        """F21, F41: the user's own public store needs no list; without one it is 503."""
        made = rule("/public", Kind.PUBLIC)
        self.assertEqual(route(head(b"/public/F"), made, ME, AWAY), Forward((TWO,), b"/public/F"))
        self.assertEqual(
            route(head(b"/public/F"), made, LoggedOn("b", BORIS), AWAY), Refuse(503, "directory-away", "no answer", 7)
        )

    def test_general_trees_do_not_look_at_the_public_store(self) -> None:
        """F42: the list alone counts."""
        self.assertEqual(route(head(b"/apps/"), rule("/apps", Kind.TREE), ME, (ONE,)), Forward((ONE,), b"/apps/"))

    def test_the_memo_is_bounded(self) -> None:
        """F44: ten thousand users are remembered at most, and all get their own order."""
        made = rule("/apps", Kind.TREE)
        holders = (ONE, TWO, THREE)
        for number in range(10_050):
            made.orders[b"%d" % number] = (holders, holders)
            if len(made.orders) == 10_000:
                break
        route(head(b"/apps/"), made, ME, holders)
        self.assertEqual(list(made.orders), [ANNA.identity])


_SERVERS = st.sampled_from([ONE, TWO, THREE, OLD])
_NAMES = st.sampled_from(["anna", "..", ".", "a/b", "ü", "a@adatum.com", "x"])
_ACCOUNTS = st.builds(
    Account,
    dn=st.just("cn=x"),
    name=_NAMES,
    identity=st.binary(max_size=8),
    addresses=st.lists(_NAMES.map(lambda name: f"{name}@adatum.com"), max_size=2).map(tuple),
    home=_SERVERS | st.none(),
    public_server=_SERVERS | st.none(),
    http_enabled=st.booleans(),
)
_LISTS = st.lists(_SERVERS, unique=True).map(tuple) | st.just(AWAY)
_TARGETS = st.sampled_from([b"/v", b"/v/", b"/v?q", b"/v/anna", b"/v/anna/x?q", b"/v//x", b"/v/a%40b.c", b"/v/%ff"])


class EveryVerdict(SynchronousTestCase):
    @settings(deadline=None, max_examples=400)
    @given(st.data())
    def test_holds_what_the_relay_relies_on(self, data: st.DataObject) -> None:
        """F10 to F19, F40 to F46: at most one question, then an answer; plans are not empty, name nobody twice and nobody old (F43)."""
        kind = data.draw(st.sampled_from([Kind.MAILBOX, Kind.PUBLIC, Kind.TREE, Kind.FORWARD]))
        made = rule(
            "/v",
            kind,
            logon=data.draw(st.booleans()),
            match=data.draw(st.sampled_from(Match)),
            user_in_path=data.draw(st.booleans()),
            hash=data.draw(st.sampled_from(Hash)),
            servers=data.draw(st.sampled_from([(), ("backend2", "backend1")])),
        )
        identity = data.draw(st.builds(LoggedOn, st.just("x"), _ACCOUNTS)) if made.authenticate else None
        asked_for = head(data.draw(_TARGETS))
        verdict = route(asked_for, made, identity)
        if isinstance(verdict, AskDirectory):
            self.assertTrue(verdict.names)
            self.assertTrue(all(name.value == name.value.lower() for name in verdict.names))
            found = _ACCOUNTS | st.sampled_from([NoAccount(), AmbiguousAccount(("cn=a", "cn=b")), AWAY])
            verdict = route(asked_for, made, identity, data.draw(found))
        elif isinstance(verdict, AskHolders):
            verdict = route(asked_for, made, identity, data.draw(_LISTS))
        self.assertIsInstance(verdict, Forward | Refuse)
        if isinstance(verdict, Forward):
            self.assertTrue(verdict.candidates)
            self.assertEqual(len(set(verdict.candidates)), len(verdict.candidates))
            self.assertTrue(all(one.current for one in verdict.candidates))
            implicit = kind is Kind.MAILBOX and made.user_in_path and asked_for.path in (b"/v", b"/v/")
            self.assertEqual(verdict.target == asked_for.target, not implicit)
            self.assertTrue(verdict.target.startswith(b"/v"))
            self.assertNotIn(b"/../", verdict.target)
            self.assertNotIn(b" ", verdict.target)
        else:
            self.assertIn(verdict.status, (403, 404, 502, 503))
            self.assertEqual(verdict.retry_after > 0, verdict.status == 503)
