"""Answers the front-end gives itself: error pages, challenges and redirects, as bytes.

Owns how such an answer is put together. Who gets which one is decided elsewhere; the words are those of `exfront.frontend.pages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.frontend.pages import HINTS, accepts_html, page
from exfront.wire.heads import field

if TYPE_CHECKING:
    from exfront.model import RequestHead

REASONS = {
    200: b"OK",
    302: b"Found",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    421: b"Misdirected Request",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}


def error_answer(
    status: int,
    request_id: bytes,
    head: RequestHead | None,
    *,
    reason: str = "",
    more: bytes = b"",
    close: bool = False,
) -> tuple[bytes, int]:
    """The whole answer with its page, and how many bytes of it are body. `more` are further field lines.

    `head` None: the request could not be read. A HEAD gets the head alone (RFC 9110 9.3.2).
    """
    html = head is not None and accepts_html(field(head.lines, b"accept"))
    kind, body = page(status, request_id.decode("ascii", "replace"), html, HINTS.get(reason, ""))
    lines = b"Content-Type: %b\r\nCache-Control: no-store\r\nX-Request-Id: %b\r\n%b" % (kind, request_id, more)
    if html:
        lines += b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nX-Content-Type-Options: nosniff\r\n"
    return answer(status, lines, body, head, close)


def answer(status: int, lines: bytes, body: bytes, head: RequestHead | None, close: bool) -> tuple[bytes, int]:
    """A whole answer and how many bytes of it are body."""
    if head is not None and head.method == b"HEAD":
        shown = b""
    else:
        shown = body
    if close:
        lines += b"Connection: close\r\n"
    elif head is not None and head.minor == 0:
        lines += b"Connection: keep-alive\r\n"
    whole = b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status,
        REASONS.get(status, b"Unknown"),
        lines,
        len(body),
        shown,
    )
    return whole, len(shown)


def challenge(realm: str) -> bytes:
    """The field line that asks for Basic credentials (RFC 7617 2, 2.1)."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8")
    return b'WWW-Authenticate: Basic realm="%b", charset="UTF-8"\r\n' % quoted
