"""Scenarios one after the other: on long tapes, and where `by_blocks` meets what is not plain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..packing import Vector
from .recording import Recording

if TYPE_CHECKING:
    from .batch import Call

Numbers = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]


def run(recording: Recording, call: Call, per_lane: bool, scenarios: NDArray[np.int64], group: int) -> Numbers:
    """Values, gradients (per scenario, or summed over groups in order) and failed guards of some scenarios.

    Groups are counted from the first of them.
    """
    n_outputs = recording.output_rows.size
    seeds = np.eye(n_outputs)
    if call.outputs is not None:
        seeds = seeds[:, call.outputs]
    shape = (seeds.shape[1], call.wrt.size)
    values = np.empty((scenarios.size, n_outputs))
    gradient = np.zeros((scenarios.size if per_lane else -(-scenarios.size // group), *shape))
    failed = np.full(scenarios.size, -1, np.int32)
    for position, scenario in enumerate(scenarios.tolist()):
        try:
            value, slopes, guard = _one(recording, call, call.inputs_of(scenario), seeds)
        except Exception as error:
            error.add_note(f"raised while replaying {call.describe(scenario)}")
            raise
        values[position], failed[position] = value, guard
        if guard < 0:
            gradient[position if per_lane else position // group] += slopes
    return values, gradient, failed


def _one(recording: Recording, call: Call, vector: Vector, seeds: Vector) -> tuple[Vector, Any, int]:
    """Outputs, their derivatives, and the number of the first guard that decides otherwise, or -1."""
    point = recording.evaluate(vector)
    outputs = recording.output_values(point.values)
    if point.failed >= 0 and call.on_divergence != "ignore":
        return outputs, 0.0, int(np.searchsorted(recording.guard_rows, point.failed))
    if call.wrt.size == 0:
        return outputs, 0.0, -1
    return outputs, recording.adjoints(point, seeds)[call.wrt].T, -1
