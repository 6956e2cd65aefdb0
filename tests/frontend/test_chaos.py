"""Clients and back-ends that do anything at any moment: no exception, nothing left over, no record too many."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

from tests.fakes.ends import ok
from tests.fakes.front import ONE_BACK_END, FrontCase, get, post
from tests.frontend.test_gone import objects, sockets

if TYPE_CHECKING:
    from tests.fakes.ends import BackEndEnd, Client

UPGRADE = get(b"/all/socket", b"Connection: Upgrade", b"Upgrade: websocket")
REQUESTS = [
    get(),
    get(b"/all/x", b"Connection: close"),
    get(method=b"HEAD"),
    get(b"/none"),
    get(b"/all/../x"),
    post(b"abc"),
    post(b"x" * 300_000, method=b"PUT"),
    post(b"x" * 100, method=b"PUT"),
    get(b"/all/", b"Transfer-Encoding: chunked", method=b"PUT") + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    get(b"/all/", b"Expect: 100-continue", b"Content-Length: 3", method=b"PUT") + b"abc",
    b"GET /all/ HTTP/1.0\r\n\r\n",
    b"GET /all/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    UPGRADE,
    UPGRADE + b"early",
    b"nonsense\r\n\r\n",
    get(b"/all/", b"Authorization: NTLM x"),
    get(b"/all/", b"Transfer-Encoding: chunked", method=b"PUT") + b"zz\r\n",
    get() * 5,
    get(b"/none") * 20 + get(),
]
ANSWERS = [
    ok(),
    ok(b"x" * 200_000),
    ok(b"abc", b"Connection: close"),
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + ok(),
    b"HTTP/1.1 204 No\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    b"nonsense\r\n\r\n",
    b"x",
    ok() + ok(),
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\nearly",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
]


class ChaosTests(FrontCase):
    """A few thousand steps, each a guess."""

    timeout = 120

    def step_client(self, chance: random.Random, client: Client) -> None:
        if client.lost is not None:
            return
        match chance.randrange(12):
            case 0:
                client.close()
            case 1:
                client.reset()
            case 2:
                client.half_close()
            case 3:
                client.pause()
            case 4:
                client.resume()
            case _:
                request = chance.choice(REQUESTS)
                client.send(request if chance.random() < 0.7 else request[: chance.randrange(len(request)) + 1])

    def step_end(self, chance: random.Random, end: BackEndEnd) -> None:
        if end.lost is not None:
            return
        match chance.randrange(12):
            case 0:
                end.close()
            case 1:
                end.reset()
            case 2:
                end.half_close()
            case 3:
                end.pause()
            case 4:
                end.resume()
            case _:
                answer = chance.choice(ANSWERS)
                end.send(answer if chance.random() < 0.7 else answer[: chance.randrange(len(answer)) + 1])

    async def run_with(self, seed: int, steps: int) -> None:
        chance = random.Random(seed)
        clients: list[Client] = []
        for _ in range(steps):
            if len(clients) < 6 or chance.random() < 0.1:
                clients.append(await self.client())
            with contextlib.suppress(RuntimeError):  # the test's own reactor, when a descriptor is used again at once
                self.step_client(chance, chance.choice(clients[-8:]))
                if self.one.open_ends:
                    self.step_end(chance, chance.choice(self.one.open_ends))
            if chance.random() < 0.5:
                await self.turns(chance.randrange(4))
            if chance.random() < 0.05:
                self.clock.pump([1.0] * chance.randrange(20))
        for end in self.one.open_ends:
            end.resume()
            end.transport.abortConnection()
        for client in clients:
            if client.lost is None:
                client.resume()
                client.reset()

    async def test_anything(self) -> None:
        """F62, F64: whatever happens, everything that began ends, and it is recorded once."""
        self.one = self.back_end()
        self.start(ONE_BACK_END, backend1=self.one, clock=True, failover="unavailable = 5\nreplay_limit = 1000")
        await self.turns()
        before = objects(), sockets()
        for seed in range(12):
            await self.run_with(seed, 120)
            for _ in range(20):
                self.clock.pump([1.0] * 10)
                await self.turns(3)
            await self.eventually(lambda: not self.connections, f"seed {seed}: client connections are left")
            for end in self.one.open_ends:
                end.transport.abortConnection()
            self.clients.clear()
            await self.eventually(lambda: sockets() <= before[1], f"seed {seed}: {sockets()} sockets, not {before[1]}")
            self.assertEqual(objects(), before[0], f"seed {seed}")
            self.assertFalse(self.caught, f"seed {seed}: {self.caught}")
        ids = [one["request_id"] for one in self.records]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual(len(ids), self.service.serving.services.next_id._count)
        self.assertGreater(len(ids), 200)
        self.assertNotIn("defect", {one["reason"] for one in self.records})
