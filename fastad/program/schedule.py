"""What a call of a Program does in order, planned once: rows by kernel, runs along the elements, BLOCK rows by rule.

Adjoints are not zeroed in advance: memory is what takes the time where arrays are long, and which row is written first
is known. Most often one operation adds to all elements of an array before any other does, and then writes them. What
nobody adds to is not swept: its adjoints are zero, and a product with an exactly zero factor is zero.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..kernels import stretches as kernels
from ..kernels.bulk import ANY, NEXT
from ..ops import OPCODE
from ..record.blocks import Block
from .recording import Recording
from .runs import Run

_MANY = 4096  # rows one by one: their operands are zeroed from the lowest to the highest
_TAKE = OPCODE["take"]
Interval = tuple[int, int]
Pieces = Sequence[tuple[int, int, "Block | int"]]  # blocks, and runs by their number; ascending rows


class Stretch:
    """Steps for a kernel, shape (count, 3), and the block that comes behind them."""

    def __init__(self, steps: list[tuple[int, int, int]], block: Block | None = None) -> None:
        self.steps = np.array(steps, np.int64).reshape(-1, 3)
        self.address, self.count = int(self.steps.ctypes.data), len(steps)
        self.block = block


class _Steps:
    """Stretches in the making."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self._steps: list[tuple[int, int, int]] = []

    def add(self, what: np.int64, start: int, stop: int) -> None:
        """Add a step."""
        self._steps.append((int(what), start, stop))

    def end(self, block: Block | None = None) -> list[Stretch]:
        """End a stretch."""
        if self._steps or block is not None:
            self.stretches.append(Stretch(self._steps, block))
        self._steps = []
        return self.stretches


def forward(r: Recording, pieces: Pieces) -> list[Stretch]:
    """Values of all rows behind the inputs."""
    steps, at = _Steps(), r.n_inputs
    for start, stop, piece in [*pieces, (len(r), len(r), None)]:
        if at < start:
            steps.add(kernels.ROWS, at, start)
        if isinstance(piece, int):
            steps.add(kernels.RUN, piece, 0)
        elif piece is not None:
            steps.end(piece)
        at = stop
    return steps.end()


def reverse(r: Recording, pieces: Pieces, runs: Sequence[Run], seeded: NDArray[np.int32], seeds: bool) -> list[Stretch]:
    """Adjoints of all inputs, and whether there is a NaN.

    Those of the seeded rows have been written and no others; or, if it ``seeds`` them, none: they are one.
    """
    highest = int(seeded.max(initial=-1))
    pieces = [piece for piece in pieces if piece[0] <= highest]
    end = max([highest + 1, r.n_inputs, *(stop for _, stop, _ in pieces[-1:])])
    return _Reverse(r, runs, seeded, end).plan(pieces, seeds)


class _Reverse:
    """Plans a reverse sweep by going through it; ``_unwritten`` holds the rows whose adjoints nobody wrote yet."""

    def __init__(self, r: Recording, runs: Sequence[Run], seeded: NDArray[np.int32], end: int) -> None:
        self._r = r
        self._runs = runs
        self._end = end
        self._unwritten = _Intervals(0, end)
        self._steps = _Steps()
        self._seeded = _intervals(seeded, most=seeded.size)
        for interval in self._seeded:
            self._unwritten.remove(*interval)

    def plan(self, pieces: Pieces, seeds: bool) -> list[Stretch]:
        for interval in self._seeded if seeds else ():
            self._steps.add(kernels.SEED, *interval)
        at = self._end
        for start, stop, piece in reversed(pieces):
            self._one_by_one(stop, at)
            if isinstance(piece, int):
                self._run(piece)
            else:
                self._block(piece)
            at = start
        self._one_by_one(self._r.n_inputs, at)
        self._settle([(0, self._r.n_inputs)])
        self._steps.add(kernels.CHECK, 0, self._r.n_inputs)
        return self._steps.end()

    def _settle(self, intervals: Iterable[Interval]) -> None:
        """Let adjoints be read, or added to."""
        for low, stop in intervals:
            for start, end in self._unwritten.remove(low, stop):
                self._steps.add(kernels.ZERO, start, end)

    def _one_by_one(self, start: int, stop: int) -> None:
        if start >= stop or self._unwritten.cover(start, stop):
            return
        r, rows = self._r, slice(start, stop)
        read = [r.arg0[rows], r.arg1[rows]]
        if (r.opcode[rows] == _TAKE).any():
            read.append(r.table_rows)
        self._settle([(start, stop), *_intervals(np.concatenate(read))])
        self._steps.add(kernels.ROWS, start, stop)

    def _block(self, block: Block) -> None:
        if self._unwritten.cover(block.row, block.stop):
            return
        self._settle([(block.row, block.stop)])
        for operand in block.operands:
            self._settle(_intervals(operand.rows.reshape(-1)))
        self._steps.end(block)

    def _run(self, number: int) -> None:
        run = self._runs[number]
        if not run.targets or self._unwritten.cover(*run.bars):
            return
        self._settle([run.bars])
        rows = {which: self._rows(run, which) for which in run.targets}
        if not run.may_write:
            self._settle(chain.from_iterable(rows.values()))
        flags = int(kernels.TOGETHER) if run.is_together else 0
        for which, intervals in rows.items():
            flags |= int(kernels.WANTS_X) << which
            if run.may_write and self._claim(run, which, intervals):
                flags |= int(kernels.FRESH_X) << which
        self._steps.add(kernels.RUN, number, flags)

    def _rows(self, run: Run, which: int) -> list[Interval]:
        """Rows of an operand."""
        operand = run.operands[which]
        if operand.mode == ANY:
            return _intervals((self._r.arg0, self._r.arg1)[which][run.start : run.stop])
        return [(operand.first, operand.stop)]

    def _claim(self, run: Run, which: int, intervals: list[Interval]) -> bool:
        """Whether nobody wrote any of these adjoints yet; whoever asks writes all of them, or adds to all of them."""
        if run.operands[which].mode == NEXT and self._unwritten.cover(*intervals[0]):
            self._unwritten.remove(*intervals[0])
            return True
        self._settle(intervals)
        return False


class _Intervals:
    """A set of integers, as disjoint ascending intervals; it only shrinks."""

    def __init__(self, start: int, stop: int) -> None:
        self._starts, self._stops = [start], [stop]

    def cover(self, start: int, stop: int) -> bool:
        """Whether all of these integers are in the set."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and stop <= self._stops[at]

    def remove(self, start: int, stop: int) -> list[Interval]:
        """Take out these integers; returns those that were in the set."""
        if start >= stop:
            return []
        first, last = bisect_right(self._stops, start), bisect_left(self._starts, stop)
        touched = list(zip(self._starts[first:last], self._stops[first:last], strict=True))
        rest = [(a, b) for low, high in touched for a, b in ((low, start), (stop, high)) if a < b]
        self._starts[first:last], self._stops[first:last] = [a for a, _ in rest], [b for _, b in rest]
        return [(max(low, start), min(high, stop)) for low, high in touched]


def _intervals(rows: NDArray[np.int32], most: int = _MANY) -> list[Interval]:
    """Rows, of which -1 is none, as intervals; more than ``most`` as one, from the lowest to the highest."""
    rows = rows[rows >= 0]
    if rows.size > most:
        return [(int(rows.min()), int(rows.max()) + 1)]
    rows = np.unique(rows)
    cuts = np.flatnonzero(np.diff(rows) > 1) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(rows, cuts) if part.size]
