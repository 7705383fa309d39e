"""Branches in programs: a scenario that decides otherwise is replayed on, or recorded into, a variant of its own.

Oracles: the plain function on floats, scenario by scenario (equal bits, as fastad's functions of floats are those of
the kernels); its gradient recorded at each scenario (equal numbers) and by dual numbers that share nothing with fastad.
"""

import inspect
import math
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers_core import assert_same_bits, assert_same_numbers, repeatable
from helpers_paths import draws, grouped_standard_error, samples_of_pairs, standard_error
from helpers_replay import number_gradient
from hypothesis import given
from hypothesis import strategies as st

import fastad as fad
from fastad.errors import DivergenceError, PurityError, ShapeError
from fastad.kernels import philox


def line_of(function, marker):
    """File, line and text of the only line of a function that holds a marker, as messages name it."""
    lines, first = inspect.getsourcelines(function)
    (found,) = [first + i for i, line in enumerate(lines) if marker in line]
    return f"{Path(__file__).name}:{found} `{lines[found - first].strip()}`"


def check(f, program, data, fixed=(), some=60):
    """Batch of scenarios, differentiated by the first argument (an array each), against the plain function.

    Returns the values of the plain function.
    """
    axes = (0,) + (None,) * len(fixed)
    got = program.batch(data, *fixed, axes=axes)
    plain = np.array([f(x, *fixed) for x in data.tolist()])
    assert_same_bits(got.value, plain)
    assert got.gradient.shape == data.shape
    for i in range(0, len(data), max(1, len(data) // some)):
        assert_same_numbers(got.gradient[i], fad.grad(f)(data[i], *fixed))
        exact = number_gradient(f, data[i], *fixed)
        np.testing.assert_allclose(got.gradient[i], exact, rtol=1e-9, atol=1e-12)
    for reduce, scale in (("sum", 1.0), ("mean", 1.0 / len(data))):
        reduced = program.batch(data, *fixed, axes=axes, reduce=reduce)
        assert reduced.value == pytest.approx(math.fsum(plain) * scale, rel=1e-12, abs=1e-12)
        sums = np.array([math.fsum(column) for column in got.gradient.T])
        sizes = np.abs(got.gradient).sum(0)  # what rounding of a sum in another order is relative to
        assert np.all(np.abs(reduced.gradient - sums * scale) <= 1e-13 * sizes * scale)
    return plain


# -------------------- functions of finance and numerics --------------------

DATES = 250


def knock_out(z, p, lib=fad):
    """Spot, volatility, barrier, strike; nothing is paid once the barrier has been reached."""
    s = p[0]
    for i in range(DATES):
        s = s * lib.exp(p[1] * 0.06 * z[i] - 0.0018 * p[1] * p[1])
        if s >= p[2]:  # out
            return 0.0
    return lib.maximum(s - p[3], 0.0)


def test_knock_out():
    rng = np.random.default_rng(0)
    n = 2000
    z, p = rng.normal(size=(n, DATES)), np.array([100.0, 0.2, 125.0, 95.0])
    program = fad.record(knock_out, z[0], p)
    got = program.batch(z, p, axes=(0, None), wrt=1)
    plain = np.array([knock_out(row, p.tolist()) for row in z.tolist()])
    assert_same_bits(got.value, plain)
    assert 0.02 < np.mean(plain == 0.0) < 0.98
    for i in range(0, n, 40):
        assert_same_numbers(got.gradient[i], fad.grad(knock_out, 1)(z[i], p))
        exact = number_gradient(lambda x, lib, i=i: knock_out(z[i], x, lib), p)
        np.testing.assert_allclose(got.gradient[i], exact, rtol=1e-10, atol=1e-12)
    s = p[0] * np.exp(np.cumsum(p[1] * 0.06 * z - 0.0018 * p[1] ** 2, axis=1))
    dates = np.where((s >= p[2]).any(1), (s >= p[2]).argmax(1), -1)
    variants = program.variants
    assert len(variants) == len(set(dates)) > 20
    assert sum(v.scenarios for v in variants) == n
    assert sorted(v.scenarios for v in variants) == sorted(np.unique(dates, return_counts=True)[1])
    assert sum(v.share for v in variants) == pytest.approx(1.0, rel=1e-12)
    place = line_of(knock_out, "# out")
    assert all(place in line for v in variants for line in v.lines)
    again = program.batch(z, p, axes=(0, None), wrt=1)
    assert_same_bits(again.value, got.value)
    assert_same_numbers(again.gradient, got.gradient)
    assert len(program.variants) == len(variants)


def bermudan(x, steps, lib=fad):
    """Stops at the first date where exercise is worth more than a rough continuation value."""
    s, k = x[0], x[1]
    for i in range(steps):
        s = s * lib.exp(0.1 * x[2 + i])
        exercise = k - s
        if exercise > 0.3 + 0.02 * (steps - i) * x[1]:
            return lib.exp(-0.01 * i) * exercise
    return lib.maximum(k - s, 0.0) * lib.exp(-0.01 * steps)


def test_bermudan():
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.uniform(3.0, 5.0, 3000), rng.uniform(3.5, 5.0, 3000), rng.normal(size=(3000, 12))])
    program = fad.record(bermudan, x[0], 12)
    check(bermudan, program, x, (12,))
    assert len(program.variants) == 13  # a date each, or never


def bisection(x, lib=fad):
    """Root of t**3 + a t = b by halving until the bracket is narrow."""
    low, high = -2.0 * x[0], 2.0 * x[0] + x[1]
    while high - low > 1e-6:
        middle = 0.5 * (low + high)
        if middle * middle * middle + x[0] * middle > x[1]:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


