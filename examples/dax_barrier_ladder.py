"""A barrier put under Heston's model calibrated to real quotes, and its sensitivity to every one of them.

1. Heston's five parameters are fitted to the 104 implied vols of DAX options on 5 July 2002.
2. A one-year down-and-out put is simulated under them: price, and sensitivities to the parameters by adjoints.
3. Derivatives of the parameters by the quotes come from the implicit function theorem: `fad.implicit` makes one
   operation of the fit. The chain rule gives the sensitivity to every quote.

For the largest of them the model is fitted to bumped quotes, and the put is simulated again on the same random numbers.
"""

import argparse
import csv
import json
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

import fastad as fad

QUOTES = Path(__file__).parent / "data" / "dax_2002-07-05.csv"
SPOT, STRIKE, BARRIER, EXPIRY, STEPS = 4468.17, 4500.0, 3000.0, 1.0, 100
NODES = 96  # of the quadrature: prices to 1e-5 on an index of 4468
LEAST = 1e-5  # variance, a vol of 0.3 %: of none, the derivative of its root is infinite


class Market(NamedTuple):
    """What the price is differentiated with respect to."""

    spot: float
    rates: np.ndarray  # (8,), by maturity
    vols: np.ndarray  # (13, 8), by strike and maturity

    def flat(self):
        """Return spot, 8 rates and 104 vols as one vector."""
        return np.concatenate(([self.spot], self.rates, self.vols.ravel()))


class Heston(NamedTuple):
    """dS = r S dt + sqrt(v) S dW, dv = kappa (theta - v) dt + xi sqrt(v) dB, dW dB = rho dt."""

    v0: float
    kappa: float
    theta: float
    xi: float
    rho: float


def read_quotes():
    """Strikes, days to maturity, and the market."""
    with open(QUOTES) as file:
        table = csv.reader(line for line in file if not line.startswith("#"))
        next(table)
        rows = np.array([[float(x) for x in row] for row in table])
    strikes, days = np.unique(rows[:, 0]), np.unique(rows[:, 1])
    return strikes, days, Market(SPOT, rows[: len(days), 2], rows[:, 3].reshape(len(strikes), len(days)))


def zero_rate(market, days, at):
    """Linear between the maturities of the quotes, flat outside."""
    return np.interp(at, days, market.rates)


# -------------------- European options: characteristic function, Lewis' formula --------------------


def characteristic(model, u, t):
    """E[exp(i u ln(S_t / F))] on the branch that is continuous (Albrecher et al., The Little Heston Trap, 2007)."""
    v0, kappa, theta, xi, rho = model
    b = kappa - rho * xi * 1j * u
    d = np.sqrt(b * b + xi**2 * (1j * u + u * u))
    g, e = (b - d) / (b + d), np.exp(-d * t)
    level = kappa * theta / xi**2 * ((b - d) * t - 2.0 * np.log((1.0 - g * e) / (1.0 - g)))
    return np.exp(level + v0 * (b - d) / xi**2 * (1.0 - e) / (1.0 - g * e))


def calls(model, forward, strikes, t):
    """Undiscounted calls, (13, 8) (Lewis, Option Valuation under Stochastic Volatility, 2000)."""
    x, weights = np.polynomial.legendre.leggauss(NODES)
    x, scale = 0.5 + 0.5 * x, 2.0 / (0.3 * np.sqrt(t))[:, None]  # a vol of 0.3 says how fast the integrand decays
    u, du = scale * x / (1.0 - x), 0.5 * scale * weights / (1.0 - x) ** 2
    phi = characteristic(model, u - 0.5j, t[:, None])  # (8, nodes)
    angles = u * np.log(forward / strikes[:, None])[:, :, None]  # (13, 8, nodes)
    integrand = (np.cos(angles) * phi.real - np.sin(angles) * phi.imag) * (du / (u * u + 0.25))
    return forward - np.sqrt(forward * strikes[:, None]) / np.pi * integrand.sum(axis=-1)


def black(vols, forward, strikes, t):
    """Undiscounted calls by Black's formula."""
    width = vols * np.sqrt(t)
    d = np.log(forward / strikes[:, None]) / width + 0.5 * width
    return forward * fad.norm_cdf(d) - strikes[:, None] * fad.norm_cdf(d - width)


def bisect(prices, forward, strikes, t):
    """Implied vols, to the last bit or two."""
    low, high = np.full(prices.shape, 0.001), np.full(prices.shape, 4.0)
    for _ in range(55):
        middle = 0.5 * (low + high)
        below = black(middle, forward, strikes, t) < prices
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


implied_vols = fad.implicit(bisect, lambda vols, prices, *market: black(vols, *market) - prices)


# -------------------- calibration --------------------


