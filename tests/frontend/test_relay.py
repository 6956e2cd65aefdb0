"""One connection, many requests: keep-alive, pipelining, versions, early answers, 100-continue, connections that belong to one client."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.ends import Message, ok, read_message
from tests.fakes.front import ONE_BACK_END, FrontCase, get, post


def echo(request: Message) -> bytes:
    """The target, and the body behind it."""
    return ok(request.start.split(b" ")[1] + b"|" + request.body)


class OrderTests(FrontCase):
    """Answers come in the order of the requests."""

    async def test_keep_alive(self) -> None:
        """One client connection and one back-end connection carry all."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        client = await self.client()
        for number in range(20):
            self.assertEqual(
                (await client.ask(post(b"x" * number, b"/all/%d" % number))).body, b"/all/%d|" % number + b"x" * number
            )
        self.assertEqual(len(back_end.ends), 1)
        await self.recorded(20)

    async def test_pipelined_thousand(self) -> None:
        """A thousand pipelined requests, forwarded and answered here, are answered in their order."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        client = await self.client()
        targets = [b"/all/%d" % number if number % 3 else b"/none/%d" % number for number in range(1000)]
        client.send(
            b"".join(get(target) if number % 5 else post(b"body", target) for number, target in enumerate(targets))
        )
        for number, target in enumerate(targets):
            answer = await client.answer()
            if target.startswith(b"/none"):
                self.assertEqual(answer.status, 404)
            else:
                self.assertEqual(answer.body, target + (b"|" if number % 5 else b"|body"))
        records = await self.recorded(1000)
        self.assertEqual([one["raw_target"].encode() for one in records], targets)

    async def test_pipelined_local_flood(self) -> None:
        """Pipelined requests that are answered here, then a half-close: all are answered though the client reads late."""
        self.start(backend1=1)
        client = await self.client()
        client.pause()
        client.send(get(b"/none") * 5000)
        client.half_close()
        await self.turns(200)
        client.resume()
        for _ in range(5000):
            self.assertEqual((await client.answer()).status, 404)
        await client.until_ended()
        await self.recorded(5000)

    async def test_half_closed(self) -> None:
        """A client that sends no more still gets its answers, pipelined ones too, then the end."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/1") + get(b"/all/2"))
        client.half_close()
        for number in (1, 2):
            end = await back_end.connection()
            self.assertEqual((await end.message()).start, b"GET /all/%d HTTP/1.1" % number)
            await self.turns(20)
            end.send(ok(b"%d" % number))
            self.assertEqual((await client.answer()).body, b"%d" % number)
        await client.until_ended()
        await self.recorded(2)

    async def test_empty_lines(self) -> None:
        """Empty lines before a request are ignored (RFC 9112 2.2)."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        client = await self.client()
        self.assertEqual((await client.ask(get())).status, 200)
        client.send(b"\r\n" + post(b"ab") + b"\r\n" + get(b"/all/2"))
        self.assertEqual([(await client.answer()).body for _ in range(2)], [b"/all/|ab", b"/all/2|"])
        await self.recorded(3)

    async def test_bytewise(self) -> None:
        """Requests and responses byte by byte are the same as whole ones."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        request = (
            get(b"/all/", b"Transfer-Encoding: chunked", method=b"PUT")
            + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"
            + post(b"de")
            + get(b"/all/3")
        )
        response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
        sending = client.send_bytewise(request)
        for body in (b"abc", b"de", b""):
            end = await back_end.connection()
            self.assertEqual((await end.message()).body, body)
            await end.send_bytewise(response)
            answer = await client.answer()
            self.assertEqual((answer.body, answer.trailers), (b"abc", b"X: y\r\n"))
        await sending
        await self.recorded(3)

    async def test_random_splits(self) -> None:
        """However a run of requests is cut into segments, the answers are the same."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        request = (
            get(b"/all/1")
            + post(b"ab\r\n\r\n", b"/all/2")
            + get(b"/none/")
            + b"\r\n"
            + get(b"/all/3", b"Transfer-Encoding: chunked", method=b"PUT")
            + b"2;a\r\n\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            + get(b"/all/4")
        )
        cuts: list[list[int]] = []

        @settings(max_examples=25, deadline=None, database=None, derandomize=True)
        @given(st.lists(st.integers(1, len(request) - 1), max_size=8))
        def collect(places: list[int]) -> None:
            cuts.append(sorted({0, *places, len(request)}))

        collect()
        for places in cuts:
            client = await self.client()
            client.transport.setTcpNoDelay(True)
            for start, stop in itertools.pairwise(places):
                client.send(request[start:stop])
                await self.turns(2)
            answers = [await client.answer() for _ in range(5)]
            self.assertEqual(
                [one.body for one in answers if one.status == 200],
                [b"/all/1|", b"/all/2|ab\r\n\r\n", b"/all/3|\r\nx", b"/all/4|"],
            )
            self.assertEqual([one.status for one in answers], [200, 200, 404, 200, 200])
            client.close()
        await self.recorded(5 * len(cuts))


class VersionTests(FrontCase):
    """HTTP/1.0 clients and odd targets."""

    async def test_old_client(self) -> None:
        """HTTP/1.0: without keep-alive the connection closes behind the answer; with it, it goes on and says so. Host may be missing."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        client = await self.client()
        answer = await client.ask(b"GET /all/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertEqual((answer.body, answer.one(b"Connection").lower()), (b"/all/|", b"keep-alive"))
        answer = await client.ask(b"GET /all/2 HTTP/1.0\r\n\r\n")
        self.assertEqual((answer.body, answer.one(b"Connection").lower()), (b"/all/2|", b"close"))
        await client.until_ended()
        got = back_end.requests[0]
        self.assertEqual((got.start, got.one(b"Host"), got.one(b"Via")), (b"GET /all/ HTTP/1.1", b"", b"1.0 exfront"))
        await self.recorded(2)

    async def test_old_client_gets_no_chunks(self) -> None:
        """HTTP/1.0 knows no chunks: the body ends with the connection, though keep-alive was asked for."""
        back_end = self.back_end(
            lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
        )
        self.start(backend1=back_end)
        client = await self.client()
        answer = await client.ask(b"GET /all/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertEqual((answer.body, answer.chunks, answer.one(b"Transfer-Encoding")), (b"abc", None, None))
        self.assertNotEqual((answer.one(b"Connection") or b"").lower(), b"keep-alive")
        await self.recorded(1)

    async def test_connection_close(self) -> None:
        """A client that says close gets close, and nothing behind it is read."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/1", b"Connection: close") + get(b"/all/2"))
        answer = await client.answer()
        self.assertEqual((answer.body, answer.one(b"Connection")), (b"/all/1|", b"close"))
        await client.until_ended()
        self.assertEqual((client.received, len(back_end.requests)), (b"", 1))
        await self.recorded(1)

    async def test_absolute_form(self) -> None:
        """An absolute-form target loses scheme and authority, which replace Host (RFC 9112 3.2.2)."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(get(b"http://other.example:8/all/x?y"))
        got = back_end.requests[0]
        self.assertEqual((got.start, got.one(b"Host")), (b"GET /all/x?y HTTP/1.1", b"other.example:8"))
        (record,) = await self.recorded(1)
        self.assertEqual(record["raw_target"], "http://other.example:8/all/x?y")

    async def test_options_asterisk(self) -> None:
        """OPTIONS * is answered here."""
        self.start(backend1=1)
        client = await self.client()
        answer = await client.ask(get(b"*", method=b"OPTIONS"))
        self.assertEqual((answer.status, answer.body), (200, b""))
        await self.recorded(1)

    async def test_trace(self) -> None:
        """TRACE that ends here is refused: it would show a client's credentials (RFC 9110 9.3.8)."""
        self.start(backend1=1)
        client = await self.client()
        self.assertEqual((await client.ask(get(b"/all/", b"Max-Forwards: 0", method=b"TRACE"))).status, 405)
        await self.recorded(1)

    async def test_max_forwards(self) -> None:
        """OPTIONS and TRACE with Max-Forwards: counted down, answered here at 0, and no number is too large (RFC 9110 7.6.2)."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        client = await self.client()
        self.assertEqual((await client.ask(get(b"/all/", b"Max-Forwards: 0", method=b"OPTIONS"))).status, 200)
        self.assertEqual(back_end.requests, [])
        for text, sent in ((b"5", b"4"), (b"0010", b"9")):
            await client.ask(get(b"/all/", b"Max-Forwards: " + text, method=b"OPTIONS"))
            self.assertEqual(back_end.requests.pop().one(b"Max-Forwards"), sent)
        answer = await client.ask(get(b"/all/", b"Max-Forwards: " + b"9" * 5000, method=b"OPTIONS"))
        self.assertIn(answer.status, (200, 400))
        await client.ask(get(b"/all/", b"Max-Forwards: 0"))
        self.assertEqual(back_end.requests.pop().one(b"Max-Forwards"), b"0")
        await self.recorded(5)


class ContinueTests(FrontCase):
    """Expect: 100-continue."""

    async def test_passed_through(self) -> None:
        """100-continue goes to the back-end, its 100 to the client, and then the body flows."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Expect: 100-continue", b"Content-Length: 4", method=b"PUT"))
        end = await back_end.connection()
        self.assertIn(b"\r\nExpect: 100-continue\r\n", await end.head())
        self.assertEqual((end.received, client.received), (b"", b""))
        end.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual((await client.message(b"PUT")).status, 100)
        client.send(b"body")
        await end.until(lambda: end.received == b"body")
        end.received = b""
        end.send(ok())
        self.assertEqual((await client.answer(b"PUT")).status, 200)
        client.send(get())
        await end.message()
        end.send(ok())
        await client.answer()
        await self.recorded(2)

    async def test_final_answer_instead(self) -> None:
        """A final answer instead of 100: the client gets it with `Connection: close`, for its body may come or not (RFC 9110 10.1.1)."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Expect: 100-continue", b"Content-Length: 4", method=b"PUT"))
        end = await back_end.connection()
        await end.head()
        end.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        answer = await client.answer(b"PUT")
        self.assertEqual((answer.status, answer.one(b"Connection")), (417, b"close"))
        await client.until_ended()
        await end.until_ended()
        await self.recorded(1)

    async def test_refused_here(self) -> None:
        """An answer of the front-end's own closes, too."""
        self.start(backend1=1)
        client = await self.client()
        answer = await client.ask(get(b"/none", b"Expect: 100-continue", b"Content-Length: 4", method=b"PUT"))
        self.assertEqual((answer.status, answer.one(b"Connection")), (404, b"close"))
        await client.until_ended()
        await self.recorded(1)


