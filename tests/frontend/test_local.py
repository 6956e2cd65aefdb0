"""Pages of the front-end's own: redirects, error pages, forms that are too large."""

from __future__ import annotations

from tests.fakes.front import DIRECTORY, FrontCase, get

FORMS = """\
[front-end]
listen = tcp:0:interface=127.0.0.1
log_format = json
access_log = -

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
