"""The figures as a picture: a bar for each contender, a whisker from its least to its greatest figure. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.rounds import Table

OWN, OTHER, WHISKER = "#b5452c", "#8a9ba8", "#333333"
LINE, FRAME = 0.4, 0.75
"""Inches for a bar, and for what stands above and below a panel's bars."""


def draw(tables: Sequence[Table], folder: Path) -> None:
    """Write bench.png and bench.svg into the folder; the same figures give the same files."""
    heights = [LINE * len(table.rows) + FRAME for table in tables]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    panels = figure.subplots(len(tables), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for panel, table in zip(panels, tables, strict=True):
        _bars(panel, table)
    panels[-1].set_xlabel("CPU µs per request (user + system, all processes; median, least to greatest)")
    with rc_context({"svg.hashsalt": "exfront"}):
        figure.savefig(folder / "bench.png", dpi=120, metadata={"Software": None})
        figure.savefig(folder / "bench.svg", metadata={"Date": None, "Creator": None})


def _bars(panel: Any, table: Table) -> None:
    middles = [row.cost.middle for row in table.rows]
    below = [row.cost.middle - row.cost.least for row in table.rows]
    above = [row.cost.most - row.cost.middle for row in table.rows]
    colours = [OWN if row.name == "exfront" else OTHER for row in table.rows]
    panel.barh([row.name for row in table.rows], middles, xerr=[below, above], color=colours, ecolor=WHISKER, capsize=3)
    for position, row in enumerate(table.rows):
        panel.text(row.cost.most, position, f"  {row.cost.middle:.1f}", va="center", fontsize=9)
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.set_title(table.title, loc="left", fontsize=10)
    panel.spines[["top", "right"]].set_visible(False)
