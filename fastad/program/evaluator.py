"""One point of one recording, in memory that is kept from call to call: value and outputs, or value and gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import point as kernels
from ..kernels.bulk import extent
from ..packing import Vector
from ..record import sweep
from ..record.blocks import Block, BlockAt
from ..record.bulk_sweep import Adjoints, reverse
from .recording import Point, Recording
from .runs import Run, find

Evaluator = Callable[[Vector, int, Vector], tuple[float, int]]  # as `kernels.point`, without the frame


def evaluator(r: Recording) -> Evaluator:
    """Return ``kernels.point`` of a recording: each call takes a frame with memory of its own, and puts it back."""
    point = kernels.entry(kernels.point)
    free: list[int] = []
    alive: list[Any] = []

    def evaluate(vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        try:
            frame = free.pop()
        except IndexError:
            arrays, frame = _frame(r)
            alive.append(arrays)
        try:
            return point(frame, vector, first, out)
        finally:
            free.append(frame)

    return evaluate


class _Cone(NamedTuple):
    """What a reverse sweep from some rows meets: pieces in ascending rows, those of them that are runs; its end."""

    rows: NDArray[np.int32]
    lowest: int
    highest: int
    pieces: list[Block | Run]
    runs: list[Run]
    stop: int


class Stretches:
    """A recording whose rows are left to kernels, but for its *pieces*: BLOCK rows and runs."""

    def __init__(self, r: Recording) -> None:
        self._r = r
        self._replay = kernels.entry(kernels.replay_rows)
        self._runs = find(r)
        pieces: list[tuple[int, int, Block | Run]] = [(block.row, block.stop, block) for block in r.blocks]
        self.pieces = sorted([*pieces, *((run.start, run.stop, run) for run in self._runs)], key=itemgetter(0))
        self._active = np.flatnonzero(r.output_rows >= 0)
        self._first = self._cone(r.output_rows[:1][r.output_rows[:1] >= 0])
        self._all = self._cone(r.output_rows[self._active])
        self._free: list[tuple[dict[str, Any], int]] = []

    def _cone(self, rows: NDArray[np.int32]) -> _Cone:
        lowest, highest, _ = extent(rows) if rows.size else (-1, -1, False)
        before = [piece for piece in self.pieces if piece[0] <= highest]
        stop = max([highest + 1, self._r.n_inputs, *(stop for _, stop, _ in before[-1:])])
        runs = [run for run in self._runs if run.start <= highest]
        return _Cone(rows, lowest, highest, [piece for *_, piece in before], runs, stop)

    def evaluate(self, vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        """As `kernels.point`, without the frame."""
        with self._frame() as (arrays, frame):
            failed = self._replayed(arrays["value"], frame, vector)
            outputs = self._outputs(arrays["value"])
            if failed < 0 and first >= 0:
                out[:] = self._adjoints(arrays, frame, self._first, np.ones(self._first.rows.size))[first:][: out.size]
            elif failed < 0 and out.size:
                out[:] = outputs
            return float(outputs[0]) if outputs.size else 0.0, failed

    def pullback(self, vector: Vector, seeds: Vector) -> tuple[Vector, Vector, int]:
        """Outputs, adjoints of all inputs for seeds of the outputs, and the first guard that fails or -1."""
        with self._frame() as (arrays, frame):
            failed = self._replayed(arrays["value"], frame, vector)
            adjoints = np.empty(0)
            if failed < 0:
                adjoints = self._adjoints(arrays, frame, self._all, seeds[self._active]).copy()
            return self._outputs(arrays["value"]), adjoints, failed

    @contextmanager
    def _frame(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Memory of a call: another thread, or a rule that calls the program, has its own."""
        try:
            taken = self._free.pop()
        except IndexError:
            taken = _frame(self._r)
        try:
            yield taken
        finally:
            self._free.append(taken)

    def _replayed(self, values: Vector, frame: int, vector: Vector) -> int:
        """Fill in the values of all rows; returns the first guard that decides otherwise, or -1."""
        values[: vector.size] = vector
        at = self._r.n_inputs
        for start, stop, piece in self.pieces:
            failed = self._replay(frame, at, start)
            if failed >= 0:
                return failed
            piece.evaluate(values)
            at = stop
        return self._replay(frame, at, len(self._r))

    def _outputs(self, values: Vector) -> Vector:
        outputs = self._r.output_constants.copy()
        outputs[self._active] = values[self._all.rows]
        return outputs

    def _adjoints(self, arrays: dict[str, Any], frame: int, cone: _Cone, seeds: Vector) -> Vector:
        """Adjoints of all inputs for seeds of the rows of a cone, valid until the frame is used again."""
        r, values = self._r, arrays["value"]
        columns = sweep.Columns(*(arrays[name] for name in ("arg0", "picked", "partial0", "partial1")))
        found = Adjoints(arrays["adjoint"][: cone.stop + 1], cone.runs)
        found.settle(cone.lowest, cone.highest)
        np.add.at(found.adjoint, cone.rows + 1, seeds)
        between = [BlockAt(piece, values) if isinstance(piece, Block) else piece for piece in cone.pieces]
        reverse(columns, values, between, found, r.n_inputs, cone.stop)
        result = found.adjoint[1 : r.n_inputs + 1]
        if not sweep.has_nan(result):
            return result
        for run in self._runs:  # the zero-factor rule is one of rows, with their partials
            self._replay(frame, run.start, run.stop)
        point = Point(values, arrays["picked"], arrays["partial0"], arrays["partial1"], -1)
        return r.slopes(point, cone.rows, seeds, np.arange(r.n_inputs))


def _frame(r: Recording) -> tuple[Any, int]:
    """Arrays of a frame, and its address, valid as long as they are."""
    n = len(r)
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
        "value": np.empty(n),
        "partial0": np.zeros(n),
        "partial1": np.zeros(n),
        "picked": r.arg1.copy(),
        "adjoint": np.empty(n + 1),
    }
    arrays = {name: np.ascontiguousarray(arrays[name], dtype) for name, dtype in kernels.COLUMNS}
    table = np.array([(column.ctypes.data, column.size) for column in arrays.values()], np.int64)
    return arrays | {"table": table}, int(table.ctypes.data)
