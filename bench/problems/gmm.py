"""GradBench's gmm: gradient of the log posterior of a Gaussian mixture with a Wishart prior."""

import numpy as np

from ..core import Problem
from ..oracles import Case, differs

NAMES = ("alpha", "mu", "q", "l")
FREEDOM, GAMMA = 0, 1.0  # of the prior


def places(d):
    """Where the elements of the triangular factor are in [0, exp(q), l], l being filled column by column."""
    place = np.zeros((d, d), int)
    place[np.diag_indices(d)] = 1 + np.arange(d)
    columns, rows = np.triu_indices(d, 1)
    place[rows, columns] = 1 + d + np.arange(len(rows))
    return place


def objective(np, params, constants, logsumexp):
    """For any tool with NumPy's functions, but for a constant; ``logsumexp(array, axis)`` is the tool's."""
    (alpha, mu, q, lower), (x, place, none) = params, constants
    factors = np.concatenate([none, np.exp(q), lower], axis=1)[:, place]
    y = np.einsum("kij,nkj->nki", factors, x[:, None, :] - mu)
    log_density = logsumexp(alpha + q.sum(1) - 0.5 * (y * y).sum(2), 1)
    prior = FREEDOM * np.sum(q) - 0.5 * GAMMA**2 * np.sum(factors * factors)
    return np.sum(log_density) - len(x) * logsumexp(alpha, 0) + prior


def known(case):
    """By hand, from the responsibilities of the components for the points."""
    (alpha, mu, q, lower), (x, place, none) = case
    factors = np.concatenate([none, np.exp(q), lower], axis=1)[:, place]
    away = x[:, None, :] - mu
    y = np.matmul(factors, away.transpose(1, 2, 0))  # (k, d, n)
    log_weights = alpha + q.sum(axis=1) - 0.5 * (y * y).sum(axis=1).T
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    shares = np.exp(alpha - alpha.max())
    weighted = y * weights.T[:, None, :]
    factors_bar = -np.matmul(weighted, away.transpose(1, 0, 2)) - GAMMA**2 * factors
    d = x.shape[1]
    columns, rows = np.triu_indices(d, 1)
    return (
        weights.sum(axis=0) - len(x) * shares / shares.sum(),
        np.matmul(factors.transpose(0, 2, 1), weighted.sum(axis=2)[:, :, None])[:, :, 0],
        np.exp(q) * factors_bar[:, np.arange(d), np.arange(d)] + weights.sum(axis=0)[:, None] + FREEDOM,
        factors_bar[:, rows, columns],
    )


def cases(quick):
    found = {}
    for d, k, n in ((3, 2, 50),) if quick else ((10, 25, 1_000), (32, 25, 1_000)):
        generator = np.random.default_rng(d)
        shapes = (k,), (k, d), (k, d), (k, d * (d - 1) // 2)
        params = tuple(0.5 * generator.standard_normal(shape) for shape in shapes)
        found[f"d = {d}, k = {k}, n = {n:,}"] = Case(
            params, (generator.standard_normal((n, d)), places(d), np.zeros((k, 1)))
        )
    return found


def check(case, answer):
    for name, got, want in zip(NAMES, answer, known(case), strict=True):
        if found := differs(f"gradient by {name}", got, want, 1e-9):
            return found
    return ""


PROBLEM = Problem(
    name="gmm",
    section="arrays",
    title="gradient of a Gaussian mixture's log posterior",
    cases=cases,
    check=check,
    baseline="numpy",
)
