"""Taylor coefficients of a function along a line."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import NestingError
from .kernels import taylor as kernels
from .kernels.derivative_rows import TEMPLATES
from .packing import pack
from .record.context import Outputs
from .recorded import Nested, run
from .structure import is_number
from .templates import chain_rows


def taylor(f: Callable[..., Any], x: Any, direction: Any, order: int) -> Any:
    """Return the Taylor coefficients of ``f(x + t * direction)`` in t, to an order, by one sweep.

    Parameters
    ----------
    f : callable
        Function of one structure of numbers.
    x, direction : structure of numbers
        Point, and direction of the same structure and shapes.
    order : int
        Highest order, 0 or more.

    Returns
    -------
    structure
        That of f's result, leaf shape (order + 1,) + result leaf shape: coefficient k is the k-th derivative in t
        over k factorial.

    Raises
    ------
    NestingError
        Called inside another transform; there, nest `jvp`.

    Notes
    -----
    Costs O(order^2) per recorded row in time (O(order^3) for the rows of lgamma, digamma, polygamma and pow, whose
    partials lead to new functions), O(order) in memory. At a kink the branch that the value takes counts.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.taylor(fad.exp, 0.0, 1.0, 4)
    array([1.        , 1.        , 0.5       , 0.16666667, 0.04166667])
    """
    if operator.index(order) < 0:
        raise ValueError(f"order={order}: expected a whole number from 0")
    recorded = run(f, (x,), {}, 0, direction)
    if isinstance(recorded, Nested):
        raise NestingError("fad.taylor was called inside another transform; nest fad.jvp there, once per order")
    outputs = Outputs(recorded.tape, recorded.result)
    if recorded.tape.blocks:
        names = ", ".join(sorted({block.rule.name for block in recorded.tape.blocks}))
        raise NotImplementedError(f"{names}: no Taylor rule for array operations recorded as one; nest fad.jvp instead")
    ways = pack(recorded.inputs.leaves(direction, is_number))
    coefficients = np.zeros((order + 1, outputs.rows.size))
    coefficients[0] = outputs.values
    active = outputs.rows >= 0
    if order and active.any():
        coefficients[1:, active] = _sweep(recorded.tape, ways, outputs.rows[active], order)[:, 1:].T
    return outputs.packing.unpack(coefficients)


def _sweep(tape: Any, direction: NDArray[np.float64], rows: NDArray[np.int32], order: int) -> NDArray[np.float64]:
    """Coefficients of some rows, shape (rows, order + 1)."""
    tape._flush()
    stop = int(rows.max()) + 1
    n_inputs = direction.size
    most = int(chain_rows(kernels.EXPANDED, order)[tape.opcode[:stop]].sum())
    active = np.zeros(len(tape) + most, np.bool_)
    active[:n_inputs] = True
    kernels.mark_active(tape.arg0[:stop], tape.arg1[:stop], active)
    depth = np.zeros(active.size, np.int32)
    partials = np.zeros((active.size, 2), np.bool_), np.empty((active.size, 2), np.int64), np.empty((active.size, 2))
    with tape._appending(most) as cursor:
        columns = tuple(tape._columns.values())
        kernels.expand(stop, order, kernels.EXPANDED, active, depth, *partials, TEMPLATES, columns, cursor)
    size = len(tape)
    coefficients = np.zeros((size, order + 1))
    coefficients[:, 0] = tape.value
    coefficients[:n_inputs, 1] = direction
    kernels.propagate(active[:size], depth, *partials, kernels.EXPANDED, columns, coefficients)
    return coefficients[rows]
