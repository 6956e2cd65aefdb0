"""What a back-end gets and what a client gets, byte for byte (F1 to F5)."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.ssl import DefaultOpenSSLContextFactory

from tests.fakes.ends import BackEnd, ok
from tests.fakes.front import ONE_BACK_END, FrontCase, get, post
from tests.real.certificates import Authority


class RequestTests(FrontCase):
    """The request on its way to the back-end."""

    async def test_host_unchanged(self) -> None:
        """F1: the back-end receives the client's Host, spelt and placed as it was."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        answer = await client.ask(b"GET /all/ HTTP/1.1\r\nAccept: */*\r\nhOsT: WWW.Adatum.com:8080\r\n\r\n")
        self.assertEqual(answer.status, 200)
        self.assertEqual(back_end.requests[0].fields[:2], [(b"Accept", b"*/*"), (b"hOsT", b"WWW.Adatum.com:8080")])
        await self.recorded(1)

    async def test_everything_else_unchanged(self) -> None:
        """F2: method, raw target, order, spelling and duplicates of fields, and the body's bytes."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        lines = (
            b"X-A: 1", b"x-a:2", b"X-A:   3  ", b"Cookie: a=1", b"Cookie: b=2", b"Accept-Encoding: br", b"X-Eight: caf\xe9",
            b"X-Empty:", b"Depth: infinity", b"Content-Type: text/xml",
        )  # fmt: skip
        body = bytes(range(256)) * 10
        target = b'/ALL/%41//a%2fb/caf\xc3\xa9;p=1?q="x"&y=%zz?'
        request = post(body, target, *lines, method=b"X-MS-ENUMATTS")
        await client.ask(request)
        got = back_end.requests[0]
        self.assertEqual(got.start, b"X-MS-ENUMATTS " + target + b" HTTP/1.1")
        sent = request.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2]
        self.assertTrue(got.head.partition(b"\r\n")[2].startswith(sent + b"\r\n"), got.head)
        self.assertEqual(got.body, body)
        await self.recorded(1)

    async def test_methods(self) -> None:
        """F2: WebDAV's and the vendor's verbs, lower case, and any token."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        methods = [
            b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"SEARCH", b"SUBSCRIBE", b"BPROPPATCH",
            b"POLL", b"X-MS-ENUMATTS", b"RPC_IN_DATA", b"get", b"!#$%&'*+-.^_`|~", b"OPTIONS", b"DELETE", b"PATCH",
        ]  # fmt: skip
        for method in methods:
            self.assertEqual((await client.ask(get(method=method))).status, 200)
        self.assertEqual([one.start.partition(b" ")[0] for one in back_end.requests], methods)
        await self.recorded(len(methods))

    async def test_body_is_streamed(self) -> None:
        """F2: the first bytes of a body are at the back-end before the last were sent, with a length and in chunks."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(b"/all/1", b"Content-Length: 10", method=b"PUT") + b"first")
        end = await back_end.connection()
        head = await end.head()
        await end.until(lambda: end.received == b"first")
        client.send(b"-last")
        await end.until(lambda: end.received == b"first-last")
        self.assertIn(b"\r\nContent-Length: 10\r\n", head)
        end.received = b""
        end.send(ok())
        await client.answer()
        client.send(get(b"/all/2", b"Transfer-Encoding: chunked", method=b"PUT") + b"5\r\nfirst\r\n")
        head = await end.head()
        self.assertEqual(head.count(b"ransfer-"), 1)
        await end.until(lambda: end.received == b"5\r\nfirst\r\n")
        client.send(b"4;x=y\r\nlast\r\n0\r\nX-Sum: 1\r\n\r\n")
        await end.until(lambda: end.received == b"5\r\nfirst\r\n4\r\nlast\r\n0\r\nX-Sum: 1\r\n\r\n")
        end.send(ok())
        self.assertEqual((await client.answer()).status, 200)
        one, two = await self.recorded(2)
        self.assertEqual((one["received"], two["received"]), (10, 9))


class MarkerTests(FrontCase):
    """The marker headers."""

    async def test_markers(self) -> None:
        """F3: every forwarded request carries all of them, once each."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(get(host=b"www.adatum.com:81"))
        got = back_end.requests[0]
        self.assertEqual(got.one(b"X-Forwarded-For"), b"127.0.0.1")
        self.assertEqual(got.one(b"X-Forwarded-Proto"), b"http")
        self.assertEqual(got.one(b"X-Forwarded-Host"), b"www.adatum.com:81")
        self.assertEqual(got.one(b"Forwarded"), b'for=127.0.0.1;host="www.adatum.com:81";proto=http')
        self.assertEqual(got.one(b"Front-End-Https"), b"Off")
        self.assertEqual(got.one(b"Via"), b"1.1 exfront")
        (record,) = await self.recorded(1)
        self.assertEqual(got.one(b"X-Request-Id"), record["request_id"].encode())

    async def test_spoofed_markers(self) -> None:
        """F3: an untrusted client's own are removed, with underscores too; Via is appended to."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        names = (b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"Forwarded", b"X-Request-Id", b"Front-End-Https",
                 b"X-Forwarded-Port", b"X-Real-IP")  # fmt: skip
        spoofed = [b"%b: spoofed" % spelt for name in names for spelt in (name, name.replace(b"-", b"_"), name.lower())]
        await client.ask(get(b"/all/", *spoofed, b"Via: 1.0 fred, 1.1 p.example", b"X-Mine: kept"))
        got = back_end.requests[0]
        self.assertNotIn(b"spoofed", got.head)
        self.assertEqual(got.all(b"Via"), [b"1.0 fred, 1.1 p.example", b"1.1 exfront"])
        self.assertEqual(got.one(b"X-Mine"), b"kept")
        await self.recorded(1)

    async def test_trusted_proxy(self) -> None:
        """F3: a trusted proxy's markers are believed and continued."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end, front="trusted_proxies = 127.0.0.0/8")
        client = await self.client()
        await client.ask(
            get(
                b"/all/", b"X-Forwarded-For: 6.6.6.6, 192.0.2.7, 127.0.0.9", b"X-Forwarded-Proto: https",
                b"X-Forwarded-Host: mail.adatum.com", b"Forwarded: for=192.0.2.7", b"X-Request-Id: from-proxy",
            )
        )  # fmt: skip
        got = back_end.requests[0]
        self.assertEqual(got.one(b"X-Forwarded-For"), b"6.6.6.6, 192.0.2.7, 127.0.0.9, 127.0.0.1")
        self.assertEqual(got.one(b"X-Forwarded-Proto"), b"https")
        self.assertEqual(got.one(b"X-Forwarded-Host"), b"mail.adatum.com")
        self.assertEqual(got.one(b"Front-End-Https"), b"On")
        self.assertEqual(got.one(b"Forwarded"), b"for=192.0.2.7, for=127.0.0.1;host=www.adatum.com;proto=https")
        self.assertEqual(got.one(b"X-Request-Id"), b"from-proxy")
        (record,) = await self.recorded(1)
        self.assertEqual((record["peer"], record["request_id"]), ("192.0.2.7", "from-proxy"))

    async def test_trusted_proxy_without_back_end(self) -> None:
        """F3: answers of our own go by a trusted proxy's client and id, too."""
        self.start(backend1=1, front="trusted_proxies = 127.0.0.0/8")
        client = await self.client()
        from_proxy = (b"X-Forwarded-For: 192.0.2.7", b"X-Request-Id: from-proxy")
        for status, request in (
            (404, get(b"/nowhere", *from_proxy)),
            (400, get(b"/all/../x", *from_proxy)),
            (200, get(b"*", *from_proxy, method=b"OPTIONS")),
        ):
            answer = await client.ask(request)
            self.assertEqual(answer.status, status)
            if status != 200:
                self.assertEqual(answer.one(b"X-Request-Id"), b"from-proxy")
        for record in await self.recorded(3):
            self.assertEqual((record["peer"], record["request_id"]), ("192.0.2.7", "from-proxy"))

    async def test_id_of_nobody(self) -> None:
        """F3: an untrusted client's id and address count nowhere."""
        self.start(backend1=1, front="trusted_proxies = 10.0.0.0/8")
        client = await self.client()
        answer = await client.ask(get(b"/nowhere", b"X-Forwarded-For: 192.0.2.7", b"X-Request-Id: spoofed"))
        (record,) = await self.recorded(1)
        self.assertEqual((record["peer"], answer.one(b"X-Request-Id")), ("127.0.0.1", record["request_id"].encode()))
        self.assertNotEqual(record["request_id"], "spoofed")

    async def test_request_id_on_error_page(self) -> None:
        """F3: the id on an error page is the one in the log, and the one the back-end saw."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get(method=b"POST"))
        end = await back_end.connection()
        request = await end.message()
        end.reset()
        answer = await client.answer()
        (record,) = await self.recorded(1)
        self.assertEqual(answer.status, 502)
        self.assertEqual(answer.one(b"X-Request-Id"), record["request_id"].encode())
        self.assertEqual(request.one(b"X-Request-Id"), record["request_id"].encode())
        self.assertIn(record["request_id"].encode(), answer.body)

    async def test_hop_by_hop(self) -> None:
        """F2: hop-by-hop fields and those that Connection names stay behind, but for those that matter end to end."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(
            get(
                b"/all/", b"Connection: keep-alive, X-Hop, cookie, X-Forwarded-For, Host", b"X-Hop: 1", b"Cookie: a=1", b"Keep-Alive: 5",
                b"Proxy-Connection: keep-alive", b"Proxy-Authorization: Basic eDp5", b"TE: trailers, gzip", b"Upgrade: h2c",
                b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Proxy: http://evil.example", b"X-Hop-Not: 1",
            )
        )  # fmt: skip
        got = back_end.requests[0]
        names = [name.lower() for name, _ in got.fields]
        for gone in (
            b"x-hop",
            b"keep-alive",
            b"proxy-connection",
            b"proxy-authorization",
            b"upgrade",
            b"http2-settings",
            b"proxy",
        ):
            self.assertNotIn(gone, names)
        self.assertEqual((got.one(b"Cookie"), got.one(b"X-Hop-Not")), (b"a=1", b"1"))
        self.assertEqual(got.one(b"X-Forwarded-For"), b"127.0.0.1")
        self.assertEqual((got.one(b"Connection"), got.one(b"TE")), (b"TE", b"trailers"))
        await self.recorded(1)


