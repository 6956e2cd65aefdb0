"""One record per finished request: a line in the access log and the counters (F19, F21, F27 say things here only).

Owns the format of the line, its escaping and the numbers. Nothing a client sends can break a line or forge one: whatever is not
plain printable ASCII is escaped. Never gets a credential: no header but Referer and User-Agent comes in. Where the bytes go is
`exfront.logfile`'s business.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as _string
from typing import TYPE_CHECKING, NamedTuple

from exfront.config.settings import LogFormat

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the duration histogram, seconds; one more bucket has the rest."""

_PRINTABLE = bytes([one for one in range(0x20, 0x7F) if one not in b'"\\'])
_UNSAFE = re.compile(rb"[^ !#-\[\]-~]")
_WORD = _PRINTABLE.replace(b" ", b"")
_UNSAFE_IN_WORD = re.compile(rb"[^!#-\[\]-~]")
_METHODS = frozenset(
    b"GET HEAD OPTIONS TRACE PUT DELETE POST PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH MKCALENDAR ACL "
    b"SUBSCRIBE UNSUBSCRIBE POLL NOTIFY BPROPFIND BPROPPATCH BCOPY BMOVE BDELETE".split()
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Finished(NamedTuple):
    """A request that is over, however it ended. Bytes are the client's own, text is ours."""

    peer: bytes
    """The client's address as text."""
    method: bytes
    raw_target: bytes
    minor: int
    status: int
    """What the client was sent; 499 where it went away before a status."""
    sent: int
    """Bytes of response body."""
    seconds: float
    """From the head's first byte to the end."""
    request_id: bytes
    received: int = 0
    """Bytes of request body."""
    user: str = ""
    vdir: str = ""
    back_end: str = ""
    """The server that answered, or was tried last."""
    reason: str = ""
    """A word for what went wrong, as in `Refuse`; empty where nothing did."""
    back_end_seconds: float = -1.0
    """From the attempt to the back-end's head; negative where none came."""
    attempts: int = 0
    referer: bytes = b""
    user_agent: bytes = b""


class Tally:
    """What is counted per virtual directory; the empty name stands for none."""

    __slots__ = ("buckets", "received", "requests", "seconds", "sent")

    def __init__(self) -> None:
        self.requests: dict[int, dict[bytes, int]] = {}
        """Requests by status and method; methods nobody has registered count as `OTHER`."""
        self.sent = 0
        self.received = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        """Requests by duration: how many fell into each bucket alone (not cumulated)."""

    def count(self, done: Finished) -> None:
        """Add one request."""
        by_method = self.requests.get(done.status)
        if by_method is None:
            by_method = self.requests[done.status] = {}
        method = done.method if done.method in _METHODS else b"OTHER"
        by_method[method] = by_method.get(method, 0) + 1
        self.sent += done.sent
        self.received += done.received
        seconds = done.seconds
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1


class Ledger:
    """Writes one line and counts once for every finished request."""

    def __init__(self, write: Callable[[bytes], None], wall: Callable[[], float], form: LogFormat) -> None:
        """`write` gets whole lines; `wall` says the seconds since 1970."""
        self.tallies: dict[str, Tally] = {}
        """Read it, never write it."""
        self._write = write
        self._wall = wall
        self._combined = form is LogFormat.COMBINED
        self._second = -1
        self._stamp = b""

    def record(self, done: Finished) -> None:
        """Write the line and count. Call it exactly once per request, also when the client went away."""
        now = self._wall()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = _common_stamp(now) if self._combined else _iso_stamp(now)
        self._write(_combined(done, self._stamp) if self._combined else _json(done, self._stamp))
        tally = self.tallies.get(done.vdir)
        if tally is None:
            tally = self.tallies[done.vdir] = Tally()
        tally.count(done)


def _combined(done: Finished, stamp: bytes) -> bytes:
    """Apache's combined format, then what is ours as `name=value`; times in seconds."""
    (peer, method, target, minor, status, sent, seconds, request_id, received, user, vdir, back_end, reason,
     back_end_seconds, attempts, referer, agent) = done  # fmt: skip
    name = user.encode("utf-8", "backslashreplace") if user else b"-"
    if b"".join((target, method, referer, agent)).translate(None, _PRINTABLE):
        target, method, referer, agent = map(_escaped, (target, method, referer, agent))
    if b"".join((peer, name, request_id)).translate(None, _WORD):
        peer, name, request_id = map(_escaped_word, (peer, name, request_id))
    return (
        b'%b - %b [%b] "%b %b HTTP/1.%d" %d %d "%b" "%b" vdir=%b backend=%b reason=%b time=%.6f backend_time=%b'
        b" received=%d attempts=%d id=%b\n"
    ) % (
        peer or b"-", name, stamp, method, target, minor, status, sent, referer or b"-", agent or b"-",
        vdir.encode() or b"-", back_end.encode() or b"-", reason.encode() or b"-", seconds,
        b"%.6f" % back_end_seconds if back_end_seconds >= 0 else b"-", received, attempts, request_id or b"-",
    )  # fmt: skip


def _escaped(value: bytes) -> bytes:
    return _UNSAFE.sub(_hex, value)


def _escaped_word(value: bytes) -> bytes:
    return _UNSAFE_IN_WORD.sub(_hex, value)


def _hex(match: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % match[0][0]


def _json(done: Finished, stamp: bytes) -> bytes:
    """One object a line; keys are the fields' names. Bytes that are not ASCII are shown as in the combined format."""
    (peer, method, target, minor, status, sent, seconds, request_id, received, user, vdir, back_end, reason,
     back_end_seconds, attempts, referer, agent) = done  # fmt: skip
    waited = f"{back_end_seconds:.6f}" if back_end_seconds >= 0 else "null"
    return (
        f'{{"time":"{stamp.decode()}","peer":{_quoted(peer)},"user":{_string(user)},"method":{_quoted(method)},'
        f'"raw_target":{_quoted(target)},"minor":{minor},"status":{status},"sent":{sent},"received":{received},'
        f'"referer":{_quoted(referer)},"user_agent":{_quoted(agent)},"vdir":{_string(vdir)},"back_end":{_string(back_end)},'
        f'"reason":{_string(reason)},"seconds":{seconds:.6f},"back_end_seconds":{waited},"attempts":{attempts},'
        f'"request_id":{_quoted(request_id)}}}\n'
    ).encode()


def _quoted(value: bytes) -> str:
    return _string(value.decode("ascii", "backslashreplace"))


def _common_stamp(now: float) -> bytes:
    """`10/Oct/2000:13:55:36 -0700`, in English in every locale."""
    at = datetime.fromtimestamp(now, UTC).astimezone()
    return at.strftime(f"%d/{_MONTHS[at.month - 1]}/%Y:%H:%M:%S %z").encode()


def _iso_stamp(now: float) -> bytes:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").encode()
