"""One point of one recording in one call: values, outputs and the gradient of a single result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types

from . import frame as columns
from ._call import entry_of
from ._jit import jit
from .frame import floats, indices, opcodes
from .rows import replay_point
from .sweeps import reverse, reverse_masked


@jit
def replay_rows(frame, start, stop):
    """Replay a part of a recording, whose values before are there; returns its first guard that fails, or -1."""
    tables = (
        indices(frame, columns.TABLE_STARTS),
        indices(frame, columns.TABLE_ROWS),
        floats(frame, columns.TABLE_VALUES),
        indices(frame, columns.TABLE_OF_ROW),
    )
    return replay_point(
        opcodes(frame, columns.OPCODE), indices(frame, columns.ARG0), indices(frame, columns.ARG1),
        floats(frame, columns.PASSIVE0), floats(frame, columns.PASSIVE1), indices(frame, columns.ROWS)[start:stop],
        tables, floats(frame, columns.VALUE), floats(frame, columns.PARTIAL0), floats(frame, columns.PARTIAL1),
        indices(frame, columns.PICKED),
    )  # fmt: skip


@jit
def point(frame, vector, first, out):
    """Replay a recording at one point; reverse it from its first output.

    Parameters
    ----------
    frame : int
        Address of the frame.
    vector : ndarray, shape (inputs,)
    first : int
        The first input to differentiate by; -1 for values alone.
    out : ndarray
        Filled with the derivatives by the inputs from ``first`` on; or, for values alone, with outputs.

    Returns
    -------
    value : float
        The first output.
    failed : int
        The first guard that decides otherwise, or -1; derivatives are left as they were then.
    """
    arg0, picked = indices(frame, columns.ARG0), indices(frame, columns.PICKED)
    partial0, partial1 = floats(frame, columns.PARTIAL0), floats(frame, columns.PARTIAL1)
    value, adjoint = floats(frame, columns.VALUE), floats(frame, columns.ADJOINT)
    value[: vector.size] = vector
    failed = replay_rows(frame, 0, value.size)
    output_rows, constants = (
        indices(frame, columns.OUTPUT_ROWS),
        floats(frame, columns.OUTPUT_CONSTANTS),
    )
    for k in range(out.size if first < 0 else 0):
        out[k] = value[output_rows[k]] if output_rows[k] >= 0 else constants[k]
    if output_rows.size == 0:
        return 0.0, failed
    row = output_rows[0]
    result = value[row] if row >= 0 else constants[0]
    if first < 0 or failed >= 0:
        return result, failed
    stop = max(row + 1, vector.size)
    for masked in (False, True):
        adjoint[: stop + 1] = 0.0
        adjoint[row + 1] = 1.0
        if masked:
            reverse_masked(arg0, picked, partial0, partial1, adjoint, 0, row + 1)
        else:
            reverse(arg0, picked, partial0, partial1, adjoint, 0, row + 1)
        nan = False
        for i in range(vector.size):
            nan = nan or adjoint[i + 1] != adjoint[i + 1]
        if not nan:
            break
    for i in range(out.size):
        out[i] = adjoint[first + i + 1]
    return result, failed


_VECTOR = types.Array(types.float64, 1, "C")  # aligned and writeable


def entry(kernel: Any) -> Callable[..., Any]:
    """Return `point` as machine code."""
    return entry_of(kernel, types.int64, _VECTOR, types.int64, _VECTOR)
