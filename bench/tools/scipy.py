"""SciPy: grouped finite differences, which its least_squares and solvers take with ``jac_sparsity``."""

from __future__ import annotations

import numpy as np
from scipy.optimize._numdiff import approx_derivative, group_columns
from scipy.sparse import csr_array

from ..problems.sparse_jacobian import NUMPY

TOLERANCE = 1e-6  # of the largest element: one-sided differences


def sparse_jacobian(system, threads):
    """The pattern is given, as users have to; the groups come from it once."""
    pattern = (system.known != 0.0).astype(np.int8)
    groups = group_columns(pattern)

    def call():
        found = approx_derivative(lambda x: system.f(x, NUMPY), system.x, method="2-point", sparsity=(pattern, groups))
        return csr_array(found), TOLERANCE

    return call


WAYS = {"sparse_jacobian": sparse_jacobian}
