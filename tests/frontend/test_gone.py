"""Whoever goes away takes everything along: no socket, no object and no record is left over or missing."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from exfront.frontend.relay import Relay
from exfront.wire.inbound import ClientConnection
from exfront.wire.outbound import ServerConnection
from tests.fakes.directory import FakeSource
from tests.fakes.ends import ok
from tests.fakes.front import DIRECTORY, FrontCase, basic, get

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from tests.fakes.ends import BackEnd

OURS = (Relay, ClientConnection, ServerConnection)


def objects() -> dict[str, int]:
    """How many there are of each of ours."""
    gc.collect()
    found = [type(one) for one in gc.get_objects() if type(one) in OURS]
    return {one.__name__: found.count(one) for one in OURS}


def sockets() -> int:
    """Open sockets of this process."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


class GoneTests(FrontCase):
    """The client goes away at every moment of a request."""

    async def begin(self, back_end: BackEnd) -> None:
        self.one = back_end
        self.start(backend1=back_end, failover="unavailable = 0")
        await self.turns()
        self.before = (objects(), sockets())

    async def nothing_left(self, records: int = 1) -> None:
        """Everything is as it was before, and there is just that number of records."""
        await self.recorded(records)
        for end in self.one.open_ends:
            await end.until_ended()
            end.close()
            await end.until_lost()
        await self.eventually(lambda: sockets() == self.before[1], f"{sockets()} sockets, not {self.before[1]}")
        self.assertEqual(objects(), self.before[0])

    async def test_while_uploading(self) -> None:
        """In the middle of the body: 499, and the back-end's connection closes without a whole request."""
        for number, (go, framing) in enumerate(
            (go, framing)
            for go in ("close", "reset")
            for framing in (b"Content-Length: 10", b"Transfer-Encoding: chunked")
        ):
            if not number:
                await self.begin(self.back_end())
            client = await self.client()
            client.send(get(b"/all/", framing, method=b"PUT") + b"5\r\nabcde\r\n"[: 10 if b"chunked" in framing else 5])
            end = await self.one.connection(number + 1)
            await end.until_received(b"abc" if b"chunked" in framing else b"5\r\nab")
            getattr(client, go)()
            await end.until_ended()
            self.assertNotIn(b"0\r\n\r\n", end.received)
            await self.nothing_left(number + 1)
            self.assertEqual((self.records[-1]["status"], self.records[-1]["reason"]), (499, "client-gone"))

    async def test_while_waiting(self) -> None:
        """While the back-end thinks, with a reset."""
        await self.begin(self.back_end())
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        client.reset()
        await end.until_ended()
        await self.nothing_left()
        self.assertEqual((self.records[0]["status"], self.records[0]["reason"]), (499, "client-gone"))

    async def test_while_waiting_closed(self) -> None:
        """While the back-end thinks, with a close that looks like a half-close: found out within a second."""
        await self.begin(self.back_end())
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        client.transport.abortConnection()
        await end.until_ended()
        await self.nothing_left()
        self.assertEqual(self.records[0]["status"], 499)

    async def test_while_connecting(self) -> None:
        """While a connection to the back-end is being made, it is given up."""
        import socket

        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        self.addCleanup(lambda: [one.close() for one in (full, *fillers)])
        self.one = self.back_end()
        self.start(backend1=full.getsockname()[1], failover="connect_timeout = 30")
        await self.turns()
        self.before = (objects(), sockets())
        client = await self.client()
        client.send(get())
        await self.eventually(lambda: objects()["Relay"] == self.before[0]["Relay"] + 1)
        client.reset()
        await self.nothing_left()
        self.assertEqual(self.records[0]["status"], 499)

    async def test_while_downloading(self) -> None:
        """In the middle of the answer, read or not."""
        await self.begin(self.back_end())
        for number, size in enumerate((100, 15_000_000), 1):
            client = await self.client()
            client.send(get())
            end = await self.one.connection(number)
            await end.message()
            if size > 1000:
                client.pause()
            end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * size)
            if size > 1000:
                await self.turns(100)
                end.transport.loseConnection()
            else:
                await client.until_received(b"x" * size)
            client.reset()
            await end.until_ended()
            await self.nothing_left(number)
            self.assertEqual((self.records[-1]["status"], self.records[-1]["reason"]), (200, "client-gone"))

    async def test_between_requests(self) -> None:
        """Behind an answer there is nothing to record; the back-end's connection stays in its pool."""
        await self.begin(self.back_end(lambda _: ok()))
        for go in ("close", "reset", "half_close"):
            client = await self.client()
            await client.ask(get())
            getattr(client, go)()
            await client.until_ended()
        await self.recorded(3)
        self.assertEqual(len(self.one.ends), 1)
        wanted = self.before[0] | {"ServerConnection": self.before[0]["ServerConnection"] + 1}
        await self.eventually(lambda: objects() == wanted, f"{objects()}, not {wanted}")

    async def test_nothing_left_of_answered_requests(self) -> None:
        """Requests that were answered leave nothing behind without the collector's help."""
        await self.begin(self.back_end(lambda request: ok(request.body)))
        client = await self.client()
        await client.ask(get())
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await client.ask(get())
                await client.ask(get(b"/all/", b"Content-Length: 2", method=b"PUT") + b"ab")
            found = [one for one in gc.get_objects() if type(one) is Relay]
        finally:
            gc.enable()
        self.assertLessEqual(len(found), self.before[0]["Relay"] + 1)
        client.close()
        await self.recorded(41)


