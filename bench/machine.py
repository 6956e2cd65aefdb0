"""What was measured on, in words that stay true: processor, cores, kernel, versions. No date, no host name."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from bench import programs
from bench.processes import Failed

_VERSIONS = {"nginx": ["-v"], "apache2": ["-v"], "slapd": ["-VV"], "wrk": ["-v"]}
_LIBRARIES = ("Twisted", "uvloop", "httptools", "ldaptor")


def processor() -> str:
    """The processor's model and how many cores may be used."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = found.group(1).strip() if found else platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def versions() -> list[str]:
    """Programs and libraries with their versions; what is missing is left out."""
    found = [f"Linux {platform.release().partition('-')[0]}", f"Python {platform.python_version()}"]
    for library in _LIBRARIES:
        try:
            found.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return found + [f"{program} {version}" for program in _VERSIONS if (version := _version(program))]


def _version(program: str) -> str | None:
    try:
        run = subprocess.run([programs.find(program), *_VERSIONS[program]], capture_output=True, text=True, check=False)
    except Failed:
        return None
    found = re.search(r"\d+\.\d+(\.\d+)?", run.stdout + run.stderr)
    return found.group() if found else None


def describe() -> str:
    """One line for a report."""
    return f"{processor()}; {', '.join(versions())}"
