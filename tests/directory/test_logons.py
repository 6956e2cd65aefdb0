"""Logons: checked once, remembered as a hash, and what wrong credentials cost."""

from __future__ import annotations

import gc

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from exfront.config.roster import Roster
from exfront.directory.dn import normal_dn
from exfront.directory.interface import Bound
from exfront.directory.logons import Logons
from exfront.directory.make import make_schema
from exfront.directory.service import Directory
from exfront.model import DirectoryAway, LoggedOn, LogonCause, LogonRefused
from tests.fakes.directory import ROOT, FakeSource, basic, person, settings

ANNA_DN = f"uid=anna,ou=people,{ROOT}"
RIGHT = basic("anna", "secret")
WRONG = basic("anna", "wrong")


class LogonCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.source = FakeSource()
        given = settings()
        self.directory = Directory(self.source, make_schema(given), Roster(()), self.clock, given)
        self.logons = Logons(self.directory, self.source, self.clock, b"k" * 32)
        self.scope = self.logons.scope("default", "ADATUM")

    def check(self, authorization: bytes = RIGHT) -> object:
        return self.successResultOf(self.scope.check(authorization))

    def cause(self, authorization: bytes) -> LogonCause:
        answer = self.check(authorization)
        self.assertIsInstance(answer, LogonRefused)
        return answer.cause


class Names(LogonCase):
    def test_every_way_to_write_a_name(self) -> None:
        """F26: bare, with a domain, UPN, an address; in any case, with any encoding."""
        for typed in ("anna", "ADATUM\\anna", "anna@adatum.com", "ANNA", "adatum\\Anna", " anna "):
            answer = self.check(basic(typed, "secret"))
            self.assertIsInstance(answer, LoggedOn, typed)
            self.assertEqual((answer.name, answer.account.dn), (typed.strip(), ANNA_DN))

    def test_the_bind_is_made_as_the_entry_that_was_found(self) -> None:
        """F26: by its DN, never by what was typed."""
        self.check(basic("anna@adatum.com", "secret"))
        self.assertEqual(self.source.binds, [(ANNA_DN, "secret")])

    def test_passwords_of_all_kinds(self) -> None:
        """F26: colons and letters beyond ASCII; UTF-8 first, Latin-1 else (RFC 7617)."""
        for password in ("pass:word", "pässwörd", "  padded  "):
            self.source.passwords[normal_dn(ANNA_DN)] = password
            self.assertIsInstance(self.check(basic("anna", password)), LoggedOn)
        self.source.passwords[normal_dn(ANNA_DN)] = "pässwörd"
        self.assertIsInstance(self.check(basic("anna", "pässwörd", "latin-1")), LoggedOn)


class Refusals(LogonCase):
    def test_empty_passwords_never_reach_the_directory(self) -> None:
        """F26: neither a search nor a bind is made for them."""
        for name, password in (
            ("anna", ""),
            ("anna", "  "),
            ("anna", "\0"),
            ("anna", "secret\0"),
            ("", "secret"),
            (" ", "x"),
        ):
            self.assertIs(self.cause(basic(name, password)), LogonCause.EMPTY, (name, password))
        self.assertEqual((self.source.searches, self.source.binds), ([], []))

    def test_what_is_not_basic(self) -> None:
        """F26: malformed credentials never reach the directory either."""
        for authorization in (b"", b"Basic", b"Basic !!", b"Bearer abc", b"Basic YW5uYQ==", b"Negotiate YW5uYTpz"):
            self.assertIs(self.cause(authorization), LogonCause.MALFORMED, authorization)
        self.assertEqual(self.source.searches, [])

    def test_the_log_can_tell_refusals_apart(self) -> None:
        """F27: unknown, wrong, ambiguous, and all that the directory says."""
        self.assertIs(self.cause(basic("eve", "secret")), LogonCause.UNKNOWN)
        self.assertIs(self.cause(WRONG), LogonCause.WRONG)
        self.source.put(person("twin", "Mailbox1", sAMAccountName="bob"))
        answer = self.check(basic("bob", "secret"))
        self.assertIs(answer.cause, LogonCause.AMBIGUOUS)
        self.assertIn("uid=twin", answer.detail)
        for cause in (LogonCause.LOCKED, LogonCause.DISABLED, LogonCause.EXPIRED, LogonCause.MUST_CHANGE):
            self.source.verdicts[normal_dn(ANNA_DN)] = Bound(cause, detail="49 775")
            self.assertEqual(self.check(basic("anna", cause.value)), LogonRefused(cause, "anna", "49 775"))

    def test_an_ambiguous_name_binds_nobody(self) -> None:
        """F19, F27: no password is tried on either."""
        self.source.put(person("twin", "Mailbox1", sAMAccountName="bob"))
        self.check(basic("bob", "secret"))
        self.assertEqual(self.source.binds, [])


