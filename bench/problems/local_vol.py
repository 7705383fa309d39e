"""Savine's up-and-out call under Dupire's local volatility: 1,117 sensitivities, random numbers included.

The surface is Merton's in closed form, 31 spots x 36 months; sigma is linear in spot and in time; 156 weekly log-Euler
steps, monitored at each, the barrier smoothed over 5 % of the spot.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ..core import Problem

SPOT, STRIKE, BARRIER, EPS, MATURITY, STEPS = 100.0, 120.0, 150.0, 5.0, 3.0, 156
SPOTS, TIMES = np.arange(50.0, 201.0, 5.0), np.arange(1, 37) / 12.0

# Exact expectations of this estimator, by backward induction (panels of Gauss points), and the standard deviation of
# one path as a run measured it. Vegas by (spot, month).
ORACLE = {
    "price": (1.065201990775, 3.6),
    "delta": (0.035509863633, 0.78),
    "sum of vegas": (-4.136415356340, 172.0),
    (100, 1): (-0.1220409789, 19.0),
    (90, 6): (0.0166863175, 4.1),
    (100, 12): (0.0043913724, 5.4),
    (120, 21): (-0.0855089664, 5.8),
    (120, 35): (0.5674607760, 3.3),
    (140, 35): (-0.6010347807, 6.0),
    (140, 36): (-0.1793037828, 2.7),
    (120, 36): (0.3110373487, 2.0),
}


def merton_local_vol(strike, t, s0=SPOT, v=0.15, intensity=0.05, jump=-0.15, s=0.10):
    """sqrt(2 C_T / C_KK) / K in closed form, flat from the last knots within 2.5 standard deviations."""
    m2 = jump + 0.5 * s * s
    drift = math.exp(m2) - 1.0

    def cdf(x):
        return 0.5 * math.erfc(-x / math.sqrt(2.0))

    def pdf(x):
        return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)

    def terms(k):
        call = by_time = by_strike2 = 0.0
        for n in range(10):
            p = math.exp(-intensity * t) * (intensity * t) ** n / math.factorial(n)
            forward = s0 * math.exp(n * m2 - intensity * t * drift)
            var = v * v * t + n * s * s
            d1 = math.log(forward / k) / math.sqrt(var) + 0.5 * math.sqrt(var)
            d2 = d1 - math.sqrt(var)
            bs = forward * cdf(d1) - k * cdf(d2)
            call += p * bs
            by_time += p * (n / t - intensity) * bs
            by_time += p * (-cdf(d1) * forward * intensity * drift + 0.5 * forward * pdf(d1) / math.sqrt(var) * v * v)
            by_strike2 += p * pdf(d2) / (k * math.sqrt(var))
        return call, by_time, by_strike2

    width = 2.5 * math.sqrt(2.0 * math.pi) * terms(s0)[0]
    inside = SPOTS[np.abs(SPOTS - s0) <= width]
    k = min(max(strike, inside[0]), inside[-1])
    _, by_time, by_strike2 = terms(k)
    return math.sqrt(2.0 * by_time / by_strike2) / k


@cache
def surface() -> np.ndarray:
    """Local volatilities, (spots, months); read-only."""
    vols = np.array([[merton_local_vol(k, t) for t in TIMES] for k in SPOTS])
    vols.flags.writeable = False
    return vols


def time_weights() -> tuple[np.ndarray, np.ndarray]:
    """Of each step: the column of the surface at or before it, and the weight of the next column."""
    t = np.arange(STEPS) * (MATURITY / STEPS)
    column = np.clip(np.searchsorted(TIMES, t, side="right") - 1, 0, TIMES.size - 2)
    return column, np.clip((t - TIMES[column]) / (TIMES[column + 1] - TIMES[column]), 0.0, 1.0)


def payoff(p, z, tool):
    """One path in plain Python; ``tool`` has exp, log, interp, clip and maximum."""
    dt = MATURITY / STEPS
    vols = p["vols"]
    log_spot, spot, alive = tool.log(p["spot"]), p["spot"], 1.0
    for j, (column, w) in enumerate(zip(*map(np.ndarray.tolist, time_weights()))):
        slice_ = vols[:, column] * (1.0 - w) + vols[:, column + 1] * w
        sigma = tool.interp(spot, SPOTS, slice_)
        log_spot = log_spot - 0.5 * dt * sigma * sigma + math.sqrt(dt) * sigma * z[j]
        spot = tool.exp(log_spot)
        alive = alive * tool.clip((BARRIER + EPS - spot) / (2.0 * EPS), 0.0, 1.0)
    return alive * tool.maximum(spot - STRIKE, 0.0)


def cases(quick):
    paths = 20_000 if quick else 500_000
    return {f"{paths:,} paths": paths}


def check(paths, answer):
    """The answer is a value, and (delta, vegas) where the tool gives them; on random numbers of its own."""
    value, gradient = answer
    got = {"price": value}
    if gradient is not None:
        delta, vegas = gradient
        got |= {"delta": delta, "sum of vegas": vegas.sum()}
        got |= {key: vegas[(key[0] - 50) // 5, key[1] - 1] for key in ORACLE if isinstance(key, tuple)}
        if vegas[SPOTS > BARRIER + EPS].any():
            return "a vega above the barrier is not zero"
    for name, x in got.items():
        true, deviation = ORACLE[name]
        if not abs(x - true) <= 4.0 * deviation / math.sqrt(paths):
            return f"{name} is {x!r}, more than 4 standard errors from the oracle {true}"
    return ""


PROBLEM = Problem(
    name="local_vol",
    section="Monte Carlo",
    title="barrier under local volatility, 1,117 sensitivities, random numbers made inside",
    cases=cases,
    check=check,
    baseline="numba_value",
    threads=(1, 2),
)
