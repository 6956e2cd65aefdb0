"""What happens when back-ends fail: marks, the next server, repeated requests (F60 to F65), with real sockets and the test's clock."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from twisted.internet.defer import fail
from twisted.internet.error import ConnectionLost, getConnectError

from tests.fakes.ends import BackEnd, ok
from tests.fakes.front import FrontCase, get, post

if TYPE_CHECKING:
    from exfront.backend.health import HealthBoard
    from tests.fakes.ends import Client, Message

THREE = """\
[front-end]
listen = tcp:0:interface=127.0.0.1
log_format = json
access_log = -
body_timeout = 1000
header_timeout = 300
idle_timeout = 3000

[virtual-server default]
hosts = *
authentication = none

[virtual-directory all]
path = /all
kind = forward
servers = backend1 backend2 backend3

[virtual-directory single]
path = /one
kind = forward
servers = backend1

[back-end backend1]
address = 127.0.0.1
port = {backend1}

[back-end backend2]
address = 127.0.0.1
port = {backend2}

[back-end backend3]
address = 127.0.0.1
port = {backend3}

[failover]
unavailable = 600
response_timeout = 60
connect_timeout = 3
replay_limit = 1000
"""


class FailoverCase(FrontCase):
    """Three back-ends, asked in their order; backend1 in the test's hands."""

    ini = THREE

    def setUp(self) -> None:
        super().setUp()
        self.one = self.back_end()
        self.two = self.back_end(lambda _: ok(b"two"))
        self.three = self.back_end(lambda _: ok(b"three"))
        self.start(self.ini, clock=True, backend1=self.one, backend2=self.two, backend3=self.three)

    @property
    def health(self) -> HealthBoard:
        return self.service.serving.services.health

    @property
    def marked(self) -> dict[str, float]:
        return {server.name: since for server, since in self.health.marks.items()}

    async def shut(self, *back_ends: BackEnd) -> None:
        """Nobody listens there any more."""
        for one in back_ends:
            await one.stop()

    async def asked(self, client: Client, request: bytes = get()) -> Message:
        return await client.ask(request)

    async def pass_time(self, seconds: float) -> None:
        """Seconds go by, one after the other, and what they cause happens."""
        assert self.clock is not None
        self.clock.pump([1.0] * int(seconds))
        await self.turns(3)


