"""Replay of a plan over groups of 64 scenarios: gather, values, outputs, one reverse pass per output.

Encodings shared with ``program/plan.py``:

operand reference
    ``r >= 0``: slot r of the workspace, a row of 64 values; ``r < 0``: uniform value ``~r``, a vector of
    eight equal values that is read eight times.
adjoint target
    ``t > 0``: adjoint slot ``t - 1``; ``t < 0``: adjoint of uniform row ``~t``, summed over the group;
    0: none.

Nothing depends on which thread runs a group: each group is written to its own place, and sums over the
lanes of a group run in one fixed order.
"""

from __future__ import annotations

import numpy as np

from ..ops import OPCODE, OPS
from ._jit import announced, jit
from ._simd import address, lane_bits, load, peek, poke, store
from .gather import gather
from .lookup import find_cell, find_element
from .philox import NORMALS, UNIFORMS, normals_group, numbers_at, uniforms_group
from .replay import (
    adjoint_row,
    adjoint_row_masked,
    adjoint_row_special,
    adjoint_row_special_masked,
    value_row,
    value_row_special,
)
from .sweeps import reverse, reverse_masked

GROUP = 64
HALF = GROUP // 2
_VECTORS = GROUP // 8
_SLOT_BYTES = GROUP * 8
_UNIFORM_BYTES = 64
_GUARD = OPCODE["guard"]
_LOCATE = OPCODE["locate"]
_TAKE = OPCODE["take"]

IS_SPECIAL = np.array([op.special for op in OPS])

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
def _draw(random, scenarios, group, count, n, workspace):
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
    starts, values, references, _ = tables
    first, size = starts[table], starts[table + 1] - starts[table]
    for lane in range(GROUP):
        place = peek(x, lane if x_step else 0)
        if op == _LOCATE:
            found = np.float64(find_cell(values, first, first + size, place))
        else:
            r = np.int64(references[first + find_element(place, size)])
            found = peek(workspace, r * GROUP + lane) if r >= 0 else peek(uniform, ~r * 8)
        poke(out, lane, found)


@jit
def _scatter(table, x, x_step, bar, tables, adjoint, uniform_adjoint):
    """Add the adjoints of a TAKE row to the elements that the scenarios picked."""
    starts, _, _, targets = tables
    first, size = starts[table], starts[table + 1] - starts[table]
    for lane in range(GROUP):
        t = np.int64(targets[first + find_element(peek(x, lane if x_step else 0), size)])
        if t > 0:
            at = (t - 1) * GROUP + lane
            poke(adjoint, at, peek(adjoint, at) + peek(bar, lane))
        elif t < 0:
            at = ~t * 8 + lane % 8
            poke(uniform_adjoint, at, peek(uniform_adjoint, at) + peek(bar, lane))


@jit
def _values(op, out, a, b, c, special, tables, workspace, uniform, failed):
    """Forward pass of one group; ``failed[lane]`` becomes the first guard that decides otherwise.

    On entry it is -1, or the number of a uniform guard that all scenarios fail.
    """
    for i in range(op.size):
        x, x_step = _locate(a[i], workspace, uniform)
        if op[i] == _GUARD:
            expected = np.float64(b[i])
            for k in range(_VECTORS):
                lanes = lane_bits(load(x, k * x_step) != expected)
                for lane in range(8):
                    at = 8 * k + lane
                    if (lanes >> lane) & 1 and (failed[at] < 0 or out[i] < failed[at]):
                        failed[at] = out[i]
            continue
        v = workspace + np.int64(out[i]) * _SLOT_BYTES
        if op[i] == _LOCATE or op[i] == _TAKE:
            _look_up(op[i], b[i], x, x_step, v, tables, workspace, uniform)
            continue
        y, y_step = _locate(b[i], workspace, uniform)
        z, z_step = _locate(c[i], workspace, uniform)
        if special is not None and IS_SPECIAL[op[i]]:
            value_row_special(op[i], x, x_step, y, y_step, z, z_step, v, _VECTORS)
        else:
            value_row(op[i], x, x_step, y, y_step, z, z_step, v, _VECTORS)


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
def _fold(target, scratch, uniform_adjoint):
    """Add the contributions to a uniform value, summed over the vectors of the group."""
    total = load(scratch, 0)
    for k in range(1, _VECTORS):
        total = total + load(scratch, 8 * k)
    to = uniform_adjoint + np.int64(~target) * _UNIFORM_BYTES
    store(to, 0, load(to, 0) + total)


