"""Times against sizes, as a picture: cost that is linear in the size is a line parallel to the dotted one."""

from __future__ import annotations

import re
from collections import defaultdict
from statistics import median
from typing import Any

from bench.core import Row

Points = dict[tuple[str, int], list[tuple[int, float]]]  # by tool and threads: sizes and seconds


def families(rows: list[Row]) -> dict[str, Points]:
    """Cases that differ in their numbers only and were measured at several sizes."""
    found: dict[str, Points] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.samples:
            name = f"{row.problem}, {re.sub(r'[0-9][0-9,]*', 'n', row.case)} ({row.unit}s)"
            found[name][row.tool, row.threads].append((row.items, row.items * median(row.samples)))
    return {name: lines for name, lines in found.items() if len({n for line in lines.values() for n, _ in line}) > 1}


def draw(rows: list[Row]) -> Any:
    """Return a Matplotlib figure with one picture per family of cases."""
    from matplotlib.figure import Figure

    chosen = families(rows)
    if not chosen:
        raise SystemExit("no problem was measured at several sizes: run one that has them, such as sparse_jacobian")
    figure = Figure(figsize=(5.0 * len(chosen), 4.0), layout="constrained")
    for ax, (name, lines) in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen.items()):
        for (tool, threads), points in lines.items():
            label = tool if threads == 1 else f"{tool}, {threads} threads"
            ax.loglog(*zip(*sorted(points)), marker="o", label=label)
        sizes = sorted({n for line in lines.values() for n, _ in line})
        least = min(seconds / n for line in lines.values() for n, seconds in line)
        ax.loglog(sizes, [0.5 * least * n for n in sizes], ":", color="0.5", label="linear")
        ax.set_title(name, fontsize="medium")
        ax.set_xlabel(name.rpartition("(")[2].rstrip(")"))
        ax.set_ylabel("seconds a call")
        ax.legend(fontsize="small")
    return figure
