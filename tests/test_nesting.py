"""Transforms inside transforms, to any order and in any mix, in every consumer.

Oracles: mpmath at 50 digits, derivatives written out, complex step of gradients, Pearlmutter and Siskind's published
results for the saddle and particle problems.
"""

import math
from itertools import product

import mpmath as mp
import numba
import numpy as np
import pytest
from helpers_core import assert_same_numbers, instructions, points, repeatable, run_program
from hypothesis import given

import fastad as fad
from fastad.errors import TapeError
from fastad.ops import OPCODE
from fastad.record.array import elementwise

# Five ways to the derivative of a function of one number.
DERIVATIVES = {
    "grad": fad.grad,
    "jacobian": lambda f: fad.jacobian(f, mode="forward"),
    "jvp": lambda f: lambda x: fad.jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: fad.vjp(f, x)[1](1.0)[0],
    "derivative": lambda f: lambda x: fad.derivative(f, x),
}
FORWARD, REVERSE = DERIVATIVES["jvp"], DERIVATIVES["grad"]
ways = pytest.mark.parametrize("ways", list(product(DERIVATIVES, repeat=2)), ids="-".join)


def by(ways):
    return [DERIVATIVES[way] for way in ways]


# -------------------- perturbation confusion --------------------


@ways
def test_the_confusion_case(ways):
    """D(x -> x * D(y -> x + y)(1))(1) is 1; confusing x with y makes it 2."""
    outer, inner = by(ways)
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    # The inner argument is the outer variable itself: only the copy may count.
    assert outer(lambda x: inner(lambda y: x * y)(x))(3.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x * y * y)(x))(3.0) == pytest.approx(6 * 3.0**2, rel=1e-15)
    assert outer(lambda x: inner(lambda y: inner(lambda z: x * y * z * z)(y))(x))(2.0) == pytest.approx(8 * 2.0)


@ways
def test_inner_derivatives_of_what_does_not_depend(ways):
    outer, inner = by(ways)
    assert outer(lambda x: x * inner(lambda y: x)(x))(3.0) == 0.0
    assert outer(lambda x: x * inner(lambda y: 5.0)(1.0))(3.0) == 0.0
    assert outer(lambda x: x + inner(lambda y: y * y)(4.0))(3.0) == 1.0
    assert outer(lambda x: inner(lambda y: y * fad.stop_gradient(y))(x))(3.0) == 0.0


# -------------------- higher orders --------------------


def wave(x, lib):
    return lib.exp(lib.sin(x) * x) / (1.0 + x * x)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@ways
def test_higher_derivatives(ways, order):
    outer, inner = by(ways)
    f = lambda x: wave(x, fad)  # noqa: E731
    for level in range(order):
        f = (inner if level % 2 == 0 else outer)(f)
    assert f(0.7) == pytest.approx(float(mp.diff(lambda x: wave(x, mp), 0.7, order)), rel=1e-12)


