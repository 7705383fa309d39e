"""What the tests of passes and of the quick way share: random programs of every kind of row, batches under passes."""

from __future__ import annotations

from unittest import mock

from helpers_core import BINARY
from hypothesis import strategies as st

import fastad as fad
from fastad.program import build


def _bounded(x):
    return x / fad.sqrt(x * x + 1.0)


# Rows that a straight line lacks: choices, tables of actives, guards. Operands are bounded and of order one.
ROWS = {
    **{name: lambda x, y, f=f: f(x, y, fad) for name, f in BINARY.items()},
    "maximum": lambda x, y: fad.maximum(x, y) - 0.5 * y,
    "norm_cdf": lambda x, y: fad.norm_cdf(x) * y,
    "where": lambda x, y: fad.where(x < y, x * y, y),
    "masked": lambda x, y: fad.where(x > 0.2, fad.sqrt(fad.maximum(x, 0.1)), y),
    "take": lambda x, y: fad.take(fad.array([x, 0.25, y, x * y]), 4.0 * y + 1.0),
    "interp": lambda x, y: fad.interp(x, [-0.5, 0.0, 0.5], [y, 0.3, 2.0 * y]),
    "branch": lambda x, y: x * 0.5 if x > y else y - x,
}
codes = st.lists(
    st.tuples(st.sampled_from(sorted(ROWS)), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=16
)


def run(code, inputs):
    """All values of a random program; operands count back from the last value."""
    values = list(inputs)
    for name, i, j in code:
        x = _bounded(values[-1 - i % len(values)])
        y = x if i == j else _bounded(values[-1 - j % len(values)])
        values.append(ROWS[name](x, y))
    return values


def batch_under(passes, program, *args, **options):
    """A batch with these passes over its plans, which are made anew."""
    with mock.patch.object(build, "PASSES", passes):
        program._plans.clear()
        result = program.batch(*args, **options)
    program._plans.clear()
    return result
