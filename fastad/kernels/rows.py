"""Writing rows into the columns of a tape, and evaluating recorded rows again at one point.

The six columns are handed over as one address, of a list of their addresses: an array argument takes 0.1 us.
"""

from __future__ import annotations

import numpy as np
from numba import carray

from ..ops import OPCODE
from ._jit import jit
from .frame import integers_at, pointer
from .lookup import find_cell, find_element
from .replay import evaluated, partials, value

_ADD = np.int64(OPCODE["add"])
_INPUT = OPCODE["input"]
_GUARD = OPCODE["guard"]
_COND = np.int64(OPCODE["cond"])
_WHERE = np.int64(OPCODE["where"])
_LOCATE = OPCODE["locate"]
_TAKE = OPCODE["take"]
_BLOCK, _PART = np.int64(OPCODE["block"]), np.int64(OPCODE["part"])


@jit
def opened(columns, stop):
    """Columns of a tape whose addresses are listed at an address, up to a row."""
    at = integers_at(columns, 6)
    return (
        carray(pointer(at[0]), (stop,), np.uint8),
        carray(pointer(at[1]), (stop,), np.int32),
        carray(pointer(at[2]), (stop,), np.int32),
        carray(pointer(at[3]), (stop,), np.float64),
        carray(pointer(at[4]), (stop,), np.float64),
        carray(pointer(at[5]), (stop,), np.float64),
    )


@jit
def scalar_value(op, x, y):
    """Value of an operation of floats: what Python recording calls for all but the plainest arithmetic."""
    return value(op, x, y, 0.0)


# The loops below store their columns themselves: passing six arrays to a helper costs 30 ns a row in reference
# counts, the whole row 7 ns.


@jit
def _columns_of(op, a, x, b, y, c):
    """Value of a row, and what stands in its partial columns: the partial, or the operand where it is passive."""
    v, first, second = evaluated(op, x, y, c)
    return v, (first if a >= 0 else x), (second if b >= 0 else y)


@jit
def write_staged(staged, start, columns):
    """Rows staged by Python recording: (opcode, arg0, arg1, passive operand, value) each."""
    opcode, arg0, arg1, partial0, partial1, values = opened(columns, start + len(staged))
    for i in range(staged.shape[0]):
        row = start + i
        op, a, b = np.uint8(staged[i, 0]), np.int32(staged[i, 1]), np.int32(staged[i, 2])
        x = values[a] if a >= 0 else staged[i, 3]
        y = values[b] if b >= 0 else staged[i, 3]
        v = staged[i, 4]
        c = values[row - 1] if row > 0 else 0.0
        opcode[row], arg0[row], arg1[row], values[row] = op, a, b, v
        first, second = partials(op, x, y, v, c)
        partial0[row], partial1[row] = (first if a >= 0 else x), (second if b >= 0 else y)


@jit
def write_inputs(x, start, columns):
    """One INPUT row per number."""
    opcode, arg0, arg1, partial0, partial1, values = opened(columns, start + x.size)
    for k in range(x.size):
        row = start + k
        opcode[row], arg0[row], arg1[row], values[row] = _INPUT, -1, -1, x[k]
        partial0[row], partial1[row] = x[k], 0.0


@jit
def write_elementwise(op, a, x, b, y, start, columns):
    """One row per element of the operands a (rows) and x (values), b and y."""
    opcode, arg0, arg1, partial0, partial1, values = opened(columns, start + x.size)
    for i in range(x.size):
        row = start + i
        opcode[row], arg0[row], arg1[row] = op, a[i], b[i]
        values[row], partial0[row], partial1[row] = _columns_of(op, a[i], x[i], b[i], y[i], 0.0)


@jit
def record_elementwise(op, a, x, b, y, start, columns, out, index):
    """An operation on arrays with passive elements among them; fills ``out`` and the rows ``index``, -1 for those.

    Operands of one element belong to every element of the other. Returns the number of rows written, one per element
    with an active operand; -1 where an operand is a row from ``start`` on, which is no row any more.
    """
    opcode, arg0, arg1, partial0, partial1, values = opened(columns, start + out.size)
    count = 0
    for k in range(out.size):
        p, q = (k if x.size > 1 else 0), (k if y.size > 1 else 0)
        i, j = a[p], b[q]
        out[k], first, second = _columns_of(op, i, x[p], j, y[q], 0.0)
        if i < 0 and j < 0:
            index[k] = -1
            continue
        if i >= start or j >= start:
            return -1
        row = start + count
        opcode[row], arg0[row], arg1[row], values[row] = op, i, j, out[k]
        partial0[row], partial1[row] = first, second
        index[k] = row
        count += 1
    return count


