"""Actives inside ``@numba.njit``. The oracle is the same function recorded in Python: equal rows, to the last bit."""

import math
import operator
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import numba
import numpy as np
import pytest
from helpers_core import assert_same_bits
from helpers_nopython import assert_records_alike, assert_same_recording, recorded

import fastad as fad
from fastad.errors import DivergenceError, PurityError, TapeError, TapeFullError
from fastad.ops import OPS
from fastad.record.functions import FUNCTIONS, TESTS

SMOOTH = [op for op in OPS if op.kind == "smooth"]
COMPARISONS = [op for op in OPS if op.kind == "condition" and op.dunder]


def points(op):
    """Two points inside the domain of an operation, one of them at a whole number where it is allowed."""
    result = []
    for shift in (0.25, 0.5):
        point = []
        for low, high in op.domain[: op.arity]:
            low, high = max(low, -2.0), min(high, 3.0)
            point.append(low + (high - low) * (shift + 0.125 * len(point)))
        result.append(point)
    return result


# -------------------- the whole table --------------------


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_every_operation_leaves_the_row_that_python_leaves(op):
    function = FUNCTIONS[op.name]
    if op.arity == 1:

        def f(x):
            return function(x)

    else:

        def f(x, y):
            return function(x, y), function(x, 0.75), function(0.75, y), function(x, x)

    jitted = numba.njit(f)
    for point in points(op):
        assert_records_alike(f, *point, jitted=jitted)
    edges = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan]
    for i, edge in enumerate(edges):
        assert_records_alike(f, *[edge, edges[-1 - i]][: op.arity], jitted=jitted)


def test_functions_of_plain_numbers_are_the_kernels_of_recording():
    source = "def f(x, y):\n    return (" + ", ".join(
        f"fad.{op.name}(x{', y' if op.arity == 2 else ''})" for op in SMOOTH
    )
    namespace = {"fad": fad}
    exec(source + ")", namespace)
    jitted = numba.njit(namespace["f"])
    for x, y in [(0.3, 0.7), (2.5, -1.5), (-0.0, 0.0)]:
        assert_same_bits(jitted(x, y), namespace["f"](x, y))
    assert numba.njit(lambda x: fad.exp(x))(1) == fad.exp(1.0)  # ints are taken as floats


@pytest.mark.parametrize("op", COMPARISONS, ids=lambda op: op.name)
def test_every_comparison_guards_as_python_does(op):
    compare = getattr(operator, op.dunder)

    def f(x, y):
        count = 0.0
        if compare(x, y):
            count += x
        if compare(1.0, y):
            count += 2.0 * y
        if compare(x, 1) and compare(x, x):
            count += 4.0
        return count + fad.where(compare(x, y), x, 3.0)

    jitted = numba.njit(f)
    for x, y in [(1.0, 1.0), (1.0, 2.0), (2.0, 1.0), (math.nan, 1.0), (-0.0, 0.0)]:
        assert_records_alike(f, x, y, jitted=jitted)


def test_tests_of_one_number():
    @numba.njit
    def f(x):
        return (fad.isnan(x), fad.isinf(x), fad.isfinite(x), fad.signbit(x))

    @numba.njit
    def g(x):
        return fad.where(np.isnan(x) | np.isinf(x), 0.0, x) if not math.isnan(x) else 2.0 * x

    assert set(TESTS) == {"isnan", "isinf", "isfinite", "signbit"}
    for x in (1.0, -1.0, math.nan, math.inf):
        assert f(x) == (math.isnan(x), math.isinf(x), math.isfinite(x), bool(np.signbit(x)))
        conditions = f(fad.Tape().input(x))
        assert [c.outcome for c in conditions] == list(f(x))
    assert fad.grad(g)(math.inf) == 0.0
    assert fad.grad(g)(3.0) == 1.0


