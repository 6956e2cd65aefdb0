"""Heads of HTTP/1.1 messages: bytes in, `RequestHead` and `ResponseHead` out, or a `MessageError`.

Owns the grammar of RFC 9112 sections 2 to 6: the start line, the field lines and what they say about the message's length and
about the connection. The field lines themselves stay byte-exact in `lines`, so no header is ever taken apart and put together again.

Refuses to know sockets, limits of size and time (the caller's), and what any field means for routing.

Stricter than RFC 9112 where leniency is how requests are smuggled: every line ends with CRLF, nothing is folded, a length is said
once, names that a CGI gateway would take for a framing field (`Content_Length`) are refused.
"""

from __future__ import annotations

import re
from typing import NoReturn

from exfront.errors import MessageError
from exfront.model import RequestHead, ResponseHead
from exfront.wire import grammar

MAX_EMPTY_LINES = 4
"""Empty lines that may precede a request line (RFC 9112 2.2 asks for at least one)."""


_SINGLE = frozenset({b"host", b"authorization", b"content-length", b"destination"})
"""Fields of a request whose repetition makes two servers see two different requests."""


def skip_empty_lines(buffer: bytes | bytearray) -> int:
    """Index of the first byte behind the empty lines, at most `MAX_EMPTY_LINES`, before a request line (RFC 9112 2.2)."""
    at = 0
    while at < 2 * MAX_EMPTY_LINES and buffer.startswith(b"\r\n", at):
        at += 2
    return at


def head_end(buffer: bytes | bytearray, start: int = 0, status: int = 400) -> int:
    """Index just past a head's empty line, or -1 where more bytes are needed.

    Raises `MessageError(status)` as soon as it is plain that no valid head can come of these bytes, so a head that is found begins with
    a token. These early looks are cheap ones; `parse_request` and `parse_response` judge the whole head.
    """
    end = buffer.find(b"\r\n\r\n", start)
    if end >= 0 and grammar.match_token_start(buffer, start):
        return end + 4
    refuse_hopeless(buffer, start, status)
    return -1


def refuse_hopeless(buffer: bytes | bytearray, start: int, status: int) -> None:
    """Raises `MessageError(status)` where the unfinished field section or head at `start` can never become valid."""
    if len(buffer) <= start or (buffer[start] == 13 and len(buffer) == start + 1):
        return  # nothing yet, or half of an empty line
    if not grammar.match_token_start(buffer, start):
        raise MessageError(status, "no token at the start")
    # Only the newest bytes: a head that drips in must not cost the square of its length.
    newest = max(start, len(buffer) - 4096)
    if buffer.find(b"\0", newest) >= 0:
        raise MessageError(status, "NUL")
    if buffer.count(b"\n", newest + 1) != buffer.count(b"\r\n", newest):
        raise MessageError(status, "a line ends without CR")


def parse_request(head: bytes) -> RequestHead:
    """The request that `head`, from the first byte to the empty line inclusive, asks for.

    Raises `MessageError`: 400 for what RFC 9112 or this module's docstring refuses, 431 for more than `MAX_LINES` field lines, 501 for
    a transfer coding other than chunked and for CONNECT, 505 for another major version.
    """
    match = grammar.match_request(head)
    if match is None:
        return _parse_other_form(head)
    method, target, path, digit, lines = match.groups()
    minor = 0 if digit == b"0" else 1
    noted = _note_request(head)
    host = noted.get(b"host")
    if host:
        if grammar.match_authority(host) is None:
            raise MessageError(400, "invalid Host")
    elif host is None:
        if minor:
            raise MessageError(400, "no Host")
        host = b""
    length = _request_length(noted, minor) if b"content-length" in noted or b"transfer-encoding" in noted else 0
    if method == b"CONNECT":
        raise MessageError(400, "CONNECT wants an authority")
    keep_alive = _keeps_alive(noted[b"connection"], minor) if b"connection" in noted else minor == 1
    return RequestHead(method, target, path, minor, host, lines, noted, length, keep_alive, target)


