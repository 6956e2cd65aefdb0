"""How much and how long: limits, time-outs, slow readers, too many connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.ends import ok
from tests.fakes.front import FrontCase, get, post

if TYPE_CHECKING:
    from exfront.wire.inbound import ClientConnection
    from tests.fakes.ends import BackEndEnd, Client

SHORT = "header_timeout = 10\nbody_timeout = 20\nidle_timeout = 30\nmax_head_size = 4096\nmax_body_size = 1000"


class SizeTests(FrontCase):
    """Too much."""

    async def refused(self, request: bytes, status: int) -> None:
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end, front=SHORT)
        client = await self.client()
        client.send(request)
        answer = await client.answer()
        self.assertEqual((answer.status, answer.one(b"Connection")), (status, b"close"))
        await client.until_ended()
        (record,) = await self.recorded(1)
        self.assertEqual(record["status"], status)

    async def test_head(self) -> None:
        """A head beyond max_head_size: 431, whole or not."""
        await self.refused(get(b"/all/", b"X: " + b"y" * 4096), 431)

    async def test_long_target(self) -> None:
        """A head that is too large in its first line: 414 (RFC 9110 15.5.15)."""
        await self.refused(get(b"/all/" + b"y" * 5000), 414)

    async def test_long_target_unfinished(self) -> None:
        """414 comes before the end of such a line."""
        await self.refused(b"GET /all/" + b"y" * 5000, 414)

    async def test_head_unfinished(self) -> None:
        """431 comes before the end of such a head."""
        await self.refused(get(b"/all/")[:-2] + b"X: " + b"y" * 5000, 431)

    async def test_head_behind_another(self) -> None:
        """A head that is too large, behind one that is not."""
        self.start(backend1=self.back_end(lambda _: ok()), front=SHORT)
        client = await self.client()
        client.send(get() + get(b"/all/", b"X: " + b"y" * 4096))
        self.assertEqual([(await client.answer()).status for _ in range(2)], [200, 431])
        await client.until_ended()
        await self.recorded(2)

    async def test_length(self) -> None:
        """A declared body beyond max_body_size: 413 at once."""
        await self.refused(get(b"/all/", b"Content-Length: 1001", method=b"PUT"), 413)

    async def test_chunks(self) -> None:
        """A chunked body beyond it: 413 when it shows."""
        chunk = b"258\r\n" + b"x" * 600 + b"\r\n"
        await self.refused(get(b"/all/", b"Transfer-Encoding: chunked", method=b"PUT") + chunk * 2, 413)

    async def test_broken_chunks(self) -> None:
        """Broken framing within a body: 400 and close, and the back-end's connection is dropped."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Transfer-Encoding: chunked", method=b"PUT") + b"2\r\nab\r\n")
        end = await back_end.connection()
        await end.until_received(b"2\r\nab\r\n")
        client.send(b"zz\r\n")
        self.assertEqual((await client.answer()).status, 400)
        await client.until_ended()
        await end.until_ended()
        self.assertFalse(end.received.endswith(b"0\r\n\r\n"))
        (record,) = await self.recorded(1)
        self.assertEqual(record["reason"], "broken-body")

    async def test_broken_chunks_behind_the_answers_head(self) -> None:
        """Broken framing when the answer has begun: nothing is left but to close (F64)."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Transfer-Encoding: chunked", method=b"PUT") + b"2\r\nab\r\n")
        end = await back_end.connection()
        await end.until_received(b"2\r\nab\r\n")
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await client.until_received(b"half")
        client.send(b"zz\r\n")
        await client.until_ended()
        await end.until_ended()
        (record,) = await self.recorded(1)
        self.assertEqual((record["status"], record["reason"]), (200, "broken-body"))

    async def test_exactly(self) -> None:
        """A body of exactly max_body_size passes."""
        back_end = self.back_end(lambda request: ok(b"%d" % len(request.body)))
        self.start(backend1=back_end, front=SHORT)
        client = await self.client()
        self.assertEqual((await client.ask(post(b"x" * 1000))).body, b"1000")
        await self.recorded(1)


class TimeTests(FrontCase):
    """Too long, on the test's clock."""

    async def client_of(self, data: bytes = b"", **more: object) -> Client:
        self.one = self.back_end()
        self.start(clock=True, front=SHORT, backend1=self.one, failover="response_timeout = 40", **more)
        client = await self.client()
        if data:
            client.send(data)
        await self.turns(10)
        return client

    async def pass_time(self, seconds: int) -> None:
        self.clock.pump([1.0] * seconds)
        await self.turns(5)

    async def test_silent(self) -> None:
        """A connection without a byte is closed without a word after header_timeout."""
        client = await self.client_of()
        await self.pass_time(9)
        self.assertFalse(client.ended)
        await self.pass_time(3)
        await client.until_ended()
        self.assertEqual((client.total, self.records), (0, []))

    async def test_head(self) -> None:
        """A head that does not come to an end in header_timeout, however it drips: 408."""
        client = await self.client_of(b"GET /all/ HTTP/1.1\r\n")
        for _ in range(3):
            await self.pass_time(3)
            client.send(b"X: y\r\n")
            await self.turns(10)
        await self.pass_time(3)
        self.assertEqual((await client.answer()).status, 408)
        await self.pass_time(5)
        await client.until_ended()
        await self.recorded(1)

    async def test_pipelined_head(self) -> None:
        """The same for a head that begins right behind another request."""
        client = await self.client_of(get(b"/none") + b"GET /all/ HTTP/1.1\r\n")
        self.assertEqual((await client.answer()).status, 404)
        await self.pass_time(12)
        self.assertEqual((await client.answer()).status, 408)
        await self.recorded(2)

    async def test_empty_lines(self) -> None:
        """Empty lines do not keep a connection for ever."""
        client = await self.client_of()
        for _ in range(5):
            await self.pass_time(8)
            if client.ended:
                break
            client.send(b"\r\n")
            await self.turns(10)
        await client.until_ended()

    async def test_idle(self) -> None:
        """A kept-alive connection is closed after idle_timeout."""
        client = await self.client_of(get(b"/none"))
        await client.answer()
        await self.pass_time(28)
        self.assertFalse(client.ended)
        await self.pass_time(4)
        await client.until_ended()
        await self.recorded(1)

    async def test_body(self) -> None:
        """A body that stops coming for body_timeout: 408, and its back-end is not marked. Each byte gives it more time."""
        client = await self.client_of(get(b"/all/", b"Content-Length: 9", method=b"PUT") + b"a")
        end = await self.one.connection()
        for _ in range(3):
            await self.pass_time(15)
            client.send(b"b")
            await end.until(lambda: end.received.endswith(b"b"))
            end.received = b""
        await self.pass_time(22)
        self.assertEqual((await client.answer()).status, 408)
        await end.until_ended()
        self.assertEqual(self.service.serving.services.health.marks, {})
        await self.recorded(1)

    async def test_response(self) -> None:
        """F62: no answer within response_timeout: 504."""
        client = await self.client_of(get())
        await (await self.one.connection()).message()
        await self.pass_time(42)
        self.assertEqual((await client.answer()).status, 504)
        client.send(get(b"/none"))
        self.assertEqual((await client.answer()).status, 404)
        await self.recorded(2)

    async def test_back_end_reads_nothing(self) -> None:
        """F62: a back-end that takes none of the body hangs: 504, though the client would send on."""
        self.one = self.back_end()
        self.start(clock=True, backend1=self.one, failover="response_timeout = 40")
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 50000000", method=b"PUT"))
        end = await self.one.connection()
        end.pause()
        client.send(b"x" * 50_000_000)
        await self.turns(300)
        (connection,) = self.connections
        self.assertFalse(connection.transport.reading)
        self.assertEqual(client.received, b"")
        await self.pass_time(42)
        self.assertEqual((await client.answer()).status, 504)
        self.assertEqual([one.name for one in self.service.serving.services.health.marks], ["backend1"])
        client.transport.abortConnection()
        await self.recorded(1)