class ResponseTests(FrontCase):
    """The response on its way to the client."""

    async def exchange(self, response: bytes, request: bytes = get()) -> object:
        back_end = self.back_end(lambda _: response)
        self.start(backend1=back_end)
        client = await self.client()
        answer = await client.ask(request)
        await self.recorded(1)
        return answer

    async def test_unchanged(self) -> None:
        """F5: status, reason, order, spelling and duplicates of fields, and the body's bytes."""
        lines = b"X-B: 1\r\nset-cookie: a=1\r\nx-b:2\r\nSet-Cookie: b=2; Path=/\r\nX-Eight: caf\xe9\r\nServer: Fake/1\r\nDate: now\r\n"
        body = bytes(range(256))
        answer = await self.exchange(
            b"HTTP/1.1 299 Quite  Fine \xe9\r\n" + lines + b"Content-Length: 256\r\n\r\n" + body
        )
        self.assertEqual(answer.start, b"HTTP/1.1 299 Quite  Fine \xe9")
        self.assertTrue(answer.head.partition(b"\r\n")[2].startswith(lines + b"Content-Length: 256\r\n"), answer.head)
        self.assertEqual(answer.body, body)
        self.assertEqual(answer.all(b"Via"), [b"1.1 exfront"])
        self.assertNotIn(b"backend1", answer.head)

    async def test_taken_out(self) -> None:
        """F5: hop-by-hop fields, those that Connection names, and Alt-Svc."""
        answer = await self.exchange(
            b'HTTP/1.1 200 OK\r\nConnection: X-Inner, keep-alive\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\nAlt-Svc: h3=":443"\r\n'
            b"Proxy-Connection: a\r\nX-Kept: 1\r\nUpgrade: h2c\r\nServer-Load: 0.5\r\nContent-Length: 2\r\n\r\nok"
        )
        self.assertEqual([name for name, _ in answer.fields], [b"X-Kept", b"Content-Length", b"Via"])

    async def test_server_load_alone(self) -> None:
        """S5: Server-Load is for the front-end, also where nothing else has to be taken out."""
        answer = await self.exchange(b"HTTP/1.1 200 OK\r\nServer-Load: 0.5\r\nContent-Length: 2\r\n\r\nok")
        self.assertIsNone(answer.one(b"Server-Load"))

    async def test_trailers(self) -> None:
        """F5: chunks arrive as chunks, trailers behind them."""
        answer = await self.exchange(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
        )
        self.assertEqual((answer.body, answer.trailers, answer.one(b"Trailer")), (b"abcde", b"X-Sum: 5\r\n", b"X-Sum"))

    async def test_until_close(self) -> None:
        """F5: a body that ends with the back-end's connection is chunked for the client, whose connection goes on."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        for number in (1, 2):
            client.send(get())
            end = await back_end.connection(number)
            await end.head()
            end.send(b"HTTP/1.0 200 OK\r\nX: 1\r\n\r\nabc")
            await client.until_received(b"3\r\nabc\r\n")
            end.send(b"def")
            end.close()
            answer = await client.answer()
            self.assertEqual((answer.body, answer.one(b"Via")), (b"abcdef", b"1.0 exfront"))
        await self.recorded(2)

    async def test_streamed(self) -> None:
        """F5: the first bytes are at the client before the last were sent."""
        back_end = self.back_end()
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get())
        end = await back_end.connection()
        await end.head()
        end.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await client.until_received(b"\r\n\r\n")
        end.send(b"first")
        await client.until_received(b"\r\n\r\nfirst")
        end.send(b"-last")
        self.assertEqual((await client.answer()).body, b"first-last")
        (record,) = await self.recorded(1)
        self.assertEqual((record["status"], record["sent"], record["reason"]), (200, 10, ""))

    async def test_head_and_bodiless(self) -> None:
        """F5: HEAD, 204 and 304 have no body whatever their fields say, and the connections go on."""
        responses = {
            b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX: head\r\n\r\n",
            b"DELETE": b"HTTP/1.1 204 No Content\r\nX: none\r\n\r\n",
            b"GET": b'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n',
            b"OPTIONS": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        }
        back_end = self.back_end(lambda request: responses[request.start.partition(b" ")[0]])
        self.start(backend1=back_end)
        client = await self.client()
        for method in (*responses, *responses):
            answer = await client.ask(get(method=method))
            self.assertEqual(answer.body, b"")
            if method in (b"HEAD", b"GET"):
                self.assertEqual(answer.one(b"Content-Length"), b"1000")
        self.assertEqual(len(back_end.ends), 1)
        await self.recorded(8)

    async def test_head_of_chunked(self) -> None:
        """F5: HEAD's answer may announce chunks and has none."""
        back_end = self.back_end(
            lambda request: (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if b"HEAD" in request.start else ok()
            )
        )
        self.start(backend1=back_end)
        client = await self.client()
        self.assertEqual((await client.ask(get(method=b"HEAD"))).status, 200)
        self.assertEqual((await client.ask(get())).body, b"ok")
        await self.recorded(2)

    async def test_interim(self) -> None:
        """F5: interim responses are passed on, to HTTP/1.1 clients, without hop-by-hop fields."""
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nAlt-Svc: h3\r\nConnection: close\r\n\r\n"
        back_end = self.back_end(lambda _: interim + b"HTTP/1.1 102 P\r\n\r\n" + ok())
        self.start(backend1=back_end)
        client = await self.client()
        client.send(get())
        first, second, third = [await client.message(b"GET") for _ in range(3)]
        self.assertEqual((first.status, first.fields), (103, [(b"Link", b"</a>")]))
        self.assertEqual((second.status, third.status), (102, 200))
        self.assertEqual((await client.ask(get().replace(b"HTTP/1.1", b"HTTP/1.0"))).status, 200)
        self.assertNotIn(b" 103 ", client.received)
        await self.recorded(2)