def _note_request(head: bytes) -> dict[bytes, bytes]:
    noted: dict[bytes, bytes] = {}
    for name, value in grammar.find_request_fields(head):
        name = name.lower()
        if name in noted:
            if name in _SINGLE:
                raise MessageError(400, "a field that may stand once is repeated")
            value = noted[name] + b", " + value
        noted[name] = value
    if b"content_length" in noted or b"transfer_encoding" in noted:
        raise MessageError(400, "a framing field spelt with an underscore")
    return noted


def _request_length(noted: dict[bytes, bytes], minor: int) -> int:
    """RFC 9112 6.3, for requests; -1 for chunked."""
    coding = noted.get(b"transfer-encoding")
    if coding is None:
        return _length(noted[b"content-length"], 400)
    if b"content-length" in noted:
        raise MessageError(400, "Content-Length with Transfer-Encoding")
    if not minor:
        raise MessageError(400, "Transfer-Encoding in HTTP/1.0")
    if coding.lower() != b"chunked":
        _refuse_codings(coding)
    return -1


def _length(value: bytes, status: int) -> int:
    if grammar.match_length(value) is None:
        raise MessageError(status, "invalid Content-Length")
    return int(value)


def _refuse_codings(value: bytes) -> NoReturn:
    """400 where the list is broken or chunked is not last and single (RFC 9112 6.1, 6.3), 501 for codings we do not know."""
    if grammar.match_codings(value) is None:
        raise MessageError(400, "invalid Transfer-Encoding")
    codings = [coding.strip(b" \t") for coding in value.lower().split(b",")]
    if b"chunked" in codings[:-1]:
        raise MessageError(400, "chunked is not the last transfer coding")
    raise MessageError(501, "unknown transfer coding")


def _keeps_alive(connection: bytes, minor: int) -> bool:
    """RFC 9112 9.3: `close` wins, HTTP/1.0 has to ask for `keep-alive`."""
    connection = connection.lower()
    if connection == b"keep-alive":
        return True
    options = {option.strip(b" \t") for option in connection.split(b",")}
    return b"close" not in options and (minor == 1 or b"keep-alive" in options)


def _parse_other_form(head: bytes) -> RequestHead:
    """A request whose target is not in origin-form (RFC 9112 3.2.2 to 3.2.4), or none at all."""
    match = grammar.match_any_form(head)
    if match is None:
        _refuse_request(head)
    method, raw_target = match.group(1, 2)
    if method == b"CONNECT":
        # Not 405: no resource here supports the method, which is 501's case (RFC 9110 15.6.2); 405 would need an Allow.
        raise MessageError(501 if grammar.match_authority(raw_target) else 400, "CONNECT is not offered")
    if raw_target == b"*":
        if method != b"OPTIONS":
            raise MessageError(400, "asterisk-form is for OPTIONS")
        return _asterisk(_retarget(head, raw_target, b"/", None))
    absolute = grammar.match_absolute_form(raw_target)
    if absolute is None:
        raise MessageError(400, "invalid request target")
    authority, path, query = absolute.groups()
    if method == b"OPTIONS" and path is None and query is None:
        return _asterisk(_retarget(head, raw_target, b"/", authority))
    return _retarget(head, raw_target, (path or b"/") + (query or b""), authority)


def _asterisk(request: RequestHead) -> RequestHead:
    request.target = request.path = b"*"
    return request


