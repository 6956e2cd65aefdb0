"""Which server comes next, and whether there may be a next one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.model import ResponseHead, Server
from exfront.policy.failover import again_on_new_connection, choose, marks_server, may_retry, status_of
from exfront.policy.outcome import Answered, ClientGone, Referred, Unanswered, Unreached

A, B, C = (Server(name, "127.0.0.1") for name in "abc")
ANSWERED = Answered(ResponseHead(200, b"OK", 1, b"", {}, 0, True))
QUIET = (ANSWERED, ClientGone(), Referred(("b",)))


class Choosing(SynchronousTestCase):
    def test_the_first_while_all_is_well(self) -> None:
        """F63: without marks the plan's order is the order."""
        self.assertIs(choose((A, B), (), {}, 0, 600), A)
        self.assertIs(choose((A, B), (A,), {}, 0, 600), B)
        self.assertIsNone(choose((A, B), (A, B), {}, 0, 600))
        self.assertIsNone(choose((), (), {}, 0, 600))

    def test_a_marked_server_is_passed_over(self) -> None:
        """F63: as long as another one is not marked."""
        self.assertIs(choose((A, B, C), (), {A: 10}, 609, 600), B)
        self.assertIs(choose((A, B, C), (B,), {A: 10}, 609, 600), C)

    def test_a_mark_ends(self) -> None:
        """F62: 600 seconds, and not a moment longer."""
        self.assertIs(choose((A, B), (), {A: 10}, 610, 600), A)

    def test_all_marked_means_the_oldest_mark(self) -> None:
        """F65: the one marked longest ago is tried, the next oldest after it; a mailbox's only server always."""
        marks = {A: 30, B: 10, C: 20}
        self.assertIs(choose((A, B, C), (), marks, 40, 600), B)
        self.assertIs(choose((A, B, C), (B,), marks, 40, 600), C)
        self.assertIs(choose((A,), (), {A: 40}, 40, 600), A)

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(st.sampled_from([A, B, C]), unique=True),
        st.sets(st.sampled_from([A, B, C])),
        st.dictionaries(st.sampled_from([A, B, C]), st.integers(0, 1000)),
    )
    def test_a_walk_tries_each_once_unmarked_before_marked(
        self, plan: list[Server], tried: set[Server], marks: dict[Server, float]
    ) -> None:
        """F62, F63: walking to the end tries everything left exactly once, and no marked one before an unmarked one."""
        seen = list(tried)
        walk = []
        while (server := choose(plan, seen, marks, 1000, 600)) is not None:
            walk.append(server)
            seen.append(server)
        self.assertEqual(sorted(one.name for one in walk), sorted(one.name for one in plan if one not in tried))
        flags = [1000 - marks.get(one, -1000) < 600 for one in walk]
        self.assertEqual(flags, sorted(flags))


class Retrying(SynchronousTestCase):
    def test_nothing_sent_goes_on_always(self) -> None:
        """F64: whatever the method, whatever the body."""
        self.assertTrue(may_retry(b"POST", Unreached("refused"), False))
        self.assertTrue(may_retry(b"X-UNHEARD-OF", Unreached("connect time-out", True), False))

    def test_sent_and_unanswered_goes_on_for_repeatable_methods(self) -> None:
        """F64: safe or idempotent, with a body that is still there (RFC 9110 9.2.2, RFC 4918)."""
        lost = Unanswered("reset")
        for method in (
            b"GET",
            b"HEAD",
            b"OPTIONS",
            b"PUT",
            b"DELETE",
            b"PROPFIND",
            b"PROPPATCH",
            b"REPORT",
            b"SEARCH",
            b"MOVE",
        ):
            self.assertTrue(may_retry(method, lost, True), method)
            self.assertFalse(may_retry(method, lost, False), method)
        for method in (b"POST", b"PATCH", b"LOCK", b"BMOVE", b"get", b"CONNECT", b"NONE"):
            self.assertFalse(may_retry(method, lost, True), method)

    def test_a_dead_kept_alive_connection_does_not_make_post_repeatable(self) -> None:
        """F64: RFC 9110 9.2.2 knows no exception for it."""
        self.assertFalse(may_retry(b"POST", Unanswered("closed", kept_alive=True), True))
        self.assertTrue(may_retry(b"GET", Unanswered("closed", kept_alive=True), True))

    def test_an_answer_is_final(self) -> None:
        """F64: once a head has come nothing is sent again; nor for a client that has left."""
        for outcome in QUIET:
            self.assertFalse(may_retry(b"GET", outcome, True))


class Learning(SynchronousTestCase):
    def test_what_marks_a_server(self) -> None:
        """F62: refused, timed out, closed on a new connection."""
        for outcome in (
            Unreached("refused"),
            Unreached("x", True),
            Unanswered("reset"),
            Unanswered("hung", True, True),
        ):
            self.assertTrue(marks_server(outcome), outcome)
        for outcome in (Unanswered("closed", kept_alive=True), *QUIET):
            self.assertFalse(marks_server(outcome), outcome)

    def test_nonsense_marks_nobody(self) -> None:
        """F62 names what makes a server unavailable; a page that is not HTTP does not, or one bad page took it from everybody."""
        for outcome in (Unanswered("not HTTP", garbled=True), Unanswered("not HTTP", kept_alive=True, garbled=True)):
            self.assertFalse(marks_server(outcome))
            self.assertFalse(again_on_new_connection(outcome))
            self.assertTrue(may_retry(b"GET", outcome, True))
            self.assertFalse(may_retry(b"POST", outcome, True))

    def test_when_the_server_itself_is_tried_again(self) -> None:
        """F62: a kept-alive connection that turns out closed says nothing about the server."""
        self.assertTrue(again_on_new_connection(Unanswered("closed", kept_alive=True)))
        for outcome in (Unanswered("reset"), Unanswered("hung", True, True), Unreached("refused"), *QUIET):
            self.assertFalse(again_on_new_connection(outcome), outcome)

    def test_the_status_when_nothing_is_left(self) -> None:
        """F62: 504 where the last attempt timed out, 502 otherwise."""
        self.assertEqual(status_of([]), 502)
        self.assertEqual(status_of([Unreached("refused")]), 502)
        self.assertEqual(status_of([Unreached("refused"), Unanswered("hung", True)]), 504)
        self.assertEqual(status_of([Unreached("connect time-out", True), Unanswered("reset")]), 502)
