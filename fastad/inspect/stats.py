"""A profile of a tape: rows by operation and by line, depth and width, paths, and what sweeps will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from .structure import cone, count_paths, depths, edges
from .table import Table
from .view import View, view_of

_BYTES = {"opcode": 1, "arg0": 4, "arg1": 4, "partial0": 8, "partial1": 8, "value": 8}
_SHOWN_LINES = 10
_EXACT_PATHS_SHOWN = 20_000  # rows: beyond, the integers can be long enough to take seconds
_GROUP = 64  # scenarios replayed side by side
# A row of the adjoint program of a row: two products, two sums (Griewank & Walther, rule of cheap gradients).
_ADJOINT_ROWS = 4


@dataclass(frozen=True)
class Stats:
    """Counts of a tape or of a recording.

    Attributes
    ----------
    rows, inputs, outputs : int
        Rows of the tape, and which of them are inputs and outputs.
    bytes : dict
        By column.
    ops, lines : Counter
        Rows per operation and per source line (rows without a known line are not in it).
    depth, width : int
        Longest chain of operations; most rows at one depth: what could at best run side by side.
    multiplications : int
        Of one sweep: partials on the ways from inputs to outputs.
    """

    view: View
    rows: int
    inputs: int
    outputs: int
    bytes: dict[str, int]
    ops: Counter[str]
    lines: Counter[Any]
    depth: int
    width: int
    multiplications: int

    @cached_property
    def paths(self) -> int:
        """Ways from any input to any output, exactly: the products that a sum over paths would need."""
        rows = self.view.rows
        return count_paths(edges(rows), rows.inputs.tolist(), self.view.outputs.tolist())

    def forecast(self) -> Table:
        """Return memory and time of derivatives, from one forward and one reverse sweep timed here and now."""
        forward, reverse = self._sweep_seconds()
        n, m, rows = self.inputs, self.outputs, self.rows
        jacobian = min((n * forward, "forward"), (m * reverse, "reverse"))
        hessian_rows = _ADJOINT_ROWS * rows
        lines = [
            ["tangents of one direction", _size(8 * rows), _time(forward)],
            ["adjoints of one seed", _size(8 * rows), _time(reverse)],
            [f"Jacobian ({jacobian[1]})", _size(8 * rows * min(n, m, _GROUP)), _time(jacobian[0])],
            ["Hessian of one output", _size((sum(_BYTES.values()) + 8) * hessian_rows), _time(n * 4 * forward)],
            ["batch of 64 scenarios, all adjoints", _size(16 * _GROUP * rows), _time(8 * (forward + reverse) * m)],
        ]
        return Table(["derivative", "memory", "time"], lines, "forecast: at most about, on one core")

    def _sweep_seconds(self) -> tuple[float, float]:
        direction, output = np.ones(self.inputs), int(self.view.outputs[0]) if self.outputs else self.rows - 1
        best = [np.inf, np.inf]
        for _ in range(3):
            for k, sweep in enumerate((lambda: self.view.tangents(direction), lambda: self.view.adjoints(output))):
                start = perf_counter()
                sweep()
                best[k] = min(best[k], perf_counter() - start)
        return best[0], best[1]

    def tables(self) -> list[Table]:
        """Return everything as tables."""
        exact = self.rows <= _EXACT_PATHS_SHOWN
        lines = [
            ["rows", f"{self.rows}"],
            ["inputs, outputs", f"{self.inputs}, {self.outputs}"],
            ["bytes", f"{sum(self.bytes.values())}"],
            ["depth, width", f"{self.depth}, {self.width}"],
            ["multiplications of a sweep", f"{self.multiplications}"],
            ["products of a sum over paths", _integer(self.paths) if exact else ".paths (exact, takes a while)"],
        ]
        tables = [Table(["count", ""], lines)]
        ops = [[name, str(count), _share(count, self.rows)] for name, count in self.ops.most_common()]
        tables.append(Table(["operation", "rows", "share"], ops))
        if self.lines:
            busiest = self.lines.most_common(_SHOWN_LINES)
            places = [
                [f"{place.short}  {place.text}", str(count), _share(count, self.rows)] for place, count in busiest
            ]
            left = len(self.lines) - len(busiest)
            if left > 0:
                places.append([f"... {left} more lines", "", ""])
            tables.append(Table(["line", "rows", "share"], places))
        tables.append(self.forecast())
        return tables

    def __str__(self) -> str:
        return "\n\n".join(str(table) for table in self.tables())

    __repr__ = __str__

    def markdown(self) -> str:
        """Return it in Markdown."""
        return "\n\n".join(table.markdown() for table in self.tables())

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        return "\n".join(table._repr_html_() for table in self.tables())


def stats(source: Any, outputs: Any = None, *, args: Sequence[Any] | None = None) -> Stats:
    """Count what is on a tape, or in a recording of a Program.

    Parameters
    ----------
    source : Tape or Program
        What to look at.
    outputs : structure of Active, or int, optional
        Of a tape, its outputs (the last row by default); of a Program, the number of one, all by default.
    args : sequence, optional
        Of a Program, the arguments whose branch is meant: by default where it was recorded.

    Returns
    -------
    Stats
        Prints as tables; the lines of all rows are known where it was recorded on ``Tape(lines=True)`` or under
        ``fad.debug()``.

    Examples
    --------
    >>> import fastad as fad
    >>> def f(x):
    ...     for _ in range(50):
    ...         x = x * fad.sin(x)
    ...     return x
    >>> counted = fad.inspect.stats(fad.record(f, 1.0))
    >>> counted.ops["sin"], counted.multiplications, counted.paths == 2**50
    (50, 150, True)
    """
    view = view_of(source, outputs, args)
    rows = view.rows
    operands = edges(rows)
    inside = cone(operands, view.outputs.tolist())
    depth = depths(rows)
    return Stats(
        view=view,
        rows=len(rows),
        inputs=rows.inputs.size,
        outputs=view.outputs.size,
        bytes={name: size * len(rows) for name, size in _BYTES.items()},
        ops=Counter(rows.op(row).name for row in range(len(rows))),
        lines=Counter(place for place in rows.places if place is not None),
        depth=int(depth.max(initial=0)),
        width=int(np.bincount(depth).max()) if depth.size else 0,
        multiplications=sum(len(args) for args, flag in zip(operands, inside) if flag),
    )


def _share(count: int, of: int) -> str:
    return f"{100.0 * count / of:.1f} %"


def _integer(number: int) -> str:
    digits = str(number) if number.bit_length() < 10_000 else ""
    if digits and len(digits) <= 30:
        return digits
    return f"about 10^{int(number.bit_length() * 0.30103)}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.3g} {unit}"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale or unit == "us":
            break
    return f"{seconds / scale:.3g} {unit}"
