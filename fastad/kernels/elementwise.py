"""Operations of the table on plain arrays, eight elements at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import row_calls
from ._call import call
from ._jit import jit
from ._simd import WIDTH, address


@jit
def _evaluate(values, op, x, y, out):
    call(values, (op, address(x), WIDTH, address(y), WIDTH, address(out), x.size // WIDTH))


def evaluate(code: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a binary or unary operation on 1-D arrays of equal length."""
    padded = -(-x.size // WIDTH) * WIDTH
    buffers = np.zeros((3, padded))
    buffers[0, : x.size] = x
    buffers[1, : x.size] = y
    _evaluate(row_calls.values(code), code, buffers[0], buffers[1], buffers[2])
    return buffers[2, : x.size]
