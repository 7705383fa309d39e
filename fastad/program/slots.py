"""Passes over a plan that let values, and adjoints, share slots when they are not needed at the same time.

The workspace of a group then holds what the reverse pass reads and little else, and adjoints stay in the first
level of cache: of 15 slots per time step of the down-and-out call, 6 remain. No number depends on these passes.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np

from ..kernels import passes
from ..kernels.batch import BAR, TO_X, TO_Y
from ..ops import OPCODE
from .plan import Index, Plan, beside

_GUARD = OPCODE["guard"]
_NUMBERED = [_GUARD, OPCODE["locate"], OPCODE["take"]]


def share_values(plan: Plan) -> Plan:
    """Give value slots out anew by liveness over the forward pass; what reverse passes read keeps its own."""
    starts, rows, zero_starts, zeroed = plan.reverse
    op, value, a, b, c, bar, to_x, to_y, first, ahead = rows.T
    kept = np.zeros(plan.n_slots, np.bool_)
    passes.mark_read(op, value, a, b, c, to_x, to_y, passes.READS_X, passes.READS_Y, kept)
    elements = plan.tables[2]
    references, seeds, gradient = plan.outputs
    for slots in (references, elements):
        kept[slots[slots >= 0]] = True
    shared = np.full(plan.n_slots, -1, np.int32)
    n_slots = passes.share_values(*plan.forward.T, plan.input_slots, kept, shared)

    def moved(references: Index, chosen: Any = True) -> Index:
        """References with their slots replaced; those to uniform values, and those not chosen, unchanged."""
        chosen = chosen & (references >= 0)
        out = references.copy()
        out[chosen] = shared[references[chosen]]
        return out

    code, out, x, y, z = plan.forward.T
    # The output of a guard is its number; second operands may be outcomes and tables.
    return dataclasses.replace(
        plan,
        forward=beside(code, moved(out, code != _GUARD), moved(x), moved(y, ~np.isin(code, _NUMBERED)), moved(z)),
        reverse=(
            starts,
            beside(
                op, moved(value), moved(a), moved(b, ~np.isin(op, _NUMBERED)), moved(c),
                bar, to_x, to_y, first, moved(ahead),
            ),
            zero_starts,
            zeroed,
        ),
        outputs=(moved(references), seeds, gradient),
        tables=(*plan.tables[:2], moved(elements), *plan.tables[3:]),
        input_slots=moved(plan.input_slots),
        n_slots=n_slots,
    )  # fmt: skip


def share_adjoints(plan: Plan) -> Plan:
    """Give the adjoint slots of each reverse pass out anew: from the first contribution to the row's own turn."""
    starts, matrix, zero_starts, zeroed = plan.reverse
    bar, to_x, to_y = matrix[:, [BAR, TO_X, TO_Y]].T
    references, seeds, gradient = plan.outputs
    elements = plan.tables[3]
    in_tables = np.unique(elements[elements > 0]) - 1  # the same slots in every pass, as the tables name them
    in_place = np.full(plan.n_adjoint_slots, -1, np.int32)
    in_place[in_tables] = np.arange(in_tables.size)
    columns: list[tuple[Index, ...]] = []
    n_slots = 0
    for k, seed in enumerate(seeds):
        rows, zeros = slice(starts[k], starts[k + 1]), slice(zero_starts[k], zero_starts[k + 1])
        kept = np.zeros(plan.n_adjoint_slots, np.bool_)
        kept[in_tables] = True
        kept[gradient[k][gradient[k] > 0] - 1] = True
        shared, count = in_place.copy(), in_tables.size
        if seed > 0 and shared[seed - 1] < 0:
            shared[seed - 1] = count
            count += 1
        count = passes.share_adjoints(bar[rows], to_x[rows], to_y[rows], kept, shared, count)
        moved = [_moved(targets, shared) for targets in (to_x[rows], to_y[rows], np.array([seed]), gradient[k])]
        columns.append((shared[bar[rows]], *moved, shared[zeroed[zeros]]))
        n_slots = max(n_slots, count)
    if not columns:
        return plan
    shared_bar, x, y, seeds, gradients, zeroed = (np.concatenate(parts) for parts in zip(*columns))
    moved_rows = matrix.copy()
    moved_rows[:, [BAR, TO_X, TO_Y]] = np.stack([shared_bar, x, y], axis=1)
    return dataclasses.replace(
        plan,
        reverse=(starts, moved_rows, zero_starts, zeroed),
        outputs=(references, seeds, gradients.reshape(gradient.shape)),
        tables=(*plan.tables[:3], _moved(elements, in_place), *plan.tables[4:]),
        n_adjoint_slots=n_slots,
    )


def read_ahead(plan: Plan) -> Plan:
    """Let reverse rows ask for what rows a few on will read."""
    starts, rows, zero_starts, zeroed = plan.reverse
    asking = rows.copy()
    for start, stop in pairwise(starts):
        part = asking[start:stop]
        op, value, a, b, c, _, to_x, to_y, _, ahead = part.T
        met = np.zeros(plan.n_slots, np.bool_)
        passes.read_ahead(op, value, a, b, c, to_x, to_y, passes.READS_X, passes.READS_Y, met, ahead)
    return dataclasses.replace(plan, reverse=(starts, asking, zero_starts, zeroed))


def _moved(targets: Index, shared: Index) -> Index:
    """Targets with their slots replaced, those of uniform values unchanged."""
    out, chosen = targets.copy(), targets > 0
    out[chosen] = shared[targets[chosen] - 1] + 1
    return out