@jit
def _adjoints(
    start,
    stop,
    op,
    value,
    a,
    b,
    c,
    bar,
    to_x,
    to_y,
    first,
    special,
    masked,
    tables,
    workspace,
    uniform,
    adjoint,
    uniform_adjoint,
    work,
):
    """Reverse pass of one group for one output; ``work`` is two scratch slots and one zero vector."""
    scratch_x, scratch_y, zeros = work, work + _SLOT_BYTES, work + 2 * _SLOT_BYTES
    for i in range(start, stop):
        x, x_step = _locate(a[i], workspace, uniform)
        g = adjoint + np.int64(bar[i]) * _SLOT_BYTES
        if op[i] == _TAKE:
            _scatter(b[i], x, x_step, g, tables, adjoint, uniform_adjoint)
            continue
        y, y_step = _locate(b[i], workspace, uniform)
        z, z_step = _locate(c[i], workspace, uniform)
        v = workspace + np.int64(value[i]) * _SLOT_BYTES
        p, p_from, p_step = _target(to_x[i], first[i] & FIRST_X, adjoint, scratch_x, zeros)
        q, q_from, q_step = _target(to_y[i], first[i] & FIRST_Y, adjoint, scratch_y, zeros)
        # fmt: off
        if special is not None and IS_SPECIAL[op[i]]:
            if masked is not None:
                adjoint_row_special_masked(
                    op[i], x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS
                )
            else:
                adjoint_row_special(
                    op[i], x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS
                )
        elif masked is not None:
            adjoint_row_masked(
                op[i], x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS
            )
        else:
            adjoint_row(op[i], x, x_step, y, y_step, z, z_step, v, g, p, p_from, p_step, q, q_from, q_step, _VECTORS)
        # fmt: on
        if to_x[i] < 0:
            _fold(to_x[i], scratch_x, uniform_adjoint)
        if to_y[i] < 0:
            _fold(to_y[i], scratch_y, uniform_adjoint)


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
def _reverse_group(k, reverse_rows, seed_target, special, masked, tables, seed, buffers, addresses):
    """Seed output k and run its reverse pass; leaves adjoints in the slots and in the uniform rows."""
    starts, op, value, a, b, c, bar, to_x, to_y, first, zero_starts, zeroed = reverse_rows
    _, adjoint, uniform_adjoint, _, _, _ = buffers
    ws, un, ad, ua, wk = addresses
    uniform_adjoint[:] = 0.0
    for i in range(zero_starts[k], zero_starts[k + 1]):
        adjoint[zeroed[i]] = 0.0
    if seed_target > 0:
        adjoint[seed_target - 1] = seed
    elif seed_target < 0:
        uniform_adjoint[~seed_target, 0] = _lane_sum(seed)
    _adjoints(
        starts[k], starts[k + 1], op, value, a, b, c, bar, to_x, to_y, first, special, masked, tables,
        ws, un, ad, ua, wk,
    )  # fmt: skip


@jit
def _uniform_sweep(uniform_rows, uniform_adjoint, sums, masked):
    """Sum the adjoints of uniform rows over the lanes, and sweep them on to the uniform inputs."""
    _, arg0, arg1, partial0, partial1 = uniform_rows
    sums[0] = 0.0
    for i in range(uniform_adjoint.shape[0]):
        sums[i + 1] = _lane_sum(uniform_adjoint[i])
    if masked is not None:
        reverse_masked(arg0, arg1, partial0, partial1, sums, 0, arg0.size)
    else:
        reverse(arg0, arg1, partial0, partial1, sums, 0, arg0.size)


@jit
def _collect(targets, adjoint, sums, out):
    """Gradient of a group: adjoints of its varying inputs summed over the lanes, and of its uniform ones."""
    for j in range(targets.size):
        t = targets[j]
        out[j] = _lane_sum(adjoint[t - 1]) if t > 0 else (sums[~t + 1] if t < 0 else 0.0)
    return _is_nan(out)