SMOOTH = {
    "sqrt": mp.sqrt,
    "pow": lambda x: x ** mp.mpf("0.7"),
    "exp": mp.exp,
    "log": mp.log,
    "sin": mp.sin,
    "cos": mp.cos,
    "tanh": mp.tanh,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "norm_pdf": mp.npdf,
    "norm_cdf": mp.ncdf,
    "norm_ppf": lambda x: mp.sqrt(2) * mp.erfinv(2 * x - 1),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "expm1": mp.expm1,
    "log1p": mp.log1p,
    "exp2": lambda x: 2**x,
    "log2": lambda x: mp.log(x, 2),
    "log10": mp.log10,
    "cbrt": mp.cbrt,
    "tan": mp.tan,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "arcsinh": mp.asinh,
    "arccosh": lambda x: mp.acosh(1 + x),
    "arctanh": mp.atanh,
    "expit": lambda x: 1 / (1 + mp.exp(-x)),
    "lgamma": mp.loggamma,
    "digamma": mp.digamma,
    "polygamma": lambda x: mp.polygamma(2, x),
    "neg": lambda x: -x,
    "abs": abs,
}
ARGUMENTS = {
    "pow": lambda x: fad.pow(x, 0.7),
    "arccosh": lambda x: fad.arccosh(1.0 + x),
    "polygamma": lambda x: fad.polygamma(2.0, x),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_every_function_to_third_order(name):
    """Second and third derivatives at a point of every smooth function of one number, in three consumers."""
    f = ARGUMENTS.get(name, getattr(fad, name))
    oracle = [float(mp.diff(SMOOTH[name], mp.mpf("0.375"), order)) for order in (1, 2, 3)]
    # The partial of tanh, 1 - v * v, and those like it lose a digit or two to cancellation: absolute tolerance.
    close = {"rel": 2e-13, "abs": 1e-14}
    assert fad.hessian(f)(0.375) == pytest.approx(oracle[1], **close)
    assert fad.grad(fad.grad(fad.grad(f)))(0.375) == pytest.approx(oracle[2], **close)
    assert fad.record(f, 0.25).hessian(0.375) == pytest.approx(oracle[1], **close)
    batch = fad.record(fad.grad(f), 0.25).batch(np.array([0.375, 0.5]))
    assert (batch.value[0], batch.gradient[0]) == pytest.approx(oracle[:2], **close)


BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "hypot": mp.hypot,
    "arctan2": mp.atan2,
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "maximum": lambda x, y: max(x, y),
    "fmin": lambda x, y: min(x, y),
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "copysign": lambda x, y: abs(x) * mp.sign(y),
}


@pytest.mark.parametrize("name", BINARY)
def test_every_binary_function_to_second_order(name):
    f, x, y = getattr(fad, name), 1.75, 0.625
    orders = [(2, 0), (1, 1), (1, 1), (0, 2)]
    oracle = [float(mp.diff(BINARY[name], (mp.mpf(x), mp.mpf(y)), order)) for order in orders]
    close = {"rel": 1e-12, "abs": 1e-13}
    for hessian in (fad.hessian(f, argnums=(0, 1)), lambda *a: fad.record(f, 1.0, 2.0).hessian(*a, argnums=(0, 1))):
        (xx, xy), (yx, yy) = hessian(x, y)
        assert [xx, xy, yx, yy] == pytest.approx(oracle, **close)


def test_mixed_second_partial_of_a_power_with_exponent_zero():
    """Of x ** y at y = 0 it is 1 / x, in whichever order: the partial in the base is 0 there, its derivative not."""
    (xx, xy), (yx, yy) = fad.hessian(fad.pow, argnums=(0, 1))(4.0, 0.0)
    assert (xx, xy, yx) == (0.0, 0.25, 0.25)
    assert yy == pytest.approx(math.log(4.0) ** 2)
    assert fad.grad(fad.pow, argnums=(0, 1))(0.0, 0.0) == (0.0, 0.0)
    assert fad.grad(fad.pow)(math.nan, 0.0) == 0.0


# -------------------- Hessians --------------------


class _Mp:
    """The functions of random programs, at 50 digits."""

    sqrt, exp, log, sin, cos, tanh = mp.sqrt, mp.exp, mp.log, mp.sin, mp.cos, mp.tanh


