"""The LIBOR market model, expiries up to 80 periods: what sensitivities cost (Giles & Glasserman, figure 4)."""

from __future__ import annotations

import numpy as np

from ..core import Problem
from .libor import AFTER, Data, on_the_same_normals


def cases(quick):
    paths = 200 if quick else 2_000
    for steps in (5, 20) if quick else (5, 10, 20, 40, 80):
        rates = steps + AFTER
        z = np.random.default_rng(steps).standard_normal((paths, steps))
        yield f"{2 * rates} sensitivities", Data(np.full(rates, 0.05), np.full(rates, 0.2), z)


PROBLEM = Problem(
    name="sensitivities",
    section="Monte Carlo",
    title="LIBOR market model of growing length: all deltas and vegas against the value alone",
    cases=lambda quick: dict(cases(quick)),
    check=on_the_same_normals,
    rough=lambda data, answer: on_the_same_normals(data, answer, 1e-5),
    baseline="numba_value",
)