class MarkTests(FailoverCase):
    """A server that cannot be used is left alone for a while."""

    async def test_refused(self) -> None:
        """F62: a server that refuses connections is marked, and the same request goes to the next one."""
        await self.shut(self.one)
        client = await self.client()
        self.assertEqual((await client.ask(get())).body, b"two")
        self.assertEqual(list(self.marked), ["backend1"])
        (record,) = await self.recorded(1)
        self.assertEqual(
            (record["status"], record["back_end"], record["attempts"], record["reason"]), (200, "backend2", 2, "")
        )

    async def test_mark_lasts(self) -> None:
        """F63: a marked server gets nothing until its mark ends after 600 seconds, then it is the first again."""
        port = self.one.number
        await self.shut(self.one)
        client = await self.client()
        await client.ask(get())
        again = BackEnd(self.reactor, lambda _: ok(b"one")).listen(port=port)
        try:
            await self.pass_time(599)
            self.assertEqual((await client.ask(get())).body, b"two")
            self.assertEqual(again.ends, [])
            await self.pass_time(2)
            self.assertEqual((await client.ask(get())).body, b"one")
            await self.recorded(3)
        finally:
            await again.stop()

    async def test_reset_on_new_connection(self) -> None:
        """F62, F64: reset without an answer on a new connection: marked, and an idempotent request goes on."""
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        end.reset()
        self.assertEqual((await client.answer()).body, b"two")
        self.assertEqual(list(self.marked), ["backend1"])
        await self.recorded(1)

    async def test_closed_on_new_connection(self) -> None:
        """F62: closed without an answer on a new connection counts like a reset."""
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        end.close()
        self.assertEqual((await client.answer()).body, b"two")
        self.assertEqual(list(self.marked), ["backend1"])
        await self.recorded(1)

    async def test_closed_when_accepted(self) -> None:
        """F62: connections that are closed as soon as they are accepted never hang a request."""
        self.one.accepting = False
        client = await self.client()
        for number in range(50):
            self.health.reset()
            self.assertEqual((await client.ask(get())).body, b"two", number)
        await self.recorded(50)

    async def test_hung(self) -> None:
        """F62, F64: silence past the response time-out marks the server; an idempotent request goes on."""
        client = await self.client()
        client.send(get())
        await (await self.one.connection()).message()
        await self.pass_time(59)
        self.assertEqual((self.marked, client.received), ({}, b""))
        await self.pass_time(3)
        self.assertEqual((await client.answer()).body, b"two")
        self.assertEqual(list(self.marked), ["backend1"])
        await self.recorded(1)

    async def test_hung_alone(self) -> None:
        """F62: with no other server a time-out is 504, and a POST is not sent to another one."""
        for number, request in enumerate((get(b"/one/"), post(b"x")), 1):
            self.health.reset()
            client = await self.client()
            client.send(request)
            await (await self.one.connection(number)).message()
            await self.pass_time(62)
            self.assertEqual((await client.answer(request.partition(b" ")[0])).status, 504)
            self.assertEqual(list(self.marked), ["backend1"])
        self.assertEqual(self.two.ends, [])
        await self.recorded(2)

    async def test_not_http(self) -> None:
        """F62: what is no HTTP counts as no answer."""
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        end.send(b"220 mail.example ESMTP\r\n\r\n")
        self.assertEqual((await client.answer()).body, b"two")
        await end.until_ended()
        await self.recorded(1)

    async def test_all_fail(self) -> None:
        """F62: with none left the request fails with 502 and says so in the log."""
        await self.shut(self.one, self.two, self.three)
        client = await self.client()
        answer = await client.ask(get())
        self.assertEqual(answer.status, 502)
        self.assertNotIn(b"backend", answer.body)
        (record,) = await self.recorded(1)
        self.assertEqual((record["status"], record["attempts"], record["reason"]), (502, 3, "no-answer"))

    async def test_oldest_mark_first(self) -> None:
        """F65: when all are marked, the one marked longest ago is tried, then the next; none twice (F62)."""
        ports = [one.number for one in (self.one, self.two, self.three)]
        await self.shut(self.one, self.two, self.three)
        for server in ("backend2", "backend3", "backend1"):
            found = next(
                one
                for one in self.service.serving.tree.virtual_server(b"a").find(b"/all")[1].rule.servers
                if one.name == server
            )
            self.health.mark(found, "test")
            await self.pass_time(1)
        again = BackEnd(self.reactor, lambda _: ok(b"one")).listen(port=ports[0])
        try:
            client = await self.client()
            self.assertEqual((await client.ask(get())).body, b"one")
            (record,) = await self.recorded(1)
            self.assertEqual(record["attempts"], 3)
            self.assertEqual(sorted(self.marked), ["backend2", "backend3"])
        finally:
            await again.stop()

    async def test_home_is_back(self) -> None:
        """F65: a mailbox's only server is tried although it is marked, and its mark ends with its answer."""
        port = self.one.number
        await self.shut(self.one)
        client = await self.client()
        self.assertEqual((await client.ask(get(b"/one/"))).status, 502)
        again = BackEnd(self.reactor, lambda _: ok(b"one")).listen(port=port)
        try:
            self.assertEqual((await client.ask(get(b"/one/"))).body, b"one")
            self.assertEqual(self.marked, {})
            self.assertEqual((await client.ask(get())).body, b"one")
            await self.recorded(3)
        finally:
            await again.stop()


