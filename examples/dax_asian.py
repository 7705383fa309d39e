"""Price and risk of an Asian call on real DAX quotes: by fastad, and by bump-and-revalue.

An arithmetic-average call, strike 4500, with 24 fixings every 28 days. Zero rates are linear in time between the eight
maturities and flat outside; total variance is linear in time from 0, with a flat vol after the last maturity.
Actual/365, no dividends; lognormal steps with the increments of both curves; discounted at the last fixing.
"""

import argparse
import csv
import json
from bisect import bisect
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

import fastad as fad

QUOTES = Path(__file__).parent / "data" / "dax_2002-07-05.csv"
SPOT, STRIKE, FIXING_DAYS = 4468.17, 4500.0, range(28, 24 * 28 + 1, 28)


class Market(NamedTuple):
    """What the price is differentiated with respect to."""

    spot: float
    rates: np.ndarray
    vols: np.ndarray

    def flat(self):
        return np.concatenate(([self.spot], self.rates, self.vols))


def read_quotes():
    """Days to maturity, and the market at the strike."""
    with open(QUOTES) as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        rows = [[float(x) for x in row.values()] for row in table if float(row["strike"]) == STRIKE]
    _, days, rates, vols = np.array(rows).T
    return days, Market(SPOT, rates, vols)


def schedule(days):
    """For each fixing: time, the quotes left and right of it, and the weights of their rates and of their variances."""
    fixings = []
    for day in FIXING_DAYS:
        right = bisect(days, day)
        if 0 < right < len(days):
            left = right - 1
            w = float((day - days[left]) / (days[right] - days[left]))
            times = float(days[left] / 365), float(days[right] / 365)
        else:  # outside the quotes the nearest one holds
            left = right = min(right, len(days) - 1)
            w, times = 0.0, (day / 365, day / 365)
        fixings.append((day / 365, left, right, (1 - w, w), ((1 - w) * times[0], w * times[1])))
    return fixings


def payoff(market, z, fixings):
    """One path in plain Python: the discounted payoff on the normals z. It runs on floats just as well."""
    level, total, integrated_rate, variance = market.spot, 0.0, 0.0, 0.0
    for k, (time, left, right, (w0, w1), (v0, v1)) in enumerate(fixings):
        rate_before, variance_before = integrated_rate, variance
        integrated_rate = (w0 * market.rates[left] + w1 * market.rates[right]) * time
        variance = v0 * market.vols[left] ** 2 + v1 * market.vols[right] ** 2
        step = variance - variance_before
        level = level * fad.exp(integrated_rate - rate_before - 0.5 * step + fad.sqrt(step) * z[k])
        total = total + level
    return fad.exp(-integrated_rate) * fad.maximum(total / len(fixings) - STRIKE, 0.0)


def revalue(market, run):
    """Central differences on common random numbers: every revaluation has the same seed."""
    quotes = market.flat()
    widths = np.array([1e-3 * market.spot] + [1e-4] * 8 + [1e-3] * 8)

    def price(i, change):
        moved = quotes.copy()
        moved[i] += change
        return fad.monte_carlo(payoff, Market(float(moved[0]), moved[1:9], moved[9:]), wrt=(), **run).value

    return np.array([(price(i, h) - price(i, -h)) / (2.0 * h) for i, h in enumerate(widths)])


def report(days, market, result, bumps):
    """The risk table: fastad's sensitivities and their standard errors beside the bumps."""
    print(f"Asian call on the DAX, 5 July 2002: strike {STRIKE:.0f}, {len(FIXING_DAYS)} fixings every 28 days")
    print(f"{result.paths:,} paths: price {result.value:.3f}, standard error {result.stderr:.3f}\n")
    print("                              by fastad                              by bumps    difference")
    print("             days     quote  sensitivity  std error  effect of a move            in std errors")
    risks = ["spot"] + ["zero rate"] * 8 + ["implied vol"] * 8
    moves = [("1 %", 0.01 * market.spot)] + [("1 bp", 1e-4)] * 8 + [("1 point", 0.01)] * 8
    columns = market.flat(), result.gradient.flat(), result.gradient_stderr.flat(), bumps
    for risk, day, (move, size), quote, greek, error, bump in zip(risks, [0, *days, *days], moves, *columns):
        shown = f"{day:5.0f}{100 * quote:8.2f} %" if day else f"{'':5}{quote:10.2f}"
        effect, away = f"{greek * size:10.4f} {move:>7}", (greek - bump) / error
        print(f"{risk:12}{shown}{greek:13.4f}{error:11.4f}{effect}{bump:12.4f}{away:12.3f}")
    print(f"\nAll zero rates up 1 bp: {1e-4 * result.gradient.rates.sum():+.4f}", end="; ")
    print(f"all vols up 1 point: {0.01 * result.gradient.vols.sum():+.4f}")


def main():
    """Run both, time both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="20,000 paths")
    parser.add_argument("--json", action="store_true", help="the numbers as JSON")
    options = parser.parse_args()

    days, market = read_quotes()
    paths = 20_000 if options.quick else options.paths
    run = {"normals": len(FIXING_DAYS), "paths": paths, "seed": options.seed, "args": (schedule(days),)}

    times = [perf_counter()]
    fad.monte_carlo(payoff, market, **run | {"paths": 8192})  # loads the kernels; compiles them if it is the first time
    times.append(perf_counter())
    result = fad.monte_carlo(payoff, market, **run)
    times.append(perf_counter())
    bumps = revalue(market, run)
    times.append(perf_counter())
    loading, seconds, bump_seconds = np.diff(times)

    if options.json:
        numbers = {"fastad": json.loads(result.to_json()), "seconds": seconds, "bumps": bumps.tolist()}
        print(json.dumps(numbers | {"bump_seconds": bump_seconds, "maturity_days": days.tolist()}, indent=1))
    else:
        report(days, market, result, bumps)
        print(f"fastad, price and 17 sensitivities: {seconds:.2f} s; bumping, 34 revaluations: {bump_seconds:.2f} s")
        print(f"(before that {loading:.2f} s for loading the kernels, or for compiling them the first time ever)")


if __name__ == "__main__":
    main()
