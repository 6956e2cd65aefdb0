"""A connection without a socket: reads requests from pieces of bytes with exfront's own parsers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from exfront.errors import IncompleteBody
from exfront.wire.bodies import ChunkedBody, LengthBody
from exfront.wire.heads import MAX_EMPTY_LINES, head_end, parse_request, skip_empty_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exfront.model import RequestHead


class Reading(NamedTuple):
    """One request, read."""

    head: RequestHead
    body: bytes
    trailers: bytes

    def said(self) -> tuple[object, ...]:
        """All that the request says, for comparing: heads are equal only to themselves."""
        head = self.head
        request = head.method, head.raw_target, head.target, head.path, head.minor, head.host, head.lines, head.noted
        return (*request, head.length, head.keep_alive, self.body, self.trailers)


def read_requests(pieces: Iterable[bytes]) -> Iterator[Reading]:
    """Yields the requests in `pieces`, up to the last one the connection carries.

    Raises `MessageError` where a server would answer with an error, `IncompleteBody` where it would wait in vain.
    """
    head: RequestHead | None = None
    body: LengthBody | ChunkedBody = LengthBody(0)
    buffer = payload = b""
    skipped = 0
    for piece in pieces:
        buffer += piece
        while buffer:
            if head is None:
                if skipped < 2 * MAX_EMPTY_LINES:
                    skipped += (empty := skip_empty_lines(buffer))
                    buffer = buffer[empty:]
                end = head_end(buffer)
                if end < 0:
                    break
                head, buffer, payload = parse_request(buffer[:end]), buffer[end:], b""
                body = ChunkedBody() if head.length < 0 else LengthBody(head.length)
            payload += body.feed(buffer)
            buffer = body.rest
            if not body.done:
                break
            yield Reading(head, payload, getattr(body, "trailers", b""))
            if not head.keep_alive:
                return
            head, skipped = None, 0
    if head is not None or buffer:
        raise IncompleteBody


def bytewise(data: bytes) -> Iterator[bytes]:
    """`data`, one byte at a time."""
    return (data[at : at + 1] for at in range(len(data)))


def cut(data: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """`data` in pieces, none empty, that begin at `places` (any order, beyond the end is no harm)."""
    bounds = sorted({0, len(data), *(place for place in places if place < len(data))})
    return (data[start:stop] for start, stop in itertools.pairwise(bounds))
