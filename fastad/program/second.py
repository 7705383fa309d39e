"""Second derivatives of recordings: a recording whose outputs are the gradient of another one's output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..packing import Packing, Vector
from ..record.linear import Linearization, Numbers
from ..record.storage import Storage
from .recording import COLUMNS, Point, Recording

_DIRECTIONS = 64  # of one forward sweep


def gradient_recording(r: Recording, inputs: Packing, elements: NDArray[np.int64]) -> Recording:
    """Return the rows of a recording with its adjoint rows behind them; outputs are the adjoints of the elements.

    Raises
    ------
    ShapeError
        The recording does not return one number.
    """
    if r.outputs.shapes != [()] or r.outputs.spec.kind != "leaf":
        raise ShapeError(f"a Hessian needs a program that returns one number, got {r.outputs.describe()}")
    tables = r.tables()
    storage = Storage.holding({name: getattr(r, name) for name in COLUMNS}, tables)
    rows = elements.astype(np.int32)
    linear = Linearization(storage, rows, r.output_rows, per_scenario=True)
    gradient = linear.adjoints(Numbers.passive(np.ones((1, 1))))
    columns = {name: storage._view(name).copy() for name in COLUMNS} | tables
    columns["output_rows"] = gradient.rows[:, 0]
    columns["output_constants"] = np.where(columns["output_rows"] < 0, gradient.values[:, 0], 0.0)
    return Recording(columns, r.inputs, inputs, r.sites)


def hessian(gradient: Recording, point: Point, elements: NDArray[np.int64]) -> Vector:
    """Derivatives of a gradient by the elements, shape (elements, elements)."""
    found = np.empty((elements.size, elements.size))
    for first in range(0, elements.size, _DIRECTIONS):
        chunk = elements[first : first + _DIRECTIONS]
        directions = np.zeros((gradient.n_inputs, chunk.size))
        directions[chunk, np.arange(chunk.size)] = 1.0
        found[:, first : first + _DIRECTIONS] = gradient.tangents(point, directions)
    return found
