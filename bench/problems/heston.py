"""Call under Heston's model, 100 Euler steps: price and 8 sensitivities on given normals.

The workload of auto-differentiation/ad-benchmarks: additive Euler steps in the spot, the root of the reflected
variance, the correlation passive.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ..core import Problem
from ..oracles import real_maximum
from .paths import Paths, check

PARAMS = {
    "spot": 100.0,
    "strike": 105.0,
    "maturity": 1.0,
    "rate": 0.05,
    "variance": 0.04,
    "kappa": 2.0,
    "theta": 0.04,
    "xi": 0.3,
}
RHO, STEPS = -0.7, 100

# Lewis' integral in continuous time; the bias of 100 steps is below the standard error of these numbers of paths.
ORACLE = {
    "price": 7.678783030768054,
    "spot": 0.598755912477,
    "strike": -0.497112459209,
    "maturity": 6.32941822271,
    "rate": 52.196808217,
    "variance": 42.2725069234,
    "kappa": 0.127866438184,
    "theta": 58.0580705809,
    "xi": -1.83126054892,
}


def payoff(params, z, exp, sqrt, maximum, absolute):
    """One path in plain Python, or all of them with arrays for normals; the functions are the tool's."""
    spot, strike, maturity, rate, variance, kappa, theta, xi = params
    dt = maturity / STEPS
    root_dt = sqrt(dt)
    level = spot
    for i in range(STEPS):
        first, second = z[i][0], z[i][1]
        volatility = sqrt(absolute(variance) + 1e-10)
        level, variance = (
            level + rate * level * dt + volatility * level * root_dt * first,
            variance
            + kappa * (theta - variance) * dt
            + xi * volatility * root_dt * (RHO * first + (1.0 - RHO * RHO) ** 0.5 * second),
        )
    return exp(-rate * maturity) * maximum(level - strike, 0.0)


def real_absolute(x):
    """Absolute value by the real part, for complex steps."""
    return np.where(np.real(x) < 0.0, -x, x)


def cases(quick):
    paths = 1_000 if quick else 10_000
    z = np.random.default_rng(100).standard_normal((paths, STEPS, 2))
    by_hand = partial(payoff, exp=np.exp, sqrt=np.sqrt, maximum=real_maximum, absolute=real_absolute)
    return {f"{paths:,} x {STEPS}": Paths(np.array(list(PARAMS.values())), z, by_hand)}


PROBLEM = Problem(
    name="heston",
    section="Monte Carlo",
    title="call under Heston's model, price + 8 sensitivities, normals given",
    cases=cases,
    check=partial(check, oracle=ORACLE),
    baseline="numba_value",
    threads=(1, 2),
)
