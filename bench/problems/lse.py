"""GradBench's lse: gradient of the logarithm of the sum of exponentials."""

import numpy as np

from ..core import Problem
from ..oracles import Case, differs


def objective(np, params, constants):
    """For any tool with NumPy's functions."""
    (x,) = params
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def known(case):
    (x,) = case.params
    weights = np.exp(x - x.max())
    return (weights / weights.sum(),)


def cases(quick):
    return {
        f"n = {n:,}": Case((np.random.default_rng(n).random(n),)) for n in ((1_000,) if quick else (1_000, 1_000_000))
    }


PROBLEM = Problem(
    name="lse",
    section="arrays",
    title="gradient of logsumexp",
    cases=cases,
    check=lambda case, answer: differs("gradient", answer[0], known(case)[0], 1e-10),
    baseline="numpy",
)
