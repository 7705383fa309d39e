"""Sparse Jacobians of large systems: a band, and the Brusselator (reaction and diffusion of two species on a torus).

Time is per element that differs from zero, which ten times the variables should not change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..core import Problem

# What a tool brings: functions of arrays, and ``join`` for several arrays as one.
NUMPY = SimpleNamespace(exp=np.exp, sin=np.sin, join=np.concatenate)


@dataclass
class System:
    """A function of an array, ``f(x, tool)``, where to differentiate it, and its derivative written out."""

    f: Callable[[Any, Any], Any]
    x: np.ndarray
    written_out: Callable[[np.ndarray], Any]

    @cached_property
    def known(self):
        """The derivative as a ``csr_array`` with ascending columns, explicit zeros left out."""
        matrix = self.written_out(self.x).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return matrix


def banded(x, tool):
    return x[1:-1] * x[1:-1] - x[:-2] * tool.exp(-x[2:])


def banded_jacobian(x):
    from scipy.sparse import diags_array

    n, low = x.size, -np.exp(-x[2:])
    return diags_array((low, 2.0 * x[1:-1], -x[:-2] * low), offsets=(0, 1, 2), shape=(n - 2, n))


class Brusselator:
    """Both species on a grid of m x m cells with periodic ends, one after the other in ``u``."""

    A, B, ALPHA = 1.0, 3.4, 0.02

    def __init__(self, m):
        self.cells = m * m
        grid = np.arange(self.cells).reshape(m, m)
        self.neighbours = [np.roll(grid, step, axis).ravel() for step in (1, -1) for axis in (0, 1)]
        self.rate = self.ALPHA * 1e-3 * m * m

    def __call__(self, u, tool):
        a, b = u[: self.cells], u[self.cells :]
        reaction = a * a * b
        return tool.join(
            [
                self.A + reaction - (self.B + 1.0) * a + self.rate * self._laplacian(a),
                self.B * a - reaction + self.rate * self._laplacian(b),
            ]
        )

    def _laplacian(self, w):
        north, west, south, east = (w[at] for at in self.neighbours)
        return north + west + south + east - 4.0 * w

    def jacobian(self, u):
        from scipy.sparse import block_array, coo_array, diags_array, eye_array

        cells = self.cells
        ones, own = np.ones(cells), np.arange(cells)
        steps = [coo_array((ones, (own, at)), shape=(cells, cells)) for at in self.neighbours]
        diffusion = self.rate * (sum(steps[1:], steps[0]) - 4.0 * eye_array(cells))
        a, b = u[:cells], u[cells:]
        ab, aa = diags_array(2.0 * a * b), diags_array(a * a)
        return block_array(
            [
                [diffusion + ab - (self.B + 1.0) * eye_array(cells), aa],
                [self.B * eye_array(cells) - ab, diffusion - aa],
            ]
        )


def cases(quick):
    for n, m in ((400, 14),) if quick else ((10_000, 71), (100_000, 224)):
        yield f"band, {n:,} variables", System(banded, np.linspace(0.5, 1.5, n), banded_jacobian)
        grid = Brusselator(m)
        u = np.random.default_rng(1).uniform(0.5, 1.5, 2 * grid.cells)
        yield f"Brusselator, {u.size:,} variables", System(grid, u, grid.jacobian)


def check(system, answer):
    """The answer is a ``csr_array``; and how exact it claims to be, where that is less than rounding."""
    matrix, tolerance = answer if isinstance(answer, tuple) else (answer, 1e-13)
    known = system.known
    if matrix.shape != known.shape:
        return f"shape is {matrix.shape}, known {known.shape}"
    off = abs(matrix - known).max()
    return "" if off <= tolerance * abs(known).max() else f"an element is off by {off:.3g}"


PROBLEM = Problem(
    name="sparse_jacobian",
    section="sparse derivatives",
    title="sparse Jacobian at another point",
    cases=lambda quick: dict(cases(quick)),
    check=check,
    items=lambda system: system.known.nnz,
    unit="non-zero",
    needs="scipy",
    baseline="fastad",
)
