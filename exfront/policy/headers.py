"""What happens to header lines on their way through (F2, F3, F5).

Pure: bytes in, bytes out. Lines that no rule names pass byte for byte, in their order. Taken out on both ways are the hop-by-hop fields
(RFC 9110 7.6.1) and those that `Connection` names; from clients also whatever speaks of a client's address, scheme or identity unless a
trusted proxy says it; from back-ends `Alt-Svc`. Markers are put at the end, where nothing a client sends can take them out again.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from exfront.model import RequestHead

PASSING = frozenset(
    (
        b"host",
        b"authorization",
        b"content-length",
        b"referer",
        b"user-agent",
        b"expect",
        b"via",
        b"trailer",
        b"if",
        b"destination",
    )
)
"""Noted request fields that need no change; a request with only these passes its lines untouched."""

_KEPT_ALIVE = b"\r\nConnection: keep-alive\r\n"
"""How nearly every browser and every server spells it: this one line goes without a search."""

PASSING_BACK = frozenset(
    (b"content-length", b"trailer", b"location", b"content-location", b"via", b"www-authenticate", b"persistent-auth")
)

_USUAL = PASSING | {b"connection"}
_USUAL_BACK = PASSING_BACK | {b"connection"}

_HOP = (
    rb"connection|keep-alive|proxy-connection|proxy-authorization|proxy-authentication-info|proxy"
    rb"|te|transfer-encoding|upgrade|http2-settings"
)
_REQUEST_HOP = re.compile(rb"^(?:" + _HOP + rb")[ \t]*:[^\n]*\n", re.I | re.M)
_IDENTITY = (
    rb"forwarded|x[-_]forwarded[-_][^:\r\n]*|x[-_]forwarded|x[-_]request[-_]id|x[-_]real[-_]ip|front[-_]end[-_]https"
    rb"|x[-_]original[-_](?:url|host)|x[-_]rewrite[-_]url"
)
_REQUEST_REMOVED = re.compile(rb"^(?:" + _HOP + rb"|" + _IDENTITY + rb")[ \t]*:[^\n]*\n", re.I | re.M)
_RESPONSE_REMOVED = re.compile(
    rb"^(?:connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade|alt-svc|proxy-authenticate|server-load)[ \t]*:[^\n]*\n",
    re.I | re.M,
)

UNREMOVABLE = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"content-type",
        b"date",
        b"location",
    )
)
"""Fields that matter end to end: naming them in Connection (RFC 9110 7.6.1 forbids it) takes nothing out."""


class Client(NamedTuple):
    """Who sent a request, as far as it is believed."""

    address: bytes
    """The client's address in text, without brackets."""
    scheme: bytes
    """`http` or `https`, on the client's side."""
    trusted: bool
    """Whether the peer is a trusted proxy, whose markers are believed and continued."""
    peer: bytes
    """The address the connection came from; the same as `address` unless a trusted proxy names another."""


def named_in_connection(value: bytes) -> frozenset[bytes]:
    """The lower-case field names that a Connection value lists, without `close`, `keep-alive` and what must not be removed."""
    names = {name.strip().lower() for name in value.split(b",")}
    return frozenset(names - UNREMOVABLE - {b"", b"close", b"keep-alive", b"upgrade", b"te"})


def without(lines: bytes, names: frozenset[bytes]) -> bytes:
    """`lines` without the fields called one of `names` (lower case)."""
    fields = lines.splitlines(keepends=True)
    return b"".join([one for one in fields if one.partition(b":")[0].rstrip(b" \t").lower() not in names])


def request_lines(head: RequestHead, trusted: bool) -> bytes:
    """The client's lines as the back-end may see them: without markers, framing by chunks and connection options."""
    lines = head.lines
    noted = head.noted
    connection = noted.get(b"connection")
    if connection is None:
        if PASSING.issuperset(noted):
            return lines
    elif connection == b"keep-alive" and _USUAL.issuperset(noted):
        shorter = lines.replace(_KEPT_ALIVE, b"\r\n", 1)
        if len(shorter) < len(lines):
            return shorter
    lines = (_REQUEST_HOP if trusted else _REQUEST_REMOVED).sub(b"", lines)
    if connection is not None:
        named = named_in_connection(connection)
        if named:
            lines = without(lines, named)
    if trusted:
        lines = _CONTINUED.sub(b"", lines)
    return lines


