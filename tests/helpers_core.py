"""Comparisons and random programs shared by the tests of the table, the tape, actives, arrays and transforms."""

from __future__ import annotations

import dataclasses

import mpmath
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

mpmath.mp.dps = 50

# The same examples in every run: a failure on one machine is a failure on all.
repeatable = settings(deadline=None, max_examples=60, derandomize=True, database=None)


def assert_same_bits(actual, expected, message=""):
    """Equal to the last bit, the sign of zero included; one NaN is as good as another."""
    actual, expected = (np.asarray(a, dtype=np.float64) for a in (actual, expected))
    assert actual.shape == expected.shape, (message, actual.shape, expected.shape)
    same = (actual.view(np.int64) == expected.view(np.int64)) | (np.isnan(actual) & np.isnan(expected))
    assert same.all(), f"{message}: {actual[~same][:5]} instead of {expected[~same][:5]}"


def assert_same_numbers(actual, expected, message=""):
    """Equal to the last bit, but 0.0 and -0.0 are one number: what derivatives promise."""
    actual, expected = (np.asarray(a, dtype=np.float64) for a in (actual, expected))
    assert actual.shape == expected.shape, (message, actual.shape, expected.shape)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    assert same.all(), f"{message}: {actual[~same][:5]} instead of {expected[~same][:5]}"


def ulps(actual, exact):
    """Distance of a float from an mpmath number, in units of the last place of the latter."""
    if mpmath.isnan(exact) or mpmath.isinf(exact) or np.isinf(actual):
        return 0.0 if float(exact) == actual or (np.isnan(actual) and mpmath.isnan(exact)) else np.inf
    return float(abs(mpmath.mpf(float(actual)) - exact) / np.spacing(abs(float(exact))))


def complex_step(f, x):
    """Gradient of a function of a list of numbers that is analytic and runs on complex ones."""
    h = 1e-60
    return np.array([f([complex(v, h * (i == j)) for j, v in enumerate(x)]).imag / h for i in range(len(x))])


# -------------------- random straight-line programs --------------------
# An instruction is (operation, first operand, second operand); operands count back from the last value, so
# that every draw is a program. Operations keep values of order one, away from kinks, poles and overflow.


def _bounded(x, lib):
    return x / lib.sqrt(x * x + 1.0)


BINARY = {
    "add": lambda x, y, lib: 0.5 * (x + y),
    "sub": lambda x, y, lib: x - 0.25 * y,
    "mul": lambda x, y, lib: x * y,
    "div": lambda x, y, lib: x / (1.5 + _bounded(y, lib)),
    "pow": lambda x, y, lib: (1.5 + _bounded(x, lib)) ** _bounded(y, lib),
    "square": lambda x, y, lib: _bounded(x, lib) ** 2 - y,
    "reflected": lambda x, y, lib: 1.0 / (2.0 + _bounded(x, lib)) - 0.5 * y,
    "exp": lambda x, y, lib: lib.exp(_bounded(x, lib)) * y,
    "log": lambda x, y, lib: lib.log(2.0 + _bounded(x, lib)) - y,
    "sqrt": lambda x, y, lib: lib.sqrt(1.5 + _bounded(x, lib)) * 0.5 + y,
    "sin": lambda x, y, lib: lib.sin(x) + y,
    "cos": lambda x, y, lib: lib.cos(x) * y,
    "tanh": lambda x, y, lib: lib.tanh(_bounded(x, lib)) + -y,
}

instructions = st.lists(
    st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25
)
points = st.lists(st.floats(-2.0, 2.0, allow_subnormal=False), min_size=1, max_size=4)


def run_program(program, x, lib):
    """All values of a program at the inputs x, with the functions of ``lib`` (fastad, or NumPy on complex numbers)."""
    values = list(x)
    for name, i, j in program:
        first, second = (values[-1 - k % len(values)] for k in (i, j))
        # A new value is bounded before use, so that products cannot grow from row to row.
        values.append(BINARY[name](_bounded(first, lib), _bounded(second, lib), lib))
    return values


@dataclasses.dataclass
class Market:
    """A structure with everything that a differentiated argument may hold."""

    spot: float
    vols: np.ndarray
    curve: dict
    name: str = "desk"
