"""The best plain numba value: what an adjoint is compared with. No derivatives here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import exp, factorial, log, sqrt

import numpy as np
from numba import njit

from ..problems import heston as hest
from ..problems import libor as lmm
from ..problems import local_vol as dupire
from ..problems.down_and_out import SMOOTHING

LANES = 64  # paths side by side in a block: what a vector loop needs, and its rows stay in the first level of cache
_PERIOD, _STRIKES = lmm.PERIOD, lmm.STRIKES
_LAST_PERIODS = np.isin(np.arange(lmm.AFTER) + 1, lmm.TENORS)
_TAYLOR = tuple(1.0 / factorial(i) for i in range(13))
_TO_INTEGER = 1.5 * 2.0**52  # added to a double, it rounds that to an integer, which is then in the low bits


@njit(nogil=True, error_model="numpy")
def plain_exp(x):
    """Exp of moderate numbers in plain arithmetic, which LLVM vectorises; numba calls libm for each ``math.exp``."""
    shifted = x * 1.4426950408889634 + _TO_INTEGER
    k = shifted - _TO_INTEGER
    r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10
    y = _TAYLOR[12]
    # fmt: off
    y = y * r + _TAYLOR[11]; y = y * r + _TAYLOR[10]; y = y * r + _TAYLOR[9]; y = y * r + _TAYLOR[8]  # noqa: E702
    y = y * r + _TAYLOR[7]; y = y * r + _TAYLOR[6]; y = y * r + _TAYLOR[5]; y = y * r + _TAYLOR[4]  # noqa: E702
    y = y * r + _TAYLOR[3]; y = y * r + _TAYLOR[2]; y = y * r + 1.0; y = y * r + 1.0  # noqa: E702
    # fmt: on
    bits = np.int64(np.float64(shifted).view(np.int64))
    return y * np.int64((bits + 1023) << 52).view(np.float64)


@njit(nogil=True, error_model="numpy")
def sum_of_payoffs(params, z):
    """Path by path, nothing stored.

    (1 + tanh u) / 2 is 1 / (1 + exp(-2u)): an exp instead of a tanh, and one division per path; where the product of
    the denominators overflows the payoff is zero, as it should be. From u = 19 on that is 1 to the last bit and needs
    no exp, which takes 7.6 ns per step instead of 15.3; the formula as it stands, with tanh, takes 11.0.
    """
    spot, strike, rate, maturity, sigma, barrier = params
    columns = z.shape[1] + 1
    dt = maturity / columns
    drift = (rate - 0.5 * sigma * sigma) * dt
    vol = sigma * sqrt(dt)
    safe = barrier + 19.0 / SMOOTHING
    total = 0.0
    for path in range(len(z)):
        log_return = 0.0
        level = spot
        dead = 1.0 + exp(-2.0 * SMOOTHING * (spot - barrier))
        for i in range(columns - 1):
            log_return += drift + vol * z[path, i]
            level = spot * exp(log_return)
            if level < safe:
                dead *= 1.0 + exp(-2.0 * SMOOTHING * (level - barrier))
        total += max(level - strike, 0.0) / dead
    return total * exp(-rate * maturity)


def down_and_out(data, threads):
    return mean_of_paths(sum_of_payoffs, data, threads)


@njit(nogil=True, error_model="numpy")
def _grow(level, total, normals, drift, vol):
    """One step of LANES paths. A function of its own, so that LLVM knows what does not alias."""
    for k in range(LANES):
        level[k] *= plain_exp(drift + vol * normals[k])
        total[k] += level[k]


@njit(nogil=True, error_model="numpy")
def sum_of_asians(params, z):
    """Blocks of LANES paths side by side, with an exp that vectorises."""
    spot, strike, rate, sigma, maturity = params
    steps = z.shape[1]
    dt = maturity / steps
    drift, vol = (rate - 0.5 * sigma * sigma) * dt, sigma * sqrt(dt)
    level, total, sum_of_payoffs = np.empty(LANES), np.empty(LANES), 0.0
    normals = np.empty(LANES)
    for first in range(0, len(z), LANES):
        count = min(LANES, len(z) - first)
        level[:], total[:] = spot, 0.0
        for i in range(steps):
            for k in range(LANES):
                normals[k] = z[first + min(k, count - 1), i]
            _grow(level, total, normals, drift, vol)
        for k in range(count):
            sum_of_payoffs += max(total[k] / steps - strike, 0.0)
    return sum_of_payoffs * exp(-rate * maturity)


@njit(nogil=True, error_model="numpy")
def _euler_step(level, v, first, second, rate_dt, root_dt, kappa_dt, theta, xi):
    """One step of LANES paths. A function of its own, so that LLVM knows what does not alias."""
    other = sqrt(1.0 - hest.RHO * hest.RHO)
    for k in range(LANES):
        q = sqrt(abs(v[k]) + 1e-10) * root_dt
        level[k] += level[k] * (rate_dt + q * first[k])
        v[k] += kappa_dt * (theta - v[k]) + xi * q * (hest.RHO * first[k] + other * second[k])


@njit(nogil=True, error_model="numpy")
def sum_of_hestons(params, z):
    """Blocks of LANES paths."""
    spot, strike, maturity, rate, variance, kappa, theta, xi = params
    dt = maturity / z.shape[1]
    level, v, total = np.empty(LANES), np.empty(LANES), 0.0
    first, second = np.empty(LANES), np.empty(LANES)
    for start in range(0, len(z), LANES):
        count = min(LANES, len(z) - start)
        level[:], v[:] = spot, variance
        for i in range(z.shape[1]):
            for k in range(LANES):
                path = start + min(k, count - 1)
                first[k], second[k] = z[path, i, 0], z[path, i, 1]
            _euler_step(level, v, first, second, rate * dt, sqrt(dt), kappa * dt, theta, xi)
        for k in range(count):
            total += max(level[k] - strike, 0.0)
    return total * exp(-rate * maturity)


def mean_of_paths(kernel, data, threads):
    params, parts = tuple(data.params), np.array_split(data.z, threads)
    pool = ThreadPoolExecutor(threads)
    return lambda: (sum(pool.map(lambda part: kernel(params, part), parts)) / len(data.z), None)


# -------------------- LIBOR market model --------------------


@njit(nogil=True, error_model="numpy")
def _update(x, drift, vol):
    """One rate of LANES paths over one step. A function of its own, so that LLVM knows what does not alias."""
    c, half = _PERIOD * vol, 0.5 * _PERIOD * vol
    for k in range(LANES):
        old = x[k]
        new_drift = drift[k] + c * old / (1.0 + old)
        drift[k] = new_drift
        x[k] = old * plain_exp(vol * (new_drift - half))


@njit(nogil=True, error_model="numpy")
def sum_of_swaptions(rates, vols, z):
    """Blocks of LANES paths, rates in rows: 3.2 ns per update; path by path with ``math.exp`` 7.2."""
    count_of_rates, steps = len(rates), z.shape[1]
    x, drift = np.empty((count_of_rates, LANES)), np.empty(LANES)
    bond, annuity, value = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    total = 0.0
    for first in range(0, len(z), LANES):
        count = min(LANES, len(z) - first)
        for i in range(count_of_rates):
            x[i] = _PERIOD * rates[i]
        for n in range(steps):
            for k in range(LANES):
                drift[k] = sqrt(_PERIOD) * z[first + min(k, count - 1), n]
            for i in range(n + 1, count_of_rates):
                _update(x[i], drift, vols[i - n - 1])
        bond[:], annuity[:], value[:] = 1.0, 0.0, 0.0
        for n in range(steps, count_of_rates):
            for k in range(LANES):
                bond[k] /= 1.0 + x[n, k]
                annuity[k] += _PERIOD * bond[k]
            if _LAST_PERIODS[n - steps]:
                for strike in _STRIKES:
                    for k in range(LANES):
                        value[k] += lmm.NOTIONAL * max(1.0 - bond[k] - strike * annuity[k], 0.0)
        for n in range(steps):
            for k in range(LANES):
                value[k] /= 1.0 + x[n, k]
        total += value[:count].sum()
    return total


def libor(data, threads):
    parts, pool = np.array_split(data.z, threads), ThreadPoolExecutor(threads)

    def call():
        return sum(pool.map(lambda part: sum_of_swaptions(data.rates, data.vols, part), parts)) / len(data.z), None

    return call


# -------------------- local volatility --------------------


@njit(nogil=True, error_model="numpy")
def _weekly_step(vols, z, log_spot, spot, alive):
    """One step of LANES paths; ``vols`` are those of the step, times the root of its length."""
    for k in range(LANES):
        at = min(max((spot[k] - dupire.SPOTS[0]) * 0.2, 0.0), 30.0)
        cell = min(np.int32(at), np.int32(29))
        sigma = vols[cell] + (vols[cell + 1] - vols[cell]) * (at - cell)
        z[k] = log_spot[k] + sigma * (z[k] - 0.5 * sigma)
    for k in range(LANES):  # a loop of its own: that of the look-up does not vectorise
        log_spot[k] = z[k]
        spot[k] = plain_exp(z[k])
        alive[k] *= min(max((dupire.BARRIER + dupire.EPS - spot[k]) * 0.1, 0.0), 1.0)


@njit(nogil=True, error_model="numpy")
def sum_of_barriers(vols, generator, paths):
    """Blocks of LANES paths: 12.5 ns per step, 6.7 of them for the normal; path by path 31."""
    log_spot, spot, alive, z = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    total = 0.0
    for first in range(0, paths, LANES):
        log_spot[:], spot[:], alive[:] = log(dupire.SPOT), dupire.SPOT, 1.0
        for j in range(dupire.STEPS):
            for k in range(LANES):
                z[k] = generator.standard_normal()
            _weekly_step(vols[j], z, log_spot, spot, alive)
        for k in range(min(LANES, paths - first)):
            total += alive[k] * max(spot[k] - dupire.STRIKE, 0.0)
    return total


def local_vol(paths, threads):
    column, w = dupire.time_weights()
    vols = dupire.surface()[:, column] * (1.0 - w) + dupire.surface()[:, column + 1] * w
    by_step = np.ascontiguousarray(vols.T * sqrt(dupire.MATURITY / dupire.STEPS))
    # SFC64 is the fastest of NumPy's: 6.7 ns per normal here, PCG64 10.9.
    generators = [np.random.Generator(np.random.SFC64(seed)) for seed in range(threads)]
    counts = [paths // threads + (i < paths % threads) for i in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def call():
        sums = pool.map(lambda generator, count: sum_of_barriers(by_step, generator, count), generators, counts)
        return sum(sums) / paths, None

    return call


WAYS = {
    "down_and_out": down_and_out,
    "asian": partial(mean_of_paths, sum_of_asians),
    "heston": partial(mean_of_paths, sum_of_hestons),
    "scaling": down_and_out,
    "libor": libor,
    "sensitivities": libor,
    "local_vol": local_vol,
}