class SlowTests(FrontCase):
    """Slow ends cost no memory and lose nothing."""

    async def test_slow_reader(self) -> None:
        """F5: a client that does not read pauses the back-end; when it reads, all of it comes."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.pause()
        client.send(get())
        end = await back_end.connection()
        await end.message()
        size = 20_000_000
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await self.turns(300)
        (connection,) = self.connections
        self.assertLess(connection.transport._native.get_write_buffer_size(), 1_000_000)
        self.assertFalse(connection._receiver._connection.transport.reading)
        client.resume()
        await client.until(lambda: client.total > size)
        (record,) = await self.recorded(1)
        self.assertEqual((record["sent"], record["reason"]), (size, ""))

    async def test_reader_that_never_reads(self) -> None:
        """A client that takes nothing for body_timeout is given up; one that takes a little gets more time."""
        back_end = self.back_end()
        self.start(clock=True, backend1=back_end, front="body_timeout = 20")
        client = await self.client()
        client.pause()
        client.send(get())
        end = await back_end.connection()
        await end.message()
        size = 20_000_000
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await self.turns(300)
        for _ in range(3):
            self.clock.pump([1.0] * 18)
            before = client.total
            client.resume()
            await client.until(lambda before=before: client.total > before + 1_000_000)
            client.pause()
            await self.turns(50)
        self.assertEqual(len(self.connections), 1)
        self.clock.pump([1.0] * 45)
        await self.eventually(lambda: not self.connections)
        await end.until_ended()
        (record,) = await self.recorded(1)
        self.assertEqual((record["status"], record["reason"]), (200, "client-gone"))
        client.transport.abortConnection()

    async def test_slow_reader_of_a_last_answer(self) -> None:
        """An answer with `Connection: close` reaches a client that does not read for some seconds, whole."""
        back_end = self.back_end()
        self.start(clock=True, backend1=back_end)
        client = await self.client()
        client.pause()
        client.send(get(b"/all/", b"Connection: close"))
        end = await back_end.connection()
        await end.message()
        end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        (connection,) = self.connections
        sent = await self.fill(connection, end)
        end.send(b"0\r\n\r\n")
        await self.recorded(1)
        for _ in range(3):
            self.clock.pump([1.0] * 10)
            await self.turns(5)
        client.resume()
        self.assertEqual(len((await client.answer()).body), sent)
        await client.until_ended()

    async def fill(self, connection: ClientConnection, end: BackEndEnd) -> int:
        """Send chunks until many of their bytes wait for the client, but fewer than make the back-end wait; returns how many."""
        sent = 0
        while connection.transport._native.get_write_buffer_size() < 90_000:
            self.assertLess(sent, 100_000_000)
            end.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
            sent += 10_000
            await self.eventually(lambda sent=sent: connection._receiver._sent == sent)
        self.assertFalse(connection.transport.write_paused)
        return sent

    async def test_pooled_connection_reads_again(self) -> None:
        """A back-end connection whose last bytes a slow client kept waiting serves the next request as any other."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        for number in range(4):
            client = await self.client()
            client.pause()
            client.send(get())
            end = await back_end.connection(1)
            await end.message()
            end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            (connection,) = self.connections
            sent = await self.fill(connection, end)
            end.send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n0\r\n\r\n")
            await self.recorded(2 * number + 1)
            self.assertTrue(connection.transport.write_paused)
            client.resume()
            self.assertEqual(len((await client.answer()).body), sent + 100_000)
            other = await self.client()
            other.send(get(b"/all/other"))
            await end.message()
            end.send(ok())
            self.assertEqual((await other.answer()).body, b"ok")
            await self.recorded(2 * number + 2)
            for one in (client, other):
                one.close()
            await self.eventually(lambda: not self.connections)

    async def test_pipelined_flood_waits(self) -> None:
        """Pipelined bytes behind a request that is being answered wait in the kernel beyond 64 KiB."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get())
        end = await back_end.connection()
        await end.message()
        client.send(get(b"/none") * 200_000)
        await self.turns(100)
        (connection,) = self.connections
        self.assertFalse(connection.transport.reading)
        self.assertLess(len(connection._buffer), 1_000_000)
        end.send(ok())
        await client.answer()
        client.reset()
        await self.eventually(lambda: not self.connections)


class CountTests(FrontCase):
    """max_connections."""

    async def test_most(self) -> None:
        """Beyond max_connections new connections are closed; a place that becomes free is used."""
        self.start(backend1=self.back_end(lambda _: ok()), front="max_connections = 2")
        one, two = await self.client(), await self.client()
        await one.ask(get())
        await two.ask(get())
        three = await self.client()
        await three.until_ended()
        one.close()
        await self.eventually(lambda: len(self.connections) == 1)
        four = await self.client()
        self.assertEqual((await four.ask(get())).status, 200)
        await self.recorded(3)
