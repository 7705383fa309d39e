"""Under ``fad.debug()``: numbers of Programs and batches that are not finite raise, with row, line and scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..nonfinite import NonFinite, first_of_values, origin_of_adjoint, origin_of_tangent, origin_of_value
from ..packing import Vector
from ..record import sweep
from ..record.lines import debugging
from .recording import Point, Recording
from .variants import Branch, Trie

if TYPE_CHECKING:
    from .batch import Call, Output


def require_values(recording: Recording, point: Point) -> None:
    """Raise for the first row that is not finite."""
    if debugging() and not np.isfinite(point.values).all():
        _raise(first_of_values(recording.rows(point)))


def adjoints(recording: Recording, point: Point, seeds: Vector) -> Vector:
    """Adjoints of all inputs, shape (inputs, k), for seeds of the outputs, shape (outputs, k)."""
    result = recording.adjoints(point, seeds)
    if debugging() and not np.isfinite(result).all():
        at = int(np.argwhere(~np.isfinite(result))[0, 1])
        _raise(origin_of_adjoint(recording.rows(point), _all_adjoints(recording, point, seeds[:, at])))
    return result


def tangents(recording: Recording, point: Point, directions: Vector) -> Vector:
    """Tangents of the outputs, shape (outputs, k), for directions of all inputs, shape (inputs, k)."""
    result = recording.tangents(point, directions)
    if debugging() and not np.isfinite(result).all():
        at = int(np.argwhere(~np.isfinite(result))[0, 1])
        every, inputs = np.arange(len(recording), dtype=np.int32), np.arange(recording.n_inputs)
        tangent = sweep.tangents(recording.sweep_columns(point), every, inputs, directions[:, at : at + 1])[:, 0]
        _raise(origin_of_tangent(recording.rows(point), tangent))
    return result


def require_output(trie: Trie, call: Call, output: Output, first: int, group: int) -> None:
    """Raise for the first scenario whose values or derivatives are not finite."""
    bad = ~np.isfinite(output.values).all(axis=1)
    in_gradient = ~np.isfinite(output.gradient.reshape(len(output.gradient), -1)).all(axis=1)
    bad |= in_gradient if call.per_lane else np.repeat(in_gradient, group)[: bad.size]
    for position in np.flatnonzero(bad).tolist():
        found = _blame(trie, call, first + position)
        if found is not None:
            raise found.of_scenario(first + position).error(f"; {call.describe(first + position)}")


def _raise(found: NonFinite | None) -> None:
    if found is not None:
        raise found.error()


def _all_adjoints(recording: Recording, point: Point, seeds: Vector) -> Vector:
    """Adjoints of all rows, for one seed per output."""
    active = np.flatnonzero(recording.output_rows >= 0)
    columns = recording.sweep_columns(point)
    return sweep.adjoints(columns, recording.output_rows[active], seeds[active], np.arange(len(recording)))


def _blame(trie: Trie, call: Call, scenario: int) -> NonFinite | None:
    """Where the first output, or derivative of an output, of one scenario stops being finite."""
    recording, point = _point_of(trie, call, scenario)
    rows = recording.rows(point)
    for row in recording.output_rows.tolist():
        found = origin_of_value(rows, row)
        if found is not None:
            return found
    seeds_of_all = np.eye(recording.output_rows.size)
    for seeds in seeds_of_all if call.outputs is None else seeds_of_all[call.outputs]:
        adjoint = _all_adjoints(recording, point, seeds)
        if not np.isfinite(adjoint[call.wrt]).all():
            return origin_of_adjoint(rows, adjoint)
    return None


def _point_of(trie: Trie, call: Call, scenario: int) -> tuple[Recording, Point]:
    """The variant of a scenario, and the scenario evaluated on it."""
    vector, variant = call.inputs_of(scenario), trie.root
    while True:
        recording = variant.recording
        point = recording.evaluate(vector)
        if point.failed < 0 or call.on_divergence == "ignore":
            return recording, point
        guard = int(np.searchsorted(recording.guard_rows, point.failed))
        frozen = recording.frozen_at(guard, point.values) if recording.freezes(guard) else 0
        child = variant.children.get(Branch(guard, frozen))
        if child is None:  # it may not be recorded; Runner.check raises for it
            return recording, point
        variant = child
