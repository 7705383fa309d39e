"""Truncated Taylor arithmetic over recorded rows: all coefficients along a line in one go.

With v = f(x), the coefficients obey k v_k = sum over j of j x_j p_(k-j), where p are those of the partial. A partial is
an expression over rows of the table, so its rows are appended behind the recording (`expand`) and take part in the
recurrence; their own partials are needed to one order less. Sums, products and quotients have their convolutions, so
an order-d expansion of a row costs O(d^2).
"""

from __future__ import annotations

import numpy as np

from ..ops import OPCODE, OPS
from ._jit import jit
from .derivative_rows import partial_of

_ADD, _SUB, _NEG, _MUL, _DIV = (OPCODE[name] for name in ("add", "sub", "neg", "mul", "div"))
_PRODUCT, _VARIABLE, _WHERE, _TAKE = (OPCODE[name] for name in ("product", "variable", "where", "take"))
_INPUT = OPCODE["input"]

_CONVOLVED = {_INPUT, _ADD, _SUB, _NEG, _MUL, _DIV, _PRODUCT, _VARIABLE, _WHERE, _TAKE}
# Operations whose coefficients come from their partials; the others have a convolution or are constant.
EXPANDED = np.array([code not in _CONVOLVED and set(op.partials) != {"0.0"} for code, op in enumerate(OPS)])


@jit
def mark_active(arg0, arg1, active):
    """Spread ``active`` from the inputs marked on entry to all that is computed from them."""
    for row in range(arg0.size):
        for arg in (arg0[row], arg1[row]):
            active[row] = active[row] or (arg >= 0 and active[arg])


@jit
def expand(stop, order, expanded, active, depth, known, known_row, known_value, templates, columns, cursor):
    """Append the partials of rows below ``stop``, the partials of those, and so on, as deep as the order needs."""
    opcode, arg0, arg1 = columns[0], columns[1], columns[2]
    first = np.int64(0)  # of one type everywhere, or numba compiles what it is handed to again
    for original in range(stop):
        if not active[original] or not expanded[opcode[original]]:
            continue
        begin = cursor[0]
        cursor[1], cursor[2] = original, begin
        row = original
        while row < cursor[0]:
            if active[row] and expanded[opcode[row]] and depth[row] < order:
                before = cursor[0]
                for which in range(2):
                    arg = arg0[row] if which == 0 else arg1[row]
                    if arg >= 0 and active[arg]:
                        partial_of(row, which, known, known_row, known_value, first, templates, columns, cursor)
                for new in range(before, cursor[0]):
                    depth[new] = depth[row] + 1
                    x = arg0[new] >= 0 and active[arg0[new]]
                    active[new] = x or (arg1[new] >= 0 and active[arg1[new]])
            row = begin if row == original else row + 1


@jit
def _coefficient(coefficients, row, passive, k):
    if row < 0:
        return passive if k == 0 else 0.0
    return coefficients[row, k]


@jit
def _times(x, y):
    return 0.0 if x == 0.0 or y == 0.0 else x * y


@jit
def _convolution(coefficients, a, x, b, y, first, k):
    """Sum over j from ``first`` to k of x_j y_(k-j)."""
    total = 0.0
    for j in range(first, k + 1):
        total += _times(_coefficient(coefficients, a, x, j), _coefficient(coefficients, b, y, k - j))
    return total


@jit
def _by_partials(coefficients, row, a, b, known, known_row, known_value, k):
    """Coefficient k of a row from those of its operands and of its partials."""
    total = 0.0
    for which in range(2):
        arg = a if which == 0 else b
        if arg < 0 or not known[row, which]:
            continue
        p, number = known_row[row, which], known_value[row, which]
        for j in range(1, k + 1):
            total += j * _times(coefficients[arg, j], _coefficient(coefficients, p, number, k - j))
    return total / k


@jit
def propagate(active, depth, known, known_row, known_value, expanded, columns, coefficients):
    """Fill the coefficients of all rows, order by order; those of the inputs, and all of order 0, stand there."""
    opcode, arg0, arg1, partial0, partial1, _ = columns
    order = coefficients.shape[1] - 1
    for k in range(1, order + 1):
        for row in range(active.size):
            op = opcode[row]
            if not active[row] or op == _INPUT or k > order - depth[row]:
                continue
            a, b = arg0[row], arg1[row]
            x, y = partial0[row], partial1[row]  # the operands where they are passive
            if op == _ADD or op == _SUB:
                second = _coefficient(coefficients, b, y, k)
                found = _coefficient(coefficients, a, x, k) + (second if op == _ADD else -second)
            elif op == _NEG:
                found = -coefficients[a, k]
            elif op == _VARIABLE:
                found = coefficients[a, k]
            elif op == _MUL or op == _PRODUCT:
                found = _convolution(coefficients, a, x, b, y, 0, k)
            elif op == _DIV:
                rest = _convolution(coefficients, b, y, row, 0.0, 1, k)
                found = (_coefficient(coefficients, a, x, k) - rest) / _coefficient(coefficients, b, y, 0)
            elif op == _WHERE:
                chosen = coefficients[row - 1, 0] != 0.0
                found = _coefficient(coefficients, a, x, k) if chosen else _coefficient(coefficients, b, y, k)
            elif op == _TAKE:
                found = _coefficient(coefficients, b, y, k)
            elif expanded[op]:
                found = _by_partials(coefficients, row, a, b, known, known_row, known_value, k)
            else:
                found = 0.0
            coefficients[row, k] = found
