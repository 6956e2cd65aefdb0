"""Pages of the front-end's own: redirects, error pages, forms that are too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from exfront import tap
from tests.fakes.front import DIRECTORY, FrontCase, get, post

if TYPE_CHECKING:
    from twisted.web.server import Request

FORMS = """\
[front-end]
listen = tcp:0:interface=127.0.0.1
log_format = json
access_log = -
{front}

[virtual-server default]
hosts = *
authentication = none
root = /all/start

[virtual-directory all]
path = /all
kind = forward
servers = backend1

[back-end backend1]
address = 127.0.0.1
port = {backend1}
"""


class RootTests(FrontCase):
    """Where `/` leads."""

    async def test_first_mailbox_directory(self) -> None:
        """F20: `/` redirects, relatively, to the mailbox directory."""
        from tests.fakes.directory import FakeSource

        self.start(DIRECTORY, source=FakeSource(), backend1=1, backend2=2)
        client = await self.client()
        for method in (b"GET", b"HEAD", b"POST", b"PROPFIND"):
            answer = await client.ask(get(b"/", method=method))
            self.assertEqual((answer.status, answer.one(b"Location")), (302, b"/exchange/"))
        for record in await self.recorded(4):
            self.assertEqual((record["status"], record["vdir"]), (302, "root"))

    async def test_configured(self) -> None:
        """F20: `root` says where; a query does not matter; the id is in the answer and in the log."""
        self.start(FORMS, backend1=1)
        client = await self.client()
        answer = await client.ask(get(b"/?x=1"))
        self.assertEqual((answer.status, answer.one(b"Location")), (302, b"/all/start"))
        (record,) = await self.recorded(1)
        self.assertEqual(answer.one(b"X-Request-Id"), record["request_id"].encode())

    async def test_trusted_proxy(self) -> None:
        """F3, F20: a page, too, goes by a trusted proxy's client and id."""
        self.start(FORMS, backend1=1, front="trusted_proxies = 127.0.0.0/8")
        client = await self.client()
        answer = await client.ask(get(b"/", b"X-Forwarded-For: 192.0.2.7", b"X-Request-Id: from-proxy"))
        (record,) = await self.recorded(1)
        self.assertEqual(answer.one(b"X-Request-Id"), b"from-proxy")
        self.assertEqual((record["peer"], record["request_id"]), ("192.0.2.7", "from-proxy"))

    async def test_forms(self) -> None:
        """A small body is taken and the connection goes on; one of more than 64 KiB gets 413; a broken form is the client's fault."""
        self.start(FORMS, backend1=1)
        client = await self.client()
        form = b"Content-Type: application/x-www-form-urlencoded"
        for framing, body in (
            (b"Content-Length: 3", b"a=b"),
            (b"Transfer-Encoding: chunked", b"3\r\na=b\r\n0\r\n\r\n"),
        ):
            client.send(get(b"/", form, framing, method=b"POST") + body)
            self.assertEqual((await client.answer()).status, 302)
        client.send(
            get(b"/", form, b"Transfer-Encoding: chunked", method=b"POST")
            + b"11170\r\n"
            + b"x" * 70000
            + b"\r\n0\r\n\r\n"
        )
        self.assertEqual((await client.answer()).status, 413)
        client.send(get(b"/", form, b"Content-Length: 70000", method=b"POST") + b"x" * 70000)
        self.assertEqual((await client.answer()).status, 413)
        client.send(get(b"/", b"Content-Type: multipart/form-data", b"Content-Length: 3", method=b"POST") + b"a=b")
        self.assertEqual((await client.answer()).status, 400)
        broken = await self.client()
        broken.send(get(b"/", form, b"Transfer-Encoding: chunked", method=b"POST") + b"zz\r\n")
        self.assertEqual((await broken.answer()).status, 400)
        await broken.until_ended()
        gone = await self.client()
        gone.send(get(b"/", form, b"Content-Length: 70", method=b"POST") + b"x")
        await self.turns(20)
        gone.reset()
        self.assertEqual([one["status"] for one in await self.recorded(7)], [302, 302, 413, 413, 400, 400, 499])


