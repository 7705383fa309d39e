"""Central differences of the numba value: two more valuations for each sensitivity. Right to a few digits only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..core import Roughly
from . import numba_value

STEP = 1e-5  # relative: near the cube root of the rounding error of a double


def bumped(value, x):
    """Value and gradient of value(array) at an array."""
    gradient = np.empty_like(x)
    for i in range(x.size):
        h = STEP * max(abs(x[i]), 1e-2)
        up, down = x.copy(), x.copy()
        up[i], down[i] = x[i] + h, x[i] - h
        gradient[i] = (value(up) - value(down)) / (up[i] - down[i])
    return value(x), gradient


def mean(kernel, z, threads):
    """The numba value as a function of its other arguments."""
    parts, pool = np.array_split(z, threads), ThreadPoolExecutor(threads)
    return lambda *args: sum(pool.map(lambda part: kernel(*args, part), parts)) / len(z)


def down_and_out(data, threads):
    value = mean(numba_value.sum_of_payoffs, data.z, threads)
    return lambda: bumped(lambda x: value(tuple(x.tolist())), data.params)


def libor(data, threads):
    value, rates = mean(numba_value.sum_of_swaptions, data.z, threads), len(data.rates)

    def call():
        found, gradient = bumped(lambda x: value(x[:rates], x[rates:]), np.concatenate([data.rates, data.vols]))
        return found, (gradient[:rates], gradient[rates:])

    return call


WAYS = {"down_and_out": Roughly(down_and_out), "sensitivities": Roughly(libor)}
