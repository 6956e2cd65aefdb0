"""Every way to smuggle that the corpus knows, through a real listening front-end with a recording back-end behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.ends import ok
from tests.fakes.front import ONE_BACK_END, FrontCase, get
from tests.wire.corpus import CASES, ODDITIES

if TYPE_CHECKING:
    from tests.fakes.ends import Message

EVERYTHING = ONE_BACK_END.replace("path = /all", "path = /")


class CorpusTests(FrontCase):
    """Requests that must be refused, and odd ones that must not be."""

    def reached(self) -> bytes:
        """All bytes that the back-end ever got."""
        return b"".join(request.head + request.body for request in self.one.requests) + b"".join(
            end.received for end in self.one.ends
        )

    async def test_refused(self) -> None:
        """F2, F7: each is answered with its status and the connection closed; nothing of a second request reaches the back-end."""
        self.one = self.back_end(lambda _: ok())
        self.start(EVERYTHING, backend1=self.one)
        for number, (name, data, status) in enumerate(CASES, 1):
            client = await self.client()
            client.send(data)
            answer = await client.answer()
            self.assertEqual((answer.status, answer.one(b"Connection")), (status, b"close"), name)
            await client.until_ended()
            self.assertEqual(client.received, b"", name)
            client.close()
            await self.recorded(number)
            self.assertEqual(self.records[-1]["status"], status, name)
        self.assertNotIn(b"smuggled", self.reached())
        self.assertEqual(self.one.requests, [])

    async def test_refused_bytewise(self) -> None:
        """The same when the bytes come in pieces."""
        self.one = self.back_end(lambda _: ok())
        self.start(EVERYTHING, backend1=self.one)
        for number, (name, data, status) in enumerate(CASES):
            client = await self.client()
            client.transport.setTcpNoDelay(True)
            step = max(1, len(data) // (3 + number % 5))
            for at in range(0, len(data), step):
                client.send(data[at : at + step])
                await self.turns(1)
            self.assertEqual((await client.answer()).status, status, name)
            await client.until_ended()
            client.close()
        self.assertNotIn(b"smuggled", self.reached())
        await self.recorded(len(CASES))

    async def test_odd_but_right(self) -> None:
        """Unusual requests pass, with method, target, host and body as they are meant."""
        self.one = self.back_end(lambda _: ok())
        self.start(EVERYTHING, backend1=self.one)
        for name, data, expected in ODDITIES:
            here = [one for one in expected if one[1] != b"*" and b"/../" not in one[1] and b"%zz" not in one[1]]
            refused = len(expected) - len(here)
            self.one.requests.clear()
            client = await self.client()
            client.send(data)
            for _ in expected:
                self.assertIn(
                    (await client.answer(data.split(b" ")[0].strip())).status, (200, 400) if refused else (200,), name
                )
            got = [self.shown(request) for request in self.one.requests]
            self.assertEqual(got, here, name)
            client.close()

    def shown(self, request: Message) -> tuple[bytes, bytes, bytes, bytes]:
        method, target, _ = request.start.split(b" ")
        return method, target, request.one(b"Host") or b"", request.body

    async def test_next_request_is_the_clients(self) -> None:
        """Bytes that look like a request within a body stay the body's, and the next request is what follows."""
        self.one = self.back_end(lambda request: ok(request.start))
        self.start(EVERYTHING, backend1=self.one)
        client = await self.client()
        inner = get(b"/smuggled")
        client.send(get(b"/1", b"Content-Length: %d" % len(inner), method=b"PUT") + inner + get(b"/2"))
        client.send(
            get(b"/3", b"Transfer-Encoding: chunked", method=b"PUT")
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
            + get(b"/4")
        )
        self.assertEqual(
            [(await client.answer()).body for _ in range(4)],
            [b"PUT /1 HTTP/1.1", b"GET /2 HTTP/1.1", b"PUT /3 HTTP/1.1", b"GET /4 HTTP/1.1"],
        )
        await self.recorded(4)
