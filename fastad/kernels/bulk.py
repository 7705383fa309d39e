"""Operations on long arrays, forward and reverse, without rows: the row kernels run along the elements.

Same numbers to the last bit as rows recorded one by one and swept: the row kernels are the same, and contributions to
an adjoint are added in the same order, last element first.
"""

from __future__ import annotations

import numpy as np

from ._jit import announced, jit
from ._simd import WIDTH, address, fma
from .replay import adjoint_row, value_row

_PART = 512  # elements at a time: their partials stay in the cache


@announced(seconds=10)
@jit
def evaluate(op, x, y, out):
    """Values of an operation; operands of one element belong to every element of the other."""
    x_step = WIDTH if x.size > 1 else 0
    y_step = WIDTH if y.size > 1 else 0
    whole = out.size // WIDTH
    single_x, single_y, last = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
    single_x[:], single_y[:] = x[0], y[0]
    a = address(x) if x_step else address(single_x)
    b = address(y) if y_step else address(single_y)
    value_row(op, a, x_step, b, y_step, a, x_step, address(out), whole)
    done = whole * WIDTH
    if done < out.size:
        for k in range(out.size - done):
            single_x[k] = x[done + k] if x_step else x[0]
            single_y[k] = y[done + k] if y_step else y[0]
        s, t = address(single_x), address(single_y)
        value_row(op, s, WIDTH, t, WIDTH, s, WIDTH, address(last), 1)
        for k in range(out.size - done):
            out[done + k] = last[k]


@announced(seconds=15)
@jit
def reverse(op, x, y, v, x_rows, y_rows, x_first, y_first, bar, adjoint):
    """Add the adjoints of the operands of an operation on arrays.

    Parameters
    ----------
    op : int
    x, y, v : ndarray
        Operands and values; operands of one element belong to every element.
    x_rows, y_rows : int32 array
        Rows of the operands, one per element, or one for all; empty where they are passive or consecutive.
    x_first, y_first : int
        First of consecutive rows, -1 where they are not.
    bar : ndarray
        Adjoints of the results.
    adjoint : ndarray, shape (rows + 1,)
    """
    whole = v.size // WIDTH * WIDTH
    ones, zeros, partial = np.ones(_PART), np.zeros(WIDTH), np.empty(_PART)
    x_step = WIDTH if x.size > 1 else 0
    y_step = WIDTH if y.size > 1 else 0
    end = v.size
    while end > 0:
        begin = whole if end > whole else (end - 1) // _PART * _PART
        fills = begin < whole  # its vectors
        a = _vector(x, 0 if fills else begin, end)
        b = _vector(y, 0 if fills else begin, end)
        c = _vector(v, begin, end)
        from_x = address(x) + 8 * begin if fills and x_step else address(a)
        from_y = address(y) + 8 * begin if fills and y_step else address(b)
        from_v = address(v) + 8 * begin if fills else address(c)
        for side in range(2):
            rows, first = (x_rows, x_first) if side == 0 else (y_rows, y_first)
            if first < 0 and rows.size == 0:
                continue
            straight = fills and first >= 0  # into the adjoints themselves
            to = address(adjoint) + 8 * (first + 1 + begin) if straight else address(partial)
            base = to if straight else address(zeros)
            base_step = WIDTH if straight else 0
            adjoint_row(
                op, from_x, x_step, from_y, y_step, from_x, x_step, from_v,
                address(bar) + 8 * begin if straight else address(ones),
                to if side == 0 else 0, base, base_step, to if side == 1 else 0, base, base_step,
                (end - begin + WIDTH - 1) // WIDTH,
            )  # fmt: skip
            if not straight:
                _scatter(partial, begin, end, rows, first, bar, adjoint)
        end = begin


@jit
def _vector(source, begin, end):
    """One vector of an operand from an element on, the last one repeated."""
    found = np.empty(WIDTH)
    for k in range(WIDTH):
        found[k] = source[min(begin + k, end - 1) if source.size > 1 else 0]
    return found


@jit
def _scatter(partial, begin, end, rows, first, bar, adjoint):
    """Add adjoints times partials to those of the operands, last element first."""
    if first >= 0:
        for k in range(begin, end):
            at = np.uint64(first + k + 1)
            adjoint[at] = fma(bar[k], partial[k - begin], adjoint[at])
        return
    for k in range(end - 1, begin - 1, -1):
        at = np.uint64(rows[k if rows.size > 1 else 0] + 1)
        adjoint[at] = fma(bar[k], partial[k - begin], adjoint[at])


@jit
def sums(x, out):
    """Sums of the rows of a matrix, each in order."""
    for i in range(x.shape[0]):
        total = x[i, 0]
        for k in range(1, x.shape[1]):
            total = total + x[i, k]
        out[i] = total


@jit
def reverse_sums(rows, first, count, bar, adjoint):
    """Add the adjoints of sums of ``count`` elements each to those of the elements, last first."""
    for i in range(bar.size - 1, -1, -1):
        for k in range(count - 1, -1, -1):
            at = i * count + k
            to = np.uint64((first + at if first >= 0 else rows[at]) + 1)
            adjoint[to] = adjoint[to] + bar[i]


@jit
def extent(index):
    """Lowest and highest row, and whether they are consecutive."""
    low, high, consecutive = index[0], index[0], True
    for k in range(1, index.size):
        row = index[k]
        low, high = min(low, row), max(high, row)
        consecutive = consecutive and row == index[0] + k
    return low, high, consecutive