def test_bisection_with_a_variant_per_scenario():
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.uniform(0.5, 2.0, 400), rng.uniform(0.1, 2.0, 400)])
    program = fad.record(bisection, x[0], max_variants=2000)
    roots = check(bisection, program, x, some=20)
    np.testing.assert_allclose(roots**3 + x[:, 0] * roots, x[:, 1], atol=1e-5)
    assert len(program.variants) > 390
    assert sum(v.scenarios for v in program.variants) == 3 * 400  # per scenario, sum, mean


def newton(x, lib=fad):
    """Implied-volatility-like root of exp(t) + a t = b."""
    t, dx = x[1] * 0.1, 1.0
    while abs(dx) >= 1e-10:
        dx = (lib.exp(t) + x[0] * t - x[1]) / (lib.exp(t) + x[0])
        t = t - dx
    return t


def test_newton():
    """The derivative of the converged root is that of the implicit function."""
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.uniform(0.1, 5.0, 3000), rng.uniform(1.5, 60.0, 3000)])
    program = fad.record(newton, x[0])
    t = check(newton, program, x)
    np.testing.assert_allclose(np.exp(t) + x[:, 0] * t, x[:, 1], rtol=1e-13)
    gradient = program.batch(x).gradient
    exact = np.column_stack([-t, np.ones(3000)]) / (np.exp(t) + x[:, 0])[:, None]
    np.testing.assert_allclose(gradient, exact, rtol=1e-8, atol=1e-10)
    assert 3 <= len(program.variants) <= 12


def ordered(x, lib=fad):
    a, b, c = sorted([x[0], x[1], x[2]])
    return a + 2.0 * b * b + 3.0 * c * c * c


def ordered_by_extremes(x, lib=fad):
    return max(x[0], x[1], x[2]) * 3.0 + min(x[0], x[1], x[2]) * lib.exp(x[1])


