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

OURS, BASELINES = {"fastad": "#c1121f", "fastad_value": "#e8a0a4"}, {"numba_value": "#555555", "numpy": "#555555"}
# Of the others, in the order of TOOLS: no reds and greys.
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf", "#aec7e8", "#98df8a")
RATIOS = {"sensitivities": "number of sensitivities"}  # lines over the number that a case begins with, to the baseline
TIMES = {"break_even": "number of paths"}  # the same, times as they are
GROWING = {"bundle", "sparse_jacobian", "sparse_hessian"}  # seconds a call over items, beside a line of linear cost


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

    if name in RATIOS or name in TIMES:
        figure = _lines(name, rows, RATIOS.get(name) or TIMES[name], name in RATIOS)
    elif name in GROWING and len(families(rows)) > 0:
        figure = _growing(name, families(rows))
    else:
        figure = _sizes(name, rows) if name == "scaling" else _bars(name, rows)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def colour(tool: str) -> str:
    """One colour per tool in all pictures."""
    special = OURS | BASELINES
    others = [other for other in TOOLS if other not in special]
    return special.get(tool) or COLOURS[others.index(tool) % len(COLOURS)]


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
    middles = [median(row.samples) for row in rows]
    for axis, group in zip(axes[:, 0], panels):
        _panel(axis, sorted(group, key=lambda row: median(row.samples), reverse=True))
        axis.set_xlim(min(middles) / 3.0, max(middles) * 4.0)  # a bar has no natural foot on a logarithmic axis
    problem = PROBLEMS[name]
    figure.suptitle(f"{problem.title}\n(time per {problem.unit}, log scale)", fontsize=10)
    return figure


def _panel(axis: Any, rows: Sequence[Row]) -> None:
    middles = [median(row.samples) for row in rows]
    low, high = zip(*[_quartiles(row) for row in rows])
    whiskers = [[m - a for m, a in zip(middles, low)], [b - m for m, b in zip(middles, high)]]
    axis.barh([row.tool for row in rows], middles, xerr=whiskers, color=[colour(row.tool) for row in rows], height=0.7)
    axis.set_xscale("log")
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
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
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


def families(rows: list[Row]) -> dict[str, list[Row]]:
    """Cases that differ in their numbers only and were measured at several sizes, by what they share."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(re.sub(r"[0-9][0-9,]*", "n", row.case), []).append(row)
    return {name: group for name, group in found.items() if len({row.items for row in group}) > 1}


def _growing(name: str, groups: dict[str, list[Row]]) -> Any:
    """Seconds a call over items, a panel per family; cost that is linear is parallel to the dotted line."""
    from matplotlib import pyplot as plt

    unit = PROBLEMS[name].unit
    figure, panels = plt.subplots(1, len(groups), figsize=(4.5 * len(groups), 4.0), layout="constrained", squeeze=False)
    for axis, (family, rows) in zip(panels[0], groups.items()):
        for tool in sorted({row.tool for row in rows}, key=list(TOOLS).index):
            points = sorted((row.items, row.items * median(row.samples)) for row in rows if row.tool == tool)
            axis.loglog(*zip(*points), "o-", label=tool, color=colour(tool), markersize=4)
        sizes = sorted({row.items for row in rows})
        least = min(median(row.samples) for row in rows)
        axis.loglog(sizes, [0.5 * least * n for n in sizes], ":", color="0.5", label="linear")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.yaxis.set_major_formatter(lambda seconds, _: duration(seconds))
        axis.set_title(family, fontsize=10)
        axis.set_xlabel(f"{unit}s")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("time per call")
    figure.suptitle(PROBLEMS[name].title, fontsize=10)
    return figure


def _sizes(name: str, rows: list[Row]) -> Any:
    """Time per item over steps at the fewest paths, and over paths; lines by tool and threads, two threads dashed."""
    from matplotlib import pyplot as plt

    sized = [(tuple(int(n.replace(",", "")) for n in row.case.split(" x ")), row) for row in rows]
    few = min(paths for (paths, _), _ in sized)
    lengths = {columns for (paths, columns), _ in sized if paths > few}
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 4.5), layout="constrained", sharey=True)
    for axis, label, at in zip(axes, ("steps", "paths"), (1, 0)):
        picked = [(size[at], row) for size, row in sized if (size[0] == few if at else size[1] in lengths)]
        for tool, threads in sorted({(row.tool, row.threads) for _, row in picked}):
            points = sorted((x, median(row.samples)) for x, row in picked if (row.tool, row.threads) == (tool, threads))
            style = "o-" if threads == 1 else "o--"
            axis.plot(*zip(*points), style, label=f"{tool}, {threads}", color=colour(tool), markersize=4)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(label)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.yaxis.set_major_formatter(lambda seconds, _: duration(seconds))
        axis.yaxis.set_minor_formatter(lambda seconds, _: duration(seconds))
        axis.tick_params(labelsize=8, which="both")
        axis.grid(alpha=0.3, which="both")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(f"time per {PROBLEMS[name].unit}")
    axes[1].legend(fontsize=8, title="tool, threads", title_fontsize=8)
    figure.suptitle(PROBLEMS[name].title, fontsize=10)
    return figure