class Remembering(LogonCase):
    def test_a_right_password_is_believed_for_its_time_and_not_after(self) -> None:
        """F28: one bind in 600 seconds."""
        self.assertIsNone(self.scope.known(RIGHT))
        answer = self.check()
        self.clock.advance(599)
        self.assertEqual(self.scope.known(RIGHT), answer)
        self.assertEqual(len(self.source.binds), 1)
        self.clock.advance(1)
        self.assertIsNone(self.scope.known(RIGHT))
        self.check()
        self.assertEqual(len(self.source.binds), 2)

    def test_parallel_checks_bind_once(self) -> None:
        """F28: the right password, and the wrong one as well."""
        for authorization, kind in ((RIGHT, LoggedOn), (WRONG, LogonRefused)):
            self.directory.reset()
            self.source.binds.clear()
            self.source.held = True
            waiting = [self.scope.check(authorization) for _ in range(20)]
            while self.source.waiting:
                self.source.release()
            self.source.held = False
            self.assertEqual({type(self.successResultOf(one)) for one in waiting}, {kind})
            self.assertEqual(len(self.source.binds), 1)

    def test_wrong_credentials_double(self) -> None:
        """F28: 10, 20, 40 … seconds with each further bind that they cost, up to the cache's 600."""
        waits = []
        for _ in range(9):
            self.check(WRONG)
            before = self.clock.seconds()
            while self.scope.known(WRONG) is not None:
                self.clock.advance(5)
            waits.append(self.clock.seconds() - before)
        self.assertEqual(waits, [10, 20, 40, 80, 160, 320, 600, 600, 600])
        self.assertEqual(len(self.source.binds), 9)

    def test_a_phone_with_an_old_password(self) -> None:
        """F28: asking every half minute for a day costs fewer than 160 binds."""
        for _ in range(2 * 60 * 24):
            if self.scope.known(WRONG) is None:
                self.check(WRONG)
            self.clock.advance(30)
        self.assertLess(len(self.source.binds), 160)

    def test_other_credentials_are_not_touched(self) -> None:
        """F28: the right password is taken at once while a wrong one is remembered."""
        self.check(WRONG)
        self.assertIsInstance(self.check(RIGHT), LoggedOn)
        self.assertIs(self.cause(basic("anna", "wrong2")), LogonCause.WRONG)
        self.clock.advance(9)
        self.assertIsInstance(self.scope.known(WRONG), LogonRefused)

    def test_a_password_that_turns_right(self) -> None:
        """F28: after its time a remembered refusal is checked again, and forgotten when it is right."""
        self.check(WRONG)
        self.source.passwords[normal_dn(ANNA_DN)] = "wrong"
        self.clock.advance(10)
        self.assertIsInstance(self.check(WRONG), LoggedOn)
        self.source.passwords[normal_dn(ANNA_DN)] = "else"
        self.clock.advance(600)
        self.check(WRONG)
        self.clock.advance(10)
        self.assertIsNone(self.scope.known(WRONG))

    def test_what_an_administrator_ends_is_remembered_shortly(self) -> None:
        """A lock is asked for again every ten seconds, however long it lasts."""
        self.source.verdicts[normal_dn(ANNA_DN)] = Bound(LogonCause.LOCKED)
        for _ in range(3):
            self.check(RIGHT)
            self.clock.advance(9)
            self.assertIsInstance(self.scope.known(RIGHT), LogonRefused)
            self.clock.advance(1)
            self.assertIsNone(self.scope.known(RIGHT))

    def test_unknown_users_are_remembered_by_the_directory(self) -> None:
        """F60: ten seconds altogether, not ten more."""
        self.check(basic("eve", "secret"))
        self.clock.advance(9)
        self.check(basic("eve", "secret"))
        self.source.put(person("eve", "Mailbox1"))
        self.clock.advance(1)
        self.assertIsInstance(self.check(basic("eve", "secret")), LoggedOn)

    def test_a_client_in_a_hurry_costs_its_bind_all_the_same(self) -> None:
        """F28: the bind is finished and remembered though its client went away."""
        self.source.held = True
        waiting = self.scope.check(WRONG)
        while not self.source.binds:
            self.source.release()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.source.cancelled, 0)
        self.source.release()
        self.assertIsInstance(self.scope.known(WRONG), LogonRefused)

    def test_scopes_are_apart(self) -> None:
        """What one realm knows is nothing to another, nor to one with another default domain."""
        self.check(RIGHT)
        self.assertIsNone(self.logons.scope("other", "ADATUM").known(RIGHT))
        self.assertIsNone(self.logons.scope("default", "CONTOSO").known(RIGHT))
        self.assertIsNone(self.logons.scope("defaul", "tADATUM").known(RIGHT))
        self.assertIsNotNone(self.logons.scope("default", "ADATUM").known(RIGHT))


