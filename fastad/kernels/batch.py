"""Replay of a plan over groups of 64 scenarios: gather, values, outputs, one reverse pass per output.

Encodings shared with ``program/plan.py``:

operand reference
    ``r >= 0``: slot r of the workspace, a row of 64 values; ``r < 0``: uniform value ``~r``, a vector of
    eight equal values that is read eight times.
adjoint target
    ``t > 0``: adjoint slot ``t - 1``; ``t < 0``: adjoint of uniform row ``~t``, summed over the group, in row
    ``-t`` of ``sums``; 0: none, row 0 of ``sums``.

Rows of a plan are read once per group, several megabytes of them: the entries of a row stand side by side. A column
each took 1.4 times as long.

Adjoints of uniform rows are swept on to the uniform inputs for eight passes (of groups, or of outputs) at once, each
in a column of ``sums`` of its own: one by one, a table of thousands of uniform values took half of the time.

Nothing depends on which thread runs a group: each group is written to its own place, and sums over the
lanes of a group run in one fixed order.
"""

from __future__ import annotations

import numpy as np

from ..ops import OPCODE, OPS
from ._jit import announced, jit
from ._simd import address, fma, lane_bits, lane_sum, load, peek, peek_index, poke, prefetch, splat, store
from .gather import gather
from .lookup import locate_evenly_row, locate_row, scatter_row, scatter_varying_row, take_row, take_varying_row
from .philox import NORMALS, UNIFORMS, normals_group, numbers_at, uniforms_group
from .replay import (
    SUMMED,
    adjoint_row,
    adjoint_row_masked,
    adjoint_row_special,
    adjoint_row_special_masked,
    adjoint_sum,
    value_row,
    value_row_special,
)
from .sweeps import masked_fma

