"""Requests that must be refused and odd ones that must not be, as bytes on the wire.

`CASES` are ways to smuggle a request past a front-end, or plain nonsense: (name, bytes, status of the answer). Every one can be sent as it
stands to a listening front-end, which answers with that status and closes. `ODDITIES` are unusual and right: (name, bytes,
what is read from each request: method, target, host, body). Both are tables, so that a new case is one line.
"""

from __future__ import annotations

_GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n"
_POST = b"POST / HTTP/1.1\r\nHost: a.example\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"


def _lines(text: bytes, tail: bytes = b"") -> bytes:
    """A POST with the field lines `text` (without the last CRLF), then `tail`."""
    return _POST + text + b"\r\n\r\n" + tail


def _start(line: bytes) -> bytes:
    """A request with that request line."""
    return line + b"\r\nHost: a.example\r\n\r\n"


_TWO_LENGTHS: list[tuple[str, bytes, int]] = [
    ("length-and-chunked", _lines(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n" + _SMUGGLED), 400),
    ("chunked-and-length", _lines(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n" + _SMUGGLED), 400),
    ("length-zero-and-chunked", _lines(b"Content-Length: 0\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("length-and-unknown-coding", _lines(b"Content-Length: 5\r\nTransfer-Encoding: cow", b"hello"), 400),
    ("length-and-identity", _lines(b"Content-Length: 5\r\nTransfer-Encoding: identity", b"hello"), 400),
    ("length-and-empty-coding", _lines(b"Content-Length: 5\r\nTransfer-Encoding:", b"hello"), 400),
    ("lengths-differ", _lines(b"Content-Length: 5\r\nContent-Length: 6", b"hello!"), 400),
    ("lengths-differ-in-case-of-name", _lines(b"Content-Length: 5\r\ncontent-length: 6", b"hello!"), 400),
    ("lengths-equal-twice", _lines(b"Content-Length: 5\r\nContent-Length: 5", b"hello"), 400),
    ("length-list-differs", _lines(b"Content-Length: 5, 6", b"hello!"), 400),
    ("length-list-equal", _lines(b"Content-Length: 5, 5", b"hello"), 400),
    ("length-far-apart", _lines(b"Content-Length: 5\r\nA: b\r\nC: d\r\nContent-Length: 0", b"hello"), 400),
]

_LENGTH_VALUES: list[tuple[str, bytes, int]] = [
    (name, _lines(b"Content-Length:" + value, b"hello"), 400)
    for name, value in (
        ("length-plus", b" +5"),
        ("length-minus", b" -5"),
        ("length-minus-zero", b" -0"),
        ("length-hexadecimal", b" 0x5"),
        ("length-underscore", b" 0_5"),
        ("length-inner-space", b" 0 5"),
        ("length-inner-tab", b" 0\t5"),
        ("length-empty", b""),
        ("length-only-space", b"   "),
        ("length-word", b" five"),
        ("length-decimal-point", b" 5.0"),
        ("length-exponent", b" 5e0"),
        ("length-quoted", b' "5"'),
        ("length-semicolon", b" 5;5"),
        ("length-trailing-comma", b" 5,"),
        ("length-leading-comma", b" ,5"),
        ("length-vertical-tab", b" \x0b5"),
        ("length-form-feed", b" 5\x0c"),
        ("length-no-break-space", b" \xa05"),
        ("length-arabic-digit", b" \xd9\xa5"),
        ("length-superscript-digit", b" \xb2"),
        ("length-nul", b" 5\x00"),
        ("length-twenty-digits", b" 00000000000000000005"),
        ("length-wraps-64-bits", b" 18446744073709551621"),
    )
]

_CODINGS: list[tuple[str, bytes, int]] = [
    (name, _lines(b"Transfer-Encoding:" + value, b"0\r\n\r\n" + _SMUGGLED), status)
    for name, value, status in (
        ("coding-chunked-twice", b" chunked, chunked", 400),
        ("coding-chunked-twice-in-lines", b" chunked\r\nTransfer-Encoding: chunked", 400),
        ("coding-chunked-not-last", b" chunked, identity", 400),
        ("coding-chunked-not-last-in-lines", b" chunked\r\nTransfer-Encoding: identity", 400),
        ("coding-chunked-between", b" gzip, chunked, gzip", 400),
        ("coding-vertical-tab", b"\x0bchunked", 400),
        ("coding-form-feed", b" chunked\x0c", 400),
        ("coding-nul", b" chunked\x00", 400),
        ("coding-no-break-space", b" \xa0chunked", 400),
        ("coding-quoted", b' "chunked"', 400),
        ("coding-single-quoted", b" 'chunked'", 501),
        ("coding-empty", b"", 400),
        ("coding-leading-comma", b" ,chunked", 400),
        ("coding-trailing-comma", b" chunked,", 400),
        ("coding-parameter", b" chunked;q=1", 400),
        ("coding-semicolon", b" chunked;", 400),
        ("coding-space-inside", b" chun ked", 400),
        ("coding-prefixed", b" xchunked", 501),
        ("coding-suffixed", b" chunkedx", 501),
        ("coding-unknown", b" cow", 501),
        ("coding-identity", b" identity", 501),
        ("coding-gzip", b" gzip", 501),
        ("coding-gzip-chunked", b" gzip, chunked", 501),
        ("coding-identity-chunked", b" identity, chunked", 501),
        ("coding-long-s", b" chun\xc5\xbfed", 400),
        ("coding-kelvin-sign", b" chun\xe2\x84\xaaed", 400),
    )
] + [
    ("coding-in-1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (
        "coding-in-1.0-keep-alive",
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
]

_NAMES: list[tuple[str, bytes, int]] = [
    (name, _lines(text, b"0\r\n\r\n" + _SMUGGLED), 400)
    for name, text in (
        ("name-space-before-colon", b"Transfer-Encoding : chunked"),
        ("name-tab-before-colon", b"Transfer-Encoding\t: chunked"),
        ("name-length-space-before-colon", b"Content-Length : 5"),
        ("name-leading-space", b" Transfer-Encoding: chunked"),
        ("name-leading-tab", b"\tContent-Length: 5"),
        ("name-vertical-tab-before-colon", b"Transfer-Encoding\x0b: chunked"),
        ("name-nul-before-colon", b"Transfer-Encoding\x00: chunked"),
        ("name-nul-inside", b"Transfer\x00-Encoding: chunked"),
        ("name-underscore-coding", b"Transfer_Encoding: chunked"),
        ("name-underscore-length", b"Content_Length: 5"),
        ("name-underscore-length-beside", b"Content-Length: 5\r\nContent_Length: 0"),
        ("name-empty", b": chunked"),
        ("name-no-colon", b"Transfer-Encoding"),
        ("name-non-ascii", b"Content-Length\xdf: 5"),
        ("name-separator", b"Content(Length): 5"),
        ("name-quoted", b'"Content-Length": 5'),
        ("name-space-inside", b"Content Length: 5"),
    )
]

_LINE_ENDS: list[tuple[str, bytes, int]] = [
    ("line-bare-lf", _GET + b"A: b\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("line-bare-cr", _GET + b"A: b\rTransfer-Encoding: chunked\r\n\r\n", 400),
    ("line-cr-cr-lf", _GET + b"A: b\r\r\nC: d\r\n\r\n", 400),
    ("line-lf-cr", _GET + b"A: b\n\rC: d\r\n\r\n", 400),
    ("line-all-bare-lf", b"GET / HTTP/1.1\nHost: a.example\n\n", 400),
    ("line-request-line-bare-lf", b"GET / HTTP/1.1\nHost: a.example\r\n\r\n", 400),
    ("line-empty-line-bare-lf", _GET + b"\n" + _SMUGGLED, 400),
    ("line-folded", _GET + b"A: b\r\n c\r\n\r\n", 400),
    ("line-folded-coding", _lines(b"Transfer-Encoding:\r\n chunked", b"0\r\n\r\n"), 400),
    ("line-folded-by-tab", _lines(b"Content-Length: 5\r\n\t0", b"hello"), 400),
    ("line-folded-first", b"GET / HTTP/1.1\r\n Host: a.example\r\nHost: a.example\r\n\r\n", 400),
    ("value-nul", _GET + b"A: b\x00c\r\n\r\n", 400),
    ("value-bell", _GET + b"A: b\x07c\r\n\r\n", 400),
    ("value-delete", _GET + b"A: b\x7fc\r\n\r\n", 400),
    ("value-escape", _GET + b"A: b\x1b[0mc\r\n\r\n", 400),
    ("lines-too-many", _GET + b"A: b\r\n" * 200 + b"\r\n", 431),
]

_START_LINES: list[tuple[str, bytes, int]] = [
    (name, _start(line), status)
    for name, line, status in (
        ("start-two-spaces", b"GET  / HTTP/1.1", 400),
        ("start-two-spaces-before-version", b"GET /  HTTP/1.1", 400),
        ("start-tab", b"GET\t/ HTTP/1.1", 400),
        ("start-leading-space", b" GET / HTTP/1.1", 400),
        ("start-trailing-space", b"GET / HTTP/1.1 ", 400),
        ("start-no-version", b"GET /", 400),
        ("start-no-target", b"GET HTTP/1.1", 400),
        ("start-space-in-target", b"GET /a b HTTP/1.1", 400),
        ("start-two-versions", b"GET / HTTP/1.1 HTTP/1.1", 400),
        ("start-lower-case-version", b"GET / http/1.1", 400),
        ("start-other-protocol", b"GET / ICAP/1.1", 400),
        ("start-version-two-digits", b"GET / HTTP/1.10", 400),
        ("start-version-leading-zero", b"GET / HTTP/01.1", 400),
        ("start-version-no-minor", b"GET / HTTP/1", 400),
        ("start-version-comma", b"GET / HTTP/1,1", 400),
        ("start-version-0.9", b"GET / HTTP/0.9", 505),
        ("start-version-2", b"GET / HTTP/2.0", 505),
        ("start-version-3", b"GET / HTTP/3.0", 505),
        ("start-method-nul", b"GET\x00 / HTTP/1.1", 400),
        ("start-method-colon", b"GET: / HTTP/1.1", 400),
        ("start-method-non-ascii", b"G\xc3\x89T / HTTP/1.1", 400),
        ("start-method-slash", b"GET/ / HTTP/1.1", 400),
        ("start-method-empty", b" / HTTP/1.1", 400),
        ("target-nul", b"GET /\x00 HTTP/1.1", 400),
        ("target-control", b"GET /\x01 HTTP/1.1", 400),
        ("target-delete", b"GET /\x7f HTTP/1.1", 400),
        ("target-bare-cr", b"GET /\r HTTP/1.1", 400),
        ("target-fragment", b"GET /a#b HTTP/1.1", 400),
        ("target-relative", b"GET a/b HTTP/1.1", 400),
        ("target-query-only", b"GET ?a HTTP/1.1", 400),
        ("target-asterisk", b"GET * HTTP/1.1", 400),
        ("target-authority", b"GET a.example:80 HTTP/1.1", 400),
        ("target-other-scheme", b"GET ftp://a.example/ HTTP/1.1", 400),
        ("target-file", b"GET file:///etc/passwd HTTP/1.1", 400),
        ("target-one-slash", b"GET http:/a.example/ HTTP/1.1", 400),
        ("target-no-authority", b"GET http:///a HTTP/1.1", 400),
        ("target-user", b"GET http://anna:secret@a.example/ HTTP/1.1", 400),
        ("target-user-confusion", b"GET http://a.example@b.example/ HTTP/1.1", 400),
        ("target-backslash-authority", b"GET http://a.example\\b/ HTTP/1.1", 400),
        ("connect", b"CONNECT a.example:443 HTTP/1.1", 501),
        ("connect-path", b"CONNECT / HTTP/1.1", 400),
        ("connect-absolute", b"CONNECT http://a.example/ HTTP/1.1", 400),
    )
] + [
    ("start-tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("start-http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("start-proxy-line", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("start-empty-lines", b"\r\n" * 20 + _SMUGGLED, 400),
]

_HOSTS: list[tuple[str, bytes, int]] = [
    (name, b"GET / HTTP/1.1\r\n" + text + b"\r\n\r\n", 400)
    for name, text in (
        ("host-missing", b"A: b"),
        ("host-twice", b"Host: a.example\r\nHost: b.example"),
        ("host-twice-equal", b"Host: a.example\r\nhost: a.example"),
        ("host-list", b"Host: a.example, b.example"),
        ("host-list-no-space", b"Host: a.example,b.example"),
        ("host-space-inside", b"Host: a.example b.example"),
        ("host-path", b"Host: a.example/b"),
        ("host-user", b"Host: anna@a.example"),
        ("host-query", b"Host: a.example?b"),
        ("host-fragment", b"Host: a.example#b"),
        ("host-backslash", b"Host: a.example\\b"),
        ("host-bad-port", b"Host: a.example:8a"),
        ("host-two-ports", b"Host: a.example:80:81"),
        ("host-negative-port", b"Host: a.example:-1"),
        ("host-only-port", b"Host: :80"),
        ("host-open-bracket", b"Host: [::1"),
        ("host-bracket-junk", b"Host: [::1]a"),
        ("host-bare-v6", b"Host: ::1"),
        ("host-markup", b"Host: <script>"),
        ("host-quote", b'Host: a.example"'),
        ("host-raw-unicode", b"Host: b\xc3\xbccher.example"),
        ("host-bad-escape", b"Host: a%2.example"),
        ("host-space-before-colon", b"Host : a.example"),
    )
] + [
    ("host-twice-in-1.0", b"GET / HTTP/1.0\r\nHost: a.example\r\nHost: b.example\r\n\r\n", 400),
    ("host-missing-absolute", b"GET http://a.example/ HTTP/1.1\r\n\r\n", 400),
    ("host-twice-absolute", b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", 400),
]

_FIELDS: list[tuple[str, bytes, int]] = [
    ("authorization-twice", _GET + b"Authorization: Basic YTpi\r\nAuthorization: Basic Yzpk\r\n\r\n", 400),
    ("authorization-twice-equal", _GET + b"Authorization: Basic YTpi\r\nauthorization: Basic YTpi\r\n\r\n", 400),
    ("destination-twice", b"MOVE /a HTTP/1.1\r\nHost: a\r\nDestination: /b\r\nDestination: /c\r\n\r\n", 400),
]

_CHUNKS: list[tuple[str, bytes, int]] = [
    (name, _CHUNKED + wire, 400)
    for name, wire in (
        ("chunk-size-empty", b"\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-plus", b"+5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-minus", b"-5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-word", b"five\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-space-before", b" 5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-space-behind", b"5 \r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-tab-behind", b"5\t\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-space-inside", b"0 5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-nul", b"5\x00\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-vertical-tab", b"5\x0b\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-comma", b"5,5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-seventeen-digits", b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-wraps-64-bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-negative-64-bits", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-bare-lf", b"5\nhello\r\n0\r\n\r\n"),
        ("chunk-size-bare-cr", b"5\rhello\r\n0\r\n\r\n"),
        ("chunk-size-cr-cr-lf", b"5\r\r\nhello\r\n0\r\n\r\n"),
        ("chunk-size-arabic-digit", b"\xd9\xa5\r\nhello\r\n0\r\n\r\n"),
        ("chunk-data-too-long", b"5\r\nhello!\r\n0\r\n\r\n"),
        ("chunk-data-too-short", b"6\r\nhello\r\n0\r\n\r\n"),
        ("chunk-data-bare-lf", b"5\r\nhello\n0\r\n\r\n"),
        ("chunk-data-bare-cr", b"5\r\nhello\r0\r\n\r\n"),
        ("chunk-data-no-end", b"5\r\nhello0\r\n\r\n"),
        ("chunk-last-bare-lf", b"5\r\nhello\r\n0\n\n" + _SMUGGLED),
        ("chunk-last-minus", b"5\r\nhello\r\n-0\r\n\r\n"),
        ("chunk-extension-bare-lf", b"5;\nhello\r\n0\r\n\r\n"),
        ("chunk-extension-bare-cr", b"5;a=b\rc\r\nhello\r\n0\r\n\r\n"),
        ("chunk-extension-nul", b"5;a=\x00\r\nhello\r\n0\r\n\r\n"),
        ("chunk-extension-nameless", b"5;\r\nhello\r\n0\r\n\r\n"),
        ("chunk-extension-no-value", b"5;a=\r\nhello\r\n0\r\n\r\n"),
        ("chunk-extension-open-quote", b'5;a="b\r\nhello\r\n0\r\n\r\n'),
        ("chunk-extension-lf-in-quotes", b'5;a="\n"\r\nhello\r\n0\r\n\r\n'),
        ("chunk-extension-space-before", b"5 ;a=b\r\nhello\r\n0\r\n\r\n"),
        ("chunk-extension-too-long", b"5;a=" + b"b" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
        ("trailer-folded", b"0\r\nA: b\r\n c\r\n\r\n"),
        ("trailer-space-first", b"0\r\n A: b\r\n\r\n"),
        ("trailer-space-before-colon", b"0\r\nA : b\r\n\r\n"),
        ("trailer-no-colon", b"0\r\nGET / HTTP/1.1\r\n\r\n"),
        ("trailer-bare-lf", b"0\r\nA: b\nC: d\r\n\r\n"),
        ("trailer-nul", b"0\r\nA: \x00\r\n\r\n"),
        ("trailer-too-long", b"0\r\nA: " + b"b" * 20000 + b"\r\n\r\n"),
        ("trailer-length", b"0\r\nA: b\r\ncontent-length: 5\r\n\r\n"),
        ("trailer-length-underscore", b"0\r\nContent_Length: 5\r\n\r\n"),
        ("trailer-coding", b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("trailer-host", b"0\r\nHost: b.example\r\n\r\n"),
        ("trailer-junk-for-empty-line", b"0\r\nX\r\n\r\n"),
    )
]

CASES: list[tuple[str, bytes, int]] = [
    *_TWO_LENGTHS,
    *_LENGTH_VALUES,
    *_CODINGS,
    *_NAMES,
    *_LINE_ENDS,
    *_START_LINES,
    *_HOSTS,
    *_FIELDS,
    *_CHUNKS,
]

Expected = tuple[bytes, bytes, bytes, bytes]
"""Method, target, host, body."""


def _read(
    target: bytes = b"/", host: bytes = b"a.example", body: bytes = b"", method: bytes = b"GET"
) -> list[Expected]:
    return [(method, target, host, body)]


def _posted(body: bytes) -> list[Expected]:
    return _read(body=body, method=b"POST")


ODDITIES: list[tuple[str, bytes, list[Expected]]] = [
    ("empty-line-first", b"\r\n" + _GET + b"\r\n", _read()),
    ("four-empty-lines-first", b"\r\n" * 4 + _GET + b"\r\n", _read()),
    ("pipelined", (_GET + b"\r\n") * 3, _read() * 3),
    (
        "pipelined-empty-line-between",
        _lines(b"Content-Length: 2", b"ab") + b"\r\n" + _GET + b"\r\n",
        _posted(b"ab") + _read(),
    ),
    ("pipelined-behind-chunks", _CHUNKED + b"2\r\nab\r\n0\r\n\r\n" + _GET + b"\r\n", _posted(b"ab") + _read()),
    ("nothing-read-behind-close", _GET + b"Connection: close\r\n\r\n\x00garbage", _read()),
    ("1.0-without-host", b"GET / HTTP/1.0\r\n\r\n", _read(host=b"")),
    (
        "1.0-keep-alive",
        b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
        _read(host=b"") + _read(b"/b", b""),
    ),
    ("1.0-length", b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", _read(b"/", b"", b"ab", b"POST")),
    ("1.9-is-1.1", b"GET / HTTP/1.9\r\nHost: a.example\r\n\r\n", _read()),
    ("host-empty", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", _read(host=b"")),
    ("host-empty-space", b"GET / HTTP/1.1\r\nHost:  \t \r\n\r\n", _read(host=b"")),
    ("host-port", b"GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", _read(host=b"a.example:8080")),
    ("host-empty-port", b"GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n", _read(host=b"a.example:")),
    ("host-v6", b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", _read(host=b"[2001:db8::1]:80")),
    ("host-mapped-v6", b"GET / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\n\r\n", _read(host=b"[::ffff:192.0.2.1]")),
    ("host-underscore", b"GET / HTTP/1.1\r\nHost: my_host\r\n\r\n", _read(host=b"my_host")),
    ("host-escaped", b"GET / HTTP/1.1\r\nHost: b%C3%BCcher\r\n\r\n", _read(host=b"b%C3%BCcher")),
    ("host-name-upper-case", b"GET / HTTP/1.1\r\nHOST:A.Example\r\n\r\n", _read(host=b"A.Example")),
    ("host-last", b"GET / HTTP/1.1\r\nA: b\r\nHost: a.example\r\n\r\n", _read()),
    ("absolute", _start(b"GET http://b.example/a?b HTTP/1.1"), _read(b"/a?b", b"b.example")),
    ("absolute-https", _start(b"GET https://b.example:443/a HTTP/1.1"), _read(b"/a", b"b.example:443")),
    ("absolute-upper-case", _start(b"GET HTTP://B.example/ HTTP/1.1"), _read(b"/", b"B.example")),
    ("absolute-no-path", _start(b"GET http://b.example HTTP/1.1"), _read(b"/", b"b.example")),
    ("absolute-query-only", _start(b"GET http://b.example?a HTTP/1.1"), _read(b"/?a", b"b.example")),
    ("absolute-v6", _start(b"GET http://[::1]:81/ HTTP/1.1"), _read(b"/", b"[::1]:81")),
    ("absolute-two-slashes", _start(b"GET http://b.example//a HTTP/1.1"), _read(b"//a", b"b.example")),
    ("absolute-1.0", b"GET http://b.example/ HTTP/1.0\r\n\r\n", _read(b"/", b"b.example")),
    ("absolute-at-in-path", _start(b"GET http://b.example/anna@a HTTP/1.1"), _read(b"/anna@a", b"b.example")),
    ("options-asterisk", _start(b"OPTIONS * HTTP/1.1"), _read(b"*", method=b"OPTIONS")),
    ("options-absolute", _start(b"OPTIONS http://b.example HTTP/1.1"), _read(b"*", b"b.example", method=b"OPTIONS")),
    (
        "options-absolute-slash",
        _start(b"OPTIONS http://b.example/ HTTP/1.1"),
        _read(b"/", b"b.example", method=b"OPTIONS"),
    ),
    ("target-slashes", _start(b"GET ///a//b HTTP/1.1"), _read(b"///a//b")),
    ("target-looks-absolute", _start(b"GET //b.example/a HTTP/1.1"), _read(b"//b.example/a")),
    ("target-url-inside", _start(b"GET /http://b.example/ HTTP/1.1"), _read(b"/http://b.example/")),
    ("target-raw-utf8", _start(b"GET /caf\xc3\xa9 HTTP/1.1"), _read(b"/caf\xc3\xa9")),
    ("target-quotes", _start(b'GET /with_"quotes"?a="b" HTTP/1.1'), _read(b'/with_"quotes"?a="b"')),
    ("target-unwise", _start(b"GET /{a}|b\\c^[d]`<e> HTTP/1.1"), _read(b"/{a}|b\\c^[d]`<e>")),
    ("target-bad-escape", _start(b"GET /%zz%2 HTTP/1.1"), _read(b"/%zz%2")),
    ("target-two-question-marks", _start(b"GET /a?b?c HTTP/1.1"), _read(b"/a?b?c")),
    ("target-dots", _start(b"GET /../../a/./b HTTP/1.1"), _read(b"/../../a/./b")),
    ("method-dav", _start(b"PROPFIND /a HTTP/1.1"), _read(b"/a", method=b"PROPFIND")),
    ("method-vendor", _start(b"X-MS-ENUMATTS /a HTTP/1.1"), _read(b"/a", method=b"X-MS-ENUMATTS")),
    ("method-lower-case", _start(b"get /a HTTP/1.1"), _read(b"/a", method=b"get")),
    ("method-token", _start(b"!#$%&'*+-.^_`|~ /a HTTP/1.1"), _read(b"/a", method=b"!#$%&'*+-.^_`|~")),
    ("method-connect-in-lower-case", _start(b"connect /a HTTP/1.1"), _read(b"/a", method=b"connect")),
    ("get-with-body", _GET + b"Content-Length: 2\r\n\r\nab", _read(body=b"ab")),
    ("length-leading-zeros", _lines(b"Content-Length: 0002", b"ab"), _posted(b"ab")),
    ("length-odd-case", _lines(b"conTENT-Length:2", b"ab"), _posted(b"ab")),
    ("length-white-space", _lines(b"Content-Length: \t 2 \t ", b"ab"), _posted(b"ab")),
    ("length-zero", _lines(b"Content-Length: 0"), _posted(b"")),
    ("coding-odd-case", _lines(b"tRANSFER-eNCODING: ChUnKeD", b"2\r\nab\r\n0\r\n\r\n"), _posted(b"ab")),
    ("coding-white-space", _lines(b"Transfer-Encoding:\t chunked \t", b"2\r\nab\r\n0\r\n\r\n"), _posted(b"ab")),
    ("get-chunked", _GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", _read()),
    ("chunk-upper-case", _CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", _posted(b"0123456789")),
    ("chunk-leading-zeros", _CHUNKED + b"0000000000000002\r\nab\r\n0000\r\n\r\n", _posted(b"ab")),
    ("chunk-with-line-ends", _CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n", _posted(b"\r\n\r\n")),
    ("chunk-like-a-chunk", _CHUNKED + b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", _posted(b"0\r\n\r\n")),
    ("chunk-extensions", _CHUNKED + b'2;a;b=c;d="e;\\""\r\n' + b"ab\r\n0;z\r\n\r\n", _posted(b"ab")),
    ("chunk-extension-spaces", _CHUNKED + b"2; a; b = c\r\nab\r\n0\r\n\r\n", _posted(b"ab")),
    (
        "trailers",
        _CHUNKED + b"2\r\nab\r\n0\r\nA: b\r\nContent-Type: c\r\nVia: b\r\n\r\n" + _GET + b"\r\n",
        _posted(b"ab") + _read(),
    ),
    ("value-empty", _GET + b"A:\r\nB: \r\n\r\n", _read()),
    ("value-obs-text", _GET + b"A: caf\xe9\r\n\r\n", _read()),
    ("value-tab", _GET + b"A: b\tc\r\n\r\n", _read()),
    ("value-colons", _GET + b"A::b:c\r\n\r\n", _read()),
    ("value-looks-like-a-field", _GET + b"A: Content-Length: 5\r\n\r\n", _read()),
    ("name-token", _GET + b"!#$%&'*+-.^_`|~: b\r\n\r\n", _read()),
    ("name-underscore", _GET + b"X_Custom_Name: b\r\n\r\n", _read()),
    ("name-extends-a-framing-name", _GET + b"Content-Length-Hint: 5\r\nX-Content-Length: 6\r\n\r\n", _read()),
    ("lines-two-hundred", _GET + b"A: b\r\n" * 199 + b"\r\n", _read()),
    ("te", _GET + b"TE: trailers\r\nConnection: TE\r\n\r\n", _read()),
    ("upgrade", _GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", _read()),
    ("authorization-in-trailers-of-no-use", _CHUNKED + b"0\r\nAuthorization: Basic YTpi\r\n\r\n", _posted(b"")),
]
