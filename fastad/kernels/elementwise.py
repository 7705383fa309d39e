"""Operations of the table on plain arrays, eight elements at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from ._simd import WIDTH, address
from .batch import IS_SPECIAL
from .replay import value_row, value_row_special

_STEP = np.int64(WIDTH)  # a Python int would be a type of its own, and the row functions compiled again for it


@jit
def _evaluate(op, x, y, out):
    value_row(op, address(x), _STEP, address(y), _STEP, address(x), _STEP, address(out), x.size // WIDTH)


@jit
def _evaluate_special(op, x, y, out):
    value_row_special(op, address(x), _STEP, address(y), _STEP, address(x), _STEP, address(out), x.size // WIDTH)


def evaluate(code: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a binary or unary operation on 1-D arrays of equal length."""
    padded = -(-x.size // WIDTH) * WIDTH
    buffers = np.zeros((3, padded))
    buffers[0, : x.size] = x
    buffers[1, : x.size] = y
    (_evaluate_special if IS_SPECIAL[code] else _evaluate)(code, buffers[0], buffers[1], buffers[2])
    return buffers[2, : x.size]
