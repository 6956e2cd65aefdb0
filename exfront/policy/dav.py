"""URLs inside header fields, for a WebDAV client that came by another scheme than the back-end is spoken to with (F6).

A back-end that is reached over plain HTTP compares the scheme of `Destination` and of `If`'s tags with its own (RFC 4918 10.3,
10.4), and names resources by its own scheme in `Location`. So URLs of the front-end's own change their scheme on the way in and back
on the way out. Nothing else does: not URLs of other hosts, not lock tokens, not bodies.

Owns no path: the mailbox of an implicit logon is never put into a `Destination`, because a resource that could be copied or moved
to has an address of its own, mailbox included; `/exchange/` alone names a mailbox, and whose is for the request's URL to say.
"""

from __future__ import annotations

import re

_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
_TAG_OR_LIST = re.compile(rb"[<(]")
_IN_LIST = re.compile(rb'[)<"]')


def to_back_end(value: bytes, front_scheme: bytes, host: bytes, back_scheme: bytes) -> bytes:
    """The value of a request's `Destination` or `If` as the back-end has to see it.

    `host` is the authority of the request as the client sent it, which the back-end gets as `Host` (F1); schemes are `http` or
    `https`. A path alone, a URL of another host or a malformed value comes back as it is.
    """
    if front_scheme == back_scheme or not host:
        return value
    if value[:1] in (b"<", b"("):
        return _tags(value, front_scheme, host, back_scheme)
    return _swapped(value, front_scheme, back_scheme, host, front_scheme)


def from_back_end(value: bytes, front_scheme: bytes, host: bytes, back_scheme: bytes) -> bytes:
    """The value of a response's `Location` or `Content-Location` as the client has to see it; the way back of `to_back_end`."""
    if front_scheme == back_scheme or not host:
        return value
    return _swapped(value, back_scheme, front_scheme, host, front_scheme)


def _tags(value: bytes, front: bytes, host: bytes, back: bytes) -> bytes:
    """An `If` field with the scheme of its resource tags changed: what stands in `<>` outside of the lists in `()`.

    Inside of a list `<>` holds a state token, which only the back-end that made it may read, and `[]` an entity tag, whose quotes
    may hold any bracket. Linear in the value's length whatever it holds.
    """
    parts: list[bytes] = []
    start = 0
    while (opened := _TAG_OR_LIST.search(value, start)) is not None:
        at = opened.end()
        end = value.find(b">", at) if opened[0] == b"<" else _list_end(value, at)
        if end < 0:
            return value
        inside = value[at:end]
        parts += value[start:at], _swapped(inside, front, back, host, front) if opened[0] == b"<" else inside
        start = end
    return b"".join((*parts, value[start:]))


def _list_end(value: bytes, at: int) -> int:
    """Where the list ends that began before `at`: its bracket's place, or -1."""
    while (mark := _IN_LIST.search(value, at)) is not None:
        if mark[0] == b")":
            return mark.start()
        at = value.find(b">" if mark[0] == b"<" else b'"', mark.end()) + 1
        if at == 0:
            return -1
    return -1


def _swapped(url: bytes, old: bytes, new: bytes, host: bytes, front: bytes) -> bytes:
    """The URL with scheme `new` and the authority `host` if it is one of scheme `old` at that host; else as it is."""
    scheme, mark, rest = url.partition(b"://")
    if not mark or scheme.lower() != old:
        return url
    end = min((at for at in map(rest.find, (b"/", b"?", b"#")) if at >= 0), default=len(rest))
    authority = rest[:end].lower()
    own = host.lower()
    # A default port, spelt out or not, makes no difference (RFC 9110 4.2.3).
    if authority != own and authority.removesuffix(_DEFAULT_PORTS[old]) != own.removesuffix(_DEFAULT_PORTS[front]):
        return url
    # The host as the client sent it, so that the back-end finds its `Host` again: a default port would be the wrong one now.
    return b"%b://%b%b" % (new, host, rest[end:])
