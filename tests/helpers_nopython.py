"""Recording one function in Python and inside numba, and comparing the two tapes to the last bit."""

from __future__ import annotations

import numba

import fastad as fad

COLUMNS = ("opcode", "arg0", "arg1", "partial0", "partial1", "value")


def recorded(f, xs, replayable=True):
    """Results (value and row each), columns and guards of one run."""
    tape = fad.Tape()
    tape._freezing_guards = replayable
    result = f(*(tape.input(x) for x in xs))
    results = result if isinstance(result, tuple | list) else (result,)
    columns = {name: getattr(tape, name).copy() for name in COLUMNS}
    leaves = [(float(fad.value(r)).hex(), getattr(r, "index", -1)) for r in results if not isinstance(r, fad.Condition)]
    return leaves, columns, list(tape._guard_rows)


def assert_records_alike(f, *xs, jitted=None):
    """The jitted function leaves the rows that the plain one leaves."""
    assert_same_recording(recorded(jitted or numba.njit(f), xs), recorded(f, xs))


def assert_same_recording(actual, expected):
    assert actual[0] == expected[0]
    for name in COLUMNS:
        assert actual[1][name].tobytes() == expected[1][name].tobytes(), (name, actual[1][name], expected[1][name])
    assert actual[2] == expected[2]
