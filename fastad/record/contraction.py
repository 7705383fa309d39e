"""The one product of matrices behind ``@``, ``dot``, ``einsum``, ``tensordot`` and their like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .blocks import Arrays
from .call_rule import call_rule

# Multiply-adds from which a product is one BLOCK row. In a batch, where rows run eight scenarios at a time, one of 64
# multiply-adds takes 0.05 us as rows and 20 us as a block; recorded once, the two cost the same at about 4,000.
BLOCK_FROM = 4096


def contract(a: Any, b: Any) -> Any:
    """Return (..., m, k) @ (..., k, n) as (..., m, n): products, and sums over k in order; large ones by BLAS.

    Parameters
    ----------
    a, b : ActiveArray or ndarray
        Leading axes broadcast.
    """
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a @ b
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if math.prod(lead) * a.shape[-2] * a.shape[-1] * b.shape[-1] < BLOCK_FROM:
        products = np.expand_dims(a, -2) * np.expand_dims(np.swapaxes(b, -1, -2), -3)
        return products.sum(-1)
    if b.ndim == 2 and a.ndim > 2:
        return contract(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[-1])
    stacks = (x if x.shape[:-2] == lead else np.broadcast_to(x, lead + x.shape[-2:]) for x in (a, b))
    return call_rule(_PRODUCT, *stacks)[0]


def contract_vector(a: Any, b: Any) -> Any:
    """Return (..., k) @ (k,) as (...,)."""
    if a.size < BLOCK_FROM:
        return (a * b).sum(-1)
    return contract(a.reshape(-1, a.shape[-1]), b[:, None]).reshape(a.shape[:-1])


class _Product:
    """C = A B for matrices, or for stacks of as many (Giles 2008, section 2.2.2)."""

    name, stacks = "matmul", True

    def values(self, operands: Arrays) -> Arrays:
        a, b = operands
        return [a @ b]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        (a, b), bar = operands, bars[0]
        a_bar = contract(bar, np.swapaxes(b, -1, -2)) if wanted[0] else None
        return [a_bar, contract(np.swapaxes(a, -1, -2), bar) if wanted[1] else None]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        (a, b), (a_dot, b_dot) = operands, dots
        terms = [contract(a_dot, b)] if a_dot is not None else []
        terms += [contract(a, b_dot)] if b_dot is not None else []
        return [terms[0] + terms[1] if len(terms) == 2 else terms[0]]


_PRODUCT = _Product()

RULES = (_PRODUCT,)