@jit
def write_block(x, start, columns):
    """A BLOCK row, and a PART row per element of its results."""
    opcode, arg0, arg1, partial0, partial1, values = opened(columns, start + 1 + x.size)
    opcode[start], arg0[start], arg1[start], values[start] = _BLOCK, -1, -1, 0.0
    partial0[start], partial1[start] = 0.0, 0.0
    for k in range(x.size):
        row = start + 1 + k
        opcode[row], arg0[row], arg1[row], values[row] = _PART, start, -1, x[k]
        partial0[row], partial1[row] = 0.0, 0.0


@jit
def write_where(condition, a, x, b, y, start, columns):
    """A COND row and a WHERE row per element; ``condition`` holds the rows of the conditions."""
    opcode, arg0, arg1, partial0, partial1, values = opened(columns, start + 2 * x.size)
    for i in range(x.size):
        row = start + 2 * i
        c = values[condition[i]]
        opcode[row], arg0[row], arg1[row], values[row] = _COND, condition[i], -1, c
        partial0[row], partial1[row] = 0.0, 0.0
        row += 1
        opcode[row], arg0[row], arg1[row] = _WHERE, a[i], b[i]
        values[row], partial0[row], partial1[row] = _columns_of(_WHERE, a[i], x[i], b[i], y[i], c)


@jit
def write_sum(index, x, start, columns):
    """Add elements in order, a row per sum that is active; returns (rows written, row or -1, value).

    Less than zero rows where an element is a row from ``start`` on, which is no row any more.
    """
    opcode, arg0, arg1, partial0, partial1, values = opened(columns, start + x.size)
    count, at, total, is_stale = 0, np.int32(-1), 0.0, False
    for i in range(x.size):
        is_stale |= index[i] >= start
        if i == 0:
            at, total = index[0], x[0]
            continue
        v = total + x[i]
        if at >= 0 or index[i] >= 0:
            row = np.int32(start + count)
            opcode[row], arg0[row], arg1[row], values[row] = _ADD, at, index[i], v
            partial0[row], partial1[row] = (1.0 if at >= 0 else total), (1.0 if index[i] >= 0 else x[i])
            at = row
            count += 1
        total = v
    return (-1 if is_stale else count), at, total


@jit
def write_sums(index, x, start, columns, out, out_index):
    """``write_sum`` for every row of a matrix; fills ``out`` and ``out_index``, returns the number of rows written."""
    row = start
    for i in range(out.size):
        count, out_index[i], out[i] = write_sum(index[i], x[i], row, columns)
        row += count
    return row - start


@jit
def replay_point(opcode, arg0, arg1, passive0, passive1, rows, tables, values, partial0, partial1, picked):
    """Values and partials of the listed rows in order; returns the first failing guard row or -1.

    ``passive0`` and ``passive1`` are the partial columns of the recording, where passive operands stand;
    ``values`` holds the inputs on entry. A guard row's recorded outcome stands in ``passive1``. ``tables`` is
    (starts, rows, values, table of each row); ``picked`` becomes ``arg1`` with the elements picked here.
    """
    starts, element_rows, element_values, used = tables
    failed = -1
    for row in rows:
        op, a, b = opcode[row], arg0[row], arg1[row]
        x = values[a] if a >= 0 else passive0[row]
        if op == _INPUT:
            continue
        if op == _GUARD:
            values[row] = x
            if x != passive1[row] and failed < 0:
                failed = row
            continue
        if op == _LOCATE:
            values[row] = find_cell(element_values, starts[used[row]], starts[used[row] + 1], x)
            continue
        if op == _TAKE:
            first = starts[used[row]]
            at = first + find_element(x, starts[used[row] + 1] - first)
            picked[row] = element_rows[at]
            values[row] = values[element_rows[at]] if element_rows[at] >= 0 else element_values[at]
            partial1[row] = 1.0
            continue
        y = values[b] if b >= 0 else passive1[row]
        c = values[row - 1] if row > 0 else 0.0
        values[row], partial0[row], partial1[row] = evaluated(np.int64(op), x, y, c)
    return failed
