"""Rows of operations on long arrays, written when somebody reads the columns.

What a reverse sweep needs of an operation on an array is which operation, of which operands: it runs along the elements
and needs no rows. So only the values of such rows are written at once; opcodes, operands and partials, 25 bytes a row,
follow when a consumer other than the sweep of one seed asks for the columns. A gradient of a million inputs never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels import bulk as kernels
from ..kernels import row_calls
from ..kernels import rows as row_kernels
from ..ops import OPCODE, OPS

if TYPE_CHECKING:
    from .bulk_sweep import Adjoints

_INPUT = OPCODE["input"]
_NO_ROWS, _NO_VALUES = np.empty(0, np.int32), np.empty(0)
Columns = dict[str, NDArray[Any]]
Vector = NDArray[np.float64]


class Swept(Protocol):
    """Rows ``start`` to ``stop - 1`` that are swept together."""

    @property
    def start(self) -> int:
        """First row."""

    @property
    def stop(self) -> int:
        """Row behind the last."""

    def clear(self, adjoint: Vector) -> None:
        """Write zeros where adjoints of the rows may be read; ``adjoint`` has shape (rows + 1,)."""

    def reverse(self, column: Vector, adjoints: Adjoints) -> None:
        """Add the adjoints of the operands, given the values of all rows."""


class Bulk(Swept, Protocol):
    """Rows of which the columns hold only the values that other rows may read."""

    def write(self, columns: Columns, address: int) -> None:
        """Write the rows to columns, whose addresses are listed at an address."""


class Side(NamedTuple):
    """An operand: consecutive rows, rows one by one, or passive values; one element belongs to every element."""

    first: int
    rows: NDArray[np.int32]
    values: NDArray[np.float64]
    low: int
    high: int

    @classmethod
    def of(cls, index: NDArray[np.int32], values: NDArray[np.float64]) -> Side | None:
        """Make it from rows and values; None where active and passive elements are mixed."""
        low, high, consecutive = kernels.extent(index)
        if high < 0:
            return cls(-1, _NO_ROWS, values.copy(), -1, -1)
        if low < 0:
            return None
        if consecutive and index.size > 1:
            return cls(low, _NO_ROWS, _NO_VALUES, low, high)
        return cls(-1, index.copy(), _NO_VALUES, low, high)

    def at(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values, from those of all rows."""
        if self.first >= 0:
            return column[self.first : self.high + 1]
        return column[self.rows] if self.rows.size else self.values

    def target(self, partial: str, adjoints: Adjoints) -> tuple[NDArray[np.int32], int, bool]:
        """Rows and first row for its adjoint, and whether to write it; none where the partial is always zero."""
        return (_NO_ROWS, -1, False) if partial == "0.0" else (self.rows, self.first, self.claim(adjoints))

    def claim(self, adjoints: Adjoints) -> bool:
        """Whether the adjoints are to be written rather than added to."""
        if self.first >= 0:
            return adjoints.claim(self.low, self.high)
        adjoints.settle(self.low, self.high)
        return False

    def row_numbers(self) -> NDArray[np.int32]:
        """Rows, -1 for passive elements."""
        if self.first >= 0:
            return np.arange(self.first, self.high + 1, dtype=np.int32)
        return self.rows if self.rows.size else np.full(self.values.size, -1, np.int32)


class Inputs(NamedTuple):
    """New independents."""

    start: int
    stop: int

    def write(self, columns: Columns, address: int) -> None:
        """Write the rows."""
        rows = slice(self.start, self.stop)
        columns["opcode"][rows], columns["arg0"][rows], columns["arg1"][rows] = _INPUT, -1, -1
        columns["partial0"][rows], columns["partial1"][rows] = columns["value"][rows], 0.0

    def clear(self, adjoint: Vector) -> None:
        """Write zeros where adjoints of the rows may be read."""
        adjoint[self.start + 1 : self.stop + 1] = 0.0

    def reverse(self, column: Vector, adjoints: Adjoints) -> None:
        """Nothing flows on."""


class Elementwise(NamedTuple):
    """One operation of the table for every element."""

    start: int
    stop: int
    op: int
    x: Side
    y: Side

    @classmethod
    def of(cls, start: int, size: int, op: int, x: Side, y: Side) -> Elementwise | None:
        """Make it; None where operands that are not both consecutive share rows: the order of sums matters there."""
        apart = x.high < y.low or y.high < x.low or x.high < 0 or y.high < 0
        return cls(start, start + size, op, x, y) if apart or min(x.first, y.first) >= 0 else None

    def write(self, columns: Columns, address: int) -> None:
        """Write the rows."""
        column, size = columns["value"], self.stop - self.start
        out, rows = np.empty(size), np.empty(size, np.int32)
        x, y = self.x.at(column).copy(), self.y.at(column).copy()
        operands = (self.x.row_numbers(), x, self.y.row_numbers(), y)
        row_kernels.record_elementwise(self.op, *operands, self.start, address, out, rows)

    def clear(self, adjoint: Vector) -> None:
        """Write zeros where adjoints of the rows may be read."""
        adjoint[self.start + 1 : self.stop + 1] = 0.0

    def reverse(self, column: Vector, adjoints: Adjoints) -> None:
        """Add the adjoints of the operands."""
        partials = (*OPS[self.op].partials, "0.0")
        if self.x.first != self.y.first and self.x.low <= self.y.high and self.y.low <= self.x.high:  # they overlap
            adjoints.settle(min(self.x.low, self.y.low), max(self.x.high, self.y.high))
        x_rows, x_first, x_fresh = self.x.target(partials[0], adjoints)
        y_rows, y_first, y_fresh = self.y.target(partials[1], adjoints)
        values = self.x.at(column), self.y.at(column), column[self.start : self.stop]
        kernels.reverse(
            row_calls.adjoints(self.op), self.op, *values, x_rows, y_rows, x_first, y_first, x_fresh, y_fresh, False,
            adjoints.adjoint[self.start + 1 : self.stop + 1], adjoints.adjoint,
        )  # fmt: skip


class Sums(NamedTuple):
    """Sums of ``length`` elements each, in order; a chain of additions per sum, of which only the last row is known."""

    start: int
    stop: int
    length: int
    x: Side

    @property
    def last_rows(self) -> NDArray[np.int64]:
        """Rows of the sums."""
        step = self.length - 1
        return np.arange(self.start + step - 1, self.stop, step)

    def write(self, columns: Columns, address: int) -> None:
        """Write the rows."""
        index, values = (part.reshape(-1, self.length) for part in (self.x.row_numbers(), self.x.at(columns["value"])))
        out, rows = np.empty(len(index)), np.empty(len(index), np.int32)
        row_kernels.write_sums(index, values.copy(), self.start, address, out, rows)

    def clear(self, adjoint: Vector) -> None:
        """Write zeros where adjoints of the rows may be read."""
        adjoint[self.last_rows + 1] = 0.0

    def reverse(self, column: Vector, adjoints: Adjoints) -> None:
        """Add the adjoints of the sums to those of the elements."""
        bars, fresh = adjoints.adjoint[self.last_rows + 1], self.x.claim(adjoints)
        kernels.reverse_sums(self.x.rows, self.x.first, self.length, fresh, bars, adjoints.adjoint)
