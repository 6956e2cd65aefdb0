"""Valid HTTP/1.1 messages made by hypothesis: as a client or a server may write them, white space and case as the RFCs allow."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from exfront.wire.bodies import encode_chunk, last_chunk

_TCHAR = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_LOOKED_AT = frozenset(
    b"host connection content-length transfer-encoding authorization destination content_length transfer_encoding upgrade te expect".split()
)


def _ascii(alphabet: str, smallest: int, largest: int) -> st.SearchStrategy[bytes]:
    return st.text(alphabet, min_size=smallest, max_size=largest).map(str.encode)


tokens = _ascii(_TCHAR, 1, 12)
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"PROPFIND", b"MKCALENDAR"])
segments = _ascii("abcXYZ019-._~!$&'()*+,;=:@/%", 0, 20)
targets = st.builds(lambda path, query: b"/" + path + query, segments, st.just(b"") | segments.map(b"?".__add__))
words = _ascii(_VISIBLE, 1, 15)
values = st.lists(words, max_size=4).map(b" ".join)
white_space = st.sampled_from([b"", b" ", b"\t", b"  \t "])
field_lines = st.builds(
    lambda name, before, value, behind: name + b":" + before + value + behind + b"\r\n",
    tokens.filter(lambda name: name.lower() not in _LOOKED_AT),
    white_space,
    values,
    white_space,
)
payloads = st.binary(max_size=300)
extensions = st.sampled_from([b"", b";a", b";a=b", b';a="b;c";d', b';a="\\""'])


class Message(NamedTuple):
    """A message's bytes and what they say."""

    head: bytes
    body: bytes
    """As on the wire."""
    payload: bytes
    method: bytes = b""
    target: bytes = b""
    status: int = 0
    chunked: bool = False

    @property
    def raw(self) -> bytes:
        return self.head + self.body


@st.composite
def framed(draw: st.DrawFn) -> tuple[list[bytes], bytes, bytes, bool]:
    """Field lines with a framing field among them, a body on the wire, its payload, whether chunked."""
    lines = draw(st.lists(field_lines, max_size=6))
    payload = draw(payloads)
    chunked = draw(st.booleans())
    if chunked:
        framing = draw(st.sampled_from([b"Transfer-Encoding: chunked\r\n", b"transfer-encoding:Chunked \r\n"]))
        body = _chunks(draw, payload) + last_chunk(
            draw(st.sampled_from([b"", b"X-Sum: 1\r\n", b"X-A:\r\nX-B: c d\r\n"]))
        )
    else:
        framing = draw(
            st.sampled_from([b"Content-Length: %d\r\n", b"CONTENT-LENGTH:\t%d\r\n", b"content-length:00%d \r\n"])
        ) % len(payload)
        body = payload
    lines.insert(draw(st.integers(0, len(lines))), framing)
    return lines, body, payload, chunked


def _chunks(draw: st.DrawFn, payload: bytes) -> bytes:
    wire = b""
    while payload:
        size = draw(st.integers(1, len(payload)))
        extension = draw(extensions)
        wire += encode_chunk(payload[:size]).replace(b"\r\n", extension + b"\r\n", 1)
        payload = payload[size:]
    return wire


@st.composite
def requests(draw: st.DrawFn) -> Message:
    """A request with a body, chunked or not, and with Host."""
    lines, body, payload, chunked = draw(framed())
    lines.insert(
        draw(st.integers(0, len(lines))), draw(st.sampled_from([b"Host: a.example\r\n", b"hOsT:[::1]:8080\r\n"]))
    )
    method, target = draw(methods), draw(targets)
    head = method + b" " + target + b" HTTP/1.1\r\n" + b"".join(lines) + b"\r\n"
    return Message(head, body, payload, method, target, 0, chunked)


@st.composite
def responses(draw: st.DrawFn) -> Message:
    """A response to GET with a body, chunked or not."""
    lines, body, payload, chunked = draw(framed())
    status = draw(st.integers(200, 599).filter(lambda status: status not in (204, 304)))
    reason = draw(values)
    head = b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, b"".join(lines))
    return Message(head, body, payload, b"GET", b"", status, chunked)
