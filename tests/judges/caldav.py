"""The caldav library's own tests against Radicale: what passes and what is skipped is the same through exfront."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from tests.judges import cache
from tests.judges.finding import Finding, Sitting, exactly, run
from tests.real.front import MAILBOXES, PEOPLE, Front
from tests.real.radicale import Radicale

_NAME = "judged"
_SERVERS = f"""\
test-servers:
  {_NAME}:
    type: external
    enabled: true
    url: {{url}}/{Radicale.user}
    username: {Radicale.user}
    password: {Radicale.password}
    features: radicale
"""
_PYTEST = [
    "-m",
    "pytest",
    "-q",
    "-o",
    "asyncio_default_fixture_loop_scope=function",
    "-p",
    "no:cacheprovider",
    "--tb=line",
]
_COUNT = re.compile(r"(\d+) (passed|skipped|failed|errors?|xfailed|xpassed)\b")
_TROUBLE = re.compile(r"^(?:FAILED|ERROR) .*$", re.MULTILINE)


def judge(url: str) -> Finding:
    """The synchronous and the asynchronous tests against one CalDAV server; counts "passed", "skipped", "failed", "error"."""
    python = cache.environment("caldav") / "bin" / "python"
    unpacked = cache.source("caldav")
    with tempfile.TemporaryDirectory(prefix="exfront-caldav-") as keep:
        folder = Path(keep, "source")
        shutil.copytree(unpacked, folder)
        (folder / "tests" / "caldav_test_servers.yaml").write_text(_SERVERS.format(url=url))
        none_else = {f"PYTHON_CALDAV_TEST_{kind}": "0" for kind in ("DOCKER", "EMBEDDED")}
        environment = {**os.environ, **none_else, "TMPDIR": keep, "HOME": keep, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(python), *_PYTEST, "tests/test_caldav.py", "tests/test_async_integration.py", "-k", _NAME]
        status, said = run(command, folder, environment=environment)
    last = said.strip().splitlines()[-1:] or [""]
    counts = {name.rstrip("s") if name == "errors" else name: int(number) for number, name in _COUNT.findall(last[0])}
    troubles = _TROUBLE.findall(said)
    if status and not troubles:
        troubles = [f"pytest ended with {status}:\n{said[-3000:]}"]
    return Finding(counts, tuple(troubles))


def missing() -> str | None:
    return None


def direct() -> Finding:
    with Radicale() as back_end:
        return judge(back_end.url)


def through() -> Finding:
    with Radicale() as back_end, Front(backend=back_end.port) as front:
        return judge(front.url)


def to_a_home_server() -> Finding:
    """F10, F12, F25: exfront asks for the password, the directory names the back-end, the URL is left alone."""
    with Radicale() as back_end:
        values = {"path": "/", "user_in_path": "no", "backend": back_end.port}
        with Front(MAILBOXES, files={"people.ldif": PEOPLE}, **values) as front:
            return judge(front.url)


SITTINGS = (
    Sitting("caldav", "direct", missing, direct, exactly(passed=118, skipped=14)),
    Sitting("caldav", "through exfront", missing, through, exactly(passed=118, skipped=14)),
    Sitting("caldav", "to a home server through exfront", missing, to_a_home_server, exactly(passed=118, skipped=14)),
)
