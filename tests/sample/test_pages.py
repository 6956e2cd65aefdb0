"""The sample back-ends, over a real connection."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from twisted.internet import reactor
from twisted.trial import unittest
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers
from twisted.web.server import Site

from exfront.sample.pages import Mailboxes

if TYPE_CHECKING:
    from twisted.web.iweb import IResponse


class MailboxesTests(unittest.TestCase):
    """What a sample back-end shows."""

    timeout = 30

    def setUp(self) -> None:
        port = reactor.listenTCP(0, Site(Mailboxes("backend<1>")), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.root = f"http://127.0.0.1:{port.getHost().port}"

    async def ask(self, path: str, method: bytes = b"GET", body: bytes = b"", **fields: str) -> tuple[IResponse, str]:
        """The answer and its text; the connection is not kept."""
        producer = FileBodyProducer(BytesIO(body)) if body else None
        headers = Headers({name: [value] for name, value in fields.items()})
        response = await Agent(reactor).request(method, (self.root + path).encode(), headers, producer)
        return response, (await readBody(response)).decode()

    async def test_plain_text(self) -> None:
        """Without text/html in Accept: the mailbox, the server, the request line and the fields."""
        response, text = await self.ask("/exchange/anna@adatum.com/Inbox/", accept="*/*")
        self.assertEqual(response.headers.getRawHeaders("content-type"), ["text/plain; charset=utf-8"])
        self.assertIn("Mailbox of anna@adatum.com: Inbox (answered by backend<1>)\n", text)
        self.assertIn("GET /exchange/anna@adatum.com/Inbox/ HTTP/1.1\n", text)
        self.assertIn("Accept: */*\n", text)

    async def test_page_is_escaped(self) -> None:
        """Whatever came from outside is text on the page, never markup."""
        _, page = await self.ask("/exchange/%3Cb%3E/%22x/", accept="text/html", referer="<i>'")
        self.assertIn("Mailbox of &lt;b&gt;", page)
        self.assertIn("<strong>backend&lt;1&gt;</strong>", page)
        self.assertNotIn("<b>", page)
        self.assertNotIn("<i>", page)

    async def test_credentials_are_masked(self) -> None:
        """Of credentials and cookies the page tells no more than that they came."""
        for accept in ("text/html", "*/*"):
            _, page = await self.ask(
                "/public/", accept=accept, authorization="Basic c2VjcmV0", cookie="ticket=c2VjcmV0"
            )
            self.assertIn("Basic •••", page)
            self.assertNotIn("c2VjcmV0", page)

    async def test_folders(self) -> None:
        """A page links a mailbox's folders, or a tree's, and marks the one it stands in."""
        _, page = await self.ask("/exchange/anna/Sent%20items/", accept="text/html")
        self.assertIn('<a href="/exchange/anna/Sent%20items/" aria-current=page>Sent items</a>', page)
        _, page = await self.ask("/public/", accept="text/html")
        self.assertIn('<a href="/public/Projects/">Projects</a>', page)

    async def test_body_is_counted(self) -> None:
        """Any method is answered, with the length of the body that came."""
        _, text = await self.ask("/exchange/anna/x", b"PUT", b"four")
        self.assertIn("4 bytes of body\n", text)

    async def test_head(self) -> None:
        """A HEAD request gets the head of the same answer."""
        response, text = await self.ask("/exchange/anna/", b"HEAD")
        self.assertEqual((response.code, text), (200, ""))
        self.assertGreater(int(response.headers.getRawHeaders("content-length")[0]), 0)
