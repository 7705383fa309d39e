"""The derivative of a stretch of a tape, as rows behind it: reverse over anything, forward over anything.

Numbers go in and come out as pairs of arrays (values, rows), row -1 where a number is passive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import derivative_rows as kernels
from ..ops import OPCODE
from ..templates import MOST_ROWS
from .array import ActiveArray, operand
from .blocks import Block
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


def _ruled(block: Block, rule: Callable[..., list[Any]], *arrays: Any) -> list[Any]:
    """Run a rule on actives, which makes it the rule of one order more."""
    try:
        return rule(*arrays)
    except Exception as error:
        error.add_note(
            f"raised while differentiating the derivative of {block.rule.name} (row {block.row}): its rule must be "
            "written in operations of active arrays to have a second derivative"
        )
        raise


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
        stop = int(outputs.max(initial=-1)) + 1
        self._blocks = [block for block in tape._blocks if first <= block.row < stop]
        size = max(stop, *(block.stop for block in self._blocks[-1:]), first) - first
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
        return self._tape._tables.used(stop, None if per_scenario else {block.row for block in self._blocks})

    def _count(self, size: int) -> int:
        """Most rows that one sweep can append."""
        starts, _, used = self._tables
        opcode = self._tape._columns["opcode"][self._first : self._first + size]
        count = int(MOST_ROWS[opcode[self._active]].sum())
        if used.size:
            tables = used[self._first :][self._active & (opcode == _TAKE)]
            tables = tables[tables >= 0]
            count += _ROWS_PER_ELEMENT * int(np.diff(starts)[tables].sum())
        return count

    def adjoints(self, seeds: Numbers) -> Numbers:
        """Adjoints of the inputs, shape (inputs, k), for seeds of the outputs, shape (outputs, k)."""
        dependent = np.flatnonzero(self._depends())
        count = seeds.values.shape[1]
        found = Numbers.passive(np.zeros((self._inputs.size, count)))
        for k in range(count if dependent.size else 0):
            bar_rows, bars = self._nothing()
            targets = self._outputs[dependent] - self._first
            self._add(targets, Numbers(seeds.values[dependent, k], seeds.rows[dependent, k]), bar_rows, bars)
            stop = self._active.size
            for block in reversed(self._blocks):
                self._append_adjoints(block.stop - self._first, stop, bar_rows, bars)
                self._through(block, bar_rows, bars)
                stop = block.row - self._first
            self._append_adjoints(0, stop, bar_rows, bars)
            self._collect(found, k, self._inputs, bar_rows, bars)
        return found

    def _append_adjoints(self, start: int, stop: int, bar_rows: NDArray[np.int64], bars: NDArray[np.float64]) -> None:
        """Append the adjoint rows of a part of the stretch."""
        with self._tape._appending(self._most_rows) as cursor:
            kernels.append_adjoints(
                self._first, start, stop, self._is_input, self._active, self._tables, *self._partials, bar_rows, bars,
                kernels.TEMPLATES, self._columns, cursor,
            )  # fmt: skip

    def _add(
        self, targets: NDArray[Any], numbers: Numbers, bar_rows: NDArray[np.int64], bars: NDArray[np.float64]
    ) -> None:
        """Add numbers to the adjoints of some rows of the stretch."""
        with self._tape._appending(targets.size) as cursor:
            kernels.add_numbers(
                targets.astype(np.int64), numbers.rows.astype(np.int64), numbers.values, bar_rows, bars, self._columns,
                cursor,
            )  # fmt: skip

    def _through(self, block: Block, bar_rows: NDArray[np.int64], bars: NDArray[np.float64]) -> None:
        """Record a block's rule for the adjoints of its results, and add what it gives to those of its operands."""
        at = block.row - self._first
        if not self._active[at] or (bar_rows[at + 1 : block.stop - self._first] == kernels.NOTHING).all():
            return
        parts = zip(block.results(bars, at), block.results(bar_rows, at))
        given = [
            self._array(np.where(rows == kernels.NOTHING, 0.0, part), np.maximum(rows, -1)) for part, rows in parts
        ]
        operands, results = self._arrays(block)
        found = _ruled(block, block.rule.adjoints, operands, results, given, block.wanted)
        for targets, bar in zip([x.rows for x in block.operands], found, strict=True):
            if bar is not None:
                inside = self._within(targets)
                numbers = self._numbers(bar, targets.shape)
                picked = Numbers(numbers.values[inside], numbers.rows[inside])
                self._add(targets[inside] - self._first, picked, bar_rows, bars)

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
            start = 0
            for block in self._blocks:
                self._append_tangents(start, block.row - self._first, needed, dot_rows, dots)
                if needed[block.row - self._first]:
                    self._across(block, dot_rows, dots)
                start = block.stop - self._first
            self._append_tangents(start, self._active.size, needed, dot_rows, dots)
            self._collect(found, k, self._outputs, dot_rows, dots)
        return found

    def _append_tangents(
        self, start: int, stop: int, needed: NDArray[np.bool_], dot_rows: NDArray[np.int64], dots: NDArray[np.float64]
    ) -> None:
        """Append the tangent rows of a part of the stretch."""
        with self._tape._appending(self._most_rows) as cursor:
            kernels.append_tangents(
                self._first, start, stop, self._is_input, needed, self._active, self._tables, *self._partials, dot_rows,
                dots, kernels.TEMPLATES, self._columns, cursor,
            )  # fmt: skip

    def _across(self, block: Block, dot_rows: NDArray[np.int64], dots: NDArray[np.float64]) -> None:
        """Record a block's rule for the tangents of its operands; fills in those of its results."""
        given: list[Any] = []
        for rows, is_active in [(x.rows, x.is_active) for x in block.operands]:
            if not is_active:
                given.append(None)
                continue
            at = np.where(self._within(rows), rows - self._first, 0)
            reached = self._within(rows) & (dot_rows[at] != kernels.NOTHING)
            given.append(self._array(np.where(reached, dots[at], 0.0), np.where(reached, dot_rows[at], -1)))
            if not reached.any():
                given[-1] = None
        if all(dot is None for dot in given):
            return
        operands, results = self._arrays(block)
        found = _ruled(block, block.rule.tangents, operands, results, given)
        start = block.row - self._first
        for part_rows, part, result in zip(
            block.results(dot_rows, start), block.results(dots, start), found, strict=True
        ):
            numbers = self._numbers(result, part.shape)
            part_rows[...], part[...] = numbers.rows, numbers.values

    # -------------------- blocks --------------------

    def _within(self, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which rows are of the stretch and depend on an independent."""
        inside = rows >= self._first
        return inside & self._active[np.where(inside, rows - self._first, 0)]

    def _arrays(self, block: Block) -> tuple[list[Any], list[Any]]:
        """Operands and results of a block, active where they are on the tape."""
        values = self._tape._columns["value"]
        operands = [self._array(x.at(values), x.rows) if x.is_active else x.values for x in block.operands]
        every = np.arange(len(self._tape), dtype=np.int32)
        results = zip(block.results(values), block.results(every))
        return operands, [self._array(part.copy(), rows) for part, rows in results]

    def _array(self, values: NDArray[np.float64], rows: NDArray[Any]) -> Any:
        if (rows < 0).all():
            return values
        return ActiveArray(values, rows.astype(np.int32), self._tape)

    @staticmethod
    def _numbers(array: Any, shape: tuple[int, ...]) -> Numbers:
        """Numbers of what a rule gave."""
        values, rows, _ = operand(array)
        return Numbers(np.broadcast_to(values, shape), np.broadcast_to(rows, shape))

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
