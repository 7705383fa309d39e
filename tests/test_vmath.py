"""Elementary functions against mpmath, their special values against NumPy, vector against scalar bits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from mpmath import mp, mpf
from numba import njit

from fastad.kernels import vmath
from fastad.kernels._simd import address, load, store

COUNT = 2000  # random arguments per interval; structured ones come on top
WORST_ULP = 2.0

INF, NAN = math.inf, math.nan
TINY, SMALLEST_NORMAL, LARGEST = 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308
SPECIAL = [0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, TINY, -TINY, 1e-310, -1e-310, SMALLEST_NORMAL, LARGEST, -LARGEST]
SPECIAL += [0.5, -0.5, 2.0, 709.782712893384, 709.7827128933841, -708.5, -745.1332191019411, -745.1332191019412, 1e300]

RNG = np.random.default_rng(2024)


def uniform(low: float, high: float) -> np.ndarray:
    return RNG.uniform(low, high, COUNT)


def both_signs(low_exponent: float, high_exponent: float) -> np.ndarray:
    """Magnitudes spread evenly over the exponents."""
    return np.exp2(RNG.uniform(low_exponent, high_exponent, COUNT)) * RNG.choice([-1.0, 1.0], COUNT)


def neighbours(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.nextafter(x, INF), np.nextafter(x, -INF)])


def angles() -> np.ndarray:
    with mp.workdps(60):
        multiples = np.array([float(mp.pi / 2 * int(k)) for k in [*range(-300, 300), *RNG.integers(1, 640_000, 300)]])
    return np.concatenate([uniform(-7, 7), uniform(-1e6, 1e6), neighbours(multiples), both_signs(-1074, 1023)])


def near_one() -> np.ndarray:
    return np.concatenate([1 + both_signs(-52, -2), neighbours(np.array([1.0, math.sqrt(0.5), math.sqrt(2.0)]))])


def mp_log2(x: mpf) -> mpf:
    return mp.log(x) / mp.log(2)


# name: (reference, NumPy's or the like for special values, arguments)
ONE_ARGUMENT: dict[str, tuple[Callable, Callable, Callable[[], list[np.ndarray]]]] = {
    "exp": (
        mp.exp,
        np.exp,
        lambda: [uniform(-745.2, 709.8), uniform(-1, 1), uniform(-745.2, -708), both_signs(-60, 9)],
    ),
    "log": (mp.log, np.log, lambda: [np.abs(both_signs(-1074, 1023)), uniform(0.5, 2), near_one()]),
    "sin": (mp.sin, np.sin, lambda: [angles()]),
    "cos": (mp.cos, np.cos, lambda: [angles()]),
    "tanh": (mp.tanh, np.tanh, lambda: [uniform(-1, 1), uniform(-21, 21), both_signs(-1074, 5)]),
    "erf": (mp.erf, np.vectorize(math.erf), lambda: [uniform(-1, 1), uniform(-6.5, 6.5), both_signs(-1074, 3)]),
    "norm_cdf": (
        lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
        np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2),
        lambda: [uniform(-5, 5), uniform(-38.6, 9), uniform(-38.6, -37.4), both_signs(-60, 3)],
    ),
    "norm_pdf": (
        lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi),
        lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
        lambda: [uniform(-5, 5), uniform(-38.7, 38.7), uniform(-38.7, -37.4), both_signs(-60, 3)],
    ),
    "exp2": (lambda x: mp.mpf(2) ** x, np.exp2, lambda: [uniform(-1075, 1024), uniform(-1, 1), uniform(-1075, -1021)]),
    "expm1": (mp.expm1, np.expm1, lambda: [uniform(-40, 709.8), uniform(-1, 1), both_signs(-1074, 5)]),
    "log1p": (mp.log1p, np.log1p, lambda: [np.abs(both_signs(-1074, 1023)), both_signs(-60, -1), uniform(-1, 3)]),
    "log2": (mp_log2, np.log2, lambda: [np.abs(both_signs(-1074, 1023)), uniform(0.5, 2), near_one()]),
    "log10": (mp.log10, np.log10, lambda: [np.abs(both_signs(-1074, 1023)), uniform(0.5, 2), near_one()]),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), np.cbrt, lambda: [both_signs(-1074, 1023), uniform(-3, 3)]),
    "tan": (mp.tan, np.tan, lambda: [angles()]),
    "sinh": (mp.sinh, np.sinh, lambda: [uniform(-710.4, 710.4), uniform(-3, 3), both_signs(-1074, 5)]),
    "cosh": (mp.cosh, np.cosh, lambda: [uniform(-710.4, 710.4), uniform(-3, 3), both_signs(-60, 5)]),
    "arctan": (mp.atan, np.arctan, lambda: [both_signs(-1074, 1023), uniform(-3, 3)]),
    "arcsin": (mp.asin, np.arcsin, lambda: [uniform(-1, 1), both_signs(-1074, 0), 1 - np.abs(both_signs(-53, -1))]),
    "arccos": (mp.acos, np.arccos, lambda: [uniform(-1, 1), both_signs(-60, 0), 1 - np.abs(both_signs(-53, -1))]),
    "arcsinh": (mp.asinh, np.arcsinh, lambda: [both_signs(-1074, 1023), uniform(-3, 3), both_signs(24, 30)]),
    "arccosh": (mp.acosh, np.arccosh, lambda: [1 + np.abs(both_signs(-52, 5)), np.abs(both_signs(0, 1023))]),
    "arctanh": (mp.atanh, np.arctanh, lambda: [uniform(-1, 1), both_signs(-1074, -1), 1 - np.abs(both_signs(-53, -1))]),
    "erfc": (mp.erfc, np.vectorize(math.erfc), lambda: [uniform(-3, 3), uniform(-6, 27.3), both_signs(-60, 3)]),
}


def compiled(name: str) -> tuple[Callable, Callable]:
    """The function on arrays of a multiple of 8 elements: in vectors, and one by one."""
    function = getattr(vmath, name)

    @njit(error_model="numpy")
    def vector(x, out):
        for i in range(0, x.size, 8):
            store(address(out), i, function(load(address(x), i)))

    @njit(error_model="numpy")
    def scalar(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return vector, scalar


def compiled_pair(name: str) -> tuple[Callable, Callable]:
    """The same for a function of two arguments."""
    function = getattr(vmath, name)

    @njit(error_model="numpy")
    def vector(x, y, out):
        for i in range(0, x.size, 8):
            store(address(out), i, function(load(address(x), i), load(address(y), i)))

    @njit(error_model="numpy")
    def scalar(x, y, out):
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    return vector, scalar


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


def ulp_error(value: float, exact: mpf) -> float:
    """Distance in units of the last place of ``exact``; 2^-1074 among the subnormals."""
    if math.isinf(value):  # right where rounding to nearest overflows
        return 0.0 if value * exact > 0 and abs(exact) >= mpf(2) ** 1024 - mpf(2) ** 970 else INF
    _, exponent = mp.frexp(exact)
    return float(abs(mpf(value) - exact) * mpf(2) ** -max(exponent - 53, -1074)) if exact else abs(value) * INF


def worst(values: np.ndarray, exact: Callable[..., mpf], *arguments: np.ndarray) -> tuple[float, tuple[float, ...]]:
    """Largest error and where it is."""
    found = (0.0, ())
    with mp.workprec(140):
        for value, *point in zip(values.tolist(), *(a.tolist() for a in arguments), strict=True):
            error = ulp_error(value, exact(*map(mpf, point)))
            if not error <= found[0]:
                found = (error, tuple(point))
    return found


def assert_equal_or_close(values: np.ndarray, expected: np.ndarray, *arguments: np.ndarray) -> None:
    """NaN for NaN, the same sign of zero, infinities equal, and finite values but for the last bits."""
    with np.errstate(invalid="ignore"):
        near = (values == expected) | (np.abs(values - expected) <= 2e-15 * np.abs(expected) + 2 * TINY)
    near &= np.isinf(values) == np.isinf(expected)
    right = np.where(np.isnan(expected), np.isnan(values), near & (np.signbit(values) == np.signbit(expected)))
    assert right.all(), [a[~right] for a in (*arguments, values, expected)]


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_error_against_mpmath_and_bits(name):
    reference, _, arguments = ONE_ARGUMENT[name]
    x = np.concatenate(arguments())
    error, where = worst(evaluate(compiled(name), x), reference, x)
    assert error <= WORST_ULP, where


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_special_values(name):
    x = np.array(SPECIAL)
    with np.errstate(all="ignore"):
        expected = ONE_ARGUMENT[name][1](x)
    assert_equal_or_close(evaluate(compiled(name), x), np.asarray(expected, float), x)


def bases_and_exponents() -> tuple[np.ndarray, np.ndarray]:
    """Results all over the range, near one, near the overflow and among the subnormals; negative bases."""
    base = np.concatenate([np.exp2(uniform(-1074, 1023)), uniform(0.5, 2), 1 + both_signs(-40, -2), uniform(0.5, 2)])
    target = np.concatenate(
        [uniform(-744.4, 709.7), uniform(-744.4, 709.7), uniform(-744.4, 709.7), uniform(-744.4, -707)]
    )
    exponent = target / np.log(base)
    plain, small = uniform(0.01, 5), RNG.integers(-150, 150, COUNT).astype(float)
    return np.concatenate([base, plain, -plain]), np.concatenate([exponent, uniform(-4, 4), small])


def test_pow_error_against_mpmath_and_bits():
    x, y = bases_and_exponents()

    def exact(a: mpf, b: mpf) -> mpf:
        return mp.power(a, b) if a > 0 else mp.power(a, int(b))

    error, where = worst(evaluate(compiled_pair("pow"), x, y), exact, x, y)
    assert error <= WORST_ULP, where


def test_pow_special_values():
    huge = [1e16, -1e16, 9007199254740991.0, -9007199254740991.0, 4503599627370497.5, 1e308, -1e308]
    edge = [3.0, -3.0, 2.5, -2.0, 1 - 2**-53, 1 + 2**-52, -1 - 2**-52, 2**-53 - 1]
    x, y = (grid.ravel() for grid in np.meshgrid(SPECIAL + huge + edge, SPECIAL + huge + edge))
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    assert_equal_or_close(evaluate(compiled_pair("pow"), x, y), expected, x, y)


TWO_ARGUMENTS = {"arctan2": (mp.atan2, np.arctan2), "hypot": (mp.hypot, np.hypot)}


@pytest.mark.parametrize("name", TWO_ARGUMENTS)
def test_error_against_mpmath_and_bits_of_two_arguments(name):
    parts = [lambda: both_signs(-1074, 1022), lambda: uniform(-3, 3), lambda: both_signs(-3, 3)]
    parts += [lambda: both_signs(-1074, -1060), lambda: both_signs(-502, -496), lambda: both_signs(1010, 1023)]
    x, y = (np.concatenate([part() for part in parts]) for _ in range(2))
    reference, of_numpy = TWO_ARGUMENTS[name]
    with np.errstate(over="ignore"):
        inside = np.isfinite(of_numpy(x, y))
    error, where = worst(evaluate(compiled_pair(name), x[inside], y[inside]), reference, x[inside], y[inside])
    assert error <= WORST_ULP, where


@pytest.mark.parametrize("name", TWO_ARGUMENTS)
def test_special_values_of_two_arguments(name):
    x, y = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        expected = TWO_ARGUMENTS[name][1](x, y)
    assert_equal_or_close(evaluate(compiled_pair(name), x, y), expected, x, y)


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
