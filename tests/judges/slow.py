"""slowhttptest: heads, bodies, ranges and reads that drip in over 200 connections; exfront stays available to everybody else.

Bodies are streamed, so that each slow body keeps a worker of the back-end busy too: this one has enough of them.
"""

from __future__ import annotations

import re
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.judges.finding import Finding, Sitting, run
from tests.real import apache
from tests.real.apache import Apache
from tests.real.children import program
from tests.real.front import FORWARD, Front

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTACKS = {
    "slow heads": ["-H", "-i", "2", "-x", "24"],
    "slow bodies": ["-B", "-i", "2", "-s", "8192", "-x", "10"],
    "many ranges": ["-R", "-a", "10", "-b", "3000"],
    "slow reads": ["-X", "-w", "10", "-y", "20", "-n", "2", "-z", "32", "-k", "3"],
}
_SECONDS = 15
_AVAILABLE = re.compile(r"service available:\s+(YES|NO)")
_COLOUR = re.compile(r"\x1b\[[\d;]*[mHJ]")
_PATIENT = FORWARD.replace("[virtual-server", "header_timeout = 5\nbody_timeout = 5\n\n[virtual-server", 1)


def judge(url: str, attack: str) -> Finding:
    """Counts how often its own probe found the server "available" and "unavailable" (no answer within 3 s)."""
    shape = ["-c", "200", "-r", "100", "-l", str(_SECONDS), "-p", "3"]
    with tempfile.TemporaryDirectory(prefix="exfront-slow-") as folder:
        status, said = run(["slowhttptest", *ATTACKS[attack], *shape, "-u", f"{url}/big"], Path(folder), patience=60)
    said = _COLOUR.sub("", said)
    said_so = _AVAILABLE.findall(said)
    troubles = [] if status == 0 and said_so else [f"slowhttptest ended with {status}:\n{said[-2000:]}"]
    return Finding({"available": said_so.count("YES"), "unavailable": said_so.count("NO")}, tuple(troubles))


def hold(attack: str) -> Finding:
    with Apache(workers=300) as back_end, Front(_PATIENT, backend=back_end.port) as front:
        (back_end.files / "big").write_bytes(bytes(200_000))
        return judge(front.url, attack)


def missing() -> str | None:
    return apache.missing() or (
        None if program("slowhttptest") else "slowhttptest is not installed (Debian package slowhttptest)"
    )


def complaints(finding: Finding) -> Sequence[str]:
    gone = finding.counts["unavailable"]
    return [*finding.troubles, *([f"unavailable in {gone} of its probes"] if gone else [])]


SITTINGS = tuple(
    Sitting("slowhttptest", f"through exfront, {attack}", missing, partial(hold, attack), complaints)
    for attack in ATTACKS
)
