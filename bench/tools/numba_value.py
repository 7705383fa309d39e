"""The best plain numba value: what an adjoint is compared with. No derivatives here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import exp, sqrt

import numpy as np
from numba import njit

from bench.problems.down_and_out import COLUMNS, SMOOTHING


@njit(nogil=True, error_model="numpy")
def sum_of_payoffs(params, z):
    """Path by path, nothing stored.

    (1 + tanh u) / 2 is 1 / (1 + exp(-2u)): an exp instead of a tanh, and one division per path; where the product of
    the denominators overflows the payoff is zero, as it should be. From u = 19 on that is 1 to the last bit and needs
    no exp, which takes 7.6 ns per step instead of 15.3; the formula as it stands, with tanh, takes 11.0.
    """
    spot, strike, rate, maturity, sigma, barrier = params
    dt = maturity / COLUMNS
    drift = (rate - 0.5 * sigma * sigma) * dt
    vol = sigma * sqrt(dt)
    safe = barrier + 19.0 / SMOOTHING
    total = 0.0
    for path in range(len(z)):
        log_return = 0.0
        level = spot
        dead = 1.0 + exp(-2.0 * SMOOTHING * (spot - barrier))
        for i in range(COLUMNS - 1):
            log_return += drift + vol * z[path, i]
            level = spot * exp(log_return)
            if level < safe:
                dead *= 1.0 + exp(-2.0 * SMOOTHING * (level - barrier))
        total += max(level - strike, 0.0) / dead
    return total * exp(-rate * maturity)


def down_and_out(data, threads):
    params, parts = tuple(data.params), np.array_split(data.z, threads)
    pool = ThreadPoolExecutor(threads)

    def call():
        return sum(pool.map(lambda part: sum_of_payoffs(params, part), parts)) / len(data.z), None

    return call


WAYS = {"down_and_out": down_and_out}
