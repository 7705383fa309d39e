"""Passes over a plan that let values, and adjoints, share slots when they are not needed at the same time.

The workspace of a group then holds what the reverse pass reads and little else, and adjoints stay in the first
level of cache: of 15 slots per time step of the down-and-out call, 6 remain. No number depends on these passes.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np

from ..kernels import passes
from ..kernels.batch import BAR, TO_X, TO_Y
from .plan import Index, Plan


def share_values(plan: Plan) -> Plan:
    """Give value slots out anew by liveness over the forward pass; what reverse passes read keeps its own."""
    rows = plan.reverse[1]
    op, value, a, b, c, _, to_x, to_y, _, _ = rows.T
    kept = np.zeros(plan.n_slots, np.bool_)
    passes.mark_read(op, value, a, b, c, to_x, to_y, passes.READS_X, passes.READS_Y, kept)
    elements = plan.tables[2]
    references, seeds, gradient = plan.outputs
    for slots in (references, elements):
        kept[slots[slots >= 0]] = True
    shared = np.full(plan.n_slots, -1, np.int32)
    n_slots = passes.share_values(*plan.forward.T, plan.input_slots, kept, shared)
    passes.move_values(plan.forward, rows, shared)
    return dataclasses.replace(
        plan,
        outputs=(_moved(references, shared), seeds, gradient),
        tables=(*plan.tables[:2], _moved(elements, shared), *plan.tables[3:]),
        input_slots=_moved(plan.input_slots, shared),
        n_slots=n_slots,
    )


def share_adjoints(plan: Plan) -> Plan:
    """Give the adjoint slots of each reverse pass out anew: from the first contribution to the row's own turn."""
    starts, rows, zero_starts, zeroed = plan.reverse
    _, seeds, gradient = plan.outputs
    elements = plan.tables[3]
    in_tables = np.unique(elements[elements > 0]) - 1  # the same slots in every pass, as the tables name them
    in_place = np.full(plan.n_adjoint_slots, -1, np.int32)
    in_place[in_tables] = np.arange(in_tables.size)
    n_slots = 0
    for k, seed in enumerate(seeds):
        part, zeros = rows[starts[k] : starts[k + 1]], slice(zero_starts[k], zero_starts[k + 1])
        kept = np.zeros(plan.n_adjoint_slots, np.bool_)
        kept[in_tables] = True
        kept[gradient[k][gradient[k] > 0] - 1] = True
        shared, count = in_place.copy(), in_tables.size
        if seed > 0 and shared[seed - 1] < 0:
            shared[seed - 1] = count
            count += 1
        count = passes.share_adjoints(part[:, BAR], part[:, TO_X], part[:, TO_Y], kept, shared, count)
        passes.move_adjoints(part, shared)
        seeds[k : k + 1] = _moved_targets(seeds[k : k + 1], shared)
        gradient[k] = _moved_targets(gradient[k], shared)
        zeroed[zeros] = shared[zeroed[zeros]]
        n_slots = max(n_slots, count)
    return dataclasses.replace(
        plan,
        tables=(*plan.tables[:3], _moved_targets(elements, in_place), *plan.tables[4:]),
        n_adjoint_slots=n_slots if len(seeds) else plan.n_adjoint_slots,
    )


def read_ahead(plan: Plan) -> Plan:
    """Let reverse rows ask for what rows a few on will read."""
    starts, rows, _, _ = plan.reverse
    for start, stop in pairwise(starts):
        op, value, a, b, c, _, to_x, to_y, _, ahead = rows[start:stop].T
        met = np.zeros(plan.n_slots, np.bool_)
        passes.read_ahead(op, value, a, b, c, to_x, to_y, passes.READS_X, passes.READS_Y, met, ahead)
    return plan


def _moved(references: Index, shared: Index) -> Index:
    """References with their slots replaced, those to uniform values unchanged."""
    out, chosen = references.copy(), references >= 0
    out[chosen] = shared[references[chosen]]
    return out


def _moved_targets(targets: Index, shared: Index) -> Index:
    """Targets with their slots replaced, those of uniform values unchanged."""
    out, chosen = targets.copy(), targets > 0
    out[chosen] = shared[targets[chosen] - 1] + 1
    return out
