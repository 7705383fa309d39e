"""Value and gradient of the 10-dimensional Rosenbrock function: one small call, NumPy in and out."""

from __future__ import annotations

import numpy as np

from ..core import Problem


def objective(x):
    """Plain Python, for tools that overload scalars."""
    total = 0.0
    for i in range(len(x) - 1):
        bend = x[i + 1] - x[i] * x[i]
        side = 1.0 - x[i]
        total = total + (100.0 * (bend * bend) + side * side)
    return total


def objective_of_arrays(x):
    """The same in array operations, for tools made for arrays."""
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def known(x):
    bend = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] = -400.0 * x[:-1] * bend - 2.0 * (1.0 - x[:-1])
    gradient[1:] += 200.0 * bend
    return objective_of_arrays(x), gradient


def cases(quick):
    return {"n = 10": np.linspace(-1.2, 1.5, 10)}


def check(x, answer):
    value, gradient = answer
    want_value, want = known(x)
    if not abs(value - want_value) <= 1e-12 * want_value:
        return f"value is {value!r}, known {want_value!r}"
    if not np.all(np.abs(gradient - want) <= 1e-11 * np.abs(want).max()):
        return f"gradient is {gradient}, known {want}"
    return ""


PROBLEM = Problem(
    name="rosenbrock",
    section="small calls",
    title="value and gradient of the Rosenbrock function, NumPy in and out",
    cases=cases,
    check=check,
    baseline="fastad",
)