def test_names_of_numpy_and_math():
    def by_fastad(x, y):
        return fad.exp(x) + fad.arctan2(x, y) + fad.lgamma(x) + fad.abs(-x) + fad.floor(y) + fad.pow(
            x, y
        ), fad.copysign(x, y)

    def by_math(x, y):
        value = math.exp(x) + math.atan2(x, y) + math.lgamma(x) + math.fabs(-x) + math.floor(y) + math.pow(x, y)
        return value, math.copysign(x, y)

    def by_numpy(x, y):
        value = np.exp(x) + np.arctan2(x, y) + fad.lgamma(x) + np.absolute(-x) + np.floor(y) + np.power(x, y)
        return value, np.copysign(x, y)

    expected = recorded(by_fastad, (0.7, 1.3))
    for f in (by_math, by_numpy):
        actual = recorded(numba.njit(f), (0.7, 1.3))
        assert actual[0] == expected[0]
        assert actual[1]["opcode"].tobytes() == expected[1]["opcode"].tobytes()


# -------------------- operators, builtins, control --------------------


def powers(x, y):
    return x**2 + y**3 - x**-2 + x**0.5 + y**x + 2.0**x + x**1 + y**33 + pow(x, 4)


def in_place(x, y):
    a = x
    a += y
    a *= 2
    a -= 0.5
    a /= y
    a **= 2
    a //= 0.25
    b = x
    b %= 0.75
    return a, b, +a, -b


def builtins(x, y):
    top = max(x, y, 1.0) + min(x, 2.0, y) * max(3.0, x) - max((x, y))
    return top, abs(-x), round(x, 2), round(y), round(x, -1), divmod(x, y)[0], divmod(2.0, y)[1]


def choices(x, y):
    both = (x > 1.0) & ~(y > 2.0) | (x < y)
    return (
        fad.where(x > y, x, 2.0),
        fad.where(x < y, 1.0, 2.0),
        fad.where(both, y, x),
        np.where(x != y, x, y),
        fad.clip(x, 0.0, 1.0),
        np.clip(y, None, 0.5),
        fad.where(1 > 2, x, y),
        fad.stop_gradient(x) * y,
    )


def loops(x, y):
    total, n = 0.0, 0
    while total < 5.0:
        total += x
        n += 1
        if not (total < 2.0) and (y < 1.0 or total > 3.0):
            total *= 1.1
        if y:
            total /= 1.05
    return total * n


def frozen(x, y):
    c = fad.value(x)
    if c > 1.0:
        return y * c + x.value
    return x


def unused_accumulator(x, y):
    total, product = 0, 1.0
    for i in range(3):
        if i > 5:
            total += x
            product = product * y
    return total + 2.0 * product


@pytest.mark.parametrize(
    "f", [powers, in_place, builtins, choices, loops, frozen, unused_accumulator], ids=lambda f: f.__name__
)
def test_language(f):
    jitted = numba.njit(f)
    for x, y in [(1.3, 0.7), (0.6, 2.4), (1.5, 1.5)]:
        assert_records_alike(f, x, y, jitted=jitted)


def test_exponents_known_only_at_run_time():
    jitted = numba.njit(lambda x, n: x**n)
    for n in (1, 2, -3, 0, 7, 8, 32, 33, 2.5, 3.0, -1.0):
        assert_same_recording(recorded(lambda x, n=n: jitted(x, n), (1.3,)), recorded(lambda x, n=n: x**n, (1.3,)))


def test_sums_of_sequences():
    def f(x, y):
        return sum([x, y, x * y]) + sum((x, y)) + sum((x, 1.0, y))

    assert_records_alike(f, 1.3, 0.7)


def test_random_programs():
    """Straight lines, branches and loops drawn at random, recorded both ways and as floats."""
    for seed in range(8):
        source = random_source(np.random.default_rng(seed))
        namespace = {"fad": fad}
        exec(source, namespace)
        f = namespace["f"]
        jitted = numba.njit(f)
        for x in ([0.5, -1.25, 2.0], [1.5, 0.25, -0.75]):
            assert_records_alike(f, *x, jitted=jitted)
            assert_same_bits(jitted(*x), f(*x), source)


