"""URLs inside header fields, for clients that came by https while the back-end speaks http (F6)."""

from __future__ import annotations

from tests.fakes.ends import ok
from tests.fakes.front import FrontCase, get

HTTPS = b"X-Forwarded-Proto: https"


class SchemeTests(FrontCase):
    """Through a trusted proxy that speaks TLS."""

    async def test_destination_and_if(self) -> None:
        """F6: Destination and If get the back-end's scheme; nothing else of the request changes."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end, front="trusted_proxies = 127.0.0.1")
        client = await self.client()
        for sent, got in (
            (b"https://www.adatum.com/all/b%20c?x", b"http://www.adatum.com/all/b%20c?x"), (b"/all/b", b"/all/b"),
            (b"https://other.example/b", b"https://other.example/b"), (b"http://www.adatum.com/b", b"http://www.adatum.com/b"),
            (b"https://www.adatum.com:443/b", b"http://www.adatum.com/b"),
        ):  # fmt: skip
            lines = (HTTPS, b"Destination: " + sent, b"Overwrite: T", b"X-Url: https://www.adatum.com/")
            self.assertEqual((await client.ask(get(b"/all/a", *lines, method=b"COPY"))).status, 200)
            request = back_end.requests[-1]
            self.assertEqual((request.one(b"Destination"), request.one(b"X-Url")), (got, b"https://www.adatum.com/"))
        lock = b"<https://www.adatum.com/all/a> (<opaquelocktoken:https://www.adatum.com/>)"
        await client.ask(get(b"/all/a", HTTPS, b"If: " + lock, b"If-Match: x", method=b"PUT"))
        self.assertEqual(
            back_end.requests[-1].one(b"If"),
            lock.replace(b"<https://www.adatum.com/all/a>", b"<http://www.adatum.com/all/a>"),
        )
        self.assertEqual(back_end.requests[-1].one(b"If-Match"), b"x")
        await self.recorded(6)

    async def test_location(self) -> None:
        """F6: Location and Content-Location get the client's scheme back."""
        response = (
            b"HTTP/1.1 201 Created\r\nLocation: http://www.adatum.com/all/new\r\nContent-Location: http://www.adatum.com/all/x\r\n"
            b"X-Location: http://www.adatum.com/\r\nContent-Length: 0\r\n\r\n"
        )
        back_end = self.back_end(lambda _: response)
        self.start(backend1=back_end, front="trusted_proxies = 127.0.0.1")
        client = await self.client()
        answer = await client.ask(get(b"/all/a", HTTPS, method=b"MKCOL"))
        self.assertEqual(answer.one(b"Location"), b"https://www.adatum.com/all/new")
        self.assertEqual(answer.one(b"Content-Location"), b"https://www.adatum.com/all/x")
        self.assertEqual(answer.one(b"X-Location"), b"http://www.adatum.com/")
        answer = await client.ask(get(b"/all/a", method=b"MKCOL"))
        self.assertEqual(answer.one(b"Location"), b"http://www.adatum.com/all/new")
        await self.recorded(2)

    async def test_same_scheme(self) -> None:
        """F2, F6: where both sides speak the same, the bytes stay as they are."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        await client.ask(
            get(
                b"/all/a",
                b"destination:https://www.adatum.com/x ",
                b"IF: <https://www.adatum.com/>(<a>)",
                method=b"MOVE",
            )
        )
        self.assertIn(
            b"\r\ndestination:https://www.adatum.com/x \r\nIF: <https://www.adatum.com/>(<a>)\r\n",
            back_end.requests[0].head,
        )
        await self.recorded(1)

    async def test_repeated_destination(self) -> None:
        """A Destination that stands twice is refused: two servers would read two of them."""
        back_end = self.back_end(lambda _: ok())
        self.start(backend1=back_end)
        client = await self.client()
        self.assertEqual(
            (await client.ask(get(b"/all/a", b"Destination: /a", b"Destination: /b", method=b"MOVE"))).status, 400
        )
        self.assertEqual(back_end.requests, [])
        await self.recorded(1)
