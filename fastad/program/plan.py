"""From a recording to what the batch kernel runs: forward rows, reverse rows, uniform values.

A plan depends on which inputs vary from scenario to scenario and which are differentiated, not on their
values. Its passes, in order: rows that no output or guard needs are dropped; rows that no varying input
reaches are *uniform*, computed once per call, and their adjoints swept once per group of scenarios; equal
passive operands share one vector; each output gets a reverse pass over its own cone. Every value and every
adjoint has a slot of its own here; ``build.py`` runs the passes that come after.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import passes
from ..kernels.batch import AHEAD, FIRST, IS_SPECIAL, OP, OUT, TARGETS_VARY, TO_X, TO_Y, VALUES_VARY, B
from ..ops import OPCODE
from .recording import Recording

_INPUT, _COND, _WHERE, _GUARD, _LOCATE = (OPCODE[name] for name in ("input", "cond", "where", "guard", "locate"))
Index = NDArray[np.int32]
_BLOCK = 4096  # rows: column by column, each cache line is written to once for every entry


@dataclass(frozen=True)
class Plan:
    """Arrays for ``kernels.batch.run_groups``; the encodings are described there."""

    forward: Index
    reverse: tuple[NDArray[np.int64], Index, NDArray[np.int64], Index]
    outputs: tuple[Index, Index, Index]
    input_slots: Index
    uniform_rows: Index
    constants: NDArray[np.float64]
    active_uniform_rows: Index
    u_arg0: Index
    active_uniform_slot: Index
    n_slots: int
    n_adjoint_slots: int
    tables: tuple[Index, NDArray[np.float64], Index, Index, NDArray[np.float64], NDArray[np.uint8]]
    special: bool | None


class _Stream(NamedTuple):
    """Rows of one output's reverse pass, targets of x and y, first-write bits, slots to start from zero."""

    rows: Index
    to_x: Index
    to_y: Index
    first: NDArray[np.uint8]
    zeroed: Index


def draft(
    recording: Recording,
    varying_inputs: NDArray[np.bool_],
    wrt: NDArray[np.bool_],
    outputs: NDArray[np.int64] | None = None,
) -> Plan:
    """Make the plan for these varying and differentiated inputs (a flag per input element).

    ``outputs`` are the numbers of those that are differentiated; all by default.
    """
    r = recording
    n_rows, n_inputs = r.opcode.size, r.n_inputs
    needed = np.zeros(n_rows, np.bool_)
    needed[r.output_rows[r.output_rows >= 0]] = True
    passes.mark_needed(r.opcode, r.arg0, r.arg1, r.pass_tables, needed)
    varying = np.zeros(n_rows, np.bool_)
    varying[:n_inputs] = varying_inputs
    passes.mark_varying(r.opcode, r.arg0, r.arg1, r.pass_tables, varying)
    active = np.zeros(n_rows, np.bool_)
    active[:n_inputs] = wrt
    partials = (passes.HAS_PARTIAL_X, passes.HAS_PARTIAL_Y)
    passes.mark_differentiated(r.opcode, r.arg0, r.arg1, r.pass_tables, *partials, active)
    needed[:n_inputs] |= wrt  # so that an input the result ignores has an adjoint of zero

    is_cond, is_guard = r.opcode == _COND, r.opcode == _GUARD
    slot, n_slots = _number(needed & varying & ~is_cond & ~is_guard)
    uniform_slot, n_uniform = _number(needed & ~varying)
    adjoint_slot, n_adjoint_slots = _number(needed & varying & active)
    active_uniform_slot, _ = _number(needed & ~varying & active)

    references, constants = passive_references(r, needed & varying, slot, uniform_slot, n_uniform)
    a, b, c, elements = references
    b[r.table_users] = r.table_used  # the table, in place of the element picked when it was recorded
    rows = np.flatnonzero(needed & varying & (r.opcode != _INPUT) & ~is_cond).astype(np.int32)
    forward = beside(rows, r.opcode, slot, a, b, c)
    guards = np.flatnonzero(is_guard[rows])
    forward[guards, OUT] = np.searchsorted(r.guard_rows, rows[guards])
    forward[guards, B] = r.value[rows[guards]]

    nothing = np.empty(0, np.int32)
    streams = [_Stream(nothing, nothing, nothing, np.empty(0, np.uint8), nothing)]  # for a result without numbers
    seeds, targets = [], []
    differentiated = r.output_rows if outputs is None else r.output_rows[outputs]
    for output in differentiated:
        stream, reached = _reverse_stream(r, output, active, varying, adjoint_slot, active_uniform_slot)
        streams.append(stream)
        seeds.append(_target(output, active, varying, adjoint_slot, active_uniform_slot))
        inputs = np.flatnonzero(wrt)
        t = np.where(varying[inputs], adjoint_slot[inputs] + 1, ~active_uniform_slot[inputs])
        t[varying[inputs] & ~reached[inputs]] = 0
        targets.append(t)
    stream_rows = np.concatenate([stream.rows for stream in streams])
    reverse_rows = beside(stream_rows, r.opcode, slot, a, b, c, adjoint_slot, more=4)
    starts = np.cumsum([stream.rows.size for stream in streams])
    for (start, stop), stream in zip(pairwise(starts), streams[1:]):
        part = reverse_rows[start:stop]
        part[:, TO_X], part[:, TO_Y], part[:, FIRST] = stream.to_x, stream.to_y, stream.first
    reverse_rows[:, AHEAD] = -1
    reverse = (
        starts,
        reverse_rows,
        np.cumsum([stream.zeroed.size for stream in streams]),
        np.concatenate([stream.zeroed for stream in streams]),
    )
    uniform_values = _output_references(r, varying, slot, uniform_slot, n_uniform + constants.size)
    active_uniform = np.flatnonzero(active_uniform_slot >= 0).astype(np.int32)
    return Plan(
        forward=forward,
        reverse=reverse,
        outputs=(
            uniform_values,
            np.array(seeds, np.int32),
            np.array(targets, np.int32).reshape(differentiated.size, int(wrt.sum())),
        ),
        input_slots=slot[:n_inputs],
        uniform_rows=np.flatnonzero(uniform_slot >= 0).astype(np.int32),
        constants=np.concatenate([constants, r.output_constants]),
        active_uniform_rows=active_uniform,
        u_arg0=renumber(r.arg0[active_uniform], active_uniform_slot),
        active_uniform_slot=active_uniform_slot,
        n_slots=n_slots,
        n_adjoint_slots=n_adjoint_slots,
        tables=element_tables(r, elements, active, varying, adjoint_slot, active_uniform_slot),
        special=True if IS_SPECIAL[forward[:, OP]].any() else None,
    )