GROUP = 64
HALF = GROUP // 2
_VECTORS = np.int64(GROUP // 8)  # to numba, 8 of Python is a type of its own, and what is handed it compiled anew
_SLOT_BYTES = GROUP * 8
_UNIFORM_BYTES = 64
_GUARD = OPCODE["guard"]
_LOCATE = OPCODE["locate"]
_TAKE = OPCODE["take"]

IS_SPECIAL = np.array([op.special for op in OPS])
_IS_SUMMED = np.isin(np.arange(len(OPS)), SUMMED)

VALUES_VARY, TARGETS_VARY = 1, 2  # bits of a table: an element has a slot, or an adjoint slot
# Entries of a forward row, and of a reverse row.
FORWARD = OP, OUT, A, B, C = tuple(range(5))
REVERSE = _, VALUE, _, _, _, BAR, TO_X, TO_Y, FIRST, AHEAD = tuple(range(10))
_FORWARD_BYTES, _REVERSE_BYTES = 4 * len(FORWARD), 4 * len(REVERSE)

FIRST_X, FIRST_Y = 1, 2  # bits: the adjoint of x, or y, is written for the first time


@jit
def _locate(reference, workspace, uniform):
    """Address and step of an operand."""
    if reference >= 0:
        return workspace + np.int64(reference) * _SLOT_BYTES, 8
    return uniform + np.int64(~reference) * _UNIFORM_BYTES, 0


@jit
def lane_of(position, count, antithetic):
    """Lane of the position-th scenario of a group of ``count``; antithetic partners are 32 lanes apart."""
    if antithetic and position >= count // 2:
        return position - count // 2 + HALF
    return position


@jit
def locate_draw(scenario, n, antithetic):
    """Path of the counter of one scenario out of n, and the sign of its numbers."""
    if not antithetic:
        return scenario, 1.0
    group = scenario // GROUP
    lane = lane_of(scenario - group * GROUP, min(GROUP, n - group * GROUP), True)
    return group * HALF + lane % HALF, (-1.0 if lane >= HALF else 1.0)


@jit
def draw_group(random, scenarios, group, count, n, workspace):
    """Random numbers of one group: of consecutive scenarios, or of those listed."""
    key, antithetic, normal_slots, uniform_slots = random
    if scenarios.size == 0:
        if normal_slots.size:
            normals_group(key, group, antithetic, normal_slots, workspace)
        if uniform_slots.size:
            uniforms_group(key, group, antithetic, uniform_slots, workspace)
    elif normal_slots.size or uniform_slots.size:
        paths, signs = np.empty(GROUP, np.int64), np.empty(GROUP)
        for lane in range(GROUP):
            scenario = scenarios[group * GROUP + min(lane, count - 1)]
            paths[lane], signs[lane] = locate_draw(scenario, n, antithetic)
        numbers_at(key, NORMALS, paths, signs, normal_slots, workspace)
        numbers_at(key, UNIFORMS, paths, signs, uniform_slots, workspace)


@jit
def _look_up(op, table, x, x_step, out, tables, workspace, uniform):
    """A LOCATE or TAKE row of 64 scenarios, each with its own place in the table."""
    starts, values, references, _, spacing, varies = tables
    first, size = np.int64(starts[table]), np.int64(starts[table + 1] - starts[table])
    if op == _LOCATE:
        if spacing[table, 1] != 0.0:
            start, step, top = spacing[table, 0], spacing[table, 1], spacing[table, 2]
            locate_evenly_row(x, x_step, start, step, top, size - 1, out)
        else:
            locate_row(x, x_step, address(values) + first * 8, size - 1, out)
    elif varies[table] & VALUES_VARY:
        take_varying_row(x, x_step, address(references) + first * 4, size - 1.0, workspace, uniform, out)
    else:
        take_row(x, x_step, address(values) + first * 8, size - 1.0, out)


@jit
def _scatter(table, x, x_step, bar, tables, adjoint, sums):
    """Add the adjoints of a TAKE row to the elements that the scenarios picked."""
    starts, _, _, targets, _, varies = tables
    first, last = np.int64(starts[table]), starts[table + 1] - starts[table] - 1.0
    if varies[table] & TARGETS_VARY:
        scatter_varying_row(x, x_step, address(targets) + first * 4, last, bar, adjoint, sums)
    else:
        scatter_row(x, x_step, address(targets) + first * 4, last, bar, sums)


@jit
def _check_guard(expected, number, x, x_step, failed):
    """Note the lanes that decide a guard otherwise, if it is the first."""
    for k in range(_VECTORS):
        lanes = lane_bits(load(x, k * x_step) != expected)
        for lane in range(8):
            at = 8 * k + lane
            if (lanes >> lane) & 1 and (failed[at] < 0 or number < failed[at]):
                failed[at] = number


@jit
def values_of_group(rows, special, tables, workspace, uniform, failed):
    """Forward pass of one group; ``failed[lane]`` becomes the first guard that decides otherwise.

    On entry it is -1, or the number of a uniform guard that all scenarios fail.
    """
    for i in range(len(rows)):
        row = address(rows) + i * _FORWARD_BYTES
        op, out, b = peek_index(row, OP), peek_index(row, OUT), peek_index(row, B)
        x, x_step = _locate(peek_index(row, A), workspace, uniform)
        if op == _GUARD:
            _check_guard(np.float64(b), out, x, x_step, failed)
            continue
        v = workspace + out * _SLOT_BYTES
        if op == _LOCATE or op == _TAKE:
            _look_up(op, b, x, x_step, v, tables, workspace, uniform)
            continue
        y, y_step = _locate(b, workspace, uniform)
        z, z_step = _locate(peek_index(row, C), workspace, uniform)
        if special is not None and IS_SPECIAL[op]:
            value_row_special(op, x, x_step, y, y_step, z, z_step, v, _VECTORS)
        else:
            value_row(op, x, x_step, y, y_step, z, z_step, v, _VECTORS)


@jit
def _target(target, first, adjoint, scratch, zeros):
    """Where to accumulate, and from what: (address, source, step)."""
    if target > 0:
        to = adjoint + np.int64(target - 1) * _SLOT_BYTES
        return (to, zeros, 0) if first else (to, to, 8)
    if target < 0:
        return scratch, zeros, 0
    return 0, zeros, 0


@jit
def _add_to(sums, target, contribution):
    to = -np.int64(target) * 8
    poke(sums, to, peek(sums, to) + contribution)


@jit
def _fold(target, scratch, sums):
    """Add the contributions to a uniform value, summed over the group."""
    total = load(scratch, 0)
    for k in range(1, _VECTORS):
        total = total + load(scratch, 8 * k)
    _add_to(sums, target, lane_sum(total))


@jit
def adjoints_of_group(rows, start, stop, special, masked, tables, workspace, uniform, adjoint, sums, work):
    """Reverse pass of one group for one output; ``work`` is two scratch slots and one zero vector.

    ``sums`` is the address of this pass's column.
    """
    scratch_x, scratch_y, zeros = work, work + _SLOT_BYTES, work + 2 * _SLOT_BYTES
    for i in range(start, stop):
        row = address(rows) + i * _REVERSE_BYTES
        ahead = peek_index(row, AHEAD)
        if ahead >= 0:
            prefetch(workspace + ahead * _SLOT_BYTES)
        op, b = peek_index(row, OP), peek_index(row, B)
        x, x_step = _locate(peek_index(row, A), workspace, uniform)
        g = adjoint + peek_index(row, BAR) * _SLOT_BYTES
        if op == _TAKE:
            _scatter(b, x, x_step, g, tables, adjoint, sums)
            continue
        y, y_step = _locate(b, workspace, uniform)
        z, z_step = _locate(peek_index(row, C), workspace, uniform)
        v = workspace + peek_index(row, VALUE) * _SLOT_BYTES
        to_x, to_y, first = peek_index(row, TO_X), peek_index(row, TO_Y), peek_index(row, FIRST)
        if masked is None and _IS_SUMMED[op]:
            if to_x < 0:
                _add_to(sums, to_x, adjoint_sum(op, True, x, x_step, y, y_step, v, g, _VECTORS))
                to_x = 0
            if to_y < 0:
                _add_to(sums, to_y, adjoint_sum(op, False, x, x_step, y, y_step, v, g, _VECTORS))
                to_y = 0
        p, p_from, p_step = _target(to_x, first & FIRST_X, adjoint, scratch_x, zeros)
        q, q_from, q_step = _target(to_y, first & FIRST_Y, adjoint, scratch_y, zeros)
        # fmt: off
        if special is not None and IS_SPECIAL[op]:
            if masked is not None:
                adjoint_row_special_masked(
                    op, x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS
                )
            else:
                adjoint_row_special(
                    op, x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS
                )
        elif masked is not None:
            adjoint_row_masked(
                op, x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS
            )
        else:
            adjoint_row(op, x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS)
        # fmt: on
        if to_x < 0:
            _fold(to_x, scratch_x, sums)
        if to_y < 0:
            _fold(to_y, scratch_y, sums)


@jit
def _lane_sum(values):
    """Sum of a short array in index order."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@jit
def _is_nan(gradient):
    for i in range(gradient.size):
        if gradient[i] != gradient[i]:
            return True
    return False


@jit
def _reverse_group(k, reverse_rows, seed_target, special, masked, tables, seed, adjoint, column, addresses):
    """Seed output k and run its reverse pass; leaves adjoints in the slots and in a column of the sums."""
    starts, rows, zero_starts, zeroed = reverse_rows
    ws, un, ad, sums, wk = addresses
    sums += column * 8
    for i in range(zero_starts[k], zero_starts[k + 1]):
        adjoint[zeroed[i]] = 0.0
    if seed_target > 0:
        adjoint[seed_target - 1] = seed
    elif seed_target < 0:
        poke(sums, -np.int64(seed_target) * 8, _lane_sum(seed))
    adjoints_of_group(rows, starts[k], starts[k + 1], special, masked, tables, ws, un, ad, sums, wk)


@jit
def _add_product(sums, arg, bar, partial, masked):
    to = 8 * (np.int64(arg) + 1)
    if masked is not None:
        store(sums, to, masked_fma(bar, partial, load(sums, to)))
    else:
        store(sums, to, fma(bar, partial, load(sums, to)))


@jit
def _uniform_sweep(uniform_rows, sums, masked):
    """Sweep the adjoints of uniform rows on to the uniform inputs, all columns at once."""
    _, arg0, arg1, partial0, partial1 = uniform_rows
    at = address(sums)
    for row in range(arg0.size - 1, -1, -1):
        bar = load(at, 8 * (row + 1))
        if arg0[row] >= 0:
            _add_product(at, arg0[row], bar, splat(partial0[row]), masked)
        if arg1[row] >= 0:
            _add_product(at, arg1[row], bar, splat(partial1[row]), masked)


@jit
def _collect(targets, adjoint, out):
    """Gradient of a group by its varying inputs: their adjoints summed over the lanes."""
    for j in range(targets.size):
        if targets[j] >= 0:
            out[j] = _lane_sum(adjoint[targets[j] - 1]) if targets[j] > 0 else 0.0


@jit
def _finish(wrt, uniform_rows, sums, passes, count, masked, gradient, has_nan):
    """Sweep the uniform rows of the passes (group, output) that wait, and complete their gradients."""
    _uniform_sweep(uniform_rows, sums, masked)
    for column in range(count):
        group, k = passes[column]
        for j in range(wrt.shape[1]):
            if wrt[k, j] < 0:
                gradient[group, k, j] = sums[-wrt[k, j], column]
        has_nan[group] |= _is_nan(gradient[group, k])


@jit
def _collect_lane(targets, adjoint, lane, out):
    """Gradient of one scenario."""
    for j in range(targets.size):
        out[j] = adjoint[targets[j] - 1, lane] if targets[j] > 0 else 0.0
    return _is_nan(out)


@announced(seconds=30)
@jit
def run_groups(
    forward, reverse_rows, outputs, uniform_rows, gathered, random, buffers, groups, scenarios, results, tables,
    special, masked,
):  # fmt: skip
    """Replay a range of groups.

    Parameters
    ----------
    forward : int32 array (rows, 5)
        Rows of the forward pass: OP, OUT (slot), A, B, C (operands).
    reverse_rows : (starts, rows, zero_starts, zeroed)
        Rows of the reverse passes, output after output: OP, VALUE (slot), A, B, C, BAR (adjoint slot), TO_X, TO_Y
        (targets), FIRST (bits), AHEAD (a slot that a row soon after reads, or -1); and the adjoint slots that each
        pass starts from zero.
    outputs : (reference, seed, wrt)
        Reference of each output; adjoint target of the seed of each differentiated one, and the targets of
        its gradient (differentiated outputs, wrt).
    uniform_rows : (values, arg0, arg1, partial0, partial1)
        Uniform values, eight equal ones each; operands among the active uniform rows, and partials.
    gathered : (sources, strides, starts, slots)
        Inputs read from arrays: addresses, doubles per scenario, and the slots to fill.
    random : (key, antithetic, normal_slots, uniform_slots)
        Inputs made here.
    buffers : (workspace, adjoint, sums, work, seed)
        Scratch memory of this thread.
    groups : (first, stop, n, failed)
        Range of groups, number of scenarios of the whole run, and the uniform guard that all fail, or -1.
    scenarios : int64 array
        The scenarios of these groups, 64 after 64; empty for consecutive ones.
    results : (first_position, values, gradient, failed, has_nan, per_lane)
        values (positions, outputs); gradient (positions or groups, differentiated outputs, wrt); failed (positions,)
        the first guard that decides otherwise or -1. Such scenarios are left out of the gradient of their group.
        has_nan (groups,), false on entry: the gradient holds a NaN, and is to be made again with the masked kernel.
    tables : (starts, values, references, targets, spacing, varies)
        Elements of lookup tables: values of those that do not vary, operand references, adjoint targets. The second
        operand of a LOCATE or TAKE row is its table. spacing (tables, 3): the second knot, the step and the last knot
        but one of an evenly spaced grid, a step of 0 otherwise; varies (tables,): VALUES_VARY and TARGETS_VARY.
    special, masked : None or True
        Whether special functions occur; whether a product with an exactly zero factor is zero, also where the
        other factor is not finite. numba drops the branches of None, and compiles them for True only.
    """
    reference, seed_target, wrt = outputs
    uniform = uniform_rows[0]
    first_group, stop_group, n, all_failed = groups
    workspace, adjoint, sums, work, seed = buffers
    first_position, values, gradient, failed, has_nan, per_lane = results
    addresses = (address(workspace), address(uniform), address(adjoint), address(sums), address(work))
    guard_failed = np.empty(GROUP, np.int32)
    waiting, n_waiting = np.empty((8, 2), np.int64), np.int64(0)  # passes whose uniform rows are to be swept
    listed = scenarios.size > 0
    antithetic = random[1] and not listed
    size = scenarios.size if listed else n
    for group in range(first_group, stop_group):
        count = min(GROUP, size - group * GROUP)
        base = group * GROUP - first_position
        gather(gathered, scenarios, group, count, workspace)
        draw_group(random, scenarios, group, count, n, workspace)
        guard_failed[:] = all_failed
        values_of_group(forward, special, tables, addresses[0], addresses[1], guard_failed)
        seed[:] = 0.0
        for position in range(count):
            lane = lane_of(position, count, antithetic)
            seed[lane] = 1.0 if guard_failed[lane] < 0 else 0.0
            failed[base + position] = guard_failed[lane]
            for k in range(reference.size):
                r = reference[k]
                values[base + position, k] = workspace[r, lane] if r >= 0 else uniform[~r, 0]
        if wrt.shape[1] == 0:
            continue
        at = group - first_position // GROUP
        for k in range(seed_target.size):
            if n_waiting == 0:
                sums[:] = 0.0
            _reverse_group(
                k, reverse_rows, seed_target[k], special, masked, tables, seed, adjoint, n_waiting, addresses
            )
            if per_lane:
                for position in range(count):
                    lane = lane_of(position, count, antithetic)
                    nan = _collect_lane(wrt[k], adjoint, lane, gradient[base + position, k])
                    has_nan[at] |= nan
                continue
            _collect(wrt[k], adjoint, gradient[at, k])
            waiting[n_waiting] = at, k
            n_waiting += 1
            if n_waiting == 8:
                _finish(wrt, uniform_rows, sums, waiting, n_waiting, masked, gradient, has_nan)
                n_waiting = np.int64(0)
    if n_waiting:
        _finish(wrt, uniform_rows, sums, waiting, n_waiting, masked, gradient, has_nan)
