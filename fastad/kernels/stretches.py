"""One point of a recording in steps: rows one by one, runs of rows along the elements, adjoints to be zeroed.

Steps are planned once (``program/schedule.py``): what is done, with the first row and the row behind the last; of a run
its number, and flags that say which operands get adjoints, and whether these are fresh: written, whatever stands there.

A run is what `RUN` names: its kind, first row and row behind the last, its operation with the addresses of the row
kernels, and for each operand the first row (-1 where it is passive, and stands in a column of partials), and whether
every element has one of its own (otherwise all have the same).
"""

from __future__ import annotations

import numpy as np

from . import bulk
from . import frame as columns
from ._call import call
from ._jit import jit
from .frame import floats, indices, integers, integers_at
from .sweeps import reverse as reverse_rows

ROWS, RUN, ZERO, SEED, CHECK = (np.int64(what) for what in range(5))
WANTS_X, WANTS_Y, FRESH_X, FRESH_Y = np.int64(1), np.int64(2), np.int64(4), np.int64(8)
ELEMENTWISE, CHAIN, SUM = np.int64(0), np.int64(1), np.int64(2)
RUN_FIELDS = 10
_KIND, _START, _STOP, _OP, _VALUES, _ADJOINTS, _X_FIRST, _X_STEPS, _Y_FIRST, _Y_STEPS = (
    np.int64(number) for number in range(RUN_FIELDS)
)


@jit
def _run(frame, number):
    at = number * RUN_FIELDS
    return integers(frame, columns.RUNS)[at : at + RUN_FIELDS]


@jit
def _operand(first, steps, start, stop, value, passive):
    """Values of an operand: one, or as many as there are rows."""
    if first >= 0:
        return value[first : first + stop - start] if steps else value[first : first + 1]
    return passive[start:stop] if steps else passive[start : start + 1]


@jit
def forward(frame, steps, count, replay_rows):
    """Fill in the values of rows; returns the first guard that fails, or -1. Rows one by one have partials, too."""
    steps = integers_at(steps, 3 * count)
    for k in range(0, 3 * count, 3):
        if steps[k] == RUN:
            _evaluate(frame, _run(frame, steps[k + 1]))
            continue
        failed = call(replay_rows, (frame, steps[k + 1], steps[k + 2]))
        if failed >= 0:
            return failed
    return np.int64(-1)


@jit
def _evaluate(frame, run):
    start, stop, value = run[_START], run[_STOP], floats(frame, columns.VALUE)
    if run[_KIND] == SUM:
        elements = value[run[_X_FIRST] : run[_X_FIRST] + stop - start + 1]
        value[stop - 1] = bulk.total(elements[0], elements[1:])
        return
    x = _operand(run[_X_FIRST], run[_X_STEPS], start, stop, value, floats(frame, columns.PASSIVE0))
    y = _operand(run[_Y_FIRST], run[_Y_STEPS], start, stop, value, floats(frame, columns.PASSIVE1))
    if run[_KIND] == CHAIN:
        bulk.chain(x, y, value[start:stop])
    else:
        none = indices(frame, columns.ROWS)[:0]
        bulk.evaluate(run[_VALUES], run[_OP], x, y, start, value, value[start:stop], none)


@jit
def reverse(frame, steps, count):
    """Sweep adjoints; returns whether one that was to be checked is NaN."""
    steps = integers_at(steps, 3 * count)
    arg0, picked = indices(frame, columns.ARG0), indices(frame, columns.PICKED)
    partial0, partial1 = floats(frame, columns.PARTIAL0), floats(frame, columns.PARTIAL1)
    adjoint = floats(frame, columns.ADJOINT)
    for k in range(0, 3 * count, 3):
        if steps[k] == RUN:
            _reverse(frame, _run(frame, steps[k + 1]), steps[k + 2], adjoint)
        elif steps[k] == ROWS:
            reverse_rows(arg0, picked, partial0, partial1, adjoint, steps[k + 1], steps[k + 2])
        elif steps[k] == CHECK:
            if _has_nan(adjoint[steps[k + 1] + 1 : steps[k + 2] + 1]):
                return np.int64(1)
        else:
            adjoint[steps[k + 1] + 1 : steps[k + 2] + 1] = 1.0 if steps[k] == SEED else 0.0
    return np.int64(0)


@jit
def _has_nan(x):
    found = 0
    for k in range(x.size):  # no way out on the first one, and so eight at a time
        found |= x[k] != x[k]
    return found != 0


@jit
def _reverse(frame, run, flags, adjoint):
    start, stop, x_first, y_first = run[_START], run[_STOP], run[_X_FIRST], run[_Y_FIRST]
    x_rows, x_consecutive = _target(frame, x_first, run[_X_STEPS], flags & WANTS_X)
    y_rows, y_consecutive = _target(frame, y_first, run[_Y_STEPS], flags & WANTS_Y)
    if run[_KIND] == CHAIN:
        bulk.reverse_chain(x_first, y_rows, y_consecutive, start, stop, adjoint)
        return
    if run[_KIND] == SUM:
        bar = adjoint[stop : stop + 1]
        bulk.reverse_sums(x_rows, x_first, stop - start + 1, flags & FRESH_X != 0, bar, adjoint)
        return
    value = floats(frame, columns.VALUE)
    x = _operand(x_first, run[_X_STEPS], start, stop, value, floats(frame, columns.PASSIVE0))
    y = _operand(y_first, run[_Y_STEPS], start, stop, value, floats(frame, columns.PASSIVE1))
    bulk.reverse(
        run[_ADJOINTS], run[_OP], x, y, value[start:stop], x_rows, y_rows, x_consecutive, y_consecutive,
        flags & FRESH_X != 0, flags & FRESH_Y != 0, adjoint[start + 1 : stop + 1], adjoint,
    )  # fmt: skip


@jit
def _target(frame, first, steps, wanted):
    """Rows and first row of an operand, as ``bulk.reverse`` wants them."""
    rows = indices(frame, columns.ROWS)
    if not wanted or first < 0:
        return rows[:0], np.int64(-1)
    return (rows[:0], first) if steps else (rows[first : first + 1], np.int64(-1))
