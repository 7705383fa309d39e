"""Pictures of a run: bars for each problem, cost by number of sensitivities, lines over sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from .core import Row
from .problems import PROBLEMS
from .report import duration
from .tools import TOOLS

BASELINE_COLOUR, OUR_COLOUR = "#777777", "#d1495b"
LINES = {  # problems whose cases are points on an axis: what the axis is, its name, and whether times are ratios
    "sensitivities": ("number of sensitivities", True),
    "break_even": ("number of paths", False),
    "scaling": ("", False),
}


def draw(rows: Iterable[Row], folder: str) -> list[Path]:
    """Write a PNG for each problem of the rows; returns the files.

    Raises
    ------
    ImportError
        Matplotlib is missing.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'fastad[bench]'") from error
    matplotlib.use("Agg")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for name, found in groupby(rows, key=lambda row: row.problem):
        timed = [row for row in found if row.samples]
        if timed:
            files.append(target / f"{name}.png")
            _figure(name, timed, files[-1])
    return files


def _figure(name: str, rows: list[Row], file: Path) -> None:
    from matplotlib import pyplot as plt

    axis = LINES.get(name)
    figure = _lines(name, rows, *axis) if axis and axis[0] else _bars(name, rows)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def colour(tool: str) -> Any:
    """One colour per tool in all pictures; fastad stands out."""
    from matplotlib import colormaps

    if tool == "fastad":
        return OUR_COLOUR
    if tool in ("numba_value", "numpy"):
        return BASELINE_COLOUR
    others = [other for other in TOOLS if other not in ("fastad", "numba_value", "numpy")]
    return colormaps["tab20"](others.index(tool) % 20)


# -------------------- bars --------------------


def _bars(name: str, rows: list[Row]) -> Any:
    """A panel for each case and number of threads: median times on a logarithmic axis, quartiles as whiskers."""
    from matplotlib import pyplot as plt

    def panel(row: Row) -> tuple[str, int]:
        return row.case, row.threads

    panels = [list(group) for _, group in groupby(sorted(rows, key=panel), key=panel)]
    heights = [0.75 + 0.3 * len(group) for group in panels]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(8.0, 0.7 + sum(heights)), height_ratios=heights, layout="constrained", squeeze=False
    )
    for axis, group in zip(axes[:, 0], panels):
        _panel(axis, sorted(group, key=lambda row: median(row.samples), reverse=True))
    problem = PROBLEMS[name]
    figure.suptitle(f"{problem.title}\n(time per {problem.unit}, log scale)", fontsize=10)
    return figure


def _panel(axis: Any, rows: Sequence[Row]) -> None:
    middles = [median(row.samples) for row in rows]
    low, high = zip(*[_quartiles(row) for row in rows])
    whiskers = [[m - a for m, a in zip(middles, low)], [b - m for m, b in zip(middles, high)]]
    axis.barh([row.tool for row in rows], middles, xerr=whiskers, color=[colour(row.tool) for row in rows], height=0.7)
    axis.set_xscale("log")
    axis.set_xlim(min(middles) / 3.0, max(middles) * 4.0)  # a bar has no natural foot on a logarithmic axis
    for place, (row, right) in enumerate(zip(rows, high)):
        axis.text(right * 1.08, place, duration(median(row.samples)), va="center", fontsize=8)
    threads = f", {rows[0].threads} threads" if rows[0].threads > 1 else ""
    axis.set_title(f"{rows[0].case}{threads}", fontsize=9, loc="left")
    axis.tick_params(labelsize=8)
    axis.xaxis.set_major_formatter(lambda seconds, _: duration(seconds))
    axis.xaxis.set_minor_formatter("")
    axis.spines[["top", "right"]].set_visible(False)


def _quartiles(row: Row) -> tuple[float, float]:
    low, _, high = quantiles(row.samples, n=4, method="inclusive")
    return low, high


# -------------------- lines --------------------


def _number(case: str) -> int:
    """The size that a case's name begins with."""
    found = re.match(r"[\d,]+", case)
    if found is None:
        raise ValueError(f"case {case!r} does not begin with a number")
    return int(found[0].replace(",", ""))


def _lines(name: str, rows: list[Row], label: str, ratio: bool) -> Any:
    """Median times, or their ratio to the baseline's at the same size, over the sizes; one line per tool."""
    from matplotlib import pyplot as plt

    problem = PROBLEMS[name]
    base = {_number(row.case): median(row.samples) for row in rows if row.tool == problem.baseline} if ratio else {}
    figure, axis = plt.subplots(figsize=(8.0, 5.0), layout="constrained")
    tools = sorted({row.tool for row in rows}, key=list(TOOLS).index)
    for tool in tools:
        points = sorted((_number(row.case), median(row.samples)) for row in rows if row.tool == tool)
        shown = [(x, y / base.get(x, 1.0)) for x, y in points if not ratio or x in base]
        if shown:
            axis.plot(*zip(*shown), "o-", label=tool, color=colour(tool), markersize=4)
    axis.set_yscale("log")
    if not ratio:
        axis.set_xscale("log")
        axis.yaxis.set_major_formatter(lambda seconds, _: duration(seconds))
    else:
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel(label)
    axis.set_ylabel(f"time / time of the value alone ({problem.baseline})" if ratio else f"time per {problem.unit}")
    axis.set_title(problem.title, fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