class Dropping(LogonCase):
    def test_a_changed_password(self) -> None:
        """F28: the old one is forgotten at once, and so are refusals; others stay known."""
        account = self.check().account
        self.check(WRONG)
        self.check(basic("bob", "secret"))
        self.source.passwords[normal_dn(ANNA_DN)] = "new"
        self.logons.drop(account)
        self.assertEqual((self.scope.known(RIGHT), self.scope.known(WRONG)), (None, None))
        self.assertIs(self.cause(RIGHT), LogonCause.WRONG)
        self.assertIsNotNone(self.scope.known(basic("bob", "secret")))

    def test_a_password_changed_during_a_check(self) -> None:
        """F28: what was found before the change is not remembered after it."""
        account = self.check().account
        self.clock.advance(600)
        self.source.held = True
        waiting = self.scope.check(RIGHT)
        while len(self.source.binds) < 2:
            self.source.release()
        self.logons.drop(account)
        self.source.release()
        self.assertIsInstance(self.successResultOf(waiting), LoggedOn)
        self.assertIsNone(self.scope.known(RIGHT))

    def test_a_password_changed_during_the_first_check(self) -> None:
        """F28: also where nothing was remembered before."""
        account = self.check(basic("bob", "secret")).account
        self.source.held = True
        waiting = self.scope.check(basic("bob", "old"))
        self.logons.drop(account)
        self.source.release()
        self.successResultOf(waiting)
        self.assertIsNone(self.scope.known(basic("bob", "old")))

    def test_a_reset_of_the_directory(self) -> None:
        """F61: logons are dropped too."""
        self.check()
        self.directory.reset()
        self.assertIsNone(self.scope.known(RIGHT))

    def test_a_moved_mailbox(self) -> None:
        """F50: the account is looked up afresh, the password stays believed."""
        account = self.check().account
        self.source.put(person("anna", "Mailbox2"))
        self.directory.forget(account)
        self.assertIsNone(self.scope.known(RIGHT))
        self.assertEqual(self.check().account.home.name, "backend2")
        self.assertEqual(self.scope.known(RIGHT).account.home.name, "backend2")
        self.assertEqual(len(self.source.binds), 1)

    def test_the_account_ends_before_the_logon(self) -> None:
        """F60: an account is used for its 600 seconds; the logon goes on with a fresh one and without a bind."""
        self.check(basic("anna@adatum.com", "secret"))
        self.clock.advance(300)
        other = basic("ANNA@adatum.com", "secret")
        self.check(other)
        self.source.put(person("anna", "Mailbox2"))
        self.clock.advance(300)
        self.assertIsNone(self.scope.known(other))
        self.assertEqual(self.check(other).account.home.name, "backend2")
        self.assertEqual(len(self.source.binds), 2)
        self.clock.advance(300)
        self.assertIsNone(self.scope.known(other))
        self.check(other)
        self.assertEqual(len(self.source.binds), 3)

    def test_the_name_now_belongs_to_somebody_else(self) -> None:
        """F28: a password is believed for the entry it opened, not for another."""
        account = self.check().account
        self.source.put(person("anna", None, sAMAccountName="old", uid="old"))
        self.source.put(person("newcomer", "Mailbox1", sAMAccountName="anna"))
        self.directory.forget(account)
        self.check()
        self.assertEqual([dn for dn, _ in self.source.binds], [ANNA_DN, f"uid=newcomer,ou=people,{ROOT}"])

    def test_somebody_gone(self) -> None:
        """A deleted account is refused as soon as it is looked up again."""
        account = self.check().account
        self.source.remove(ANNA_DN)
        self.directory.forget(account)
        self.assertIs(self.cause(RIGHT), LogonCause.UNKNOWN)


