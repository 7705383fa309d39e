"""Giles & Glasserman's LIBOR market model: 15 swaptions, 80 deltas and 80 vegas on given normals.

"Smoking adjoints", Risk 2006: 80 quarterly rates, one factor, spot measure, 40 log-Euler steps of one accrual period
each, volatility a function of the time to maturity; payer swaptions of 5 tenors and 3 strikes on the 40 rates left.
Written in accrual factors, X = period x rate, which saves a multiplication in each of the 2,380 updates of a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core import Problem
from ..oracles import differs

RATES, STEPS, PERIOD = 80, 40, 0.25
AFTER = RATES - STEPS  # rates that the swaptions are on
TENORS, STRIKES = (4, 8, 20, 28, 40), (0.045, 0.05, 0.055)
NOTIONAL = 100.0

# Randomised quasi-Monte Carlo, 8 x 8,192 points: expectation and its standard error.
ORACLE = {
    "price": (47.650, 0.011),
    "sum of deltas": (1758.2, 1.9),
    "sum of vegas": (224.02, 0.09),
    "delta of rate 40": (135.04, 0.10),
    "vega 39": (5.655, 0.006),
}


def payoff(rates, vols, z, exp, maximum):
    """One path in plain Python, as many steps as there are normals; the functions are the tool's."""
    steps = z.shape[0] if hasattr(z, "shape") else len(z)
    count = steps + AFTER
    x = [PERIOD * rate for rate in rates]
    for n in range(steps):
        drift = PERIOD**0.5 * z[n]
        for i in range(n + 1, count):
            vol = vols[i - n - 1]
            drift = drift + (PERIOD * vol) * x[i] / (1.0 + x[i])
            x[i] = x[i] * exp(vol * (drift - (0.5 * PERIOD) * vol))
    bond, annuity, value = 1.0, 0.0, 0.0
    for n in range(steps, count):
        bond = bond / (1.0 + x[n])
        annuity = annuity + PERIOD * bond
        if n - steps + 1 in TENORS:
            for strike in STRIKES:
                value = value + NOTIONAL * maximum(1.0 - bond - strike * annuity, 0.0)
    for n in range(steps):
        value = value / (1.0 + x[n])
    return value


def by_hand(rates, vols, z):
    """Value, deltas and vegas of each path, adjoints by hand and vectorised over paths: (paths, 1 + 2 rates)."""
    steps, count = z.shape[1], len(rates)
    x = np.repeat(PERIOD * np.asarray(rates)[:, None], len(z), axis=1)
    before, drifts, growths = (np.zeros((steps, count, len(z))) for _ in range(3))
    for n in range(steps):
        before[n] = x
        drift = np.sqrt(PERIOD) * z[:, n]
        for i in range(n + 1, count):
            vol = vols[i - n - 1]
            drift = drift + PERIOD * vol * x[i] / (1.0 + x[i])
            drifts[n, i], growths[n, i] = drift, np.exp(vol * (drift - 0.5 * PERIOD * vol))
            x[i] = x[i] * growths[n, i]

    value, x_bar = _swaptions_by_hand(x, steps)
    vol_bar = np.zeros_like(x)
    for n in reversed(range(steps)):
        drift_bar = 0.0
        for i in reversed(range(n + 1, count)):
            vol, old = vols[i - n - 1], before[n, i]
            growth_bar = x_bar[i] * old * growths[n, i]
            drift_bar = drift_bar + growth_bar * vol
            vol_bar[i - n - 1] += growth_bar * (drifts[n, i] - PERIOD * vol) + drift_bar * PERIOD * old / (1.0 + old)
            x_bar[i] = x_bar[i] * growths[n, i] + drift_bar * PERIOD * vol / (1.0 + old) ** 2
    return np.column_stack([value, PERIOD * x_bar.T, vol_bar.T])


