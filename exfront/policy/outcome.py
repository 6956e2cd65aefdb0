"""What became of one attempt at one back-end: values, told to `exfront.policy.failover` and to the health board.

Knows neither connections nor requests; whoever makes the attempt says here how it ended.
"""

from __future__ import annotations

from typing import NamedTuple

from exfront.model import ResponseHead  # noqa: TC001  compiled, the tuple's fields refer to the class itself


class Unreached(NamedTuple):
    """No connection came about, so nothing was sent: refused, no route, connect time-out, TLS not verified."""

    reason: str
    """For the log, a few words: `refused`, `connect time-out` …"""
    timed_out: bool = False
    ours: bool = False
    """It failed on our side (no descriptor, no local port left), which says nothing about the server."""


class Unanswered(NamedTuple):
    """Something was sent, and no response head came: reset, closed, hung past the response time-out, not HTTP."""

    reason: str
    timed_out: bool = False
    kept_alive: bool = False
    """The connection had carried a request before, so that its end may be no more than the end of its idle time."""
    owed: bool = False
    """The client had not sent all of its body, and the back-end was reading: it may have lost patience with the client."""
    garbled: bool = False
    """What came is not HTTP: the server is there, and one bad page of it must not make it unavailable to everybody."""


class Referred(NamedTuple):
    """The back-end has not got the content and names servers that may (F47); nothing of it went to the client."""

    names: tuple[str, ...]
    folder: bytes = b""
    """`Replica-Folder`, as sent; empty where it was not (F48)."""


class Answered(NamedTuple):
    """A response head came; from here on the response is the client's."""

    head: ResponseHead


class ClientGone(NamedTuple):
    """The client went away first: says nothing about the server."""


Outcome = Unreached | Unanswered | Referred | Answered | ClientGone