class ConnectTests(FailoverCase):
    """Connections that do not come about."""

    async def test_time_out(self) -> None:
        """F62: no connection within connect_timeout: marked, next server; 504 where there is none."""
        import socket

        # a full backlog: the kernel drops further SYNs, so that connecting takes forever
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            fillers.append(one)
        self.addCleanup(lambda: [one.close() for one in (full, *fillers)])
        self.path.write_text(
            THREE.format(backend1=full.getsockname()[1], backend2=self.two.number, backend3=self.three.number)
        )
        self.assertTrue(self.service.reload())
        client = await self.client()
        client.send(get())
        await self.turns(20)
        await self.pass_time(2)
        self.assertEqual(self.marked, {})
        await self.pass_time(2)
        self.assertEqual((await client.answer()).body, b"two")
        self.assertEqual(list(self.marked), ["backend1"])
        client.send(get(b"/one/"))
        await self.turns(20)
        await self.pass_time(4)
        self.assertEqual((await client.answer()).status, 504)
        await self.recorded(2)

    async def test_no_descriptor(self) -> None:
        """F62: a connection that we cannot make for want of a descriptor or a port says nothing about the server."""
        for number in (errno.EMFILE, errno.EADDRNOTAVAIL):
            pool = self.service._lasting.pools.of(
                self.service.serving.tree.virtual_server(b"a").find(b"/one")[1].rule.servers[0]
            )
            failed = getConnectError((number, "too many"))
            self.patch(pool, "connect", lambda failed=failed: fail(failed))
            client = await self.client()
            self.assertEqual((await client.ask(get(b"/one/"))).status, 502)
            self.assertEqual(self.marked, {})
        await self.recorded(2)


