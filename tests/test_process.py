"""The front-end's life as a process: reload, drain, signals, ports that cannot be had, sockets that are handed over."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from twisted.application.service import Service
from twisted.internet import reactor
from twisted.internet.defer import succeed
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial import unittest

from exfront.process import FrontEndProcess
from tests.real.children import free_port
from tests.running import ONE_BACK_END, PATIENCE, TWISTD, Running, SlowBackEnd, accepts

HOWS = ("twistd -n", "twistd", "twist")


class ReloadTests(unittest.TestCase):
    """SIGHUP."""

    timeout = 120

    def setUp(self) -> None:
        self.back_end = SlowBackEnd(self)

    def test_however_started(self) -> None:
        """F61: SIGHUP changes to the new configuration: under twistd, as a daemon, and under twist."""
        for how in HOWS:
            with self.subTest(how):
                self.changed(Running(self, how=how, back_end=self.back_end.port).start())

    def changed(self, front: Running) -> None:
        self.assertEqual(front.ask(), (200, b"/all/"))
        front.configure(front.template.replace("/all", "/other").format_map(front.values))
        front.send(signal.SIGHUP)
        front.until(lambda: front.ask("/other/x")[0] == 200, "the new path is not served")
        self.assertEqual(front.ask()[0], 404)
        front.send(signal.SIGTERM)
        self.assertTrue(front.ended(PATIENCE))
        front.assert_no_traceback()
        self.assertFalse((front.folder / "twistd.pid").exists())

    def test_refused_whole(self) -> None:
        """F61, C1: a wrong configuration changes nothing, also not in what would be right; every mistake is logged."""
        front = Running(self, back_end=self.back_end.port).start()
        other = free_port()
        wrong = front.template.replace("/all", "/other").format_map(front.values | {"port": other})
        front.configure(wrong.replace("hosts = *", "hosts = *\nhost = x").replace("kind = forward", "kind = backward"))
        front.send(signal.SIGHUP)
        front.until_logged("not reloaded: ", 2)
        self.assertIn("[virtual-server default] host:", front.log())
        self.assertIn("[virtual-directory all] kind:", front.log())
        self.assertEqual((front.ask()[0], front.ask("/other/")[0], accepts(other)), (200, 404, False))
        front.configure()
        front.send(signal.SIGHUP)
        front.until_logged("the configuration is reloaded")
        front.assert_no_traceback()

    def test_ports(self) -> None:
        """Listen lines that come and go open and close ports; who is connected stays connected, wherever he came in."""
        front = Running(self, back_end=self.back_end.port).start()
        kept = http.client.HTTPConnection("127.0.0.1", front.port, timeout=PATIENCE)
        self.addCleanup(kept.close)
        kept.request("GET", "/all/1")
        self.assertEqual(kept.getresponse().read(), b"/all/1")
        before = kept.sock
        other = free_port()
        front.configure(port=other)
        front.send(signal.SIGHUP)
        front.until(lambda: accepts(other), "the new port is not open")
        front.until(lambda: not accepts(front.port), "the old port is still open")
        kept.request("GET", "/all/2")
        self.assertEqual(kept.getresponse().read(), b"/all/2")
        self.assertIs(kept.sock, before)

    def test_port_that_is_taken(self) -> None:
        """A new line that cannot be listened on refuses the reload as a whole."""
        front = Running(self, back_end=self.back_end.port).start()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            text = front.template.format_map(front.values).replace("/all", "/other")
            line = f"listen = tcp:{front.port}:interface=127.0.0.1"
            front.configure(text.replace(line, f"{line}\n  tcp:{taken.getsockname()[1]}:interface=127.0.0.1"))
            front.send(signal.SIGHUP)
            front.until_logged(
                f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1 cannot be listened on: Address already in use"
            )
            self.assertEqual((front.ask()[0], front.ask("/other/")[0]), (200, 404))
        front.send(signal.SIGHUP)
        front.until(lambda: front.ask("/other/")[0] == 200)

    def test_narrower_interface(self) -> None:
        """The same port on fewer addresses: the old socket makes room for the new one."""
        ini = ONE_BACK_END.replace("tcp:{port}:interface=127.0.0.1", "tcp:{port}")
        front = Running(self, ini, back_end=self.back_end.port).start()
        front.configure(ONE_BACK_END.format_map(front.values))
        front.send(signal.SIGHUP)
        front.until_logged("the configuration is reloaded")
        self.assertEqual(front.ask()[0], 200)
        front.configure()
        front.send(signal.SIGHUP)
        front.until_logged("the configuration is reloaded", 2)
        self.assertEqual(front.ask()[0], 200)
        front.assert_no_traceback()

    def test_rotation(self) -> None:
        """SIGHUP opens the access log anew, SIGUSR1 rotates twistd's own log and nothing else."""
        front = Running(self, options=("--logfile=twistd.log",), back_end=self.back_end.port).start()
        log, old = front.folder / "access.log", front.folder / "access.log.1"
        front.ask("/all/first")
        front.until(lambda: b"/all/first" in log.read_bytes(), "the line does not come by itself")
        log.rename(old)
        front.send(signal.SIGHUP)
        front.until(log.exists, "no new access log")
        front.ask("/all/second")
        front.until(lambda: b"/all/second" in log.read_bytes())
        self.assertNotIn(b"/all/second", old.read_bytes())
        front.send(signal.SIGUSR1)
        front.until((front.folder / "twistd.log.1").exists, "twistd's log is not rotated")
        self.assertEqual(front.ask()[0], 200)

    def test_access_log_elsewhere(self) -> None:
        """Another file and another format, by a reload."""
        front = Running(self, back_end=self.back_end.port).start()
        ini = front.template.format_map(front.values).replace("access.log", "other.log\nlog_format = json")
        front.configure(ini)
        front.send(signal.SIGHUP)
        front.until((front.folder / "other.log").exists)
        front.until_logged("the configuration is reloaded")
        front.ask("/all/there")
        front.until(lambda: '"raw_target":"/all/there"' in (front.folder / "other.log").read_text())

    def test_standard_output(self) -> None:
        """Lines reach a file behind standard output within the second, not at the end."""
        front = Running(self, ONE_BACK_END.replace("access.log", "-"), back_end=self.back_end.port).start()
        front.ask("/all/shown")
        asked = time.monotonic()
        front.until(lambda: b'"GET /all/shown HTTP/1.1" 200' in (front.folder / "output").read_bytes())
        self.assertLess(time.monotonic() - asked, 5)


