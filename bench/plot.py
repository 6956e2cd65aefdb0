"""The figures as a picture: a bar for each contender, a whisker from its least to its greatest figure. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "exfront"  # the same figures give the same file

from matplotlib import pyplot  # noqa: E402  the backend has to be chosen first

from bench.rounds import Table  # noqa: E402

OWN, OTHER = "#b5452c", "#8a9ba8"


def draw(tables: Sequence[Table], folder: Path) -> None:
    """Write bench.png and bench.svg into the folder."""
    figure, panels = pyplot.subplots(
        len(tables), 1, figsize=(9, 1 + sum(0.45 * len(table.rows) + 0.7 for table in tables)), squeeze=False,
        gridspec_kw={"height_ratios": [len(table.rows) + 1 for table in tables]},
    )  # fmt: skip
    for panel, table in zip(panels[:, 0], tables, strict=True):
        names = [row.name for row in table.rows]
        costs = [row.cost.middle for row in table.rows]
        whiskers = [
            [row.cost.middle - row.cost.least for row in table.rows],
            [row.cost.most - row.cost.middle for row in table.rows],
        ]
        colours = [OWN if name == "exfront" else OTHER for name in names]
        panel.barh(names, costs, xerr=whiskers, color=colours, ecolor="#333333", capsize=3)
        for position, row in enumerate(table.rows):
            panel.text(row.cost.most, position, f"  {row.cost.middle:.1f}", va="center", fontsize=9)
        panel.invert_yaxis()
        panel.margins(x=0.12)
        panel.set_title(table.title, loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel("CPU µs per request (user + system, all processes; median, least to most)")
    figure.tight_layout()
    figure.savefig(folder / "bench.png", dpi=120, metadata={"Software": None})
    figure.savefig(folder / "bench.svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