class Away(LogonCase):
    def test_successful_logons_go_on(self) -> None:
        """F21: at once, up to `stale` seconds past their end, and the log says so."""
        answer = self.check()
        self.clock.advance(600)
        self.source.go_away()
        with capturedLogs() as events:
            self.assertEqual(self.scope.known(RIGHT), answer)
        self.assertIn("stale answers are served", events[0]["log_format"])
        self.clock.advance(3599)
        self.assertEqual(self.scope.known(RIGHT), answer)
        self.clock.advance(1)
        self.assertIsNone(self.scope.known(RIGHT))
        self.assertIsInstance(self.check(), DirectoryAway)

    def test_an_absence_nobody_has_noticed_yet(self) -> None:
        """F21: the first bind that fails gives the remembered logon."""
        answer = self.check()
        self.clock.advance(600)
        self.source.go_away(known=False)
        self.assertEqual(self.check(), answer)

    def test_nobody_new_comes_in(self) -> None:
        """F21: what was never checked waits for the directory; it is asked as soon as that is back."""
        self.check()
        self.source.go_away()
        self.assertIsInstance(self.check(basic("bob", "secret")), DirectoryAway)
        self.assertIsInstance(self.check(basic("anna", "other")), DirectoryAway)
        self.source.come_back()
        self.assertIsInstance(self.check(basic("bob", "secret")), LoggedOn)

    def test_somebody_known_to_be_gone_does_not_come_back(self) -> None:
        """F21: what the directory said last counts: a deleted account is not served once the directory is away."""
        account = self.check().account
        self.source.remove(ANNA_DN)
        self.directory.forget(account)
        self.assertIs(self.cause(RIGHT), LogonCause.UNKNOWN)
        self.source.go_away()
        self.assertIsNone(self.scope.known(RIGHT))

    def test_a_stale_account_leaves_the_logon_alone(self) -> None:
        """F21: an absence nobody has noticed yet, with the account past its end and the password still believed."""
        self.check(basic("anna@adatum.com", "secret"))
        self.clock.advance(300)
        other = basic("ANNA@adatum.com", "secret")
        answer = self.check(other)
        self.clock.advance(300)
        self.source.go_away(known=False)
        self.assertEqual(self.check(other), answer)
        self.source.away = "refused"
        self.assertEqual(self.scope.known(other), answer)

    def test_refusals_do_not_go_stale(self) -> None:
        """F21: a wrong password is not refused for an hour because nobody can be asked."""
        self.check(WRONG)
        self.clock.advance(10)
        self.source.go_away()
        self.assertIsInstance(self.check(WRONG), DirectoryAway)

    def test_the_doubling_survives_an_absence(self) -> None:
        """F28: what failed to be asked is no bind."""
        self.check(WRONG)
        self.clock.advance(10)
        self.source.go_away()
        self.check(WRONG)
        self.source.come_back()
        self.check(WRONG)
        self.clock.advance(19)
        self.assertIsNotNone(self.scope.known(WRONG))
        self.clock.advance(1)
        self.assertIsNone(self.scope.known(WRONG))

    def test_back_again(self) -> None:
        """F21: the next request is checked."""
        self.check()
        self.clock.advance(700)
        self.source.go_away()
        self.assertIsNotNone(self.scope.known(RIGHT))
        self.source.come_back()
        self.assertIsNone(self.scope.known(RIGHT))
        self.source.passwords[normal_dn(ANNA_DN)] = "new"
        self.assertIs(self.cause(RIGHT), LogonCause.WRONG)

    def test_a_bug_is_logged_without_credentials(self) -> None:
        """Never fails, and the log shows no password."""
        self.source.down = ZeroDivisionError("bug")
        with capturedLogs() as events:
            self.assertEqual(self.check(), DirectoryAway("internal error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn(
            "secret", repr([event["log_failure"].getTraceback() for event in events if "log_failure" in event])
        )


class Leaks(LogonCase):
    def test_nothing_of_a_credential_is_kept(self) -> None:
        """F28: neither password nor header in any repr, nor anywhere in the objects that remain."""
        password = "correct-horse-battery"
        self.source.passwords[normal_dn(ANNA_DN)] = password
        header = basic("anna", password)
        bad = basic("anna", "incorrect-horse")
        self.assertIsInstance(self.check(header), LoggedOn)
        self.check(bad)
        self.source.passwords.clear()
        self.source.binds.clear()
        needles = (password, "incorrect-horse", header[6:].decode(), bad[6:].decode())
        for value in _reachable(self.logons, self.scope, self.directory):
            for needle in needles:
                if isinstance(value, str):
                    self.assertNotIn(needle, value)
                if isinstance(value, bytes | bytearray):
                    self.assertNotIn(needle.encode(), value)
        for shown in (repr(self.logons), repr(self.scope), repr(self.scope.known(header))):
            for needle in needles:
                self.assertNotIn(needle, shown)

    def test_the_search_for_leaks_finds_one(self) -> None:
        """The test above can fail."""
        self.logons._key = b"correct-horse"
        self.assertIn(b"correct-horse", list(_reachable(self.logons)))

    def test_the_key_makes_the_difference(self) -> None:
        """F28: the digest is keyed, so that a memory image cannot be compared with guessed headers without it."""
        other = Logons(self.directory, self.source, self.clock, b"x" * 32)
        self.check(RIGHT)
        self.successResultOf(other.scope("default", "ADATUM").check(RIGHT))
        self.assertNotEqual(list(self.logons._answers._slots), list(other._answers._slots))
        self.assertEqual({len(key) for key in self.logons._answers._slots}, {16})


def _reachable(*roots: object) -> list[object]:
    """All that hangs on these objects; modules, classes, functions' globals and the test's own things left out."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | type(gc)) or one is globals():
            continue
        seen[id(one)] = one
        if callable(one) and hasattr(one, "__globals__"):
            waiting += [*(cell.cell_contents for cell in one.__closure__ or ()), *(one.__defaults__ or ())]
        else:
            waiting += gc.get_referents(one)
    return list(seen.values())
