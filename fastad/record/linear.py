"""The derivative of a stretch of a tape, as rows behind it: reverse over anything, forward over anything.

Numbers go in and come out as pairs of arrays (values, rows), row -1 where a number is passive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import derivative_rows as kernels
from ..ops import OPCODE
from ..templates import MOST_ROWS
from .storage import Storage

_TAKE = OPCODE["take"]
_ROWS_PER_ELEMENT = 6  # of a table: two comparisons, two choices


class Numbers(NamedTuple):
    """Values, and rows of the same shape."""

    values: NDArray[np.float64]
    rows: NDArray[np.int32]

    @classmethod
    def passive(cls, values: NDArray[np.float64]) -> Numbers:
        """Numbers that are on no tape."""
        return cls(values, np.full(values.shape, -1, np.int32))


class Linearization:
    """Linear map from the tangents of some rows to those of others, and its transpose.

    Parameters
    ----------
    tape : Storage
        Where the rows are, and where the rows of the derivative go.
    inputs, outputs : int32 array
        Rows of the independents, and of the dependents, -1 for those that are passive.
    per_scenario : bool
        Whether the tape is replayed, so that a lookup may pick another element of its table.
    """

    def __init__(
        self, tape: Storage, inputs: NDArray[np.int32], outputs: NDArray[np.int32], *, per_scenario: bool
    ) -> None:
        tape._flush()
        self._tape, self._inputs, self._outputs = tape, inputs, outputs
        self._first = first = int(inputs.min(initial=len(tape)))
        size = max(int(outputs.max(initial=-1)) + 1 - first, 0)
        self._is_input = np.zeros(size, np.bool_)
        self._is_input[inputs[inputs - first < size] - first] = True
        self._active = self._is_input.copy()
        self._tables = self._look_up_tables(per_scenario, first + size)
        kernels.mark_active(first, self._columns, self._tables, self._active)
        self._partials = np.zeros((size, 2), np.bool_), np.empty((size, 2), np.int64), np.empty((size, 2))
        self._most_rows = self._count(size) + outputs.size

    @property
    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        return tuple(self._tape._columns.values())

    def _look_up_tables(self, per_scenario: bool, stop: int) -> tuple[NDArray[np.int32], ...]:
        columns = self._tape._tables.columns()
        used = np.full(stop if per_scenario and columns["table_users"].size else 0, -1, np.int32)
        if used.size:
            within = columns["table_users"] < stop
            used[columns["table_users"][within]] = columns["table_used"][within]
        return columns["table_starts"], columns["table_rows"], used

    def _count(self, size: int) -> int:
        """Most rows that one sweep can append."""
        starts, _, used = self._tables
        opcode = self._tape._columns["opcode"][self._first : self._first + size]
        count = int(MOST_ROWS[opcode[self._active]].sum())
        if used.size:
            tables = used[self._first :][self._active & (opcode == _TAKE)]
            count += _ROWS_PER_ELEMENT * int(np.diff(starts)[tables].sum())
        return count

    def adjoints(self, seeds: Numbers) -> Numbers:
        """Adjoints of the inputs, shape (inputs, k), for seeds of the outputs, shape (outputs, k)."""
        dependent = np.flatnonzero(self._depends())
        count = seeds.values.shape[1]
        found = Numbers.passive(np.zeros((self._inputs.size, count)))
        for k in range(count if dependent.size else 0):
            bar_rows, bars = self._nothing()
            with self._tape._appending(self._most_rows) as cursor:
                kernels.append_adjoints(
                    self._first, self._is_input, self._outputs[dependent], seeds.rows[dependent, k].astype(np.int64),
                    seeds.values[dependent, k], self._active, self._tables, *self._partials, bar_rows, bars,
                    kernels.TEMPLATES, self._columns, cursor,
                )  # fmt: skip
            self._collect(found, k, self._inputs, bar_rows, bars)
        return found

    def tangents(self, directions: Numbers) -> Numbers:
        """Tangents of the outputs, shape (outputs, k), for tangents of the inputs, shape (inputs, k)."""
        needed = np.zeros(self._active.size, np.bool_)
        needed[self._outputs[self._depends()] - self._first] = True
        kernels.mark_needed(self._first, self._columns, self._tables, needed)
        count = directions.values.shape[1]
        found = Numbers.passive(np.zeros((self._outputs.size, count)))
        inputs = np.flatnonzero(self._inputs - self._first < self._active.size)
        at = self._inputs[inputs] - self._first
        for k in range(count if needed.any() else 0):
            dot_rows, dots = self._nothing()
            dot_rows[at], dots[at] = directions.rows[inputs, k], directions.values[inputs, k]
            with self._tape._appending(self._most_rows) as cursor:
                kernels.append_tangents(
                    self._first, self._is_input, needed, self._active, self._tables, *self._partials, dot_rows, dots,
                    kernels.TEMPLATES, self._columns, cursor,
                )  # fmt: skip
            self._collect(found, k, self._outputs, dot_rows, dots)
        return found

    def _nothing(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """No adjoints or tangents yet."""
        return np.full(self._active.size, kernels.NOTHING), np.zeros(self._active.size)

    def _depends(self) -> NDArray[np.bool_]:
        """Which outputs depend on an input."""
        inside = self._outputs >= self._first
        return inside & self._active[np.where(inside, self._outputs - self._first, 0)] if inside.any() else inside

    def _collect(
        self, found: Numbers, k: int, picked: NDArray[np.int32], rows: NDArray[np.int64], values: NDArray[np.float64]
    ) -> None:
        """Column k of the numbers found at the picked rows; those that nothing reached stay zero."""
        at = picked - self._first
        inside = (at >= 0) & (at < rows.size) & (picked >= 0)
        reached = np.flatnonzero(inside)[rows[at[inside]] != kernels.NOTHING]
        found.rows[reached, k] = rows[at[reached]]
        found.values[reached, k] = values[at[reached]]
