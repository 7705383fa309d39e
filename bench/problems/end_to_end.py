"""Monte Carlo as a user waits for it: random numbers are drawn within the call, and all else that the run needs.

A call starts from parameters and a seed. fastad records the payoff anew in each, looks for jumps and gives standard
errors, too; the others keep what they compiled. Their random numbers are those that come with them, or NumPy's on as
many threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core import Problem
from . import down_and_out, libor

_SAMPLE = 2_000  # paths from which the check takes the deviation of one


@dataclass
class Drawn:
    """A model with its parameters, of which the value and all sensitivities are wanted, and how to simulate it."""

    model: str
    params: tuple[np.ndarray, ...]
    steps: int
    paths: int

    @cached_property
    def deviations(self) -> np.ndarray:
        """Of one path: of its value and of what the oracle has of its derivatives."""
        z = np.random.default_rng(7).standard_normal((_SAMPLE, self.steps))
        if self.model == "down-and-out":
            samples = down_and_out.by_hand(self.params[0], z)
        else:
            samples = _listed(*np.split(libor.by_hand(*self.params, z), [1, 1 + libor.RATES], axis=1))
        return samples.std(axis=0)


def _listed(values, deltas, vegas):
    """What libor's oracle lists, of each path."""
    return np.column_stack([values, deltas.sum(axis=1), vegas.sum(axis=1), deltas[:, 40], vegas[:, 39]])


def draw(paths, steps, seed, threads):
    """Standard normals (paths, steps) by NumPy: a stream for each thread, as its documentation shows."""
    z = np.empty((paths, steps))
    parts = np.array_split(z, threads)
    streams = [np.random.Generator(np.random.SFC64(s)) for s in np.random.SeedSequence(seed).spawn(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda stream, part: stream.standard_normal(out=part), streams, parts))
    return z


def cases(quick):
    scale = 10 if quick else 1
    call = tuple(down_and_out.PARAMS.values())
    rates, vols = np.full(libor.RATES, 0.05), np.full(libor.RATES, 0.2)
    return {
        "down-and-out call": Drawn("down-and-out", (np.array(call),), down_and_out.COLUMNS - 1, 50_000 // scale),
        "LIBOR swaptions": Drawn("LIBOR", (rates, vols), libor.STEPS, 10_000 // scale),
    }


def check(data, answer):
    """The answer is a value, and a gradient for each of the parameters; on random numbers of its own."""
    value, gradients = answer
    if data.model == "down-and-out":
        names, true, errors = ("price", *down_and_out.PARAMS), down_and_out.ORACLE, 0.0
        got = np.array([value, *gradients[0]])
    else:
        names = tuple(libor.ORACLE)
        true, errors = np.array(list(libor.ORACLE.values())).T
        got = _listed([value], *(np.asarray(part)[None] for part in gradients))[0]
    tolerances = 4.0 * np.hypot(data.deviations / np.sqrt(data.paths), errors)
    for name, x, want, tolerance in zip(names, got, true, tolerances, strict=True):
        if not abs(x - want) <= tolerance:
            return f"{name} is {x!r}, more than 4 standard errors from the oracle {want}"
    return ""


PROBLEM = Problem(
    name="end_to_end",
    section="Monte Carlo",
    title="price + all sensitivities with everything in the call: random numbers, recording, standard errors",
    cases=cases,
    check=check,
    baseline="fastad",
    threads=(1, 2),
)