def beside(rows: Index, *columns: NDArray[Any], more: int = 0) -> Index:
    """Rows of some columns as the kernel reads them, the entries of a row side by side; room for more entries."""
    out = np.empty((rows.size, len(columns) + more), np.int32)
    for start in range(0, rows.size, _BLOCK):
        block = rows[start : start + _BLOCK]
        for j, column in enumerate(columns):
            out[start : start + _BLOCK, j] = column[block]
    return out


def _number(mask: NDArray[np.bool_]) -> tuple[Index, int]:
    out = np.empty(mask.size, np.int32)
    return out, passes.number(mask, out)


def renumber(args: Index, slots: Index) -> Index:
    """Return operands among all rows as operands among numbered ones; -1 stays."""
    return np.where(args >= 0, slots[args], -1).astype(np.int32)


def passive_references(
    r: Recording, rows: NDArray[np.bool_], slot: Index, uniform_slot: Index, n_uniform: int
) -> tuple[tuple[Index, Index, Index, Index], NDArray[np.float64]]:
    """Operand references (a, b, c) of every row and those of table elements, and the distinct passive operands."""
    passive = [rows & (arg < 0) for arg in (r.arg0, r.arg1)]
    in_table = r.table_rows < 0
    numbers = np.concatenate([r.partial0[passive[0]], r.partial1[passive[1]], r.table_values[in_table]])
    distinct, which = np.unique(numbers.view(np.int64), return_inverse=True)  # by bits: -0.0 is not 0.0
    # A row that nothing needs, an element of a table that nothing needs, refers to no slot.
    reference = np.where(slot >= 0, slot, ~np.maximum(uniform_slot, 0)).astype(np.int32)
    conditions = np.flatnonzero(r.opcode == _COND)
    reference[conditions] = reference[r.arg0[conditions]]  # a COND row repeats its condition: no copy
    operands = []
    parts = np.split(which, np.cumsum([passive[0].sum(), passive[1].sum()]))
    for arg, mask, part in zip((r.arg0, r.arg1), passive, parts):
        refs = np.where(arg >= 0, reference[arg], -1).astype(np.int32)
        refs[mask] = ~(n_uniform + part)
        operands.append(refs)
    third = np.full(r.opcode.size, -1, np.int32)
    choices = np.flatnonzero(r.opcode == _WHERE)
    third[choices] = reference[choices - 1]
    elements = np.where(in_table, 0, reference[np.maximum(r.table_rows, 0)]).astype(np.int32)
    elements[in_table] = ~(n_uniform + parts[2])
    return (operands[0], operands[1], third, elements), distinct.view(np.float64)