def random_source(rng):
    pool = ["a", "b", "c"]
    lines = []
    templates = [
        "{x} + {y}", "{x} - 0.5 * {y}", "{x} * {y}", "{x} / (2.0 + {y} * {y})", "fad.sin({x})", "fad.exp(-{x} * {x})",
        "fad.tanh({x}) - {y}", "fad.sqrt(1.0 + {x} * {x})", "fad.maximum({x}, {y})", "fad.where({x} < {y}, {x}, 0.5)",
        "max({x}, {y}, 0.25)", "abs({x})", "fad.norm_cdf({x})", "{x} ** 2", "3.0 - {x}",
    ]  # fmt: skip
    for i in range(12):
        x, y = rng.choice(pool), rng.choice(pool)
        name = f"v{i}"
        kind = rng.integers(4)
        expression = str(rng.choice(templates)).format(x=x, y=y)
        if kind == 0:
            other = str(rng.choice(templates)).format(x=y, y=x)
            lines += [f"if {x} > {y}:", f"    {name} = {expression}", "else:", f"    {name} = {other}"]
        elif kind == 1:
            lines += [f"{name} = 0.0", f"for k in range({rng.integers(1, 4)}):", f"    {name} += k * ({expression})"]
        else:
            lines += [f"{name} = {expression}"]
        pool.append(name)
    return (
        "def f(a, b, c):\n"
        + "".join(f"    {line}\n" for line in lines)
        + f"    return {pool[-1]} + {pool[-2]} * {pool[-3]}\n"
    )


# -------------------- programs of several functions --------------------


@numba.njit
def minor_determinant(m):
    """By the first row; m is a list of rows."""
    n = len(m)
    if n == 1:
        return m[0][0]
    total = 0.0 * m[0][0]
    for j in range(n):
        smaller = [[m[i][k] for k in range(n) if k != j] for i in range(1, n)]
        total += (-1.0) ** j * m[0][j] * minor_determinant(smaller)
    return total


@numba.njit
def lu_determinant(m):
    """Gaussian elimination with partial pivoting."""
    a = [row.copy() for row in m]
    n = len(a)
    det = 1.0 + 0.0 * a[0][0]
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(a[i][k]) > abs(a[pivot][k]):
                pivot = i
        if pivot != k:
            a[k], a[pivot] = a[pivot], a[k]
            det = -det
        det *= a[k][k]
        for i in range(k + 1, n):
            factor = a[i][k] / a[k][k]
            for j in range(k + 1, n):
                a[i][j] -= factor * a[k][j]
    return det


@numba.njit
def matrix(z, n):
    return [[z[i * n + j] for j in range(n)] for i in range(n)]


@numba.njit
def by_minors(z):
    return minor_determinant(matrix(z, 3))


@numba.njit
def by_elimination(z):
    return lu_determinant(matrix(z, 4))


@pytest.mark.parametrize(("f", "n"), [(by_minors, 3), (by_elimination, 4)], ids=["minors", "LU"])
def test_determinants(f, n):
    a = np.random.default_rng(n).standard_normal((n, n))
    value, gradient = fad.value_and_grad(f)(a.ravel())
    np.testing.assert_allclose(value, np.linalg.det(a), rtol=1e-12)
    np.testing.assert_allclose(gradient.reshape(n, n), np.linalg.det(a) * np.linalg.inv(a).T, rtol=1e-11)


@numba.njit
def quicksort(items):
    if len(items) < 2:
        return items
    pivot = items[0]
    low = [x for x in items[1:] if x < pivot]
    high = [x for x in items[1:] if not x < pivot]
    return quicksort(low) + [pivot] + quicksort(high)  # noqa: RUF005


@numba.njit
def weighted_order(z):
    items = quicksort(list(z))
    total = 0.0
    for i in range(len(items)):
        total += (i + 1) * items[i]
    return total


@numba.njit
def weighted_builtin(z):
    total = 0.0
    for i, x in enumerate(sorted(z)):
        total += (i + 1) * x
    return total


@pytest.mark.parametrize("f", [weighted_order, weighted_builtin])
def test_sorting(f):
    z = np.array([0.5, -1.0, 3.0, 2.0, -0.25, 3.0])
    rank = np.argsort(np.argsort(z, kind="stable"), kind="stable") + 1.0
    np.testing.assert_array_equal(fad.grad(f)(z), rank)
    program = fad.record(f, z)
    batch = program.batch(np.stack([z, z[::-1], -z]))
    np.testing.assert_array_equal(batch.value, [f(z), f(z[::-1].copy()), f(-z)])


