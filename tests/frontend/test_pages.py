"""The pages that say what went wrong."""

from __future__ import annotations

from html.parser import HTMLParser
from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.frontend.pages import HINTS, HTML, TEXT, accepts_html, page

STATUSES = (400, 401, 403, 404, 405, 408, 413, 414, 421, 429, 431, 500, 501, 502, 503, 504, 505)
_VOID = {"meta"}


class _Balance(HTMLParser):
    """Fails when tags do not nest; collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(body: bytes) -> _Balance:
    parser = _Balance()
    parser.feed(body.decode())
    parser.close()
    assert parser.open == []
    return parser


class Pages(SynchronousTestCase):
    def test_every_status_has_a_page(self) -> None:
        """F5: HTML that nests, works on a phone and for a screen reader, with the status and the request's id; or plain text."""
        for status in STATUSES:
            kind, body = page(status, "id-4711", True)
            parser = read(body)
            self.assertEqual(kind, HTML)
            self.assertIn(("html", {"lang": "en"}), parser.seen)
            self.assertIn(("main", {"role": "main"}), parser.seen)
            self.assertEqual([tag for tag, attributes in parser.seen].count("h1"), 1)
            self.assertTrue([1 for tag, attributes in parser.seen if attributes.get("name") == "viewport"])
            self.assertIn("id-4711", parser.text)
            kind, body = page(status, "id-4711", False)
            self.assertEqual(kind, TEXT)
            self.assertNotIn(b"<", body)
            for part in (b"id-4711", b"%d" % status):
                self.assertIn(part, body)

    def test_other_statuses_have_words_too(self) -> None:
        """F5: never a KeyError."""
        self.assertIn(b"Error 418", page(418, "x", False)[1])
        self.assertIn(b"Error 599", page(599, "x", True)[1])
        read(page(507, "x", True)[1])

    def test_all_401_pages_are_alike_but_for_the_id(self) -> None:
        """F27: no hint ever makes a difference."""
        for html in (True, False):
            plain, hinted = page(401, "11111111", html), page(401, "22222222", html, "your account is locked")
            self.assertEqual(plain[1], hinted[1].replace(b"22222222", b"11111111"))

    def test_a_hint_stands_for_the_sentence(self) -> None:
        """F13: the page says to name the mailbox, and not that there is nothing."""
        for html in (True, False):
            shown = page(404, "x", html, HINTS["name-the-mailbox"])[1]
            self.assertIn(b"Name the mailbox", shown)
            self.assertNotIn(b"There is nothing", shown)

    @settings(deadline=None, max_examples=100)
    @given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(STATUSES))
    def test_nothing_put_in_becomes_markup(self, request_id: str, hint: str, status: int) -> None:
        """F5: whatever an id or a hint holds, the page's elements are its own."""
        tags = [tag for tag, _ in read(page(status, "x", True, "y")[1]).seen]
        seen = [tag for tag, _ in read(page(status, request_id, True, hint or "y")[1]).seen]
        self.assertEqual(seen, tags)
        page(status, request_id, False, hint)[1].decode()


class Accepting(SynchronousTestCase):
    def test_browsers_get_html(self) -> None:
        """F5: whoever names HTML."""
        for accept in (
            b"text/html",
            b"text/html,application/xhtml+xml,*/*;q=0.8",
            b"application/json, TEXT/HTML;q=0.5",
            b"text/html;level=1",
        ):
            self.assertTrue(accepts_html(accept), accept)

    def test_programs_get_text(self) -> None:
        """F5: whoever does not, or refuses it."""
        for accept in (
            None,
            b"",
            b"*/*",
            b"application/json",
            b"text/html;q=0",
            b"text/html; q=0.0, text/plain",
            b"text/html;level=1;q=0",
        ):
            self.assertFalse(accepts_html(accept), accept)

    def test_a_long_hostile_accept_costs_little(self) -> None:
        """RFC 9110 12.5.1: nobody who has no account makes us read a field again and again."""
        for accept in (
            b"text/html;" * 6000,
            b"text/html ; " * 5000 + b" " * 3000,
            b"text/html;q=0" + b" " * 60_000 + b"x",
        ):
            before = process_time()
            accepts_html(accept)
            self.assertLess(process_time() - before, 0.1, accept[:20])
