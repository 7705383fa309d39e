"""Adjoints and tangents of recorded rows, written as rows behind them.

A number on its way is a pair (row, value): row -1 where it is passive. What depends on passive numbers alone is
computed and leaves no row, and equal rows among the partials of a row are written once. So the rows written depend
on the rows read, never on their values: recorded at another point, they are the same rows. Partials come from the
templates of ``templates.py``; those of one row are written once, for any number of seeds or directions (``known``,
``known_row``, ``known_value``).

A product with an exactly zero factor is zero here too: products are rows of the operation ``product``.
"""

from __future__ import annotations

import numpy as np

from ..ops import OPCODE, OPS
from ..templates import CONSTANTS, ENTRIES, FIRST_CONSTANT, LONGEST, RESULTS, STARTS, C, X, Y
from ._jit import jit
from .replay import evaluated

# An int of Python is a type of its own to numba, and every function that is handed one compiled for it.
_ADD, _NEG, _OR, _PRODUCT = (np.int64(OPCODE[name]) for name in ("add", "neg", "logical_or", "product"))
_COND, _WHERE, _TAKE = (np.int64(OPCODE[name]) for name in ("cond", "where", "take"))
_GREATER_EQUAL = np.int64(OPCODE["greater_equal"])
_HAS_PARTIAL = np.array([[partial != "0.0" for partial in (*op.partials, "0.0")[:2]] for op in OPS])

NOTHING = -2  # in place of a row: no adjoint or tangent at all, which is zero

# Numba reads arrays of a module as constants and copies them into every kernel: they come as arguments.
TEMPLATES = (STARTS, ENTRIES, RESULTS, CONSTANTS)


@jit
def _append(op, a, x, b, y, c, columns, cursor):
    """Write a row at the cursor; returns (row, value)."""
    opcode, arg0, arg1, partial0, partial1, values = columns
    row = cursor[0]
    cursor[0] = row + 1
    v, first, second = evaluated(op, x, y, c)
    opcode[row], arg0[row], arg1[row], values[row] = op, a, b, v
    partial0[row], partial1[row] = (first if a >= 0 else x), (second if b >= 0 else y)
    return row, v


@jit
def _same(row, op, a, x, b, y, columns):
    """Whether a row is this operation of these operands, passive ones with the same values."""
    opcode, arg0, arg1, partial0, partial1, _ = columns
    if opcode[row] != op or arg0[row] != a or arg1[row] != b:
        return False
    return (a >= 0 or partial0[row] == x) and (b >= 0 or partial1[row] == y)


@jit
def _operation(op, a, x, b, y, columns, cursor):
    """Value of an operation, with a row where an operand is active that matters.

    The row is looked for first: ``cursor`` holds, behind the next row, the row whose partials are being written and
    the first row that they wrote.
    """
    if a < 0 and b < 0:
        return np.int64(-1), evaluated(op, x, y, 0.0)[0]
    if op == _OR and ((a < 0 and x != 0.0) or (b < 0 and y != 0.0)):
        return np.int64(-1), 1.0
    if cursor[1] >= 0 and _same(cursor[1], op, a, x, b, y, columns):
        return cursor[1], columns[5][cursor[1]]
    for row in range(cursor[2], cursor[0]):
        if _same(row, op, a, x, b, y, columns):
            return row, columns[5][row]
    return _append(op, a, x, b, y, 0.0, columns, cursor)


@jit
def _choice(condition, c, a, x, b, y, columns, cursor):
    """``where`` with the condition as a number; a passive one chooses for good."""
    if condition < 0:
        return (a, x) if c != 0.0 else (b, y)
    _append(_COND, condition, c, np.int64(-1), 0.0, 0.0, columns, cursor)
    return _append(_WHERE, a, x, b, y, c, columns, cursor)


@jit
def _product(a, x, b, y, columns, cursor):
    """Product of two numbers, without a row where a factor is passive and 0, 1 or -1."""
    if (a < 0 and x == 0.0) or (b < 0 and y == 0.0):
        return np.int64(NOTHING), 0.0
    if a < 0 and x == 1.0:
        return b, y
    if b < 0 and y == 1.0:
        return a, x
    if a < 0 and x == -1.0:
        return _operation(_NEG, b, y, np.int64(-1), 0.0, columns, cursor)
    if b < 0 and y == -1.0:
        return _operation(_NEG, a, x, np.int64(-1), 0.0, columns, cursor)
    return _operation(_PRODUCT, a, x, b, y, columns, cursor)


@jit
def _sum(a, x, b, y, columns, cursor):
    """Sum of two numbers, of which either may be nothing."""
    if b == NOTHING:
        return a, x
    if a == NOTHING:
        return b, y
    return _operation(_ADD, a, x, b, y, columns, cursor)


