"""Gradients of sums over arrays of ten elements, where the time is overhead, and of a million, where it is memory."""

import numpy as np

from ..core import Problem
from ..oracles import Case, differs

# For any tool with NumPy's functions.
FUNCTIONS = {
    "Rosenbrock": lambda np, x: (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum(),
    "sum(x x sin(x))": lambda np, x: (x * x * np.sin(x)).sum(),
    "mean(log(1 + exp(-2 x)))": lambda np, x: np.log(1.0 + np.exp(-2.0 * x)).mean(),
}


def of_rosenbrock(x):
    found = np.zeros_like(x)
    found[1:] += 200.0 * (x[1:] - x[:-1] ** 2)
    found[:-1] -= 400.0 * x[:-1] * (x[1:] - x[:-1] ** 2) + 2.0 * (1.0 - x[:-1])
    return found


DERIVATIVES = {
    "Rosenbrock": of_rosenbrock,
    "sum(x x sin(x))": lambda x: 2.0 * x * np.sin(x) + x * x * np.cos(x),
    "mean(log(1 + exp(-2 x)))": lambda x: -2.0 / (x.size * (1.0 + np.exp(2.0 * x))),
}


def named(case):
    """The function of a case, as ``objective(np, params, constants)``, and the case without its name."""
    (name,) = case.constants
    return lambda np, params, constants: FUNCTIONS[name](np, *params), Case(case.params)


def known(case):
    (x,), (name,) = case.params, case.constants
    return (DERIVATIVES[name](x),)


def cases(quick):
    sizes = dict.fromkeys(FUNCTIONS, (10,))
    if not quick:
        sizes["sum(x x sin(x))"] = (10, 1_000_000)
    return {
        f"{name}, n = {n:,}": Case((np.linspace(-1.2, 1.5, n),), (name,))
        for name, all_n in sizes.items()
        for n in all_n
    }


PROBLEM = Problem(
    name="elementwise",
    section="arrays",
    title="gradient of a sum over the elements of an array",
    cases=cases,
    check=lambda case, answer: differs("gradient", answer[0], known(case)[0], 1e-12),
    baseline="numpy",
)
