"""AADC's down-and-out call on geometric Brownian motion: price and 6 sensitivities on given normals.

The workload of matlogica/AADC-Python/benchmarks, with its 499 increments for 500 columns and its payoff date before T,
in float64 and without the defects of the scripts there (float32 in JAX, random numbers timed for some tools only).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core import Problem

PARAMS = {"spot": 100.0, "strike": 100.0, "rate": 0.05, "maturity": 1.0, "sigma": 0.2, "barrier": 90.0}
COLUMNS = 500
SMOOTHING = 10.0

# Exact expectation of this estimator: 499 convolutions of the transition density on a log grid, analytic last step.
ORACLE = np.array([8.84112740893, 0.814009366, -0.395382505, 48.4265360, 3.7784054, 13.5707861, -0.366820362])


def payoff(params, z, exp, tanh, maximum):
    """One path in plain Python; the functions are the tool's."""
    spot, strike, rate, maturity, sigma, barrier = params
    dt = maturity / (len(z) + 1)
    drift = (rate - 0.5 * sigma * sigma) * dt
    vol = sigma * dt**0.5
    log_return = 0.0
    alive = 0.5 * (1.0 + tanh(SMOOTHING * (spot - barrier)))
    level = spot
    for i in range(len(z)):
        log_return = log_return + (drift + vol * z[i])
        level = spot * exp(log_return)
        alive = alive * (0.5 * (1.0 + tanh(SMOOTHING * (level - barrier))))
    return exp(-rate * maturity) * maximum(level - strike, 0.0) * alive


def by_hand(params, z):
    """Payoff and its 6 derivatives for each path, derived by hand and vectorised over paths: (paths, 7)."""
    spot, strike, rate, maturity, sigma, barrier = params
    columns = z.shape[1] + 1
    time = np.arange(columns) * (maturity / columns)
    brownian = np.zeros((len(z), columns))
    np.cumsum(z * np.sqrt(maturity / columns), axis=1, out=brownian[:, 1:])
    level = spot * np.exp((rate - 0.5 * sigma**2) * time + sigma * brownian)
    barrier_tanh = np.tanh(SMOOTHING * (level - barrier))
    alive = np.prod(0.5 * (1.0 + barrier_tanh), axis=1)
    call = np.exp(-rate * maturity) * np.maximum(level[:, -1] - strike, 0.0)
    value = call * alive

    slopes = {
        "spot": level / spot,
        "rate": level * time,
        "maturity": level * ((rate - 0.5 * sigma**2) * time + 0.5 * sigma * brownian) / maturity,
        "sigma": level * (brownian - sigma * time),
    }
    # d log((1 + tanh u) / 2) = (1 - tanh u) du
    pull = SMOOTHING * (1.0 - barrier_tanh) * value[:, None]
    exercised = np.exp(-rate * maturity) * (level[:, -1] > strike) * alive
    total = {name: exercised * slope[:, -1] + np.sum(pull * slope, axis=1) for name, slope in slopes.items()}
    total["strike"] = -exercised
    total["barrier"] = -np.sum(pull, axis=1)
    total["rate"] -= maturity * value
    total["maturity"] -= rate * value
    return np.column_stack([value, *(total[name] for name in PARAMS)])


@dataclass
class Data:
    """The parameters in the order of PARAMS, and normals of shape (paths, 499), or as many as there are steps."""

    params: np.ndarray
    z: np.ndarray

    @cached_property
    def by_hand(self) -> np.ndarray:
        """Mean and standard error by hand: (2, 7)."""
        paths = max(1, 500_000 // self.z.shape[1])  # of a block: 4 MB an array
        blocks = np.split(self.z, range(paths, len(self.z), paths))
        samples = np.concatenate([by_hand(self.params, block) for block in blocks])
        return np.array([samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(samples))])


def cases(quick):
    paths = 2_000 if quick else 50_000
    z = np.random.default_rng(1234).standard_normal((paths, COLUMNS - 1))
    return {f"{paths:,} x {COLUMNS}": Data(np.array(list(PARAMS.values())), z)}


def check(data, answer, tolerance=1e-9):
    """The answer is a value, and a gradient where the tool gives one."""
    value, gradient = answer
    got = np.array([value, *(() if gradient is None else gradient)])
    names = ("price", *PARAMS)[: len(got)]
    mean, stderr = data.by_hand[:, : len(got)]
    for name, x, want, se, true in zip(names, got, mean, stderr, ORACLE):
        if not abs(x - want) <= tolerance * abs(want):
            return f"{name} is {x!r}, by hand on the same normals {want!r}"
        if data.z.shape[1] == COLUMNS - 1 and not abs(x - true) <= 4.0 * se:
            return f"{name} is {x!r}, more than 4 standard errors ({se:.2g}) from the oracle {true}"
    return ""


PROBLEM = Problem(
    name="down_and_out",
    section="Monte Carlo",
    title="down-and-out call, price + 6 sensitivities, normals given",
    cases=cases,
    check=check,
    rough=lambda data, answer: check(data, answer, 1e-3),  # the barrier's smoothing bends within 0.1
    baseline="numba_value",
    threads=(1, 2),
)
