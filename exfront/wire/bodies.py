"""Bodies of HTTP/1.1 messages: wire bytes in, payload bytes out (RFC 9112 sections 6 and 7).

Owns the three ways a body ends: after a length, with a last chunk, with the connection. All have one shape: `feed` gives the
payload in what was read; `done` says that the body is complete and `rest` what came behind it; `end` is told that the peer closed.

Keeps no payload. Refuses to know sockets, back-pressure and limits of the body's size.
"""

from __future__ import annotations

import re
from typing import NoReturn, Protocol

from exfront.errors import IncompleteBody, MessageError
from exfront.wire.grammar import FIELD_LINES, TOKEN
from exfront.wire.heads import refuse_hopeless

_QUOTED = rb"\"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*\""
# BWS (RFC 9112 7.1.1) is taken behind `;` and around `=`, where nothing can be misread; never next to the size.
_EXTENSION = rb";[ \t]*+" + TOKEN + rb"++(?:[ \t]*+=[ \t]*+(?:" + TOKEN + rb"++|" + _QUOTED + rb"))?"
_size_line = re.compile(rb"([0-9A-Fa-f]{1,16}+)(?:" + _EXTENSION + rb")*\r\n").match
_size_line_begun = re.compile(rb"(?:[0-9A-Fa-f]{1,16}+(?:;[\t\x20-\x7e\x80-\xff]*+)?\r?)?\Z").match
_section = re.compile(FIELD_LINES + rb"\Z").match

# Connection, routing, request modifiers, authentication, response control and content format (RFC 9110 6.5.1), and what exfront itself
# says about the client. Underscores count as hyphens, as a CGI gateway behind us would take them.
_FORBIDDEN = (
    (
        rb"content-(?:encoding|type|range|location)|trailer|te|connection|keep-alive|upgrade|"
        rb"via|forwarded|x-forwarded-ANY|x-request-id|x-real-ip|front-end-https|destination|server-load|"
        rb"cache-control|expect|max-forwards|pragma|range|if|if-ANY|overwrite|depth|"
        rb"authorization|cookie2?|set-cookie2?|www-authenticate|authentication-info|proxy-ANY|alt-svc|http2-settings|"
        rb"age|expires|date|location|retry-after|vary|warning"
    )
    .replace(b"-", b"[-_]")
    .replace(b"ANY", TOKEN + rb"*+")
)
_smuggling_line = re.compile(rb"^(?:content[-_]length|transfer[-_]encoding|host):", re.IGNORECASE | re.MULTILINE).search
_forbidden_line = re.compile(rb"^(?:" + _FORBIDDEN + rb"):[^\r]*+\r\n", re.IGNORECASE | re.MULTILINE)

_LARGEST_CHUNK = (1 << 63) - 1


