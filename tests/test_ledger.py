"""One record per finished request: the line and the counters."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.config.settings import LogFormat
from exfront.ledger import BUCKETS, Finished, Ledger

DONE = Finished(
    b"192.0.2.17", b"GET", b"/exchange/anna/?x", 1, 200, 1024, 0.0125, b"0123456789abcdef", 7, "anna", "exchange", "backend1", "",
    0.011, 1, b"https://www.adatum.com/", b"Mozilla/5.0 (X11)",
)  # fmt: skip
LINE = re.compile(
    rb'(\S+) - (\S+) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "(\S+) ([^"]*) HTTP/1\.(\d)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"'
    rb" vdir=(\S+) backend=(\S+) reason=(\S+) time=(\S+) backend_time=(\S+) received=(\d+) attempts=(\d+) id=(\S+)\n"
)
HOSTILE = st.binary(max_size=30) | st.sampled_from(
    [b'" 200 0 "-"', b"\r\n10.0.0.1 - - ", b"\\", b"\xff\x85\xe2\x80\xa8", b"\x1b[31m"]
)


class Lines(SynchronousTestCase):
    def line(self, done: Finished, form: LogFormat = LogFormat.COMBINED, wall: float = 1e9) -> bytes:
        lines: list[bytes] = []
        Ledger(lines.append, lambda: wall, form).record(done)
        self.assertEqual(len(lines), 1)
        return lines[0]

    def test_combined(self) -> None:
        """F19: Apache's combined format, and behind it what is ours by name."""
        found = LINE.fullmatch(self.line(DONE))
        assert found is not None
        self.assertEqual(found[1], b"192.0.2.17")
        self.assertEqual(found.groups()[3:], (
            b"GET", b"/exchange/anna/?x", b"1", b"200", b"1024", b"https://www.adatum.com/", b"Mozilla/5.0 (X11)",
            b"exchange", b"backend1", b"-", b"0.012500", b"0.011000", b"7", b"1", b"0123456789abcdef",
        ))  # fmt: skip

    def test_what_is_not_there_is_a_dash(self) -> None:
        """F19: a request that never got beyond its head."""
        done = Finished(b"", b"GET", b"/", 0, 400, 0, 0.0, b"", reason="malformed")
        found = LINE.fullmatch(self.line(done))
        assert found is not None
        self.assertEqual(
            [found[number] for number in (1, 2, 9, 10, 11, 12, 13, 15, 18)],
            [b"-", b"-", b"-", b"-", b"-", b"-", b"malformed", b"-", b"-"],
        )

    def test_escapes_are_hexadecimal(self) -> None:
        """F19: quotes, backslashes, controls, everything that is not ASCII."""
        line = self.line(DONE._replace(raw_target=b'/a"b\\c\xfc\n', user="jürgen b"))
        self.assertIn(rb'"GET /a\x22b\x5cc\xfc\x0a HTTP/1.1"', line)
        self.assertIn(rb" - j\xc3\xbcrgen\x20b [", line)

    @settings(deadline=None, max_examples=300)
    @given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, st.text(max_size=20))
    def test_nothing_a_client_sends_forges_a_line(
        self, target: bytes, method: bytes, referer: bytes, agent: bytes, any_id: bytes, user: str
    ) -> None:
        """F19: one line, every field in its place, printable ASCII only."""
        done = DONE._replace(
            raw_target=target,
            method=b"X" + method.replace(b" ", b""),
            referer=referer,
            user_agent=agent,
            request_id=any_id,
            user=user,
        )
        line = self.line(done)
        found = LINE.fullmatch(line)
        assert found is not None, line
        self.assertEqual((found[7], found[12], found[13]), (b"200", b"backend1", b"-"))
        self.assertTrue(line[:-1].isascii())
        self.assertTrue(line[:-1].decode().isprintable())

    @settings(deadline=None, max_examples=200)
    @given(HOSTILE, HOSTILE, st.text(max_size=20))
    def test_json_is_one_object_a_line(self, target: bytes, agent: bytes, user: str) -> None:
        """F19: the same fields under their own names."""
        line = self.line(DONE._replace(raw_target=target, user_agent=agent, user=user), LogFormat.JSON)
        self.assertEqual(line.count(b"\n"), 1)
        self.assertTrue(line[:-1].isascii())
        found: dict[str, Any] = json.loads(line)
        self.assertEqual((found["status"], found["user"], found["back_end"]), (200, user, "backend1"))
        self.assertEqual(set(found), {"time", *Finished._fields})
        self.assertEqual(found["raw_target"], target.decode("ascii", "backslashreplace"))

    def test_json_says_null_where_no_back_end_answered(self) -> None:
        """F62: and the time in UTC."""
        found = json.loads(self.line(DONE._replace(back_end_seconds=-1.0), LogFormat.JSON))
        self.assertIsNone(found["back_end_seconds"])
        self.assertEqual(found["time"], "2001-09-09T01:46:40+00:00")

    def test_the_time_follows_the_clock(self) -> None:
        """F19: the text is made once a second, and anew when the clock goes back, too."""
        now = [1e9]
        lines: list[bytes] = []
        ledger = Ledger(lines.append, lambda: now[0], LogFormat.JSON)
        for now[0] in (1e9, 1e9 + 0.9, 1e9 + 1, 1e9):
            ledger.record(DONE)
        self.assertEqual([json.loads(one)["time"][-8:-6] for one in lines], ["40", "40", "41", "40"])


class Counting(SynchronousTestCase):
    def setUp(self) -> None:
        self.ledger = Ledger(lambda line: None, lambda: 1e9, LogFormat.COMBINED)

    def test_per_virtual_directory(self) -> None:
        """S8: requests by method and status, bytes both ways, time."""
        for done in (DONE, DONE, DONE._replace(status=502), DONE._replace(vdir="")):
            self.ledger.record(done)
        tally = self.ledger.tallies["exchange"]
        self.assertEqual(tally.requests, {200: {b"GET": 2}, 502: {b"GET": 1}})
        self.assertEqual((tally.sent, tally.received), (3072, 21))
        self.assertApproximates(tally.seconds, 0.0375, 1e-9)
        self.assertEqual(self.ledger.tallies[""].requests, {200: {b"GET": 1}})

    def test_clients_cannot_make_counters(self) -> None:
        """S8: methods that nobody has registered are one."""
        for number in range(50):
            self.ledger.record(DONE._replace(method=b"M%d" % number))
        self.assertEqual(self.ledger.tallies["exchange"].requests, {200: {b"OTHER": 50}})

    def test_durations_fall_into_buckets(self) -> None:
        """S8: an upper bound belongs to its bucket; the last one has the rest."""
        for seconds in (0.0, BUCKETS[0], 0.006, BUCKETS[-1], 11.0, 1000.0):
            self.ledger.record(DONE._replace(seconds=seconds))
        self.assertEqual(self.ledger.tallies["exchange"].buckets, [2, 1, *[0] * 8, 1, 2])
