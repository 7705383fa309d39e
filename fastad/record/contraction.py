"""Products of matrices, recorded as one BLOCK row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .blocks import Arrays
from .call_rule import call_rule


class _Product:
    """C = A B for matrices (Giles 2008, section 2.2.2)."""

    name = "matmul"

    def values(self, operands: Arrays) -> Arrays:
        a, b = operands
        return [a @ b]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        (a, b), bar = operands, bars[0]
        return [contract(bar, b.T) if wanted[0] else None, contract(a.T, bar) if wanted[1] else None]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        (a, b), (a_dot, b_dot) = operands, dots
        terms = [contract(a_dot, b)] if a_dot is not None else []
        terms += [contract(a, b_dot)] if b_dot is not None else []
        return [terms[0] + terms[1] if len(terms) == 2 else terms[0]]


_PRODUCT = _Product()

RULES = (_PRODUCT,)


def contract(a: Any, b: Any) -> Any:
    """Return the product of two matrices."""
    return a @ b if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else call_rule(_PRODUCT, a, b)[0]