@repeatable
@given(program=instructions, x=points)
def test_hessians_of_random_programs(program, x):
    """Against central differences at 50 digits, which have 15 digits to spare."""
    n = len(x)
    h = mp.mpf(10) ** -12

    def f(v):
        return run_program(program, v, fad)[-1]

    def moved(i, j, a, b):
        v = [mp.mpf(number) for number in x]
        v[i] += a * h
        v[j] += b * h
        return run_program(program, v, _Mp)[-1]

    oracle = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            signs = product((1, -1), repeat=2)
            oracle[i, j] = oracle[j, i] = float(sum(a * b * moved(i, j, a, b) for a, b in signs) / (4 * h * h))
    hessian = fad.hessian(f)(np.array(x))
    np.testing.assert_allclose(hessian, oracle, rtol=1e-9, atol=1e-9 * max(1.0, abs(oracle).max()))
    recorded = fad.record(f, np.zeros(n))
    assert_same_numbers(recorded.hessian(np.array(x)), hessian) if n > 1 else None
    v = np.linspace(1.0, 2.0, n)
    scale = 1e-9 * max(1.0, abs(oracle).max())
    np.testing.assert_allclose(fad.hvp(f, (np.array(x),), (v,))[1][0], oracle @ v, rtol=1e-9, atol=scale)
    np.testing.assert_allclose(recorded.hvp((np.array(x),), (v,))[1][0], oracle @ v, rtol=1e-9, atol=scale)


# -------------------- Pearlmutter and Siskind's problems --------------------
# Their outer optimisation takes 150 small steps; the derivatives are the same ones with steps that converge at once.

MODES = {"forward": lambda f: fad.jacobian(f, mode="forward"), "reverse": fad.grad}
both_modes = pytest.mark.parametrize("modes", list(product(MODES, repeat=2)), ids="-".join)


def descend(f, x, gradient, eta=0.4):
    """Gradient descent until a step is smaller than 1e-7; decides by the values of actives."""
    while True:
        new = [a - eta * slope for a, slope in zip(x, gradient(f)(x))]
        if sum((fad.value(a) - fad.value(b)) ** 2 for a, b in zip(x, new)) <= 1e-14:
            return new
        x = new


@both_modes
def test_saddle(modes):
    """min over p of max over q of |p|^2 - |q|^2: at the origin."""
    outer, inner = (MODES[mode] for mode in modes)
    difference = lambda p, q: (p[0] * p[0] + p[1] * p[1]) - (q[0] * q[0] + q[1] * q[1])  # noqa: E731
    best = lambda p: descend(lambda q: -difference(p, q), [1.0, 1.0], inner)  # noqa: E731
    p = descend(lambda p: difference(p, best(p)), [1.0, 1.0], outer)
    assert p == pytest.approx([0.0, 0.0], abs=1e-7)
    assert best(p) == pytest.approx([0.0, 0.0], abs=1e-7)


def landing(w, acceleration):
    """Where a particle between two charges meets the ground, by Euler's method."""
    x, v, dt = [0.0, 8.0], [0.75, 0.0], 0.1
    while True:
        new = [s + dt * u for s, u in zip(x, v)]
        if not new[1] > 0.0:
            return x[0] - x[1] / v[1] * v[0]
        v = [u + dt * a for u, a in zip(v, acceleration(w, x))]
        x = new


def charges(w):
    return ((10.0, 10.0 - w), (10.0, 0.0))


def acceleration_by_hand(w, x):
    parts = [(math.hypot(x[0] - a, x[1] - b), x[0] - a, x[1] - b) for a, b in charges(w)]
    return [sum(dx / r**3 for r, dx, _ in parts), sum(dy / r**3 for r, _, dy in parts)]


def bisected(low=0.1, high=0.3):
    """The charge at which the particle lands at x = 0."""
    sign = landing(low, acceleration_by_hand) > 0.0
    while high - low > 1e-14:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if (landing(middle, acceleration_by_hand) > 0.0) == sign else (low, middle)
    return low


@both_modes
def test_particle(modes):
    """The charge that lands it at x = 0, by Newton's method; there the second derivative, three levels deep."""
    outer, inner = (MODES[mode] for mode in modes)

    def acceleration(w, x):
        potential = lambda x: sum(1.0 / fad.sqrt((x[0] - a) ** 2 + (x[1] - b) ** 2) for a, b in charges(w))  # noqa: E731
        return [-slope for slope in inner(potential)(x)]

    place = lambda w: landing(w, acceleration)  # noqa: E731
    w = 0.15
    for _ in range(6):
        w -= place(w) / outer(place)(w)
    assert w == pytest.approx(bisected(), abs=1e-12)
    assert w == pytest.approx(0.20719187464861, abs=1e-5)  # as published, stopped at steps of 1e-5
    low, middle, high = (landing(w + step, acceleration_by_hand) for step in (-1e-4, 0.0, 1e-4))
    assert outer(outer(place))(w) == pytest.approx((low - 2.0 * middle + high) / 1e-8, rel=1e-5)


