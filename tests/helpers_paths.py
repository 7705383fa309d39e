"""Random numbers of Monte Carlo paths and their statistics, by NumPy: oracles of the tests of `monte_carlo`."""

import math

import numpy as np

from fastad.kernels import philox


def draws(seed, paths, dims, antithetic, kind):
    """Random numbers of every path: whole groups of 64, of which the last keeps as many pairs as it needs."""
    whole = philox.fill(seed, 0, -(-paths // 64) * 64, dims, antithetic, kind)
    rest = paths % 64
    if not antithetic or not rest:
        return whole[:paths]
    first = paths - rest
    lanes = [first + i for i in range(rest // 2)] + [first + 32 + i for i in range(rest // 2)]
    return np.concatenate([whole[:first], whole[lanes]])


def samples_of_pairs(x):
    """Means of antithetic pairs: partners stand half a group of 64 apart, half of the last one where it is shorter."""
    groups = [x[i : i + 64] for i in range(0, len(x), 64)]
    return np.concatenate([(g[: len(g) // 2] + g[len(g) // 2 :]) / 2 for g in groups])


def standard_error(x):
    return x.std(axis=0, ddof=1) / math.sqrt(len(x))


def grouped_standard_error(x):
    """From means of groups of 64 paths, weighted by their length."""
    groups = [x[i : i + 64] for i in range(0, len(x), 64)]
    weights = np.array([len(g) for g in groups], float)
    means = np.array([g.mean(0) for g in groups])
    deviations = weights[:, None] * (means - x.mean(0)) ** 2
    return np.sqrt(deviations.sum(0) / (len(groups) - 1) / len(x))