class PageTests(FrontCase):
    """Error pages."""

    async def test_kinds(self) -> None:
        """Browsers get HTML that loads nothing, others get text; HEAD gets the head alone; nothing is cached."""
        self.start(FORMS, backend1=1)
        client = await self.client()
        html = await client.ask(get(b"/none", b"Accept: text/html,*/*"))
        self.assertEqual(html.one(b"Content-Type"), b"text/html; charset=utf-8")
        self.assertIn(b"default-src 'none'", html.one(b"Content-Security-Policy"))
        text = await client.ask(get(b"/none", b"Accept: */*"))
        self.assertEqual(text.one(b"Content-Type"), b"text/plain; charset=utf-8")
        head = await client.ask(get(b"/none", method=b"HEAD"))
        self.assertEqual((head.status, head.one(b"Content-Length")), (404, b"%d" % len(text.body)))
        for answer in (html, text, head):
            self.assertEqual(answer.one(b"Cache-Control"), b"no-store")
        for answer, record in zip((html, text, head), await self.recorded(3), strict=True):
            self.assertEqual(
                (answer.one(b"X-Request-Id"), record["reason"]), (record["request_id"].encode(), "unknown-path")
            )

    async def test_nothing_of_the_request(self) -> None:
        """Nothing that a client sent is on a page."""
        self.start(FORMS, backend1=1)
        client = await self.client()
        answer = await client.ask(get(b"/<script>alert(1)</script>", b"Accept: text/html", b"X-Request-Id: <b>"))
        self.assertNotIn(b"<script>", answer.head + answer.body)
        self.assertNotIn(b"<b>", answer.head + answer.body)
        await self.recorded(1)


class Shown(Resource):
    """A page in the test's hands."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.way = b"whole"
        self.ended: list[object] = []

    def render(self, request: Request) -> bytes | int:
        self.requests.append(request)
        request.setHeader(b"Set-Cookie", b"a=1")
        if self.way == b"whole":
            return b"shown " + b",".join(request.args.get(b"name", []))
        if self.way == b"pieces":
            request.write(b"in ")
            request.write(b"pieces")
            request.finish()
            return NOT_DONE_YET
        if self.way == b"broken":
            raise ZeroDivisionError
        request.notifyFinish().addErrback(self.ended.append)
        return NOT_DONE_YET


class ResourceTests(FrontCase):
    """Any twisted.web resource may be a page."""

    def begin(self) -> None:
        self.shown = Shown()
        self.patch(tap, "root_redirect", lambda location: self.shown)
        self.start(FORMS, backend1=1)

    async def test_shown(self) -> None:
        """At once, in pieces, and with a form's fields; the connection goes on, and what the resource says of framing does not count."""
        self.begin()
        client = await self.client()
        form = post(b"name=x&name=y%20z", b"/", b"Content-Type: application/x-www-form-urlencoded")
        for way, request, body in (
            (b"whole", form, b"shown x,y z"),
            (b"pieces", get(b"/"), b"in pieces"),
            (b"whole", get(b"/", method=b"HEAD"), b""),
        ):
            self.shown.way = way
            answer = await client.ask(request)
            self.assertEqual((answer.status, answer.body, answer.one(b"Set-Cookie")), (200, body, b"a=1"))
            self.assertEqual((answer.chunks, answer.one(b"Transfer-Encoding")), (None, None))
        asked = self.shown.requests[0]
        self.assertEqual((asked.method, asked.isSecure(), asked.getClientAddress().host), (b"POST", False, "127.0.0.1"))
        self.assertEqual(asked.getHost().port, self.port.port)
        await self.recorded(3)

    async def test_later(self) -> None:
        """A page that takes its time: what is pipelined behind it waits; with an HTTP/1.0 client the connection ends."""
        self.begin()
        self.shown.way = b"later"
        client = await self.client()
        client.send(get(b"/") + get(b"/none"))
        await self.eventually(lambda: self.shown.requests)
        await self.turns(10)
        self.assertEqual(client.received, b"")
        self.shown.requests[0].write(b"at last")
        self.shown.requests[0].finish()
        self.assertEqual(((await client.answer()).body, (await client.answer()).status), (b"at last", 404))
        self.shown.way = b"pieces"
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual((await client.answer()).body, b"in pieces")
        await client.until_ended()
        await self.recorded(3)

    async def test_client_gone(self) -> None:
        """The resource learns that nobody waits any more; one record says so, whatever it still writes."""
        self.begin()
        self.shown.way = b"later"
        client = await self.client()
        client.send(get(b"/"))
        await self.eventually(lambda: self.shown.requests)
        client.reset()
        await self.eventually(lambda: self.shown.ended)
        (record,) = await self.recorded(1)
        self.assertEqual((record["status"], record["reason"]), (499, "client-gone"))

    async def test_defect(self) -> None:
        """A resource that fails: 500 without a traceback, and the failure is logged."""
        self.begin()
        self.shown.way = b"broken"
        client = await self.client()
        answer = await client.ask(get(b"/"))
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"ZeroDivision", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((await client.ask(get(b"/none"))).status, 404)
        await self.recorded(2)