@numba.njit
def decay(rate, start, n):
    """Runge-Kutta of y' = -rate y."""
    y, h = start, 1.0 / n
    for _ in range(n):
        k1 = -rate * y
        k2 = -rate * (y + 0.5 * h * k1)
        k3 = -rate * (y + 0.5 * h * k2)
        k4 = -rate * (y + h * k3)
        y += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return y


def test_ode_loop():
    gradient = fad.grad(decay, argnums=(0, 1))(1.5, 2.0, 100)
    np.testing.assert_allclose(gradient, (-2.0 * math.exp(-1.5), math.exp(-1.5)), rtol=1e-7)


@numba.njit
def cube_root(a):
    x = a
    while abs(x * x * x - a) > 1e-14:
        x -= (x * x * x - a) / (3.0 * x * x)
    return x


def test_newton_solve():
    value, derivative = fad.value_and_grad(cube_root)(5.0)
    assert abs(value - 5.0 ** (1 / 3)) < 1e-14
    assert abs(derivative - 5.0 ** (-2 / 3) / 3.0) < 1e-13


@numba.njit
def knock_out(spot, vol, z):
    for i in range(len(z)):
        spot *= fad.exp(-0.5 * vol * vol / 50.0 + vol * fad.sqrt(1.0 / 50.0) * z[i])
        if spot < 90.0:
            return 0.0 * spot
    return fad.maximum(spot - 100.0, 0.0)


def test_early_exit_barrier():
    z = np.random.default_rng(0).standard_normal((300, 50))
    results = []
    for f in (knock_out, knock_out.py_func):
        program = fad.record(f, 100.0, 0.2, z[0])
        results.append((program.batch(100.0, 0.2, z, axes=(None, None, 0), wrt=(0, 1)), program.variants))
    (a, variants), (b, others) = results
    assert_same_bits(a.value, b.value)
    assert_same_bits(a.gradient, b.gradient)
    assert_same_bits(a.value, [knock_out(100.0, 0.2, row) for row in z])
    assert variants == others  # lines of the source included


@numba.njit
def outer(x, y):
    def scaled(u):
        return u * y

    return inner(scaled(x)) + inner(y)


@numba.njit
def inner(x):
    return x * x + 1.0


def test_calls_and_closures():
    assert fad.grad(outer, argnums=(0, 1))(2.0, 3.0) == (2.0 * 2.0 * 9.0, 2.0 * 3.0 * 4.0 + 2.0 * 3.0)


# -------------------- four ways --------------------

Params = namedtuple("Params", "spot rate vol strike")


@numba.njit
def asian(p, z):
    dt = 1.0 / len(z)
    level, total = p.spot, 0.0
    for z_i in z:
        level *= fad.exp((p.rate - 0.5 * p.vol**2) * dt + p.vol * fad.sqrt(dt) * z_i)
        total += level
    return fad.exp(-p.rate) * fad.maximum(total / len(z) - p.strike, 0.0)


def test_one_payoff_as_floats_recorded_and_replayed():
    p, z = Params(100.0, 0.05, 0.2, 90.0), np.random.default_rng(1).standard_normal((40, 12))
    program = fad.record(asian, p, z[0])
    plain = fad.record(asian.py_func, p, z[0])
    floats = [asian(p, row) for row in z]
    batch = program.batch(p, z, axes=(None, 0))
    expected = plain.batch(p, z, axes=(None, 0))
    assert_same_bits(floats, [asian.py_func(p, row) for row in z])
    assert_same_bits(batch.value, floats)
    assert_same_bits([fad.value_and_grad(asian)(p, row)[0] for row in z], floats)
    for name in Params._fields:
        assert_same_bits(getattr(batch.gradient, name), getattr(expected.gradient, name))


def test_monte_carlo_of_a_jitted_payoff():
    p = Params(100.0, 0.05, 0.2, 90.0)
    results = [fad.monte_carlo(f, p, normals=12, paths=2000, seed=3) for f in (asian, asian.py_func)]
    assert results[0].value == results[1].value
    assert results[0].gradient == results[1].gradient


