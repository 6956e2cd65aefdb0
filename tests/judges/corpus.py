"""The project's own corpus of smuggling forms and oddities, sent to a real exfront over a socket, as gunicorn's is.

Each smuggling form gets just its status and a closed connection, with nothing whole behind it; each oddity is answered by the
back-end as often as there are requests in it, or refused by a rule that lies beyond the grammar (`RULED_OUT`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.judges.finding import Finding, Sitting, exactly
from tests.judges.gunicorn import QUICK, exchange
from tests.real.front import Front
from tests.real.recorder import Recorder
from tests.wire.corpus import CASES, ODDITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

RULED_OUT = {
    "target-dots": 400,  # F7: dot segments
    "target-bad-escape": 400,  # F7: cannot be decoded safely
}


def judge(port: int, recorder: Recorder) -> Finding:
    """Counts "refused" and "answered" of what should be."""
    troubles = []
    for name, data, status in CASES:
        before = len(recorder.requests)
        found, closed = exchange(data, port, 0)
        whole = sum(request.complete for request in recorder.requests[before:])
        if (found, closed, whole) != ([status], True, 0):
            left = "closed" if closed else "left open"
            troubles.append(f"{name}: expected {status} and closed, found {found}, {left}, {whole} passed on")
    bad = len(troubles)
    for name, data, requests in ODDITIES:
        wanted = [RULED_OUT[name]] if name in RULED_OUT else [200] * len(requests)
        found, _ = exchange(data, port, len(requests))
        if found != wanted:
            troubles.append(f"{name}: expected {wanted}, found {found}")
    counts = {"refused": len(CASES) - bad, "answered": len(ODDITIES) - (len(troubles) - bad)}
    return Finding(counts, tuple(troubles))


def hold() -> Finding:
    with Recorder() as recorder, Front(QUICK, backend=recorder.port) as front:
        return judge(front.port, recorder)


def complaints(finding: Finding) -> Sequence[str]:
    return exactly(refused=len(CASES), answered=len(ODDITIES))(finding)


SITTINGS = (Sitting("corpus", "through exfront", lambda: None, hold, complaints),)