class EarlyTests(FrontCase):
    """Answers that come while the body still does."""

    async def test_small_rest(self) -> None:
        """A small rest of the body is read away and the connection goes on; the back-end's is not used again."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 1000", method=b"PUT") + b"x" * 10)
        end = await back_end.connection()
        await end.head()
        end.send(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
        answer = await client.answer()
        self.assertEqual((answer.status, answer.one(b"Connection")), (403, None))
        await end.until_ended()
        client.send(b"x" * 990 + get(b"/all/2"))
        end = await back_end.connection(2)
        self.assertEqual((await end.message()).start, b"GET /all/2 HTTP/1.1")
        end.send(ok())
        self.assertEqual((await client.answer()).status, 200)
        await self.recorded(2)

    async def test_large_rest(self) -> None:
        """With much more to come the connection is closed, and the answer arrives."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 100000000", method=b"PUT") + b"x" * 10000)
        end = await back_end.connection()
        await end.head()
        end.send(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        answer = await client.answer()
        self.assertEqual((answer.status, answer.one(b"Connection")), (413, b"close"))
        client.send(b"x" * 100000)
        await client.until_ended()
        await self.recorded(1)

    async def test_endless_chunks(self) -> None:
        """A chunked body that nobody wants and that does not end closes the connection after a while."""
        self.start(backend1=1)
        client = await self.client()
        client.send(get(b"/none", b"Transfer-Encoding: chunked", method=b"PUT") + b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        self.assertEqual((await client.answer()).status, 404)
        client.send((b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 400)
        await client.until_ended()
        self.assertEqual(client.received, b"")
        await self.recorded(1)

    async def test_body_goes_on_while_answer_does(self) -> None:
        """Both ways at once: a back-end that answers while it still reads gets the rest of the body."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/", b"Content-Length: 6", method=b"PUT") + b"abc")
        end = await back_end.connection()
        await end.head()
        end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await client.until_received(b"3\r\nabc\r\n")
        client.send(b"def")
        await end.until(lambda: end.received == b"abcdef")
        end.received = b""
        end.send(b"3\r\ndef\r\n0\r\n\r\n")
        self.assertEqual((await client.answer()).body, b"abcdef")
        client.send(get(b"/all/2"))
        self.assertEqual((await end.message()).start, b"GET /all/2 HTTP/1.1")
        end.send(ok())
        await client.answer()
        (record, _) = await self.recorded(2)
        self.assertEqual((record["received"], record["sent"]), (6, 6))


class LargeTests(FrontCase):
    """Bodies of some size."""

    async def test_whole_before_connected(self) -> None:
        """A body larger than replay_limit that is here before the back-end is connected: the connection goes on behind it."""
        back_end = self.back_end(lambda request: ok(b"%d" % len(request.body)))
        self.start(backend1=back_end, failover="replay_limit = 100")
        client = await self.client()
        for framing, body in (
            (b"Content-Length: 2000", b"x" * 2000),
            (b"Transfer-Encoding: chunked", b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n"),
        ):
            self.service._lasting.pools.close()
            client.send(get(b"/all/", framing, method=b"PUT") + body)
            self.assertEqual((await client.answer()).body, b"2000")
            client.send(get())
            self.assertEqual((await client.answer()).body, b"0")
        await self.recorded(4)

    async def test_megabytes(self) -> None:
        """Bodies of many megabytes both ways arrive whole."""
        size = 20_000_000
        back_end = self.back_end(lambda request: ok(request.body))
        self.start(backend1=back_end)
        client = await self.client()
        body = bytes(range(250)) * (size // 250)
        # the test's own reading of a growing buffer would be slow: look at the number of bytes only
        client.send(post(body))
        await client.until(lambda: client.total > size)
        answer, rest = read_message(client.received, b"POST")
        client.received = rest
        self.assertEqual(answer.body == body, True)
        await self.recorded(1)


class BoundTests(FrontCase):
    """F25: NTLM and Negotiate, passed through, make a back-end connection one client's own."""

    async def test_never_shared(self) -> None:
        """F25: a connection that carried connection-bound credentials serves its client alone, and closes with it."""
        for number, scheme in enumerate((b"NTLM TlRMTVNTUAAB", b"Negotiate YII=", b"negotiate", b"NTLM\tTlRMTVNTUAAB")):
            back_end = self.back_end(echo)
            if number:
                await self._end()
            self.start(backend1=back_end)
            one, two = await self.client(), await self.client()
            await one.ask(get(b"/all/1", b"Authorization: " + scheme))
            await two.ask(get(b"/all/2"))
            await one.ask(get(b"/all/3"))
            await two.ask(get(b"/all/4"))
            first, second = back_end.ends
            self.assertEqual(
                [request.start for request in back_end.requests], [b"GET /all/%d HTTP/1.1" % at for at in (1, 2, 3, 4)]
            )
            self.assertEqual((first.lost, second.lost), (None, None))
            one.close()
            await first.until_ended()
            third = await self.client()
            await third.ask(get(b"/all/5"))
            self.assertEqual(len(back_end.ends), 2)
            await self.eventually(lambda number=number: len(self.lines.lines) == 5 * (number + 1))

    async def test_not_taken_from_pool(self) -> None:
        """F25: a pooled connection that a client's credentials have bound does not go back to the pool."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        one, two = await self.client(), await self.client()
        await two.ask(get(b"/all/1"))
        await one.ask(get(b"/all/2", b"Authorization: NTLM TlRMTVNTUAAB"))
        await two.ask(get(b"/all/3"))
        self.assertEqual(len(back_end.ends), 2)
        await self.recorded(3)

    async def test_bound_to_another_server(self) -> None:
        """A client whose next request goes elsewhere, bound again, gives its first connection back: closed, never pooled."""
        one, two = self.back_end(echo), self.back_end(echo)
        more = "\n[virtual-directory other]\npath = /other\nkind = forward\nservers = backend2\n"
        more += "[back-end backend2]\naddress = 127.0.0.1\nport = {backend2}\n"
        self.start(ONE_BACK_END + more, backend1=one, backend2=two)
        client = await self.client()
        for target in (b"/all/1", b"/other/2"):
            self.assertEqual((await client.ask(get(target, b"Authorization: NTLM x"))).status, 200)
        await one.ends[0].until_ended()
        self.assertEqual((await client.ask(get(b"/other/3"))).status, 200)
        other = await self.client()
        await other.ask(get(b"/all/4"))
        self.assertEqual((len(one.ends), len(two.ends)), (2, 1))
        await self.recorded(4)

    async def test_bound_connection_lost(self) -> None:
        """The back-end closes it: the client's next request gets a new one."""
        back_end = self.back_end(echo)
        self.start(backend1=back_end)
        one = await self.client()
        await one.ask(get(b"/all/1", b"Authorization: NTLM TlRMTVNTUAAB"))
        back_end.ends[0].close()
        await back_end.ends[0].until_lost()
        await self.turns()
        self.assertEqual((await one.ask(get(b"/all/2"))).status, 200)
        self.assertEqual(len(back_end.ends), 2)
        await self.recorded(2)


class NonsenseTests(FrontCase):
    """Back-ends that do not speak HTTP well."""

    async def test_refused(self) -> None:
        """A head that is no head, or has no sure length, gives 502, and the connection is not used again."""
        bad = [
            b"HTTP/1.1 OK\r\n\r\n",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"hello\r\n\r\n",
            b"HTTP/1.1 200 OK\nX: y\n\n",
            b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n",
            b"HTTP/1.1 099 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300000,
        ]
        current = [b""]
        back_end = self.back_end(lambda _: current[0])
        self.start(backend1=back_end, failover="unavailable = 0")
        client = await self.client()
        for number, response in enumerate(bad, 1):
            current[0] = response
            answer = await client.ask(post(b"x"))
            self.assertEqual((answer.status, answer.one(b"Connection")), (502, None), response[:100])
            await back_end.ends[-1].until_ended()
            self.assertEqual(len(back_end.ends), number)
        await self.recorded(len(bad))

    async def test_broken_later(self) -> None:
        """Nonsense within a body that has begun breaks the answer off."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get())
        end = await back_end.connection()
        await end.message()
        end.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        await client.until_received(b"ab")
        end.send(b"zz\r\n")
        await client.until_ended()
        await end.until_ended()
        (record,) = await self.recorded(1)
        self.assertEqual(record["reason"], "broken-off")

    async def test_more_than_asked_for(self) -> None:
        """Bytes behind a response are never another one's (response splitting): the connection is not used again."""
        split = ok(b"first") + ok(b"poison")
        back_end = self.back_end(lambda request: split if b"/1 " in request.start else ok(b"clean"))
        self.start(backend1=back_end)
        client = await self.client()
        self.assertEqual((await client.ask(get(b"/all/1"))).body, b"first")
        self.assertEqual((await client.ask(get(b"/all/2"))).body, b"clean")
        self.assertEqual(len(back_end.ends), 2)
        await self.recorded(2)

    async def test_unasked_while_idle(self) -> None:
        """Bytes on an idle connection close it."""
        back_end = self.back_end(lambda _: ok(b"clean"))
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(get())
        back_end.ends[0].send(ok(b"poison"))
        await back_end.ends[0].until_ended()
        self.assertEqual((await client.ask(get())).body, b"clean")
        await self.recorded(2)

    async def test_body_of_bodiless(self) -> None:
        """A body behind the head of a 204, a 304 or an answer to HEAD never becomes the next answer."""
        for method, head in (
            (b"GET", b"HTTP/1.1 204 No\r\n"),
            (b"GET", b"HTTP/1.1 304 No\r\nContent-Length: 2\r\n"),
            (b"HEAD", b"HTTP/1.1 200 OK\r\n"),
        ):
            back_end = self.back_end(
                lambda request, head=head: head + b"\r\n" + ok(b"poison") if b"/1 " in request.start else ok(b"clean")
            )
            if "service" in self.__dict__:
                await self._end()
            self.start(backend1=back_end)
            client = await self.client()
            await client.ask(get(b"/all/1", method=method))
            self.assertEqual((await client.ask(get(b"/all/2"))).body, b"clean")

    async def test_unasked_upgrade(self) -> None:
        """101 that nobody asked for gives 502."""
        back_end = self.back_end(
            lambda _: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nxx"
        )
        self.start(backend1=back_end)
        client = await self.client()
        self.assertEqual((await client.ask(get(b"/all/", b"Upgrade: h2c", b"Connection: Upgrade"))).status, 502)
        self.assertIsNone(back_end.requests[0].one(b"Upgrade"))
        await back_end.ends[0].until_ended()
        await self.recorded(1)