def test_transforms_of_jitted_functions():
    @numba.njit
    def f(x):
        return x[0] * x[1], fad.sin(x[2])

    x = np.array([0.5, 2.0, 3.0])
    jacobian = fad.jacobian(f)(x)
    np.testing.assert_array_equal(jacobian[0], [2.0, 0.5, 0.0])
    assert_same_bits(jacobian[1], [0.0, 0.0, fad.cos(3.0)])
    assert fad.jvp(f, (x,), (np.ones(3),))[1] == (2.5, fad.cos(3.0))
    _, pullback = fad.vjp(f, x)
    np.testing.assert_array_equal(pullback((1.0, 0.0))[0], [2.0, 0.5, 0.0])


def test_arrays_of_actives():
    @numba.njit
    def f(z):
        part = z[:, 1]
        return z[0, 1] * z[1, 0] + sum(z[1]) + max(z[0]) + part[0] * part.size + z.shape[0] + z.ndim

    z = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(fad.grad(f)(z), [[0.0, 3.0 + 1.0 + 2.0], [2.0 + 1.0, 1.0]])
    tape = fad.Tape()
    x = tape.inputs(np.arange(6.0))
    odd = numba.njit(lambda z: z[1::2])(x)
    assert isinstance(odd, fad.ActiveArray)
    np.testing.assert_array_equal(odd.index, [1, 3, 5])


def test_lookups():
    def f(x, y, a, b):
        knots = np.array([0.0, 1.0, 2.0])
        inside = fad.interp(x, knots, (a, b, a * b)) * y
        return inside + fad.take([a, b, 3.0 * a], y) + fad.interp(y, knots, np.array([1.0, 2.0, 4.0])) * x

    assert_records_alike(f, 0.5, 1.2, 2.0, 3.0)
    assert_same_bits(numba.njit(lambda x: fad.interp(x, np.arange(3.0), np.arange(3.0)))(0.25), 0.25)

    @numba.njit
    def g(x, z):
        return fad.interp(x, np.arange(3.0), z) + fad.take(z, 0.0 * x + 1.0) * fad.take(z, 2)

    z, xs = np.array([1.0, 3.0, 2.0]), np.linspace(-1.0, 3.0, 9)
    results = [fad.record(h, 0.5, z).batch(xs, z, axes=(0, None), wrt=(0, 1)) for h in (g, g.py_func)]
    assert_same_bits(results[0].value, results[1].value)
    for a, b in zip(results[0].gradient, results[1].gradient):
        assert_same_bits(a, b)
    passive = numba.njit(lambda total, n: fad.take(np.arange(3.0), total if n else 1.0 * total))
    assert passive(2.0, 1) == 2.0
    tape = fad.Tape()
    with pytest.raises(ValueError, match="xp must be increasing"):
        numba.njit(lambda x: fad.interp(x, np.zeros(3), np.zeros(3)))(tape.input(1.0))
    assert len(tape) == 1


# -------------------- locations --------------------


def test_guards_know_their_line():
    def f(x, y):
        if x > 1.0:  # line 2 of f
            x = max(x, y)  # line 3
        z = sorted([x, y])  # line 4
        return z[0] * fad.value(x)  # line 5

    first = f.__code__.co_firstlineno
    lines = {}
    for name, g in (("python", f), ("numba", numba.njit(f))):
        program = fad.record(g, 2.0, 3.0)
        sites = next(iter(program._tries.values())).root.recording.sites
        lines[name] = [(site.file, site.line - first, site.builtin) for site in sites]
    assert lines["numba"] == lines["python"]
    assert [line for _, line, _ in lines["numba"]] == [1, 2, 3, 4]
    program = fad.record(numba.njit(f), 2.0, 3.0)
    program.on_divergence = "raise"
    with pytest.raises(DivergenceError, match=rf"{__file__}:{first + 1} .*x > 1.0"):
        program(0.5, 3.0)


# -------------------- errors --------------------


def test_a_float_of_an_active_is_refused_with_the_sentence_of_python():
    x = fad.Tape().input(1.0)
    with pytest.raises(TypeError) as python:
        float(x)
    for f in (lambda x: float(x), lambda x: int(x)):
        with pytest.raises(numba.TypingError) as error:
            numba.njit(f)(x)
        assert str(python.value) in str(error.value)


