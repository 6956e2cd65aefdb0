"""CPU time and memory of process trees, from /proc (Linux). Knows nothing of what the processes do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the process's name, which may contain anything; None for a process that is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(roots: Iterable[int]) -> set[int]:
    """The processes `roots` and all that descend from them, now."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir(PROC):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found


def group(leader: int) -> set[int]:
    """The processes of a process group that still run (zombies do not)."""
    found = set()
    for entry in os.listdir(PROC):
        if entry.isdigit() and (fields := _stat(int(entry))) and int(fields[2]) == leader and fields[0] != "Z":
            found.add(int(entry))
    return found


def seconds(roots: Iterable[int]) -> float:
    """User and system time of the trees, with that of their children that have ended, so that it never falls. Resolution: a tick, 10 ms."""
    total = 0
    for pid in tree(roots):
        if fields := _stat(pid):
            total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def _status(pid: int, key: str) -> int:
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/{pid}/status has no {key}")


def resident(roots: Iterable[int]) -> int:
    """Bytes resident in memory now, summed over the trees (pages that processes share count in each)."""
    return sum(_status(pid, "VmRSS") for pid in tree(roots))


def reset_peak(roots: Iterable[int]) -> None:
    """Let `peak` count from now on (proc(5), clear_refs)."""
    for pid in tree(roots):
        (PROC / str(pid) / "clear_refs").write_text("5")


def peak(roots: Iterable[int]) -> int:
    """The most bytes that were resident since `reset_peak`, summed over the trees."""
    return sum(_status(pid, "VmHWM") for pid in tree(roots))
