"""GradBench's kmeans: Newton direction of the sum of squared distances to the nearest centroid."""

import numpy as np

from ..core import Problem
from ..oracles import Case, differs


def objective(np, params, constants):
    """For any tool with NumPy's functions."""
    (centroids,), (points,) = params, constants
    squares = (points * points).sum(1)[:, None] - 2.0 * (points @ centroids.T) + (centroids * centroids).sum(1)
    return np.sum(np.min(squares, axis=1))


def known(case):
    """Centroids less the means of their points."""
    (centroids,), (points,) = case
    of = ((centroids * centroids).sum(axis=1) - 2.0 * (points @ centroids.T)).argmin(axis=1)
    sums = np.zeros_like(centroids)
    np.add.at(sums, of, points)
    return (centroids - sums / np.bincount(of, minlength=len(centroids))[:, None],)


def cases(quick):
    found = {}
    for k, n, d in ((5, 100, 3),) if quick else ((10, 1_000, 8), (100, 10_000, 16)):
        points = np.random.default_rng(k).random((n, d))
        found[f"k = {k}, n = {n:,}, d = {d}"] = Case((points[-k:].copy(),), (points,))
    return found


PROBLEM = Problem(
    name="kmeans",
    section="arrays",
    title="k-means: gradient over diagonal of the Hessian",
    cases=cases,
    check=lambda case, answer: differs("direction", answer[0], known(case)[0], 1e-9),
    baseline="numpy",
)
