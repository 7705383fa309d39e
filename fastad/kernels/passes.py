"""Passes over the rows of a recording: which rows matter, vary, are differentiated; reverse streams.

Rows are in topological order, so each pass is one loop. A WHERE row has a third operand, the condition: the
COND row just before it.
"""

from __future__ import annotations

import numpy as np

from ..ops import OPCODE, OPS
from ..rules import names_in
from ._jit import jit
from .batch import FIRST_X, FIRST_Y

_INPUT = OPCODE["input"]
_COND = OPCODE["cond"]
_WHERE = OPCODE["where"]
_GUARD = OPCODE["guard"]
_LOCATE = OPCODE["locate"]
_TAKE = OPCODE["take"]
_BLOCK = OPCODE["block"]

_AHEAD = 8  # rows: 100-200 ns, the time that memory takes to answer

# Which operands of which operation have a partial at all; 0.0 in the table means never.
_ZERO = [[partial == "0.0" for partial in (*op.partials, "0.0")[:2]] for op in OPS]
HAS_PARTIAL_X = np.array([not zero[0] for zero in _ZERO])
HAS_PARTIAL_Y = np.array([not zero[1] for zero in _ZERO])

# Which of the vectors x, y, c and v the adjoints of x, and of y, are computed from.
_READ = [[names_in(partial) for partial in (*op.partials, "0.0", "0.0")[:2]] for op in OPS]
READS_X, READS_Y = (np.array([[name in read[i] for name in "xycv"] for read in _READ]) for i in range(2))
READS_X[_TAKE] = [True, False, False, False]  # its place in the table


@jit
def _any(mask, tables, row):
    """Whether an element of the table of a TAKE or BLOCK row is marked."""
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
        if opcode[row] == _TAKE or opcode[row] == _BLOCK:
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
        if (opcode[row] == _TAKE or opcode[row] == _BLOCK) and not varying[row]:
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
        active[row] = x or y or ((op == _TAKE or op == _BLOCK) and _any(active, tables, row))


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


@jit
def read_ahead(op, value, a, b, c, to_x, to_y, reads_x, reads_y, met, ahead):
    """Tell each row of a reverse pass a slot that a row ``_AHEAD`` rows on is the first to read, or -1.

    What the forward pass left behind is often larger than the second level of cache. A slot each: where more are
    first read at once, earlier rows ask for them. ``met`` (all false on entry) marks the slots read.
    """
    next_free = 0
    for i in range(op.size):
        ahead[i] = -1
        for reads, wanted in ((reads_x, to_x[i] != 0 or op[i] == _TAKE), (reads_y, to_y[i] != 0)):
            if not wanted:
                continue
            for j, slot in enumerate((a[i], b[i], c[i], value[i])):
                if reads[op[i], j] and slot >= 0 and not met[slot]:
                    met[slot] = True
                    at = max(i - _AHEAD, next_free)
                    if at < i:
                        ahead[at] = slot
                        next_free = at + 1


@jit
def mark_read(op, value, a, b, c, to_x, to_y, reads_x, reads_y, kept):
    """Mark the value slots that the rows of reverse passes read."""
    for i in range(op.size):
        for reads, wanted in ((reads_x, to_x[i] != 0 or op[i] == _TAKE), (reads_y, to_y[i] != 0)):
            if not wanted:
                continue
            if reads[op[i], 0] and a[i] >= 0:
                kept[a[i]] = True
            if reads[op[i], 1] and b[i] >= 0:
                kept[b[i]] = True
            if reads[op[i], 2] and c[i] >= 0:
                kept[c[i]] = True
            if reads[op[i], 3]:
                kept[value[i]] = True


@jit
def _operands(op, a, b, c):
    """References that a row of the forward pass reads; the second of a guard or a table row is none."""
    return a, (np.int32(-1) if op in (_GUARD, _LOCATE, _TAKE) else b), c


@jit
def share_values(op, out, a, b, c, inputs, kept, shared):
    """Fill ``shared`` with a slot per value such that those needed at the same time differ; returns their number.

    ``kept`` marks values that are read after the forward pass, ``inputs`` those written before it. A value may
    take the place of an operand that its row is the last to read: row kernels load before they store.
    """
    last = np.full(shared.size, -1, np.int32)  # the row that reads a value last
    for i in range(op.size):
        for operand in _operands(op[i], a[i], b[i], c[i]):
            if operand >= 0:
                last[operand] = i
    free = np.empty(shared.size, np.int32)  # a stack: the slot freed last is the one most likely in cache
    count = n_free = 0
    for value in inputs:
        if value >= 0:
            shared[value] = count
            count += 1
    for i in range(op.size):
        for operand in _operands(op[i], a[i], b[i], c[i]):
            if operand >= 0 and last[operand] == i and not kept[operand]:
                last[operand] = -1  # freed once, also where it is both operands
                free[n_free] = shared[operand]
                n_free += 1
        if op[i] == _GUARD:
            continue
        if n_free:
            n_free -= 1
            shared[out[i]] = free[n_free]
        else:
            shared[out[i]] = count
            count += 1
    return count


@jit
def share_adjoints(bar, to_x, to_y, kept, shared, count):
    """Fill ``shared`` for the adjoints of one reverse pass; returns the number of slots.

    Entries that are not -1 on entry are taken as given, among the first ``count``; ``kept`` marks adjoints that
    must not lose their slot, because they are read after the pass or written by table rows.
    """
    free = np.empty(bar.size + 1, np.int32)
    n_free = 0
    for i in range(bar.size):
        for target in (to_x[i], to_y[i]):
            if target > 0 and shared[target - 1] < 0:
                if n_free:
                    n_free -= 1
                    shared[target - 1] = free[n_free]
                else:
                    shared[target - 1] = count
                    count += 1
        if not kept[bar[i]]:  # freed after its operands have theirs: a row reads its adjoint once for each of them
            free[n_free] = shared[bar[i]]
            n_free += 1
    return count