@pytest.mark.parametrize(("f", "count"), [(ordered, 6), (ordered_by_extremes, None)])
def test_sorting(f, count):
    """Ties and NaN included: whatever Python does with them."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3000, 3))
    program = fad.record(f, x[0])
    check(f, program, x)
    if count is not None:
        assert len(program.variants) == count
    for strange in (
        rng.integers(0, 2, (300, 3)).astype(float),
        np.where(rng.random((300, 3)) < 0.4, math.nan, x[:300]),
    ):
        got = program.batch(strange)
        assert_same_bits(got.value, [f(row) for row in strange])
        assert_same_numbers(got.gradient, [fad.grad(f)(row) for row in strange])


def tariff(x, lib=fad):
    """Piecewise linear, thresholds included on different sides."""
    income, deduction = x[0], x[1]
    taxable = income - deduction
    if taxable <= 10.0:
        return 0.0 * income
    if taxable < 20.0:
        return 0.2 * (taxable - 10.0)
    if taxable <= 50.0:
        return 2.0 + 0.3 * (taxable - 20.0) * lib.exp(-0.01 * deduction)
    return 20.0 + 0.5 * (taxable - 50.0)


def test_tariffs_at_their_thresholds():
    rng = np.random.default_rng(5)
    x = np.column_stack([rng.uniform(0.0, 80.0, 2000), np.zeros(2000)])
    edges = [e for t in (10.0, 20.0, 50.0) for e in (np.nextafter(t, 0.0), t, np.nextafter(t, 99.0))]
    x[:9, 0] = edges
    x[100::7, 1] = rng.uniform(0.0, 5.0, x[100::7, 1].size)
    for start in ([5.0, 0.0], [15.0, 1.0], [30.0, 0.0], [70.0, 2.0]):
        program = fad.record(tariff, np.array(start))
        check(tariff, program, x, some=200)
        assert len(program.variants) == 4
        assert_same_bits(program.batch(x[:9]).gradient[:, 0], [0.0, 0.0, 0.2, 0.2, 0.3, 0.3, 0.3, 0.3, 0.5])


def wandering(x, lib=fad):
    """Nested ifs, a while with break, continue and else, early returns, passive results."""
    a, b = x[0], x[1]
    if a > 0.0:
        if b > 0.0:
            a = a * b
        elif b < -1.0:
            return 3.0
        else:
            b = lib.sin(b)
    total = 0.0
    n = 0
    while total < 4.0:
        n += 1
        if n > 6:
            break
        if a * n < b:
            a = a + 0.5
            continue
        total = total + lib.exp(b * 0.3) + 0.1 * a * n
        if total * a > 3.0:
            return total - b
    else:
        return total * 2.0
    return total + a if not (a < b and a > -0.5) else x[1]


def test_nested_control_flow():
    rng = np.random.default_rng(6)
    x = 1.5 * rng.normal(size=(4000, 2))
    program = fad.record(wandering, x[0])
    check(wandering, program, x, some=300)
    assert len(program.variants) > 30


# -------------------- comparisons --------------------

EDGES = [0.0, -0.0, 1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), -1.0, 5e-324, math.inf, -math.inf, math.nan]
COMPARISONS = {
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "number first": lambda x, y: 1.0 > x,
    "equal to a number": lambda x, y: x == 1.0,
    "truth": lambda x, y: bool(x),
    "not": lambda x, y: not y,
    "chain": lambda x, y: -1.0 < x <= y,
    "and, or": lambda x, y: (x < y and x > 0.0) or y == 1.0,
    "isnan": lambda x, y: bool(fad.isnan(x)) or bool(fad.isfinite(y)),
    "any": lambda x, y: bool((fad.stack([x, y]) > 0.5).any()) if isinstance(x, fad.Active) else x > 0.5 or y > 0.5,
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("compare", COMPARISONS.values(), ids=COMPARISONS)
def test_comparisons_at_edges(compare, reverse):
    """Every pair of numbers at a threshold, signed zeros, infinities and NaN, from recordings at several of them."""

    def f(x, y):
        return x * 2.0 + y if compare(x, y) else x * 3.0 - y

    x, y = (np.array(column) for column in zip(*[(a, b) for a in EDGES for b in EDGES]))
    if reverse:
        x, y = x[::-1], y[::-1]
    plain = [f(a, b) for a, b in zip(x.tolist(), y.tolist())]
    slopes = [2.0 if compare(a, b) else 3.0 for a, b in zip(x.tolist(), y.tolist())]
    assert set(slopes) == {2.0, 3.0}
    for start in ((0.3, 2.0), (1.0, 1.0), (math.nan, 0.0)):
        program = fad.record(f, *start)
        got = program.batch(x, y)
        assert_same_bits(got.value, plain)
        np.testing.assert_array_equal(got.gradient, slopes)
        for a, b, value, slope in zip(x[::7].tolist(), y[::7].tolist(), plain[::7], slopes[::7]):
            single = program.value_and_grad(a, b)
            assert_same_bits(single, (value, slope))


def test_masks():
    def f(a):
        return (a[a > 0.0] * 2.0).sum() - a[0]

    a = np.random.default_rng(7).normal(size=(500, 3))
    program = fad.record(f, a[0])
    got = program.batch(a)
    np.testing.assert_allclose(got.value, 2.0 * np.maximum(a, 0.0).sum(1) - a[:, 0], rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(got.gradient, 2.0 * (a > 0.0) - [1.0, 0.0, 0.0])
    assert len(program.variants) == 8


# -------------------- uniform values, frozen numbers, static arguments --------------------


def two_sided(x, level, lib=fad):
    shift = lib.exp(level)
    if shift > 2.0:  # uniform
        shift = shift * 0.5
    if x[0] > shift:
        return x[0] * x[1] - level
    return x[1] * shift if level > 0.0 else x[0] / (1.0 + x[1] * x[1])


@pytest.mark.parametrize("reduce", [None, "sum"])
@pytest.mark.parametrize("level", [-1.0, 0.5, math.log(2.0), 1.0, 3.0])
def test_guards_on_uniform_values(level, reduce):
    """All scenarios leave the recording at once where a number that is the same for all decides."""
    x = np.random.default_rng(8).normal(size=(700, 2)) * 2.0
    for start in ((np.array([9.0, 1.0]), -1.0), (np.array([0.0, 1.0]), 1.0), (x[0], level)):
        program = fad.record(two_sided, *start)
        check(two_sided, program, x, (level,))
        got = program.batch(x, level, axes=(0, None), wrt=(1, 0), reduce=reduce)
        exact = np.array([fad.grad(two_sided, 1)(row, level) for row in x])
        if reduce is None:
            assert_same_numbers(got.gradient[0], exact)
            shift = math.exp(level) * (0.5 if fad.exp(level) > 2.0 else 1.0)
            assert len([v for v in program.variants if v.scenarios]) == len(set(x[:, 0] > shift))
        else:
            assert got.gradient[0] == pytest.approx(math.fsum(exact), rel=1e-12)


def rounded(x, lib=fad):
    """The nearest whole number is frozen: correct on its plateau, and another recording on each."""
    n = round(lib.value(x[0]))
    for _ in range(abs(n)):
        x = [x[0], x[1] * 1.5]
    return x[1] * x[0] + n


def test_a_variant_per_frozen_number():
    rng = np.random.default_rng(9)
    x = np.column_stack([rng.choice([-2.0, -0.25, 0.0, 0.25, 1.75, 3.0], 1000), rng.normal(size=1000)])
    program = fad.record(rounded, np.array([3.0, 1.0]))
    check(rounded, program, x)
    assert len(program.variants) == 6
    assert sorted(v.scenarios for v in program.variants) == sorted(3 * np.unique(x[:, 0], return_counts=True)[1])
    assert program(np.array([7.0, 1.0])) == 1.5**7 * 7.0 + 7
    assert len(program.variants) == 7


def test_frozen_numbers_of_every_scenario():
    """Signed zeros and NaN are numbers of their own; every scenario may have its own."""

    def f(x, lib=fad):
        frozen = lib.value(x[0] * x[1])
        return math.copysign(2.0, frozen) * x[0] if frozen == 0.0 else frozen * x[1]

    x = np.random.default_rng(10).normal(size=(300, 2))
    program = fad.record(f, x[0])
    check(f, program, x)
    assert len(program.variants) == 300
    strange = np.array([[0.0, 1.0], [-0.0, 1.0], [math.nan, 1.0], [1.0, math.nan], [math.inf, 0.0], [3.0, 4.0]])
    for either in (program, *(fad.record(f, start) for start in strange)):
        got = either.batch(strange)
        assert_same_bits(got.value, [f(row) for row in strange.tolist()])
        assert_same_numbers(got.gradient, [fad.grad(f)(row) for row in strange])
        for row in strange:
            assert_same_bits(either(row), f(row.tolist()))


def test_frozen_numbers_after_and_before_branches():
    def f(x, lib=fad):
        y = x[0] * 2.0 if x[0] > 0.0 else -x[0]
        k = lib.value(y)
        if x[1] > k:
            return y * k
        return x[1] * lib.value(x[2]) + k

    rng = np.random.default_rng(11)
    x = rng.choice([-1.0, -0.5, 0.5, 1.0], (600, 3))
    program = fad.record(f, x[0])
    check(f, program, x)
    leaves = {(a > 0.0, k, b > k, None if b > k else c) for a, b, c in x for k in [2.0 * a if a > 0.0 else -a]}
    assert len(program.variants) == len(leaves)


def test_static_arguments():
    """Another number of turns is another function; each has its branches, and all are kept."""
    calls = []

    def f(x, n, kind="up"):
        calls.append((n, kind))
        for i in range(n):
            x = x * 1.5 if x < 2.0 else x - (1.0 if kind == "up" else i)
        return x

    program = fad.record(f, 1.0, 5)
    x = np.linspace(-3.0, 4.0, 300)
    for args in ((10,), (5,), (10, "down"), (5,), (10,), (0,)):
        plain = np.array([f(v, *args) for v in x.tolist()])
        got = program.batch(x, *args, axes=(0,) + (None,) * len(args))
        assert_same_bits(got.value, plain)
        assert_same_numbers(got.gradient, [fad.grad(f)(v, *args) for v in x.tolist()])
        assert_same_bits([program(v, *args) for v in x[::10].tolist()], plain[::10])
    total = len(program.variants)
    before = len(calls)
    for args in ((10,), (5,), (10, "down"), (0,)):
        program.batch(x, *args, axes=(0,) + (None,) * len(args))
        program(float(x[7]), *args)
    assert (len(calls), len(program.variants)) == (before, total)


# -------------------- single calls --------------------


def test_single_calls_of_every_kind():
    x = 1.5 * np.random.default_rng(12).normal(size=(200, 2))
    program = fad.record(wandering, x[0])
    for row in x:
        plain, slope = wandering(row.tolist()), fad.grad(wandering)(row)
        value, gradient = program.value_and_grad(row)
        assert_same_bits(
            [program(row), value, program.vjp((row,), 1.0)[0], program.jvp((row,), (row,))[0]], [plain] * 4
        )
        for other in (gradient, program.grad(row), program.jacobian(row), program.vjp((row,), 1.0)[1][0]):
            assert_same_numbers(other, slope)
        assert program.jvp((row,), (row,))[1] == pytest.approx(slope @ row, rel=1e-12, abs=1e-12)
    batch = fad.record(wandering, x[0])
    assert_same_bits(batch.batch(x).value, [wandering(row) for row in x.tolist()])
    assert sorted(v.rows for v in batch.variants) == sorted(v.rows for v in program.variants)


def test_function_is_called_once_per_variant():
    calls = []

    def f(x):
        calls.append(x)
        return x if x > 1.0 else (2.0 * x if x > 0.0 else 3.0 * x)

    program = fad.record(f, 2.0)
    x = np.random.default_rng(13).normal(size=20_000)
    for threads in (3, 1, 2):
        program.batch(x, threads=threads)
        program(-1.0)
    assert len(calls) == len(program.variants) == 3
    assert sum(v.scenarios for v in program.variants) == 60_003
    assert [v.share for v in program.variants] == [v.scenarios / 60_003 for v in program.variants]
    assert sum(v.scenarios for v in program.variants if not v.lines) == 3 * int((x > 1.0).sum())
    place = f"{Path(__file__).name}:{inspect.getsourcelines(f)[1] + 2} `"
    assert all(place in line for v in program.variants for line in v.lines)
    assert repr(program).startswith("<fastad.Program f: 3 variants, ")


# -------------------- the same bits in any order --------------------


def leaves_of(u, x, lib=fad):
    """Four ways through three nested comparisons, two results."""
    if x[0] > 0.0:
        return {"a": x[0] * u[0] * 1.1, "b": (lib.exp(u[1]), 1.0)}
    if x[1] > 0.3:
        return {"a": lib.exp(x[1] * u[1]) / 3.0, "b": (u[0] * x[2], x[0])}
    if x[2] > -0.2:
        return {"a": lib.sin(x[2] * u[0]) / 7.0, "b": (x[1] * u[1] * u[0], u[1])}
    return {"a": x[0] * x[1] * x[2] * u[0] / 11.0, "b": (x[2] + u[1], lib.tanh(x[0]))}


U = np.array([0.7, 1.3])
OCTANTS = [[a, b, c] for a in (1.0, -1.0) for b in (1.0, -1.0) for c in (1.0, -1.0)]


def numbers_of(result):
    """All numbers of a batch by both arguments."""
    parts = [result.value["a"], *result.value["b"], *result.gradient["a"]]
    for leaf in result.gradient["b"]:
        parts += leaf
    return [np.asarray(p) for p in parts]


def run_leaves(x, reduce, threads=1, first=(), start=OCTANTS[0]):
    program = fad.record(leaves_of, U, np.array(start))
    for point in first:  # decides which variant is the parent of which
        program.batch(U, np.array([point]), axes=(None, 0))
    return numbers_of(program.batch(U, x, axes=(None, 0), wrt=(1, 0), reduce=reduce, threads=threads))


def assert_all_same_bits(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert_same_bits(a, b)


@pytest.mark.parametrize("reduce", [None, "mean", "sum"])
@pytest.mark.parametrize("n", [100, 4000, 50_000])
def test_threads_and_order_of_discovery(n, reduce):
    """Whichever thread comes first records a variant: neither that nor an earlier call may show in the numbers."""
    x = np.random.default_rng(20).normal(size=(n, 3))
    reference = run_leaves(x, reduce)
    for threads in (1, 2, 3, 2, 3, 2, 3):
        assert_all_same_bits(run_leaves(x, reduce, threads), reference)
    for first in ([OCTANTS[7]], [OCTANTS[5]], [OCTANTS[6]], OCTANTS[7:3:-1], OCTANTS[5:]):
        assert_all_same_bits(run_leaves(x, reduce, 2, first), reference)


@pytest.mark.parametrize("start", OCTANTS, ids=str)
def test_recorded_elsewhere(start):
    x = np.random.default_rng(20).normal(size=(3000, 3))
    reference, got = run_leaves(x, None), run_leaves(x, None, start=start)
    for ours, theirs in zip(got, reference):
        assert_same_numbers(ours, theirs)
    for reduce, scale in (("sum", 1.0), ("mean", 1.0 / 3000)):
        for total, column in zip(run_leaves(x, reduce, start=start), reference):
            np.testing.assert_allclose(total, column.sum(0) * scale, rtol=1e-11, atol=1e-11)


def test_permuted_scenarios():
    """A scenario's numbers do not depend on those before, after or beside it."""
    rng = np.random.default_rng(21)
    x = rng.normal(size=(3000, 3))
    reference = run_leaves(x, None)
    for order in (rng.permutation(3000), np.argsort(x[:, 1]), np.arange(3000)[::-1], rng.permutation(3000)[:777]):
        for ours, theirs in zip(run_leaves(x[order], None, threads=2), reference):
            assert_same_numbers(ours, theirs[order])