def _reverse_stream(
    r: Recording,
    output: int,
    active: NDArray[np.bool_],
    varying: NDArray[np.bool_],
    adjoint_slot: Index,
    uniform: Index,
) -> tuple[_Stream, NDArray[np.bool_]]:
    """Reverse pass of one output, and the rows that it depends on."""
    reached = np.zeros(r.opcode.size, np.bool_)
    if output < 0 or not active[output]:
        nothing = np.empty(0, np.int32)
        return _Stream(nothing, nothing, nothing, np.empty(0, np.uint8), nothing), reached
    rows, to_x, to_y = (np.empty(output + 1, np.int32) for _ in range(3))
    first, zeroed = np.empty(output + 1, np.uint8), np.zeros(r.opcode.size, np.bool_)
    partials = (passes.HAS_PARTIAL_X, passes.HAS_PARTIAL_Y)
    count = passes.reverse_stream(
        output, r.opcode, r.arg0, r.arg1, r.pass_tables, *partials, active, varying, adjoint_slot, uniform,
        reached, rows, to_x, to_y, first, zeroed,
    )  # fmt: skip
    kept = (rows[:count].copy(), to_x[:count].copy(), to_y[:count].copy(), first[:count].copy())
    return _Stream(*kept, adjoint_slot[zeroed]), reached


def _target(output: int, active: NDArray[np.bool_], varying: NDArray[np.bool_], adjoint: Index, uniform: Index) -> int:
    if output < 0 or not active[output]:
        return 0
    return int(adjoint[output] + 1 if varying[output] else ~uniform[output])


def element_tables(
    r: Recording, elements: Index, active: NDArray[np.bool_], varying: NDArray[np.bool_], adjoint: Index, uniform: Index
) -> tuple[Index, NDArray[np.float64], Index, Index, NDArray[np.float64], NDArray[np.uint8]]:
    """Lookup tables as the kernel reads them, from references of their elements."""
    targets = _element_targets(r, active, varying, adjoint, uniform)
    varies = _any_per_table(r, elements >= 0) * VALUES_VARY | _any_per_table(r, targets > 0) * TARGETS_VARY
    return r.table_starts, r.table_values, elements, targets, _spacing(r), varies


def _element_targets(
    r: Recording, active: NDArray[np.bool_], varying: NDArray[np.bool_], adjoint: Index, uniform: Index
) -> Index:
    """Adjoint targets of table elements; every active one has been reached when its TAKE row is."""
    rows = np.maximum(r.table_rows, 0)
    if not rows.size:
        return rows
    targets = np.where(varying[rows], adjoint[rows] + 1, ~uniform[rows])
    return np.where((r.table_rows >= 0) & active[rows], targets, 0).astype(np.int32)


def _any_per_table(r: Recording, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """1 for each table where the mask holds for an element, 0 for the others."""
    before = np.concatenate([[0], np.cumsum(mask)])
    return (before[r.table_starts[1:]] > before[r.table_starts[:-1]]).astype(np.uint8)


def _spacing(r: Recording) -> NDArray[np.float64]:
    """What `spacing_of` says of the inner knots of each grid (the outermost bound no cell); 0 for other tables."""
    found = np.zeros((r.table_starts.size - 1, 3))
    for table in np.unique(r.table_used[r.opcode[r.table_users] == _LOCATE]):
        found[table] = spacing_of(r.table_values[r.table_starts[table] + 1 : r.table_starts[table + 1] - 1])
    return found


def spacing_of(knots: NDArray[np.float64]) -> tuple[float, float, float]:
    """First knot, step and last knot of a grid of which all but the last are ``first + i * step`` to the last bit.

    Zeros for another grid.
    """
    if knots.size < 2:
        return 0.0, 0.0, 0.0
    first, last, cells = float(knots[0]), float(knots[-1]), knots.size - 1
    for step in (float(knots[1]) - first, (last - first) / cells):
        # Steps near the rounding of the knots, or of extreme size: a division could miss by more than one cell.
        if not (step > max(1e-300, 1e-9 * np.abs(knots).max()) and last - first < np.inf):
            continue
        if np.array_equal(first + np.arange(cells) * step, knots[:-1]):
            return first, step, last
    return 0.0, 0.0, 0.0


def _output_references(r: Recording, varying: NDArray[np.bool_], slot: Index, uniform_slot: Index, first: int) -> Index:
    """Where the values of the outputs stand; constants come behind the other uniform values."""
    references = ~(first + np.arange(r.output_rows.size))
    active = r.output_rows >= 0
    rows = r.output_rows[active]
    references[active] = np.where(varying[rows], slot[rows], ~uniform_slot[rows])
    return references.astype(np.int32)
