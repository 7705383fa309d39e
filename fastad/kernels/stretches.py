"""One point of a recording in steps: rows one by one, runs of rows along the elements, adjoints to be zeroed.

Steps are planned once (``program/schedule.py``): what is done, with the first row and the row behind the last; of a run
its number, and flags that say which operands get adjoints, and whether these are fresh: written, whatever stands there.

A run is its kind, first row and row behind the last, its operation with the addresses of the row kernels, and for each
operand the first row (-1 where it is passive, and stands in a column of partials), and whether it is one for all
elements, or the next one each time, or any, to be looked up.
"""

from __future__ import annotations

import numpy as np

from . import bulk
from . import frame as columns
from ._call import call
from ._jit import jit
from .bulk import ANY, NEXT
from .frame import floats, indices, integers, integers_at
from .sweeps import reverse as reverse_rows

ROWS, RUN, ZERO, SEED, CHECK = (np.int64(what) for what in range(5))
WANTS_X, WANTS_Y, FRESH_X, FRESH_Y, TOGETHER = (np.int64(1 << bit) for bit in range(5))
ELEMENTWISE, CHAIN, SUM, CHOICE = (np.int64(kind) for kind in range(4))
RUN_FIELDS = 10
_KIND, _START, _STOP, _OP, _VALUES, _ADJOINTS, _X_FIRST, _X_MODE, _Y_FIRST, _Y_MODE = (
    np.int64(number) for number in range(RUN_FIELDS)
)


@jit
def _run(frame, number):
    at = number * RUN_FIELDS
    return integers(frame, columns.RUNS)[at : at + RUN_FIELDS]


@jit
def _operand(first, mode, start, stop, value, passive, arg):
    """Values of an operand: one, or as many as there are rows."""
    if first < 0:
        return passive[start:stop] if mode == NEXT else passive[start : start + 1]
    if mode == ANY:
        found = np.empty(stop - start)
        for k in range(found.size):
            found[k] = value[np.uint64(arg[start + k])]
        return found
    return value[first : first + stop - start] if mode == NEXT else value[first : first + 1]


@jit
def _operands(frame, run):
    value = floats(frame, columns.VALUE)
    x = _operand(
        run[_X_FIRST], run[_X_MODE], run[_START], run[_STOP], value, floats(frame, columns.PASSIVE0),
        indices(frame, columns.ARG0),
    )  # fmt: skip
    y = _operand(
        run[_Y_FIRST], run[_Y_MODE], run[_START], run[_STOP], value, floats(frame, columns.PASSIVE1),
        indices(frame, columns.ARG1),
    )  # fmt: skip
    return x, y


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
    if run[_KIND] == CHOICE:
        bulk.choose(
            indices(frame, columns.ARG0), indices(frame, columns.ARG1), floats(frame, columns.PASSIVE0),
            floats(frame, columns.PASSIVE1), start, stop, value,
        )  # fmt: skip
        return
    x, y = _operands(frame, run)
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
    start, stop, value = run[_START], run[_STOP], floats(frame, columns.VALUE)
    arg0, arg1 = indices(frame, columns.ARG0), indices(frame, columns.ARG1)
    if run[_KIND] == CHOICE:
        bulk.reverse_choose(arg0, arg1, start, stop, value, adjoint)
        return
    none = arg0[:0]
    if run[_KIND] == SUM:
        bar = adjoint[stop : stop + 1]
        bulk.reverse_sums(none, run[_X_FIRST], stop - start + 1, flags & FRESH_X != 0, bar, adjoint)
        return
    together = flags & TOGETHER != 0
    x_rows, x_first = _target(arg0[start:stop], run[_X_FIRST], ANY if together else run[_X_MODE], flags & WANTS_X)
    y_rows, y_first = _target(arg1[start:stop], run[_Y_FIRST], ANY if together else run[_Y_MODE], flags & WANTS_Y)
    if run[_KIND] == CHAIN:
        bulk.reverse_chain(run[_X_FIRST], y_rows, y_first, start, stop, adjoint)
        return
    x, y = _operands(frame, run)
    bulk.reverse(
        run[_ADJOINTS], run[_OP], x, y, value[start:stop], x_rows, y_rows, x_first, y_first,
        flags & FRESH_X != 0, flags & FRESH_Y != 0, together,
        adjoint[start + 1 : stop + 1], adjoint,
    )  # fmt: skip


@jit
def _target(arg, first, mode, wanted):
    """Rows and first row of an operand, as ``bulk.reverse`` wants them."""
    if not wanted or first < 0:
        return arg[:0], np.int64(-1)
    if mode == NEXT:
        return arg[:0], first
    return (arg if mode == ANY else arg[:1]), np.int64(-1)
