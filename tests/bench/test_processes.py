"""The bench's workshop: nothing stays behind, and what is counted is the whole tree."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from bench import cpu, people
from bench.load import TEMPLATES
from bench.processes import Failed, Workshop, free_port
from bench.site import fill

PARENT = """
import socket, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].close()
"""


class WorkshopTests(TestCase):
    """Servers live exactly as long as the workshop."""

    def test_everything_ends(self) -> None:
        """An exception ends the servers with their children and removes the folder."""
        with self.assertRaises(ZeroDivisionError), Workshop() as workshop:
            port = free_port()
            server = workshop.start("parent", [sys.executable, "-c", PARENT, str(port)], [("127.0.0.1", port)])
            family = cpu.tree([server.pid])
            self.assertEqual(len(family), 2)
            raise ZeroDivisionError
        for pid in family:
            self.assertFalse(_runs(pid))
        self.assertFalse(workshop.folder.exists())

    def test_does_not_start(self) -> None:
        """A server that ends at once is reported with what it said."""
        with Workshop() as workshop:
            command = [sys.executable, "-c", "raise SystemExit('no such luck')"]
            failure = self.assertRaises(Failed, workshop.start, "luckless", command, [("127.0.0.1", free_port())])
            self.assertIn("no such luck", str(failure))
            self.assertRaises(Failed, workshop.start, "nothing", ["/nowhere/to/be/found"], [])
            self.assertRaises(Failed, workshop.check_alive)

    def test_free_port(self) -> None:
        """A server can bind the port at every address, and nobody else is given it meanwhile."""
        port = free_port(people.HOMES)
        for address in people.HOMES:
            socket.create_server((address, port)).close()
        self.assertNotIn(port, [free_port() for _ in range(20)])


class CountingTests(TestCase):
    """CPU time and memory from /proc."""

    def test_ended_children_count(self) -> None:
        """The time of a child that has ended is not lost."""
        before = cpu.seconds([os.getpid()])
        subprocess.run([sys.executable, "-c", "for _ in range(3_000_000): pass"], check=True)
        self.assertGreater(cpu.seconds([os.getpid()]), before)

    def test_peak(self) -> None:
        """Memory that was given back still shows in the peak, until the peak is reset."""
        cpu.reset_peak([os.getpid()])
        idle = cpu.resident([os.getpid()])
        block = bytearray(b"x" * (64 << 20))
        del block
        self.assertGreater(cpu.peak([os.getpid()]) - idle, 32 << 20)
        cpu.reset_peak([os.getpid()])
        self.assertLess(cpu.peak([os.getpid()]) - idle, 32 << 20)


class TemplateTests(TestCase):
    """Templates have a value for every name."""

    def test_missing_value(self) -> None:
        """A name without a value is an error and not a configuration file."""
        with Workshop() as workshop:
            target = workshop.folder / "slapd.conf"
            self.assertRaises(Failed, fill, "slapd.conf", target, {})
            self.assertIn("/somewhere/db", fill("slapd.conf", target, {"ROOM": "/somewhere"}).read_text())

    def test_browser_heads(self) -> None:
        """The load is a browser's head of 13 fields: Host, Authorization and what the script lists."""
        script = (TEMPLATES / "users.lua").read_text()
        self.assertEqual(script.count('  ["'), 11)

    def test_people(self) -> None:
        """Every user's entry names the home server that the checks expect."""
        with Workshop() as workshop:
            ldif = people.write_ldif(workshop.folder / "people.ldif", 6).read_text()
        self.assertEqual(ldif.count("objectClass: inetLocalMailRecipient"), 6)
        self.assertIn(f"mailLocalAddress: user5@adatum.com\nmailHost: {people.home(5)}\n", ldif)


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