# -------------------- kinks, choices, lookups, branches --------------------


def test_second_derivatives_at_kinks():
    """That of the branch which the first derivative takes; poles stay poles."""
    assert fad.hessian(fad.abs)(0.0) == 0.0
    assert fad.hessian(lambda x: fad.maximum(x * x, x))(1.0) == 2.0
    assert fad.hessian(lambda x: fad.maximum(x, x * x))(1.0) == 0.0
    assert fad.hessian(lambda x: fad.minimum(x * x, 0.0))(0.0) == 2.0
    assert fad.hessian(fad.sqrt)(0.0) == fad.hessian(fad.sqrt)(-0.0) == -math.inf
    assert fad.hessian(fad.arcsin)(1.0) == math.inf
    for f in (fad.hypot, fad.arctan2):
        assert fad.hessian(f, argnums=(0, 1))(0.0, 0.0) == ((0.0, 0.0), (0.0, 0.0))
    for f in (fad.floor, fad.ceil, fad.rint, fad.trunc, fad.sign, fad.stop_gradient):
        assert fad.hessian(lambda x, f=f: x * x * f(x))(2.5) == 2.0 * f(2.5)


@pytest.mark.parametrize("x", [-1.0, 0.0, 4.0])
def test_a_zero_factor_is_zero_at_every_order(x):
    f = lambda x: fad.where(x > 0.0, fad.sqrt(x), 0.0)  # noqa: E731
    slopes = [0.25, -1 / 32, 3 / 256] if x > 0.0 else [0.0, 0.0, 0.0]
    for derivative in (fad.grad, DERIVATIVES["jvp"]):
        g = f
        for slope in slopes:
            g = derivative(g)
            assert g(x) == slope
    assert fad.record(f, 1.0).hessian(x) == slopes[1]
    batch = fad.record(fad.grad(f), 1.0).batch(np.full(70, x))
    assert (set(batch.value), set(batch.gradient)) == ({slopes[0]}, {slopes[1]})


KNOTS = np.array([0.0, 1.0, 2.5, 4.0])
HEIGHTS = np.array([1.0, 3.0, 2.0, 5.0])


def interpolated(x, heights):
    return fad.interp(x, KNOTS, heights) ** 2 * x


def interpolated_hessian(x):
    """Of g(x, h) = (w . h)^2 x, by hand: w are the weights of the cell, linear in x."""
    k = int(np.searchsorted(KNOTS, x, side="right")) - 1
    width = KNOTS[k + 1] - KNOTS[k]
    w, dw = np.zeros(4), np.zeros(4)
    w[k], w[k + 1] = (KNOTS[k + 1] - x) / width, (x - KNOTS[k]) / width
    dw[k], dw[k + 1] = -1.0 / width, 1.0 / width
    u, du = w @ HEIGHTS, dw @ HEIGHTS
    return 4 * u * du + 2 * x * du * du, 2 * u * w + 2 * x * (du * w + u * dw), 2 * x * np.outer(w, w)


