"""Sums and central moments in one fixed order, so that results are the same for any number of threads."""

from __future__ import annotations

import numpy as np

from ._jit import jit


@jit
def ordered_sum(x):
    """Sum of the rows of a 2-D array, first to last."""
    total = np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total[j] += x[i, j]
    return total


@jit
def moments(samples, weights):
    """Weighted mean of the rows, and the weighted sum of squared deviations from it."""
    n, m = samples.shape
    mean, squares = np.zeros(m), np.zeros(m)
    total = 0.0
    for i in range(n):
        total += weights[i]
        for j in range(m):
            mean[j] += weights[i] * samples[i, j]
    for j in range(m):
        mean[j] /= total
    for i in range(n):
        for j in range(m):
            deviation = samples[i, j] - mean[j]
            squares[j] += weights[i] * deviation * deviation
    return mean, squares
