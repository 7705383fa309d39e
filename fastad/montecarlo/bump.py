"""Central differences on the same random numbers: the check on pathwise derivatives that needs no theory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..packing import Vector
from .statistics import Samples

_RELATIVE = 1e-3  # few paths cross a threshold for less; for more, curvature shows


def steps(vector: Vector, selected: NDArray[np.int64]) -> Vector:
    """Return how far each selected parameter is moved, up and down: a thousandth of it, of one where it is 0."""
    sizes = np.abs(vector[selected])
    return _RELATIVE * np.where(sizes > 0.0, sizes, 1.0)


def scores(difference: Samples, error: Samples, gradient_error: Samples, rounding: Samples) -> Samples:
    """Return differences in units of their standard error, or of the sensitivity's where that is larger.

    A smooth payoff differs by the curvature over the step: certain, but small beside the sensitivity's own error.
    Where both errors vanish, rounding errors of the two valuations are the unit.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.fmax(np.fmax(error, gradient_error), rounding)
        return np.where(difference == 0.0, 0.0, difference / scale)
