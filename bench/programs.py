"""The programs that a measurement needs from outside: found, or installed from Debian, or named in the complaint."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from bench.processes import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable

PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
PACKAGES = {
    "nginx": "nginx",
    "apache2": "apache2",
    "wrk": "wrk",
    "slapd": "slapd",
    "slapadd": "slapd",
    "openssl": "openssl",
}
"""Program -> Debian package."""


def find(program: str) -> str:
    """The program's path."""
    path = shutil.which(program, path=PATH)
    if path is None:
        raise Failed(f"{program} is not installed (Debian package {PACKAGES.get(program, program)})")
    return path


def need(programs: Iterable[str]) -> None:
    """Make sure that the programs are there; missing ones are installed when that needs no question."""
    missing = sorted({PACKAGES[program] for program in programs if shutil.which(program, path=PATH) is None})
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        command = ["sudo", "-n", *command]
    print(f"installing {' '.join(missing)}", flush=True)
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
        )
    except (OSError, subprocess.CalledProcessError):
        raise Failed(f"please install first: apt-get install {' '.join(missing)}") from None
