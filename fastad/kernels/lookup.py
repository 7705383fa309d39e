"""Finding places in tables, for one point and for groups of scenarios."""

from __future__ import annotations

import numpy as np

from ._jit import jit


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
