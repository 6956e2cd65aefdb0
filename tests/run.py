"""Run trial in a folder of its own and close with one plain line: `N passed, N failed, N skipped`.

Two runs at once do not meet. A run that hangs is ended after `PATIENCE` seconds, with a traceback of where it stood.
The exit status is trial's. Arguments are trial's options and names; without a name: everything.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Timer

from exfront.compiled import PACKAGE, state

PATIENCE = 1200
"""Seconds for a whole run; several times what a slow machine needs."""

_SUMMARY = re.compile(r"^(PASSED|FAILED)(?: \((.*)\))?$")


def closing_line(lines: list[str]) -> str:
    """What trial's own last words come to; a run that ended without them counts as one failure."""
    for line in reversed(lines):
        if found := _SUMMARY.match(line):
            counts = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", found[2] or "")}
            failed = counts.get("failures", 0) + counts.get("errors", 0) + counts.get("unexpectedSuccesses", 0)
            skipped = counts.get("skips", 0) + counts.get("expectedFailures", 0)
            return f"{counts.get('successes', 0)} passed, {failed} failed, {skipped} skipped"
    return "0 passed, 1 failed, 0 skipped"


def main(arguments: list[str]) -> int:
    """Run, pass everything on as it comes, and return trial's exit status."""
    names = [] if any(not argument.startswith("-") for argument in arguments) else ["tests"]
    lines: list[str] = []
    print(f"exfront is {state(PACKAGE)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="exfront-tests-", ignore_cleanup_errors=True) as folder:
        command = [
            sys.executable,
            "-Xfaulthandler",
            "-m",
            "tests",
            f"--temp-directory={Path(folder, 'trial')}",
            "--random=0",
            *arguments,
            *names,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as trial:
            hung = Timer(PATIENCE, trial.send_signal, [signal.SIGABRT])
            hung.start()
            assert trial.stdout is not None
            for line in trial.stdout:
                print(line, end="", flush=True)
                lines.append(line.rstrip("\n"))
            hung.cancel()
    print(closing_line(lines), flush=True)
    return trial.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