def test_values_and_gradients_by_subsets():
    """Every choice of arguments to differentiate by gives the same numbers, and those of single calls."""
    x = np.random.default_rng(22).normal(size=(200, 3))
    program = fad.record(leaves_of, U, x[0])
    both = program.batch(U, x, axes=(None, 0), wrt=(0, 1))
    for wrt, pick in ((0, lambda g: g[0]), (1, lambda g: g[1]), ((1,), lambda g: (g[1],)), ((1, 0), lambda g: g[::-1])):
        got = program.batch(U, x, axes=(None, 0), wrt=wrt)
        assert_same_numbers(got.gradient["a"][0], pick(both.gradient["a"])[0])
        assert_same_numbers(got.gradient["b"][1][-1], pick(both.gradient["b"][1])[-1])
    assert_same_bits(program.batch(U, x, axes=(None, 0), wrt=None).value["b"][0], both.value["b"][0])
    assert_same_bits(program.batch(U, x, axes=(None, 0), wrt=None, reduce="sum").value["a"], run_leaves(x, "sum")[0])
    for i in range(0, 200, 9):
        jacobian = fad.jacobian(leaves_of, argnums=(0, 1))(U, x[i])
        plain = leaves_of(U.tolist(), x[i].tolist())
        assert_same_bits([both.value["a"][i], *(b[i] for b in both.value["b"])], [plain["a"], *plain["b"]])
        for leaf in (lambda g: g["a"], lambda g: g["b"][0], lambda g: g["b"][1]):
            for ours, theirs in zip(leaf(both.gradient), leaf(jacobian)):
                assert_same_numbers(ours[i], theirs)


