"""Runs of a recording: long stretches of rows that are one operation on arrays, found again in the columns.

At one point they are evaluated and swept along the elements, as when arrays are recorded (``record/bulk.py``), with the
bits of their rows and in a tenth of the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import bulk as kernels
from ..ops import OPCODE, OPS
from ..packing import Vector
from ..record.bulk import Elementwise, Side, Sums
from ..record.bulk_sweep import Adjoints
from .recording import Recording

_SHORTEST = 2048  # rows: 20 us one by one, twice the Python for a run
_ALLOWED = np.array([op.kind == "smooth" for op in OPS])
_ADD = OPCODE["add"]


class Chain(NamedTuple):
    """A sum, of which every row adds the next element."""

    start: int
    stop: int
    x: Side
    y: Side

    def evaluate(self, column: Vector) -> None:
        """Fill in the values of the rows, from those of the operands."""
        kernels.chain(self.x.at(column), self.y.at(column), column[self.start : self.stop])

    def clear(self, adjoint: Vector) -> None:
        """Write zeros where adjoints of the rows may be read; ``adjoint`` has shape (rows + 1,)."""
        adjoint[self.start + 1 : self.stop + 1] = 0.0

    def reverse(self, column: Vector, adjoints: Adjoints) -> None:
        """Add the adjoints of the elements."""
        for side in (self.x, self.y):
            adjoints.settle(side.low, side.high)
        kernels.reverse_chain(self.x.high, self.y.rows, self.y.first, self.start, self.stop, adjoints.adjoint)


Run = Elementwise | Chain | Sums


def find(r: Recording) -> list[Run]:
    """Return the runs of a recording, in ascending rows."""
    spans = np.empty((len(r) // _SHORTEST + 1, 3), np.int64)
    count = kernels.find_runs(r.opcode, r.arg0, r.arg1, _ALLOWED, _ADD, _SHORTEST, spans)
    uses = _uses(r) if spans[:count, 2].any() else np.empty(0, np.int64)
    found = (_run(r, start, stop, is_chain, uses) for start, stop, is_chain in spans[:count].tolist())
    return [run for run in found if run is not None]


def _uses(r: Recording) -> NDArray[np.int64]:
    """How often each row is read."""
    read = np.concatenate([r.arg0, r.arg1, r.table_rows, r.output_rows])
    return np.bincount(read[read >= 0], minlength=len(r))


def _run(r: Recording, start: int, stop: int, is_chain: int, uses: NDArray[np.int64]) -> Run | None:
    """Return one run; None where operands share rows, so that the order of additions to their adjoints matters."""
    rows = slice(start, start + 1 if is_chain else stop)
    x, y = _side(r.arg0[rows], r.partial0[rows]), _side(r.arg1[start:stop], r.partial1[start:stop])
    if not is_chain:
        return Elementwise.of(start, stop - start, int(r.opcode[start]), x, y)
    if (
        y.first == x.high + 1 > 0 and (uses[start : stop - 1] == 1).all()
    ):  # the sum of an array, and nobody reads a part
        return Sums(start, stop, stop - start + 1, y._replace(first=x.high, low=x.high))
    return Chain(start, stop, x, y)


def _side(rows: NDArray[np.int32], passive: Vector) -> Side:
    """Operands: passive numbers, one row for all, or consecutive rows."""
    is_one_row = rows[0] == rows[-1] >= 0
    return Side.of(rows[:1] if is_one_row else rows, passive)  # type: ignore[return-value]
