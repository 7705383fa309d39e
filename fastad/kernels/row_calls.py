"""Row kernels of the table as functions of their own, by the kind of operation: along arrays, not inlined."""

from __future__ import annotations

import numpy as np

from ..ops import OPS
from ._call import address_of
from ._jit import announced, jit
from .replay import adjoint_row, adjoint_row_special, value_row, value_row_special

_IS_SPECIAL = [op.special for op in OPS]
_DONE = np.int64(0)


@announced(seconds=6)
@jit
def _values(op, x, x_step, y, y_step, out, vectors):
    value_row(op, x, x_step, y, y_step, x, x_step, out, vectors)
    return _DONE


@announced(seconds=13)
@jit
def _values_special(op, x, x_step, y, y_step, out, vectors):
    value_row_special(op, x, x_step, y, y_step, x, x_step, out, vectors)
    return _DONE


@jit
def _adjoints(op, x, x_step, y, y_step, v, bar, x_to, x_from, x_base_step, y_to, y_from, y_base_step, vectors):
    adjoint_row(
        op, x, x_step, y, y_step, x, x_step, v, bar, x_to, x_from, x_base_step, y_to, y_from, y_base_step, vectors
    )  # fmt: skip
    return _DONE


@jit
def _adjoints_special(op, x, x_step, y, y_step, v, bar, x_to, x_from, x_base_step, y_to, y_from, y_base_step, vectors):
    adjoint_row_special(
        op, x, x_step, y, y_step, x, x_step, v, bar, x_to, x_from, x_base_step, y_to, y_from, y_base_step, vectors
    )  # fmt: skip
    return _DONE


def values(op: int) -> int:
    """Address for ``call``: (op, x, step of x, y, step of y, out, vectors), as ``replay.value_row``."""
    return address_of(_values_special if _IS_SPECIAL[op] else _values, 7)


def adjoints(op: int) -> int:
    """Address for ``call``: as ``replay.adjoint_row``, without the condition."""
    return address_of(_adjoints_special if _IS_SPECIAL[op] else _adjoints, 14)