@pytest.mark.parametrize("x", [0.3, 1.0, 1.7, 2.5, 3.9])
def test_lookups(x):
    """The adjoint of a lookup goes to the element picked: in a replay to another one than in the recording."""
    xx, xh, hh = interpolated_hessian(x)
    program = fad.record(interpolated, 0.3, HEIGHTS)
    for hessian in (fad.hessian(interpolated, (0, 1)), lambda *a: program.hessian(*a, argnums=(0, 1))):
        got = hessian(x, HEIGHTS)
        assert got[0][0] == pytest.approx(xx, rel=1e-13)
        for actual, expected in ((got[0][1], xh), (got[1][0], xh), (got[1][1], hh)):
            np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-13)
    forward = fad.record(lambda x, h: fad.jvp(interpolated, (x, h), (1.0, np.ones(4)))[1], 0.3, HEIGHTS)
    got = forward.batch(np.full(70, x), HEIGHTS, axes=(0, None), wrt=(0, 1))
    assert got.gradient[0] == pytest.approx(np.full(70, xx + xh.sum()), rel=1e-12)
    np.testing.assert_allclose(got.gradient[1], np.tile(xh + hh.sum(axis=0), (70, 1)), rtol=1e-12, atol=1e-12)
    backward = fad.record(fad.grad(interpolated, (0, 1)), 0.3, HEIGHTS)
    got = backward.batch(np.full(70, x), HEIGHTS, axes=(0, None), wrt=(0, 1))
    np.testing.assert_allclose(got.gradient[1][1], np.tile(hh, (70, 1, 1)), rtol=1e-13, atol=1e-13)
    assert (len(program.variants), len(forward.variants), len(backward.variants)) == (1, 1, 1)


def branching(x):
    for _ in range(3):
        x = x * x if x > 1.0 else x + 0.5
    return x


def branching_hessian(x):
    """By hand on (value, first, second derivative)."""
    v, d, dd = x, 1.0, 0.0
    for _ in range(3):
        v, d, dd = (v * v, 2 * v * d, 2 * d * d + 2 * v * dd) if v > 1.0 else (v + 0.5, d, dd)
    return dd


def test_branches():
    xs = np.linspace(-1.0, 1.5, 40)
    expected = [branching_hessian(x) for x in xs]
    assert [fad.hessian(branching)(x) for x in xs] == pytest.approx(expected, rel=1e-14)
    program, gradient = fad.record(branching, 0.0), fad.record(fad.grad(branching), 0.0)
    assert [program.hessian(x) for x in xs] == pytest.approx(expected, rel=1e-14)
    assert gradient.batch(xs).gradient == pytest.approx(expected, rel=1e-14)
    assert len(program.variants) == len(gradient.variants) == 4


# -------------------- inside Programs, saved ones too --------------------


def black_scholes(spot, vol):
    d = fad.log(spot / 100.0) / vol + 0.5 * vol
    return spot * fad.norm_cdf(d) - 100.0 * fad.norm_cdf(d - vol)


def gamma_vanna(spot, vol):
    d = math.log(spot / 100.0) / vol + 0.5 * vol
    density = math.exp(-0.5 * d * d) / math.sqrt(2.0 * math.pi)
    return density / (spot * vol), -density * (d - vol) / vol


def test_programs_of_gradients(tmp_path):
    spots = np.linspace(70.0, 130.0, 100)
    expected = np.array([gamma_vanna(spot, 0.2) for spot in spots]).T
    gradient = fad.record(fad.grad(black_scholes), 100.0, 0.25)
    batch = gradient.batch(spots, 0.2, axes=(0, None), wrt=(0, 1))
    np.testing.assert_allclose(batch.gradient, expected, rtol=1e-11, atol=1e-13)
    program = fad.record(black_scholes, 100.0, 0.25)
    program.save(tmp_path / "value.npz")
    gradient.save(tmp_path / "gradient.npz")
    loaded, second = fad.load(tmp_path / "value.npz"), fad.load(tmp_path / "gradient.npz")
    assert second.grad(90.0, 0.2, argnums=(0, 1)) == gradient.grad(90.0, 0.2, argnums=(0, 1))
    for p in (program, loaded):
        hessian = p.hessian(90.0, 0.2, argnums=(0, 1))
        assert hessian[0] == pytest.approx(gamma_vanna(90.0, 0.2), rel=1e-12)
        value, (by_spot, by_vol) = p.hvp((90.0, 0.2), (1.0, 0.0))
        assert value == program(90.0, 0.2)
        assert (by_spot, by_vol) == hessian[0]


