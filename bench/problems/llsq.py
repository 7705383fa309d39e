"""GradBench's llsq: gradient of a least squares fit of a polynomial to the sign function."""

import numpy as np

from ..core import Problem
from ..oracles import Case, differs


def objective(np, params, constants):
    """For any tool with NumPy's functions."""
    (x,), (powers, s) = params, constants
    residual = s - powers @ x
    return 0.5 * np.sum(residual * residual)


def known(case):
    (x,), (powers, s) = case
    return (powers.T @ (powers @ x - s),)


def cases(quick):
    found = {}
    for n, m in ((100, 16),) if quick else ((1_024, 128), (16_384, 128)):
        t = np.linspace(-1.0, 1.0, n)
        found[f"n = {n:,}, m = {m}"] = Case(
            (np.random.default_rng(m).random(m),), (np.vander(t, m, increasing=True), np.sign(t))
        )
    return found


PROBLEM = Problem(
    name="llsq",
    section="arrays",
    title="gradient of a least squares fit by a polynomial",
    cases=cases,
    check=lambda case, answer: differs("gradient", answer[0], known(case)[0], 1e-10),
    baseline="numpy",
)
