"""Derivatives of recordings by many inputs: Jacobians, second and sparse ones.

The second ones are Jacobians of a recording whose outputs are the gradient of another one's output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..packing import Packing, Vector
from ..record.linear import Linearization, Numbers
from ..record.storage import Storage
from ..sparse import Coloring, Pattern, fewest
from . import watch
from .recording import COLUMNS, Point, Recording

_WIDTH = 64  # directions or seeds of one sweep


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


def reverse(r: Recording, point: Point, elements: NDArray[np.int64]) -> Vector:
    """Derivatives of the outputs by the elements, shape (outputs, elements), by reverse sweeps."""
    found = np.empty((r.output_rows.size, elements.size))
    for first, width in _widths(r.output_rows.size):
        seeds = np.eye(r.output_rows.size, width, -first)
        found[first : first + width] = watch.adjoints(r, point, seeds)[elements].T
    return found


def forward(r: Recording, point: Point, elements: NDArray[np.int64]) -> Vector:
    """Derivatives of the outputs by the elements, shape (outputs, elements), by forward sweeps."""
    found = np.empty((r.output_rows.size, elements.size))
    for first, width in _widths(elements.size):
        found[:, first : first + width] = _tangents(r, point, elements, np.eye(elements.size, width, -first))
    return found


def _widths(count: int) -> list[tuple[int, int]]:
    """First and number of the directions of each sweep."""
    return [(first, min(_WIDTH, count - first)) for first in range(0, count, _WIDTH)]


def _tangents(r: Recording, point: Point, elements: NDArray[np.int64], directions: Vector) -> Vector:
    """Tangents of the outputs for directions of some of the inputs."""
    everywhere = np.zeros((r.n_inputs, directions.shape[1]))
    everywhere[elements] = directions
    return watch.tangents(r, point, everywhere)


def coloring(r: Recording, elements: NDArray[np.int64], symmetric: bool) -> Coloring:
    """Colouring of the derivative of the outputs by the elements, whatever a lookup picks."""
    columns = (r.opcode, r.arg0, r.arg1)
    pattern = Pattern.of_rows(columns, r.pass_tables, elements.astype(np.int32), r.output_rows)
    return pattern.color_star() if symmetric else fewest(pattern, "auto")


def compressed(r: Recording, point: Point, elements: NDArray[np.int64], colors: Coloring) -> Any:
    """Derivative of the outputs by the elements as a SciPy matrix."""
    data = colors.differentiate(
        lambda directions: _tangents(r, point, elements, directions),
        lambda seeds: r.adjoints(point, seeds)[elements],
    )
    return colors.pattern.to_scipy(data)
