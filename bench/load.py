"""wrk, and what it counted. The clock on the wall does not count here: machines are noisy, CPU per request much less."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench import programs
from bench.processes import Failed

CONNECTIONS = 64
TEMPLATES = Path(__file__).parent / "templates"


class Stalled(Failed):
    """Requests went without an answer for two seconds; nothing else was wrong."""


class Load(NamedTuple):
    """What is asked, and how."""

    url: str
    credentials: Path | None = None
    """A file with one base64 token a line: a browser's head with the Basic credentials of each in turn. None: wrk's own small head."""


def drive(load: Load, seconds: float, connections: int = CONNECTIONS) -> int:
    """Ask for `seconds` (whole ones) over keep-alive connections; the number of requests answered. Any error raises `Failed`."""
    command = [programs.find("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    environment = dict(os.environ)
    if load.credentials is not None:
        command += ["-s", str(TEMPLATES / "users.lua")]
        environment["CREDENTIALS"] = str(load.credentials)
    run = subprocess.run([*command, load.url], capture_output=True, check=False, text=True, env=environment)
    return _counted(run.stdout + run.stderr, load.url)


def _counted(said: str, url: str) -> int:
    trouble = re.search(r"Socket errors:.*|Non-2xx.*", said)
    counted = re.search(r"(\d+) requests in", said)
    if trouble and trouble.group().startswith("Socket errors: connect 0, read 0, write 0, timeout"):
        raise Stalled(f"wrk at {url}: {trouble.group()}")
    if trouble or not counted:
        raise Failed(f"wrk at {url}: {trouble.group() if trouble else said.strip()}")
    return int(counted.group(1))