def test_gammas_by_monte_carlo():
    """The payoff of a smooth option is its own pathwise delta; its gradient is gamma."""

    def payoff(p, z):
        terminal = p * fad.exp(-0.02 + 0.2 * z[0])
        return 0.01 * terminal * terminal

    result = fad.monte_carlo(lambda p, z: fad.grad(payoff)(p, z), 100.0, normals=1, paths=20_000, seed=1)
    exact = 0.02 * math.exp(0.04)
    assert abs(result.value - 100.0 * exact) < 4.0 * result.stderr
    assert abs(result.gradient - exact) < 4.0 * result.gradient_stderr


# -------------------- structures, closures, seeds, tapes --------------------


def test_structures():
    params = {"a": 2.0, "v": np.array([1.0, 3.0])}
    hessian = fad.hessian(lambda p: p["a"] ** 2 * p["v"][0] * p["v"][1])(params)
    assert hessian["a"]["a"] == 6.0
    assert hessian["a"]["v"].tolist() == hessian["v"]["a"].tolist() == [12.0, 4.0]
    assert hessian["v"]["v"].tolist() == [[0.0, 4.0], [4.0, 0.0]]
    third = fad.jacobian(fad.hessian(lambda v: v[0] ** 2 * v[1]))(np.array([1.0, 2.0]))
    assert third.shape == (2, 2, 2)
    assert [third[0, 0, 1], third[0, 1, 0], third[1, 0, 0], third.sum()] == [2.0, 2.0, 2.0, 6.0]


def test_tangents_and_seeds_that_are_active():
    """Derivatives are linear in them: x y^2 in the direction (a, b), or pulled back from c."""
    f = lambda x, y: x * y * y  # noqa: E731
    directional = lambda a, b: fad.jvp(f, (3.0, 5.0), (a, b))[1]  # noqa: E731
    assert fad.grad(directional, argnums=(0, 1))(7.0, 1.0) == (25.0, 30.0)
    assert fad.grad(lambda c: fad.vjp(f, 3.0, 5.0)[1](c * c)[1])(2.0) == 120.0
    _, pullback = fad.vjp(f, 3.0, 5.0)
    assert fad.grad(lambda c: pullback(c * c)[1])(2.0) == 120.0
    assert fad.grad(lambda t: fad.hvp(f, (3.0, 5.0), (t, t * t))[1][0])(2.0) == 40.0


def test_closures_and_auxiliary_results():
    def outer(x):
        (value, aux), slope = fad.value_and_grad(lambda y: (x * y * y, {"xy": x * y}), has_aux=True)(x)
        return value + aux["xy"] + slope  # x^3 + x^2 + 2 x^2

    assert fad.grad(outer)(2.0) == 12.0 + 12.0
    assert fad.hessian(outer)(2.0) == 12.0 + 6.0


def test_arrays_inside():
    """Gradient of |grad f|^2 for a quadratic form: 2 A A x."""
    a = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 1.0]])
    form = lambda x: 0.5 * sum(x[i] * a[i, j] * x[j] for i in range(3) for j in range(3))  # noqa: E731
    x = np.array([1.0, -2.0, 0.5])
    got = fad.grad(lambda x: (fad.grad(form)(x) ** 2).sum())(x)
    np.testing.assert_allclose(got, 2.0 * a @ a @ x, rtol=1e-14)


def test_actives_of_an_explicit_tape():
    """A transform of actives records on their tape, and is differentiated there."""
    tape = fad.Tape()
    x = tape.input(2.0)
    slope = fad.grad(lambda y: y * y * y)(x)
    assert (slope.tape, slope.value) == (tape, 12.0)
    assert tape.reverse(slope).tolist() == [12.0]
    with pytest.raises(TapeError, match="two tapes"):
        fad.grad(lambda y: y * x)(1.0)


