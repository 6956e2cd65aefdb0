"""varnishtest plays client and back-end at once, with exfront between them, by the scripts in vtc/.

One exfront serves all scripts; each has a virtual directory and a back-end port of its own (macros `path`, `back`, `front`). What
varnishtest cannot expect (raw bytes behind `recv`) a script names in comments: `# log: REGEX` has to be found in its log.
"""

from __future__ import annotations

import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.judges.finding import Finding, Sitting, exactly, run
from tests.real.children import free_port, program
from tests.real.front import Front

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPTS = tuple(sorted(Path(__file__).with_name("vtc").glob("*.vtc")))
_LOG = re.compile(r"^# log: (.*)$", re.MULTILINE)

_HEAD = """\
[front-end]
listen = tcp:{port}:interface=127.0.0.1
access_log = access.log

[virtual-server default]
hosts = *
authentication = none

[failover]
unavailable = 1
"""
_PART = """
[virtual-directory {name}]
path = /{name}
kind = forward
servers = {name}
authentication = none

[back-end {name}]
address = 127.0.0.1
port = {port}
"""


def configuration(back_ends: Mapping[str, int]) -> str:
    """A virtual directory /NAME for each back-end's port."""
    return _HEAD + "".join(_PART.format(name=name, port=port) for name, port in back_ends.items())


def judge(front: int, back_ends: Mapping[str, int]) -> Finding:
    """Every script; counts "passed" and "failed"."""
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda script: _try(script, front, back_ends[script.stem]), SCRIPTS))
    outcomes = {script.stem: "failed" if trouble else "passed" for script, trouble in zip(SCRIPTS, told, strict=True)}
    troubles = tuple(f"{script.stem}: {trouble}" for script, trouble in zip(SCRIPTS, told, strict=True) if trouble)
    return Finding({"passed": len(SCRIPTS) - len(troubles), "failed": len(troubles)}, troubles, outcomes)


def hold() -> Finding:
    back_ends = {script.stem: free_port() for script in SCRIPTS}
    with Front(configuration(back_ends)) as front:
        return judge(front.port, back_ends)


def missing() -> str | None:
    return None if program("varnishtest") else "varnishtest is not installed (Debian package varnish)"


SITTINGS = (Sitting("varnishtest", "through exfront", missing, hold, exactly(passed=len(SCRIPTS))),)


def _try(script: Path, front: int, back: int) -> str:
    """Empty: passed; else the end of the log."""
    macros = [f"-Dfront=127.0.0.1:{front}", f"-Dback=127.0.0.1:{back}", f"-Dpath=/{script.stem}"]
    with tempfile.TemporaryDirectory(prefix="exfront-vtc-") as folder:
        status, said = run(["varnishtest", "-v", "-t", "20", *macros, str(script)], Path(folder), patience=30)
    if status:
        lines = [
            line for line in said.splitlines() if line.startswith("----") or " EXPECT " in line
        ] or said.splitlines()[-8:]
        return f"varnishtest ended with {status}: " + " | ".join(lines)
    absent = [wanted for wanted in _LOG.findall(script.read_text()) if not re.search(wanted, said, re.MULTILINE)]
    return f"not in the log: {absent}" if absent else ""
