"""Whether the code that runs was compiled to machine code, and from today's sources.

Knows where the compiler puts its files. Knows nothing of what they do, and compiles nothing: that is setup.py's.
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal

PACKAGE = Path(__file__).parent
"""The folder of exfront's own modules."""


def state(package: Path) -> Literal["compiled", "pure", "stale"]:
    """How the modules in the folder `package` run; "stale": compiled, but older than their sources (`changed` says which)."""
    if not _compiled(package):
        return "pure"
    return "stale" if changed(package) else "compiled"


def changed(package: Path) -> list[str]:
    """The sources, relative to `package`, that were changed after they were compiled: what runs is the older code.

    That can happen where one works on exfront only; the times of installed files mean nothing.
    """
    if not package.with_name("setup.py").exists():
        return []
    whole = [
        file for suffix in EXTENSION_SUFFIXES if (file := package.with_name(f"{package.name}__mypyc{suffix}")).exists()
    ]
    since = min((file.stat().st_mtime for file in whole), default=0.0)
    return sorted(str(source.relative_to(package)) for source in _compiled(package) if source.stat().st_mtime > since)


def _compiled(package: Path) -> list[Path]:
    """The sources whose modules this Python takes from compiled files beside them."""
    return [
        source
        for source in package.rglob("*.py")
        if any(source.with_name(source.stem + suffix).exists() for suffix in EXTENSION_SUFFIXES)
    ]