def test_names_of_arguments():
    def f(x, y):
        return (
            fad.where(x > y, b=x, a=y),
            fad.clip(x, upper=1.0),
            fad.clip(x, 0.75),
            fad.pow(x, y=2),
            fad.clip(x, lower=y),
        )

    assert_records_alike(f, 1.3, 0.7)
    with pytest.raises(numba.TypingError, match="unexpected keyword"):
        numba.njit(lambda x: fad.clip(x, most=1.0))(fad.Tape().input(1.0))


def test_what_a_tape_cannot_do_inside():
    x = fad.Tape().input(1.0)

    @numba.njit(parallel=True)
    def several_threads(x, n):
        out = np.zeros(n)
        for i in numba.prange(n):
            out[i] = fad.value(x * i)
        return out

    with pytest.raises(numba.core.errors.UnsupportedError, match="cannot be recorded in a prange"):
        several_threads(x, 10)
    with pytest.raises(numba.TypingError, match="pass it as an argument"):
        numba.njit(lambda y: x * y)(1.0)
    with pytest.raises(numba.TypingError, match="digits that are known when the function is compiled"):
        numba.njit(lambda x, n: round(x, n))(x, 2)


def test_dicts_are_refused_by_name():
    with pytest.raises(TypeError, match=r"a jitted function cannot take a dict: pass .* namedtuple"):
        fad.grad(asian)({"spot": 1.0}, np.ones(3))


def test_two_tapes_meet():
    f = numba.njit(lambda x, y: x * y)
    x, y = fad.Tape().input(1.0), fad.Tape().input(2.0)
    for g in (f, numba.njit(lambda x, y: x < y), numba.njit(lambda x, y: fad.where(x < 1.0, x, y))):
        with pytest.raises(TapeError, match="two tapes"):
            g(x, y)


def test_a_stale_row_is_refused():
    tape = fad.Tape()
    x = tape.input(1.0)
    mark = tape.mark()
    y = x * 2.0
    tape.rewind(mark)
    with pytest.raises(TapeError, match="rewound"):
        numba.njit(lambda y: y * 2.0)(y)
    z = numba.njit(lambda y: y * 2.0)(x)
    assert z.index == 1


def test_exceptions_leave_the_tape_usable():
    @numba.njit
    def f(x):
        y = x * x
        if y > 1.0:
            raise ValueError("too large")
        return y

    tape = fad.Tape()
    x = tape.input(2.0)
    with pytest.raises(ValueError, match="too large"):
        f(x)
    assert len(tape) == 4  # the square, the comparison and its guard are there
    assert tape._guard_rows == [3]
    z = x * 3.0
    assert z.index == 4
    assert tape.reverse(z).tolist() == [3.0]


def test_the_row_cap_holds_inside():
    @numba.njit
    def f(x, n):
        for _ in range(n):
            x = x * 1.5
        return x

    tape = fad.Tape(max_bytes=33 * 1000)
    x = tape.input(1.0)
    mark = tape.mark()
    with pytest.raises(TapeFullError, match=r"1000 rows .* the cap is 1000 rows"):
        f(x, 1000)
    assert len(tape) == 1000
    tape.rewind(mark)
    assert tape.reverse(f(x, 3)) == 1.5**3
    tape._max_rows = 10
    with pytest.raises(TapeFullError, match="cap is 10 rows"):
        f(x, 100)


def test_growth_keeps_views_alive():
    @numba.njit
    def f(x, n):
        for _ in range(n):
            if x > 0.0:
                x = x + 1.0
        return x

    tape = fad.Tape()
    x = tape.input(1.0)
    y = x * 2.0
    view = tape.value
    z = f(y, 20_000)
    assert view.tolist() == [1.0, 2.0]
    assert z.value == 20_002.0
    assert len(tape) == 2 + 3 * 20_000
    assert len(tape._guard_rows) == 20_000
    assert tape.reverse(z) == 2.0


def test_python_and_compiled_recording_take_turns():
    double = numba.njit(lambda x: x * 2.0)
    tape = fad.Tape()
    x = tape.input(1.0)
    for i in range(5):
        x = double(x + 1.0) - 1.0
        assert len(tape) == 1 + 3 * (i + 1)
    assert tape.arg0.tolist() == [-1, *range(15)]
    assert tape.reverse(x) == 32.0


