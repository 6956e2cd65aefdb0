"""What is served at the `status` address."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from exfront import __version__
from tests.fakes.directory import FakeSource
from tests.fakes.ends import Client, ok
from tests.fakes.front import DIRECTORY, FrontCase, basic, get, post

if TYPE_CHECKING:
    from typing import Any

    from tests.fakes.ends import Message

STATUS = "status = tcp:0:interface=127.0.0.1"
PATHS = (b"/", b"/live", b"/ready", b"/metrics", b"/status.json")


class Cells(HTMLParser):
    """Every table of a page as rows of texts, by its name."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._in = False
        self.open: list[str] = []
        self.feed(page.decode())
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            return
        self.open.append(tag)
        if tag == "table":
            self._rows = self.tables[dict(attrs).get("aria-labelledby") or "general"] = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._in = True

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag
        if tag in ("td", "th"):
            self._in = False

    def handle_data(self, data: str) -> None:
        if self._in:
            self._rows[-1][-1] += data


class StatusCase(FrontCase):
    """A front-end with a status page."""

    async def ask(self, data: bytes) -> Message:
        """The answer to a request on a connection of its own at the status address."""
        port = self.service.status_port
        assert port is not None
        client = await connectProtocol(
            TCP4ClientEndpoint(self.reactor, "127.0.0.1", port.getHost().port), Client(self.reactor)
        )
        try:
            return await client.ask(data)
        finally:
            client.close()
            await client.until_lost()

    async def shown(self) -> dict[str, Any]:
        answer = await self.ask(get(b"/status.json"))
        self.assertEqual(answer.one(b"Content-Type"), b"application/json")
        found: dict[str, Any] = json.loads(answer.body)
        return found

    async def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample by name and labels."""
        answer = await self.ask(get(b"/metrics"))
        families = text_string_to_metric_families(answer.body.decode())
        return {
            (one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples
        }


class SiteTests(StatusCase):
    """The site itself."""

    async def test_only_reading(self) -> None:
        """GET and HEAD, under a policy that lets nothing in, kept by nobody; anything else is refused."""
        self.start(backend1=9, front=STATUS)
        for path in PATHS:
            with self.subTest(path):
                answer = await self.ask(get(path))
                self.assertEqual(answer.status, 200)
                for name, value in (
                    (b"Cache-Control", b"no-store"),
                    (b"X-Content-Type-Options", b"nosniff"),
                    (b"Referrer-Policy", b"no-referrer"),
                    (b"Server", b"exfront"),
                    (b"Set-Cookie", None),
                ):
                    self.assertEqual(answer.one(name), value)
                policy = answer.one(b"Content-Security-Policy") or b""
                self.assertTrue(policy.startswith(b"default-src 'none'; style-src 'sha256-"))
                self.assertNotIn(b"unsafe", policy)
                head = await self.ask(get(path, method=b"HEAD"))
                self.assertEqual(
                    (head.status, head.body, head.one(b"Content-Type")), (200, b"", answer.one(b"Content-Type"))
                )
                for method in (b"POST", b"DELETE", b"PROPFIND"):
                    refused = await self.ask(post(b"x", path, method=method))
                    self.assertEqual((refused.status, refused.one(b"Allow")), (405, b"GET, HEAD"))

    async def test_nothing_else(self) -> None:
        """404 beside the pages, below them, and for clients' paths; and no page of these on the clients' ports."""
        self.start(backend1=9, front=STATUS)
        for path in (b"/all/", b"/live/x", b"/status", b"//live", b"/%2e%2e/live"):
            self.assertEqual((await self.ask(get(path))).status, 404, path)
        client = await self.client()
        for path in PATHS:
            self.assertEqual((await client.ask(get(path))).status, 404)

    async def test_none(self) -> None:
        """Without `status` there is none; a reload brings it, moves it and takes it away."""
        self.start(backend1=9)
        self.assertIsNone(self.service.status_port)
        before = self.path.read_text()
        self.path.write_text(before.replace("log_format = json", f"{STATUS}\nlog_format = json"))
        self.assertTrue(self.service.reload())
        self.assertEqual((await self.ask(get(b"/live"))).body, b"ok\n")
        self.path.write_text(self.path.read_text().replace(STATUS, "status = tcp:127.0.0.2:0"))
        self.assertTrue(self.service.reload())
        assert self.service.status_port is not None
        self.assertEqual(self.service.status_port.getHost().host, "127.0.0.2")
        self.path.write_text(before)
        self.assertTrue(self.service.reload())
        self.assertIsNone(self.service.status_port)
        self.assertEqual(len(self.service.ports), 1)


class ReadyTests(StatusCase):
    """/live and /ready."""

    async def test_directory_away(self) -> None:
        """Ready while the directory is there; live in any case (F21)."""
        source = FakeSource()
        self.start(DIRECTORY, source=source, backend1=9, backend2=9, front=STATUS)
        ready = await self.ask(get(b"/ready"))
        self.assertEqual((ready.status, ready.body), (200, b"ready\n"))
        source.go_away()
        ready = await self.ask(get(b"/ready"))
        self.assertEqual((ready.status, ready.body), (503, b"directory-away\n"))
        self.assertEqual((await self.ask(get(b"/live"))).status, 200)
        shown = await self.shown()
        self.assertEqual(
            (shown["state"], shown["directory"]), ("directory-away", {"state": "away", "reason": "gc1: refused"})
        )
        self.assertEqual((await self.metrics())["exfront_directory_up", ()], 0)
        self.assertIn(["Directory", "away: gc1: refused"], Cells((await self.ask(get(b"/"))).body).tables["general"])
        source.come_back()
        self.assertEqual((await self.ask(get(b"/ready"))).status, 200)

    async def test_draining(self) -> None:
        """While requests under way end, no more should be sent here."""
        back_end = self.back_end()
        self.start(backend1=back_end, front=STATUS)
        client = await self.client()
        client.send(get())
        end = await back_end.connection()
        await end.head()
        stopping = self.service.stopService()
        ready = await self.ask(get(b"/ready"))
        self.assertEqual((ready.status, ready.body), (503, b"stopping\n"))
        self.assertEqual((await self.ask(get(b"/live"))).status, 200)
        end.send(ok())
        self.assertEqual((await client.answer()).status, 200)
        await stopping
        self.assertIsNone(self.service.status_port)


class ShownTests(StatusCase):
    """What is shown."""

    async def test_everything(self) -> None:
        """Requests, marks, connections, caches; and no account, no password, no address of a client."""
        back_end = self.back_end(lambda _: ok(b"x" * 1000))
        self.start(DIRECTORY, source=FakeSource(), backend1=back_end, backend2=9, front=STATUS)
        client = await self.client()
        for _ in range(3):
            self.assertEqual((await client.ask(get(b"/exchange/", basic("anna")))).status, 200)
        self.assertEqual((await client.ask(get(b"/exchange/", basic("bob")))).status, 502)
        self.assertEqual((await client.ask(get(b"/exchange/", basic("anna", "wrong-word")))).status, 401)
        self.assertEqual((await client.ask(get(b"/nowhere"))).status, 404)
        shown = await self.shown()
        self.assertEqual((shown["version"], shown["state"], shown["reloads"]), (__version__, "ready", 0))
        self.assertEqual(shown["connections"], {"open": 1, "most": 20000})
        requests = shown["requests"]["exchange"]
        self.assertEqual((requests["total"], requests["by_status"]), (5, {"200": 3, "401": 1, "502": 1}))
        self.assertGreater(requests["sent"], 3000)
        self.assertEqual(shown["requests"][""]["by_status"], {"404": 1})
        self.assertEqual(shown["caches"]["accounts"], 2)
        self.assertGreaterEqual(shown["caches"]["logons"], 2)
        first, second = (one for one in shown["back_ends"] if one["idle"] or one["unavailable"])
        self.assertEqual((first["idle"], first["unavailable"]), (1, None))
        self.assertIn("refused", second["unavailable"]["reason"])
        self.assertGreater(second["unavailable"]["remaining"], 500)
        self.assertEqual(shown["virtual_servers"][0]["virtual_directories"], ["exchange", "public", "open"])
        for path in (b"/", b"/metrics", b"/status.json"):
            body = (await self.ask(get(path))).body.lower()
            for word in (b"anna", b"bob", b"secret", b"wrong-word", b"127.0.0.1:1", b"nowhere"):
                self.assertNotIn(word, body)
        tables = Cells((await self.ask(get(b"/"))).body).tables
        self.assertEqual(tables["requests"][2][:3], ["exchange", "5", "200: 3, 401: 1, 502: 1"])
        self.assertIn("unavailable for ", str(tables["back-ends"]))

    async def test_metrics(self) -> None:
        """Prometheus reads the counters; histograms are cumulated."""
        back_end = self.back_end(lambda _: ok(b"x" * 1000))
        self.start(backend1=back_end, front=STATUS)
        client = await self.client()
        for _ in range(3):
            await client.ask(get())
        await client.ask(post(b"y" * 10))
        await client.ask(get(method=b"BREW"))
        found = await self.metrics()
        vdir = ("vdir", "all")

        def requests(method: str) -> float:
            return found["exfront_requests_total", (("method", method), ("status", "200"), vdir)]

        self.assertEqual([requests(method) for method in ("GET", "POST", "OTHER")], [3, 1, 1])
        self.assertEqual(found["exfront_sent_bytes_total", (vdir,)], 5000)
        self.assertEqual(found["exfront_received_bytes_total", (vdir,)], 10)
        self.assertEqual(found["exfront_request_duration_seconds_count", (vdir,)], 5)
        self.assertEqual(found["exfront_request_duration_seconds_bucket", (("le", "+Inf"), vdir)], 5)
        bounds = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
        counts = [found["exfront_request_duration_seconds_bucket", (("le", bound), vdir)] for bound in bounds]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(found["exfront_connections", ()], 1)
        self.assertEqual(found["exfront_ready", ()], 1)
        self.assertEqual(found["exfront_back_end_up", (("server", "backend1"),)], 1)
        self.assertEqual(found["exfront_back_end_idle_connections", (("server", "backend1"),)], 1)
        self.assertEqual(found["exfront_info", (("version", __version__),)], 1)
        self.assertIn(("process_cpu_seconds_total", ()), found)

    async def test_two_in_one_process(self) -> None:
        """Metrics are the front-end's own: a second one does not disturb."""
        self.start(backend1=9, front=STATUS)
        first = self.service
        client = await self.client()
        await client.ask(get())
        client.transport.abortConnection()
        await client.until_lost()
        self.start(backend1=9, front=STATUS)
        self.assertNotIn("exfront_sent_bytes_total", {name for name, _ in await self.metrics()})
        self.service, second = first, self.service
        self.assertIn("exfront_sent_bytes_total", {name for name, _ in await self.metrics()})
        await first.stopService()
        self.service = second

    async def test_refused_reload(self) -> None:
        """A reload that was refused is shown until one succeeds."""
        self.start(backend1=9, front=STATUS)
        right = self.path.read_text()
        self.path.write_text(right.replace("kind = forward", "kind = backward"))
        self.patch(self.service, "_log", type("Log", (), {"error": lambda *_, **__: None})())
        self.assertFalse(self.service.reload())
        del self.service._log
        self.assertTrue((await self.shown())["last_reload_refused"])
        self.assertEqual((await self.metrics())["exfront_last_reload_successful", ()], 0)
        self.assertIn("refused", str(Cells((await self.ask(get(b"/"))).body).tables["general"]))
        self.path.write_text(right)
        self.assertTrue(self.service.reload())
        shown = await self.shown()
        self.assertEqual((shown["last_reload_refused"], shown["reloads"]), (False, 1))
