"""One point of one recording, in memory that is kept from call to call: value and outputs, or value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from ..kernels import point as point_kernels
from ..kernels import stretches as kernels
from ..kernels._call import address_of, entry_of
from ..kernels.bulk import extent
from ..packing import Vector
from ..record.blocks import Block, BlockAt
from . import schedule
from .frame import Frame
from .recording import Point, Recording
from .runs import Run, find

_ENOUGH = 320  # rows in runs; below, steps take longer than one kernel that goes row by row
Evaluator = Callable[[Vector, int, Vector], tuple[float, int]]  # as `kernels.point.point`, without the frame


class Stretches:
    """A recording whose rows are left to kernels, but for its *pieces*: runs, which they take whole, and BLOCK rows."""

    def __init__(self, r: Recording) -> None:
        self._r = r
        self._runs = find(r)
        pieces: list[tuple[int, int, Block | int]] = [(block.row, block.stop, block) for block in r.blocks]
        pieces += [(run.start, run.stop, number) for number, run in enumerate(self._runs)]
        self._pieces = sorted(pieces, key=itemgetter(0))
        self._active = np.flatnonzero(r.output_rows >= 0)
        self._rows = r.output_rows[self._active]
        self._first_row = int(r.output_rows[0]) if r.output_rows.size else -1
        self._first_constant = float(r.output_constants[0]) if r.output_rows.size else 0.0
        self._free: list[Frame] = []  # another thread, or a rule that calls the program, has memory of its own

    def evaluator(self) -> Evaluator:
        """Return `evaluate`, or what does the same row by row: in one kernel, but for BLOCK rows."""
        in_runs = sum(run.stop - run.start for run in self._runs)
        return self.evaluate if self._r.blocks or in_runs >= _ENOUGH else _evaluator(self._r)

    def evaluate(self, vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        """As `kernels.point.point`, without the frame."""
        frame = self._frame()
        try:
            failed = self._values.run(frame, vector)
            if failed < 0 and first >= 0:
                out[:] = self._adjoints(frame, self._from_first, None)[first : first + out.size]
            elif failed < 0 and out.size:
                out[:] = self._outputs(frame)
            row = self._first_row
            return frame.value.item(row) if row >= 0 else self._first_constant, failed
        finally:
            self._free.append(frame)

    def pullback(self, vector: Vector, seeds: Vector) -> tuple[Vector, Vector, int]:
        """Outputs, adjoints of all inputs for seeds of the outputs, and the first guard that fails or -1."""
        frame = self._frame()
        try:
            failed, adjoints = self._values.run(frame, vector), np.empty(0)
            if failed < 0:
                adjoints = self._adjoints(frame, self._from_all, seeds[self._active]).copy()
            return self._outputs(frame), adjoints, failed
        finally:
            self._free.append(frame)

    def _frame(self) -> Frame:
        try:
            return self._free.pop()
        except IndexError:
            return Frame(self._r, self._table)

    # What follows is made when it is first needed: most programs have no pieces, and are never asked for a pullback.

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        return np.array([run.fields() for run in self._runs], np.int64).reshape(-1)

    @cached_property
    def _values(self) -> _Values:
        return _Values(schedule.forward(self._r, self._pieces))

    @cached_property
    def _from_first(self) -> _Sweep:
        rows = self._r.output_rows[:1]
        rows = rows[rows >= 0]
        return _Sweep(rows, schedule.reverse(self._r, self._pieces, self._runs, rows, seeds=True))

    @cached_property
    def _from_all(self) -> _Sweep:
        return _Sweep(self._rows, schedule.reverse(self._r, self._pieces, self._runs, self._rows, seeds=False))

    def _outputs(self, frame: Frame) -> Vector:
        outputs = self._r.output_constants.copy()
        outputs[self._active] = frame.value[self._rows]
        return outputs

    def _adjoints(self, frame: Frame, sweep: _Sweep, seeds: Vector | None) -> Vector:
        """Adjoints of all inputs, valid until the frame is used again."""
        r = self._r
        if seeds is not None:
            sweep.seed(frame.adjoint, seeds)
        if not sweep.run(frame):
            return frame.adjoint[1 : r.n_inputs + 1]
        self._values.fill_partials(frame, self._runs)  # the zero-factor rule is one of rows
        point = Point(frame.value, frame.picked, frame.partial0, frame.partial1, -1)
        seeds = np.ones(sweep.rows.size) if seeds is None else seeds
        return r.slopes(point, sweep.rows, seeds, np.arange(r.n_inputs))


class _Values:
    """Values of all rows."""

    def __init__(self, stretches: list[schedule.Stretch]) -> None:
        self._stretches = stretches
        self._forward = entry_of(kernels.forward, *[types.int64] * 4)
        self._replay_rows = address_of(point_kernels.replay_rows, 3)

    def run(self, frame: Frame, vector: Vector) -> int:
        """Fill them in; returns the first guard that decides otherwise, or -1."""
        frame.value[: vector.size] = vector
        for stretch in self._stretches:
            failed = self._forward(frame.address, stretch.address, stretch.count, self._replay_rows)
            if failed >= 0:
                return failed
            if stretch.block is not None:
                stretch.block.evaluate(frame.value)
        return -1

    def fill_partials(self, frame: Frame, runs: list[Run]) -> None:
        """Fill in the partials of runs, whose values are there."""
        rows = schedule.Stretch([(int(kernels.ROWS), run.start, run.stop) for run in runs])
        self._forward(frame.address, rows.address, rows.count, self._replay_rows)


class _Sweep:
    """A reverse sweep from some rows."""

    def __init__(self, rows: NDArray[np.int32], stretches: list[schedule.Stretch]) -> None:
        self.rows = rows
        low, high, consecutive = extent(rows) if rows.size else (0, -1, True)
        self._at: Any = slice(low + 1, high + 2) if consecutive else rows + 1
        self._repeats = np.unique(rows).size < rows.size
        self._stretches = stretches
        self._reverse = entry_of(kernels.reverse, *[types.int64] * 3)

    def seed(self, adjoint: Vector, seeds: Vector) -> None:
        """Write the adjoints of its rows; no -0.0, which would not come of adding to zero."""
        if self._repeats:
            adjoint[self._at] = 0.0
            np.add.at(adjoint, self._at, seeds)
        else:
            adjoint[self._at] = seeds + 0.0

    def run(self, frame: Frame) -> bool:
        """Sweep the adjoints down to the inputs; whether a NaN arrives there."""
        has_nan = 0
        for stretch in self._stretches:
            has_nan = self._reverse(frame.address, stretch.address, stretch.count)
            if stretch.block is not None:
                BlockAt(stretch.block, frame.value).reverse(frame.adjoint)
        return bool(has_nan)


def _evaluator(r: Recording) -> Evaluator:
    point = point_kernels.entry(point_kernels.point)
    free: list[int] = []
    alive: list[Frame] = []

    def evaluate(vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        try:
            frame = free.pop()
        except IndexError:
            made = Frame(r, np.empty(0, np.int64))
            alive.append(made)
            frame = made.address
        try:
            return point(frame, vector, first, out)
        finally:
            free.append(frame)

    return evaluate
