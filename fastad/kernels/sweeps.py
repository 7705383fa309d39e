"""Reverse and forward sweeps over a tape: operand rows and partials only, no opcodes.

The buffers ``adjoint`` and ``tangent`` have one leading row for the operand -1, so row i of the tape is row
i + 1 of the buffer and a passive operand needs no branch: its adjoint is thrown away, its tangent is zero.
Unsigned indices, because numba spends a compare and a select on every signed one.

``masked`` sweeps keep the rule that a product with an exactly zero factor is zero where partials or adjoints
are not finite. The plain ones are tried first: a NaN never disappears on its way to the inputs, so a result
without NaN needed no mask.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit
from ._simd import fma, select


@jit
def masked_fma(x, y, z):
    """x*y + z, where a product with an exactly zero factor is zero even if the other one is inf or NaN."""
    return select((x == 0.0) | (y == 0.0), z, fma(x, y, z))


@jit
def reverse(arg0, arg1, partial0, partial1, adjoint, start, stop):
    """Reverse sweep of rows ``stop - 1`` to ``start`` for one seed; ``adjoint`` has shape (rows + 1,).

    Most rows feed the row after them, and reading back what was just stored costs a chain of such rows 4.2 ns each:
    the last sum stays in a register, 3.1 ns.
    """
    last, last_sum = np.uint64(0), 0.0
    for row in range(stop - 1, start - 1, -1):
        here = np.uint64(row + 1)
        bar = last_sum if last == here else adjoint[here]
        first, second = np.uint64(arg0[row] + 1), np.uint64(arg1[row] + 1)
        last, last_sum = first, fma(bar, partial0[row], adjoint[first])
        adjoint[first] = last_sum
        second_sum = fma(bar, partial1[row], adjoint[second])
        adjoint[second] = second_sum
        if second == first:
            last_sum = second_sum


@jit
def reverse_masked(arg0, arg1, partial0, partial1, adjoint, start, stop):
    """``reverse`` under the zero-factor rule."""
    for row in range(stop - 1, start - 1, -1):
        bar = adjoint[np.uint64(row + 1)]
        first, second = np.uint64(arg0[row] + 1), np.uint64(arg1[row] + 1)
        adjoint[first] = masked_fma(bar, partial0[row], adjoint[first])
        adjoint[second] = masked_fma(bar, partial1[row], adjoint[second])


@jit
def gradient(arg0, arg1, partial0, partial1, adjoint, row, out):
    """Derivatives of one row by the first ``out.size`` rows; ``adjoint`` has room for all rows up to both, and one."""
    stop = max(row + 1, out.size)
    for masked in (False, True):
        adjoint[: stop + 1] = 0.0
        adjoint[row + 1] = 1.0
        if masked:
            reverse_masked(arg0, arg1, partial0, partial1, adjoint, 0, row + 1)
        else:
            reverse(arg0, arg1, partial0, partial1, adjoint, 0, row + 1)
        nan = False
        for i in range(out.size):
            out[i] = adjoint[i + 1]
            nan = nan or out[i] != out[i]
        if not nan:
            break


@jit
def reverse_many(arg0, arg1, partial0, partial1, adjoint, start, stop, masked):
    """Reverse sweep for k seeds side by side; ``adjoint`` has shape (rows + 1, k)."""
    k = adjoint.shape[1]
    for row in range(stop - 1, start - 1, -1):
        bar = adjoint[row + 1]
        for arg, partial in ((arg0[row], partial0[row]), (arg1[row], partial1[row])):
            if arg < 0:
                continue
            target = adjoint[arg + 1]
            if masked:
                for j in range(k):
                    target[j] = masked_fma(bar[j], partial, target[j])
            else:
                for j in range(k):
                    target[j] = fma(bar[j], partial, target[j])


@jit
def forward_many(arg0, arg1, partial0, partial1, is_input, tangent, start, stop, masked):
    """Forward sweep of k directions side by side; ``tangent`` has shape (rows + 1, k), inputs filled in."""
    k = tangent.shape[1]
    for row in range(start, stop):
        if is_input[row]:
            continue
        x_dot, y_dot = tangent[arg0[row] + 1], tangent[arg1[row] + 1]
        out = tangent[row + 1]
        first, second = partial0[row], partial1[row]
        if masked:
            for j in range(k):
                out[j] = masked_fma(y_dot[j], second, masked_fma(x_dot[j], first, 0.0))
        else:
            for j in range(k):
                out[j] = fma(y_dot[j], second, x_dot[j] * first)
