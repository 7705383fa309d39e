"""Runs of a recording: stretches of rows that are one operation on arrays, found again in the columns.

At one point they are evaluated and swept along the elements, as when long arrays are recorded (``record/bulk.py``),
with the bits of their rows and in a tenth of the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import bulk as kernels
from ..kernels import row_calls
from ..kernels.bulk import NEXT, ONE
from ..kernels.stretches import CHAIN, CHOICE, ELEMENTWISE, SUM
from ..ops import OPCODE, OPS
from .recording import Recording

_SHORTEST = 64  # rows; those of a shorter run take no longer one by one
_ALLOWED = np.array([op.kind != "structure" for op in OPS])
_ADD, _COND, _WHERE = OPCODE["add"], OPCODE["cond"], OPCODE["where"]


class Operand(NamedTuple):
    """Rows of an operand are among the ``size`` rows from ``first`` on: one, each in turn, or any.

    Of passive numbers ``first`` is -1, and they are one or each in turn.
    """

    first: int
    size: int
    mode: int

    @property
    def stop(self) -> int:
        """Row behind the last."""
        return self.first + self.size


_NOTHING = Operand(-1, 0, int(ONE))


class Run(NamedTuple):
    """Rows ``start`` to ``stop - 1``: an operation on every element; a chain of additions, or a sum; choices.

    A chain adds the elements of y to x; a sum, of x alone, is one of which nobody reads the parts. Choices are COND
    and WHERE rows in turn, whose operands are in the columns.
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
    def is_together(self) -> bool:
        """Whether adjoints of both operands are added row after row: one row may be both, in any order."""
        if self.kind != ELEMENTWISE or self.x.mode == self.y.mode == NEXT or _apart(self.x, self.y):
            return False
        return len(self.targets) == 2

    @property
    def may_write(self) -> bool:
        """Whether its kernel can write the adjoints of consecutive rows, rather than add to them."""
        if self.kind != ELEMENTWISE:
            return self.kind == SUM
        same = self.x.mode == self.y.mode == NEXT and self.x.first == self.y.first
        return same or _apart(self.x, self.y)

    @property
    def operands(self) -> tuple[Operand, Operand]:
        """Both, in the order of the bits that say what becomes of their adjoints."""
        return self.x, self.y

    @property
    def targets(self) -> list[int]:
        """Which of them have adjoints."""
        partials = (*OPS[self.op].partials, "0.0")[:2]
        return [k for k in range(2) if self.operands[k].first >= 0 and partials[k] != "0.0"]

    def fields(self) -> tuple[int, ...]:
        """What ``kernels.stretches`` reads."""
        addresses = row_calls.values(self.op), row_calls.adjoints(self.op)
        return (self.kind, self.start, self.stop, self.op, *addresses, *self.x[::2], *self.y[::2])


def _apart(x: Operand, y: Operand) -> bool:
    return x.stop <= y.first or y.stop <= x.first or min(x.first, y.first) < 0


def find(r: Recording) -> list[Run]:
    """Return the runs of a recording, in ascending rows."""
    spans = np.empty((len(r) // _SHORTEST + 1, 9), np.int64)
    columns = (r.opcode, r.arg0, r.arg1, r.partial0.view(np.int64), r.partial1.view(np.int64))
    spans = spans[: kernels.find_runs(*columns, _ALLOWED, _ADD, _COND, _WHERE, _SHORTEST, spans)]
    uses = _uses(r) if (spans[:, 2] < 0).any() else np.empty(0, np.int64)
    return [_run(start, stop, op, Operand(*of[:3]), Operand(*of[3:]), uses) for start, stop, op, *of in spans.tolist()]


def _uses(r: Recording) -> NDArray[np.int64]:
    """How often each row is read."""
    read = np.concatenate([r.arg0, r.arg1, r.table_rows, r.output_rows])  # blocks read what stands in the tables
    return np.bincount(read[read >= 0], minlength=len(r))


def _run(start: int, stop: int, op: int, x: Operand, y: Operand, uses: NDArray[np.int64]) -> Run:
    if op == _WHERE:
        return Run(int(CHOICE), start, stop, op, x, y)
    if op >= 0:
        return Run(int(ELEMENTWISE), start, stop, op, x, y)
    if y.mode == NEXT and y.first == x.first + 1 > 0 and (uses[start : stop - 1] == 1).all():
        return Run(int(SUM), start, stop, _ADD, Operand(x.first, stop - start + 1, int(NEXT)), _NOTHING)
    return Run(int(CHAIN), start, stop, _ADD, x, y)