class Body(Protocol):
    """The common shape."""

    done: bool
    """Whether the body is complete."""
    rest: bytes
    """What was fed behind the body's end."""
    remaining: int
    """Bytes of payload that are certainly still to come: of the whole body, or of the chunk under way."""
    trailers: bytes
    """Once done: the trailer lines that may be passed on, byte-exact, each with its CRLF (chunked bodies only)."""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`; raises `MessageError` where the framing is broken."""

    def end(self) -> None:
        """The peer closed; raises `IncompleteBody` unless the body is complete with that."""


class LengthBody:
    """A body of `length` bytes (Content-Length)."""

    __slots__ = ("done", "remaining", "rest", "trailers")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.done = length == 0
        self.rest = self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`: `data` itself where all of it belongs to the body."""
        size = len(data)
        if size <= self.remaining:
            self.remaining -= size
            self.done = not self.remaining
            return data
        payload = data[: self.remaining]
        self.rest += data[self.remaining :]
        self.remaining = 0
        self.done = True
        return payload

    def end(self) -> None:
        """The peer closed; raises `IncompleteBody` unless all bytes are there."""
        if not self.done:
            raise IncompleteBody


class UntilCloseBody:
    """A body that ends when its connection does (responses only, RFC 9112 6.3)."""

    __slots__ = ("done", "remaining", "rest", "trailers")

    def __init__(self) -> None:
        self.done = False
        self.remaining = 0
        self.rest = self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        """`data`."""
        return data

    def end(self) -> None:
        """The peer closed: the body is complete."""
        self.done = True


class ChunkedBody:
    """A body in chunks (RFC 9112 7.1), with trailers.

    `max_line` bounds a chunk's size line and `max_trailers` the trailer section, in bytes; beyond, and for every deviation from the
    grammar, `feed` raises `MessageError(status)`. Chunk extensions are checked and dropped. Trailers that RFC 9110 6.5.1 forbids are
    dropped too, but for those that only a smuggler sends (Content-Length, Transfer-Encoding, Host): these are refused.
    """

    __slots__ = ("_held", "_max_line", "_max_trailers", "_state", "_status", "done", "remaining", "rest", "trailers")

    def __init__(self, max_line: int = 1024, max_trailers: int = 16384, status: int = 400) -> None:
        self._max_line = max_line
        self._max_trailers = max_trailers
        self._status = status
        self._held = b""
        self.remaining = 0
        self._state = _SIZE
        self.done = False
        self.rest = b""
        self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`: `data` itself where it is the inside of one chunk."""
        if self._state == _DATA and len(data) < self.remaining:
            self.remaining -= len(data)
            return data
        if self.done:
            self.rest += data
            return b""
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[memoryview] = []
        view = memoryview(data)
        at = 0
        while at >= 0:
            if self._state == _SIZE:
                at = self._feed_size(data, at)
            elif self._state == _DATA:
                stop = min(at + self.remaining, len(data))
                pieces.append(view[at:stop])
                self.remaining -= stop - at
                if not self.remaining:
                    self._state = _DATA_END
                at = stop if not self.remaining else -1
            elif self._state == _DATA_END:
                at = self._feed_data_end(data, at)
            else:
                at = self._feed_trailers(data, at)
        return b"".join(pieces)

    def _feed_size(self, data: bytes, at: int) -> int:
        match = _size_line(data, at)
        if match is None:
            if len(data) - at > self._max_line or _size_line_begun(data, at) is None:
                self._refuse("invalid chunk size")
            return self._hold(data, at)
        if match.end() - at > self._max_line + 2:
            self._refuse("chunk size line too long")
        self.remaining = int(match[1], 16)
        if self.remaining > _LARGEST_CHUNK:
            self._refuse("chunk too large")
        self._state = _DATA if self.remaining else _TRAILERS
        return match.end()

    def _feed_data_end(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self._state = _SIZE
            return at + 2
        if len(data) - at > 1 or not b"\r".startswith(data[at:]):
            self._refuse("no CRLF behind a chunk")
        return self._hold(data, at)

    def _feed_trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            return self._finish(b"", data[at + 2 :])
        end = data.find(b"\r\n\r\n", at)
        size = (end + 2 if end >= 0 else len(data)) - at
        if size > self._max_trailers:
            self._refuse("trailers too long")
        if end >= 0:
            section = data[at : end + 2]
            if _section(section) is None or _smuggling_line(section):
                self._refuse("invalid trailer")
            return self._finish(_forbidden_line.sub(b"", section), data[end + 4 :])
        refuse_hopeless(data, at, self._status)
        return self._hold(data, at)

    def _hold(self, data: bytes, at: int) -> int:
        self._held = data[at:]
        return -1

    def _finish(self, trailers: bytes, rest: bytes) -> int:
        self.trailers = trailers
        self.rest = rest
        self.done = True
        return -1

    def _refuse(self, reason: str) -> NoReturn:
        raise MessageError(self._status, reason)

    def end(self) -> None:
        """The peer closed; raises `IncompleteBody` unless the last chunk and the trailers are there."""
        if not self.done:
            raise IncompleteBody


_SIZE, _DATA, _DATA_END, _TRAILERS = range(4)


def encode_chunk(data: bytes) -> bytes:
    """`data` as one chunk; empty for empty data, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: bytes = b"") -> bytes:
    """The end of a chunked body; `trailers` are complete field lines, each with its CRLF."""
    return b"0\r\n" + trailers + b"\r\n"