@jit
def _operand(row, which, columns):
    """Operand of a row as a number."""
    _, arg0, arg1, partial0, partial1, values = columns
    arg, passive = (arg0[row], partial0[row]) if which == 0 else (arg1[row], partial1[row])
    return np.int64(arg), (values[arg] if arg >= 0 else passive)


@jit
def _referred(reference, row, columns, constants, temporary_rows, temporaries):
    """What a template refers to, as a number."""
    if reference >= 0:
        return temporary_rows[reference], temporaries[reference]
    if reference <= FIRST_CONSTANT:
        return np.int64(-1), constants[FIRST_CONSTANT - reference]
    if reference == X:
        return _operand(row, 0, columns)
    if reference == Y:
        return _operand(row, 1, columns)
    if reference == C:
        return _operand(row - 1, 0, columns)
    return np.int64(row), columns[5][row]  # V


@jit
def partial_of(row, which, known, known_row, known_value, first, templates, columns, cursor):
    """Partial of a row as a number; its rows are written when it is first asked for."""
    at = row - first
    if known[at, which]:
        return known_row[at, which], known_value[at, which]
    starts, entries, results, constants = templates
    temporary_rows, temporaries = np.empty(LONGEST, np.int64), np.empty(LONGEST)
    t = 2 * np.int64(columns[0][row]) + which
    for k in range(starts[t + 1] - starts[t]):
        code, ref_a, ref_b, ref_c = entries[starts[t] + k]
        op = np.int64(code)  # of one type everywhere, or the rules are compiled twice
        a, x = _referred(ref_a, row, columns, constants, temporary_rows, temporaries)
        b, y = _referred(ref_b, row, columns, constants, temporary_rows, temporaries)
        if op == _WHERE:
            condition, c = _referred(ref_c, row, columns, constants, temporary_rows, temporaries)
            temporary_rows[k], temporaries[k] = _choice(condition, c, a, x, b, y, columns, cursor)
        else:
            temporary_rows[k], temporaries[k] = _operation(op, a, x, b, y, columns, cursor)
    found, number = _referred(results[t], row, columns, constants, temporary_rows, temporaries)
    known[at, which], known_row[at, which], known_value[at, which] = True, found, number
    return found, number


@jit
def mark_active(first, columns, tables, active):
    """Spread ``active`` (of rows from ``first`` on) from the rows marked on entry along operands with a partial.

    The table of a TAKE or BLOCK row counts with all its elements where ``tables`` says which it is; else that of a
    TAKE row counts with the one picked.
    """
    opcode, arg0, arg1 = columns[0], columns[1], columns[2]
    starts, elements, used = tables
    for at in range(active.size):
        row = first + at
        for which in range(2):
            arg = arg0[row] if which == 0 else arg1[row]
            if arg >= first and active[arg - first] and _HAS_PARTIAL[opcode[row], which]:
                active[at] = True
        if used.size and used[row] >= 0 and not active[at]:
            for k in range(starts[used[row]], starts[used[row] + 1]):
                active[at] = active[at] or (elements[k] >= first and active[elements[k] - first])


@jit
def mark_needed(first, columns, tables, needed):
    """Spread ``needed`` (of rows from ``first`` on) from the rows marked on entry to those they are computed from."""
    arg0, arg1 = columns[1], columns[2]
    starts, elements, used = tables
    for at in range(needed.size - 1, -1, -1):
        row = first + at
        if not needed[at]:
            continue
        for arg in (arg0[row], arg1[row]):
            if arg >= first:
                needed[arg - first] = True
        if used.size and used[row] >= 0:
            for k in range(starts[used[row]], starts[used[row] + 1]):
                if elements[k] >= first:
                    needed[elements[k] - first] = True


@jit
def add_numbers(targets, rows, numbers, bar_rows, bars, columns, cursor):
    """Add numbers to adjoints one by one, with a row for each sum."""
    for k in range(targets.size):
        at = targets[k]
        cursor[2] = cursor[0]  # looking for every sum among all those before would take time squared
        bar_rows[at], bars[at] = _sum(bar_rows[at], bars[at], rows[k], numbers[k], columns, cursor)