@jit
def _collect_lane(targets, adjoint, lane, out):
    """Gradient of one scenario."""
    for j in range(targets.size):
        out[j] = adjoint[targets[j] - 1, lane] if targets[j] > 0 else 0.0
    return _is_nan(out)


@announced(seconds=20)
@jit
def run_groups(
    forward, reverse_rows, outputs, uniform_rows, gathered, random, buffers, groups, scenarios, results, tables,
    special, masked,
):  # fmt: skip
    """Replay a range of groups.

    Parameters
    ----------
    forward : (op, out, a, b, c)
        Rows of the forward pass.
    reverse_rows : (starts, op, value, a, b, c, bar, to_x, to_y, first, zero_starts, zeroed)
        Rows of the reverse passes, output after output, and the adjoint slots that each starts from zero.
    outputs : (reference, seed, wrt)
        Reference of each output; adjoint target of the seed of each differentiated one, and the targets of
        its gradient (differentiated outputs, wrt).
    uniform_rows : (values, arg0, arg1, partial0, partial1)
        Uniform values, eight equal ones each; operands among the active uniform rows, and partials.
    gathered : (sources, strides, starts, slots)
        Inputs read from arrays: addresses, doubles per scenario, and the slots to fill.
    random : (key, antithetic, normal_slots, uniform_slots)
        Inputs made here.
    buffers : (workspace, adjoint, uniform_adjoint, sums, work, seed)
        Scratch memory of this thread.
    groups : (first, stop, n, failed)
        Range of groups, number of scenarios of the whole run, and the uniform guard that all fail, or -1.
    scenarios : int64 array
        The scenarios of these groups, 64 after 64; empty for consecutive ones.
    results : (first_position, values, gradient, failed, has_nan, per_lane)
        values (positions, outputs); gradient (positions or groups, differentiated outputs, wrt); failed (positions,)
        the first guard that decides otherwise or -1. Such scenarios are left out of the gradient of their group.
        has_nan (groups,): the gradient holds a NaN, and is to be made again with the masked kernel.
    tables : (starts, values, references, targets)
        Elements of lookup tables: values of passive grids, operand references, adjoint targets. The second
        operand of a LOCATE or TAKE row is its table.
    special, masked : None or True
        Whether special functions occur; whether a product with an exactly zero factor is zero, also where the
        other factor is not finite. numba drops the branches of None, and compiles them for True only.
    """
    op, out, a, b, c = forward
    reference, seed_target, wrt = outputs
    uniform = uniform_rows[0]
    first_group, stop_group, n, all_failed = groups
    workspace, adjoint, uniform_adjoint, sums, work, seed = buffers
    first_position, values, gradient, failed, has_nan, per_lane = results
    addresses = (address(workspace), address(uniform), address(adjoint), address(uniform_adjoint), address(work))
    guard_failed = np.empty(GROUP, np.int32)
    listed = scenarios.size > 0
    antithetic = random[1] and not listed
    size = scenarios.size if listed else n
    for group in range(first_group, stop_group):
        count = min(GROUP, size - group * GROUP)
        base = group * GROUP - first_position
        gather(gathered, scenarios, group, count, workspace)
        _draw(random, scenarios, group, count, n, workspace)
        guard_failed[:] = all_failed
        _values(op, out, a, b, c, special, tables, addresses[0], addresses[1], guard_failed)
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
        nan = False
        for k in range(seed_target.size):
            _reverse_group(k, reverse_rows, seed_target[k], special, masked, tables, seed, buffers, addresses)
            if per_lane:
                for position in range(count):
                    lane = lane_of(position, count, antithetic)
                    nan = _collect_lane(wrt[k], adjoint, lane, gradient[base + position, k]) or nan
            else:
                _uniform_sweep(uniform_rows, uniform_adjoint, sums, masked)
                nan = _collect(wrt[k], adjoint, sums, gradient[group - first_position // GROUP, k]) or nan
        has_nan[group - first_position // GROUP] = nan