class EndTests(unittest.TestCase):
    """SIGTERM."""

    timeout = 120

    def setUp(self) -> None:
        self.back_end = SlowBackEnd(self)

    def asking(self, front: Running, path: str = "/all/slow") -> http.client.HTTPConnection:
        """A request that has reached the back-end."""
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", path)
        self.assertTrue(self.back_end.arrived.wait(PATIENCE))
        self.back_end.arrived.clear()
        return connection

    def test_drain(self) -> None:
        """A request under way is answered, while nobody new comes in; further signals change nothing, and idle clients are let go."""
        for how in HOWS:
            with self.subTest(how):
                self.drained(how)

    def drained(self, how: str) -> None:
        self.back_end.release.clear()
        status = free_port()
        shown = f"status = tcp:{status}:interface=127.0.0.1"
        front = Running(self, how=how, back_end=self.back_end.port, front=shown).start()
        idle = socket.create_connection(("127.0.0.1", front.port), timeout=PATIENCE)
        self.addCleanup(idle.close)
        connection = self.asking(front)
        front.send(signal.SIGTERM)
        self.assertEqual(idle.recv(1), b"")
        front.until(lambda: not accepts(front.port), "new connections are accepted")
        self.assertEqual(front.ask("/ready", status), (503, b"stopping\n"))
        self.assertEqual(front.ask("/live", status)[0], 200)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            front.send(number)
            front.until_logged(f"{number.name}: exfront is stopping")
        self.back_end.release.set()
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.read()), (200, b"/all/slow"))
        self.assertTrue(front.ended(PATIENCE))
        front.assert_no_traceback()
        self.assertIn('"GET /all/slow HTTP/1.1" 200', (front.folder / "access.log").read_text())

    def test_drain_timeout(self) -> None:
        """What is not over after `drain_timeout` seconds is cut off, and the log says how many that were."""
        front = Running(self, back_end=self.back_end.port, front="drain_timeout = 1").start()
        connection = self.asking(front)
        front.send(signal.SIGTERM)
        self.assertRaises((http.client.RemoteDisconnected, ConnectionResetError), connection.getresponse)
        self.assertTrue(front.ended(PATIENCE))
        self.assertIn("1 connections were closed before their requests ended", front.log())
        front.assert_no_traceback()