def _retarget(head: bytes, raw_target: bytes, target: bytes, authority: bytes | None) -> RequestHead:
    """The request with its target in origin-form; an authority replaces the Host that was sent (RFC 9112 3.2.2)."""
    request = parse_request(head.replace(b" " + raw_target + b" ", b" " + target + b" ", 1))
    request.raw_target = raw_target
    if authority is None:
        return request
    if grammar.HOST_LINE.search(request.lines):
        request.lines = grammar.HOST_LINE.sub(
            lambda found: found[1] + b": " + authority + b"\r\n", request.lines, count=1
        )
    else:
        request.lines = b"Host: " + authority + b"\r\n" + request.lines
    request.host = request.noted[b"host"] = authority
    return request


def _refuse_request(head: bytes) -> NoReturn:
    version = grammar.match_versioned_line(head)
    if version is not None and version[3] != b"1":
        raise MessageError(505, "HTTP version not supported")
    line = grammar.match_request_line(head)
    if line is None:
        raise MessageError(400, "invalid request line")
    if grammar.match_field_lines(head, line.end()):
        raise MessageError(431, "too many field lines")
    raise MessageError(400, "invalid field line")


def parse_response(head: bytes, method: bytes) -> ResponseHead:
    """The response to `method` that `head`, from the first byte to the empty line inclusive, begins.

    A missing reason is accepted (RFC 9112 4). `length` follows RFC 9112 6.3. Equal Content-Lengths, repeated, become one, in `lines`
    too. Raises `MessageError` with status 502 whatever is wrong.
    """
    match = grammar.match_response(head)
    if match is None:
        raise MessageError(502, "invalid response head")
    digit, digits, reason, lines = match.groups()
    minor = 0 if digit == b"0" else 1
    status = int(digits)
    noted = _note_response(head)
    declared = noted.get(b"content-length")
    if declared is not None and b"," in declared:
        declared = noted[b"content-length"] = _one_length(declared)
        lines = grammar.LENGTH_LINE.sub(b"", lines) + b"Content-Length: " + declared + b"\r\n"
    if status < 200 or status == 204 or status == 304 or method == b"HEAD":
        if declared is not None:
            _length(declared, 502)  # not this message's, but the client is going to read it
            if status < 200 or status == 204:
                # no server may say it there (RFC 9110 8.6), and a careless client would wait for so many bytes
                lines = grammar.LENGTH_LINE.sub(b"", lines)
        length = 0
    else:
        length = _response_length(noted, minor)
    keep_alive = _keeps_alive(noted[b"connection"], minor) if b"connection" in noted else minor == 1
    return ResponseHead(status, reason or b"", minor, lines, noted, length, keep_alive and length != -2)


def _note_response(head: bytes) -> dict[bytes, bytes]:
    noted: dict[bytes, bytes] = {}
    for name, value in grammar.find_response_fields(head):
        name = name.lower()
        noted[name] = noted[name] + b", " + value if name in noted else value
    return noted


def _one_length(value: bytes) -> bytes:
    """The one length that a list of equal ones says (RFC 9112 6.3)."""
    lengths = {length.strip(b" \t") for length in value.split(b",")}
    if len(lengths) > 1:
        raise MessageError(502, "differing Content-Lengths")
    return lengths.pop()


def _response_length(noted: dict[bytes, bytes], minor: int) -> int:
    """RFC 9112 6.3, for responses that may have a body: -1 for chunked, -2 until the connection closes."""
    coding = noted.get(b"transfer-encoding")
    declared = noted.get(b"content-length")
    if coding is None:
        return -2 if declared is None else _length(declared, 502)
    if declared is not None:
        raise MessageError(502, "Content-Length with Transfer-Encoding")
    if not minor or coding.lower() != b"chunked":
        raise MessageError(502, "unusable Transfer-Encoding")
    return -1


def field(lines: bytes, name: bytes) -> bytes | None:
    """The value of the field `name` (any case) in field lines, repeated ones joined with `, ` (RFC 9110 5.3); None without it."""
    values: list[bytes] = re.findall(rb"(?im)^" + re.escape(name) + rb":[ \t]*+([^\r]*+)", lines)
    return b", ".join([value.rstrip(b" \t") for value in values]) if values else None
