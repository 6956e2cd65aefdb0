"""The command line as an administrator types it: a process of its own, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet.threads import deferToThread
from twisted.trial import unittest

from exfront import __version__
from exfront.compiled import PACKAGE, state

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

ROOT = Path(__file__).parents[1]
WRONG = """\
[front-end]
listen = tcp:0
lisen = tcp:0
header_timeout = soon
[virtual-directory exchange]
path = /exchange
kind = postbox
"""


def python(folder: Path, code: str, *arguments: str) -> Deferred[subprocess.CompletedProcess[str]]:
    """A Python process in that folder, run to its end; in a thread, because uvloop keeps the news of ended children to itself."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", code, *arguments]
    return deferToThread(
        subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def twistd(folder: Path, *arguments: str) -> Deferred[subprocess.CompletedProcess[str]]:
    """`twistd` with these arguments."""
    return python(folder, "from twisted.scripts.twistd import run; run()", *arguments)


def twist(folder: Path, *arguments: str) -> Deferred[subprocess.CompletedProcess[str]]:
    """`twist` with these arguments."""
    return python(folder, "from twisted.application.twist._twist import Twist; Twist.main()", *arguments)


class OptionsTests(unittest.TestCase):
    """What `twistd exfront` says and how it exits."""

    timeout = 120

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        (self.folder / "wrong.ini").write_text(WRONG)

    async def test_version(self) -> None:
        """--version names exfront's version, not Twisted's, and whether it is compiled."""
        ended = await twistd(self.folder, "exfront", "--version")
        self.assertEqual((ended.stdout, ended.returncode), (f"exfront {__version__} ({state(PACKAGE)})\n", 0))

    async def test_sample_configuration_is_right(self) -> None:
        """C1: etc/fe.ini runs as it is, so the check says ok and exits with 0."""
        ended = await twistd(self.folder, "exfront", "--config", str(ROOT / "etc/fe.ini"), "--check")
        self.assertEqual((ended.stdout, ended.stderr, ended.returncode), ("ok\n", "", 0))

    async def test_check_lists_every_mistake(self) -> None:
        """C1: every mistake in one run, one a line, with exit status 1; a relative path counts from where one stands."""
        self.assert_refused(await twistd(self.folder, "exfront", "--config", "wrong.ini", "--check"))

    async def test_mistakes_stop_a_start(self) -> None:
        """C1: the same list stops a start in the foreground, and nothing is opened or left behind."""
        self.assert_refused(await twistd(self.folder, "--nodaemon", "exfront", "--config", "wrong.ini"))

    async def test_mistakes_stop_a_daemon(self) -> None:
        """C1: the list comes before the process leaves the terminal."""
        self.assert_refused(await twistd(self.folder, "exfront", "--config", "wrong.ini"))

    async def test_mistakes_stop_twist(self) -> None:
        """C1: the same with twist."""
        self.assert_refused(await twist(self.folder, "exfront", "--config", "wrong.ini"))

    async def test_missing_file(self) -> None:
        """C1: a file that is not there is a mistake like any other."""
        ended = await twistd(self.folder, "exfront", "--config", "no.ini", "--check")
        self.assertEqual((ended.stdout, ended.returncode), ("", 1))
        self.assertTrue(ended.stderr.startswith(str(self.folder / "no.ini")), ended.stderr)

    def assert_refused(self, ended: subprocess.CompletedProcess[str]) -> None:
        """Status 1; each mistake of `WRONG` with file, line, section and key; nothing else said, nothing left behind."""
        file = self.folder / "wrong.ini"
        self.assertEqual((ended.stdout, ended.returncode), ("", 1))
        for place in (
            "3: [front-end] lisen: ",
            "4: [front-end] header_timeout: ",
            "7: [virtual-directory exchange] kind: ",
        ):
            self.assertIn(f"{file}:{place}", ended.stderr)
        for line in ended.stderr.splitlines():
            self.assertTrue(line.startswith(str(file)), line)
        self.assertEqual(os.listdir(self.folder), ["wrong.ini"])


class ReactorTests(unittest.TestCase):
    """Whose reactor the service runs on."""

    timeout = 120

    async def test_ours_wins(self) -> None:
        """Once twist has looked at the plug-in's options, the reactor it takes by default is the one on uvloop's loop."""
        folder = Path(self.mktemp())
        folder.mkdir()
        ended = await python(
            folder,
            "from twisted.application.twist._options import TwistOptions\n"
            "options = TwistOptions()\n"
            "options.plugins['exfront'].options()\n"
            "print(type(options.installReactor('default')._asyncioEventloop).__module__)",
        )
        self.assertEqual((ended.stdout, ended.stderr), ("uvloop\n", ""))