class PortTests(unittest.TestCase):
    """Ports that cannot be had at the start."""

    timeout = 120

    def test_taken(self) -> None:
        """A port that is taken: one line that names it, at the terminal, exit status 1, nothing left behind."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for how in HOWS:
                with self.subTest(how):
                    front = Running(self, how=how)
                    front.configure(port=taken.getsockname()[1])
                    self.assert_refused(front, front.run(), "listen", "Address already in use")

    def test_status_taken(self) -> None:
        """The same for the status page's."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            front = Running(self, front=f"status = tcp:{taken.getsockname()[1]}:interface=127.0.0.1")
            self.assert_refused(front, front.run(), "status", "Address already in use")

    def test_another_reactor(self) -> None:
        """With a reactor that has no asyncio loop nothing can be opened; the message says what to do."""
        ended = Running(self, options=("--reactor=epoll",)).run()
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        self.assertEqual(
            ended.stderr, "exfront needs Twisted's asyncio reactor, not EPollReactor: leave out --reactor\n"
        )

    def test_privileged(self) -> None:
        """A port below 1024 without the right to it."""
        if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
            raise unittest.SkipTest("everybody may open port 80 here")
        front = Running(self, ONE_BACK_END.replace("access.log", "-"))
        front.configure(port=80)
        command = front.command()
        if os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service", *command]
        self.assert_refused(front, front.run(command), "listen", "Permission denied")

    def assert_refused(self, front: Running, ended: subprocess.CompletedProcess[str], key: str, reason: str) -> None:
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        line = next(
            line.partition("= ")[2]
            for line in (front.folder / "fe.ini").read_text().splitlines()
            if line.startswith(f"{key} =")
        )
        expected = f"{front.folder / 'fe.ini'}: [front-end] {key}: {line} cannot be listened on: {reason}\n"
        self.assertEqual(ended.stderr, expected)
        self.assertFalse((front.folder / "twistd.pid").exists())


LAUNCHER = """\
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[1], sys.argv[1:])
"""


