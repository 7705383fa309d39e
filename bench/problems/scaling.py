"""The down-and-out call at other sizes: time per step and path, which ten times the paths or rows should not change."""

from __future__ import annotations

import numpy as np

from ..core import Problem
from .down_and_out import PARAMS, Data, check


def cases(quick):
    few = 256 if quick else 5_000
    sizes = ((few, 50), (few, 500), (few, 5_000), (10 * few, 500))
    generator, params = np.random.default_rng(1234), np.array(list(PARAMS.values()))
    for paths, columns in sizes:
        yield f"{paths:,} x {columns:,}", Data(params, generator.standard_normal((paths, columns - 1)))


PROBLEM = Problem(
    name="scaling",
    section="Monte Carlo",
    title="down-and-out call, paths x 10 and rows x 10",
    cases=lambda quick: dict(cases(quick)),
    check=check,
    items=lambda data: data.z.size,
    unit="step",
    baseline="numba_value",
    threads=(1, 2),
)
