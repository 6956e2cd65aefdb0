"""What a judge found: counts, what went wrong in its own words, and one outcome per case where it tells."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One judge's word about one way to a back-end."""

    counts: Mapping[str, int]
    """As the judge counts: {"passed": 118, "skipped": 14}; what is zero may be left out."""
    troubles: tuple[str, ...] = ()
    """A line for each case that went wrong."""
    outcomes: Mapping[str, str] = field(default_factory=dict)
    """Case → verdict."""

    def __str__(self) -> str:
        return ", ".join(f"{number} {name}" for name, number in self.counts.items() if number) or "nothing"


@dataclass(frozen=True, slots=True)
class Sitting:
    """One judge, one way to the back-end, and what is to come out of it."""

    judge: str
    way: str
    missing: Callable[[], str | None]
    """Why it cannot be held here; None where it can. Never installs anything."""
    hold: Callable[[], Finding]
    """May raise tests.judges.cache.Unavailable."""
    complaints: Callable[[Finding], Sequence[str]]
    """What is wrong with a finding; empty: as it should be."""


def exactly(**counts: int) -> Callable[[Finding], Sequence[str]]:
    """Complains unless the counts are just these, with no trouble."""

    def complaints(finding: Finding) -> Sequence[str]:
        found = {name: number for name, number in finding.counts.items() if number}
        told = [] if found == counts else [f"expected {Finding(counts)}, found {finding}"]
        return [*told, *finding.troubles]

    return complaints


def run(
    command: Sequence[str],
    folder: Path,
    *,
    patience: float = 300,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Runs a program to its end in `folder`: its exit status (124 when the patience, in seconds, was not enough) and all it said."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=patience,
            env=environment,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return 124, said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return done.returncode, done.stdout
