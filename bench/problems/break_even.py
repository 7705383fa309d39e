"""After how many gradients a recording or a compilation has paid: n of them, from the plain function on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core import Problem
from ..oracles import complex_step, differs, real_maximum
from .down_and_out import PARAMS, payoff

COLUMNS = 100
COUNTS = (1, 10, 100, 1_000, 10_000, 100_000)


class Data(NamedTuple):
    params: np.ndarray
    z: np.ndarray  # (paths, columns - 1)


def gradients(data):
    """Of each path, by complex steps: (paths, 6)."""

    def f(x):
        return payoff(x, data.z.T, np.exp, np.tanh, real_maximum)

    return complex_step(f, data.params.tolist())


def cases(quick):
    params = np.array(list(PARAMS.values()))
    for n in COUNTS[:3] if quick else COUNTS:
        yield f"{n:,} paths", Data(params, np.random.default_rng(7).standard_normal((n, COLUMNS - 1)))


PROBLEM = Problem(
    name="break_even",
    section="break-even",
    title=f"down-and-out call of {COLUMNS} steps: the mean gradient of n paths, with recording or compiling",
    cases=lambda quick: dict(cases(quick)),
    check=lambda data, answer: differs("gradient", answer, gradients(data).mean(axis=0), 1e-9),
    baseline="fastad",
)
