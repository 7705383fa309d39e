"""The reverse sweep of one seed over a tape with rows that are not written yet.

Adjoints of long arrays are not zeroed in advance: memory is what takes the time there. Most often one operation adds to
all elements of an array before any other does, and then writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels import sweeps
from ..kernels.bulk import extent
from .blocks import BlockAt
from .bulk import Bulk, Swept
from .sweep import Columns, pick

Vector = NDArray[np.float64]

_LONG = 32_768  # rows, 256 KB; shorter stretches are zeroed in the cache
_FEW = 4_096  # rows whose operands are looked at: more of them may add to any row before


class Adjoints:
    """Adjoints of all rows, shape (rows + 1,), of which some long stretches wait to be written."""

    def __init__(self, adjoint: Vector, bulks: Sequence[Swept]) -> None:
        self.adjoint = adjoint
        self._waiting = {bulk.start: bulk for bulk in bulks if bulk.stop - bulk.start >= _LONG}
        at = 0
        for bulk in self._waiting.values():
            adjoint[at : bulk.start + 1] = 0.0
            at = bulk.stop + 1
        adjoint[at:] = 0.0

    def settle(self, low: int, high: int) -> None:
        """Let adjoints of rows ``low`` to ``high`` be added to, or read."""
        if not self._waiting:
            return
        for bulk in [bulk for bulk in self._waiting.values() if bulk.start <= high and low < bulk.stop]:
            bulk.clear(self.adjoint)
            del self._waiting[bulk.start]

    def settle_operands(self, columns: Columns, start: int, stop: int) -> None:
        """The same for the operands of some rows."""
        if not self._waiting:
            return
        if stop - start > _FEW:
            self.settle(0, stop)
            return
        for rows in (columns.arg0[start:stop], columns.arg1[start:stop]):
            active = rows[rows >= 0]
            if active.size:
                self.settle(int(active.min()), int(active.max()))

    def claim(self, low: int, high: int) -> bool:
        """Whether rows ``low`` to ``high`` are a stretch that waits: whoever asks writes all of it."""
        bulk = self._waiting.get(low)
        if bulk is not None and bulk.stop == high + 1:
            del self._waiting[low]
            return True
        self.settle(low, high)
        return False

    def waits(self, bulk: Swept) -> bool:
        """Whether nothing was added to these rows: their adjoints are zero, and add nothing to any other."""
        return bulk.start in self._waiting


def adjoints(
    columns: Columns,
    values: Vector,
    bulks: Sequence[Bulk],
    rows: NDArray[np.int32],
    seeds: Vector,
    picked: NDArray[np.int32],
    buffer: Callable[[int], Vector],
) -> Vector:
    """Adjoints of the picked rows for one seed of each of the given ones; ``values`` is the column of all rows."""
    if not rows.size or not picked.size:
        return np.zeros(picked.size)
    lowest, highest, _ = extent(rows)
    blocks = [block for block in columns.blocks if block.start <= highest]
    bulks = [bulk for bulk in bulks if bulk.start <= highest]
    between: list[BlockAt | Bulk] = sorted([*blocks, *bulks], key=_start)
    stop = max([highest + 1, *(stretch.stop for stretch in between[-1:])])
    low, high, consecutive = extent(picked)
    adjoint = buffer(max(stop, high + 1) + 1)
    found = Adjoints(adjoint, bulks)
    found.settle(lowest, highest)
    np.add.at(adjoint, rows + 1, seeds)
    reverse(columns, values, between, found, 0, stop)
    found.settle(low, high)
    return pick(adjoint, picked, low, consecutive)


def reverse(
    columns: Columns, values: Vector, between: Sequence[BlockAt | Swept], found: Adjoints, start: int, stop: int
) -> None:
    """Sweep rows ``start`` to ``stop - 1``, and the stretches among them that sweep themselves, in ascending order."""
    end = stop
    for stretch in reversed(between):
        _reverse(columns, found, stretch.stop, end)
        end = stretch.start
        if isinstance(stretch, BlockAt):
            found.settle(0, end)
            stretch.reverse(found.adjoint)
        elif not found.waits(stretch):
            stretch.reverse(values, found)
    _reverse(columns, found, start, end)


def _start(stretch: BlockAt | Bulk) -> int:
    return stretch.start


def _reverse(columns: Columns, found: Adjoints, start: int, stop: int) -> None:
    if start == stop:
        return
    found.settle_operands(columns, start, stop)
    sweeps.reverse(columns.arg0, columns.arg1, columns.partial0, columns.partial1, found.adjoint, start, stop)
