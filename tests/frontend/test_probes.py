"""Marked back-ends are asked whether they are back, where the configuration names a path for it (F63); real sockets, the test's clock."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.fakes.ends import BackEnd, ok
from tests.fakes.front import get
from tests.frontend.test_failover import THREE, FailoverCase

PROBED = THREE + "probe = /alive?deep\nprobe_interval = 10\n"


class ProbeTests(FailoverCase):
    """`[failover] probe`; backend1 is marked because it cannot be reached, and then comes back."""

    ini = PROBED

    async def come_back(self) -> BackEnd:
        """backend1 marked, and listening again; the test answers for it."""
        port = self.one.number
        await self.shut(self.one)
        client = await self.client()
        self.assertEqual((await client.ask(get())).body, b"two")
        back = BackEnd(self.reactor, None).listen(port=port)
        self.addCleanup(lambda: Deferred.fromCoroutine(back.stop()))
        return back

    async def probe(self, back: BackEnd, number: int = 1) -> bytes:
        """The head of the `number`th probe, which is on its way."""
        return (await (await back.connection(number)).message()).head

    async def test_answer_lifts_mark(self) -> None:
        """F63: an answer ends the mark long before its time, and the next request is the server's own again."""
        back = await self.come_back()
        await self.pass_time(9)
        self.assertEqual((back.ends, list(self.marked)), ([], ["backend1"]))
        await self.pass_time(1)
        head = await self.probe(back)
        self.assertTrue(head.startswith(b"GET /alive?deep HTTP/1.1\r\n"), head)
        self.assertIn(b"\r\nHost: backend1:%d\r\n" % back.number, head)
        self.assertEqual(list(self.marked), ["backend1"])
        back.ends[0].send(b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n")
        await self.eventually(lambda: not self.marked)
        back.answer = lambda _: ok(b"back")
        client = await self.client()
        self.assertEqual((await client.ask(get())).body, b"back")
        await self.recorded(2)

    async def test_failures_lift_nothing(self) -> None:
        """F63: neither 503, nor a close, nor silence past the response time-out; each time it is asked again."""
        back = await self.come_back()
        await self.pass_time(10)
        await self.probe(back)
        back.ends[0].send(b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n")
        await self.turns(20)
        await self.pass_time(10)
        await self.probe(back, 2)
        back.ends[1].reset()
        await self.turns(20)
        await self.pass_time(10)
        await self.probe(back, 3)
        await self.pass_time(59)
        self.assertEqual(len(back.ends), 3, "asked while an answer may still come")
        await self.pass_time(12)
        await self.probe(back, 4)
        self.assertEqual(list(self.marked), ["backend1"])
        back.ends[3].send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nmore to come")
        await self.eventually(lambda: not self.marked)
        await self.recorded(1)

    async def test_only_the_marked(self) -> None:
        """F63: servers that are not marked are never asked, nor is one whose mark has ended."""
        await self.pass_time(60)
        self.assertEqual([one.ends for one in (self.one, self.two, self.three)], [[], [], []])
        await self.come_back()
        await self.pass_time(600)
        self.assertEqual((len(self.two.ends), self.three.ends), (1, []))
        self.assertEqual(self.marked, {})
        await self.recorded(1)

    async def test_still_away(self) -> None:
        """F63: where nobody listens the mark lasts its time, and is not made longer."""
        await self.shut(self.one)
        client = await self.client()
        await client.ask(get())
        await self.pass_time(599)
        self.assertEqual(list(self.marked), ["backend1"])
        await self.pass_time(1)
        self.assertEqual(self.marked, {})
        await self.recorded(1)

    async def test_switched_off_by_reload(self) -> None:
        """F63: a reload without `probe` ends the rounds and the question under way, one with it begins them."""
        back = await self.come_back()
        await self.pass_time(10)
        await self.probe(back)
        text = self.path.read_text("utf-8")
        self.path.write_text(text.replace("probe = /alive?deep\n", ""), "utf-8")
        self.assertTrue(self.service.reload())
        await back.ends[0].until_ended()
        await self.pass_time(100)
        self.assertEqual(len(back.ends), 1)
        self.path.write_text(text.replace("/alive?deep", "/other"), "utf-8")
        self.assertTrue(self.service.reload())
        await self.pass_time(10)
        self.assertTrue((await self.probe(back, 2)).startswith(b"GET /other "))
        await self.recorded(1)
