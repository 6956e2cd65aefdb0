"""Two other parsers, h11 (in Python) and llhttp (in C, by httptools), read valid messages as exfront does, however they are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import httptools
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.errors import MessageError
from exfront.wire.bodies import ChunkedBody, LengthBody
from exfront.wire.heads import field, head_end, parse_request, parse_response
from tests.wire.messages import Message, requests, responses
from tests.wire.reading import bytewise, cut, read_requests

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES = st.lists(st.integers(0, 800), max_size=12)
Fields = list[tuple[bytes, bytes]]


def fields_of(lines: bytes) -> Fields:
    """Field lines as (lower-case name, value) pairs."""
    pairs = (line.split(b":", 1) for line in lines.split(b"\r\n")[:-1])
    return [(name.lower(), value.strip(b" \t")) for name, value in pairs]


class Listener:
    """What httptools calls."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: Fields = []
        self.body = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def h11_reads(role: type[h11.CLIENT | h11.SERVER], pieces: Iterable[bytes]) -> tuple[h11.Request | h11.Response, bytes]:
    """The head and the payload of one message as h11 understands it."""
    connection = h11.Connection(role, max_incomplete_event_size=100_000)
    if role is h11.CLIENT:
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
    head: h11.Request | h11.Response | None = None
    payload = b""
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, (h11.Request, h11.Response)):
                head = event
            elif isinstance(event, h11.Data):
                payload += bytes(event.data)
            else:
                assert isinstance(event, h11.EndOfMessage) and head is not None
                return head, payload
    raise AssertionError("h11 saw no end")


def read_response(pieces: Iterable[bytes]) -> tuple[int, bytes, bytes, bytes]:
    """Status, field lines, payload and rest of one response as exfront understands it."""
    buffer = payload = b""
    head = None
    body: LengthBody | ChunkedBody = LengthBody(0)
    for piece in pieces:
        buffer += piece
        if head is None:
            end = head_end(buffer, 0, 502)
            if end < 0:
                continue
            head, buffer = parse_response(buffer[:end], b"GET"), buffer[end:]
            body = ChunkedBody(status=502) if head.length < 0 else LengthBody(head.length)
        payload += body.feed(buffer)
        buffer = b""
    assert head is not None
    body.end()
    return head.status, head.lines, payload, body.rest


class RequestAgreementTests(SynchronousTestCase):
    """Valid requests."""

    @settings(deadline=None, max_examples=150)
    @given(message=requests(), places=PLACES)
    def test_cuts_make_no_difference(self, message: Message, places: list[int]) -> None:
        """Whole, byte by byte or cut anywhere: the same request, and what it says."""
        (whole,) = read_requests([message.raw])
        for pieces in (bytewise(message.raw), cut(message.raw, places)):
            self.assertEqual([one.said() for one in read_requests(pieces)], [whole.said()])
        self.assertEqual((whole.head.method, whole.head.target), (message.method, message.target))
        self.assertEqual(
            (whole.body, whole.head.length), (message.payload, -1 if message.chunked else len(message.payload))
        )
        self.assertEqual(whole.head.lines, message.head.partition(b"\r\n")[2][:-2])

    @settings(deadline=None, max_examples=150)
    @given(message=requests(), places=PLACES)
    def test_h11_agrees(self, message: Message, places: list[int]) -> None:
        """h11 reads the same method, target, fields and body."""
        (ours,) = read_requests([message.raw])
        theirs, payload = h11_reads(h11.SERVER, cut(message.raw, places))
        assert isinstance(theirs, h11.Request)
        self.assertEqual((ours.head.method, ours.head.target, ours.body), (theirs.method, theirs.target, payload))
        # h11 normalises the value of Transfer-Encoding to lower case
        pairs = [
            (name, value.lower() if name == b"transfer-encoding" else value)
            for name, value in fields_of(ours.head.lines)
        ]
        if not any(value.startswith(b"00") for name, value in pairs if name == b"content-length"):
            self.assertEqual(pairs, list(theirs.headers))

    @settings(deadline=None, max_examples=150)
    @given(message=requests(), places=PLACES)
    def test_llhttp_agrees(self, message: Message, places: list[int]) -> None:
        """Llhttp reads the same target, fields and body."""
        (ours,) = read_requests([message.raw])
        listener = Listener()
        parser = httptools.HttpRequestParser(listener)
        for piece in cut(message.raw, places):
            parser.feed_data(piece)
        self.assertTrue(listener.complete)
        self.assertEqual((ours.head.target, ours.body), (listener.url, listener.body))
        fields = fields_of(ours.head.lines)
        self.assertEqual(fields, listener.fields[: len(fields)])  # trailers follow, if any

    @settings(deadline=None, max_examples=100)
    @given(message=requests(), count=st.integers(2, 4), places=PLACES)
    def test_pipelined(self, message: Message, count: int, places: list[int]) -> None:
        """Requests on one connection do not run into each other."""
        readings = list(read_requests(cut(message.raw * count, places)))
        self.assertEqual([reading.body for reading in readings], [message.payload] * count)

    @settings(deadline=None, max_examples=100)
    @given(message=requests())
    def test_noted_is_what_the_lines_say(self, message: Message) -> None:
        """Every noted value is the one that `field` finds."""
        head = parse_request(message.head)
        for name, value in head.noted.items():
            self.assertEqual(field(head.lines, name), value)

    @settings(deadline=None, max_examples=400)
    @given(message=requests(), at=st.integers(0, 300), junk=st.binary(min_size=1, max_size=3), instead=st.booleans())
    def test_damaged(self, message: Message, at: int, junk: bytes, instead: bool) -> None:
        """Damaged bytes are refused, or one request is read of which llhttp reads the same: nobody behind us sees another one."""
        damaged = message.raw[:at] + junk + message.raw[at + instead * len(junk) :]
        try:
            readings = list(read_requests([damaged]))
        except MessageError:
            return
        listener = Listener()
        try:
            httptools.HttpRequestParser(listener).feed_data(damaged)
        except httptools.HttpParserError:
            return  # it knows fewer methods, and no raw bytes in targets
        self.assertEqual((readings[0].head.raw_target, readings[0].body), (listener.url, listener.body))


class ResponseAgreementTests(SynchronousTestCase):
    """Valid responses."""

    @settings(deadline=None, max_examples=150)
    @given(message=responses(), places=PLACES)
    def test_h11_agrees(self, message: Message, places: list[int]) -> None:
        """However it is cut: the same status, fields and body as h11 reads."""
        status, lines, payload, rest = read_response(cut(message.raw, places))
        self.assertEqual(read_response(bytewise(message.raw)), (status, lines, payload, rest))
        self.assertEqual((status, payload, rest), (message.status, message.payload, b""))
        theirs, their_payload = h11_reads(h11.CLIENT, [message.raw])
        self.assertEqual((status, payload), (theirs.status_code, their_payload))

    @settings(deadline=None, max_examples=150)
    @given(message=responses(), places=PLACES)
    def test_llhttp_agrees(self, message: Message, places: list[int]) -> None:
        """Llhttp reads the same fields and body."""
        _, lines, payload, _ = read_response(cut(message.raw, places))
        listener = Listener()
        httptools.HttpResponseParser(listener).feed_data(message.raw)
        self.assertTrue(listener.complete)
        self.assertEqual(payload, listener.body)
        fields = fields_of(lines)
        self.assertEqual(fields, listener.fields[: len(fields)])
