"""The heads that travel on: the request's to the back-end, the response's to the client.

Puts together what the pure header rules give. Knows the two ends of one exchange, and no connection.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exfront.policy import dav
from exfront.policy.headers import request_lines, response_lines

if TYPE_CHECKING:
    from exfront.frontend.visitor import Visitor
    from exfront.model import RequestHead, ResponseHead, Server

_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_UPGRADE = b"Connection: Upgrade\r\nUpgrade: %b\r\n"
_TRAILERS = b"Connection: TE\r\nTE: trailers\r\n"
_DAV_LINES = re.compile(rb"^(destination|if):[ \t]*([^\r\n]*)", re.I | re.M)
_LOCATION_LINES = re.compile(rb"^(location|content-location):[ \t]*([^\r\n]*)", re.I | re.M)
_MAX_FORWARDS = re.compile(rb"^max-forwards:[^\n]*\n", re.I | re.M)
# Whatever ends the scheme's name: servers that split at any white space are many.
_CONNECTION_BOUND = re.compile(rb"(?:ntlm|negotiate)(?![!#$%&'*+\-.^_`|~0-9a-z])", re.I)

UPGRADES = frozenset((b"websocket",))
"""Protocols that a connection may be upgraded to. Never `h2c`: requests inside it would pass the front-end unseen."""


def wants_upgrade(head: RequestHead) -> bool:
    """Whether the request asks for a tunnel that is allowed (RFC 9110 7.8)."""
    noted = head.noted
    return (
        b"upgrade" in noted
        and head.minor == 1
        and head.length == 0
        and noted[b"upgrade"].lower() in UPGRADES
        and b"upgrade" in {one.strip() for one in noted.get(b"connection", b"").lower().split(b",")}
    )


def is_connection_bound(authorization: bytes) -> bool:
    """Whether credentials of this scheme make the whole connection the user's (RFC 4559 section 6, MS-NTHT)."""
    return _CONNECTION_BOUND.match(authorization) is not None


def request_head(head: RequestHead, target: bytes, visitor: Visitor, request_id: bytes, server: Server) -> bytes:
    """The head that the back-end gets (F1 to F3, F6)."""
    noted = head.noted
    lines = request_lines(head, visitor.trusted)
    more = visitor.lines
    if head.length < 0:
        more += _CHUNKED
    if b"upgrade" in noted and wants_upgrade(head):
        more += _UPGRADE % noted[b"upgrade"]
    elif b"te" in noted and b"trailers" in noted[b"te"].lower():
        more += _TRAILERS
    if b"destination" in noted or b"if" in noted:
        lines = _with_scheme(lines, _DAV_LINES, visitor, server, head)
    if b"max-forwards" in noted and head.method in (b"OPTIONS", b"TRACE"):
        # a larger number than anybody means is made a smaller one (RFC 9110 7.6.2)
        lines = _MAX_FORWARDS.sub(b"Max-Forwards: %d\r\n" % (int(noted[b"max-forwards"].lstrip(b"0")[:9]) - 1), lines)
    if b"host" not in noted:
        # only an HTTP/1.0 client may leave it out; HTTP/1.1 needs one (RFC 9112 3.2)
        more += b"Host: \r\n"
    return b"%b %b HTTP/1.1\r\n%b%bX-Request-Id: %b\r\n\r\n" % (head.method, target, lines, more, request_id)


def _with_scheme(lines: bytes, fields: re.Pattern[bytes], visitor: Visitor, server: Server, head: RequestHead) -> bytes:
    front, back = visitor.client.scheme, b"https" if server.tls else b"http"
    if front == back:
        return lines
    rewrite = dav.to_back_end if fields is _DAV_LINES else dav.from_back_end
    return fields.sub(lambda found: b"%b: %b" % (found[1], rewrite(found[2], front, head.host, back)), lines)


def response_head(
    head: ResponseHead, request: RequestHead, visitor: Visitor, server: Server, persists: bool
) -> tuple[bytes, bool, bool]:
    """The head that the client gets (F5, F6), whether its body goes in chunks, and whether the connection closes after it."""
    lines = response_lines(head.lines, head.noted)
    if b"location" in head.noted or b"content-location" in head.noted:
        lines = _with_scheme(lines, _LOCATION_LINES, visitor, server, request)
    more = b"Via: 1.%d exfront\r\n" % head.minor
    chunked = False
    if head.length < 0:
        if request.minor:
            chunked = True
            more += _CHUNKED
        else:
            persists = False
    if head.status == 101:
        more += _UPGRADE % head.noted.get(b"upgrade", b"")
    elif not persists:
        more += b"Connection: close\r\n"
    elif not request.minor:
        more += b"Connection: keep-alive\r\n"
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (head.status, head.reason, lines, more), chunked, not persists
