"""What the shape of a tape says: which operands carry derivatives, depth, cones, paths, sparsity."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..notation import Rows
from ..ops import OPS

# Whether a row's partial in an operand can be other than zero: rules written as 0.0 carry nothing.
_CARRIES = np.array([[k < op.arity and op.partials[k] != "0.0" for k in (0, 1)] for op in OPS])


def edges(rows: Rows) -> list[tuple[int, ...]]:
    """Return per row the operands that derivatives flow to."""
    carries = _CARRIES[rows.opcode]
    first = np.where(carries[:, 0], rows.arg0, -1).tolist()
    second = np.where(carries[:, 1], rows.arg1, -1).tolist()
    return [tuple(i for i in pair if i >= 0) for pair in zip(first, second)]


def cone(operands: list[tuple[int, ...]], outputs: Iterable[int]) -> NDArray[np.bool_]:
    """Which rows derivatives of the outputs pass through."""
    inside = [False] * len(operands)
    for row in outputs:
        inside[row] = True
    for row in range(len(operands) - 1, -1, -1):
        if inside[row]:
            for i in operands[row]:
                inside[i] = True
    return np.array(inside, np.bool_)


def depths(rows: Rows) -> NDArray[np.int64]:
    """Longest way from an input, per row, along all operands."""
    depth = [0] * len(rows)
    for row, (a, b) in enumerate(zip(rows.arg0.tolist(), rows.arg1.tolist())):
        if a >= 0 or b >= 0:
            depth[row] = 1 + max(depth[a] if a >= 0 else 0, depth[b] if b >= 0 else 0)
    return np.array(depth, np.int64)


def count_paths(operands: list[tuple[int, ...]], inputs: Iterable[int], outputs: Iterable[int]) -> int:
    """Return the number of ways from any input to any output: an exact integer, however large."""
    paths = [0] * len(operands)
    for row in inputs:
        paths[row] = 1
    for row, args in enumerate(operands):
        if args:
            paths[row] = sum(paths[i] for i in args)
    return sum(paths[row] for row in outputs)


def dependencies(operands: list[tuple[int, ...]], inputs: Iterable[int], outputs: Iterable[int]) -> list[int]:
    """Return per output which inputs it depends on, as the bits of an integer."""
    bits = [0] * len(operands)
    for k, row in enumerate(inputs):
        bits[row] = 1 << k
    for row, args in enumerate(operands):
        for i in args:
            bits[row] |= bits[i]
    return [bits[row] for row in outputs]


def colours(patterns: list[int], size: int) -> int:
    """Return how many groups a greedy colouring makes of ``size`` columns, none meeting another in a pattern."""
    rows_of = [[r for r, pattern in enumerate(patterns) if pattern >> c & 1] for c in range(size)]
    taken: list[int] = [0] * len(patterns)  # per row, the groups already met in it, as bits
    count = 0
    for met in rows_of:
        used = 0
        for r in met:
            used |= taken[r]
        group = 0
        while used >> group & 1:
            group += 1
        count = max(count, group + 1) if met else count
        for r in met:
            taken[r] |= 1 << group
    return count


def transposed(patterns: list[int], size: int) -> list[int]:
    """Return the patterns of the columns."""
    return [sum(1 << r for r, pattern in enumerate(patterns) if pattern >> c & 1) for c in range(size)]
