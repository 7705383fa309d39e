"""Taylor coefficients along a line. Oracle: mpmath at 50 digits, and series written out."""

import math

import mpmath as mp
import numpy as np
import pytest
from helpers_core import instructions, points, repeatable, run_program
from hypothesis import given

import fastad as fad
from fastad.errors import NestingError, ShapeError
from fastad.ops import OPS

ORDER = 7

# Every operation with a derivative, at a point where all of them are smooth, as mpmath knows it.
UNARY = {
    "neg": lambda x: -x,
    "abs": lambda x: x,
    "exp": mp.exp,
    "log": mp.log,
    "sqrt": mp.sqrt,
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
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "expit": lambda x: 1 / (1 + mp.exp(-x)),
    "lgamma": mp.loggamma,
    "digamma": mp.digamma,
    "stop_gradient": lambda x: mp.mpf("0.4"),
    "floor": lambda x: mp.mpf(0),
    "ceil": lambda x: mp.mpf(1),
    "rint": lambda x: mp.mpf(0),
    "trunc": lambda x: mp.mpf(0),
    "sign": lambda x: mp.mpf(1),
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "maximum": lambda x, y: y,
    "minimum": lambda x, y: x,
    "fmax": lambda x, y: y,
    "fmin": lambda x, y: x,
    "copysign": lambda x, y: x,
    "arctan2": mp.atan2,
    "hypot": mp.hypot,
    "floordiv": lambda x, y: mp.mpf(0),
    "mod": lambda x, y: x,
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "polygamma": lambda x, y: mp.polygamma(2, y),
}


def series(f, order=ORDER):
    """Taylor coefficients at 0 of a function of an mpmath number."""
    with mp.workdps(80):
        return [float(c) for c in mp.taylor(f, 0, order)]


def test_every_operation_is_here():
    assert {op.name for op in OPS if op.kind == "smooth"} == set(UNARY) | set(BINARY)


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_number(name):
    x = 1.4 if name == "arccosh" else 0.4
    expected = series(lambda t: UNARY[name](mp.mpf(x) + mp.mpf("0.5") * t))
    np.testing.assert_allclose(fad.taylor(getattr(fad, name), x, 0.5, ORDER), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_numbers(name):
    """Both move; then either stands still; then either is passive."""
    function = getattr(fad, name)
    x, y = (2.0, 1.3) if name == "polygamma" else (0.4, 1.3)
    for dx, dy in ((0.5, -0.75), (0.5, 0.0), (0.0, -0.75)):
        dx = 0.0 if name == "polygamma" else dx
        expected = series(lambda t, dx=dx, dy=dy: BINARY[name](mp.mpf(x) + dx * t, mp.mpf(y) + dy * t))
        close = {"rtol": 1e-11, "atol": 1e-13}
        np.testing.assert_allclose(fad.taylor(lambda p: function(*p), (x, y), (dx, dy), ORDER), expected, **close)
        if dy == 0.0:
            np.testing.assert_allclose(fad.taylor(lambda x: function(x, y), x, dx, ORDER), expected, **close)
        if dx == 0.0:
            np.testing.assert_allclose(fad.taylor(lambda y: function(x, y), y, dy, ORDER), expected, **close)


@repeatable
@given(program=instructions, x=points)
def test_random_programs(program, x):
    """The coefficients times factorials are derivatives in the direction: by nested jvp, and by mpmath."""
    ways = np.linspace(0.5, 1.0, len(x))

    def f(v):
        return run_program(program, v, fad)[-1]

    class lib:
        sqrt, exp, log, sin, cos, tanh = mp.sqrt, mp.exp, mp.log, mp.sin, mp.cos, mp.tanh

    def along(t):
        return run_program(program, [mp.mpf(a) + mp.mpf(w) * t for a, w in zip(x, ways)], lib)[-1]

    got = fad.taylor(f, np.array(x), ways, 4)
    expected = np.array(series(along, 4))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10 * max(1.0, abs(expected).max()))


def test_choices_lookups_and_guards():
    knots, heights = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 7.0])
    assert fad.taylor(lambda x: fad.where(x > 1.0, x * x, x), 2.0, 1.0, 3).tolist() == [4.0, 4.0, 1.0, 0.0]
    assert fad.taylor(lambda x: x * x if x > 1.0 else x, 0.5, 1.0, 2).tolist() == [0.5, 1.0, 0.0]
    assert fad.taylor(lambda x: fad.interp(x, knots, heights) * x, 1.5, 1.0, 3).tolist() == [7.5, 11.0, 4.0, 0.0]
    assert fad.taylor(lambda x: fad.where(x > 0.0, fad.sqrt(x), 0.0), 0.0, 1.0, 3).tolist() == [0.0] * 4


def test_nested_functions():
    """A pole of high order, where differences of divisions would lose everything."""
    got = fad.taylor(lambda x: fad.exp(1.0 / (1.0 - x)), 0.0, 1.0, 12)
    np.testing.assert_allclose(got, series(lambda t: mp.exp(1 / (1 - t)), 12), rtol=1e-13)
    got = fad.taylor(lambda x: x**9, 1.0, 1.0, 10)
    assert got.tolist() == [float(math.comb(9, k)) for k in range(11)]


def test_structures():
    result = fad.taylor(
        lambda p: {"s": p["a"] * p["v"][0], "v": p["v"] * p["a"] * p["a"], "constant": 3.0},
        {"a": 2.0, "v": np.array([1.0, 5.0])},
        {"a": 1.0, "v": np.array([0.0, 1.0])},
        3,
    )
    assert result["s"].tolist() == [2.0, 1.0, 0.0, 0.0]
    assert result["v"].tolist() == [[4.0, 20.0], [4.0, 24.0], [1.0, 9.0], [0.0, 1.0]]
    assert result["constant"].tolist() == [3.0, 0.0, 0.0, 0.0]
    assert fad.taylor(fad.exp, 1.0, 2.0, 0).tolist() == [fad.exp(1.0)]


def test_bad_arguments():
    with pytest.raises(ValueError, match="order=-1"):
        fad.taylor(fad.exp, 0.0, 1.0, -1)
    with pytest.raises(TypeError):
        fad.taylor(fad.exp, 0.0, 1.0, 2.5)
    with pytest.raises(ShapeError, match="expected a structure like"):
        fad.taylor(lambda x: x.sum(), np.ones(2), np.ones(3), 2)
    with pytest.raises(NestingError, match=r"nest fad\.jvp"):
        fad.grad(lambda x: fad.taylor(fad.exp, x, 1.0, 2)[0])(1.0)
