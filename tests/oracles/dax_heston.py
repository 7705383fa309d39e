"""Independent oracle for the DAX barrier put: NumPy and SciPy, nothing shared with fastad or with the example.

European options by Heston's own two probabilities (1993), in the form of Gatheral, The Volatility Surface (2006),
equations 2.11 to 2.17; derivatives by complex step; the fit by Gauss-Newton to its fixed point.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri

DATA = Path(__file__).resolve().parents[2] / "examples" / "data" / "dax_2002-07-05.csv"
SPOT, STRIKE, BARRIER, STEPS = 4468.17, 4500.0, 3000.0, 100
PUBLISHED = 177.2
NODES = np.polynomial.legendre.leggauss(400)


def quotes():
    """Days, zero rates, strikes, vols by strike and maturity."""
    with open(DATA) as file:
        lines = [line for line in csv.reader(file) if line and not line[0].startswith(("#", "strike"))]
    table = np.array([[float(x) for x in line] for line in lines])
    return table[:8, 1], table[:8, 2], table[::8, 0], table[:, 3].reshape(13, 8)


def probability(which, theta, u, x, t):
    """Exercise probabilities under both measures; x = ln(F / K)."""
    v0, kappa, mean, xi, rho = theta
    j = 1.0 if which == 1 else 0.0
    alpha = -0.5 * u * u - 0.5j * u + 1j * j * u
    beta = kappa - rho * xi * j - 1j * rho * xi * u
    gamma = 0.5 * xi * xi
    d = np.sqrt(beta * beta - 4.0 * alpha * gamma)
    minus, plus = (beta - d) / (2.0 * gamma), (beta + d) / (2.0 * gamma)
    g = minus / plus
    big_d = minus * (1.0 - np.exp(-d * t)) / (1.0 - g * np.exp(-d * t))
    big_c = kappa * (minus * t - 2.0 / (xi * xi) * np.log((1.0 - g * np.exp(-d * t)) / (1.0 - g)))
    f = np.exp(big_c * mean + big_d * v0 + 1j * u * x) / (1j * u)
    return f


def call(theta, forward, strike, t):
    """Undiscounted call; theta and forward may be complex for a complex step, so real parts are taken by symmetry."""
    top = 400.0 / np.sqrt(t / 0.04)
    u, weights = 0.5 * top * (NODES[0] + 1.0), 0.5 * top * NODES[1]
    x = np.log(forward / strike)
    halves = []
    for which in (1, 2):
        # Re f(u) = (f(u) + f(-u)) / 2 is analytic in theta.
        symmetric = 0.5 * (probability(which, theta, u, x, t) + probability(which, theta, -u, x, t))
        halves.append(0.5 + symmetric @ weights / np.pi)
    return forward * halves[0] - strike * halves[1]


def black(vol, forward, strike, t):
    s = vol * np.sqrt(t)
    d = np.log(forward / strike) / s + 0.5 * s
    return forward * ndtr(d) - strike * ndtr(d - s), forward * np.exp(-0.5 * d * d) / np.sqrt(2.0 * np.pi) * np.sqrt(t)


def implied(price, forward, strike, t):
    vol = 0.3
    for _ in range(50):
        value, vega = black(vol, forward, strike, t)
        vol = min(max(vol - (value - price) / vega, 0.5 * vol), 2.0 * vol)
    return vol


def errors(theta, market):
    """Errors in points, and their derivatives by theta: (104,), (104, 5)."""
    days, rates, strikes, vols, spot = market
    weeks = 7.0 * np.floor((days + 3.0) / 7.0)
    found, slopes = [], []
    for strike, row in zip(strikes, vols):
        for j, week in enumerate(weeks):
            t = week / 365.0
            forward = spot * np.exp(np.interp(week, days, rates) * t)
            vol = implied(call(theta, forward, strike, t).real, forward, strike, t)
            vega = black(vol, forward, strike, t)[1]
            steps = [call(theta + 1e-30j * unit, forward, strike, t).imag / 1e-30 for unit in np.eye(5)]
            found.append(100.0 * (vol - row[j]))
            slopes.append(100.0 * np.array(steps) / vega)
    return np.array(found), np.array(slopes)


def fit(theta, market, steps):
    """Gauss-Newton from near the optimum: the error shrinks to 0.29 of itself in each step."""
    for _ in range(steps):
        r, slopes = errors(theta, market)
        theta = theta - np.linalg.lstsq(slopes, r)[0]
    return theta


def payoffs(p, z, smallest=1e-5):
    """Discounted payoffs of paths z, shape (paths, 2, steps); p = spot, rate, v0, kappa, theta, xi, rho."""
    spot, rate, v0, kappa, mean_v, xi, rho = p
    dt = 1.0 / STEPS
    e = np.exp(-kappa * dt)
    v = np.full(len(z), v0)
    log_s = np.full(len(z), np.log(spot))
    alive = np.ones(len(z), dtype=v.dtype)
    barrier = np.log(BARRIER)
    for k in range(STEPS):
        m = v * e + mean_v * (1.0 - e)
        s2 = v * xi**2 * e / kappa * (1.0 - e) + mean_v * xi**2 / (2.0 * kappa) * (1.0 - e) ** 2
        psi = s2 / (m * m)
        low = np.where(psi.real < 2.0, psi, 1.0)  # of the others the share is zero
        b2 = 2.0 / low - 1.0 + np.sqrt(2.0 / low) * np.sqrt(2.0 / low - 1.0)
        squared = m / (1.0 + b2) * (np.sqrt(b2) + z[:, 0, k]) ** 2
        p0 = (psi - 1.0) / (psi + 1.0)
        tail = np.log((1.0 - p0) / ndtr(-z[:, 0, k]))
        exponential = np.where(tail.real > 0.0, tail * m / (1.0 - p0), 0.0)
        share = np.where(psi.real <= 1.0, 1.0, np.where(psi.real >= 2.0, 0.0, 2.0 - psi))
        new = share * squared + (1.0 - share) * exponential
        average = 0.5 * (v + new) + smallest
        before = log_s
        log_s = log_s + rate * dt + rho / xi * (new - v - kappa * mean_v * dt) + (kappa * rho / xi - 0.5) * average * dt
        log_s = log_s + np.sqrt((1.0 - rho**2) * average * dt) * z[:, 1, k]
        both = (before.real > barrier) & (log_s.real > barrier)
        hit = np.exp(-2.0 * (before - barrier) * (log_s - barrier) / (average * dt))
        alive = alive * np.where(both, 1.0 - hit, 0.0)
        v = new
    s = np.exp(log_s)
    return np.exp(-rate) * alive * np.where(s.real < STRIKE, STRIKE - s, 0.0)


def normals(n, seed):
    """Standard normals by inversion, shape (n, 2, steps)."""
    return ndtri(np.random.default_rng(seed).random((n, 2, STEPS)))
