"""One reverse or forward sweep from columns to results, for tapes and for recordings.

The plain sweep is tried first and the masked one, which keeps the zero-factor rule, only where the result holds a
NaN: a NaN never disappears on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import sweeps
from ..kernels.bulk import extent


class Columns(NamedTuple):
    """What sweeps read: operands and partials of rows, and the stretches that sweep themselves, in ascending order."""

    arg0: NDArray[Any]
    arg1: NDArray[Any]
    partial0: NDArray[Any]
    partial1: NDArray[Any]
    blocks: Sequence[Any] = ()


def adjoints(
    columns: Columns,
    rows: NDArray[np.int32],
    seeds: NDArray[np.float64],
    picked: NDArray[Any],
    buffer: Callable[[int], NDArray[np.float64]] = np.empty,
) -> NDArray[np.float64]:
    """Adjoints of the picked rows for seeds of the given ones, shape (picked,) + seeds.shape[1:].

    ``buffer`` gives room for the adjoints of that many rows, for one seed each.
    """
    stop = int(rows.max(initial=-1)) + 1
    if stop == 0 or picked.size == 0:
        return np.zeros((picked.size, *seeds.shape[1:]))
    blocks = _blocks_before(columns, stop)
    stop = max(stop, *(block.stop for block in blocks[-1:]), 0)
    low, high, consecutive = extent(picked)
    size = max(stop, high + 1) + 1
    for masked in (False, True):
        adjoint = buffer(size) if seeds.ndim == 1 else np.empty((size, *seeds.shape[1:]))
        adjoint.fill(0.0)
        np.add.at(adjoint, rows + 1, seeds)
        end = stop
        for block in reversed(blocks):
            _reverse(columns, adjoint, block.stop, end, masked)
            block.reverse(adjoint)
            end = block.start
        _reverse(columns, adjoint, 0, end, masked)
        result = pick(adjoint, picked, low, consecutive)
        if not has_nan(result):
            break
    return result


def pick(adjoint: NDArray[np.float64], rows: NDArray[Any], low: int, consecutive: bool) -> NDArray[np.float64]:
    """Adjoints of some rows, as a copy, from those of all; the lowest of them, and whether they are consecutive."""
    if consecutive and low >= 0:
        return adjoint[low + 1 : low + 1 + rows.size].copy()
    result = adjoint[rows + 1]
    result[rows < 0] = 0.0  # the row in front collects what belongs to nobody
    return result


def has_nan(x: NDArray[np.float64]) -> bool:
    """Whether a NaN is among these numbers; ``isnan(x).any()`` takes three times as long where there are a million."""
    return bool(np.isnan(x.min(initial=np.inf)))


def _reverse(columns: Columns, adjoint: NDArray[np.float64], start: int, stop: int, masked: bool) -> None:
    if adjoint.ndim == 1:
        (sweeps.reverse_masked if masked else sweeps.reverse)(*columns[:4], adjoint, start, stop)
    else:
        sweeps.reverse_many(*columns[:4], adjoint, start, stop, masked)


def tangents(
    columns: Columns, rows: NDArray[np.int32], inputs: NDArray[np.int64], directions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Tangents of the given rows for directions of the input rows, shape (rows, k)."""
    stop = int(rows.max(initial=-1)) + 1
    blocks = _blocks_before(columns, stop)
    stop = max(stop, *(block.stop for block in blocks[-1:]), 0)
    inside = inputs < stop
    is_input = np.zeros(stop, np.bool_)
    is_input[inputs[inside]] = True
    for masked in (False, True):
        tangent = np.zeros((stop + 1, directions.shape[1]))
        tangent[inputs[inside] + 1] = directions[inside]
        at = 0
        for block in blocks:
            sweeps.forward_many(*columns[:4], is_input, tangent, at, block.start, masked)
            block.forward(tangent)
            at = block.stop
        sweeps.forward_many(*columns[:4], is_input, tangent, at, stop, masked)
        result = tangent[rows + 1]
        if not np.isnan(result).any():
            break
    return result


def _blocks_before(columns: Columns, stop: int) -> list[Any]:
    """Blocks that begin before a row; the last one's results may end behind it."""
    return [block for block in columns.blocks if block.start < stop]
