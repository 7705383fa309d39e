"""Elementary functions against mpmath, their special values against NumPy, vector against scalar bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from mpmath import mp, mpf
from numba import njit

from bench.problems.vmath_accuracy import FUNCTIONS, Draw, arguments, neighbours, ulp_error, worst, worst_by_balls
from fastad.kernels import vmath
from fastad.kernels._simd import address, load, store

POINTS = 3000  # per function; the benchmark vmath_accuracy takes more

INF, NAN = math.inf, math.nan
TINY, SMALLEST_NORMAL, LARGEST = 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308
SPECIAL = [0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, TINY, -TINY, 1e-310, -1e-310, SMALLEST_NORMAL, LARGEST, -LARGEST]
SPECIAL += [0.5, -0.5, 2.0, 709.782712893384, 709.7827128933841, -708.5, -745.1332191019411, -745.1332191019412, 1e300]


def elementwise(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of ``math`` on an array, inf where ``math`` raises: at poles, and beyond the range."""

    def value(x: float) -> float:
        try:
            return function(x)
        except (ValueError, OverflowError):
            return INF

    return np.vectorize(value, otypes=[float])


def digamma_as_scipy(x: float) -> float:
    if x == 0.0:
        return -math.copysign(INF, x)
    if x == INF:
        return INF
    return float(mp.psi(0, x)) if x > 0.0 or x % 1.0 > 0.0 else NAN


def quantile_of_statistics(p: float) -> float:
    return NormalDist().inv_cdf(p) if 0.0 < p < 1.0 else -INF if p == 0.0 else INF if p == 1.0 else NAN


# What special values are compared with
SAME_NAME = """exp exp2 expm1 log log1p log2 log10 cbrt sin cos tan arctan arcsin arccos sinh cosh tanh
arcsinh arccosh arctanh sign trunc"""
OF_ONE: dict[str, Callable[[np.ndarray], np.ndarray]] = {name: getattr(np, name) for name in SAME_NAME.split()} | {
    "erf": elementwise(math.erf),
    "erfc": elementwise(math.erfc),
    "norm_cdf": elementwise(lambda x: math.erfc(-x / math.sqrt(2)) / 2),
    "norm_pdf": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
    "norm_ppf": elementwise(quantile_of_statistics),
    "expit": lambda x: np.where(x < 0, np.exp(x), 1.0) / (1.0 + np.exp(-np.abs(x))),
    "lgamma": elementwise(math.lgamma),
    "digamma": elementwise(digamma_as_scipy),
}
OF_TWO = {
    "pow": np.power,
    "arctan2": np.arctan2,
    "hypot": np.hypot,
    "logaddexp": np.logaddexp,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
}
MASKS = {"signbit": np.signbit, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite}


