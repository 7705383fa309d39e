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
from ..record.tape import Tape
from ..sparse import Coloring, Dependences, Direct, cheapest
from . import watch
from .recording import COLUMNS, Point, Recording, sites_of

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
    return gradients_recording(r, np.zeros(1, np.int64), elements, inputs)


def gradients_recording(
    r: Recording, outputs: NDArray[np.int64], elements: NDArray[np.int64], layout: Packing
) -> Recording:
    """Return the rows of a recording with adjoint rows behind them; outputs are the gradients, one after the other.

    Parameters
    ----------
    r : Recording
    outputs : ndarray
        Numbers of the outputs to differentiate.
    elements : ndarray
        Inputs to differentiate by.
    layout : Packing
        Of the new outputs: a gradient by the elements for each of the outputs.
    """
    tables = r.tables()
    tape = Tape.holding({name: getattr(r, name) for name in COLUMNS}, tables, r.blocks)
    tape._freezing_guards = True  # what rules of blocks decide is decided anew in every replay
    linear = Linearization(tape, elements.astype(np.int32), r.output_rows[outputs], per_scenario=True)
    gradients = linear.adjoints(Numbers.passive(np.eye(outputs.size)))
    columns = {name: tape._view(name).copy() for name in COLUMNS} | tape._tables.columns()
    columns["output_rows"] = gradients.rows.T.ravel()
    columns["output_constants"] = np.where(columns["output_rows"] < 0, gradients.values.T.ravel(), 0.0)
    return Recording(columns, r.inputs, layout, [*r.sites, *sites_of(tape)], tape.blocks)


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


def compression(r: Recording, elements: NDArray[np.int64], symmetric: bool) -> Coloring | Direct:
    """Cheapest way to the derivative of the outputs by the elements, whatever a lookup picks."""
    columns = (r.opcode, r.arg0, r.arg1)
    dependences = Dependences(columns, r.pass_tables, elements.astype(np.int32), r.output_rows)
    coloring, direct = cheapest(dependences, "auto", symmetric)
    return coloring if direct is None else direct


def compressed(r: Recording, point: Point, elements: NDArray[np.int64], way: Coloring | Direct) -> Any:
    """Derivative of the outputs by the elements as a SciPy matrix."""
    if isinstance(way, Direct):
        return way.pattern.to_scipy(way.differentiate(point.partial0, point.partial1))
    data = way.differentiate(
        lambda directions: _tangents(r, point, elements, directions),
        lambda seeds: r.adjoints(point, seeds)[elements],
    )
    return way.pattern.to_scipy(data)