class SixTests(FrontCase):
    """IPv6 on both sides."""

    async def test_both_sides(self) -> None:
        """F3: an IPv6 address is quoted and in brackets in Forwarded, bare in X-Forwarded-For; a back-end may have one (F4)."""
        back_end = self.back_end(lambda _: ok(), "::1")
        ini = ONE_BACK_END.replace("interface=127.0.0.1", r"interface=\:\:1").replace(
            "address = 127.0.0.1", "address = ::1"
        )
        self.start(ini, backend1=back_end)
        client = await self.client("::1")
        self.assertEqual((await client.ask(get(host=b"[::1]:80"))).status, 200)
        got = back_end.requests[0]
        self.assertEqual(got.one(b"Forwarded"), b'for="[::1]";host="[::1]:80";proto=http')
        self.assertEqual(got.one(b"X-Forwarded-For"), b"::1")
        self.assertEqual(got.one(b"Host"), b"[::1]:80")
        (record,) = await self.recorded(1)
        self.assertEqual(record["peer"], "::1")

    async def test_four_in_six(self) -> None:
        """F3: an IPv4 client of a listener for both families is shown as IPv4."""
        back_end = self.back_end(lambda _: ok())
        self.start(ONE_BACK_END.replace(":interface=127.0.0.1", ""), backend1=back_end)
        await (await self.client("127.0.0.1")).ask(get())
        await (await self.client("::1")).ask(get())
        self.assertEqual([one.one(b"X-Forwarded-For") for one in back_end.requests], [b"127.0.0.1", b"::1"])
        await self.recorded(2)