def compiled(function: str | Callable, operands: int = 1) -> tuple[Callable, Callable]:
    """The function on arrays of a multiple of 8 elements: in vectors, and one by one."""
    if isinstance(function, str):
        function = getattr(vmath, function)

    @njit(error_model="numpy")
    def vector_of_one(x, out):
        for i in range(0, x.size, 8):
            store(address(out), i, function(load(address(x), i)))

    @njit(error_model="numpy")
    def scalar_of_one(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    @njit(error_model="numpy")
    def vector_of_two(x, y, out):
        for i in range(0, x.size, 8):
            store(address(out), i, function(load(address(x), i), load(address(y), i)))

    @njit(error_model="numpy")
    def scalar_of_two(x, y, out):
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    return (vector_of_one, scalar_of_one) if operands == 1 else (vector_of_two, scalar_of_two)


def evaluate(functions: tuple[Callable, Callable], *arguments: np.ndarray) -> np.ndarray:
    """Values by the vector code, after the check that the scalar code gives the same bits."""
    size = arguments[0].size
    padded = [np.resize(a, -(-size // 8) * 8) for a in arguments]
    by_vector, by_scalar = np.empty(padded[0].size), np.empty(padded[0].size)
    vector, scalar = functions
    vector(*padded, by_vector)
    scalar(*padded, by_scalar)
    differ = (by_vector.view(np.int64) != by_scalar.view(np.int64)) & ~(np.isnan(by_vector) & np.isnan(by_scalar))
    assert not differ.any(), [a[differ][:3] for a in padded]
    return by_vector[:size]


def assert_equal_or_close(values: np.ndarray, expected: np.ndarray, *arguments: np.ndarray) -> None:
    """NaN for NaN, the same sign of zero, infinities equal, and finite values but for the last bits."""
    with np.errstate(invalid="ignore"):
        near = (values == expected) | (np.abs(values - expected) <= 2e-15 * np.abs(expected) + 2 * TINY)
    near &= np.isinf(values) == np.isinf(expected)
    right = np.where(np.isnan(expected), np.isnan(values), near & (np.signbit(values) == np.signbit(expected)))
    assert right.all(), [a[~right] for a in (*arguments, values, expected)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_against_mpmath_and_bits(name):
    operands = arguments(name, POINTS)
    values = evaluate(compiled(name, len(operands)), *operands)
    error, where = worst(values, FUNCTIONS[name].exact, *operands)
    assert error <= FUNCTIONS[name].limit, where


@pytest.mark.parametrize("name", FUNCTIONS)
def test_balls_find_the_worst_error(name):
    """What the benchmark does for a million points: the same worst point as mpmath alone, and no wider estimates."""
    flint = pytest.importorskip("flint")
    operands = arguments(name, 200)
    values = np.array([float(FUNCTIONS[name].exact(*map(mpf, p))) for p in zip(*(x.tolist() for x in operands))])
    values += np.spacing(values) * Draw(values.size).integers(-3, 4)
    assert worst_by_balls(name, values, *operands) == worst(values, FUNCTIONS[name].exact, *operands)
    assert flint.ctx.prec == 53, "left as it was"


@pytest.mark.parametrize("name", OF_ONE)
def test_special_values(name):
    x = np.array(SPECIAL)
    with np.errstate(all="ignore"):
        expected = OF_ONE[name](x)
    assert_equal_or_close(evaluate(compiled(name), x), np.asarray(expected, float), x)


@pytest.mark.parametrize("name", OF_TWO)
def test_special_values_of_two_arguments(name):
    huge = [1e16, -1e16, 9007199254740991.0, -9007199254740991.0, 4503599627370497.5, 1e308, -1e308]
    edge = [3.0, -3.0, 2.5, -2.0, 1 - 2**-53, 1 + 2**-52, -1 - 2**-52, 2**-53 - 1]
    x, y = (grid.ravel() for grid in np.meshgrid(SPECIAL + huge + edge, SPECIAL + huge + edge))
    with np.errstate(all="ignore"):
        expected = OF_TWO[name](x, y)
    assert_equal_or_close(evaluate(compiled(name, 2), x, y), expected, x, y)


@pytest.mark.parametrize("name", ["floordiv", "mod"])
def test_division_has_the_bits_of_numpy(name):
    draw = Draw(POINTS)
    whole, y = draw.integers(-99, 99), draw.uniform(-3, 3)
    large = draw.integers(2**47, 2**53)
    x = [draw.both_signs(-1074, 1022), draw.both_signs(-3, 60), draw.both_signs(-1074, -1000), draw.uniform(-50, 50)]
    x = np.concatenate([*x, neighbours(whole * y), neighbours(large * y)])
    y = np.concatenate(
        [draw.both_signs(-1074, 1022), draw.both_signs(-3, 3), draw.both_signs(-1074, -1000), y / 10, *[y] * 6]
    )
    with np.errstate(all="ignore"):
        expected = OF_TWO[name](x, y)
    assert evaluate(compiled(name, 2), x, y).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["fmax", "fmin"])
def test_choices(name):
    x, y = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))
    expected = getattr(np, name)(x, y)
    expected = np.where(x == y, x, expected)  # NumPy's sign of a zero depends on the length of the array
    values = evaluate(compiled(name, 2), x, y)
    assert_equal_or_close(values, expected, x, y)


@pytest.mark.parametrize("name", MASKS)
def test_masks(name):
    function, select = getattr(vmath, name), vmath.select

    @njit
    def as_number(x):
        return select(function(x), 1.0, 0.0)

    x = np.array([*SPECIAL, -NAN])
    assert evaluate(compiled(as_number), x).tolist() == MASKS[name](x).tolist()


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_reflection(name):
    """For negative arguments, in units of the largest of 1, the result, and lgamma(|x|) or log|x|."""
    draw = Draw(POINTS)
    poles = draw.integers(-30, 0)
    x = np.concatenate([draw.uniform(-30, 0), -draw.positive(-1020, 20), poles + draw.both_signs(-40, -2)])
    values = evaluate(compiled(name), x)
    with mp.workprec(250):
        for a, value in zip(map(mpf, x.tolist()), values.tolist(), strict=True):
            if name == "lgamma":
                exact, scale = mp.log(abs(mp.gamma(a))), mp.loggamma(-a)
            else:
                exact, scale = mp.psi(0, a), mp.log(-a)
            unit = np.spacing(float(max(1, abs(exact), abs(scale))))
            assert abs(value - exact) <= 4 * unit, a


def test_polygamma_beyond_the_plain_cases():
    """Orders above 4: about n units in the last place; negative x: relative to what the reflection adds up."""
    function = compiled("polygamma", 2)
    with mp.workprec(200):
        for n in (1, 2, 3, 4, 5, 8, 20, 50):
            x = np.concatenate([np.linspace(0.03, 90.0, 37), np.linspace(-9.93, -0.071, 23)])
            values = evaluate(function, np.full(x.size, float(n)), x)
            for a, value in zip(x.tolist(), values.tolist(), strict=True):
                exact = mp.psi(n, mpf(a))
                terms = 0 if a > 0 else mp.factorial(n) * mp.zeta(n + 1, mpf(a) - mp.floor(a))
                assert abs(value - exact) <= (8 + 2 * n) * 2.0**-53 * max(abs(exact), terms), (n, a)
    x = np.array([0.0, -0.0, -1.0, INF, -INF, NAN, TINY, -TINY])
    expected = {
        0.0: [-INF, INF, NAN, INF, NAN, NAN, -INF, INF],
        1.0: [INF, INF, INF, 0.0, NAN, NAN, INF, INF],
        2.0: [-INF, INF, NAN, -0.0, NAN, NAN, -INF, INF],
        5.0: [INF, INF, INF, 0.0, NAN, NAN, INF, INF],
        6.0: [-INF, INF, NAN, -0.0, NAN, NAN, -INF, INF],
        0.5: [NAN] * 8,
        -1.0: [NAN] * 8,
        INF: [NAN] * 8,
        NAN: [NAN] * 8,
    }
    for n, values in expected.items():
        assert_equal_or_close(evaluate(function, np.full(8, n), x), np.array(values), x)


def test_logaddexp_where_the_sum_is_near_one():
    """The result goes down to 1e-30 there; the error is an absolute one below 1e-17."""
    x = -Draw(POINTS).positive(-40, 5)
    y = np.log(-np.expm1(x))
    values = evaluate(compiled("logaddexp", 2), x, y)
    with mp.workprec(300):
        for a, b, value in zip(x.tolist(), y.tolist(), values.tolist(), strict=True):
            exact = mp.log(mp.exp(mpf(a)) + mp.exp(mpf(b)))
            assert abs(value - exact) <= max(abs(exact) * mpf(2) ** -51, 1e-31), (a, b)


def test_logarithms_of_powers_are_exact():
    two, ten = np.arange(-1074.0, 1024.0), np.arange(0.0, 23.0)
    assert (evaluate(compiled("log2"), np.exp2(two)) == two).all()
    assert (evaluate(compiled("log10"), np.array([float(10 ** int(n)) for n in ten])) == ten).all()


def test_subnormal_results_of_exp_are_rounded_once():
    x = np.linspace(-745.2, -708.3, 4000)
    with mp.workprec(140):
        values = evaluate(compiled("exp"), x)
        assert max(ulp_error(v, mp.exp(mpf(a))) for v, a in zip(values.tolist(), x.tolist(), strict=True)) < 1.01


def test_same_and_not():
    same, not_, select = vmath.same, vmath.not_, vmath.select

    @njit
    def vector(x, y, zeros, out):
        mask = same(load(address(x), 0), load(address(y), 0))
        store(address(out), 0, select(mask, 1.0, load(address(zeros), 0)))
        store(address(out), 8, select(not_(mask), 1.0, load(address(zeros), 0)))

    @njit
    def scalar(x, y):
        return same(x, y), not_(same(x, y))

    other_nan = np.array([0x7FF8000000000001]).view(np.float64)[0]
    x = np.array([1.0, 0.0, NAN, INF, TINY, NAN, -0.0, 2.0])
    y = np.array([1.0, -0.0, other_nan, INF, 0.0, 1.0, -0.0, 3.0])
    expected = [True, False, True, True, False, False, True, False]
    assert [scalar(a, b) for a, b in zip(x, y, strict=True)] == [(e, not e) for e in expected]
    out = np.empty(16)
    vector(x, y, np.zeros(8), out)
    assert out.tolist() == expected + [not e for e in expected]
