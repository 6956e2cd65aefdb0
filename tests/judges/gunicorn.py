"""gunicorn's corpus of requests, sent to exfront over a socket with a recording back-end behind it.

Of the corpus only what asks for no settings of gunicorn's own counts: 53 requests that must be refused, 47 that are fine. gunicorn
does not ask for `Host`; here it is put in where it is missing, so that nothing is refused for the lack of it alone.

Refused means: an error (or nothing) and a closed connection, and no whole request behind the last one that was answered. Accepted
means: answered by the back-end, to which method, target and body came as they were. What others reach is the measure: 43 and 36.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.judges import cache
from tests.judges.finding import Finding, Sitting
from tests.real.front import FORWARD, Front
from tests.real.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

REFUSED_AT_LEAST, INVALID = 43, 53
ACCEPTED_AT_LEAST, VALID = 36, 47
_PATIENCE = 6
_GOOD = ("accepted", "answered by exfront itself")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_HEAD = re.compile(rb"^([!-~]+ \S+ HTTP/1\.[01]\r\n)(\r\n|.*?\r\n\r\n)", re.MULTILINE | re.DOTALL)
QUICK = FORWARD.replace(
    "[virtual-server", "header_timeout = 1\nbody_timeout = 1\nidle_timeout = 1\n\n[virtual-server", 1
)


@dataclass(frozen=True, slots=True)
class Case:
    """One file of the corpus."""

    name: str
    data: bytes
    expected: tuple[dict[str, Any], ...]
    """The requests in it; empty: to be refused."""


def cases() -> Iterator[Case]:
    """The corpus, without what needs gunicorn's settings."""
    for kind in ("invalid", "valid"):
        for file in sorted((cache.source("gunicorn") / "tests" / "requests" / kind).glob("*.http")):
            said = file.with_suffix(".py").read_text()
            if "cfg" not in said:
                expected = _expected(said) if kind == "valid" else ()
                yield Case(f"{kind}/{file.stem}", _with_host(_bytes(file), max(1, len(expected))), expected)


def judge(port: int, recorder: Recorder) -> Finding:
    """Sends every case to 127.0.0.1:`port`. Counts "refused" of the invalid and "accepted" of the valid."""
    outcomes = {case.name: attempt(case, port, recorder) for case in cases()}
    counts = {
        "refused": sum(
            name.startswith("invalid/") and outcome.startswith("refused") for name, outcome in outcomes.items()
        ),
        "accepted": sum(name.startswith("valid/") and outcome in _GOOD for name, outcome in outcomes.items()),
    }
    troubles = [
        f"{name}: {outcome}"
        for name, outcome in outcomes.items()
        if outcome.startswith("altered") or "left open" in outcome
    ]
    return Finding(counts, tuple(troubles), outcomes)


def hold() -> Finding:
    with Recorder() as recorder, Front(QUICK, backend=recorder.port) as front:
        return judge(front.port, recorder)


def complaints(finding: Finding) -> Sequence[str]:
    told = list(finding.troubles)
    names = list(finding.outcomes)
    if (sum(name.startswith("invalid/") for name in names), sum(name.startswith("valid/") for name in names)) != (
        INVALID,
        VALID,
    ):
        told.append(f"the corpus has {len(names)} cases, not {INVALID} and {VALID}")
    if finding.counts["refused"] < REFUSED_AT_LEAST:
        told += [
            f"{name}: {outcome}"
            for name, outcome in finding.outcomes.items()
            if name.startswith("invalid/") and not outcome.startswith("refused")
        ]
    if finding.counts["accepted"] < ACCEPTED_AT_LEAST:
        told += [
            f"{name}: {outcome}"
            for name, outcome in finding.outcomes.items()
            if name.startswith("valid/") and outcome not in _GOOD
        ]
    return told


SITTINGS = (Sitting("gunicorn", f"through exfront, of {INVALID} and {VALID}", lambda: None, hold, complaints),)


def attempt(case: Case, port: int, recorder: Recorder) -> str:
    before = len(recorder.requests)
    statuses, closed = exchange(case.data, port, wanted=len(case.expected))
    arrived = [request for request in recorder.requests[before:] if request.complete]
    good = sum(status == 200 for status in statuses)
    if statuses != [200] * max(1, len(case.expected)):
        if len(arrived) > good:
            return f"passed on, answered {statuses}"
        return f"refused {statuses}" if closed else f"refused {statuses} and left open"
    if not case.expected:
        return "accepted"
    if not arrived and [want["uri"] for want in case.expected] == ["*"]:
        return "answered by exfront itself"  # RFC 9110 9.3.7: OPTIONS * asks the server as such
    for want, got in zip(case.expected, arrived, strict=False):
        sent = (want["method"].encode(), want["uri"].encode("latin-1"), want["body"])
        if (got.method, got.body) != (sent[0], sent[2]) or not sent[1].endswith(got.target):
            return f"altered: {sent!r} came as {got!r}"
    return (
        "accepted"
        if len(arrived) == len(case.expected)
        else f"altered: {len(arrived)} requests came of {len(case.expected)}"
    )


def exchange(data: bytes, port: int, wanted: int) -> tuple[list[int], bool]:
    """The final statuses that came back, and whether the other side closed. Returns early after `wanted` good ones."""
    said, deadline = b"", time.monotonic() + _PATIENCE
    with socket.create_connection(("127.0.0.1", port)) as connection:
        with contextlib.suppress(OSError):  # refused before everything was sent; what it said is still to be read
            connection.sendall(data)
        while True:
            statuses = [status for status in map(int, _STATUS.findall(said)) if status >= 200]
            if wanted and statuses == [200] * wanted:
                return statuses, False
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                more = connection.recv(65536)
            except TimeoutError:
                return statuses, False
            except ConnectionResetError:
                more = b""
            if not more:
                return statuses, True
            said += more


def _bytes(file: Path) -> bytes:
    """The corpus's own notation: line ends do not count, escapes do."""
    data = file.read_bytes().replace(b"\n", b"")
    for escape, meant in ((b"\\r\\n", b"\r\n"), (b"\\0", b"\0"), (b"\\n", b"\n"), (b"\\t", b"\t")):
        data = data.replace(escape, meant)
    return re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), data)


def _with_host(data: bytes, requests: int) -> bytes:
    """The same with a `Host` line in every HTTP/1.1 head that has none; `requests` is how many heads there are."""

    def completed(head: re.Match[bytes]) -> bytes:
        has = re.search(rb"^host[ \t]*:", head[0], re.IGNORECASE | re.MULTILINE)
        return head[0] if has or b"HTTP/1.0" in head[1] else head[1] + b"Host: localhost\r\n" + head[2]

    return _HEAD.sub(completed, data, count=requests)


def _expected(said: str) -> tuple[dict[str, Any], ...]:
    names: dict[str, Any] = {"uri": lambda raw: raw}
    exec(said, names)  # the corpus says what it expects in Python; the archive's hash is pinned
    request = names["request"]
    return tuple(request) if isinstance(request, list) else (request,)