_CONTINUED = re.compile(
    rb"^(?:x-forwarded-(?:for|proto|host)|forwarded|x-request-id|front-end-https|(?=[^:\n]*_)(?:" + _IDENTITY + rb"))"
    rb"[ \t]*:[^\n]*\n",
    re.I | re.M,
)
"""What we say ourselves, and what no proxy spells so: an underscore was the client's, and a CGI gateway would take it for a hyphen."""


def _node(address: bytes) -> bytes:
    """An address as RFC 7239 section 6 wants it."""
    return b'"[%b]"' % address if b":" in address else address


def markers(client: Client, host: bytes, noted: dict[bytes, bytes]) -> bytes:
    """The marker lines of F3 but for the request's id, for one client and Host.

    A trusted proxy's X-Forwarded-For, Forwarded and X-Forwarded-Host are continued (RFC 7239 section 4); an untrusted client's were
    taken out.
    """
    element = b"for=%b;host=%b;proto=%b" % (_node(client.peer), _quoted(host), client.scheme)
    chain, forwarded, public = client.peer, element, host
    if client.trusted:
        if before := noted.get(b"x-forwarded-for"):
            chain = b"%b, %b" % (before, chain)
        if before := noted.get(b"forwarded"):
            forwarded = b"%b, %b" % (before, element)
        public = noted.get(b"x-forwarded-host", host)
    return (
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nForwarded: %b\r\nFront-End-Https: %b\r\n"
        % (chain, client.scheme, public, forwarded, b"On" if client.scheme == b"https" else b"Off")
    )


def _quoted(host: bytes) -> bytes:
    """A Host value as an RFC 7239 value: a token stays, anything else (a port, brackets) is quoted."""
    return host if host and host.replace(b".", b"").replace(b"-", b"").isalnum() else b'"%b"' % host


def believed_client(peer: bytes, scheme: bytes, noted: dict[bytes, bytes], trusts: object) -> Client:
    """Who the client is when the peer is a trusted proxy: the last address in X-Forwarded-For that is not itself trusted.

    `trusts(address: bytes) -> bool` tells trusted addresses. An X-Forwarded-Proto of `http` or `https` counts; anything else is ignored.
    """
    proto = noted.get(b"x-forwarded-proto", b"").rpartition(b",")[2].strip().lower()
    if proto not in (b"http", b"https"):
        proto = scheme
    address = peer
    for one in reversed(noted.get(b"x-forwarded-for", b"").rsplit(b",", _MOST_HOPS)[-_MOST_HOPS:]):
        one = _bare_address(one.strip())
        if not one:
            break
        address = one
        if not trusts(one):  # type: ignore[operator]
            break
    return Client(address, proto, True, peer)


_MOST_HOPS = 32
"""Trusted proxies in a row that are looked at: nobody has more, and a client may have written a thousand."""
_ADDRESS = re.compile(rb"[0-9A-Fa-f:.]{2,45}")


def _bare_address(text: bytes) -> bytes:
    """An address without brackets and port, IPv4 in IPv6 clothes as IPv4; empty where it is none (`unknown`, a name, garbage)."""
    if text.startswith(b"["):
        text = text[1:].partition(b"]")[0]
    elif text.count(b":") == 1:
        text = text.partition(b":")[0]
    if not _ADDRESS.fullmatch(text):
        return b""
    try:
        address = ip_address(text.decode("ascii"))
    except ValueError:
        return b""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return text if mapped is None else str(mapped).encode("ascii")


def response_lines(lines: bytes, noted: dict[bytes, bytes]) -> bytes:
    """A back-end's lines as the client may see them (F5)."""
    connection = noted.get(b"connection")
    if connection is None:
        if PASSING_BACK.issuperset(noted):
            return lines
    elif connection == b"keep-alive" and _USUAL_BACK.issuperset(noted):
        shorter = lines.replace(_KEPT_ALIVE, b"\r\n", 1)
        if len(shorter) < len(lines):
            return shorter
    lines = _RESPONSE_REMOVED.sub(b"", lines)
    if connection is not None and connection.lower() not in (b"keep-alive", b"close"):
        named = named_in_connection(connection)
        if named:
            lines = without(lines, named)
    return lines