def _swaptions_by_hand(x, steps):
    """Discounted value of the swaptions, and its derivatives by the accrual factors of the last step."""
    bonds = np.cumprod(1.0 / (1.0 + x[steps:]), axis=0)
    annuities = PERIOD * np.cumsum(bonds, axis=0)
    discount = np.prod(1.0 / (1.0 + x[:steps]), axis=0)
    value, bond_bar, annuity_bar = np.zeros(x.shape[1]), np.zeros_like(bonds), np.zeros_like(bonds)
    for tenor in TENORS:
        for strike in STRIKES:
            worth = 1.0 - bonds[tenor - 1] - strike * annuities[tenor - 1]
            exercised = NOTIONAL * discount * (worth > 0.0)
            value += exercised * worth
            bond_bar[tenor - 1] -= exercised
            annuity_bar[tenor - 1] -= exercised * strike
    bond_bar += PERIOD * np.cumsum(annuity_bar[::-1], axis=0)[::-1]
    later = np.cumsum((bond_bar * bonds)[::-1], axis=0)[::-1]
    return value, np.concatenate([-value / (1.0 + x[:steps]), -later / (1.0 + x[steps:])])


@dataclass
class Data:
    """80 rates, 80 volatilities, and normals of shape (paths, 40); or 40 + steps, and (paths, steps)."""

    rates: np.ndarray
    vols: np.ndarray
    z: np.ndarray

    @cached_property
    def by_hand(self) -> np.ndarray:
        """Mean and standard error by hand of the value, the sensitivities, and the two sums: (2, 3 + 2 rates)."""
        blocks = np.split(self.z, range(500, len(self.z), 500))
        samples = np.concatenate([by_hand(self.rates, self.vols, block) for block in blocks])
        count = len(self.rates)
        sums = samples[:, 1 : count + 1].sum(axis=1), samples[:, count + 1 :].sum(axis=1)
        samples = np.column_stack([samples, *sums])
        return np.array([samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(samples))])


def cases(quick):
    paths = 1_000 if quick else 10_000
    z = np.random.default_rng(2006).standard_normal((paths, STEPS))
    return {f"{paths:,} paths": Data(np.full(RATES, 0.05), np.full(RATES, 0.2), z)}


def on_the_same_normals(data, answer, tolerance=1e-9):
    """Compare a value, and deltas and vegas where the tool gives them, with those by hand."""
    value, gradients = answer
    mean, count = data.by_hand[0], len(data.rates)
    if not abs(value - mean[0]) <= 1e-9 * mean[0]:
        return f"price is {value!r}, by hand on the same normals {mean[0]!r}"
    if gradients is None:
        return ""
    wanted = mean[1 : count + 1], mean[count + 1 : -2]
    for name, found, want in zip(("deltas", "vegas"), gradients, wanted, strict=True):
        if wrong := differs(name, found, want, tolerance):
            return wrong
    return ""


def check(data, answer):
    """The answer is a value, and deltas and vegas where the tool gives them."""
    if wrong := on_the_same_normals(data, answer):
        return wrong
    value, gradients = answer
    _, stderr = data.by_hand
    got = {"price": (value, stderr[0])}
    if gradients is not None:
        deltas, vegas = gradients
        got["sum of deltas"], got["sum of vegas"] = (deltas.sum(), stderr[-2]), (vegas.sum(), stderr[-1])
        got["delta of rate 40"] = deltas[40], stderr[1 + 40]
        got["vega 39"] = vegas[39], stderr[1 + RATES + 39]
    for name, (x, se) in got.items():
        true, error = ORACLE[name]
        if not abs(x - true) <= 4.0 * np.hypot(se, error):
            return f"{name} is {x!r}, more than 4 standard errors ({se:.2g}) from the oracle {true}"
    return ""


PROBLEM = Problem(
    name="libor",
    section="Monte Carlo",
    title="LIBOR market model, 15 swaptions, 80 deltas + 80 vegas, normals given",
    cases=cases,
    check=check,
    baseline="numba_value",
    threads=(1, 2),
)
