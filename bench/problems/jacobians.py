"""Dense Jacobians: what more inputs and more outputs cost, a call of one small function of n numbers giving m."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core import Problem
from ..oracles import differs


class Data(NamedTuple):
    weights: np.ndarray  # (m, n)
    x: np.ndarray  # (n,)


def outputs(weights, x, tanh):
    """Plain Python, for tools that overload scalars: a list of m numbers."""
    found = []
    for row in weights.tolist():
        total = 0.0
        for w, v in zip(row, x):
            total = total + w * v
        found.append(tanh(total))
    return found


def outputs_of_arrays(np, weights, x):
    """The same in array operations, for tools made for arrays."""
    return np.tanh(weights @ x)


def known(data):
    return (1.0 - np.tanh(data.weights @ data.x) ** 2)[:, None] * data.weights


def cases(quick):
    generator = np.random.default_rng(12)
    for n, m in ((5, 20), (20, 5)) if quick else ((10, 10), (10, 100), (10, 1_000), (100, 10), (1_000, 10), (100, 100)):
        yield f"{n:,} inputs, {m:,} outputs", Data(generator.normal(size=(m, n)) / n**0.5, generator.normal(size=n))


PROBLEM = Problem(
    name="jacobians",
    section="scaling",
    title="dense Jacobian of a function of n numbers giving m",
    cases=lambda quick: dict(cases(quick)),
    check=lambda data, answer: differs("Jacobian", answer, known(data), 1e-12),
    baseline="fastad",
)
