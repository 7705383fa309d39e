"""Arithmetic Asian call on geometric Brownian motion: price and 5 sensitivities on given normals."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..core import Problem
from ..oracles import real_maximum
from .paths import Paths, check

PARAMS = {"spot": 100.0, "strike": 100.0, "rate": 0.05, "sigma": 0.2, "maturity": 1.0}
STEPS = 252

# Expectation of this estimator, by recursion over the density of the remaining average.
ORACLE = {
    "price": 5.781824407928,
    "spot": 0.589157543,
    "strike": -0.531339299,
    "rate": 24.5790102,
    "sigma": 21.7553090,
    "maturity": 3.4044814,
}


def payoff(params, z, exp, sqrt, maximum):
    """One path in plain Python, or all of them with arrays for normals; the functions are the tool's."""
    spot, strike, rate, sigma, maturity = params
    steps = z.shape[0] if hasattr(z, "shape") else len(z)
    dt = maturity / steps
    drift = (rate - 0.5 * (sigma * sigma)) * dt
    vol = sigma * sqrt(dt)
    level, total = spot, 0.0
    for i in range(steps):
        level = level * exp(drift + vol * z[i])
        total = total + level
    return exp(-rate * maturity) * maximum(total / steps - strike, 0.0)


def cases(quick):
    paths = 1_000 if quick else 50_000
    z = np.random.default_rng(252).standard_normal((paths, STEPS))
    by_hand = partial(payoff, exp=np.exp, sqrt=np.sqrt, maximum=real_maximum)
    return {f"{paths:,} x {STEPS}": Paths(np.array(list(PARAMS.values())), z, by_hand)}


PROBLEM = Problem(
    name="asian",
    section="Monte Carlo",
    title="arithmetic Asian call, price + 5 sensitivities, normals given",
    cases=cases,
    check=partial(check, oracle=ORACLE),
    baseline="numba_value",
    threads=(1, 2),
)
