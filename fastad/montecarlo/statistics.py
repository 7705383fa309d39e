"""Means and standard errors gathered block by block, in block order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels.moments import moments, ordered_sum
from ..program.batch import GROUP

Samples = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


class Statistic(Protocol):
    """Estimates from some samples, to be merged with those from the samples after them."""

    def merge(self, other: Any) -> Any:
        """Return the estimates from both."""

    @property
    def mean(self) -> Samples:
        """Mean of the samples."""

    @property
    def standard_error(self) -> Samples:
        """Standard error of the mean; NaN from a single sample."""

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the standard error."""

    def arrays(self) -> Arrays:
        """Give what `restore` takes."""


@dataclass(frozen=True)
class Moments:
    """Weighted mean and squared deviations of independent samples.

    Merging follows Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979). The weight of a sample is the number of paths that it averages.
    """

    count: int
    weight: float
    mean: Samples
    squares: Samples

    @classmethod
    def of(cls, samples: Samples, weights: Samples) -> Moments:
        """Moments of samples, shape (n, size), each a mean over ``weights`` paths."""
        return cls(len(samples), float(weights.sum()), *moments(samples, weights))

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of samples."""
        total = self.weight + other.weight
        with np.errstate(over="ignore", invalid="ignore"):  # inf and NaN flow into the result, which warns of them
            delta = other.mean - self.mean
            squares = self.squares + (other.squares + delta * (self.weight * other.weight / total) * delta)
            mean = self.mean + delta * (other.weight / total)
        return Moments(self.count + other.count, total, mean, squares)

    @property
    def standard_error(self) -> Samples:
        """Standard error of the mean; NaN from a single sample."""
        if self.count < 2:
            return np.full(self.mean.size, np.nan)
        return np.sqrt(self.squares / ((self.count - 1) * self.weight))

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the standard error."""
        return self.count - 1

    def arrays(self) -> Arrays:
        """Give what `restore` takes."""
        return {"head": np.array([self.count, self.weight]), "mean": self.mean, "squares": self.squares}


@dataclass(frozen=True)
class Replicates:
    """Sums over each of several independent randomisations of a sequence that is not random in itself."""

    points: float
    sums: Samples  # (replicates, size)

    def merge(self, other: Replicates) -> Replicates:
        """Return the sums over both stretches of the sequences."""
        with np.errstate(over="ignore", invalid="ignore"):
            return Replicates(self.points + other.points, self.sums + other.sums)

    @property
    def mean(self) -> Samples:
        """Mean over all points of all replicates."""
        with np.errstate(over="ignore", invalid="ignore"):
            return ordered_sum(self.sums) / (self.points * len(self.sums))

    @property
    def standard_error(self) -> Samples:
        """Standard error from the spread of the replicates' means."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (self.sums / self.points).std(axis=0, ddof=1) / math.sqrt(len(self.sums))

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the standard error."""
        return len(self.sums) - 1

    def arrays(self) -> Arrays:
        """Give what `restore` takes."""
        return {"head": np.array([self.points]), "sums": self.sums}


def restore(arrays: Mapping[str, NDArray[Any]]) -> Moments | Replicates:
    """Return the statistic that gave these arrays."""
    if "sums" in arrays:
        return Replicates(float(arrays["head"][0]), arrays["sums"])
    count, weight = arrays["head"].tolist()
    return Moments(int(count), weight, arrays["mean"], arrays["squares"])


@dataclass(frozen=True)
class Tally:
    """What is known after some blocks: merged in their order, it is the same for any number of threads."""

    paths: int
    values: Statistic
    gradients: Statistic
    bumps: Statistic | None = None
    hessians: Statistic | None = None
    kept: tuple[tuple[Samples, Samples], ...] = ()  # values and gradients per path, block by block
    ended: Counter[Any] = field(default_factory=Counter)  # paths by variant

    def merge(self, other: Tally) -> Tally:
        """Return the tally of these blocks and the next."""
        return Tally(
            self.paths + other.paths,
            self.values.merge(other.values),
            self.gradients.merge(other.gradients),
            None if self.bumps is None else self.bumps.merge(other.bumps),
            None if self.hessians is None else self.hessians.merge(other.hessians),
            self.kept + other.kept,
            self.ended + other.ended,
        )


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


def group_sizes(groups: int, paths: int) -> Samples:
    """Paths in each group of 64, of which the last may be shorter."""
    sizes = np.full(groups, float(GROUP))
    if paths % GROUP:
        sizes[-1] = paths % GROUP
    return sizes


def per_group(sums: Samples, paths: int) -> tuple[Samples, Samples]:
    """Samples and weights of sums over groups of 64 paths, the last one perhaps shorter."""
    weights = group_sizes(len(sums), paths)
    return sums / weights[:, None], weights


@lru_cache(maxsize=64)
def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t distribution, for a probability of at least one half."""
    x = NormalDist().inv_cdf(probability)
    if freedom < 1 or freedom > 10**6:  # normal to seven digits, where lgamma would cancel
        return math.nan if freedom < 1 else x
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    node, weight = np.polynomial.legendre.leggauss(64)
    angle = math.atan(x / math.sqrt(freedom))
    for _ in range(100):  # in the angle where x = sqrt(freedom) tan(angle) the density is a power of a cosine
        inside = float(weight @ np.cos(0.5 * angle * (node + 1.0)) ** (freedom - 1)) * 0.5 * angle
        step = (0.5 + scale * math.sqrt(freedom) * inside - probability) / (
            scale * math.sqrt(freedom) * math.cos(angle) ** (freedom - 1)
        )
        # A Newton step from below overshoots where the density falls steeply: stay within the range.
        angle = min(angle - step, 0.5 * (angle + 0.5 * math.pi))
        if abs(step) < 1e-15:
            break
    return math.sqrt(freedom) * math.tan(angle)