def test_impure_functions_are_noticed():
    calls = []
    kernel = numba.njit(lambda x, shift: x + shift if x > 0.0 else x - shift)

    def f(x):
        calls.append(x)
        return kernel(x * len(calls), 1.0)

    program = fad.record(f, 1.0)
    with pytest.raises(PurityError):
        program(-1.0)


# -------------------- threads and caching --------------------


def test_tapes_in_threads():
    @numba.njit(nogil=True)
    def f(x, n):
        total = 0.0
        for i in range(n):
            total += fad.sin(x * i)
            if total > 1e9:
                return x
        return total

    f(fad.Tape().input(1.0), 1)
    results = {}

    def work(k):
        tape = fad.Tape()
        y = f(tape.input(float(k)), 20_000)
        results[k] = (y.value, tape.reverse(y)[0], len(tape._guard_rows))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        tape = fad.Tape()
        y = f(tape.input(float(k)), 20_000)
        assert results[k] == (y.value, tape.reverse(y)[0], 20_000)


_CACHED = """
import sys
sys.path.insert(0, {root!r})
import numba
import fastad as fad

@numba.njit(cache=True)
def f(x):
    return fad.square(x) + 1.0 if x > 0.0 else x

@numba.njit(cache=True)
def of_floats(x):
    return fad.square(x)

tape = fad.Tape()
x = tape.input(3.0)
y = f(x)
print(y.value, tape.reverse(y)[0], sum(f.stats.cache_hits.values()), tape._guard_sites[0].line)
print(of_floats(3.0), sum(of_floats.stats.cache_hits.values()))
"""


def test_a_cached_function_never_runs_the_rules_of_another_version(tmp_path):
    """Two copies of the package that differ in one rule share the cache of one user function."""
    package = Path(fad.__file__).parent
    shutil.copytree(package, tmp_path / "one" / "fastad")  # with the kernels that are compiled already
    shutil.copytree(package, tmp_path / "two" / "fastad", ignore=shutil.ignore_patterns("__pycache__"))
    ops = tmp_path / "two" / "fastad" / "ops.py"
    changed = ops.read_text().replace('Op("square", "x * x", ("2.0 * x",)', 'Op("square", "x * x * x", ("7.0 * x",)')
    assert changed != ops.read_text()
    ops.write_text(changed)
    script = tmp_path / "user.py"

    script.write_text(_CACHED.format(root=str(tmp_path / "link")))  # once: numba drops the cache of a newer file

    def run(version):
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / version)
        result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
        return result.stdout.split()

    assert run("one") == ["10.0", "6.0", "0", "9", "9.0", "0"]
    assert run("one") == ["10.0", "6.0", "1", "9", "9.0", "1"]  # from the cache, with the line of its guard
    assert run("two") == ["28.0", "21.0", "0", "9", "27.0", "0"]
    assert run("one") == ["10.0", "6.0", "1", "9", "9.0", "0"]
    assert run("one") == ["10.0", "6.0", "1", "9", "9.0", "1"]


def test_functions_written_before_the_import():
    code = (
        "import numba, math\n"
        "@numba.njit\n"
        "def f(x):\n    return x * math.exp(x)\n"
        "f(1.0)\n"
        "import fastad as fad\n"
        "print(fad.grad(f)(0.0))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "1.0"


@pytest.mark.parametrize("index", [3, 40, 10**6, -4])
def test_an_index_beyond_an_array_raises(index):
    """numba reads past the end without a word; here what it reads would be a row that a sweep writes to."""

    @numba.njit
    def element(x, i):
        return x[i] * 2.0

    @numba.njit
    def of_matrix(x, i):
        return x[1, i] + sum(x[i])

    x = np.arange(3.0)
    with pytest.raises(IndexError, match="out of bounds"):
        fad.grad(element)(x, index)
    with pytest.raises(IndexError, match="out of bounds"):
        fad.grad(of_matrix)(np.ones((3, 3)), index)
    with pytest.raises(IndexError, match="out of bounds"):
        fad.jacobian(element, mode="forward")(x, index)
    assert fad.grad(element)(x, -3).tolist() == [2.0, 0.0, 0.0]
