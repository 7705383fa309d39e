"""Means and standard errors gathered block by block, in block order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels.moments import moments
from ..program.batch import GROUP

Samples = NDArray[np.float64]


class Accumulator:
    """Weighted mean and squared deviations of samples, merged pairwise.

    Merging follows Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979). The weight of a sample is the number of paths that it averages.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.weight = 0.0
        self.mean = np.zeros(size)
        self.squares = np.zeros(size)

    def add(self, samples: Samples, weights: Samples) -> None:
        """Merge samples, shape (n, size), each a mean over ``weights`` paths."""
        mean, squares = moments(samples, weights)
        weight = float(weights.sum())
        total = self.weight + weight
        with np.errstate(over="ignore", invalid="ignore"):  # inf and NaN flow into the result, which warns of them
            delta = mean - self.mean
            self.squares += squares + delta * (self.weight * weight / total) * delta
            self.mean += delta * (weight / total)
        self.weight = total
        self.count += len(samples)

    def standard_error(self) -> Samples:
        """Return the standard error of the mean; NaN from a single sample."""
        if self.count < 2:
            return np.full(self.mean.size, np.nan)
        return np.sqrt(self.squares / ((self.count - 1) * self.weight))


def pair_means(values: Samples) -> Samples:
    """Means of antithetic partners, which stand half a group of 64 paths apart (half the last, shorter group)."""
    full = len(values) // GROUP * GROUP
    groups = values[:full].reshape(-1, 2, GROUP // 2, values.shape[1])
    first, second = np.split(values[full:], 2)
    with np.errstate(over="ignore", invalid="ignore"):
        means = (0.5 * (groups[:, 0] + groups[:, 1])).reshape(-1, values.shape[1])
        return np.concatenate([means, 0.5 * (first + second)])


def per_path(values: Samples, antithetic: bool) -> tuple[Samples, Samples]:
    """Samples and weights of values per path; antithetic partners make one sample of weight 2."""
    samples = pair_means(values) if antithetic else values
    return samples, np.full(len(samples), 2.0 if antithetic else 1.0)


def per_group(sums: Samples, paths: int) -> tuple[Samples, Samples]:
    """Samples and weights of sums over groups of 64 paths, the last one perhaps shorter."""
    weights = np.full(len(sums), float(GROUP))
    if paths % GROUP:
        weights[-1] = paths % GROUP
    return sums / weights[:, None], weights
