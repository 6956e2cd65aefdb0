"""Figures as text: a table for the terminal, Markdown for the documentation. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence

from bench.rounds import Row, Spread, Table

HEADER = ("proxy", "CPU µs/request", "spread", "exfront / it", "spread", "goal", "")


def verdict(row: Row) -> str:
    """PASS or MISSED; nothing where there is no goal or nothing to compare."""
    if row.goal is None or row.ratio is None:
        return ""
    return "PASS" if row.ratio.middle <= row.goal else "MISSED"


def _spread(spread: Spread, digits: int) -> str:
    return f"{spread.least:.{digits}f}–{spread.most:.{digits}f}"


def cells(row: Row) -> tuple[str, ...]:
    """One line of a table."""
    ratio = (f"{row.ratio.middle:.2f}", _spread(row.ratio, 2)) if row.ratio else ("", "")
    return (
        row.name,
        f"{row.cost.middle:.1f}",
        _spread(row.cost, 1),
        *ratio,
        f"≤ {row.goal:.2f}" if row.goal is not None else "",
        verdict(row),
    )


def text(table: Table) -> str:
    """A table in columns, for a terminal."""
    lines = [HEADER, *(cells(row) for row in table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    rendered = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    return "\n".join([f"{table.name}: {table.title}", *(f"  {line}" for line in rendered)])


def markdown(tables: Sequence[Table], machine: str, setting: str) -> str:
    """The page docs/bench.md."""
    parts = [
        "# What a request costs",
        "",
        setting,
        "",
        f"Measured on: {machine}.",
        "",
        "![CPU per request](bench.svg)",
        "",
    ]
    for table in tables:
        parts += [f"## {table.title}", "", _line(HEADER), _line(["---"] + ["--:"] * (len(HEADER) - 2) + ["---"])]
        parts += [_line(cells(row)) for row in table.rows]
        parts.append("")
    return "\n".join(parts)


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"