class DirectoryGoneTests(FrontCase):
    """The client goes away while the directory thinks."""

    async def test_while_asking(self) -> None:
        """F60: whoever goes away leaves the others that wait for the same answer alone."""
        source = FakeSource()
        back_end = self.back_end(lambda _: ok())
        self.start(DIRECTORY, source=source, backend1=back_end, backend2=1)
        await self.turns()
        before = objects()
        source.held = True
        one, two = await self.client(), await self.client()
        for client in (one, two):
            client.send(get(b"/exchange/", basic("anna")))
        await self.eventually(lambda: source.waiting and objects()["Relay"] == before["Relay"] + 2)
        one.reset()
        (record,) = await self.recorded(1)
        self.assertEqual((record["status"], record["reason"]), (499, "client-gone"))
        source.held = False
        while source.waiting:
            source.release()
            await self.turns()
        self.assertEqual((await two.answer()).status, 200)
        two.close()
        await self.recorded(2)
        await self.eventually(lambda: objects()["ClientConnection"] == before["ClientConnection"])
        self.assertEqual(objects()["Relay"], before["Relay"])


class EndTests(FrontCase):
    """The service ends."""

    async def test_drain(self) -> None:
        """Idle connections close at once, the others after their answer, the rest when time is up."""
        back_end = self.back_end()
        self.start(backend1=back_end, front="drain_timeout = 20", clock=True)
        idle, busy, hung = [await self.client() for _ in range(3)]
        idle.send(get(b"/none"))
        await idle.answer()
        busy.send(get(b"/all/busy"))
        end = await back_end.connection(1)
        await end.message()
        hung.send(get(b"/all/hung"))
        await (await back_end.connection(2)).message()
        ended: list[object] = []
        stopping: Deferred[None] = self.service.stopService()
        stopping.addBoth(ended.append)
        await idle.until_ended()
        end.send(ok())
        answer = await busy.answer()
        self.assertEqual((answer.status, answer.one(b"Connection")), (200, b"close"))
        await busy.until_ended()
        busy.close()
        await self.turns(20)
        self.assertEqual(ended, [])
        self.clock.pump([1.0] * 21)
        await hung.until_ended()
        await self.eventually(lambda: ended)
        self.assertEqual(ended, [None])
        hung.close()
        self.assertEqual(sorted(one["status"] for one in await self.recorded(3)), [200, 404, 499])
