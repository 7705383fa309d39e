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


@jit
def _load(part, begin, end, source, to):
    """Elements of an operand, a single one repeated, and copies of the last one up to a whole vector."""
    for k in range(part):
        at = min(begin + k, end - 1)
        to[k] = source[at if source.size > 1 else 0]


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
    n = v.size
    a, b, c, g = np.empty(_PART), np.empty(_PART), np.empty(_PART), np.ones(_PART)
    p, q, zeros = np.empty(_PART), np.empty(_PART), np.zeros(_PART)
    x_on, y_on = x_first >= 0 or x_rows.size > 0, y_first >= 0 or y_rows.size > 0
    for number in range((n - 1) // _PART, -1, -1):
        begin = number * _PART
        end = min(begin + _PART, n)
        vectors = (end - begin + WIDTH - 1) // WIDTH
        _load(vectors * WIDTH, begin, end, x, a)
        _load(vectors * WIDTH, begin, end, y, b)
        _load(vectors * WIDTH, begin, end, v, c)
        adjoint_row(
            op, address(a), WIDTH, address(b), WIDTH, address(a), WIDTH, address(c), address(g),
            address(p) if x_on else 0, address(zeros), 0, address(q) if y_on else 0, address(zeros), 0, vectors,
        )  # fmt: skip
        if x_on:
            _scatter(p, begin, end, x_rows, x_first, bar, adjoint)
        if y_on:
            _scatter(q, begin, end, y_rows, y_first, bar, adjoint)


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
