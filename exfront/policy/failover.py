"""Which server comes next and whether there may be a next one at all (F62 to F65).

Pure: the marks are the health board's, the time is the caller's. Knows no connection; one request's walk along its plan is
`choose`, an attempt, then `again_on_new_connection` or `may_retry` and `choose` again, and in the end `status_of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.policy.outcome import Unanswered, Unreached

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from exfront.model import Server
    from exfront.policy.outcome import Outcome

REPEATABLE = frozenset(
    [
        # RFC 9110 9.2.1 and 9.2.2: safe, or idempotent.
        *(b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"),
        # RFC 4918 9.1 to 9.11 calls these idempotent, and LOCK not: a second LOCK finds the first one in its way.
        *(b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"UNLOCK"),
        # Safe or idempotent by RFC 3253 3.6, RFC 5323 2.1, RFC 4791 5.3.1, RFC 3744 8.1.
        *(b"REPORT", b"SEARCH", b"MKCALENDAR", b"ACL"),
    ]
)
"""Methods that may be sent twice. POST, PATCH, LOCK and every verb nobody has registered are not among them."""


def choose(
    candidates: Sequence[Server],
    tried: Collection[Server],
    marks: Mapping[Server, float],
    now: float,
    unavailable: float,
) -> Server | None:
    """The server to try next, or None when the plan is at its end.

    `marks` says when a server was marked, on the clock of `now`, in seconds; a mark counts for `unavailable` seconds. The first
    unmarked server wins (F63); when all that are left are marked, the one marked longest ago (F65). None is tried twice (F62).
    """
    if not marks and not tried:
        return candidates[0] if candidates else None
    oldest = None
    since = now
    for server in candidates:
        if server in tried:
            continue
        marked = marks.get(server)
        if marked is None or now - marked >= unavailable:
            return server
        if oldest is None or marked < since:
            oldest, since = server, marked
    return oldest


def may_retry(method: bytes, outcome: Outcome, replayable: bool) -> bool:
    """Whether the same request may go to another server, or to the same one on a new connection (F64).

    `replayable`: the whole body is still there, or there is none. Nothing sent: always. Sent and unanswered: RFC 9110 9.2.2
    forbids a proxy to repeat a request that is not idempotent, on a kept-alive connection too.
    """
    match outcome:
        case Unreached():
            return True
        case Unanswered():
            # another server would wait for the same body
            return replayable and method in REPEATABLE and not (outcome.owed and outcome.timed_out)
        case _:
            return False


def marks_server(outcome: Outcome) -> bool:
    """Whether the outcome says that the server is unavailable (F62).

    A client that keeps its body back can bring about no mark, and neither can a page that is not HTTP.
    """
    match outcome:
        case Unreached():
            return not outcome.ours
        case Unanswered():
            return not (outcome.owed or outcome.garbled) and (outcome.timed_out or not outcome.kept_alive)
        case _:
            return False


def again_on_new_connection(outcome: Outcome) -> bool:
    """Whether the server itself is to be tried once more: only its kept-alive connection turned out closed (F62).

    `may_retry` has to agree.
    """
    return isinstance(outcome, Unanswered) and outcome.kept_alive and not (outcome.timed_out or outcome.garbled)


def status_of(outcomes: Sequence[Outcome]) -> int:
    """What the client is told when the plan is at its end: 504 when the last attempt timed out, else 502 (F62)."""
    last = outcomes[-1] if outcomes else None
    return 504 if isinstance(last, Unreached | Unanswered) and last.timed_out else 502
