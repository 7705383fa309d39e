"""One point of one recording, in memory that is kept from call to call: value and outputs, or value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import point as kernels
from ..packing import Vector
from ..record.blocks import BlockAt
from ..record.sweep import has_nan
from .recording import Recording

Evaluator = Callable[[Vector, int, Vector], tuple[float, int]]  # as `kernels.point`, without the frame


def evaluator(r: Recording) -> Evaluator:
    """Return ``kernels.point`` of a recording: each call takes a frame with memory of its own, and puts it back."""
    if r.blocks:
        return _with_blocks(r)
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


def _with_blocks(r: Recording) -> Evaluator:
    """``kernels.point`` of a recording with BLOCK rows: kernels for the rows between them, each rule on its arrays."""
    replay, reverse = kernels.entry(kernels.replay_rows), kernels.entry(kernels.reverse_rows)
    row, active = int(r.output_rows[0]) if r.output_rows.size else -1, np.flatnonzero(r.output_rows >= 0)
    before = [block for block in r.blocks if block.row <= row]
    stop = max(row + 1, r.n_inputs, *(block.stop for block in before[-1:]))
    free: list[tuple[Any, int]] = []

    def replayed(frame: int, values: Vector) -> int:
        start = 0
        for block in r.blocks:
            failed = replay(frame, start, block.row)
            if failed >= 0:
                return failed
            block.evaluate(values)
            start = block.stop
        return replay(frame, start, len(r))

    def reversed_(frame: int, values: Vector, adjoint: Vector) -> None:
        for masked in (False, True):
            adjoint[: stop + 1] = 0.0
            adjoint[row + 1] = 1.0
            end = stop
            for block in reversed(before):
                reverse(frame, block.stop, end, masked)
                BlockAt(block, values).reverse(adjoint)
                end = block.row
            reverse(frame, 0, end, masked)
            if not has_nan(adjoint[1 : r.n_inputs + 1]):
                break

    def evaluate(vector: Vector, first: int, out: Vector) -> tuple[float, int]:
        try:
            arrays, frame = free.pop()
        except IndexError:
            arrays, frame = _frame(r)
        values, adjoint = arrays["value"], arrays["adjoint"]
        try:
            values[: vector.size] = vector
            failed = replayed(frame, values)
            if failed < 0 and first >= 0 and row >= 0:
                reversed_(frame, values, adjoint)
                out[:] = adjoint[first + 1 : first + 1 + out.size]
            elif failed < 0 and first >= 0:
                out[:] = 0.0
            elif failed < 0 and out.size:
                out[:] = r.output_constants
                out[active] = values[r.output_rows[active]]
            return float(values[row] if row >= 0 else r.output_constants[0]), failed
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
