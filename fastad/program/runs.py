"""Runs of a recording: stretches of rows that are one operation on arrays, found again in the columns.

At one point they are evaluated and swept along the elements, as when long arrays are recorded (``record/bulk.py``),
with the bits of their rows and in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import bulk as kernels
from ..kernels import row_calls
from ..kernels.stretches import CHAIN, ELEMENTWISE, FRESH_X, FRESH_Y, SUM, WANTS_X, WANTS_Y
from ..ops import OPCODE, OPS
from .recording import Recording

_SHORTEST = 64  # rows; those of a shorter run take no longer one by one
_ALLOWED = np.array([op.kind == "smooth" for op in OPS])
_ADD = OPCODE["add"]


class Operand(NamedTuple):
    """``size`` consecutive rows from ``first`` on, or one row for all elements; passive numbers if ``first`` is -1."""

    first: int
    size: int
    steps: bool

    @property
    def stop(self) -> int:
        """Row behind the last."""
        return self.first + self.size


_NOTHING = Operand(-1, 0, False)


class Run(NamedTuple):
    """Rows ``start`` to ``stop - 1``: an operation on every element of x and y, a chain of additions, or a sum of x.

    A chain adds the elements of y to x; a sum is one of which nobody reads the parts.
    """

    kind: int
    start: int
    stop: int
    op: int
    x: Operand
    y: Operand

    @property
    def bars(self) -> tuple[int, int]:
        """Rows whose adjoints it reads."""
        return (self.stop - 1 if self.kind == SUM else self.start), self.stop

    @property
    def may_write(self) -> bool:
        """Whether its kernel can write the adjoints of consecutive rows, rather than add to them."""
        return self.kind != CHAIN and (self.x.first == self.y.first or _apart(self.x, self.y))

    def targets(self) -> Iterator[tuple[Operand, int, int]]:
        """Operands with adjoints, and the flags that say that they are wanted, and fresh."""
        x_partial, y_partial = (*OPS[self.op].partials, "0.0")[:2]
        if self.x.first >= 0 and x_partial != "0.0":
            yield self.x, int(WANTS_X), int(FRESH_X)
        if self.y.first >= 0 and y_partial != "0.0":
            yield self.y, int(WANTS_Y), int(FRESH_Y)

    def fields(self) -> tuple[int, ...]:
        """What ``kernels.stretches`` reads."""
        addresses = row_calls.values(self.op), row_calls.adjoints(self.op)
        operands = (self.x.first, int(self.x.steps), self.y.first, int(self.y.steps))
        return (self.kind, self.start, self.stop, self.op, *addresses, *operands)


def _apart(x: Operand, y: Operand) -> bool:
    return x.stop <= y.first or y.stop <= x.first or min(x.first, y.first) < 0


def find(r: Recording) -> list[Run]:
    """Return the runs of a recording, in ascending rows."""
    spans = np.empty((len(r) // _SHORTEST + 1, 3), np.int64)
    count = kernels.find_runs(r.opcode, r.arg0, r.arg1, _ALLOWED, _ADD, _SHORTEST, spans)
    uses = _uses(r) if spans[:count, 2].any() else np.empty(0, np.int64)
    found = (_run(r, start, stop, bool(is_chain), uses) for start, stop, is_chain in spans[:count].tolist())
    return [run for run in found if run is not None]


def _uses(r: Recording) -> NDArray[np.int64]:
    """How often each row is read."""
    read = np.concatenate([r.arg0, r.arg1, r.table_rows, r.output_rows])  # blocks read what stands in the tables
    return np.bincount(read[read >= 0], minlength=len(r))


def _run(r: Recording, start: int, stop: int, is_chain: bool, uses: NDArray[np.int64]) -> Run | None:
    """Return one run; None where operands share rows in a way in which the order of additions would be another."""
    op, y = int(r.opcode[start]), _operand(r.arg1, r.partial1, start, stop)
    if is_chain:
        first = int(r.arg0[start])
        if y.steps and y.first == first + 1 > 0 and (uses[start : stop - 1] == 1).all():
            return Run(int(SUM), start, stop, op, Operand(first, stop - start + 1, True), _NOTHING)
        return Run(int(CHAIN), start, stop, op, Operand(first, int(first >= 0), False), y)
    x = _operand(r.arg0, r.partial0, start, stop)
    return Run(int(ELEMENTWISE), start, stop, op, x, y) if _apart(x, y) or (x.steps and y.steps) else None


def _operand(arg: NDArray[np.int32], passive: NDArray[np.float64], start: int, stop: int) -> Operand:
    first = int(arg[start])
    if first < 0:
        bits = passive[start:stop].view(np.int64)
        return Operand(-1, 0, bool((bits != bits[0]).any()))
    steps = bool(arg[start + 1] != first)
    return Operand(first, stop - start if steps else 1, steps)
