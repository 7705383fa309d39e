"""Passes over the rows of a recording: which rows matter, vary, are differentiated; reverse streams.

Rows are in topological order, so each pass is one loop. A WHERE row has a third operand, the condition: the
COND row just before it.
"""

from __future__ import annotations

import numpy as np

from ..ops import OPCODE, OPS
from ._jit import jit
from .batch import FIRST_X, FIRST_Y

_INPUT = OPCODE["input"]
_COND = OPCODE["cond"]
_WHERE = OPCODE["where"]
_GUARD = OPCODE["guard"]
_TAKE = OPCODE["take"]

# Which operands of which operation have a partial at all; 0.0 in the table means never.
_ZERO = [[partial == "0.0" for partial in (*op.partials, "0.0")[:2]] for op in OPS]
HAS_PARTIAL_X = np.array([not zero[0] for zero in _ZERO])
HAS_PARTIAL_Y = np.array([not zero[1] for zero in _ZERO])


@jit
def _any(mask, tables, row):
    """Whether an element of the table of a TAKE row is marked."""
    starts, elements, used = tables
    for at in range(starts[used[row]], starts[used[row] + 1]):
        if elements[at] >= 0 and mask[elements[at]]:
            return True
    return False


@jit
def mark_needed(opcode, arg0, arg1, tables, needed):
    """Spread ``needed`` from the rows marked on entry to all that they are computed from."""
    for row in range(opcode.size - 1, -1, -1):
        if opcode[row] == _GUARD:
            needed[row] = True
        if not needed[row]:
            continue
        if arg0[row] >= 0:
            needed[arg0[row]] = True
        if arg1[row] >= 0:
            needed[arg1[row]] = True
        if opcode[row] == _WHERE:
            needed[row - 1] = True
        if opcode[row] == _TAKE:
            starts, elements, used = tables
            for at in range(starts[used[row]], starts[used[row] + 1]):
                if elements[at] >= 0:
                    needed[elements[at]] = True


@jit
def mark_varying(opcode, arg0, arg1, tables, varying):
    """Spread ``varying`` from the inputs marked on entry to all that depends on them."""
    for row in range(opcode.size):
        if opcode[row] == _INPUT:
            continue
        x = arg0[row] >= 0 and varying[arg0[row]]
        y = arg1[row] >= 0 and varying[arg1[row]]
        varying[row] = x or y or (opcode[row] == _WHERE and varying[row - 1])
        if opcode[row] == _TAKE and not varying[row]:
            varying[row] = _any(varying, tables, row)


@jit
def mark_differentiated(opcode, arg0, arg1, tables, has_x, has_y, active):
    """Spread ``active`` from the inputs marked on entry along operands that have a partial."""
    for row in range(opcode.size):
        op = opcode[row]
        if op == _INPUT:
            continue
        x = arg0[row] >= 0 and active[arg0[row]] and has_x[op]
        y = arg1[row] >= 0 and active[arg1[row]] and has_y[op]
        active[row] = x or y or (op == _TAKE and _any(active, tables, row))


@jit
def number(mask, out):
    """Number the marked rows in order; -1 elsewhere. Returns how many there are."""
    count = 0
    for row in range(mask.size):
        if mask[row]:
            out[row] = count
            count += 1
        else:
            out[row] = -1
    return count


@jit
def reverse_stream(
    output, opcode, arg0, arg1, tables, has_x, has_y, active, varying, adjoint_slot, uniform_slot,
    reached, rows, to_x, to_y, first, zeroed,
):  # fmt: skip
    """Rows of the reverse pass of one output, last first; returns their number.

    ``reached`` (all false on entry) marks the rows that the output depends on. An adjoint slot is stored to
    when it is first met and added to afterwards; ``zeroed`` marks those that a TAKE row may be first to add
    to, which must start from zero.
    """
    count = 0
    reached[output] = True
    for row in range(output, -1, -1):
        if not (reached[row] and varying[row]) or opcode[row] == _INPUT:
            continue
        rows[count] = row
        first[count] = 0
        op = opcode[row]
        if op == _TAKE:
            to_x[count] = to_y[count] = 0
            count += 1
            starts, elements, used = tables
            for at in range(starts[used[row]], starts[used[row] + 1]):
                element = elements[at]
                if element >= 0 and active[element] and varying[element] and not reached[element]:
                    reached[element] = True
                    zeroed[element] = True
            continue
        for operand in range(2):
            arg = arg0[row] if operand == 0 else arg1[row]
            target = 0
            if arg >= 0 and active[arg] and (has_x[op] if operand == 0 else has_y[op]):
                if varying[arg]:
                    target = adjoint_slot[arg] + 1
                    if not reached[arg]:
                        first[count] |= FIRST_X if operand == 0 else FIRST_Y
                    reached[arg] = True
                else:
                    target = ~uniform_slot[arg]
            if operand == 0:
                to_x[count] = target
            else:
                to_y[count] = target
        count += 1
    return count
