"""Batches of scenarios. Oracles: a Python loop over single calls, the plain function, and complex step."""

import inspect
import itertools
import math
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from helpers_core import assert_same_bits, assert_same_numbers, complex_step, repeatable
from helpers_replay import COMPLEX, library
from hypothesis import example, given
from hypothesis import strategies as st

import fastad as fad
from fastad.errors import DivergenceError, ShapeError
from fastad.program import point_by_point

SIZES = [1, 2, 63, 64, 65, 1000]
Point = namedtuple("Point", "x y")


def option(s, k, sigma, lib=fad):
    """A call by a smooth formula: three inputs, a kink, two special functions."""
    d = lib.log(s / k) / sigma + 0.5 * sigma
    return lib.maximum(s - k, 0.0) * 0.1 + s * lib.norm_cdf(d) - k * lib.norm_cdf(d - sigma)


def option_data(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(50.0, 150.0, n), rng.uniform(60.0, 140.0, n), rng.uniform(0.05, 0.6, n)


def loop(program, args, axes, argnums):
    """Single calls of a program for one number, stacked."""
    n = next(len(a) for a, axis in zip(args, axes) if axis == 0)
    values, gradients = [], []
    for i in range(n):
        at = [a[i] if axis == 0 else a for a, axis in zip(args, axes)]
        value, gradient = program.value_and_grad(*at, argnums=argnums)
        values.append(value)
        gradients.append(gradient)
    return np.array(values), gradients


@pytest.fixture(scope="module")
def program():
    return fad.record(option, 100.0, 90.0, 0.2)


# -------------------- axes, wrt, sizes --------------------

AXES = [axes for axes in itertools.product((0, None), repeat=3) if 0 in axes]


@pytest.mark.parametrize("axes", AXES, ids=str)
@pytest.mark.parametrize("wrt", [0, 2, (0, 1, 2), (2, 0), (1,), ()], ids=str)
def test_bits_of_single_calls(program, axes, wrt):
    n = 70
    args = [a if axis == 0 else float(a[3]) for a, axis in zip(option_data(n), axes)]
    values, gradients = loop(program, args, axes, wrt)
    got = program.batch(*args, axes=axes, wrt=wrt)
    assert_same_bits(got.value, values)
    if isinstance(wrt, int):
        assert_same_numbers(got.gradient, gradients)
    else:
        assert isinstance(got.gradient, tuple)
        assert len(got.gradient) == len(wrt)
        for j, column in enumerate(got.gradient):
            assert_same_numbers(column, [g[j] for g in gradients])

    for reduce, scale in (("sum", 1.0), ("mean", 1.0 / n)):
        reduced = program.batch(*args, axes=axes, wrt=wrt, reduce=reduce)
        assert isinstance(reduced.value, float)
        assert reduced.value == pytest.approx(math.fsum(values) * scale, rel=1e-13)
        columns = got.gradient if isinstance(wrt, tuple) else (got.gradient,)
        sums = reduced.gradient if isinstance(wrt, tuple) else (reduced.gradient,)
        assert sums == pytest.approx([math.fsum(c) * scale for c in columns], rel=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_sizes_and_complex_step(program, n):
    """Each scenario against the plain function with complex steps: an oracle that shares nothing with replay."""
    data = option_data(n, seed=n)
    got = program.batch(*data, axes=0, wrt=(0, 1, 2))
    assert got.value.shape == (n,)
    exact = np.array([complex_step(lambda x: option(*x, COMPLEX), x) for x in np.transpose(data)])
    np.testing.assert_allclose(np.transpose(got.gradient), exact, rtol=1e-11, atol=1e-13)
    values = [option(complex(s), complex(k), complex(v), COMPLEX).real for s, k, v in np.transpose(data)]
    np.testing.assert_allclose(got.value, values, rtol=1e-12, atol=1e-12)
    mean = program.batch(*data, axes=0, wrt=(0, 1, 2), reduce="mean")
    assert mean.value == pytest.approx(math.fsum(values) / n, rel=1e-12)
    np.testing.assert_allclose(mean.gradient, exact.mean(0), rtol=1e-11)


@pytest.mark.parametrize("reduce", [None, "mean", "sum"])
@pytest.mark.parametrize("n", [63, 1000, 20_000])
def test_threads_bit_for_bit(program, n, reduce):
    s, k, sigma = option_data(n)
    one, *others = (
        program.batch(s, k[0], sigma, axes=(0, None, 0), wrt=(2, 1, 0), reduce=reduce, threads=t)
        for t in (1, 2, 3, 16, None)
    )
    for other in others:
        assert_same_bits(other.value, one.value)
        for a, b in zip(other.gradient, one.gradient):
            assert_same_bits(a, b)


def test_values_only(program):
    data = option_data(100)
    with_gradient = program.batch(*data)
    got = program.batch(*data, wrt=None)
    assert got.gradient is None
    assert_same_bits(got.value, with_gradient.value)
    mean = program.batch(*data, wrt=None, reduce="mean")
    assert mean.gradient is None
    assert mean.value == program.batch(*data, reduce="mean").value


def test_default_axes_and_one_axis_for_all(program):
    data = option_data(10)
    assert_same_bits(program.batch(*data).value, program.batch(*data, axes=(0, 0, 0)).value)
    assert_same_bits(program.batch(*data, axes=[0, 0, 0]).gradient, program.batch(*data, axes=0, wrt=0).gradient)
    assert_same_bits(program.batch(*data, wrt=-1).gradient, program.batch(*data, wrt=2).gradient)


def test_what_varies_may_change_from_call_to_call():
    """Plans are kept; one made for fewer varying arguments must not serve a call with more, nor the reverse."""
    program = fad.record(lambda x, y, z: x * y + z * z, 1.0, 2.0, 3.0)
    x, y, z = np.random.default_rng(0).normal(size=(3, 70))
    for reduce in ("mean", None):
        for axes in ((0, None, None), (0, 0, None), (0, 0, 0), (0, None, 0), (0, None, None)):
            args = [a if axis == 0 else float(a[1]) for a, axis in zip((x, y, z), axes)]
            got = program.batch(*args, axes=axes, wrt=0, reduce=reduce)
            value, slope = args[0] * args[1] + np.square(args[2]), args[1] + np.zeros(70)
            if reduce:
                value, slope = value.mean(), slope.mean()
            np.testing.assert_allclose(got.value, value, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(got.gradient, slope, rtol=1e-12, atol=1e-15)


# -------------------- layouts --------------------


def test_layouts_of_the_data(program):
    s, k, sigma = option_data(65)
    wide = np.zeros((65, 4))
    wide[:, 2] = s
    plain = program.batch(s, k, sigma, wrt=(0, 1, 2))
    views = {
        "column": wide[:, 2],
        "reversed twice": s[::-1].copy()[::-1],
        "tail": np.concatenate([[0.0], s])[1:],
        "big-endian": s.astype(">f8"),
    }
    for name, view in views.items():
        got = program.batch(view, k, sigma, wrt=(0, 1, 2))
        assert_same_bits(got.value, plain.value, name)
        for a, b in zip(got.gradient, plain.gradient):
            assert_same_bits(a, b, name)
    single = s.astype(np.float32)
    assert_same_bits(
        program.batch(single, k, sigma).gradient, program.batch(single.astype(np.float64), k, sigma).gradient
    )
    whole = np.arange(50, 115)
    assert_same_bits(program.batch(whole, k, sigma).value, program.batch(whole.astype(float), k, sigma).value)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("wrt", [0, 1, (1, 0)], ids=str)
def test_arrays_per_scenario(order, wrt):
    """Inputs of shape (n, 2, 5), more than eight doubles a scenario, against single calls."""

    def f(a, b):
        return (a * b[None, :]).sum() * a[1, 4] + fad.exp(b[0] * 0.1) * a[0, 3]

    rng = np.random.default_rng(1)
    program = fad.record(f, np.ones((2, 5)), np.ones(5))
    a, b = np.array(rng.normal(size=(67, 2, 5)), order=order), rng.normal(size=(67, 5))[::-1]
    for args, axes in (((a, b), (0, 0)), ((a[5], b), (None, 0)), ((a, b[5]), (0, None))):
        values, gradients = loop(program, args, axes, wrt)
        got = program.batch(*args, axes=axes, wrt=wrt)
        assert_same_bits(got.value, values)
        columns = [got.gradient] if isinstance(wrt, int) else got.gradient
        for j, column in enumerate(columns):
            assert_same_numbers(column, [g if isinstance(wrt, int) else g[j] for g in gradients])
        total = program.batch(*args, axes=axes, wrt=wrt, reduce="sum")
        sums = [total.gradient] if isinstance(wrt, int) else total.gradient
        for column, reduced in zip(columns, sums):
            np.testing.assert_allclose(reduced, column.sum(0), rtol=1e-11, atol=1e-12)


def test_structures():
    """Structures in with a scenario axis on every leaf, structures out; single calls are the oracle."""

    def f(m, z, n):
        total = sum(z[i] * m["p"].x for i in range(n)) + m["v"][1]
        return {"a": total * total, "b": (z * m["p"].y, 3.0)}

    program = fad.record(f, {"p": Point(1.0, 2.0), "v": np.ones(2)}, np.ones(3), 2)
    rng = np.random.default_rng(2)
    m = {"p": Point(rng.normal(size=9), rng.normal(size=9)), "v": rng.normal(size=(9, 2))}
    z = rng.normal(size=(9, 3))
    got = program.batch(m, z, 2, axes=(0, 0, None), wrt=(1, 0))
    assert got.value["a"].shape == (9,)
    assert got.value["b"][0].shape == (9, 3)
    np.testing.assert_array_equal(got.value["b"][1], np.full(9, 3.0))
    for i in range(9):
        at = {"p": Point(m["p"].x[i], m["p"].y[i]), "v": m["v"][i]}
        value = program(at, z[i], 2)
        assert_same_bits(got.value["a"][i], value["a"])
        assert_same_bits(got.value["b"][0][i], value["b"][0])
        jacobian = program.jacobian(at, z[i], 2, argnums=(1, 0))
        for out in (lambda r: r["a"], lambda r: r["b"][0], lambda r: r["b"][1]):
            (by_z, by_m), (one_z, one_m) = out(got.gradient), out(jacobian)
            assert_same_numbers(by_z[i], one_z)
            assert_same_numbers(by_m["p"].x[i], one_m["p"].x)
            assert_same_numbers(by_m["v"][i], one_m["v"])
    mean = program.batch(m, z, 2, axes=(0, 0, None), wrt=0, reduce="mean")
    assert isinstance(mean.value["a"], float)
    assert mean.gradient["b"][0]["p"].y.shape == (3,)
    np.testing.assert_allclose(mean.gradient["b"][0]["p"].y, z.mean(0), rtol=1e-12)
    assert mean.gradient["b"][1]["p"] == Point(0.0, 0.0)


def test_static_arguments_in_batches():
    program = fad.record(lambda x, n: x**n * 1.0, 2.0, 3)
    x = np.linspace(0.5, 2.0, 5)
    np.testing.assert_allclose(program.batch(x, 3, axes=(0, None)).value, x**3, rtol=1e-15)
    np.testing.assert_allclose(program.batch(x, 4, axes=(0, None)).gradient, 4 * x**3, rtol=1e-15)
    with_ints = fad.record(lambda x, y: x * y, 2.0, 3.0).batch(x, 7, axes=(0, None), wrt=1)  # 7 stands for 7.0
    np.testing.assert_array_equal(with_ints.gradient, x)


def test_shapes_record_again():
    program = fad.record(lambda a: a.sum(), np.ones(2))
    np.testing.assert_array_equal(program.batch(np.ones((4, 3))).value, np.full(4, 3.0))
    np.testing.assert_array_equal(program.batch(np.ones((4, 2, 2))).value, np.full(4, 4.0))


# -------------------- uniform and varying parts --------------------


def mixed(u, v):
    """Outputs of every kind: constant, input, uniform only, varying only, both; shared subexpressions."""
    shared = fad.exp(0.1 * u[0]) + u[1]
    return (
        2.5,
        u[0],
        v[1],
        shared * shared,
        v[0] * v[0],
        shared * v[0] + v[1] * v[1] / shared,
        fad.where(u[0] > 0.0, v[0] * u[1], v[1] - shared),
        fad.where(v[0] > v[1], shared, v[1]),
        fad.where(v[0] > 0.0, shared, u[1]),
        fad.where(u[0] > 0.0, u[1] * u[1], v[0]),
    )


def mixed_plain(u, v):
    shared = math.exp(0.1 * u[0]) + u[1]
    d_shared = np.array([0.1 * math.exp(0.1 * u[0]), 1.0])
    e0, e1 = np.eye(2)
    rows = [
        (2.5, 0 * e0, 0 * e0),
        (u[0], e0, 0 * e0),
        (v[1], 0 * e0, e1),
        (shared**2, 2 * shared * d_shared, 0 * e0),
        (v[0] ** 2, 0 * e0, 2 * v[0] * e0),
        (
            shared * v[0] + v[1] ** 2 / shared,
            (v[0] - (v[1] / shared) ** 2) * d_shared,
            np.array([shared, 2 * v[1] / shared]),
        ),
        (v[0] * u[1], v[0] * e1, u[1] * e0) if u[0] > 0 else (v[1] - shared, -d_shared, e1),
        (shared, d_shared, 0 * e0) if v[0] > v[1] else (v[1], 0 * e0, e1),
        (shared, d_shared, 0 * e0) if v[0] > 0 else (u[1], e1, 0 * e0),
        (u[1] ** 2, 2 * u[1] * e1, 0 * e0) if u[0] > 0 else (v[0], 0 * e0, e0),
    ]
    return tuple(np.array(part) for part in zip(*rows))


@pytest.mark.parametrize("n", [1, 64, 65, 130])
@pytest.mark.parametrize("u", [(0.7, -1.3), (-0.4, 2.2)])
@pytest.mark.parametrize("wrt", [0, 1, (0, 1), (1, 0)], ids=str)
def test_uniform_and_varying(n, u, wrt):
    """Derivatives written out by hand, per scenario and reduced."""
    program = fad.record(mixed, np.array([0.5, 1.0]), np.array([0.3, 0.2]))
    u, v = np.array(u), np.random.default_rng(n).normal(size=(n, 2))
    value, by_u, by_v = (np.array(part) for part in zip(*(mixed_plain(u, row) for row in v)))
    got = program.batch(u, v, axes=(None, 0), wrt=wrt)
    np.testing.assert_allclose(np.transpose(got.value), value, rtol=1e-14)
    reduced = program.batch(u, v, axes=(None, 0), wrt=wrt, reduce="mean")
    np.testing.assert_allclose(reduced.value, value.mean(0), rtol=1e-13)
    order = [wrt] if isinstance(wrt, int) else wrt
    for position, number in enumerate(order):
        pick = (lambda g: g) if isinstance(wrt, int) else (lambda g, position=position: g[position])
        per_scenario = np.stack([pick(g) for g in got.gradient], 1)
        if number == 0:
            np.testing.assert_allclose(per_scenario, by_u, rtol=1e-13, atol=1e-15)
            total = by_u.mean(0)
        else:
            np.testing.assert_allclose(per_scenario, by_v, rtol=1e-13, atol=1e-15)
            total = by_v.mean(0)
        means = np.stack([pick(g) for g in reduced.gradient])
        assert means.shape == total.shape
        np.testing.assert_allclose(means, total, rtol=1e-12, atol=1e-14)


def test_unused_inputs():
    program = fad.record(lambda x, y, z: y * 2.0, 1.0, 2.0, 3.0)
    x = np.arange(5.0)
    for reduce in (None, "sum"):
        got = program.batch(x, 4.0, x, axes=(0, None, 0), wrt=(0, 2, 1), reduce=reduce)
        np.testing.assert_array_equal(got.gradient[0], 0.0 * x if reduce is None else 0.0)
        np.testing.assert_array_equal(got.gradient[1], 0.0 * x if reduce is None else 0.0)
        np.testing.assert_array_equal(got.gradient[2], 0.0 * x + 2.0 if reduce is None else 10.0)
        np.testing.assert_array_equal(got.value, 0.0 * x + 8.0 if reduce is None else 40.0)


def test_zero_size_leaves():
    program = fad.record(lambda a, x: x * x + a.sum(), np.zeros(0), 2.0)
    got = program.batch(np.zeros((3, 0)), np.arange(3.0), wrt=(0, 1))
    assert got.gradient[0].shape == (3, 0)
    np.testing.assert_array_equal(got.gradient[1], [0.0, 2.0, 4.0])
    nothing = fad.record(lambda x: (x[:0], ()), np.ones(2)).batch(np.ones((5, 2)), reduce="mean")
    assert nothing.value[0].shape == (0,)
    assert nothing.gradient[0].shape == (0, 2)


def test_the_same_row_as_both_operands():
    program = fad.record(lambda x: x * x + (x - x) + x / x + fad.maximum(x, x) + x**x, 2.0)
    x = np.linspace(0.5, 4.0, 77)
    got = program.batch(x)
    np.testing.assert_allclose(got.value, x * x + 1.0 + x + x**x, rtol=1e-14)
    np.testing.assert_allclose(got.gradient, 2 * x + 1.0 + x**x * (np.log(x) + 1.0), rtol=1e-13)


# -------------------- the zero-factor rule --------------------


@pytest.mark.parametrize("n", [1, 5, 64, 70])
@pytest.mark.parametrize("bad", [-1.0, 0.0, -0.0])
def test_zero_factors(n, bad):
    """sqrt with an infinite or NaN partial in some scenarios, not taken there: derivative 0, in every mode."""
    program = fad.record(lambda x, s: fad.where(x > 0.0, fad.sqrt(x) * s, 0.0), 1.0, 2.0)
    x = np.linspace(1.0, 2.0, n)
    x[:: max(1, n // 3)] = bad
    x[-1] = bad  # the scenario that pads the last group
    plain = np.array([math.sqrt(v) if v > 0.0 else 0.0 for v in x])
    slope = np.array([0.5 * 3.0 / math.sqrt(v) if v > 0.0 else 0.0 for v in x])
    got = program.batch(x, 3.0, axes=(0, None), wrt=(0, 1))
    np.testing.assert_allclose(got.value, 3.0 * plain, rtol=1e-15)
    np.testing.assert_allclose(got.gradient[0], slope, rtol=1e-15)
    np.testing.assert_allclose(got.gradient[1], plain, rtol=1e-15)
    total = program.batch(x, 3.0, axes=(0, None), wrt=(0, 1), reduce="sum")
    assert total.gradient == pytest.approx((slope.sum(), plain.sum()), rel=1e-13)


def test_zero_factors_of_uniform_rows():
    """A uniform infinite partial that no scenario, or only some, make use of."""
    program = fad.record(lambda t, z: fad.where(z > 0.0, fad.sqrt(t) * z, z), 1.0, 1.0)
    for z, expected in ((np.array([-1.0, -2.0, 0.0]), 0.0), (np.array([-1.0, 2.0]), math.inf)):
        got = program.batch(0.0, z, axes=(None, 0), wrt=0)
        np.testing.assert_array_equal(got.gradient, np.where(z > 0.0, math.inf, 0.0))
        assert program.batch(0.0, z, axes=(None, 0), wrt=0, reduce="sum").gradient == expected


def test_infinite_partials_of_padding_do_no_harm():
    """The last group is filled up with copies of its last scenario, whose derivative is infinite."""
    program = fad.record(lambda x: fad.sqrt(x), 1.0)
    x = np.array([4.0] * 64 + [1.0, 0.0])
    assert_same_bits(program.batch(x).gradient, [0.25] * 64 + [0.5, math.inf])
    assert program.batch(x, reduce="sum").gradient == math.inf
    scaled = fad.record(lambda x, y: fad.sqrt(x) * y, 1.0, 1.0)
    y = np.array([1.0] * 65 + [0.0])
    assert_same_bits(scaled.batch(x, y).gradient, [0.25] * 64 + [0.5, 0.0])
    assert scaled.batch(x, y, reduce="sum").gradient == 16.5


def test_nan_and_inf_flow_per_scenario():
    """A scenario that is not finite spoils none of its neighbours."""
    program = fad.record(lambda x, y: fad.log(x) * y + x / y, 1.0, 1.0)
    x, y = np.linspace(1.0, 2.0, 70), np.linspace(1.0, 3.0, 70)
    clean = program.batch(x, y, wrt=(0, 1))
    x[[3, 68]], y[5] = math.nan, math.inf
    got = program.batch(x, y, wrt=(0, 1))
    good = np.ones(70, bool)
    good[[3, 68, 5]] = False
    assert np.isnan(got.value[[3, 68]]).all()
    assert_same_bits(got.value[good], clean.value[good])
    for a, b in zip(got.gradient, clean.gradient):
        assert np.isnan(a[[3, 68]]).all()
        assert_same_numbers(a[good], b[good])
    assert math.isnan(program.batch(x, y, reduce="mean").value)


def test_ties_per_scenario():
    """At a tie the whole adjoint goes to the first operand; a NaN takes the adjoint."""
    program = fad.record(lambda x, y: fad.maximum(x, y) + 2.0 * fad.minimum(y, x), 1.0, 2.0)
    x = np.array([1.0, 2.0, 3.0, math.nan, 2.0])
    y = np.array([2.0, 2.0, 2.0, 2.0, math.nan])
    got = program.batch(x, y, wrt=(0, 1))
    np.testing.assert_array_equal(got.gradient[0], [2.0, 1.0, 1.0, 3.0, 0.0])
    np.testing.assert_array_equal(got.gradient[1], [1.0, 2.0, 2.0, 0.0, 3.0])


# -------------------- random programs --------------------
# An instruction is (operation, first, second, third); operands count back from the last value.


def bounded(x, lib):
    return x / lib.sqrt(x * x + 1.0)


OPERATIONS = {
    "add": lambda x, y, z, lib: 0.5 * (x + y),
    "sub": lambda x, y, z, lib: x - 0.25 * y,
    "mul": lambda x, y, z, lib: x * y,
    "square": lambda x, y, z, lib: x * x,
    "div": lambda x, y, z, lib: x / (1.5 + y),
    "pow": lambda x, y, z, lib: (1.5 + x) ** y,
    "neg": lambda x, y, z, lib: -x,
    "exp": lambda x, y, z, lib: lib.exp(x) * y,
    "log": lambda x, y, z, lib: lib.log(2.0 + x),
    "sin": lambda x, y, z, lib: lib.sin(3.0 * x),
    "cos": lambda x, y, z, lib: lib.cos(x) - y,
    "tanh": lambda x, y, z, lib: lib.tanh(x),
    "erf": lambda x, y, z, lib: lib.erf(x),
    "norm_cdf": lambda x, y, z, lib: lib.norm_cdf(x),
    "maximum": lambda x, y, z, lib: lib.maximum(x, y),
    "minimum": lambda x, y, z, lib: lib.minimum(x, z),
    "abs": lambda x, y, z, lib: lib.abs(x),
    "where": lambda x, y, z, lib: lib.where(lib.less(x, y), z, x),
    "guarded": lambda x, y, z, lib: lib.where(lib.less(0.1, x), lib.sqrt(lib.maximum(x, 0.01)), y),
}
FAD = library(fad)

instructions = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)),
    min_size=1,
    max_size=25,
)


def run(code, values, lib):
    values = list(values)
    for name, *operands in code:
        x, y, z = (bounded(values[-1 - k % len(values)], lib) for k in operands)
        values.append(OPERATIONS[name](x, y, z, lib))
    return values[-1], values[len(values) // 2] * 2.0


@repeatable
@given(
    code=instructions,
    varies=st.lists(st.booleans(), min_size=4, max_size=4).filter(any),
    wrt=st.permutations(range(4)).flatmap(lambda p: st.integers(1, 4).map(lambda k: tuple(p[:k]))),
    n=st.integers(1, 70),
    seed=st.integers(0, 10),
)
@example(code=[("where", 0, 1, 2)], varies=[False, False, True, False], wrt=(3, 0), n=66, seed=1)
@example(code=[("where", 0, 1, 2), ("mul", 0, 0, 0)], varies=[True, False, False, False], wrt=(1,), n=3, seed=1)
def test_random_programs(code, varies, wrt, n, seed):
    """Two outputs of a random expression: bits of single calls, and derivatives of complex step."""
    program = fad.record(lambda *x: run(code, x, FAD), 0.3, -0.6, 1.1, 0.9)
    rng = np.random.default_rng(seed)
    args = [rng.uniform(-1.5, 1.5, n) if v else float(rng.uniform(-1.5, 1.5)) for v in varies]
    axes = [0 if v else None for v in varies]
    got = program.batch(*args, axes=axes, wrt=wrt)
    reduced = program.batch(*args, axes=axes, wrt=wrt, reduce="sum")
    for i in {0, n // 2, n - 1}:
        x = [a[i] if v else a for a, v in zip(args, varies)]
        value, jacobian = program(*x), program.jacobian(*x, argnums=wrt)
        for k in (0, 1):
            assert_same_bits(got.value[k][i], value[k])
            assert_same_numbers([g[i] for g in got.gradient[k]], jacobian[k])
            exact = complex_step(lambda p, k=k: run(code, p, COMPLEX)[k], x)
            np.testing.assert_allclose(jacobian[k], exact[list(wrt)], rtol=1e-9, atol=1e-11)
            plain = run(code, [complex(v) for v in x], COMPLEX)[k].real
            assert value[k] == pytest.approx(plain, rel=1e-11, abs=1e-12)
    for k in (0, 1):
        np.testing.assert_allclose(reduced.value[k], math.fsum(got.value[k]), rtol=1e-11, atol=1e-11)
        totals = [math.fsum(g) for g in got.gradient[k]]
        np.testing.assert_allclose(reduced.gradient[k], totals, rtol=1e-10, atol=1e-10)


# -------------------- branches --------------------


def raising(f, *args):
    """A program that raises where it would be recorded again."""
    program = fad.record(f, *args)
    program.on_divergence = "raise"
    return program


def barrier(path, level):
    for s in path:
        if s > level:  # knocked out
            return 0.0 * s
    return max(path[-1] - 1.0, 0.0)  # payoff


def line_of(function, marker):
    lines, first = inspect.getsourcelines(function)
    (found,) = [first + i for i, line in enumerate(lines) if marker in line]
    return f"{Path(__file__).name}:{found}"


def test_divergence_names_scenarios_and_line():
    program = raising(barrier, np.array([1.0, 1.2]), 2.0)
    paths = np.full((1000, 2), 1.5)
    assert_same_bits(program.batch(paths, 2.0, axes=(0, None)).value, np.full(1000, 0.5))
    paths[[70, 999], 0] = 2.5
    with pytest.raises(DivergenceError) as caught:
        program.batch(paths, 2.0, axes=(0, None), threads=1)
    text = str(caught.value)
    assert line_of(barrier, "# knocked out") in text
    assert "if s > level" in text
    assert "scenario" in text
    assert "70" in text
    paths[:] = 0.5
    paths[[5, 6], 1] = 1.5  # the first scenario and most others leave the payoff's branch
    with pytest.raises(DivergenceError, match=r"scenarios 0, 1, 2, 3, 4, 7, 8, 9 and at least .* more") as caught:
        program.batch(paths, 2.0, axes=(0, None))
    assert line_of(barrier, "# payoff") in str(caught.value)
    assert "fad.maximum instead of the builtin max" in str(caught.value)
    paths[:] = 1.5
    paths[64] = math.nan  # decides both comparisons as recorded, in plain Python too
    assert np.flatnonzero(np.isnan(program.batch(paths, 2.0, axes=(0, None)).value)).tolist() == [64]


def test_divergence_of_uniform_arguments():
    program = raising(lambda x, n: x * 2.0 if n > 1.0 else x, 1.0, 2.0)
    with pytest.raises(DivergenceError, match="scenarios 0, 1, 2 decide"):
        program.batch(np.ones(3), 0.5, axes=(0, None))
    frozen = raising(lambda x: x * fad.value(x), 1.0)
    np.testing.assert_array_equal(frozen.batch(np.ones(65)).value, np.ones(65))
    with pytest.raises(DivergenceError, match=r"frozen while recording is another one for scenario 64:"):
        frozen.batch(np.array([1.0] * 64 + [2.0]))


def test_thresholds_per_scenario():
    """x > 1 is false at 1; only scenarios that decide otherwise count."""
    program = raising(lambda x: x * 2.0 if x > 1.0 else x, 2.0)
    above = np.full(100, np.nextafter(1.0, 2.0))
    np.testing.assert_array_equal(program.batch(above).value, 2.0 * above)
    above[[17, 99]] = 1.0
    with pytest.raises(DivergenceError, match="scenarios 17, 99 "):
        program.batch(above, threads=1)


def two_guards(x):
    if x > 10.0:  # first
        return x
    return x * 2.0 if x > 1.0 else x  # second


def test_the_first_guard_is_reported_with_its_own_scenarios():
    program = raising(two_guards, 2.0)
    x = np.full(60, 2.0)
    x[[3, 5]], x[[20, 59]] = 0.5, 11.0
    with pytest.raises(DivergenceError, match="scenarios 20, 59 ") as caught:
        program.batch(x)
    assert line_of(two_guards, "# first") in str(caught.value)
    x[[20, 59]] = 2.0
    with pytest.raises(DivergenceError, match="scenarios 3, 5 ") as caught:
        program.batch(x)
    assert line_of(two_guards, "# second") in str(caught.value)


def test_a_scenario_counts_for_its_first_guard():
    """Scenario 2 decides both comparisons otherwise; what comes after the first is not a path of the function."""

    def f(x, y):
        total = x if x < 10.0 else -x  # first of two
        return total + (y if y < 10.0 else -y)

    program = raising(f, 1.0, 1.0)
    x, y = np.ones(5), np.ones(5)
    x[2], y[2], y[4] = 11.0, 11.0, 11.0
    with pytest.raises(DivergenceError, match="scenario 2 ") as caught:
        program.batch(x, y)
    assert line_of(f, "# first of two") in str(caught.value)


def test_the_message_does_not_depend_on_threads():
    program = raising(two_guards, 2.0)
    x = np.full(2000, 2.0)
    x[3], x[500], x[1900] = 0.5, 11.0, 11.0
    messages = set()
    for threads in (1, 2, 3, 8):
        with pytest.raises(DivergenceError) as caught:
            program.batch(x, threads=threads)
        messages.add(str(caught.value))
    assert len(messages) == 1, messages


def test_padding_does_not_diverge():
    """Lanes beyond the last scenario are not scenarios."""
    program = raising(lambda x: x * 2.0 if x > 1.0 else x, 2.0)
    assert program.batch(np.array([3.0])).value.tolist() == [6.0]


# -------------------- errors --------------------


def test_errors(program):
    s, k, sigma = option_data(10)
    with pytest.raises(ShapeError, match=r"different lengths: \[9, 10\]"):
        program.batch(s, k[:9], sigma)
    with pytest.raises(ShapeError, match="no scenario axis"):
        program.batch(1.0, 2.0, 0.3, axes=None)
    with pytest.raises(ShapeError, match="no scenarios"):
        program.batch(s[:0], k[:0], sigma[:0])
    for axes in (1, (0, 0), (0, 0, 1), (0, 0, 0, 0), "000", (0, None, "0")):
        with pytest.raises(ShapeError, match="axes="):
            program.batch(s, k, sigma, axes=axes)
    for reduce in ("avg", "Mean", True, 0):
        with pytest.raises(ValueError, match="expected None, 'mean' or 'sum'"):
            program.batch(s, k, sigma, reduce=reduce)
    for wrt in (3, -4, (0, 3)):
        with pytest.raises(ShapeError, match="has 3 arguments"):
            program.batch(s, k, sigma, wrt=wrt)
    with pytest.raises(TypeError, match="without a float"):
        fad.record(lambda x, n: x * n, 2.0, 3).batch(s, 3, axes=(0, None), wrt=1)


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads(program, threads):
    """As in monte_carlo; -1 must not pass where one range of groups needs no pool."""
    for n in (10, 1000):
        with pytest.raises(ValueError, match=f"threads={threads}"):
            program.batch(*option_data(n), threads=threads)


def test_a_leaf_without_a_scenario_axis(program):
    s, k, _ = option_data(10)
    with pytest.raises(ShapeError, match=r"argument 2 has axis 0 but a leaf without"):
        program.batch(s, k, 0.2)
    with pytest.raises(ShapeError, match=r"argument 0 has axis 0 but a leaf without"):
        program.batch(100.0, 90.0, 0.2)


def test_static_arrays_cannot_carry_scenarios():
    """A flag per scenario is no number; taking the whole array for every scenario would be silently wrong."""
    program = fad.record(lambda d: fad.where(d["f"], d["x"], 0.0), {"f": True, "x": 1.0})
    with pytest.raises((ShapeError, TypeError)):
        program.batch({"f": np.array([True, False]), "x": np.ones(2)})


def test_a_failed_batch_leaves_the_program_usable(program):
    s, k, sigma = option_data(100)
    before = program.batch(s, k, sigma).value
    for bad in (dict(wrt=7), dict(axes=(0, 0)), dict(reduce="x")):
        with pytest.raises((ShapeError, ValueError)):
            program.batch(s, k, sigma, **bad)
    assert_same_bits(program.batch(s, k, sigma).value, before)


def test_the_data_is_not_changed(program):
    data = option_data(70)
    copies = [a.copy() for a in data]
    program.batch(*data, wrt=(0, 1, 2), reduce="mean")
    for a, b in zip(data, copies):
        assert_same_bits(a, b)


def test_tapes_too_long_for_the_workspace_go_scenario_by_scenario(monkeypatch):
    def f(x, y):
        for _ in range(50):
            x = fad.sin(x) * y + x
            if x > 3.0:
                x = x - 3.0
        return x

    xs = np.linspace(0.1, 2.0, 150)
    ask = {"axes": (0, None), "wrt": (0, 1)}
    whole = fad.record(f, 0.5, 1.1).batch(xs, 1.1, **ask)
    mean = fad.record(f, 0.5, 1.1).batch(xs, 1.1, reduce="mean", **ask)
    asked = []
    run = point_by_point.run
    monkeypatch.setattr(point_by_point, "run", lambda *arguments: asked.append(arguments) or run(*arguments))
    monkeypatch.setattr("fastad.program.batch._MOST_SLOTS", 40)
    by_point = fad.record(f, 0.5, 1.1).batch(xs, 1.1, threads=2, **ask)
    assert_same_numbers(by_point.value, whole.value)
    for k in range(2):
        assert_same_numbers(by_point.gradient[k], whole.gradient[k])
    assert asked
    again = fad.record(f, 0.5, 1.1).batch(xs, 1.1, reduce="mean", **ask)
    np.testing.assert_allclose(np.array(again.gradient), np.array(mean.gradient), rtol=1e-13)
