"""Independent oracle for the DAX Asian call: NumPy on given normals, nothing shared with fastad or with the example.

Conventions, the same as in ``examples/dax_asian.py`` but written down again on purpose:

* zero rates linear in time between the quotes, flat before the first and after the last;
* total variance of the vols at strike 4500 linear in time, from 0 at time 0; after the last quote its vol stays flat,
  so the variance grows on at its average speed so far (no fixing lies there: the last is on day 672, the quote 703);
* 24 fixings every 28 days, Actual/365, no dividends; lognormal steps with the increments of ``r(t) t`` and of the
  total variance; the arithmetic average call is discounted at the last fixing.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "examples" / "data" / "dax_2002-07-05.csv"
SPOT = 4468.17
STRIKE = 4500.0
FIXING_DAYS = 28.0 * np.arange(1, 25)

# Mean and standard error of randomised quasi-Monte Carlo by this file: 64 scrambled Sobol sets (SciPy) of 65,536 paths.
REFERENCE, REFERENCE_STDERR = np.array(
    [
        # price
        (440.672, 0.027),
        # spot
        (0.568856, 9.7e-05),
        # zero rates
        (3.19971, 0.00065),
        (11.5804, 0.0023),
        (53.2319, 0.01),
        (145.579, 0.027),
        (234.143, 0.04),
        (531.78, 0.088),
        (894.413, 0.16),
        (-146.776, 0.093),
        # vols
        (3.52264, 0.044),
        (24.2729, 0.17),
        (76.3051, 0.29),
        (198.838, 0.49),
        (252.754, 0.76),
        (347.257, 0.7),
        (375.12, 0.38),
        (71.4705, 0.19),
    ]
).T


class Market(NamedTuple):
    """The quotes: maturities in days, one zero rate and one vol for each."""

    days: np.ndarray
    spot: float
    rates: np.ndarray
    vols: np.ndarray

    def bumped(self, quote: int, by: complex) -> Market:
        """The market with one of its 17 quotes moved: 0 is the spot, then the rates, then the vols."""
        quotes = np.concatenate(([self.spot], self.rates, self.vols)).astype(type(by))
        quotes[quote] += by
        return Market(self.days, quotes[0], quotes[1:9], quotes[9:])


def market(path: Path = DATA) -> Market:
    """Read the quotes at the strike."""
    with open(path) as lines:
        table = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    quotes = np.array([[float(x) for x in row.values()] for row in table if float(row["strike"]) == STRIKE])
    return Market(quotes[:, 1], SPOT, quotes[:, 2], quotes[:, 3])


def _linear(x, knots, values):
    """``np.interp`` for complex values too."""
    values = np.asarray(values)
    if np.iscomplexobj(values):
        return np.interp(x, knots, values.real) + 1j * np.interp(x, knots, values.imag)
    return np.interp(x, knots, values)


def curves(quotes: Market, days=FIXING_DAYS):
    """``r(t) t`` and the total variance on the given days."""
    days = np.asarray(days, dtype=float)
    integrated = _linear(days, quotes.days, quotes.rates) * days / 365.0
    knots = np.concatenate(([0.0], quotes.days)) / 365.0
    total = np.concatenate(([0.0], quotes.vols**2 * knots[1:]))
    beyond = np.maximum(days / 365.0 / knots[-1], 1.0)
    return integrated, _linear(days / 365.0, knots, total) * beyond


def fixings(quotes: Market, normals):
    """Index levels at the fixings: normals (paths, 24) -> (paths, 24)."""
    integrated, variance = curves(quotes)
    step = np.diff(variance, prepend=0.0)
    logs = np.diff(integrated, prepend=0.0) - 0.5 * step + np.sqrt(step) * normals
    return quotes.spot * np.exp(np.cumsum(logs, axis=1))


def payoffs(quotes: Market, normals):
    """Discounted payoff of each path; complex quotes give a complex step through the kink."""
    average = fixings(quotes, normals).mean(axis=1)
    return np.exp(-curves(quotes)[0][-1]) * np.where(average.real > STRIKE, average - STRIKE, 0.0)


def _mean_and_stderr(samples):
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(samples))


def bumps(quotes: Market) -> np.ndarray:
    """Half widths of the central differences: 0.01 % of the spot, 0.1 basis point, 0.01 vol point."""
    return np.concatenate(([1e-4 * quotes.spot], np.full(8, 1e-5), np.full(8, 1e-4)))


def price_and_bumps(normals, quotes: Market | None = None):
    """Price, its standard error, and 17 central differences (spot, 8 zero rates, 8 vols) on the given normals.

    A path whose average crosses the strike within a bump makes them differ from the pathwise derivative, by less than
    a standard error; ``pathwise`` is exact.
    """
    quotes = quotes or market()
    price, stderr = _mean_and_stderr(payoffs(quotes, normals))
    widths = bumps(quotes)
    up = [payoffs(quotes.bumped(i, h), normals).mean() for i, h in enumerate(widths)]
    down = [payoffs(quotes.bumped(i, -h), normals).mean() for i, h in enumerate(widths)]
    return price, stderr, (np.array(up) - np.array(down)) / (2.0 * widths)


def pathwise(normals, quotes: Market | None = None):
    """Means and standard errors of price and 17 pathwise derivatives, by complex step: exact to rounding.

    Returns two arrays of 18: price, spot, 8 zero rates, 8 vols.
    """
    quotes = quotes or market()
    samples = np.empty((len(normals), 18))
    samples[:, 0] = payoffs(quotes, normals)
    for i in range(17):
        samples[:, i + 1] = payoffs(quotes.bumped(i, 1e-30j), normals).imag / 1e-30
    return _mean_and_stderr(samples)