class TlsTests(FrontCase):
    """TLS to a back-end."""

    def serve(self, *names: str) -> Path:
        """A back-end with a certificate for these names; returns its authority's file."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        authority = Authority(folder)
        certificate, key = authority.issue(names)
        back_end = self.one = BackEnd(self.reactor, lambda _: ok(b"over tls", b"Location: https://www.adatum.com/all/"))
        context = DefaultOpenSSLContextFactory(str(key), str(certificate))
        back_end.port = self.reactor.listenSSL(0, back_end, context, interface="127.0.0.1")
        self.addCleanup(lambda: Deferred.fromCoroutine(back_end.stop()))
        return authority.ca_file

    def start_with(self, ca_file: Path) -> None:
        self.start(
            ONE_BACK_END.replace("port = {backend1}", f"port = {{backend1}}\ntls = yes\nca_file = {ca_file}"),
            backend1=self.one,
        )

    async def test_verified(self) -> None:
        """F4, F6: with `tls = yes` the connection is verified and kept; URLs follow the scheme."""
        self.start_with(self.serve("127.0.0.1"))
        client = await self.client()
        for _ in range(2):
            answer = await client.ask(get(b"/all/", b"Destination: http://www.adatum.com/all/b", method=b"COPY"))
            self.assertEqual((answer.body, answer.one(b"Location")), (b"over tls", b"http://www.adatum.com/all/"))
            self.assertEqual(self.one.requests[-1].one(b"Destination"), b"https://www.adatum.com/all/b")
            self.assertEqual(self.one.requests[-1].one(b"Front-End-Https"), b"Off")
        self.assertEqual(len(self.one.ends), 1)
        await self.recorded(2)

    async def test_large(self) -> None:
        """F2, F5: megabytes both ways over TLS."""
        self.start_with(self.serve("127.0.0.1"))
        self.one.answer = lambda request: ok(request.body)
        client = await self.client()
        body = bytes(range(250)) * 8000
        client.send(post(body))
        await client.until(lambda: client.total > len(body))
        self.assertTrue((await client.answer()).body == body)
        await self.recorded(1)

    async def test_wrong_name(self) -> None:
        """F4, F62: a certificate for another name: 502, nothing sent, and the server is marked."""
        self.start_with(self.serve("other.example"))
        client = await self.client()
        self.assertEqual((await client.ask(get())).status, 502)
        self.assertEqual(self.one.requests, [])
        self.assertEqual([one.name for one in self.service.serving.services.health.marks], ["backend1"])
        await self.recorded(1)
