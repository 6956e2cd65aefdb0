"""Figures as text: for the terminal, and as docs/bench.md. Measures nothing.

The page is made of sheets. They are kept as JSON beside it (bench.json), so that one measurement can be renewed without the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PASS, MISSED = "PASS", "MISSED"
ORDER = ("routed", "plain-1k", "plain-64k", "tls-1k", "tls-64k", "memory", "idle", "logon", "scale")
"""The sheets of the page, from top to bottom."""


class Sheet(NamedTuple):
    """One measurement, ready to be read: a table of words."""

    name: str
    title: str
    header: list[str]
    rows: list[list[str]]
    setting: str = ""
    """How it was measured, in a sentence or more; printed once for neighbours that say the same."""
    machine: str = ""


def verdict(figure: float, goal: float) -> str:
    """Whether the figure is within the goal."""
    return PASS if figure <= goal else MISSED


def limits(name: str, title: str, setting: str, lines: Sequence[tuple[str, float, float | None, str]]) -> Sheet:
    """A sheet of figures that each have a limit: what, figure, limit or None, unit."""
    rows = []
    for what, figure, goal, unit in lines:
        judged = [f"≤ {goal:g} {unit}", verdict(figure, goal)] if goal is not None else ["", ""]
        rows.append([what, f"{figure:,.{1 if figure < 100 else 0}f} {unit}", *judged])
    return Sheet(name, title, ["what", "measured", "goal", ""], rows, setting)


def text(sheet: Sheet) -> str:
    """The sheet in columns, for a terminal."""
    lines = [sheet.header, *sheet.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(sheet.header))]
    laid = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([f"{sheet.name}: {sheet.title}", *(f"  {line}" for line in laid)])


def markdown(sheets: Sequence[Sheet]) -> str:
    """The page: the machine once, where it is the same for all."""
    parts = [
        "# What it costs",
        "",
        "`make bench` makes the tables of the proxies; `python -m bench --help` names the rest.",
        "",
    ]
    machine = setting = ""
    for sheet in sheets:
        parts += [f"## {sheet.title}", ""]
        if sheet.machine != machine:
            parts += [f"Machine: {sheet.machine}.", ""]
        if sheet.setting and sheet.setting != setting:
            parts += [sheet.setting, ""]
        if sheet.name == ORDER[0]:
            parts += ["![CPU per request](bench.svg)", ""]
        machine, setting = sheet.machine, sheet.setting
        parts += [_line(sheet.header), _line(["---"] * len(sheet.header)), *(_line(row) for row in sheet.rows), ""]
    return "\n".join(parts)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def renew(folder: Path, sheets: Sequence[Sheet], machine: str) -> None:
    """Put the sheets into the folder's bench.json, in place of those of the same names, and write bench.md anew."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "bench.json"
    known = {entry["name"]: Sheet(**entry) for entry in json.loads(kept.read_text())} if kept.exists() else {}
    known |= {sheet.name: sheet._replace(machine=machine) for sheet in sheets}
    ordered = [known[name] for name in ORDER if name in known]
    kept.write_text(json.dumps([sheet._asdict() for sheet in ordered], indent=1, ensure_ascii=False) + "\n")
    (folder / "bench.md").write_text(markdown(ordered))