@jit
def append_adjoints(
    first, start, stop, inputs, active, tables, known, known_row, known_value, bar_rows, bars, templates, columns,
    cursor,
):  # fmt: skip
    """Append the adjoint rows of the rows ``first + stop - 1`` to ``first + start``.

    Parameters
    ----------
    first : int
        Row at which the stretch begins; arrays per row start there.
    start, stop : int
        Part of the stretch.
    inputs : bool array
        Marks the independents, at which the sweep ends.
    active : bool array
        Rows that depend on an independent.
    tables : tuple
        Starts and element rows of the tables, and the table of each TAKE row; -1, or empty, to take the element picked.
    bar_rows, bars : arrays
        Adjoints as numbers, NOTHING where there is none.
    """
    for at in range(stop - 1, start - 1, -1):
        if inputs[at] or not active[at] or bar_rows[at] == NOTHING:
            continue
        row = first + at
        op = columns[0][row]
        if op == _TAKE:
            _take_adjoint(row, first, active, tables, bar_rows, bars, columns, cursor)
            continue
        cursor[1], cursor[2] = row, cursor[0]
        for which in range(2):
            arg = np.int64(columns[1][row] if which == 0 else columns[2][row])
            if arg < first or not active[arg - first] or not _HAS_PARTIAL[op, which]:
                continue
            p, number = partial_of(row, which, known, known_row, known_value, first, templates, columns, cursor)
            c, contribution = _product(bar_rows[at], bars[at], p, number, columns, cursor)
            to = arg - first
            bar_rows[to], bars[to] = _sum(bar_rows[to], bars[to], c, contribution, columns, cursor)


@jit
def _take_adjoint(row, first, active, tables, bar_rows, bars, columns, cursor):
    """Adjoints of the elements of a table: all of it for the one picked, which may differ in every scenario."""
    starts, elements, used = tables
    bar, number = bar_rows[row - first], bars[row - first]
    if used.size == 0 or used[row] < 0:
        picked = columns[2][row]
        if picked >= first and active[picked - first]:
            to = picked - first
            bar_rows[to], bars[to] = _sum(bar_rows[to], bars[to], bar, number, columns, cursor)
        return
    position, place = _operand(row, 0, columns)
    begin, size = starts[used[row]], starts[used[row] + 1] - starts[used[row]]
    for k in range(size):
        element = elements[begin + k]
        if element < first or not active[element - first]:
            continue
        c, part = bar, number
        if k > 0:
            reached, truth = _operation(_GREATER_EQUAL, position, place, np.int64(-1), float(k), columns, cursor)
            c, part = _choice(reached, truth, c, part, np.int64(-1), 0.0, columns, cursor)
        if k < size - 1:
            beyond, truth = _operation(_GREATER_EQUAL, position, place, np.int64(-1), k + 1.0, columns, cursor)
            c, part = _choice(beyond, truth, np.int64(-1), 0.0, c, part, columns, cursor)
        to = element - first
        bar_rows[to], bars[to] = _sum(bar_rows[to], bars[to], c, part, columns, cursor)


@jit
def append_tangents(
    first, start, stop, inputs, needed, active, tables, known, known_row, known_value, dot_rows, dots, templates,
    columns, cursor,
):  # fmt: skip
    """Append the tangent rows of the rows needed for one direction; fills ``dot_rows`` and ``dots``.

    Parameters as in `append_adjoints`; the tangents of the independents stand in ``dot_rows`` and ``dots`` on entry.
    """
    for at in range(start, stop):
        if inputs[at] or not active[at] or not needed[at]:
            continue
        row = first + at
        op = columns[0][row]
        if op == _TAKE:
            dot_rows[at], dots[at] = _take_tangent(row, first, tables, dot_rows, dots, columns, cursor)
            continue
        cursor[1], cursor[2] = row, cursor[0]
        for which in range(2):
            arg = np.int64(columns[1][row] if which == 0 else columns[2][row])
            if arg < first or dot_rows[arg - first] == NOTHING or not _HAS_PARTIAL[op, which]:
                continue
            p, number = partial_of(row, which, known, known_row, known_value, first, templates, columns, cursor)
            c, contribution = _product(dot_rows[arg - first], dots[arg - first], p, number, columns, cursor)
            dot_rows[at], dots[at] = _sum(dot_rows[at], dots[at], c, contribution, columns, cursor)


@jit
def _take_tangent(row, first, tables, dot_rows, dots, columns, cursor):
    """Tangent of the element picked, which may be another one in every scenario."""
    starts, elements, used = tables
    if used.size == 0 or used[row] < 0:
        picked = columns[2][row]
        return (dot_rows[picked - first], dots[picked - first]) if picked >= first else (np.int64(NOTHING), 0.0)
    position, place = _operand(row, 0, columns)
    begin, size = starts[used[row]], starts[used[row] + 1] - starts[used[row]]
    found, dot = np.int64(NOTHING), 0.0
    for k in range(size):
        element = elements[begin + k]
        c, part = np.int64(NOTHING), 0.0
        if element >= first:
            c, part = dot_rows[element - first], dots[element - first]
        if k == 0:
            found, dot = c, part
        elif c != NOTHING or found != NOTHING:
            reached, truth = _operation(_GREATER_EQUAL, position, place, np.int64(-1), float(k), columns, cursor)
            found, dot = _choice(reached, truth, max(c, -1), part, max(found, -1), dot, columns, cursor)
    return found, dot
