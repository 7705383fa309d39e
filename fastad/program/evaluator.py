"""One point of one recording, in memory that is kept from call to call: value and outputs, or value and gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from ..kernels import point as kernels
from ..packing import Vector
from ..record import sweep
from ..record.blocks import Block, BlockAt
from ..record.bulk_sweep import Adjoints, reverse
from .recording import Point, Recording
from .runs import Run, find

Evaluator = Callable[[Vector, int, Vector], tuple[float, int]]  # as `kernels.point`, without the frame


def evaluator(r: Recording) -> Evaluator:
    """Return ``kernels.point`` of a recording: each call takes a frame with memory of its own, and puts it back."""
    runs = find(r)
    if r.blocks or runs:
        return _by_stretches(r, runs)
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


def _by_stretches(r: Recording, runs: Sequence[Run]) -> Evaluator:
    """``kernels.point`` of a recording with BLOCK rows or runs: kernels for the rows between them."""
    replay = kernels.entry(kernels.replay_rows)
    pieces: list[tuple[int, int, Block | Run]] = [(block.row, block.stop, block) for block in r.blocks]
    pieces = sorted([*pieces, *((run.start, run.stop, run) for run in runs)], key=itemgetter(0))
    row, constant = (int(r.output_rows[0]), float(r.output_constants[0])) if r.output_rows.size else (-1, 0.0)
    active = np.flatnonzero(r.output_rows >= 0)
    before = [piece for start, _, piece in pieces if start <= row]
    end = max(row + 1, r.n_inputs, *(stop for start, stop, _ in pieces if start <= row))
    waiting = [run for run in runs if run.start <= row]
    free: list[tuple[Any, int]] = []

    def replayed(frame: int, values: Vector) -> int:
        at = 0
        for start, stop, piece in pieces:
            failed = replay(frame, at, start)
            if failed >= 0:
                return failed
            piece.evaluate(values)
            at = stop
        return replay(frame, at, len(r))

    def slopes(arrays: dict[str, Any], frame: int) -> Vector:
        values, adjoint = arrays["value"], arrays["adjoint"]
        columns = sweep.Columns(*(arrays[name] for name in ("arg0", "picked", "partial0", "partial1")))
        found = Adjoints(adjoint[: end + 1], waiting)
        found.settle(row, row)
        adjoint[row + 1] = 1.0
        between = [BlockAt(piece, values) if isinstance(piece, Block) else piece for piece in before]
        reverse(columns, values, between, found, end)
        if not sweep.has_nan(result := adjoint[1 : r.n_inputs + 1]):
            return result
        for run in runs:  # the zero-factor rule is one of rows, with their partials
            replay(frame, run.start, run.stop)
        point = Point(values, arrays["picked"], arrays["partial0"], arrays["partial1"], -1)
        return r.slopes(point, np.array([row], np.int32), np.ones(1), np.arange(r.n_inputs))

    def evaluate(vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        try:
            arrays, frame = free.pop()
        except IndexError:
            arrays, frame = _frame(r)
        values = arrays["value"]
        try:
            values[: vector.size] = vector
            failed = replayed(frame, values)
            if failed < 0 and first >= 0 and row >= 0:
                out[:] = slopes(arrays, frame)[first : first + out.size]
            elif failed < 0 and first >= 0:
                out[:] = 0.0
            elif failed < 0 and out.size:
                out[:] = r.output_constants
                out[active] = values[r.output_rows[active]]
            return (float(values[row]) if row >= 0 else constant), failed
        finally:
            free.append((arrays, frame))

    return evaluate


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
