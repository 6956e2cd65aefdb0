"""Upgraded connections: tunnels in both directions, and those that never come about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.ends import BackEnd, ok
from tests.fakes.front import FrontCase, get

if TYPE_CHECKING:
    from tests.fakes.ends import BackEndEnd, Client

UPGRADE = get(b"/all/socket", b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x")
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n"
)


class TunnelTests(FrontCase):
    """A tunnel that came about."""

    async def tunnel(self, behind: bytes = b"", clock: bool = False) -> tuple[Client, BackEndEnd, BackEnd]:
        back_end = self.back_end()
        self.start(backend1=back_end, clock=clock)
        client = await self.client()
        client.send(UPGRADE)
        end = await back_end.connection()
        head = await end.head()
        self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", head)
        self.assertIn(b"\r\nSec-WebSocket-Key: x\r\n", head)
        end.send(SWITCH + behind)
        answer = await client.message(b"GET")
        self.assertEqual(
            (answer.status, answer.one(b"Connection"), answer.one(b"Upgrade")), (101, b"Upgrade", b"websocket")
        )
        self.assertEqual(answer.one(b"Sec-WebSocket-Accept"), b"y")
        return client, end, back_end

    async def test_both_ways(self) -> None:
        """Bytes go both ways as they are, also those that came with the 101."""
        client, end, _ = await self.tunnel(b"first")
        await client.until_received(b"first")
        for data in (b"\x00\xff", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100000):
            client.received = end.received = b""
            client.send(data)
            await end.until(lambda data=data: end.received == data)
            end.send(data)
            await client.until(lambda data=data: client.received == data)
        end.close()
        await client.until_ended()
        client.close()
        (record,) = await self.recorded(1)
        self.assertEqual((record["status"], record["reason"]), (101, ""))
        self.assertEqual((record["received"], record["sent"]), (100020, 100025))

    async def test_client_ends_first(self) -> None:
        """A client that sends no more still gets what the back-end sends."""
        client, end, _ = await self.tunnel()
        client.send(b"last words")
        client.half_close()
        await end.until_received(b"last words")
        await end.until_ended()
        end.send(b"answer")
        await client.until_received(b"answer")
        end.close()
        await client.until_ended()
        await self.recorded(1)

    async def test_back_end_ends_first(self) -> None:
        """A back-end that sends no more still gets what the client sends, however much of it still waits."""
        client, end, _ = await self.tunnel()
        end.half_close()
        await client.until_ended()
        end.pause()
        data = b"x" * 3_000_000
        client.send(data)
        client.half_close()
        await self.turns(200)
        end.resume()
        await end.until_ended()
        self.assertEqual(len(end.received), len(data))
        await self.recorded(1)

    async def test_forgotten_half(self) -> None:
        """A tunnel with one way ended does not stay for ever."""
        client, end, _ = await self.tunnel(clock=True)
        client.half_close()
        await end.until_ended()
        self.clock.pump([1.0] * 65)
        await client.until_ended()
        end.close()
        await self.recorded(1)

    async def test_idle(self) -> None:
        """A tunnel in use by both may be silent for as long as they like."""
        client, end, _ = await self.tunnel(clock=True)
        self.clock.pump([1.0] * 5000)
        client.send(b"still here")
        await end.until_received(b"still here")
        end.close()
        await client.until_ended()
        client.close()
        await self.recorded(1)

    async def test_back_pressure(self) -> None:
        """What one side sends and the other does not read waits with its sender, not in memory."""
        client, end, _ = await self.tunnel()
        (connection,) = self.connections
        for slow, fast in ((client, end), (end, client)):
            slow.pause()
            total = 15_000_000
            fast.send(b"x" * total)
            await self.turns(300)
            held = connection.transport._native.get_write_buffer_size()
            self.assertLess(held, 2_000_000)
            self.assertGreater(len(fast.transport._tempDataBuffer) + len(fast.transport.dataBuffer), 1_000_000)
            slow.resume()
            await slow.until(lambda slow=slow, total=total: slow.total >= total)
        end.close()
        await client.until_ended()
        client.close()
        await self.recorded(1)

    async def test_client_gone(self) -> None:
        """A client that goes away takes the back-end's connection with it, and the other way round."""
        client, end, _ = await self.tunnel()
        client.reset()
        await end.until_ended()
        (record,) = await self.recorded(1)
        self.assertEqual(record["status"], 101)

    async def test_back_end_gone(self) -> None:
        """A back-end that resets ends the tunnel."""
        client, end, _ = await self.tunnel()
        end.reset()
        await client.until_ended()
        client.close()
        await self.recorded(1)

    async def test_half_closed_before(self) -> None:
        """A client that sent no more before the 101 came: the back-end learns of it."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(UPGRADE)
        client.half_close()
        end = await back_end.connection()
        await end.head()
        await self.turns(20)
        end.send(SWITCH + b"bye")
        await client.until_received(b"bye")
        await end.until_ended()
        end.close()
        await client.until_ended()
        await self.recorded(1)


class NoTunnelTests(FrontCase):
    """Upgrades that are not."""

    async def test_refused(self) -> None:
        """A back-end that answers otherwise: an ordinary answer, and both connections go on."""
        back_end = self.back_end(lambda _: ok(b"no"))
        self.start(backend1=back_end)
        client = await self.client()
        self.assertEqual((await client.ask(UPGRADE)).body, b"no")
        self.assertEqual((await client.ask(get())).body, b"no")
        self.assertEqual(len(back_end.ends), 1)
        await self.recorded(2)

    async def test_never_passed_on(self) -> None:
        """h2c, several protocols, HTTP/1.0, a body, or no `Connection: upgrade`: nothing of an upgrade goes to the back-end."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        for request in (
            get(b"/all/", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"),
            get(b"/all/", b"Connection: Upgrade", b"Upgrade: websocket, h2c"),
            get(b"/all/", b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"),
            get(b"/all/", b"Upgrade: websocket"),
            get(b"/all/", b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 2") + b"ab",
            get(b"/all/", b"Connection: Upgrade, keep-alive", b"Upgrade: websocket").replace(b"HTTP/1.1", b"HTTP/1.0"),
        ):
            await client.ask(request)
            got = back_end.requests.pop()
            self.assertEqual(
                (got.one(b"Upgrade"), got.one(b"Connection"), got.one(b"HTTP2-Settings")), (None, None, None)
            )
        await self.recorded(6)
