"""What a client alone must not bring about: marks on servers that did nothing wrong, and bodies that pile up (F5, F62)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from exfront.backend.pools import Pool
from tests.fakes.ends import ok
from tests.fakes.front import ONE_BACK_END, FrontCase, get
from tests.frontend.test_failover import FailoverCase

if TYPE_CHECKING:
    from exfront.wire.outbound import ServerConnection


class WithheldBodyTests(FailoverCase):
    """Clients that announce a body and keep it back."""

    async def test_expectation_without_body(self) -> None:
        """F62: a back-end that ignores `Expect: 100-continue` and waits for the body is not hung; no other one is tried."""
        client = await self.client()
        client.send(get(b"/all/", b"Expect: 100-continue", b"Content-Length: 5", method=b"PUT"))
        end = await self.one.connection()
        await end.until_received(b"\r\n\r\n")
        self.clock.pump([1.0] * 70)
        self.assertEqual((await client.answer(b"PUT")).status, 504)
        self.assertEqual(self.marked, {})
        self.assertEqual(len(self.two.ends), 0)

    async def test_expectation_and_a_long_body(self) -> None:
        """RFC 9110 10.1.1: a client that sends without the 100 it asked for may take longer than the response time-out."""
        client = await self.client()
        client.send(get(b"/all/", b"Expect: 100-continue", b"Content-Length: 40", method=b"PUT"))
        end = await self.one.connection()
        for number in range(1, 5):
            client.send(b"x" * 10)
            await end.until(lambda number=number: end.received.endswith(b"x" * 10 * number))
            self.clock.pump([1.0] * 30)
        end.send(ok())
        self.assertEqual((await client.answer(b"PUT")).status, 200)

    async def test_back_end_tired_of_waiting(self) -> None:
        """F62: a back-end that closes because the body does not come is not marked; it is when the request was whole."""
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 5", method=b"POST") + b"x")
        end = await self.one.connection()
        await end.until_received(b"\r\n\r\nx")
        end.close()
        self.assertEqual((await client.answer(b"POST")).status, 502)
        self.assertEqual(self.marked, {})
        other = await self.client()
        other.send(get(b"/all/"))
        end = await self.one.connection(2)
        await end.until_received(b"\r\n\r\n")
        end.close()
        self.assertEqual((await other.answer()).body, b"two")
        self.assertEqual(set(self.marked), {"backend1"})

    async def test_back_end_that_does_not_read(self) -> None:
        """F62: a back-end that takes no byte of the body for as long as an answer may take hangs, and is marked."""
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 100000000", method=b"POST"))
        end = await self.one.connection()
        end.pause()
        [connection] = self.connections
        while connection.transport.reading:
            client.send(b"x" * 200_000)
            await self.turns()
        self.clock.pump([1.0] * 62)
        self.assertEqual(set(self.marked), {"backend1"})
        client.reset()


class PiledBodyTests(FrontCase):
    """Back-pressure from the first byte on."""

    async def test_slow_back_end_at_once(self) -> None:
        """F5: the body that came before its back-end was connected does not unlock the client where the back-end takes no more."""
        one = self.back_end()
        # a small window: the body waits on our side
        one.port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.start(ONE_BACK_END, backend1=one, failover="replay_limit = 7000000")
        connect = Pool.connect
        waiting: Deferred[None] = Deferred()

        def connect_later(pool: Pool) -> Deferred[ServerConnection]:
            return waiting.addCallback(lambda _: connect(pool))

        self.patch(Pool, "connect", connect_later)
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 400000000", method=b"PUT") + b"x" * 8_000_000)
        await self.eventually(lambda: self.connections and not next(iter(self.connections)).transport.reading)
        waiting.callback(None)
        end = await one.connection()
        end.pause()
        await self.turns(20)
        [connection] = self.connections
        self.assertFalse(connection.transport.reading)
        end.resume()
        await self.eventually(lambda: connection.transport.reading)
        end.reset()
        client.reset()
        await self.recorded()