def test_nothing_is_left_behind():
    def bad(x):
        fad.grad(lambda y: y * x)(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fad.grad(bad)(1.0)
    assert fad.grad(lambda x: x * x)(3.0) == 6.0
    assert isinstance(fad.grad(lambda x: x * x)(3.0), float)


def test_rows_grow_with_the_recording_and_not_faster():
    """Adjoint rows are a fixed multiple of the rows: at most 3 for products and sines, at every order."""

    def chain(n, order):
        tape = fad.Tape()
        f = lambda x: [x := fad.sin(x) * x for _ in range(n)][-1]  # noqa: E731
        for _ in range(order):
            f = fad.grad(f)
        f(tape.input(0.5))
        return len(tape)

    for order in (1, 2):
        assert chain(200, order) < 2.01 * chain(100, order)
    assert chain(100, 1) <= 7 * 100


# -------------------- rows that only derivatives write --------------------


@pytest.mark.parametrize("x", [0.0, -0.0, 2.0, -3.0, math.inf, math.nan])
@pytest.mark.parametrize("y", [0.0, 5.0, math.inf, math.nan])
def test_product(x, y):
    """x * y, but zero where a factor is: scalars, arrays, replay and batch."""
    expected = 0.0 if 0.0 in (x, y) else x * y
    f = lambda x, y: elementwise(OPCODE["product"], x, y)  # noqa: E731
    program = fad.record(f, 1.0, 2.0)
    batch = program.batch(np.full(3, x), y, axes=(0, None), wrt=(0, 1))
    for value in (f(x, y), fad.value_and_grad(f)(x, y)[0], program(x, y), batch.value[1]):
        assert_same_numbers(value, expected)
    for gradient in (fad.grad(f, (0, 1))(x, y), program.grad(x, y, argnums=(0, 1)), [g[2] for g in batch.gradient]):
        assert_same_numbers(gradient, [y, x])


@pytest.mark.parametrize("x", [-0.0, 2.5, math.inf, math.nan])
def test_variable(x):
    f = lambda x: elementwise(OPCODE["variable"], x)  # noqa: E731
    program = fad.record(f, 1.0)
    batch = program.batch(np.full(3, x))
    for value in (f(x), fad.value_and_grad(f)(x)[0], program(x), batch.value[1]):
        assert_same_numbers(value, x)
    assert (fad.grad(f)(x), program.grad(x), batch.gradient.tolist()) == (1.0, 1.0, [1.0] * 3)


def test_forward_jacobians_of_jitted_functions_nest():
    cube = numba.njit(lambda x: x * x * x)
    inner = fad.jacobian(cube, mode="forward")
    assert inner(3.0) == 27.0
    assert fad.grad(inner)(3.0) == 18.0
    assert fad.derivative(inner, 3.0) == 18.0


def test_arguments_and_results_that_are_written_into():
    """What is written into an array afterwards changes no derivative; an element written over has none."""
    x = np.array([1.0, 2.0, 3.0])

    def overwritten(a):
        a[1] = 5.0
        a *= 2.0
        return (a * a * a).sum()

    expected = np.diag([48.0, 0.0, 144.0])
    np.testing.assert_array_equal(fad.hessian(overwritten)(x), expected)
    np.testing.assert_array_equal(fad.jacobian(fad.grad(overwritten))(x), expected)
    np.testing.assert_array_equal(fad.hvp(overwritten, (x,), (np.ones(3),))[1][0], expected.sum(axis=1))

    def through_a_pullback(x):
        y, pullback = fad.vjp(lambda x: x * x, x)
        y[0] = 5.0
        y[1] *= y[2]
        return (pullback(np.ones(3))[0] * x).sum()

    np.testing.assert_array_equal(fad.grad(through_a_pullback)(x), 4.0 * x)
