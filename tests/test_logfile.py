"""The file that lines are appended to."""

from __future__ import annotations

import os
import pathlib
import stat
import sys
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from exfront.logfile import LogFile


class Appending(SynchronousTestCase):
    def setUp(self) -> None:
        folder = pathlib.Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "access.log"
        self.events: list[dict[str, Any]] = []
        self.clock = Clock()

    def made(self, path: pathlib.Path | None = None) -> LogFile:
        file = LogFile(path or self.path, self.clock, Logger(observer=self.events.append), 0.5)
        self.addCleanup(file.close)
        return file

    def said(self) -> list[str]:
        return [formatEvent(one) for one in self.events]

    def test_lines_wait_at_most_the_delay(self) -> None:
        """Half a second after the first one, all are there, and no timer is left."""
        file = self.made()
        file.write(b"one\n")
        self.clock.advance(0.4)
        file.write(b"two\n")
        self.assertEqual(self.path.read_bytes(), b"")
        self.clock.advance(0.1)
        self.assertEqual(self.path.read_bytes(), b"one\ntwo\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_moves(self) -> None:
        """What waits goes into the old file, what comes afterwards into the new one; the old one is closed."""
        file = self.made()
        file.write(b"one\n")
        other = self.path.with_name("other.log")
        before = len(os.listdir("/proc/self/fd"))
        file.move(other)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        file.write(b"two\n")
        file.move(other)
        file.reopen()
        self.assertEqual((self.path.read_bytes(), other.read_bytes()), (b"one\n", b"two\n"))

    def test_cannot_move(self) -> None:
        """Where the new file cannot be opened, the old one goes on."""
        file = self.made()
        self.assertRaises(OSError, file.move, self.path / "below")
        file.write(b"one\n")
        file.flush()
        file.reopen()
        self.assertEqual(self.path.read_bytes(), b"one\n")

    def test_many_lines_do_not_wait(self) -> None:
        """At 64 KiB they are written."""
        file = self.made()
        for _ in range(64):
            file.write(b"x" * 1023 + b"\n")
        self.assertEqual(self.path.stat().st_size, 65536)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_appends_and_is_not_for_everybody(self) -> None:
        """What was there stays; others cannot read it."""
        file = self.made()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode) & 0o137, 0)
        file.write(b"one\n")
        file.close()
        again = self.made()
        again.write(b"two\n")
        again.close()
        self.assertEqual(self.path.read_bytes(), b"one\ntwo\n")

    def test_rotation(self) -> None:
        """After `reopen` lines go to a new file of the old name, the ones before to the one that was moved away."""
        file = self.made()
        file.write(b"old\n")
        moved = self.path.with_suffix(".1")
        self.path.rename(moved)
        file.reopen()
        file.write(b"new\n")
        file.flush()
        self.assertEqual((moved.read_bytes(), self.path.read_bytes()), (b"old\n", b"new\n"))

    def test_rotation_that_fails(self) -> None:
        """The old file goes on being used, and the log says so."""
        file = self.made()
        moved = self.path.parent.with_name(self.path.parent.name + "-moved")
        self.path.parent.rename(moved)
        file.reopen()
        file.write(b"still here\n")
        file.flush()
        self.assertEqual((moved / "access.log").read_bytes(), b"still here\n")
        self.assertEqual(len(self.said()), 1)
        self.assertIn("cannot be opened anew", self.said()[0])

    def test_closing_writes_what_waits(self) -> None:
        """Nothing is lost at a stop; closing twice is harmless."""
        file = self.made()
        file.write(b"last\n")
        file.close()
        file.close()
        self.assertEqual(self.path.read_bytes(), b"last\n")

    def test_a_full_disk_loses_lines_and_nothing_else(self) -> None:
        """What cannot be written is counted, and reported once a minute."""
        if not pathlib.Path("/dev/full").exists():
            raise SkipTest("no /dev/full here")
        file = self.made(pathlib.Path("/dev/full"))
        for seconds in (0, 10, 10, 50):
            self.clock.advance(seconds)
            file.write(b"a\nb\n")
            file.flush()
        self.assertEqual(file.lost, 8)
        self.assertEqual([one.partition(" ")[0] for one in self.said()], ["2", "6"])

    def test_a_slow_reader_gets_the_rest_later(self) -> None:
        """Standard output may be a pipe that somebody made non-blocking: lines are kept, whole and in order, up to a bound."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(writer, False)
        self.patch(os, "open", lambda *arguments: writer)
        file = self.made()
        sent = b"".join(b"%06d %s\n" % (number, b"x" * 92) for number in range(3000))
        for start in range(0, len(sent), 100):
            file.write(sent[start : start + 100])
        seen = b""
        while len(seen) < len(sent):
            seen += os.read(reader, 65536)
            self.clock.advance(0.5)
        self.assertEqual(seen, sent)
        self.assertEqual((file.lost, self.said()), (0, []))

    def test_closing_with_a_slow_reader(self) -> None:
        """What the pipe takes is written, and no timer stays behind."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(writer, False)
        self.patch(os, "open", lambda *arguments: writer)
        file = self.made()
        file.write(b"x" * 200_000)
        file.write(b"y\n")
        file.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_reader_at_all_costs_bounded_memory(self) -> None:
        """Beyond a megabyte lines are lost and counted; the next line begins a line of its own."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(writer, False)
        self.patch(os, "open", lambda *arguments: writer)
        file = self.made()
        line = b"x" * 49_999 + b"\n"
        for _ in range(40):
            file.write(line)
        self.assertTrue(file.lost)
        file.write(b"after\n")
        seen = b""
        while not seen.endswith(b"after\n"):
            seen += os.read(reader, 1 << 20)
            self.clock.advance(0.5)
        lines = seen.splitlines()
        self.assertEqual(lines[-1], b"after")
        whole = lines.count(b"x" * 49_999)
        self.assertEqual((whole + file.lost, len(lines) - whole), (40, 2))

    def test_standard_output(self) -> None:
        """No path is standard output, which is neither opened anew nor closed."""
        sys.stdout.flush()
        saved = os.dup(1)
        target = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        os.dup2(target, 1)
        try:
            file = LogFile(None, self.clock, Logger(observer=self.events.append))
            file.write(b"one\n")
            file.reopen()
            file.close()
            os.fstat(1)
        finally:
            os.dup2(saved, 1)
            os.close(saved)
            os.close(target)
        self.assertEqual(self.path.read_bytes(), b"one\n")
