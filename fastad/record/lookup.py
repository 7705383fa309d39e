"""Lookups that are data: ``take``, ``interp`` and ``interp2`` find their place again in every scenario."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError, TapeError
from ..kernels.bulk import extent, highest
from ..kernels.lookup import find_cell
from ..ops import OPCODE
from ..structure import is_active
from .active import Active, two_tapes
from .array import ActiveArray, array, operand
from .functions import clip
from .numpy_ufuncs import lowered
from .storage import Storage

_LOCATE, _TAKE = OPCODE["locate"], OPCODE["take"]


def take(table: Any, position: Any) -> Any:
    """Return ``table[position]``, with the position found again in every scenario.

    Parameters
    ----------
    table : array, ActiveArray or sequence of actives and numbers
        One axis. Adjoints flow to the element picked.
    position : int, float, Active, array or sequence of them
        Truncated to a whole number and limited to the table, 0 for NaN; its derivative is 0.

    Raises
    ------
    ShapeError
        The table is empty or has more than one axis.
    """
    table = array(table) if isinstance(table, list | tuple) else table
    values, rows, tape = operand(table, copy=False)
    if values.ndim != 1 or values.size == 0:
        raise ShapeError(f"a table has one axis and at least one element, got shape {values.shape}; ravel() it")
    position = _as_array(lowered(position))
    if _is_mixed(position):
        return array([take(table, p) for p in position])
    if not isinstance(position, Active | ActiveArray):
        return (values if tape is None else table)[_limited(position, values.size)]
    if tape is not None and tape is not position.tape:
        raise two_tapes(tape, position.tape)
    if isinstance(position, ActiveArray):
        return _record_takes(position.tape, rows, values, position)
    return _record_take(position.tape, rows, values, position)


def _as_array(x: Any) -> Any:
    return array(x) if isinstance(x, list | tuple | np.ndarray) else x


def _is_mixed(x: Any) -> bool:
    """Whether some elements of an array are active and some are not: then they are taken one by one."""
    return isinstance(x, ActiveArray) and x.size > 0 and extent(x._index.ravel())[0] < 0


def _limited(position: Any, size: int) -> Any:
    """Places in a table, as whole numbers."""
    if isinstance(position, np.ndarray):
        return np.clip(np.where(position == position, position, 0.0), 0.0, size - 1.0).astype(np.int64)
    return int(min(max(position, 0.0), size - 1.0)) if position == position else 0


def _record_take(tape: Storage, rows: NDArray[np.int32], values: NDArray[np.float64], position: Active) -> Active:
    tape._check_operands(position.index, highest(rows))
    at = _limited(position._value, values.size)
    table = tape._tables.add(rows, values)
    value = float(values[at])
    row = tape._append_staged(_TAKE, position._row, int(rows[at]), value, value)
    tape._tables.use(row, table)
    return tape._active(value, row)


def _record_takes(
    tape: Storage, rows: NDArray[np.int32], values: NDArray[np.float64], position: ActiveArray
) -> ActiveArray:
    """``_record_take`` for each of many positions."""
    tape._check_operands(highest(position._index), highest(rows))
    at = _limited(position._value.ravel(), values.size)
    table = tape._tables.add(rows, values)
    return _looked_up(tape, _TAKE, position, rows[at], values[at], table, values[at])


def _looked_up(
    tape: Storage, code: int, x: ActiveArray, rows: NDArray[np.int32], y: NDArray[np.float64], table: int, found: Any
) -> ActiveArray:
    """Rows that look into a table, with the elements and values that they find."""
    start = tape._append_elementwise(code, x._index.ravel(), x._value.ravel(), rows, y)
    part = slice(start, start + x.size)  # what a kernel of elements does not know: the place, and what was picked there
    tape._columns["value"][part], tape._columns["partial0"][part] = found, 0.0
    tape._columns["partial1"][part] = np.where(rows >= 0, 1.0, y)
    tape._tables.use(start, table, x.size)
    index = np.arange(start, start + x.size, dtype=np.int32).reshape(x.shape)
    return ActiveArray(np.array(found, np.float64).reshape(x.shape), index, tape)


def _locate(grid: NDArray[np.float64], x: Active | ActiveArray) -> Any:
    """Cell of a sorted grid: the last one whose left knot is not above x, within the grid."""
    tape = x.tape
    if isinstance(x, ActiveArray):
        tape._check_operands(highest(x._index))
        table = tape._tables.add(np.full(grid.size, -1, np.int32), grid)
        cells = _cells(grid, x._value).ravel()
        return _looked_up(tape, _LOCATE, x, np.full(x.size, -1, np.int32), np.zeros(x.size), table, cells)
    tape._check_operands(x.index)
    cell = _cell(grid, x._value)
    table = tape._tables.add(np.full(grid.size, -1, np.int32), grid)
    row = tape._append_staged(_LOCATE, x._row, -1, 0.0, float(cell))
    tape._tables.use(row, table)
    return tape._active(float(cell), row)


def _cell(grid: NDArray[np.float64], x: float) -> int:
    return find_cell(grid, 0, grid.size, float(x))


def _cells(grid: NDArray[np.float64], x: Any) -> NDArray[np.float64]:
    return np.array([_cell(grid, number) for number in x.ravel().tolist()], np.float64).reshape(x.shape)


class _Grid(NamedTuple):
    """Increasing knots, with a cell on either side of them in which nothing changes."""

    knots: NDArray[np.float64]  # from -inf to inf, the ends of the outer cells
    left: NDArray[np.float64]  # of each cell: from where weights count
    per_width: NDArray[np.float64]  # of each cell, 0 of the outer ones
    lowest: float
    highest: float

    @property
    def size(self) -> int:
        return self.knots.size - 2

    @property
    def edges(self) -> NDArray[np.int64]:
        """Knot that gives the value at each end of the cells."""
        return np.clip(np.arange(-1, self.size + 1), 0, self.size - 1)


def _grid(knots: Any, name: str) -> _Grid:
    if is_active(knots):
        raise TapeError(f"{name} must be passive: fad.value({name}) freezes it")
    grid = np.asarray(knots, dtype=np.float64)
    if grid.ndim != 1 or grid.size < 2 or not (np.diff(grid) > 0.0).all() or not np.isfinite(grid[[0, -1]]).all():
        raise ValueError(f"{name} must be increasing and finite, with at least two knots")
    first, last = float(grid[0]), float(grid[-1])
    return _Grid(
        np.concatenate([[-np.inf], grid, [np.inf]]),
        np.concatenate([[first], grid]),
        np.concatenate([[0.0], 1.0 / np.diff(grid), [0.0]]),
        first - (last - first),
        last + (last - first),
    )


def interp(x: Any, xp: Any, fp: Any) -> Any:
    """Return the piecewise linear interpolant of the points (xp, fp) at x, flat outside.

    At a knot the derivative in x is that of the cell on its right; outside, and at the last knot, it is 0.

    Parameters
    ----------
    x : number, array, Active or ActiveArray
        Where; the cell is found again in every scenario.
    xp : array
        Increasing knots, passive.
    fp : array, ActiveArray or sequence of actives and numbers
        Values at the knots, shape of xp. In the cells beside an infinite one the result is NaN.

    Raises
    ------
    ShapeError, ValueError
        fp of another shape than xp; knots that do not increase.
    """
    grid = _grid(xp, "xp")
    table = array(fp) if isinstance(fp, list | tuple) else fp
    if np.shape(getattr(table, "_value", table)) != (grid.size,):
        raise ShapeError(f"fp: expected shape ({grid.size},) of xp, got {np.shape(getattr(table, '_value', table))}")
    ends = (table if isinstance(table, ActiveArray) else np.asarray(table, np.float64))[grid.edges]
    return _interp(x, grid, ends[:-1], ends[1:])


def _interp(x: Any, grid: _Grid, left: Any, right: Any) -> Any:
    x = _as_array(lowered(x))
    if _is_mixed(x):
        return array([_interp(item, grid, left, right) for item in x])
    cell, weight = _cell_and_weight(x, grid)
    start = take(left, cell)
    return start + weight * (take(right, cell) - start)


def _cell_and_weight(x: Any, grid: _Grid) -> tuple[Any, Any]:
    if isinstance(x, Active | ActiveArray):
        cell = _locate(grid.knots, x)
    else:
        cell = _cells(grid.knots, x) if isinstance(x, np.ndarray) else _cell(grid.knots, x)
    # No choice between inside and outside: a choice is where Monte Carlo looks for jumps, and this has none.
    x = clip(x, grid.lowest, grid.highest)  # an infinite one times the 0 of an outer cell would be NaN
    return cell, (x - take(grid.left, cell)) * take(grid.per_width, cell)


def interp2(x: Any, y: Any, xp: Any, yp: Any, fp: Any) -> Any:
    """Return the bilinear interpolant of the values fp on the grid xp by yp at (x, y), flat outside.

    Parameters
    ----------
    x, y : number or Active
        One place; cells are found again in every scenario. At a knot the cell on the right counts.
    xp, yp : array
        Increasing knots, passive.
    fp : array or ActiveArray, shape (len(xp), len(yp))
        Values at the knots.
    """
    grid_x, grid_y = _grid(xp, "xp"), _grid(yp, "yp")
    shape = (grid_x.size, grid_y.size)
    fp = array(fp) if isinstance(fp, list | tuple) else fp
    x, y = lowered(x), lowered(y)
    if any(isinstance(at, ActiveArray | np.ndarray | list | tuple) for at in (x, y)):
        raise ShapeError("interp2 takes numbers x and y: call it for each element of an array")
    if np.shape(getattr(fp, "_value", fp)) != shape:
        raise ShapeError(f"fp: expected shape {shape}, got {np.shape(getattr(fp, '_value', fp))}")
    i, u = _cell_and_weight(x, grid_x)
    j, v = _cell_and_weight(y, grid_y)
    columns = float(grid_y.edges.size)
    table = fp[grid_x.edges][:, grid_y.edges].reshape(-1)
    at = i * columns + j
    low = take(table, at) * (1.0 - v) + take(table, at + 1.0) * v
    high = take(table, at + columns) * (1.0 - v) + take(table, at + columns + 1.0) * v
    return low + u * (high - low)
