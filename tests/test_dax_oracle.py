"""The DAX oracle against closed forms that do not come from it."""

from itertools import pairwise
from math import erf, exp, log, sqrt

import numpy as np
import pytest
from oracles import dax_asian as oracle


@pytest.fixture(scope="module")
def normals():
    half = np.random.default_rng(7).standard_normal((50_000, 24))
    return np.concatenate((half, -half))


def by_hand(day):
    """Integrated zero rate and total variance on a day, interpolated without NumPy."""
    market = oracle.market()
    for (d0, r0, v0), (d1, r1, v1) in pairwise(zip(market.days, market.rates, market.vols)):
        if d0 <= day <= d1:
            u = (day - d0) / (d1 - d0)
            return (r0 + u * (r1 - r0)) * day / 365, (v0 * v0 * d0 + u * (v1 * v1 * d1 - v0 * v0 * d0)) / 365
    raise AssertionError(day)


def test_quotes_and_curves():
    quotes = oracle.market()
    assert quotes.days.tolist() == [13, 41, 75, 165, 256, 345, 524, 703]
    assert (quotes.rates[0], quotes.vols[0], quotes.rates[7], quotes.vols[7]) == (0.0357, 0.3550, 0.0401, 0.2681)
    integrated, variance = oracle.curves(quotes)
    np.testing.assert_allclose(np.transpose([integrated, variance]), [by_hand(d) for d in range(28, 673, 28)], 1e-14)
    assert np.all(np.diff(variance) > 0.0), "a calendar arbitrage would make the square root of a step NaN"
    # Outside the quotes: flat rate and flat vol, on both sides.
    integrated, variance = oracle.curves(quotes, [6.5, 1000.0])
    np.testing.assert_allclose(integrated, [0.0357 * 6.5 / 365, 0.0401 * 1000 / 365], 1e-14)
    np.testing.assert_allclose(variance, [0.3550**2 * 6.5 / 365, 0.2681**2 * 1000 / 365], 1e-14)


def test_forwards_and_geometric_asian(normals):
    """E[S_k] is the forward, and the geometric average is lognormal with known mean and variance."""
    quotes = oracle.market()
    paths = oracle.fixings(quotes, normals)
    curve = [by_hand(d) for d in range(28, 673, 28)]
    # The two halves of an antithetic pair are not independent: their means are.
    pairs = (paths[:50_000] + paths[50_000:]) / 2
    forwards = np.array([oracle.SPOT * exp(r) for r, _ in curve])
    assert np.all(abs(pairs.mean(0) - forwards) < 4 * pairs.std(0) / sqrt(50_000))

    mean = log(oracle.SPOT) + sum(r - w / 2 for r, w in curve) / 24
    variance = sum(min(w1, w2) for _, w1 in curve for _, w2 in curve) / 24**2
    d2 = (mean - log(oracle.STRIKE)) / sqrt(variance)
    cdf = [0.5 * (1 + erf(d / sqrt(2))) for d in (d2 + sqrt(variance), d2)]
    discount = exp(-curve[-1][0])
    closed = discount * (exp(mean + variance / 2) * cdf[0] - oracle.STRIKE * cdf[1])

    geometric = discount * np.maximum(np.exp(np.log(paths).mean(1)) - oracle.STRIKE, 0)
    pairs = (geometric[:50_000] + geometric[50_000:]) / 2
    assert abs(pairs.mean() - closed) < 4 * pairs.std() / sqrt(50_000)

    # The geometric call as control variate: a far sharper look at the arithmetic one.
    arithmetic = oracle.payoffs(quotes, normals)
    assert np.all(arithmetic >= geometric)
    controlled = arithmetic - geometric + closed
    stderr = controlled.std() / sqrt(len(controlled))
    assert abs(controlled.mean() - oracle.REFERENCE[0]) < 4 * (stderr + oracle.REFERENCE_STDERR[0])


def test_bumps_agree_with_complex_step_and_reference(normals):
    sample = normals[:20_000]
    price, stderr, differences = oracle.price_and_bumps(sample)
    mean, stderrs = oracle.pathwise(sample)
    assert (price, stderr) == pytest.approx((mean[0], stderrs[0]), rel=1e-13)
    assert np.all(abs(differences - mean[1:]) < 0.1 * stderrs[1:])
    assert np.all(abs(mean - oracle.REFERENCE) < 4 * (stderrs + oracle.REFERENCE_STDERR))
    # The levels are proportional to the spot: its derivative is the discounted mean of average / spot where exercised.
    quotes = oracle.market()
    average = oracle.fixings(quotes, sample).mean(1)
    delta = exp(-oracle.curves(quotes)[0][-1]) * np.mean(np.where(average > oracle.STRIKE, average, 0.0)) / quotes.spot
    assert mean[1] == pytest.approx(delta, rel=1e-12)
