"""The one product of matrices behind ``@``, ``dot``, ``einsum``, ``tensordot`` and their like."""

from __future__ import annotations

from typing import Any

import numpy as np


def contract(a: Any, b: Any) -> Any:
    """Return (..., m, k) @ (..., k, n) as (..., m, n): products, and sums over k in order.

    Parameters
    ----------
    a, b : ActiveArray or ndarray
        Leading axes broadcast.
    """
    products = np.expand_dims(a, -2) * np.expand_dims(np.swapaxes(b, -1, -2), -3)
    return products.sum(-1)