# -------------------- Monte Carlo --------------------


def branching_payoff(p, z, u, lib=fad):
    """Autocall-like: three dates, a barrier, a coupon by a uniform; params spot, volatility, barrier."""
    s = p[0]
    for i in range(3):
        s = s * lib.exp(p[1] * z[i] - 0.5 * p[1] * p[1])
        if s > p[2]:
            return s * 0.1 * (i + 1) if u[0] < 0.3 else p[2] * 0.05
    if s < 80.0:
        return s - 100.0
    return 0.0


MARKET = [100.0, 0.2, 115.0]


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("paths", [2, 1000, 4094, 4098, 20_000 + 34])
def test_monte_carlo(paths, antithetic):
    """The plain payoff path by path on the same random numbers: mean, gradient and both standard errors."""
    run = dict(normals=3, uniforms=1, paths=paths, seed=30, antithetic=antithetic)
    result = fad.monte_carlo(branching_payoff, MARKET, threads=1, **run)
    z, u = (draws(30, paths, d, antithetic, kind) for d, kind in ((3, philox.NORMALS), (1, philox.UNIFORMS)))
    pairs = list(zip(z.tolist(), u.tolist()))
    values = np.array([branching_payoff(MARKET, *pair) for pair in pairs])
    slopes = np.array([number_gradient(branching_payoff, MARKET, *pair) for pair in pairs])
    assert result.value == pytest.approx(math.fsum(values) / paths, rel=1e-12)
    exact = [math.fsum(column) / paths for column in slopes.T]
    np.testing.assert_allclose(result.gradient, exact, rtol=1e-10, atol=1e-14)
    samples, means = (samples_of_pairs(values), samples_of_pairs(slopes)) if antithetic else (values, slopes)
    if len(samples) > 1:
        assert result.stderr == pytest.approx(standard_error(samples), rel=1e-10)
        errors = grouped_standard_error(slopes) if paths >= 4096 else standard_error(means)
        np.testing.assert_allclose(result.gradient_stderr, errors, rtol=1e-8)
    assert len(result.variants) == 8 if paths > 2 else len(result.variants) <= 2
    assert sum(v.scenarios for v in result.variants) == paths
    below = int(sum(v == 0.0 for v in values))
    assert below in [v.scenarios for v in result.variants] or paths == 2
    for threads in (2, 3, 2, 3):
        other = fad.monte_carlo(branching_payoff, MARKET, threads=threads, **run)
        for name in ("value", "stderr", "gradient", "gradient_stderr"):
            assert_same_bits(getattr(other, name), getattr(result, name), name)
        assert sorted(v.scenarios for v in other.variants) == sorted(v.scenarios for v in result.variants)


