"""Elementary functions of ``float64`` or ``F64x8``, with the same bits for both.

Every step is one IEEE operation on data that never decides a branch, so one source serves a single point
and eight scenarios at a time; ``math`` is called only for lanes that a ``patch`` takes out.
"""

from __future__ import annotations

import math

from ._jit import jit
from ._simd import bits, copysign, fabs, floor, fma, from_bits, rint, select, shr, sqrt

__all__ = [
    "copysign",
    "exp",
    "fabs",
    "floor",
    "fma",
    "log",
    "not_",
    "rint",
    "same",
    "select",
    "sqrt",
]

_INF = math.inf
_NAN = math.nan

_LN2 = 0.6931471805599453
_LN2_LOW = 2.3190468138462996e-17
_LOG2E = 1.4426950408889634

# Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits. The offset 1023 makes these bits
# the exponent field of a power of two; with twice the offset the difference of two such numbers is one too.
_ROUND = 6755399441055744.0
_ROUND_1023 = _ROUND + 1023.0
_ROUND_2046 = _ROUND + 2046.0


# -------------------- masks --------------------


@jit
def not_(mask):
    """Logical negation of a bool or of a Mask8."""
    return mask ^ True


@jit
def same(x, y):
    """Identical bits, or both NaN."""
    return (bits(x) == bits(y)) | ((x != x) & (y != y))


# -------------------- exponential --------------------

_EXP = (
    0.5000000000000011,
    0.16666666666666413,
    0.04166666666653033,
    0.008333333333494666,
    0.00138888889435826,
    0.00019841269505986957,
    2.4801493151226624e-05,
    2.755758701098424e-06,
    2.7630228708614795e-07,
    2.499983007201306e-08,
)


@jit
def _exp_quadratic(r):
    """(e^r - 1 - r) / r^2 for |r| <= log(2)/2."""
    r2 = r * r
    r4 = r2 * r2
    low = fma(fma(_EXP[3], r, _EXP[2]), r2, fma(_EXP[1], r, _EXP[0]))
    high = fma(fma(_EXP[7], r, _EXP[6]), r2, fma(_EXP[5], r, _EXP[4]))
    return fma(fma(fma(_EXP[9], r, _EXP[8]), r4, high), r4, low)


@jit
def exp(x):
    """e^x."""
    # Beyond these bounds the result is inf or 0; NaN fails both comparisons and stays.
    x = select(x > 710.0, 710.0, x)
    x = select(x < -746.0, -746.0, x)
    shifted = fma(x, _LOG2E, _ROUND_2046)
    k = shifted - _ROUND_2046
    r = fma(k, -_LN2_LOW, fma(k, -_LN2, x))
    # 2^k in two factors: the first product is exact, the second rounds once into the subnormals.
    half = bits(fma(k, 0.5, _ROUND_1023))
    first = from_bits(half << 52)
    second = from_bits((bits(shifted) - half) << 52)
    return (1.0 + fma(_exp_quadratic(r), r * r, r)) * first * second


# -------------------- logarithm --------------------

_LOG = (
    0.6666666666666734,
    0.3999999999941723,
    0.2857142874182313,
    0.22222198630533668,
    0.18183561381195978,
    0.1531412492682025,
    0.1479521543667274,
)
_LN2_HEAD = 0.6931471803691238
_LN2_TAIL = 1.9082149292705877e-10
_SMALLEST_NORMAL = 2.2250738585072014e-308
_ONE = 0x3FF0000000000000
_SQRT_HALF = 0x3FE6A09E667F3BCD
_MANTISSA = 0x000FFFFFFFFFFFFF
_TWO52 = 0x4330000000000000


@jit
def log(x):
    """Natural logarithm."""
    is_subnormal = x < _SMALLEST_NORMAL
    scaled = select(is_subnormal, x * 18014398509481984.0, x)
    # x = 2^k (1 + f) with 1 + f from sqrt(1/2) to sqrt(2); k + 1023 is read as the low bits of 2^52 + (k + 1023).
    shifted = bits(scaled) + (_ONE - _SQRT_HALF)
    k = from_bits(shr(shifted, 52) | _TWO52) - select(is_subnormal, 4503599627371573.0, 4503599627371519.0)
    f = from_bits((shifted & _MANTISSA) + _SQRT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    high = fma(fma(_LOG[6], z, _LOG[5]), z2, fma(_LOG[4], z, _LOG[3]))
    tail = fma(high, z2 * z, fma(fma(_LOG[2], z, _LOG[1]), z, _LOG[0])) * z
    square = 0.5 * f * f
    result = fma(k, _LN2_HEAD, f - (square - fma(s, square + tail, k * _LN2_TAIL)))
    # inf and NaN are their own logarithms; below zero there is none.
    result = select(x < _INF, result, x)
    return select(x > 0.0, result, select(x == 0.0, -_INF, _NAN))
