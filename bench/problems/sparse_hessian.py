"""Sparse Hessians of large sums: a band, an arrow-head, and the energy of a field on a torus."""

from __future__ import annotations

import numpy as np

from ..core import Problem
from ..problems.sparse_jacobian import System, check


def rosenbrock(x, tool):
    bend, side = x[1:] - x[:-1] * x[:-1], 1.0 - x[:-1]
    return (100.0 * (bend * bend) + side * side).sum()


def rosenbrock_hessian(x):
    from scipy.sparse import diags_array

    main = np.append(1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0, 0.0)
    main[1:] += 200.0
    return diags_array((-400.0 * x[:-1], main, -400.0 * x[:-1]), offsets=(-1, 0, 1))


def arrow_head(x, tool):
    """Every variable meets the first one only."""
    return 0.5 * (x[1:] * x[1:]).sum() + x[0] * tool.sin(x[1:]).sum() + x[0] * x[0] * x[0]


def arrow_head_hessian(x):
    from scipy.sparse import coo_array, diags_array

    n, rest = x.size, np.arange(1, x.size)
    main = np.append(6.0 * x[0], 1.0 - x[0] * np.sin(x[1:]))
    first = np.zeros(n - 1, np.int64)
    rows, columns = np.concatenate([first, rest]), np.concatenate([rest, first])
    return diags_array(main) + coo_array((np.tile(np.cos(x[1:]), 2), (rows, columns)), shape=(n, n))


class Field:
    """A double well in every cell of a grid of m x m, and springs between neighbours."""

    def __init__(self, m):
        grid = np.arange(m * m).reshape(m, m)
        self.next = [np.roll(grid, -1, axis).ravel() for axis in (0, 1)]

    def __call__(self, u, tool):
        square = u * u
        energy = (square * (0.25 * square - 0.5)).sum()
        for at in self.next:
            step = u[at] - u
            energy = energy + 0.5 * (step * step).sum()
        return energy

    def hessian(self, u):
        from scipy.sparse import coo_array, diags_array

        n = u.size
        matrix = diags_array(3.0 * u * u - 1.0 + 4.0)
        for at in self.next:
            step = coo_array((np.ones(n), (np.arange(n), at)), shape=(n, n))
            matrix = matrix - step - step.T
        return matrix


def cases(quick):
    for n, m in ((400, 20),) if quick else ((10_000, 100), (100_000, 316)):
        x = np.random.default_rng(1).uniform(0.5, 1.5, n)
        yield f"band, {n:,} variables", System(rosenbrock, x, rosenbrock_hessian)
        yield f"arrow-head, {n:,} variables", System(arrow_head, x, arrow_head_hessian)
        field = Field(m)
        yield f"field, {m * m:,} variables", System(field, x[: m * m], field.hessian)


PROBLEM = Problem(
    name="sparse_hessian",
    section="sparse derivatives",
    title="sparse Hessian at another point",
    cases=lambda quick: dict(cases(quick)),
    check=check,
    items=lambda system: system.known.nnz,
    unit="non-zero",
    needs="scipy",
    baseline="fastad",
)