@pytest.mark.parametrize("paths", [1000, 10_000])
def test_monte_carlo_by_some_parameters(paths):
    run = dict(normals=3, uniforms=1, paths=paths, seed=31)
    whole = fad.monte_carlo(branching_payoff, MARKET, **run)
    some = fad.monte_carlo(branching_payoff, MARKET, wrt=[2, 0], **run)
    assert_same_bits(some.value, whole.value)
    assert_same_numbers([some.gradient[0], some.gradient[2]], [whole.gradient[0], whole.gradient[2]])
    assert some.gradient[1] is None
    assert_same_bits(fad.monte_carlo(branching_payoff, MARKET, wrt=(), **run).value, whole.value)


def test_monte_carlo_tells_which_lines_decide():
    result = fad.monte_carlo(branching_payoff, MARKET, normals=3, uniforms=1, paths=2000, seed=30)
    lines = {line for v in result.variants for line in v.lines}
    names = ("if s > p[2]", "if u[0] < 0.3", "if s < 80.0")
    assert all(any(name in line for line in lines) for name in names)
    assert all(Path(__file__).name in line for line in lines)
    assert sum(not v.lines for v in result.variants) == 1


# -------------------- modes and errors --------------------


def clipped(x):
    if x > 2.0:  # upper
        return 2.0 + 0.0 * x
    if x < -2.0:  # lower
        return -2.0 + 0.0 * x
    return x * x


def test_modes():
    x = np.array([0.5, 3.0, -1.0, -5.0, 1.5])
    program = fad.record(clipped, 1.0)
    assert program.on_divergence == "rerecord"
    program.on_divergence = "ignore"
    got = program.batch(x)
    assert_same_bits(got.value, x * x)  # the recorded branch, whatever x decides
    assert_same_bits(got.gradient, 2.0 * x)
    assert program.value_and_grad(3.0) == (9.0, 6.0)
    assert program.batch(x, reduce="sum").value == pytest.approx(np.sum(x * x), rel=1e-15)
    assert len(program.variants) == 1
    program.on_divergence = "raise"
    with pytest.raises(DivergenceError, match="scenario 1 decides") as caught:
        program.batch(x)
    assert line_of(clipped, "# upper") in str(caught.value)
    with pytest.raises(DivergenceError, match="these arguments") as caught:
        program(-3.0)
    assert line_of(clipped, "# lower") in str(caught.value)
    assert len(program.variants) == 1
    program.on_divergence = "rerecord"
    assert_same_bits(program.batch(x).value, [clipped(v) for v in x.tolist()])
    assert program(-3.0) == -2.0
    assert len(program.variants) == 3
    program.on_divergence = "raise"  # what has been recorded by now is replayed
    assert_same_bits(program.batch(x).value, [clipped(v) for v in x.tolist()])
    assert program.value_and_grad(5.0) == (2.0, 0.0)
    program.on_divergence = "rerecord"
    for bad in ("Raise", None, True, ""):
        with pytest.raises(ValueError, match="expected one of 'rerecord', 'raise', 'ignore'"):
            program.on_divergence = bad
    assert program.on_divergence == "rerecord"


def levels(x):
    for k in range(6):
        if x < k:  # busy
            return x * (k + 1.0)
    return max(x, 7.0) + 0.0 * x  # rare


def test_max_variants():
    x = np.linspace(-0.5, 9.0, 200)
    enough = fad.record(levels, 4.5, max_variants=8)
    assert_same_bits(enough.batch(x).value, [levels(v) for v in x.tolist()])
    assert len(enough.variants) == 8
    program = fad.record(levels, 4.5, max_variants=7)
    for threads in (1, 2):
        with pytest.raises(DivergenceError, match="max_variants=7 different sequences of decisions") as caught:
            program.batch(x, threads=threads)
        text = str(caught.value)
        assert f"{line_of(levels, '# busy')} (" in text
        assert "fad.where" in text
        assert "raise max_variants" in text
    refused = 0
    for v in (-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 8.0):  # those that there are variants for still work
        try:
            assert program(v) == levels(v)
        except DivergenceError:
            refused += 1
    assert refused == 1
    assert len(program.variants) == 7
    with pytest.raises(DivergenceError, match="max_variants=1 "):
        fad.record(levels, 4.5, max_variants=1)(0.5)
    with pytest.raises(DivergenceError, match="max_variants=3 ") as caught:
        fad.monte_carlo(lambda p, z: p * levels(z[0]), 2.0, normals=1, paths=5000, max_variants=3)
    assert f"{line_of(levels, '# busy')} (" in str(caught.value)
    fad.record(lambda x: x * 2.0, 1.0, max_variants=1).batch(x)


def test_the_busiest_comparison_comes_first():
    def f(x, y):
        a = 1.0 if x > 0.5 else 2.0  # twice
        n = 0
        while n < y:  # often
            n += 1
        return a * x + n

    program = fad.record(f, 0.0, 0.5, max_variants=20)
    with pytest.raises(DivergenceError) as caught:
        program.batch(np.linspace(0.0, 1.0, 100), np.arange(100.0) % 50)
    text = str(caught.value)
    assert "# often" in text
    assert "# twice" not in text or text.index("# often") < text.index("# twice")


