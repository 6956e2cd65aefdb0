"""The running front-end between two configurations, and at its end."""

from __future__ import annotations

import gc
import weakref

from exfront import tap
from exfront.errors import ConfigurationError
from tests.fakes.directory import FakeSource
from tests.fakes.ends import ok
from tests.fakes.front import DIRECTORY, ONE_BACK_END, FrontCase, basic, get

ECHO = staticmethod(lambda request: ok(request.start.split()[1]))


class ReloadTests(FrontCase):
    """`reload`."""

    def rewrite(self, *changes: tuple[str, str]) -> None:
        """Change the configuration file."""
        text = self.path.read_text("utf-8")
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.path.write_text(text, "utf-8")

    def reload(self, *changes: tuple[str, str]) -> None:
        self.rewrite(*changes)
        self.assertTrue(self.service.reload(), "the reload was refused")

    def refused(self, *changes: tuple[str, str]) -> list[str]:
        """Reload in vain; what was logged."""
        self.rewrite(*changes)
        said: list[str] = []
        self.patch(self.service, "_log", type("Log", (), {"error": lambda _, text, mistake: said.append(mistake)})())
        self.assertFalse(self.service.reload())
        return said

    async def test_request_under_way(self) -> None:
        """F61: a request under way ends as it began; the next one on the same connection finds the new tree."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/1"))
        end = await back_end.connection()
        await end.head()
        self.reload(("path = /all", "path = /other"))
        end.send(ok(b"first"))
        self.assertEqual((await client.answer()).body, b"first")
        self.assertEqual((await client.ask(get(b"/all/2"))).status, 404)
        client.send(get(b"/other/3"))
        await end.head()
        end.send(ok(b"third"))
        self.assertEqual((await client.answer()).body, b"third")
        self.assertEqual(len(back_end.ends), 1, "the idle connection was not used again")

    async def test_tunnel(self) -> None:
        """A tunnel goes on, though its port and its path are gone."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Connection: Upgrade", b"Upgrade: websocket"))
        end = await back_end.connection()
        await end.head()
        end.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await client.message(b"GET")
        self.reload(("path = /all", "path = /other"), ("tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.2"))
        self.assertEqual(self.port.host, "127.0.0.2")
        client.send(b"ping")
        await end.until_received(b"ping")
        end.send(b"pong")
        await client.until_received(b"pong")
        end.close()
        await client.until_ended()

    async def test_caches(self) -> None:
        """F61: accounts and logons are asked for again; the old directory is stopped when nobody can be waiting for it."""
        sources: list[FakeSource] = []

        def make(settings: object, reactor: object) -> FakeSource:
            sources.append(FakeSource())
            return sources[-1]

        self.patch(tap, "make_source", make)
        back_end = self.back_end(ECHO)
        self.start(DIRECTORY, backend1=back_end, backend2=back_end, clock=True)
        client = await self.client()
        for _ in range(2):
            self.assertEqual((await client.ask(get(b"/exchange/", basic("anna")))).status, 200)
        (first,) = sources
        self.assertEqual(len(first.binds), 1)
        self.reload()
        self.assertEqual((await client.ask(get(b"/exchange/", basic("anna")))).status, 200)
        second = sources[1]
        self.assertEqual((len(first.binds), len(second.binds)), (1, 1))
        self.assertEqual((first.stopped, second.started > 0), (0, True))
        self.clock.advance(30)
        self.assertEqual((first.stopped, second.stopped), (1, 0))
        self.reload()
        await self.service.stopService()
        self.assertEqual([one.stopped for one in sources], [1, 1, 1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_waits_for_the_old_directory(self) -> None:
        """F61: who waits for the directory that was gets its answer."""
        source = FakeSource()
        back_end = self.back_end(ECHO)
        self.start(DIRECTORY, source=source, backend1=back_end, backend2=back_end)
        client = await self.client()
        source.held = True
        client.send(get(b"/exchange/", basic("anna")))
        await self.eventually(lambda: source.waiting)
        self.reload()
        source.held = False
        await self.eventually(lambda: source.release() or client.received)
        self.assertEqual((await client.answer()).status, 200)

    async def test_old_configuration_is_freed(self) -> None:
        """Reloads leave nothing of what was before."""
        back_end = self.back_end(ECHO)
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(get())
        old = weakref.ref(self.service.serving.tree)
        self.reload()
        await client.ask(get())
        gc.collect()
        self.assertIsNone(old())

    async def test_counters_and_format(self) -> None:
        """The counters go on; the log's format is the new one."""
        back_end = self.back_end(ECHO)
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(get())
        self.reload(("log_format = json", "log_format = combined"))
        await client.ask(get(b"/all/2"))
        self.assertIn(b'"GET /all/2 HTTP/1.1" 200', self.lines.lines[1])
        self.assertEqual(self.service.serving.services.ledger.tallies["all"].requests, {200: {b"GET": 2}})
        self.lines.lines.clear()

    async def test_unwritable_log(self) -> None:
        """An access log that cannot be written refuses the reload."""
        self.start(backend1=9)
        before = self.service.serving

        def move(path: object) -> None:
            raise OSError(28, "No space left on device")

        self.lines.move = move  # type: ignore[attr-defined]
        (mistake,) = self.refused(("access_log = -", "access_log = log/access.log"))
        self.assertIn("[front-end] access_log: ", mistake)
        self.assertIn("cannot be written: No space left on device", mistake)
        self.assertIs(self.service.serving, before)

    async def test_log_moves_back(self) -> None:
        """A reload that fails for its ports leaves the access log where it was."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        moves: list[object] = []
        self.lines.move = moves.append  # type: ignore[attr-defined]
        line = "tcp:0:interface=127.0.0.1"
        more = f"{line}\n    tcp:{back_end.number}:interface=127.0.0.1"
        self.refused(("access_log = -", "access_log = log/access.log"), (f"listen = {line}", f"listen = {more}"))
        self.assertEqual(moves, [self.path.parent / "log/access.log", None])

    async def test_marks(self) -> None:
        """F63: a mark outlives a reload, but not a change of how its server is reached."""
        back_end = self.back_end(ECHO)
        self.start(backend1=9)
        client = await self.client()
        self.assertEqual((await client.ask(get())).status, 502)
        health = self.service.serving.services.health
        self.assertEqual(len(health.marks), 1)
        self.reload()
        self.assertEqual(len(health.marks), 1)
        self.reload(("port = 9", f"port = {back_end.number}"))
        self.assertEqual(len(health.marks), 0)
        self.assertEqual((await client.ask(get())).status, 200)

    async def test_failover_times(self) -> None:
        """The times of [failover] are the new ones, for marks that stand, too."""
        self.start(backend1=9, clock=True)
        client = await self.client()
        self.assertEqual((await client.ask(get())).status, 502)
        health = self.service.serving.services.health
        self.clock.advance(100)
        self.assertEqual(len(health.snapshot()), 1)
        self.reload(("[failover]", "[failover]\nunavailable = 90\nresponse_timeout = 7"))
        self.assertEqual(len(health.snapshot()), 0)
        back_end = self.back_end()
        self.reload(("port = 9", f"port = {back_end.number}"))
        client = await self.client()
        client.send(get())
        await (await back_end.connection()).head()
        self.clock.advance(9)
        self.assertEqual((await client.answer()).status, 504)

    async def test_limits(self) -> None:
        """New limits are for new connections."""
        back_end = self.back_end(ECHO)
        self.start(backend1=back_end)
        old = await self.client()
        await old.ask(get())
        self.reload(("log_format", "max_head_size = 1024\nlog_format"))
        large = get(b"/all/", b"X: " + b"x" * 2000)
        self.assertEqual((await old.ask(large)).status, 200)
        new = await self.client()
        self.assertEqual((await new.ask(large)).status, 431)

    async def test_refused(self) -> None:
        """C1, F61: with mistakes nothing changes, not even what is right; each is named."""
        back_end = self.back_end(ECHO)
        self.start(backend1=back_end)
        before = self.service.serving
        port = self.port
        said = self.refused(("path = /all", "path = /other"), ("kind = forward", "kind = backward"), ("hosts", "host"))
        self.assertEqual(len(said), 2, said)
        self.assertIs(self.service.serving, before)
        self.assertEqual((self.port, self.service.refused, self.service.reloads), (port, True, 0))
        client = await self.client()
        self.assertEqual((await client.ask(get())).status, 200)

    async def test_refused_directory(self) -> None:
        """An embedded directory that cannot be read refuses the reload, too."""
        self.start(DIRECTORY, source=FakeSource(), backend1=9, backend2=9)
        self.patch(tap, "make_source", self.make_source)
        (mistake,) = self.refused(("url = ldap://directory.invalid", "url = ldif:none.ldif"))
        self.assertIn("none.ldif", mistake)

    make_source = staticmethod(tap.make_source)

    async def test_port_is_taken(self) -> None:
        """A port that cannot be had refuses the reload; those that were opened for it are closed again."""
        back_end = self.back_end(ECHO)
        self.start(backend1=back_end)
        line = "tcp:0:interface=127.0.0.1"
        more = f"{line}\n    tcp:0:interface=127.0.0.2\n    tcp:{back_end.number}:interface=127.0.0.1"
        (mistake,) = self.refused((f"listen = {line}", f"listen = {more}"))
        self.assertIn(
            f"tcp:{back_end.number}:interface=127.0.0.1 cannot be listened on: Address already in use", mistake
        )
        self.assertEqual(list(self.service.ports), [line])

    async def test_rival_comes_back(self) -> None:
        """An old port that made room is opened again where that did not help."""
        back_end = self.back_end(ECHO)
        self.start(ONE_BACK_END.replace("tcp:0:interface=127.0.0.1", "tcp:0"), backend1=back_end)
        number = self.port.port
        line = f"tcp:{number}:interface=127.0.0.1"
        self.rewrite(("listen = tcp:0", f"listen = {line}"))
        said = self.refused((f"listen = {line}", f"listen = {line}\n    tcp:{number}:interface=192.0.2.1"))
        self.assertEqual(len(said), 1)
        self.assertEqual(list(self.service.ports), ["tcp:0"])
        client = await self.client()
        self.assertEqual((await client.ask(get())).status, 200)

    async def test_stopped(self) -> None:
        """A front-end that is not running does not reload."""
        self.start(backend1=9)
        await self.service.stopService()
        self.assertFalse(self.service.reload())


class StartTests(FrontCase):
    """The start."""

    async def test_privileged_start(self) -> None:
        """Ports that twistd opened as root are not opened again."""
        self.start(backend1=9)
        ports = self.service.ports
        self.service.privilegedStartService()
        self.service.open()
        self.assertEqual(self.service.ports, ports)

    async def test_taken(self) -> None:
        """A port that is taken is told with its line, and nothing stays open."""
        back_end = self.back_end()
        line = f"tcp:{back_end.number}:interface=127.0.0.1"
        wrong = self.assertRaises(
            ConfigurationError,
            self.start,
            ONE_BACK_END.replace("tcp:0:interface=127.0.0.1", f"tcp:0:interface=127.0.0.1\n    {line}"),
            backend1=9,
        )
        self.assertEqual(
            [str(one) for one in wrong.mistakes],
            [f"{self.path}: [front-end] listen: {line} cannot be listened on: Address already in use"],
        )
        self.assertEqual(self.service.ports, {})


class StopTests(FrontCase):
    """The end."""

    async def test_everything_is_closed(self) -> None:
        """Idle clients and idle back-end connections are closed, and nobody is waited for."""
        back_end = self.back_end(ECHO)
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(get())
        await self.service.stopService()
        await client.until_ended()
        await back_end.ends[0].until_ended()
        self.assertEqual(self.service.unready, "stopped")

    async def test_half_a_head(self) -> None:
        """A request whose head is coming is answered, and is its connection's last one."""
        back_end = self.back_end(ECHO)
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(get())
        client.send(get(b"/all/half")[:-2])
        (connection,) = self.connections
        await self.eventually(lambda: connection._buffer)
        stopping = self.service.stopService()
        await self.turns()
        client.send(b"\r\n")
        answer = await client.answer()
        self.assertEqual((answer.body, answer.one(b"Connection")), (b"/all/half", b"close"))
        await client.until_ended()
        client.close()
        await stopping

    async def test_late_comer(self) -> None:
        """Who was accepted and had not begun is served once."""
        back_end = self.back_end(ECHO)
        self.start(ONE_BACK_END.replace("listen = tcp", "listen = haproxy:tcp"), backend1=back_end)
        busy, late = await self.client(), await self.client()
        busy.send(b"PROXY UNKNOWN\r\n" + get(b"/all/busy")[:-2])
        late.send(b"PROXY UNK")
        await self.eventually(lambda: [one for one in self.connections if one._buffer])
        stopping = self.service.stopService()
        late.send(b"NOWN\r\n" + get(b"/all/late"))
        answer = await late.answer()
        self.assertEqual((answer.body, answer.one(b"Connection")), (b"/all/late", b"close"))
        await late.until_ended()
        late.close()
        busy.send(b"\r\n")
        self.assertEqual((await busy.answer()).body, b"/all/busy")
        await busy.until_ended()
        busy.close()
        await stopping
