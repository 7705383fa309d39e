"""Finding places in tables, for one point and for groups of 64 scenarios.

Nothing here branches on a scenario: with random positions, a branch per lane is foretold wrongly half of the time,
and a row of 64 bisections took 1.6 us. Functions of rows take addresses; elements are found eight at a time.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit, jit_inlined
from ._simd import WIDTH, extract, floor, load, peek, peek_index, pick, poke, select, splat, store, whole

_VECTORS = 8
_SLOT = 64


@jit
def find_cell(knots, first, stop, x):
    """Cell of x in the increasing knots[first:stop]: the last left knot not above x; 0 for NaN."""
    low, high = 0, stop - first - 2
    while low < high:
        middle = (low + high + 1) // 2
        if knots[first + middle] <= x:
            low = middle
        else:
            high = middle - 1
    return low


@jit
def find_element(position, size):
    """Element at a position: truncated and limited to the table; 0 for NaN."""
    if not position >= 1.0:
        return 0
    return np.int64(min(position, size - 1.0))


@jit_inlined
def _elements(position, last):
    """``find_element`` of eight positions."""
    position = select(position >= 1.0, position, 0.0)
    return whole(select(position < last, position, last))


@jit
def locate_evenly_row(x, x_step, start, step, top, cells, out):
    """Cells of 64 places among knots of which number i is ``start + (i - 1) * step`` to the last bit.

    But for the first and the last, which bound no cell, and the last but one, which is ``top``. A division says where
    the cell must be; the two knots around it, computed as they were, say where it is.
    """
    last = cells - 2.0
    for k in range(_VECTORS):
        place = load(x, k * x_step)
        cell = floor((place - start) * (1.0 / step)) + 1.0
        cell = select(cell > 0.0, cell, 0.0)
        cell = select(cell < last, cell, last)
        cell = select((place < start + (cell - 1.0) * step) & (cell > 0.0), cell - 1.0, cell)
        cell = select((place >= start + cell * step) & (cell < last), cell + 1.0, cell)
        store(out, 8 * k, select(place >= top, cells - 1.0, cell))


@jit
def locate_row(x, x_step, knots, cells, out):
    """Cells of 64 places among any knots."""
    for k in range(_VECTORS):
        place, cell, size = load(x, k * x_step), splat(0), cells
        while size > 1:
            half = size >> 1
            cell = select(pick(knots, cell + half) <= place, cell + half, cell)
            size -= half
        for lane in range(WIDTH):
            poke(out, 8 * k + lane, np.float64(extract(cell, lane)))


@jit
def take_row(x, x_step, values, last, out):
    """Elements of a table of numbers at 64 positions."""
    for k in range(_VECTORS):
        store(out, 8 * k, pick(values, _elements(load(x, k * x_step), last)))


@jit
def take_varying_row(x, x_step, references, last, workspace, uniform, out):
    """Elements of a table that holds slots, each scenario's from its own lane."""
    for k in range(_VECTORS):
        at = _elements(load(x, k * x_step), last)
        for lane in range(WIDTH):
            r = peek_index(references, extract(at, lane))
            slot, number = workspace + (r * _SLOT + 8 * k + lane) * 8, uniform + ~r * 64
            poke(out, 8 * k + lane, peek(select(r >= 0, slot, number), 0))


@jit
def scatter_row(x, x_step, targets, last, bar, sums):
    """Add the adjoints of a TAKE row to those of the uniform elements picked, in one column of their sums."""
    for k in range(_VECTORS):
        at = _elements(load(x, k * x_step), last)
        for lane in range(WIDTH):
            to = -peek_index(targets, extract(at, lane)) * WIDTH
            poke(sums, to, peek(sums, to) + peek(bar, 8 * k + lane))


@jit
def scatter_varying_row(x, x_step, targets, last, bar, adjoint, sums):
    """Add the adjoints of a TAKE row to those of the elements picked, where some have an adjoint per scenario."""
    for k in range(_VECTORS):
        at = _elements(load(x, k * x_step), last)
        for lane in range(WIDTH):
            t = peek_index(targets, extract(at, lane))
            to = select(t > 0, adjoint + ((t - 1) * _SLOT + 8 * k + lane) * 8, sums - t * WIDTH * 8)
            poke(to, 0, peek(to, 0) + peek(bar, 8 * k + lane))