class InheritedTests(unittest.TestCase):
    """Sockets that systemd hands over."""

    timeout = 120

    def test_served(self) -> None:
        """`systemd:domain=INET:index=0` is the first socket handed over; a reload keeps it."""
        back_end = SlowBackEnd(self)
        ini = ONE_BACK_END.replace("tcp:{port}:interface=127.0.0.1", "systemd:domain=INET:index=0")
        front = Running(self, ini, back_end=back_end.port)
        with (front.folder / "output").open("wb") as output, (front.folder / "errors").open("wb") as errors:
            command = [sys.executable, "-c", LAUNCHER, *front.command()]
            front.process = subprocess.Popen(
                command, cwd=front.folder, env=front.environment(), stdout=output, stderr=errors
            )
        front._watch(front.process.pid)
        front.until(lambda: (front.folder / "output").read_text().endswith("\n"))
        port = int((front.folder / "output").read_text().split()[0])
        self.assertEqual(front.ask("/all/handed", port), (200, b"/all/handed"))
        front.send(signal.SIGHUP)
        front.until_logged("the configuration is reloaded")
        self.assertEqual(front.ask("/all/handed", port), (200, b"/all/handed"))
        front.send(signal.SIGTERM)
        self.assertTrue(front.ended(PATIENCE))
        front.assert_no_traceback()

    def test_no_socket(self) -> None:
        """Without one, the start is refused."""
        ini = ONE_BACK_END.replace("tcp:{port}:interface=127.0.0.1", "systemd:domain=INET:index=200")
        ended = Running(self, ini).run()
        self.assertEqual(ended.returncode, 1)
        self.assertIn("systemd:domain=INET:index=200 cannot be listened on: Bad file descriptor", ended.stderr)

    def test_another_descriptor(self) -> None:
        """A descriptor that is no listening socket is not taken for one."""
        ini = ONE_BACK_END.replace("tcp:{port}:interface=127.0.0.1", "systemd:domain=INET:index=0")
        front = Running(self, ini)
        code = f"import os, socket; end = socket.socket(); os.dup2(end.fileno(), 3)\n{TWISTD}"
        command = [sys.executable, "-c", code, *front.command()[3:]]
        ended = front.run(command)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("cannot be listened on: not a listening socket", ended.stderr)


class FakeFrontEnd(Service):
    """Counts its reloads."""

    reloads = 0

    def reload(self) -> None:
        self.reloads += 1

    def stopService(self) -> object:
        super().stopService()
        return succeed(None)


class ProcessTests(unittest.TestCase):
    """What belongs to the process, in this one."""

    def setUp(self) -> None:
        self.events: list[dict[str, object]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.loop = reactor._asyncioEventloop
        self.front_end = FakeFrontEnd()
        self.before = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)]
        self.addCleanup(signal.signal, signal.SIGHUP, self.before[0])
        self.process = FrontEndProcess(self.front_end, reactor)

    async def test_given_back(self) -> None:
        """After the end, signals and the loop are as they were before."""
        numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
        before = self.before
        # it is heard before the ports are open, when the process would end by it
        self.assertNotEqual(signal.getsignal(signal.SIGHUP), before[0])
        self.process.privilegedStartService()
        self.process.startService()
        self.assertTrue(self.front_end.running)
        self.assertNotEqual(signal.getsignal(signal.SIGHUP), before[0])
        self.assertEqual([signal.getsignal(number) for number in numbers[1:]], before[1:])
        self.assertIsNotNone(self.loop.get_exception_handler())
        await self.process.stopService()
        self.assertFalse(self.front_end.running)
        self.assertEqual([signal.getsignal(number) for number in numbers], before)
        self.assertIsNone(self.loop.get_exception_handler())

    async def test_defect(self) -> None:
        """An exception in a callback of the loop: its kind and place are logged, nothing of what it holds."""
        self.process.startService()
        password = "geheim"

        def fail(secret: str) -> None:
            raise ValueError(f"no such thing: {secret}")

        self.loop.call_soon(fail, password)
        self.loop.call_exception_handler({"message": "something without an exception"})
        await deferLater(reactor, 0.01)
        await self.process.stopService()
        said = [formatEvent(event) for event in self.events if event.get("log_namespace", "").startswith("exfront")]
        self.assertEqual(len(said), 2)
        text = "\n".join(said)
        self.assertIn("ValueError at ", text)
        self.assertIn("test_process.py:", text)
        self.assertIn("something without an exception", text)
        self.assertNotIn("geheim", text + repr([{**event, "log_logger": None} for event in self.events]))
        self.assertNotIn("no such thing", text)

    async def test_hang_up(self) -> None:
        """SIGHUP reloads in the reactor's turn."""
        self.process.startService()
        os.kill(os.getpid(), signal.SIGHUP)
        for _ in range(1000):
            if self.front_end.reloads:
                break
            await deferLater(reactor, 0.001)
        self.assertEqual(self.front_end.reloads, 1)
        await self.process.stopService()