IMPURE_STATE = {"calls": 0}


def counts_its_calls(x, y):
    IMPURE_STATE["calls"] += 1
    y = y * IMPURE_STATE["calls"]
    return y if x > 0.0 else -y  # after the counter


def rolls_dice(x, y):
    y = y + random.random()
    return y if x > 0.0 else -y  # after the counter


def grows(x, y):
    IMPURE_STATE["calls"] += 1
    for _ in range(IMPURE_STATE["calls"]):
        y = y * 1.5
    return y if x > 0.0 else -y  # after the counter


def reads_formatted(x, y):
    y = y * float(f"{x:.17g}")
    return y if x > 0.0 else -y  # after the counter


def changes_its_mind(x, y):
    IMPURE_STATE["calls"] += 1
    return y if (x > 0.0 if IMPURE_STATE["calls"] % 2 else x < 0.0) else -y  # after the counter


@pytest.mark.parametrize("f", [counts_its_calls, rolls_dice, grows, reads_formatted, changes_its_mind])
def test_impure_functions(f):
    IMPURE_STATE["calls"] = 0
    message = "something other than its arguments"
    program = fad.record(f, 1.0, 2.0)
    assert program(3.0, 2.0) == program(1.0, 2.0)
    with pytest.raises(PurityError, match=message) as caught:
        program(-1.0, 2.0)
    assert line_of(f, "# after the counter") in str(caught.value)
    IMPURE_STATE["calls"] = 1
    with pytest.raises(PurityError, match=message) as caught:
        program.batch(np.array([1.0] * 70 + [-1.0, 2.0, -3.0]), 2.0, axes=(0, None))
    assert any("scenario 70 " in note for note in caught.value.__notes__)
    assert len(program.variants) == 1
    IMPURE_STATE["calls"] = 0
    with pytest.raises(PurityError, match=message):
        fad.monte_carlo(lambda p, z: f(z[0], p), 2.0, normals=1, paths=500)


def test_pure_functions_may_keep_what_does_not_matter():
    """Caches and counters that leave the rows alone are no impurity."""
    seen = []

    def f(x):
        seen.append(1)
        return x * 2.0 if x > 0.0 else x

    assert fad.record(f, 1.0).batch(np.array([1.0, -1.0])).value.tolist() == [2.0, -1.0]
    assert len(seen) == 2


@pytest.mark.parametrize(
    "other",
    [
        lambda x: (x, x),
        lambda x: {"a": x},
        lambda x: [x],
        lambda x: fad.stack([x, x]),
        lambda x: np.array([1.0]),
    ],
    ids=["tuple", "dict", "list", "array", "array of one"],
)
def test_branches_of_different_structures(other):
    def f(x):
        return x if x > 0.0 else other(x)  # the fork

    program = fad.record(f, 1.0)
    for call in (
        lambda: program(-1.0),
        lambda: program.batch(np.array([1.0, -1.0])),
        lambda: program.batch(np.array([-1.0]), reduce="sum"),
        lambda: fad.monte_carlo(lambda p, z: f(p * z[0]), 2.0, normals=1, paths=100),
    ):
        with pytest.raises(ShapeError, match="return the same structure from every branch") as caught:
            call()
        assert line_of(f, "# the fork") in str(caught.value)
    assert program.value_and_grad(2.0) == (2.0, 1.0)
    assert len(program.variants) == 1


@pytest.mark.parametrize("constant", [0, 0.0, np.float64(2.0), np.array(3.0)], ids=repr)
def test_branches_of_numbers_and_actives_agree(constant):
    program = fad.record(lambda x: constant if x < 0.0 else x * x, 1.0)
    got = program.batch(np.array([-1.0, 2.0, -3.0]))
    assert got.value.tolist() == [float(constant), 4.0, float(constant)]
    assert got.gradient.tolist() == [0.0, 4.0, 0.0]


@pytest.mark.parametrize("threads", [1, 2])
def test_exceptions_of_the_function(threads):
    """An exception names the scenario it came from, and leaves the program as it was."""

    def f(x):
        if x < 0.0:
            raise KeyError("no negative numbers")
        return x * 2.0 if x > 1.0 else x

    program = fad.record(f, 2.0)
    x = np.linspace(0.0, 3.0, 5000)
    x[4321] = -1.0
    with pytest.raises(KeyError, match="no negative numbers") as caught:
        program.batch(x, threads=threads)
    (note,) = caught.value.__notes__
    assert re.search(r"\b4321\b", note)
    with pytest.raises(KeyError):
        program(-2.0)
    x[4321] = 1.5
    assert_same_bits(program.batch(x, threads=threads).value, [f(v) for v in x.tolist()])
    z = draws(3, 3000, 1, True, philox.NORMALS)[:, 0] + 3.0
    assert z[0] > 0.0
    with pytest.raises(KeyError) as caught:
        fad.monte_carlo(lambda p, z: f(z[0] + p), 3.0, normals=1, paths=3000, seed=3, antithetic=True, threads=threads)
    assert any(re.search(rf"\b{np.flatnonzero(z < 0.0)[0]}\b", note) for note in caught.value.__notes__)


def test_monte_carlo_names_the_seed_of_an_exception():
    """design.md: the path number and the seed, to reproduce it; as where path 0 raises."""

    def payoff(p, z):
        if z[0] > 1.0:
            raise KeyError("above one")
        return p * z[0]

    z = draws(77, 100, 1, False, philox.NORMALS)[:, 0]
    assert z[0] < 1.0
    with pytest.raises(KeyError) as caught:
        fad.monte_carlo(payoff, 2.0, normals=1, paths=100, seed=77)
    notes = " ".join(caught.value.__notes__)
    assert re.search(rf"\bpath {np.flatnonzero(z > 1.0)[0]}\b", notes)
    assert "seed 77" in notes


