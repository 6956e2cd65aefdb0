"""`python -m bench profile`: where exfront's time goes during the routed scenario, as py-spy sees it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench import contenders
from bench.load import Load, drive
from bench.processes import Failed, Workshop
from bench.rounds import WARM_UP
from bench.site import Site

USERS = 500
TOP = 30
REACTOR = "asyncioreactor.py"
"""In every stack of the thread that does the work."""


def run(twistd: str | None, seconds: int, native: bool, template: str, keep: Path | None) -> None:
    """Print the functions that most samples were taken in, and those that most were taken beneath."""
    with Workshop() as workshop:
        site = Site(workshop, USERS)
        site.start_back_ends()
        site.start_directory()
        front_end = contenders.exfront(site, template, twistd)
        browser = template == "routed.ini"
        path = "exchange/" if browser else "1k.html"
        load = Load(f"http://127.0.0.1:{front_end.port}/{path}", site.credentials if browser else None)
        drive(load, WARM_UP)
        samples = _record(front_end.roots[0], workshop.folder / "samples", load, seconds, native)
    if keep:
        keep.write_text(samples)
    _print_top(samples)


def _record(pid: int, raw: Path, load: Load, seconds: int, native: bool) -> str:
    """py-spy's samples of the process under the load: a line for each stack, frames from the outside in, and its count."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise Failed("py-spy is not installed: python -m pip install py-spy")
    command = [spy, "record", "--pid", str(pid), "--duration", str(seconds), "--rate", "250", "--function"]
    command += ["--format", "raw", "--output", str(raw)]
    command.append(
        "--native" if native else "--nonblocking"
    )  # C frames can be read only while the process stands still
    recorder = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    drive(load, seconds + 2)
    _, said = recorder.communicate(timeout=60)
    if not raw.exists():
        raise Failed(f"py-spy: {said}")
    return raw.read_text()


def _print_top(samples: str) -> None:
    inside: Counter[str] = Counter()
    beneath: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        if REACTOR not in stack:
            continue  # an idle thread, which py-spy cannot tell from a busy one when it looks at C code
        frames = stack.split(";")
        inside[frames[-1]] += int(count)
        for frame in set(frames):
            beneath[frame] += int(count)
    total = sum(inside.values())
    for title, counted in (("in the function itself", inside), ("in it and what it calls", beneath)):
        print(f"{total} samples, {title}:")
        for frame, number in counted.most_common(TOP):
            print(f"  {100 * number / total:5.1f} %  {frame}")
        print()