class RepeatTests(FailoverCase):
    """What may be sent twice, and what never."""

    async def keep_alive(self) -> Client:
        """A client whose first request has left a kept-alive connection to backend1."""
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        end.send(ok(b"one"))
        self.assertEqual((await client.answer()).body, b"one")
        return client

    async def test_stale_connection(self) -> None:
        """F62: a kept-alive connection that turns out closed says nothing: a new one to the same server, and no mark."""
        client = await self.keep_alive()
        client.send(get(b"/all/2"))
        end = self.one.ends[0]
        await end.message()
        end.close()
        end = await self.one.connection(2)
        self.assertEqual((await end.message()).start, b"GET /all/2 HTTP/1.1")
        end.send(ok(b"again"))
        self.assertEqual((await client.answer()).body, b"again")
        self.assertEqual(self.marked, {})
        await self.recorded(2)

    async def test_stale_connection_reset(self) -> None:
        """F62: the same with a reset; and when the new connection fails too, the server is marked and the next one asked."""
        client = await self.keep_alive()
        client.send(get(b"/all/2"))
        await self.one.ends[0].message()
        self.one.ends[0].reset()
        end = await self.one.connection(2)
        await end.message()
        end.reset()
        self.assertEqual((await client.answer()).body, b"two")
        self.assertEqual(list(self.marked), ["backend1"])
        await self.recorded(2)

    async def test_closed_while_idle(self) -> None:
        """F62: a connection that the server closed while it was idle is not used."""
        client = await self.keep_alive()
        self.one.ends[0].close()
        await self.one.ends[0].until_lost()
        await self.turns()
        client.send(post(b"once"))
        end = await self.one.connection(2)
        self.assertEqual((await end.message()).body, b"once")
        end.send(ok(b"one"))
        self.assertEqual((await client.answer()).body, b"one")
        await self.recorded(2)

    async def test_post_never_twice(self) -> None:
        """F64: a POST that was sent and not answered is never sent again, stale connection or not."""
        client = await self.keep_alive()
        client.send(post(b"once"))
        await self.one.ends[0].message()
        self.one.ends[0].close()
        self.assertEqual((await client.answer(b"POST")).status, 502)
        self.assertEqual(self.marked, {})
        client.send(post(b"once"))
        end = await self.one.connection(2)
        await end.message()
        end.reset()
        self.assertEqual((await client.answer(b"POST")).status, 502)
        self.assertEqual(list(self.marked), ["backend1"])
        self.assertEqual((len(self.one.ends), self.two.ends, self.three.ends), (2, [], []))
        await self.recorded(3)

    async def test_post_unsent_goes_on(self) -> None:
        """F64: nothing was sent: a POST goes to the next server, body and all."""
        await self.shut(self.one)
        client = await self.client()
        self.assertEqual((await client.ask(post(b"body"))).body, b"two")
        self.assertEqual(self.two.requests[0].body, b"body")
        await self.recorded(1)

    async def test_large_post_unsent_goes_on(self) -> None:
        """F64: also one that is larger than the replay limit."""
        await self.shut(self.one)
        client = await self.client()
        body = bytes(300000)
        self.assertEqual((await client.ask(post(body))).body, b"two")
        self.assertEqual(self.two.requests[0].body, body)
        await self.recorded(1)

    async def test_body_is_replayed(self) -> None:
        """F64: an idempotent request's body is sent again, up to replay_limit; chunked and with a length."""
        client = await self.client()
        chunked = (
            get(b"/all/", b"Transfer-Encoding: chunked", method=b"PUT") + b"3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
        )
        for number, request in enumerate((post(b"abcde", method=b"PUT"), chunked), 1):
            self.health.reset()
            client.send(request)
            end = await self.one.connection(number)
            await end.message()
            end.reset()
            self.assertEqual((await client.answer()).body, b"two")
        first, second = self.two.requests
        self.assertEqual((first.body, second.body, second.trailers), (b"abcde", b"abcde", b"X: y\r\n"))
        await self.recorded(2)

    async def test_half_sent_body_is_replayed(self) -> None:
        """F64: what the first server got of an unfinished body the second one gets too, then the rest."""
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 6", method=b"PUT") + b"abc")
        end = await self.one.connection()
        await end.until(lambda: end.received.endswith(b"abc"))
        end.reset()
        second = await self.two.connection()
        await second.until(lambda: second.received.endswith(b"\r\n\r\nabc"))
        client.send(b"def")
        self.assertEqual((await client.answer()).body, b"two")
        self.assertEqual(self.two.requests[0].body, b"abcdef")
        await self.recorded(1)

    async def test_large_body_is_not(self) -> None:
        """F64: beyond replay_limit a request that was sent is lost with its server."""
        client = await self.client()
        client.send(post(b"x" * 1001, method=b"PUT"))
        end = await self.one.connection()
        await end.message()
        end.reset()
        self.assertEqual((await client.answer()).status, 502)
        self.assertEqual(self.two.ends, [])
        await self.recorded(1)

    async def test_answer_begun(self) -> None:
        """F64: once the head has gone out, closing is the only way; the log says so."""
        for number, begun in enumerate(
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            ),
            1,
        ):
            client = await self.client()
            client.send(get())
            end = await self.one.connection(number)
            await end.message()
            end.send(begun)
            await client.until_received(b"half")
            end.close()
            await client.until_ended()
            self.assertNotIn(b"0\r\n\r\n", client.received)
        self.assertEqual(self.two.ends, [])
        for record in await self.recorded(2):
            self.assertEqual((record["status"], record["reason"], record["sent"]), (200, "broken-off", 4))

    async def test_answer_begun_to_old_client(self) -> None:
        """F64: an HTTP/1.0 client learns by a reset that something is missing: a mere end would look like the body's."""
        client = await self.client()
        client.send(b"GET /all/ HTTP/1.0\r\n\r\n")
        end = await self.one.connection()
        await end.message()
        end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await client.until_received(b"half")
        end.close()
        await client.until_lost()
        self.assertTrue(client.lost.check(ConnectionLost))
        (record,) = await self.recorded(1)
        self.assertEqual(record["reason"], "broken-off")

    async def test_answer_stops(self) -> None:
        """F64: an answer that stops coming is broken off after the response time-out."""
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await client.until_received(b"half")
        await self.pass_time(62)
        await client.until_ended()
        await end.until_ended()
        (record,) = await self.recorded(1)
        self.assertEqual(record["reason"], "broken-off")

    async def test_slow_upload_is_not_hanging(self) -> None:
        """F62: while the client still sends, it is not the server that keeps us waiting."""
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 3", method=b"PUT") + b"a")
        end = await self.one.connection()
        await end.until(lambda: end.received.endswith(b"a"))
        await self.pass_time(200)
        client.send(b"b")
        await end.until(lambda: end.received.endswith(b"ab"))
        await self.pass_time(200)
        self.assertEqual(self.marked, {})
        client.send(b"c")
        await end.message()
        end.send(ok(b"one"))
        self.assertEqual((await client.answer()).body, b"one")
        await self.recorded(1)

    async def test_interim_prolongs(self) -> None:
        """F62: an interim response is a sign of life."""
        client = await self.client()
        client.send(get())
        end = await self.one.connection()
        await end.message()
        for _ in range(3):
            await self.pass_time(50)
            end.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            await client.until_received(b"102")
            client.received = b""
        end.send(ok(b"one"))
        self.assertEqual((await client.answer()).body, b"one")
        await self.recorded(1)