def test_long_chains_of_variants():
    """More turns of a loop from call to call: a chain of variants, longer than Python's stack is deep."""

    def turns(x):
        n = 0.0
        while n < x:
            n += 1.0
        return x * n

    program = fad.record(turns, 0.5)
    x = np.arange(500) + 0.5
    program.batch(x[:50], threads=1)  # whatever is compiled needs a deep stack
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)
    try:
        for start in range(0, 500, 100):  # a batch each, so that every variant hangs below the last
            program.batch(x[start : start + 100], threads=1)
        got = program.batch(x[::-7], threads=1)
        assert program(300.5) == 300.5 * 301.0
        assert len(program.variants) == 500
        assert len(max(program.variants, key=lambda v: v.rows).lines) > 0
    finally:
        sys.setrecursionlimit(limit)
    assert_same_bits(got.value, [turns(v) for v in x[::-7].tolist()])
    assert_same_bits(got.gradient, np.ceil(x[::-7]))


# -------------------- random programs --------------------
# A block is a list of statements; operands count back from the last value of a list that grows.

operands = st.integers(0, 5)
assignments = st.tuples(st.sampled_from(["add", "mul", "exp", "sin", "div", "max", "const"]), operands, operands)
tests = st.tuples(st.sampled_from(["<", "<=", ">", "==", "truth", "and", "value"]), operands, operands)
blocks = st.recursive(
    st.lists(assignments, min_size=1, max_size=3),
    lambda inner: st.lists(
        st.one_of(
            assignments,
            st.tuples(st.just("if"), tests, inner, inner),
            st.tuples(st.just("while"), tests, inner, st.integers(1, 4)),
            st.tuples(st.just("return"), tests, operands, operands),
        ),
        min_size=1,
        max_size=4,
    ),
    max_leaves=8,
)


def decide(test, values, lib):
    kind, i, j = test
    x, y = (values[-1 - k % len(values)] for k in (i, j))
    if kind == "truth":
        return bool(x)
    if kind == "and":
        return x > -0.5 and not y > 0.5
    if kind == "value":
        return round(lib.value(x)) > 0
    return {"<": x < y, "<=": x <= y, ">": x > y, "==": x == y}[kind]


def bounded(x, lib):
    return x / lib.sqrt(x * x + 1.0)


def assign(statement, values, lib):
    kind, i, j = statement
    x, y = (values[-1 - k % len(values)] for k in (i, j))
    if kind == "add":
        return 0.5 * (x + y) - 0.1
    if kind == "mul":
        return bounded(x, lib) * y
    if kind == "exp":
        return lib.exp(bounded(x, lib)) - y
    if kind == "sin":
        return lib.sin(2.0 * x)
    if kind == "div":
        return x / (1.5 + bounded(y, lib))
    if kind == "max":
        return max(x, y, 0.1)
    return 0.25 * i - 0.5 + 0.0 * y


def execute(block, values, lib):
    """Run a block; the result of a return statement, or None."""
    for statement in block:
        kind = statement[0]
        if kind == "if":
            result = execute(statement[2] if decide(statement[1], values, lib) else statement[3], values, lib)
        elif kind == "while":
            result, turns = None, 0
            while result is None and decide(statement[1], values, lib):
                turns += 1
                if turns > statement[3]:
                    break
                result = execute(statement[2], values, lib)
        elif kind == "return":
            result = None
            if decide(statement[1], values, lib):
                result = values[-1 - statement[2] % len(values)] * 1.5
        else:
            values.append(assign(statement, values, lib))
            continue
        if result is not None:
            return result
    return None


@repeatable
@given(block=blocks, seed=st.integers(0, 100), coarse=st.booleans(), reduce=st.sampled_from(["sum", "mean"]))
def test_random_branching_programs(block, seed, coarse, reduce):
    """Values to the bit; gradients to the number by fastad at each scenario, and by dual numbers."""

    def f(x, lib=fad):
        values = [x[0], x[1], x[2]]
        result = execute(block, values, lib)
        return values[-1] + 0.5 * values[len(values) // 2] if result is None else result

    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (70, 3)) * 0.5 if coarse else rng.normal(size=(70, 3))
    program = fad.record(f, x[-1], max_variants=5000)
    got = program.batch(x, threads=1)
    assert_same_bits(got.value, [f(row) for row in x.tolist()])
    for i in range(0, 70, 5):
        assert_same_numbers(got.gradient[i], fad.grad(f)(x[i]))
        np.testing.assert_allclose(got.gradient[i], number_gradient(f, x[i]), rtol=1e-8, atol=1e-10)
        assert_same_bits(program(x[i]), got.value[i])
    other = fad.record(f, x[33], max_variants=5000)
    for row in x[::-11]:
        other(row)
    again = other.batch(x[::-1], threads=2)
    assert_same_bits(again.value, got.value[::-1])
    assert_same_numbers(again.gradient, got.gradient[::-1])
    assert len(other.variants) == len(program.variants)
    total = other.batch(x, reduce=reduce)
    scale = 1.0 if reduce == "sum" else 1.0 / 70
    assert total.value == pytest.approx(math.fsum(got.value) * scale, rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(total.gradient, got.gradient.sum(0) * scale, rtol=1e-10, atol=1e-10)
