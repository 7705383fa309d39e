"""One point of one recording, in memory that is kept from call to call: value and outputs, or value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from ..kernels import point as point_kernels
from ..kernels import stretches as kernels
from ..kernels._call import address_of, entry_of
from ..kernels.bulk import extent
from ..kernels.frame import COLUMNS
from ..packing import Vector
from ..record.blocks import Block, BlockAt
from . import schedule
from .recording import Point, Recording
from .runs import Run, find

Evaluator = Callable[[Vector, int, Vector], tuple[float, int]]  # as `kernels.point`, without the frame


def evaluator(r: Recording) -> Evaluator:
    """Return ``kernels.point`` of a recording: each call takes a frame with memory of its own, and puts it back."""
    stretches = Stretches(r)
    if stretches.pieces:
        return stretches.evaluate
    point = point_kernels.entry(point_kernels.point)
    free: list[int] = []
    alive: list[_Frame] = []

    def evaluate(vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        try:
            frame = free.pop()
        except IndexError:
            made = _Frame(r, np.empty(0, np.int64))
            alive.append(made)
            frame = made.address
        try:
            return point(frame, vector, first, out)
        finally:
            free.append(frame)

    return evaluate


class _Sweep:
    """A reverse sweep from some rows: with seeds, or (``by_one``) from rows listed once whose seeds are one."""

    def __init__(
        self, r: Recording, pieces: schedule.Pieces, runs: list[Run], rows: NDArray[np.int32], by_one: bool
    ) -> None:
        self.rows = rows
        low, high, consecutive = extent(rows) if rows.size else (0, -1, True)
        self._at: Any = slice(low + 1, high + 2) if consecutive else rows + 1
        self._repeats = np.unique(rows).size < rows.size
        self._stretches = schedule.reverse(r, pieces, runs, rows, by_one)
        self._reverse = entry_of(kernels.reverse, types.int64, types.int64, types.int64)

    def seed(self, adjoint: Vector, seeds: Vector) -> None:
        """Write the adjoints of its rows; no -0.0, which would not come of adding to zero."""
        if self._repeats:
            adjoint[self._at] = 0.0
            np.add.at(adjoint, self._at, seeds)
        else:
            adjoint[self._at] = seeds + 0.0

    def run(self, frame: _Frame) -> bool:
        """Sweep the adjoints down to the inputs; whether a NaN arrives there."""
        has_nan = 0
        for stretch in self._stretches:
            has_nan = self._reverse(frame.address, stretch.address, stretch.count)
            if stretch.block is not None:
                BlockAt(stretch.block, frame.value).reverse(frame.adjoint)
        return bool(has_nan)


class Stretches:
    """A recording whose rows are left to kernels, but for its *pieces*: runs, which they take whole, and BLOCK rows."""

    def __init__(self, r: Recording) -> None:
        self._r = r
        runs = find(r)
        pieces: list[tuple[int, int, Block | int]] = [(block.row, block.stop, block) for block in r.blocks]
        pieces += [(run.start, run.stop, number) for number, run in enumerate(runs)]
        self.pieces = sorted(pieces, key=itemgetter(0))
        self._table = np.array([run.fields() for run in runs], np.int64).reshape(-1)
        self._partials = schedule.Stretch([(int(kernels.ROWS), run.start, run.stop) for run in runs])
        self._forward = entry_of(kernels.forward, types.int64, types.int64, types.int64, types.int64)
        self._replay_rows = address_of(point_kernels.replay_rows, 3)
        self._stretches = schedule.forward(r, self.pieces)
        self._active = np.flatnonzero(r.output_rows >= 0)
        first = r.output_rows[:1]
        self._first_row = int(first[0]) if first.size else -1
        self._first_constant = float(r.output_constants[0]) if first.size else 0.0
        self._first = _Sweep(r, self.pieces, runs, first[first >= 0], by_one=True)
        self._all = _Sweep(r, self.pieces, runs, r.output_rows[self._active], by_one=False)
        self._free: list[_Frame] = []  # memory of calls: another thread, or a rule that calls the program, has its own

    def evaluate(self, vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        """As `kernels.point.point`, without the frame."""
        frame = self._frame()
        try:
            failed = self._replayed(frame, vector)
            if failed < 0 and first >= 0:
                out[:] = self._adjoints(frame, self._first, None)[first : first + out.size]
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
            failed, adjoints = self._replayed(frame, vector), np.empty(0)
            if failed < 0:
                adjoints = self._adjoints(frame, self._all, seeds[self._active]).copy()
            return self._outputs(frame), adjoints, failed
        finally:
            self._free.append(frame)

    def _frame(self) -> _Frame:
        try:
            return self._free.pop()
        except IndexError:
            return _Frame(self._r, self._table)

    def _replayed(self, frame: _Frame, vector: Vector) -> int:
        """Fill in the values of all rows; returns the first guard that decides otherwise, or -1."""
        frame.value[: vector.size] = vector
        for stretch in self._stretches:
            failed = self._forward(frame.address, stretch.address, stretch.count, self._replay_rows)
            if failed >= 0:
                return failed
            if stretch.block is not None:
                stretch.block.evaluate(frame.value)
        return -1

    def _outputs(self, frame: _Frame) -> Vector:
        outputs = self._r.output_constants.copy()
        outputs[self._active] = frame.value[self._all.rows]
        return outputs

    def _adjoints(self, frame: _Frame, sweep: _Sweep, seeds: Vector | None) -> Vector:
        """Adjoints of all inputs for seeds of the rows of a sweep, valid until the frame is used again."""
        r = self._r
        if seeds is not None:
            sweep.seed(frame.adjoint, seeds)
        if not sweep.run(frame):
            return frame.adjoint[1 : r.n_inputs + 1]
        if self._partials.count:  # the zero-factor rule is one of rows, with their partials
            self._forward(frame.address, self._partials.address, self._partials.count, self._replay_rows)
        point = Point(frame.value, frame.picked, frame.partial0, frame.partial1, -1)
        seeds = np.ones(sweep.rows.size) if seeds is None else seeds
        return r.slopes(point, sweep.rows, seeds, np.arange(r.n_inputs))


class _Frame:
    """Arrays of a call and their address, valid as long as they are."""

    def __init__(self, r: Recording, runs: NDArray[np.int64]) -> None:
        n = len(r)
        self.value, self.adjoint = np.empty(n), np.empty(n + 1)
        self.partial0, self.partial1, self.picked = np.zeros(n), np.zeros(n), r.arg1.copy()
        arrays = {
            "opcode": r.opcode,
            "arg0": r.arg0,
            "arg1": r.arg1,
            "passive0": r.partial0,
            "passive1": r.partial1,
            "rows": np.arange(n, dtype=np.int32),
            "table_starts": r.table_starts,
            "table_rows": r.table_rows,
            "table_values": r.table_values,
            "table_of_row": r.table_of_row,
            "output_rows": r.output_rows,
            "output_constants": r.output_constants,
            "value": self.value,
            "partial0": self.partial0,
            "partial1": self.partial1,
            "picked": self.picked,
            "adjoint": self.adjoint,
            "runs": runs,
        }
        self._arrays = [np.ascontiguousarray(arrays[name], dtype) for name, dtype in COLUMNS]
        self._table = np.array([(column.ctypes.data, column.size) for column in self._arrays], np.int64)
        self.address = int(self._table.ctypes.data)