class Calibration:
    """Heston's parameters as a function of the market."""

    def __init__(self, strikes, days):
        self.strikes, self.days = strikes, days
        self.weeks = 7.0 * ((days + 3) // 7)  # maturities in whole weeks, as the published fit has them
        self.times = self.weeks / 365.0
        self.start = Heston(0.1, 1.0, 0.1, 0.5, -0.5)
        self.model = fad.implicit(self.fit, self.errors)
        self._errors = fad.scipy.objective(lambda x, market: self.errors(Heston(*x), market).ravel())

    def errors(self, model, market):
        """Implied vols of the model less those quoted, in points, (13, 8)."""
        forward = market.spot * np.exp(zero_rate(market, self.days, self.weeks) * self.times)
        prices = calls(model, forward, self.strikes, self.times)
        return 100.0 * (implied_vols(prices, forward, self.strikes, self.times) - market.vols)

    def fit(self, market):
        """Least squares by Levenberg and Marquardt, with fastad's derivatives of the errors."""
        run = {"method": "lm", "x_scale": np.abs(self.start), "xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}
        found = least_squares(self._errors.fun, self.start, self._errors.jac, args=(market,), **run)
        return Heston(*found.x.tolist())

    def simulated(self, market):
        """What the put is simulated with."""
        rate = zero_rate(market, self.days, 365.0 * EXPIRY)
        return {"spot": market.spot, "rate": rate, "model": self.model(market)}


# -------------------- the barrier put: Monte Carlo --------------------


def variance_step(v, z, model, dt):
    """Andersen's quadratic-exponential step, which matches mean and variance (J. Comput. Finance 11(3), 2008).

    He switches between two distributions where the ratio of variance to squared mean is 1.5. Here one goes over into
    the other between 1 and 2, where both can be had, so that a path moves smoothly with the parameters.
    """
    decay = fad.exp(-model.kappa * dt)
    mean = model.theta + (v - model.theta) * decay
    spread = model.xi**2 * (1.0 - decay) / model.kappa
    ratio = spread * (v * decay + 0.5 * model.theta * (1.0 - decay)) / mean**2
    c = fad.maximum(2.0 / ratio, 1.0)
    b2 = c - 1.0 + fad.sqrt(c * (c - 1.0))
    quadratic = mean / (1.0 + b2) * (fad.sqrt(b2) + z) ** 2
    some = 2.0 / (ratio + 1.0)  # probability of any variance
    exponential = mean / some * fad.maximum(fad.log(some / fad.norm_cdf(-z)), 0.0)
    return exponential + fad.clip(2.0 - ratio, 0.0, 1.0) * (quadratic - exponential)


def down_and_out_put(p, z):
    """Discounted payoff of one path, times the probability that no barrier is hit between the steps."""
    model, dt = p["model"], EXPIRY / STEPS
    slope = model.kappa * model.rho / model.xi - 0.5
    v, x, alive = model.v0, fad.log(p["spot"] / BARRIER), 1.0
    for z_v, z_x in zip(z[0], z[1]):
        v_before, x_before = v, x
        v = variance_step(v, z_v, model, dt)
        mean_v = 0.5 * (v_before + v) + LEAST
        drift = model.rho / model.xi * (v - v_before - model.kappa * model.theta * dt) + slope * mean_v * dt
        x = x + p["rate"] * dt + drift + fad.sqrt((1.0 - model.rho**2) * mean_v * dt) * z_x
        above = fad.maximum(x_before, 0.0) * fad.maximum(x, 0.0)
        alive = alive * -fad.expm1(-2.0 * above / (mean_v * dt))
    return fad.exp(-p["rate"] * EXPIRY) * alive * fad.maximum(STRIKE - BARRIER * fad.exp(x), 0.0)


# -------------------- the ladder --------------------


def ladder(result, calibration, market):
    """Sensitivities to spot, rates and vols, and their standard errors, each a Market.

    The errors are those of the pathwise sensitivities, so they need every path's: its seven sensitivities times
    the same matrix.
    """
    slopes = fad.jacobian(calibration.simulated)(market)
    matrix = np.array([by.flat() for by in (slopes["spot"], slopes["rate"], *slopes["model"])])  # (7, 113)
    paths = result.path_gradients
    covariance = np.cov([paths["spot"], paths["rate"], *paths["model"]])
    mean = np.array([result.gradient["spot"], result.gradient["rate"], *result.gradient["model"]])
    variance = np.einsum("ij,ik,kj->j", matrix, covariance, matrix) / result.paths
    return like(market, mean @ matrix), like(market, np.sqrt(variance))


def like(market, flat):
    """Return a vector as a Market."""
    return Market(float(flat[0]), flat[1:9], flat[9:].reshape(market.vols.shape))


def revalue(calibration, market, quote, width, run):
    """Central difference: the model fitted again to a bumped quote, the same random numbers."""

    def price(change):
        vols = market.vols.copy()
        vols[quote] += change
        return fad.monte_carlo(down_and_out_put, calibration.simulated(market._replace(vols=vols)), wrt=(), **run).value

    return (price(width) - price(-width)) / (2.0 * width)


def report(strikes, days, market, model, result, greeks, errors):
    """Tables of the fit and of the ladder."""
    print("Heston: " + ", ".join(f"{name} {x:.4f}" for name, x in model._asdict().items()))
    print(f"Down-and-out put on the DAX: strike {STRIKE:.0f}, barrier {BARRIER:.0f}, {EXPIRY:.0f} year, {STEPS} steps")
    print(f"{result.paths:,} paths: price {result.value:.2f}, standard error {result.stderr:.2f}")
    by_spot, error = 0.01 * market.spot * greeks.spot, 0.01 * market.spot * errors.spot
    print(f"spot up 1 %, the vols staying at their strikes: {by_spot:+.3f}, standard error {error:.3f}")
    print("\nZero rates up 1 bp, and vols up 1 point, the model fitted again; days to maturity:\n")
    print("      " + "".join(f"{day:9.0f}" for day in days))
    print("rate  " + "".join(f"{1e-4 * x:9.4f}" for x in greeks.rates))
    for strike, row in zip(strikes, greeks.vols):
        print(f"{strike:5.0f} " + "".join(f"{0.01 * x:9.4f}" for x in row))
    largest, total = 0.01 * errors.vols.max(), 0.01 * greeks.vols.sum()
    print(f"\nstandard errors up to {largest:.4f}; all vols up 1 point: {total:+.3f}")


def draw(strikes, days, greeks, file):
    """Heat map of the ladder: effect of one vol point at every strike and maturity."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    effects = 0.01 * greeks.vols
    most = np.abs(effects).max()
    figure, axes = plt.subplots(figsize=(8.0, 7.0), layout="constrained")
    image = axes.imshow(effects, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    for (i, j), effect in np.ndenumerate(effects):
        light = abs(effect) > 0.6 * most
        axes.text(j, i, f"{effect:.2f}", ha="center", va="center", fontsize=8, color="white" if light else "black")
    axes.set_xticks(range(len(days)), [f"{day:.0f}" for day in days])
    axes.set_yticks(range(len(strikes)), [f"{strike:.0f}" for strike in strikes])
    axes.set(xlabel="days to maturity", ylabel="strike", title="down-and-out put: effect of one vol point")
    figure.colorbar(image, label="change of the price, index points")
    figure.savefig(file, dpi=110)


def main():
    """Fit, simulate, chain; then check the largest sensitivities by bumps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bumps", type=int, default=5, help="number of quotes that are bumped")
    parser.add_argument("--picture", metavar="FILE", help="heat map of the vols' sensitivities")
    parser.add_argument("--json", action="store_true", help="the numbers as JSON")
    options = parser.parse_args()
    strikes, days, market = read_quotes()
    run = {"normals": (2, STEPS), "paths": options.paths, "seed": options.seed}

    times = [perf_counter()]
    calibration = Calibration(strikes, days)
    at = calibration.simulated(market)
    times.append(perf_counter())
    result = fad.monte_carlo(down_and_out_put, at, per_path=True, **run)
    times.append(perf_counter())
    greeks, errors = ladder(result, calibration, market)
    times.append(perf_counter())

    largest = np.argsort(-np.abs(greeks.vols), axis=None)[: options.bumps]
    quotes = list(zip(*(i.tolist() for i in np.unravel_index(largest, greeks.vols.shape))))
    bumps = [revalue(calibration, market, quote, 2e-4, run) for quote in quotes]
    times.append(perf_counter())

    if options.picture:
        draw(strikes, days, greeks, options.picture)
    sse = float((calibration.errors(at["model"], market) ** 2).sum())
    if options.json:
        numbers = {"model": at["model"]._asdict(), "sse": sse, "price": [result.value, result.stderr]}
        numbers |= {"ladder": greeks.flat().tolist(), "errors": errors.flat().tolist()}
        print(json.dumps(numbers | {"bumped": quotes, "bumps": bumps}, indent=1))
        return
    print(f"104 quotes fitted: sum of squared errors {sse:.1f} in points of vol (published: 177.2)")
    report(strikes, days, market, at["model"], result, greeks, errors)
    print("\nlargest:  strike  days  1 point  std error  by bumps  difference in std errors")
    for (i, j), bump in zip(quotes, bumps):
        greek, error, bump = (0.01 * x for x in (greeks.vols[i, j], errors.vols[i, j], bump))
        print(f"{strikes[i]:16.0f}{days[j]:6.0f}{greek:9.4f}{error:11.4f}{bump:10.4f}{(greek - bump) / error:13.3f}")
    fit, simulation, chain, bumping = np.diff(times)
    print(f"\nfit {fit:.1f} s, price and pathwise sensitivities {simulation:.1f} s, to 113 quotes {chain:.1f} s")
    if bumps:
        print(f"bumping {len(bumps)} quotes {bumping:.1f} s; all 113 would take {113 * bumping / len(bumps):.0f} s")


if __name__ == "__main__":
    main()
