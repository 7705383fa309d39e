"""Writing rows into the columns of a tape, and evaluating recorded rows again at one point."""

from __future__ import annotations

import numpy as np

from ..ops import OPCODE
from ._jit import jit
from .replay import partials, value

_ADD = OPCODE["add"]
_INPUT = OPCODE["input"]
_GUARD = OPCODE["guard"]
_COND = OPCODE["cond"]
_WHERE = OPCODE["where"]


@jit
def scalar_value(op, x, y):
    """Value of an operation of floats: what Python recording calls for all but the plainest arithmetic."""
    return value(op, x, y, 0.0)


@jit
def _store_row(row, op, a, x, b, y, v, opcode, arg0, arg1, partial0, partial1, values):
    """One row; a passive operand leaves its value where its partial would stand."""
    first, second = partials(op, x, y, v, values[row - 1] if row > 0 else 0.0)
    opcode[row] = op
    arg0[row] = a
    arg1[row] = b
    partial0[row] = first if a >= 0 else x
    partial1[row] = second if b >= 0 else y
    values[row] = v


@jit
def write_staged(staged, start, opcode, arg0, arg1, partial0, partial1, values):
    """Rows staged by Python recording: (opcode, arg0, arg1, passive operand, value) each."""
    for i in range(staged.shape[0]):
        row = start + i
        a, b = np.int32(staged[i, 1]), np.int32(staged[i, 2])
        x = values[a] if a >= 0 else staged[i, 3]
        y = values[b] if b >= 0 else staged[i, 3]
        op = np.uint8(staged[i, 0])
        _store_row(row, op, a, x, b, y, staged[i, 4], opcode, arg0, arg1, partial0, partial1, values)


@jit
def write_elementwise(op, a, x, b, y, start, opcode, arg0, arg1, partial0, partial1, values):
    """One row per element of the operands a (rows) and x (values), b and y."""
    for i in range(x.size):
        v = value(op, x[i], y[i], 0.0)
        _store_row(start + i, op, a[i], x[i], b[i], y[i], v, opcode, arg0, arg1, partial0, partial1, values)


@jit
def write_where(condition, a, x, b, y, start, opcode, arg0, arg1, partial0, partial1, values):
    """A COND row and a WHERE row per element; ``condition`` holds the rows of the conditions."""
    for i in range(x.size):
        row = start + 2 * i
        c = values[condition[i]]
        _store_row(row, _COND, condition[i], c, -1, 0.0, c, opcode, arg0, arg1, partial0, partial1, values)
        v = value(_WHERE, x[i], y[i], c)
        _store_row(row + 1, _WHERE, a[i], x[i], b[i], y[i], v, opcode, arg0, arg1, partial0, partial1, values)


@jit
def write_sum(index, x, start, opcode, arg0, arg1, partial0, partial1, values):
    """Add elements in order, a row per sum that is active; returns (rows written, row or -1, value)."""
    count, row, total = 0, np.int32(-1), 0.0
    for i in range(x.size):
        if i == 0:
            row, total = index[0], x[0]
            continue
        v = total + x[i]
        if row >= 0 or index[i] >= 0:
            at = np.int32(start + count)
            _store_row(at, _ADD, row, total, index[i], x[i], v, opcode, arg0, arg1, partial0, partial1, values)
            row = at
            count += 1
        total = v
    return count, row, total


@jit
def replay_point(opcode, arg0, arg1, passive0, passive1, rows, values, partial0, partial1):
    """Values and partials of the listed rows in order; returns the first failing guard row or -1.

    ``passive0`` and ``passive1`` are the partial columns of the recording, where passive operands stand;
    ``values`` holds the inputs on entry. A guard row's recorded outcome stands in ``passive1``.
    """
    failed = -1
    for row in rows:
        op, a, b = opcode[row], arg0[row], arg1[row]
        x = values[a] if a >= 0 else passive0[row]
        y = values[b] if b >= 0 else passive1[row]
        if op == _INPUT:
            continue
        if op == _GUARD:
            values[row] = x
            if x != passive1[row] and failed < 0:
                failed = row
            continue
        c = values[row - 1] if row > 0 else 0.0
        v = value(op, x, y, c)
        values[row] = v
        partial0[row], partial1[row] = partials(op, x, y, v, c)
    return failed
