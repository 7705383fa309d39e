"""Elementary functions of ``float64`` or ``F64x8``, with the same bits for both.

Every step is one IEEE operation and no branch depends on data, so one source serves a single point and eight
scenarios at a time. Special values are those of NumPy. The coefficients come from ``bench/fit_vmath.py``.

===============  ========  =====  ===================================================================
function         ulp       ns     method
===============  ========  =====  ===================================================================
exp              0.90      1.2    x = k log 2 + r, polynomial in r, two powers of two
exp2             0.80      1.4    the same after x log 2 as a pair
expm1            1.17      1.2    (2^k - 1) + 2^k (e^r - 1)
log              0.81      1.7    x = 2^k m, odd polynomial in (m - 1)/(m + 1)
log1p            0.78      2.1    log of the rounded 1 + x, plus what rounding lost
log2 log10       0.51      3.4    logarithm as a pair of 66 bits, times a constant
cbrt             0.74      5.6    exponential of a third of that pair
pow              0.96      7.0    exponential of y times that pair
sin cos          0.88      1.7    x - k pi/2 as a pair, one of two polynomials
tan              1.05      2.6    their quotient, with the low parts
arctan arctan2   1.12      3.2    one quotient within tan(pi/8), pi/4 added
arcsin arccos    1.40      4.2    arctan of x and sqrt(1 - x^2)
hypot            0.98      0.8    scaled by a power of two
tanh             1.77      1.8    n / (2 - n), n = 1 - e^(-2|x|)
sinh cosh        1.75      2.9    from expm1; from exp
arcsinh arccosh  1.70      4.7    log1p
arctanh          1.00      3.7    log1p
norm_cdf         1.79      4.1    e^(-x^2/2) times a polynomial in (|x| - 5)/(|x| + 5)
norm_pdf         1.35      1.5    e^(-x^2/2), x^2 as a pair
erf              1.45      4.9    odd polynomial below 0.6, else from the tail of norm_cdf
erfc             1.79      4.8    from the tail of norm_cdf
sign trunc       exact     0.1    comparisons; floor of |x|
fmax fmin        exact     0.1    comparisons
floordiv mod     exact     1.4    floor of the quotient, rest by fma, one correction
expit            1.44      1.9    e^(-|x|), one quotient
logaddexp        1.77      7.1    log(1 + e^d) as a pair; as log1p of a longer pair where that cancels
norm_ppf         2.81      6.2    polynomial in (p - 1/2)^2; s - 1 plus one of two quotients, s^2 = -2 log p
lgamma           2.27      8.7    polynomial around 2 and a logarithm as a pair; Stirling from 3.5 on
digamma          1.10      5.9    polynomial around its root and a reciprocal; logarithm from 3 on
polygamma        3.75      15.4   eight terms of the series and the Euler-Maclaurin rest
===============  ========  =====  ===================================================================

ulp: the largest error found against mpmath in a million arguments per function, structured ones
included (``tests/test_vmath.py`` draws fewer); the worse one where two functions share a line. ns: per value in
vectors of eight, AVX2, 64 values in cache. Beyond |x| = 1e6 sin, cos and tan come from ``math``, lane by lane.
Lane by lane go also huge quotients (floordiv, mod), e^x + e^y near 1 (logaddexp, 1000 ns) and, in the gamma
functions, negative x (50 to 170 ns). The line of polygamma is for n from 1 to 4; a larger n takes 700 ns and errs by
about n ulp while n! and x^-(n+1) are inside the range of doubles, by some 1000 ulp where they are not.
"""

from __future__ import annotations

import math

import numpy as np

from ._jit import jit
from ._simd import bits, copysign, fabs, floor, fma, from_bits, patch, patch2, rint, select, shr, sqrt

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "copysign",
    "cos",
    "cosh",
    "digamma",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expit",
    "expm1",
    "fabs",
    "floor",
    "floordiv",
    "fma",
    "fmax",
    "fmin",
    "hypot",
    "isfinite",
    "isinf",
    "isnan",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "mod",
    "norm_cdf",
    "norm_pdf",
    "norm_ppf",
    "not_",
    "polygamma",
    "pow",
    "rint",
    "same",
    "select",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
]

_INF = math.inf
_NAN = math.nan

_LN2 = 0.6931471805599453
_LN2_LOW = 2.3190468138462996e-17
_LOG2E = 1.4426950408889634
_LOG2E_LOW = 2.0355273740931033e-17
_LOG10E = 0.4342944819032518
_LOG10E_LOW = 1.098319650216765e-17

# Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits. With 1023 added too, these bits are
# the exponent field of a power of two; with 2046, the difference of two such numbers is one.
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


@jit
def signbit(x):
    """The sign bit, of zeros and NaN too, as a mask."""
    return bits(x) < 0


@jit
def isnan(x):
    """Mask of NaN."""
    return x != x


@jit
def isinf(x):
    """Mask of the two infinities."""
    return fabs(x) == _INF


@jit
def isfinite(x):
    """Mask of what is neither infinite nor NaN."""
    return fabs(x) < _INF


# -------------------- signs, choices, remainders --------------------

_TWO_50 = 1125899906842624.0


@jit
def sign(x):
    """-1, 0 or 1; 0.0 for both zeros, NaN for NaN, as NumPy has it."""
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, select(x == 0.0, 0.0, x)))


@jit
def trunc(x):
    """Integer next to x in the direction of zero."""
    return copysign(floor(fabs(x)), x)


@jit
def fmax(x, y):
    """The larger one, or the one that is not NaN; x where they are equal (zeros of either sign)."""
    return select((x >= y) | (y != y), x, y)


@jit
def fmin(x, y):
    """The smaller one, or the one that is not NaN; x where they are equal (zeros of either sign)."""
    return select((x <= y) | (y != y), x, y)


@jit
def _floor_and_rest(x, y):
    """Floor of x/y, and x minus that times y, for finite x and |x/y| < 2^50.

    A quotient that has been rounded up to an integer shows in the sign of the rest. In NumPy's order of
    operations: the rest in the interval of y is the exact remainder, of the sign of x, plus y, rounded once.
    """
    q = floor(x / y)
    r = select(fabs(y) == _INF, x, fma(-q, y, x))
    is_above = (r != 0.0) & ((r < 0.0) ^ (y < 0.0))
    return select(is_above, q - 1.0, q), select(is_above, r + y, r)


@jit
def _is_hard_to_divide(x, y):
    """Huge quotients, division by zero, infinite dividends, NaN."""
    return not_(fabs(x / y) < _TWO_50)


@jit
def _floordiv_slow(x, y):
    """NumPy's own steps: where the quotient has no room for its fraction, they decide the last digit."""
    if y == 0.0:
        return x / y
    rest = np.fmod(x, y)
    q = (x - rest) / y
    if rest != 0.0 and (y < 0.0) != (rest < 0.0):
        q -= 1.0
    if q == 0.0:
        return math.copysign(0.0, x / y)
    whole = floor(q)
    return whole + 1.0 if q - whole > 0.5 else whole


@jit
def _mod_slow(x, y):
    rest = np.fmod(x, y)
    if rest == 0.0:
        return math.copysign(0.0, y)
    return rest + y if (y < 0.0) != (rest < 0.0) else rest


@jit
def floordiv(x, y):
    """Floor of x/y, as NumPy's floor_divide."""
    q, _ = _floor_and_rest(x, y)
    return patch2(_is_hard_to_divide(x, y), _floordiv_slow, x, y, q)


@jit
def mod(x, y):
    """Remainder of x/y with the sign of y, as NumPy's remainder."""
    _, r = _floor_and_rest(x, y)
    return patch2(_is_hard_to_divide(x, y), _mod_slow, x, y, select(r == 0.0, copysign(r, y), r))


# -------------------- exponential --------------------

_EXP = (
    0.5000000000000007,
    0.16666666666666696,
    0.04166666666656252,
    0.008333333333293383,
    0.0013888888936142033,
    0.0001984126998646403,
    2.4801499800066787e-05,
    2.755711739262629e-06,
    2.762821106822346e-07,
    2.516118656663375e-08,
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
def _exp_range(x):
    """X between the bounds beyond which e^x is inf or 0; NaN fails both comparisons and stays."""
    x = select(x > 710.0, 710.0, x)
    return select(x < -746.0, -746.0, x)


@jit
def _exp_reduce(x):
    """K, x - k log(2) without its low part (exact), and 2^k as the product of two factors.

    Two factors, because 2^k may be beyond the range: the product of a number near 1 and the first is
    exact, the second rounds it once into the subnormals.
    """
    shifted = fma(x, _LOG2E, _ROUND_2046)
    k = shifted - _ROUND_2046
    half = bits(fma(k, 0.5, _ROUND_1023))
    return k, fma(k, -_LN2, x), from_bits(half << 52), from_bits((bits(shifted) - half) << 52)


@jit
def exp(x):
    """e^x."""
    k, head, first, second = _exp_reduce(_exp_range(x))
    low = k * -_LN2_LOW
    r = head + low
    return (1.0 + (head + fma(_exp_quadratic(r), r * r, low))) * first * second


@jit
def _exp_near_one(head, low):
    """e^(head + low) for |head| <= log(2)/2, low far smaller."""
    r = head + low
    r_low = low - (r - head)
    one = 1.0 + r
    return one + fma(_exp_quadratic(r), r * r, (r - (one - 1.0)) + r_low)


@jit
def _exp_parts(x, low):
    """e^(x + low) as (m, first, second), m from 0.7 to 1.5: the exponential is m * first * second.

    Callers multiply m by what else they have first, so that a subnormal result is rounded once.
    """
    k, head, first, second = _exp_reduce(_exp_range(x))
    return _exp_near_one(head, fma(k, -_LN2_LOW, low)), first, second


@jit
def exp2(x):
    """2^x."""
    x = select(x > 1025.0, 1025.0, x)
    x = select(x < -1077.0, -1077.0, x)
    shifted = x + _ROUND_2046
    k = shifted - _ROUND_2046
    f = x - k
    head = f * _LN2
    half = bits(fma(k, 0.5, _ROUND_1023))
    m = _exp_near_one(head, fma(f, _LN2_LOW, fma(f, _LN2, -head)))
    return m * from_bits(half << 52) * from_bits((bits(shifted) - half) << 52)


@jit
def expit(x):
    """1 / (1 + e^-x)."""
    e = exp(-fabs(x))
    n = select(x < 0.0, e, 1.0)
    d = 1.0 + e
    reciprocal = 1.0 / d
    q = n * reciprocal
    return fma(fma(-q, e - (d - 1.0), fma(-q, d, n)), reciprocal, q)


@jit
def _half_expm1(x):
    """(e^x - 1) / 2 as high and low part; half, because 2^k may be 2^1024."""
    x = select(x > 710.0, 710.0, x)
    x = select(x < -60.0, -60.0, x)
    shifted = fma(x, _LOG2E, _ROUND_1023)
    k = shifted - _ROUND_1023
    r = fma(k, -_LN2, x)
    low = k * -_LN2_LOW
    rounded = r + low
    t = fma(_exp_quadratic(rounded), rounded * rounded, low)
    a = from_bits((bits(shifted) - 1) << 52)
    base = a - 0.5
    head = fma(a, r, base)
    tail = fma(a, t, fma(a, r, base - head))
    high = head + tail
    return high, tail - (high - head)


@jit
def expm1(x):
    """e^x - 1."""
    high, _ = _half_expm1(x)
    return select(fabs(x) < 1e-17, x, 2.0 * high)


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
_TWO54 = 18014398509481984.0
_BIAS = 4503599627371519.0  # 2^52 + 1023


@jit
def _split(x):
    """K and m of x = 2^k m for x > 0, m from sqrt(1/2) to sqrt(2)."""
    is_subnormal = x < _SMALLEST_NORMAL
    shifted = bits(select(is_subnormal, x * _TWO54, x)) + (_ONE - _SQRT_HALF)
    # k + 1023 is read as the low bits of 2^52 + (k + 1023).
    k = from_bits(shr(shifted, 52) | _TWO52) - select(is_subnormal, _BIAS + 54.0, _BIAS)
    return k, from_bits((shifted & _MANTISSA) + _SQRT_HALF)


@jit
def _log(x, low):
    """log(x) + low for 0 < x < inf and a small low."""
    k, m = _split(x)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    high = fma(fma(_LOG[6], z, _LOG[5]), z2, fma(_LOG[4], z, _LOG[3]))
    tail = fma(high, z2 * z, fma(fma(_LOG[2], z, _LOG[1]), z, _LOG[0])) * z
    square = 0.5 * f * f
    return fma(k, _LN2_HEAD, f - (square - fma(s, square + tail, fma(k, _LN2_TAIL, low))))


@jit
def _log_ends(x, result):
    """``result`` where 0 < x < inf; inf and NaN are their own logarithms, below zero there is none."""
    result = select(x < _INF, result, x)
    return select(x > 0.0, result, select(x == 0.0, -_INF, _NAN))


@jit
def log(x):
    """Natural logarithm."""
    return _log_ends(x, _log(x, 0.0))


@jit
def _one_plus(x, low):
    """1 + x + low as u and c with log(1 + x + low) = log(u) + c."""
    u = 1.0 + x
    v = u - 1.0
    c = ((1.0 - (u - v)) + (x - v) + low) / u
    return u, select(fabs(c) < 1.0, c, 0.0)  # u is 0 or inf: nothing to add


@jit
def log1p(x):
    """log(1 + x)."""
    u, c = _one_plus(x, 0.0)
    return select(x == 0.0, x, _log_ends(u, _log(u, c)))


# -------------------- power --------------------

_POW = (
    0.4,
    0.28571428571428376,
    0.22222222222290341,
    0.1818181816928832,
    0.15384616750173938,
    0.13333240592969087,
    0.11768668975103298,
    0.10422985056437317,
    0.11012738899468506,
)
_THIRD = 0.3333333333333333
_THIRD_LOW = 1.850371707708594e-17
_TWO_THIRDS = 0.6666666666666666
_TWO_THIRDS_LOW = 3.700743415417188e-17


@jit
def _log_pair(x):
    """Logarithm of x > 0 as high and low part, about 66 bits together."""
    k, m = _split(x)
    # s = (m - 1) / (m + 1) in two parts, from one division
    f = m - 1.0
    d = m + 1.0
    d_low = m - (d - 1.0)
    reciprocal = 1.0 / d
    s = f * reciprocal
    s_low = fma(-s, d_low, fma(-s, d, f)) * reciprocal
    # log(m) = 2 s + s^3 (2/3 + z R(z)), z = s^2
    z = s * s
    z_low = fma(s + s, s_low, fma(s, s, -z))
    z2 = z * z
    middle = fma(fma(_POW[5], z, _POW[4]), z2, fma(_POW[3], z, _POW[2]))
    r = fma(fma(fma(_POW[8], z, _POW[7]), z, _POW[6]), z2 * z2, middle)
    r = fma(r, z2, fma(_POW[1], z, _POW[0])) * z
    c = _TWO_THIRDS + r
    c_low = _TWO_THIRDS_LOW + (r - (c - _TWO_THIRDS))
    cube = z * s
    cube_low = fma(z, s, -cube) + fma(z_low, s, z * s_low)
    t = cube * c
    t_low = fma(cube, c, -t) + fma(cube, c_low, cube_low * c)
    base = k * _LN2_HEAD  # exact
    first = fma(2.0, s, base)
    first_low = fma(2.0, s, base - first)
    high = first + t
    low = (first - high) + t + (first_low + fma(k, _LN2_TAIL, fma(2.0, s_low, t_low)))
    total = high + low
    return total, low + (high - total)


@jit
def _log_in_base(x, c, c_low):
    """log(x) (c + c_low)."""
    high, low = _log_pair(x)
    return _log_ends(x, fma(high, c, fma(high, c_low, low * c)))


@jit
def log2(x):
    """Logarithm to base 2, exact for powers of two."""
    return _log_in_base(x, _LOG2E, _LOG2E_LOW)


@jit
def log10(x):
    """Logarithm to base 10, exact for powers of ten."""
    return _log_in_base(x, _LOG10E, _LOG10E_LOW)


@jit
def cbrt(x):
    """Cube root."""
    a = fabs(x)
    high, low = _log_pair(a)
    e = high * _THIRD
    m, first, second = _exp_parts(e, fma(high, _THIRD, -e) + fma(high, _THIRD_LOW, low * _THIRD))
    return select((a > 0.0) & (a < _INF), copysign(m * first * second, x), x)


@jit
def pow(x, y):
    """X to the power y."""
    magnitude = fabs(x)
    high, low = _log_pair(magnitude)
    high = select(magnitude == 0.0, -_INF, select(magnitude < _INF, high, magnitude))
    e = y * high
    # Outside, e is inf or NaN or clear of the range anyhow, and so is its low part.
    e_low = select(fabs(e) < 800.0, fma(y, low, fma(y, high, -e)), 0.0)
    m, first, second = _exp_parts(e, e_low)
    result = m * first * second
    # 1^y and (-1)^(+-inf) are 1, and 0 * inf in the exponent has made NaN of them.
    result = select((magnitude == 1.0) & ((x == 1.0) | (y == y)) | (y == 0.0), 1.0, result)
    half = 0.5 * y
    is_integer = rint(y) == y
    is_odd = is_integer & (rint(half) != half)
    result = select(is_odd, copysign(result, x), result)
    return select((x < 0.0) & (x > -_INF) & (rint(y) != y), _NAN, result)


# -------------------- logarithm of a sum --------------------

_LN2_THIRD = 5.707708438416212e-34


@jit
def _plus(x, x_low, y, y_low):
    """Sum of two pairs."""
    s = x + y
    part = s - x
    low = (x - (s - part)) + (y - part) + (x_low + y_low)
    high = s + low
    return high, low - (high - s)


@jit
def _times(x, x_low, y, y_low):
    """Product of two pairs."""
    p = x * y
    low = fma(x, y, -p) + fma(x, y_low, x_low * y)
    high = p + low
    return high, low - (high - p)


@jit
def _expm1_by_series(x, x_low):
    """e^x - 1 for |x| <= 0.7 as a pair of 100 bits."""
    p, p_low = 1.0, 0.0
    for i in range(28, 1, -1):
        p, p_low = _times(x, x_low, p, p_low)
        q = p / i
        p, p_low = _plus(1.0, 0.0, q, (fma(-q, float(i), p) + p_low) / i)
    return _times(x, x_low, p, p_low)


@jit
def _logaddexp_slow(x, y):
    """For e^x + e^y near 1, as log(1 + ((e^x - 1) + e^y)), the inner sum as a pair: x is the larger one."""
    if x < y:
        x, y = y, x
    v, v_low = _expm1_by_series(x, 0.0)
    if y > -700.0:
        k = rint(y * _LOG2E)
        low = k * -_LN2_LOW
        r, r_low = _plus(fma(k, -_LN2, y), 0.0, low, fma(k, -_LN2_LOW, -low) - k * _LN2_THIRD)
        e, e_low = _expm1_by_series(r, r_low)
        e, e_low = _plus(1.0, 0.0, e, e_low)
        scale = from_bits(bits(k + _ROUND_1023) << 52)
        v, v_low = _plus(v, v_low, e * scale, e_low * scale)
    return log1p(v) + v_low / (1.0 + v)


@jit
def logaddexp(x, y):
    """log(e^x + e^y).

    Where that sum is near 1, in units of the last place while the result is above 1e-17, and below 1e-31 in any case.
    """
    long = select(x > y, x, y)
    short = select(x > y, y, x)
    d = select(x == y, 0.0, short - long)
    part = d - short
    d_low = (short - (d - part)) - (long + part)
    d_low = select((fabs(d) < 800.0) & (d != 0.0), d_low, 0.0)  # elsewhere 0, or nothing to correct
    # e^d as a pair, and log(1 + e^d) as one: where the larger operand is negative, they cancel.
    k, head, first, second = _exp_reduce(_exp_range(d))
    low = fma(k, -_LN2_LOW, d_low)
    r = head + low
    one = 1.0 + r
    tail = fma(_exp_quadratic(r), r * r, (r - (one - 1.0)) + (low - (r - head)))
    m = one + tail
    e = m * first * second
    u = 1.0 + e
    c = ((1.0 - u) + e) + (tail - (m - one)) * first * second
    high, low = _log_pair(u)
    low = low + c / u
    total = long + high
    part = total - long
    result = total + ((long - (total - part)) + (high - part) + low)
    result = select((fabs(long) == _INF) & (d == d), long, result)
    return patch2(fabs(result) < 0.125 * (high + low), _logaddexp_slow, x, y, result)


# -------------------- sine and cosine --------------------

_SIN = (
    -0.16666666666666632,
    0.008333333333322425,
    -0.00019841269829817668,
    2.7557313695506272e-06,
    -2.5050758701354983e-08,
    1.589683094212999e-10,
)
_COS = (
    0.0416666666666666,
    -0.001388888888887414,
    2.4801587289492877e-05,
    -2.755731435548629e-07,
    2.0875723710520535e-09,
    -1.1359670912116794e-11,
)
_TWO_OVER_PI = 0.6366197723675814
_HALF_PI = 1.5707963267948966
_HALF_PI_MIDDLE = 6.123233995736766e-17
_HALF_PI_LOW = -1.4973849048591698e-33
_LARGE_ANGLE = 1e6


@jit
def _quadrant(x):
    """Bits whose lowest two are k, and r + r_low = x - k pi/2 with |r| <= pi/4."""
    shifted = fma(x, _TWO_OVER_PI, _ROUND)
    k = shifted - _ROUND
    a = fma(k, -_HALF_PI, x)  # exact: a multiple of the last place of pi/2, and below 1
    # TwoSum, because close to a multiple of pi/2 either term can be the larger one.
    b = k * -_HALF_PI_MIDDLE
    r = a + b
    part = r - a
    r_low = (a - (r - part)) + (b - part) + fma(k, -_HALF_PI_LOW, fma(k, -_HALF_PI_MIDDLE, -b))
    return bits(shifted), r, r_low


@jit
def _sin_cos(r, r_low):
    """What to add to r, and 1 - r^2/2 and what to add to it, for the sine and cosine of r + r_low, |r| <= pi/4."""
    z = r * r
    z2 = z * z
    z4 = z2 * z2
    sin = fma(fma(_SIN[5], z, _SIN[4]), z4, fma(fma(_SIN[3], z, _SIN[2]), z2, fma(_SIN[1], z, _SIN[0])))
    cos = fma(fma(_COS[5], z, _COS[4]), z4, fma(fma(_COS[3], z, _COS[2]), z2, fma(_COS[1], z, _COS[0])))
    half = 0.5 * z
    head = 1.0 - half
    return fma(sin * z, r, r_low), head, fma(cos, z2, fma(-r, r_low, (1.0 - head) - half))


@jit
def _sin_or_cos(quadrant, r, r_low):
    """sin(r + quadrant pi/2)."""
    tail, head, cos_tail = _sin_cos(r, r_low)
    result = select((quadrant & 1) == 0, r + tail, head + cos_tail)
    return from_bits(bits(result) ^ ((quadrant & 2) << 62))


@jit
def _sin_slow(x):
    return math.sin(x)


@jit
def _cos_slow(x):
    return math.cos(x)


@jit
def _tan_slow(x):
    return math.tan(x)


@jit
def sin(x):
    """Sine."""
    quadrant, r, r_low = _quadrant(x)
    result = select(x == 0.0, x, _sin_or_cos(quadrant, r, r_low))
    return patch(fabs(x) > _LARGE_ANGLE, _sin_slow, x, result)


@jit
def cos(x):
    """Cosine."""
    quadrant, r, r_low = _quadrant(x)
    return patch(fabs(x) > _LARGE_ANGLE, _cos_slow, x, _sin_or_cos(quadrant + 1, r, r_low))


@jit
def tan(x):
    """Tangent."""
    quadrant, r, r_low = _quadrant(x)
    tail, head, cos_tail = _sin_cos(r, r_low)
    sin = r + tail
    sin_low = tail - (sin - r)
    cos = head + cos_tail
    cos_low = cos_tail - (cos - head)
    is_even = (quadrant & 1) == 0
    n = select(is_even, sin, cos)
    n_low = select(is_even, sin_low, cos_low)
    d = select(is_even, cos, -sin)
    d_low = select(is_even, cos_low, -sin_low)
    reciprocal = 1.0 / d
    result = n * reciprocal
    result = fma(fma(-result, d_low, fma(-result, d, n) + n_low), reciprocal, result)
    return patch(fabs(x) > _LARGE_ANGLE, _tan_slow, x, select(x == 0.0, x, result))


# -------------------- inverse trigonometric functions --------------------

_ATAN = (
    -0.333333333333332,
    0.19999999999954096,
    -0.14285714280249628,
    0.11111110786185,
    -0.0909089783757974,
    0.07692061653736108,
    -0.06663120539175713,
    0.05848009843174028,
    -0.050398489420026046,
    0.038078392857452514,
    -0.017922344725920136,
)
_QUARTER_PI = 0.7853981633974483
_QUARTER_PI_LOW = 3.061616997868383e-17
_PI = 3.141592653589793
_PI_LOW = 1.2246467991473532e-16
_TAN_EIGHTH_PI = 0.41421356237309503
_TWO_600 = 2.0**600
_TWO_M600 = 2.0**-600


@jit
def _angle(y, x):
    """Angle of the point (x, y) in the first quadrant, as high and low part."""
    is_steep = y > x
    long = select(is_steep, y, x)
    short = select(is_steep, x, y)
    # Only the ratio matters: keep sums and reciprocals inside the range of doubles.
    scale = select(long > 1e290, _TWO_M600, select(long < 1e-200, _TWO_600, 1.0))
    short = select(long == _INF, select(short == _INF, 1.0, short * 0.0), short * scale)
    long = select(long == _INF, 1.0, select(long == 0.0, 1.0, long * scale))
    # arctan(short/long) = pi/4 + arctan((short - long) / (short + long))
    is_middle = short > _TAN_EIGHTH_PI * long
    difference = short - long
    total = long + short
    n = select(is_middle, difference, short)
    n_low = select(is_middle, short - (difference + long), 0.0)
    d = select(is_middle, total, long)
    d_low = select(is_middle, short - (total - long), 0.0)
    reciprocal = 1.0 / d
    t = n * reciprocal
    t_low = (fma(-t, d, n) + fma(-t, d_low, n_low)) * reciprocal
    z = t * t
    z2 = z * z
    c = _ATAN
    low = fma(fma(c[3], z, c[2]), z2, fma(c[1], z, c[0]))
    high = fma(fma(c[7], z, c[6]), z2, fma(c[5], z, c[4]))
    high = fma(fma(c[10], z2, fma(c[9], z, c[8])), z2 * z2, high)
    tail = fma(fma(high, z2 * z2, low) * z, t, t_low)
    # base + t + tail, or pi/2 minus it
    quarters = select(is_middle, 1.0, 0.0)
    quarters = select(is_steep, 2.0 - quarters, quarters)
    t = select(is_steep, -t, t)
    tail = select(is_steep, -tail, tail)
    base = quarters * _QUARTER_PI
    angle = base + t
    return angle, ((base - angle) + t) + fma(quarters, _QUARTER_PI_LOW, tail)


@jit
def _turned(is_left, angle, low):
    """The angle, or pi minus it."""
    turned = _PI - angle
    turned_low = ((_PI - turned) - angle) + (_PI_LOW - low)
    return select(is_left, turned + turned_low, angle + low)


@jit
def arctan(x):
    """Inverse tangent."""
    angle, low = _angle(fabs(x), 1.0)
    return copysign(angle + low, x)


@jit
def arctan2(y, x):
    """Angle of the point (x, y), from -pi to pi."""
    angle, low = _angle(fabs(y), fabs(x))
    return copysign(_turned(bits(x) < 0, angle, low), y)


@jit
def arcsin(x):
    """Inverse sine."""
    angle, low = _angle(fabs(x), sqrt(fma(-x, x, 1.0)))
    return copysign(angle + low, x)


@jit
def arccos(x):
    """Inverse cosine."""
    angle, low = _angle(sqrt(fma(-x, x, 1.0)), fabs(x))
    return _turned(x < 0.0, angle, low)


@jit
def hypot(x, y):
    """Length of (x, y) without overflow of the squares."""
    x = fabs(x)
    y = fabs(y)
    is_flat = x > y
    long = select(is_flat, x, y)
    short = select(is_flat, y, x)
    # Powers of two, so that scaling is exact.
    scale = select(long > 1e150, _TWO_M600, select(long < 1e-150, _TWO_600, 1.0))
    back = select(long > 1e150, _TWO_600, select(long < 1e-150, _TWO_M600, 1.0))
    long = long * scale
    short = short * scale
    result = sqrt(fma(long, long, short * short)) * back
    return select((x == _INF) | (y == _INF), _INF, result)


# -------------------- hyperbolic functions and their inverses --------------------

_LARGE_AREA = 268435456.0  # 2^28: the 1 under the root is lost


@jit
def tanh(x):
    """Hyperbolic tangent."""
    # e^(-2|x|) = a (1 + r + t), a = 2^k, and n = 1 - e^(-2|x|) in two parts: tanh|x| = n / (2 - n).
    u = -2.0 * fabs(x)
    u = select(u < -60.0, -60.0, u)
    shifted = fma(u, _LOG2E, _ROUND_1023)
    k = shifted - _ROUND_1023
    r = fma(k, -_LN2, u)
    a = from_bits(bits(shifted) << 52)
    t = fma(_exp_quadratic(r), r * r, k * -_LN2_LOW)
    base = 1.0 - a
    head = fma(-a, r, base)
    tail = fma(-a, t, fma(-a, r, base - head))
    n = head + tail
    e = fma(a, r + t, a)
    d = 1.0 + e
    reciprocal = 1.0 / d
    q = n * reciprocal
    q = fma(fma(-q, e - (d - 1.0), fma(-q, d, n)), reciprocal, q)
    return copysign(q, x)


@jit
def _half_exp(a):
    """e^a / 2 for a >= 0, finite up to where cosh is."""
    k, head, first, second = _exp_reduce(select(a > 712.0, 712.0, a))
    return _exp_near_one(head, k * -_LN2_LOW) * first * (0.5 * second)


@jit
def cosh(x):
    """Hyperbolic cosine."""
    e = _half_exp(fabs(x))
    return e + 0.25 / e


@jit
def sinh(x):
    """Hyperbolic sine."""
    a = fabs(x)
    high, low = _half_expm1(a)
    near = high + (low + high / fma(2.0, high, 1.0))
    near = select(a < 1e-17, a, near)
    return copysign(select(a > 22.0, _half_exp(a), near), x)


@jit
def arcsinh(x):
    """Inverse hyperbolic sine."""
    a = fabs(x)
    is_large = a > _LARGE_AREA
    b = select(is_large, 1.0, a)
    square = b * b
    # log(1 + b + (sqrt(1 + b^2) - 1)); log(2 a) for large a
    extra = square / (1.0 + sqrt(1.0 + square))
    p = b + extra
    u, c = _one_plus(p, extra - (p - b))
    result = _log(select(is_large, a, u), select(is_large, 0.0, c))
    result = select(a < _INF, select(is_large, result + _LN2, result), x)
    return select(x == 0.0, x, copysign(result, x))


@jit
def arccosh(x):
    """Inverse hyperbolic cosine."""
    is_large = x > _LARGE_AREA
    b = select(is_large, 1.0, x)
    t = b - 1.0
    # log(1 + t + sqrt(t (2 + t))); log(2 x) for large x
    root = sqrt(fma(t, b, t))
    p = root + t
    v = p - root
    u, c = _one_plus(p, (root - (p - v)) + (t - v))
    result = _log(select(is_large, x, u), select(is_large, 0.0, c))
    result = select(x < _INF, select(is_large, result + _LN2, result), x)
    return select(x >= 1.0, result, _NAN)


@jit
def arctanh(x):
    """Inverse hyperbolic tangent."""
    a = fabs(x)
    # log((1 + a) / (1 - a)) / 2 as log(1 + 2 a / (1 - a)) / 2
    d = 1.0 - a
    d_low = (1.0 - d) - a
    reciprocal = 1.0 / d
    p = 2.0 * a * reciprocal
    p_low = fma(-p, d_low, fma(-p, d, 2.0 * a)) * reciprocal
    u, c = _one_plus(p, p_low)
    result = select(a == 1.0, _INF, 0.5 * _log_ends(u, _log(u, c)))
    return select(a < 1e-17, x, copysign(result, x))


# -------------------- error function and normal distribution --------------------

_TAIL = (
    0.3845965248750315,
    -0.10193333652000947,
    0.04803805711797194,
    -0.008174893544658522,
    -0.01154976391623852,
    0.014946790497935188,
    -0.010338058211138156,
    0.004741831655133265,
    -0.001296947738940097,
    3.308870844477271e-05,
    0.00013378190762323438,
    -4.269409649799163e-05,
    -6.588434026832213e-06,
    6.994693379362153e-06,
    -1.8989521344681724e-07,
    -9.98763792569025e-07,
    1.1489158249869044e-07,
    1.5054419971939785e-07,
    -1.9680137684671725e-08,
    -2.3918457548633014e-08,
    7.639721242843064e-10,
    2.9134541304444533e-09,
    4.886437762917992e-10,
)
_TAIL_0_LOW = 7.166406418913664e-18
_ERF = (
    0.1283791670955126,
    -0.37612638903183704,
    0.11283791670950633,
    -0.026866170643528503,
    0.005223977596390233,
    -0.0008548323996031787,
    0.00012055140626037651,
    -1.4918064670975869e-05,
    1.628029471043939e-06,
    -1.3918092611543543e-07,
)
_SQRT2 = 1.4142135623730951
_SQRT2_LOW = -9.667293313452913e-17
_DENSITY_0 = 0.3989422804014327
_DENSITY_0_LOW = -2.49232720227773e-17


@jit
def _tail(a):
    """Phi(-a) e^(a^2/2) for 0 <= a <= 40 as high and low part: 1 / (1 + 0.8 a) times a polynomial.

    The polynomial is in t = (a - 5) / (a + 5). Third comes 1 / (1 + 0.8 a).
    """
    t = (a - 5.0) / (a + 5.0)
    s = fma(a, 0.8, 1.0)
    s_low = fma(a, 0.8, 1.0 - s)
    inverse = 1.0 / s
    z = t * t
    z2 = z * z
    c = _TAIL
    odd = fma(fma(fma(fma(c[21], z2, c[17]), z2, c[13]), z2, c[9]), z2, c[5])
    odd = fma(odd, z2, fma(fma(fma(fma(fma(c[19], z2, c[15]), z2, c[11]), z2, c[7]), z2, c[3]), z, c[1]))
    even = fma(fma(fma(fma(c[22], z2, c[18]), z2, c[14]), z2, c[10]), z2, c[6])
    even = fma(even, z2, fma(fma(fma(fma(fma(c[20], z2, c[16]), z2, c[12]), z2, c[8]), z2, c[4]), z, c[2]))
    rest = fma(even, t, odd)
    n = fma(rest, t, c[0])
    n_low = fma(rest, t, c[0] - n) + _TAIL_0_LOW
    q = n * inverse
    return q, fma(-q, s_low, fma(-q, s, n) + n_low) * inverse, inverse


@jit
def _half_square(x):
    """-x^2/2 as high and low part."""
    negative = -0.5 * x
    high = negative * x
    return high, fma(negative, x, -high)


@jit
def norm_pdf(x):
    """Density of the standard normal distribution."""
    a = fabs(x)
    a = select(a > 40.0, 40.0, a)
    high, low = _half_square(a)
    m, first, second = _exp_parts(high, low)
    return fma(m, _DENSITY_0, m * _DENSITY_0_LOW) * first * second


@jit
def norm_cdf(x):
    """Distribution function of the standard normal distribution, accurate in the left tail."""
    a = fabs(x)
    a = select(a > 40.0, 40.0, a)
    high, low = _half_square(a)
    m, first, second = _exp_parts(high, low)
    tail, tail_low, _ = _tail(a)
    tail = fma(m, tail, m * tail_low) * first * second
    return select(x > 0.0, 1.0 - tail, tail)


@jit
def erf(x):
    """Error function."""
    a = fabs(x)
    a = select(a > 6.0, 6.0, a)
    square = -a * a
    m, first, second = _exp_parts(square, fma(-a, a, -square))
    tail, tail_low, _ = _tail(a * _SQRT2)
    m = 2.0 * m
    far = copysign(1.0 - fma(m, tail, m * tail_low) * first * second, x)
    z = x * x
    z2 = z * z
    c = _ERF
    low = fma(fma(c[3], z, c[2]), z2, fma(c[1], z, c[0]))
    high = fma(fma(c[7], z, c[6]), z2, fma(c[5], z, c[4]))
    near = fma(fma(fma(fma(c[9], z, c[8]), z2 * z2, high), z2 * z2, low), x, x)
    return select(a < 0.6, near, far)


@jit
def erfc(x):
    """Complementary error function."""
    a = fabs(x)
    a = select(a > 27.5, 27.5, a)
    square = -a * a
    m, first, second = _exp_parts(square, fma(-a, a, -square))
    b = a * _SQRT2
    b_low = fma(a, _SQRT2_LOW, fma(a, _SQRT2, -b))
    tail, tail_low, inverse = _tail(b)
    # The logarithmic derivative of the tail is near -1 / (b + 1.25).
    tail_low = fma(-0.8 * b_low * inverse, tail, tail_low)
    m = 2.0 * m
    tail = fma(m, tail, m * tail_low) * first * second
    return select(x < 0.0, 2.0 - tail, tail)


# -------------------- quantile of the normal distribution --------------------

_PPF = (
    2.624934990953232,
    5.772533539150824,
    15.667608762668815,
    47.03582485856281,
    149.8257267857943,
    496.55462699773955,
    1677.003085066714,
    6272.013633921596,
    12430.924111640565,
    188410.17192499814,
    -692938.3085529219,
    5106835.691273526,
)
_PPF_NEAR_TOP = (
    -0.003246049549645363,
    0.3130633287961097,
    0.5256866281559749,
    0.3497438684963859,
    0.12087775595316638,
    0.023105611473454427,
    0.0022631024566904263,
    9.244532281457408e-05,
    1.0240250352049501e-06,
)
_PPF_NEAR_BOTTOM = (
    1.0,
    2.0520179031689247,
    1.7350718721881657,
    0.7902088187827305,
    0.21081189193422023,
    0.03281894106399352,
    0.0027248922900041045,
    9.903732164678979e-05,
    1.0285417356551064e-06,
)
_PPF_FAR_TOP = (
    0.5840032943999706,
    0.2944073648382457,
    0.055520055647210624,
    0.004937427341649329,
    0.00021552706653733258,
    4.3897056984089685e-06,
    3.5818675026022894e-08,
    7.936801312044157e-11,
)
_PPF_FAR_BOTTOM = (
    1.0,
    0.43531018582108194,
    0.07274046347631591,
    0.005876354116659243,
    0.00023854683055341515,
    4.6155623421837175e-06,
    3.6452668804110667e-08,
    7.944015880197815e-11,
)
_SQRT_TWO_PI = 2.5066282746310007
_SQRT_TWO_PI_LOW = -1.8328579980459167e-16
_PPF_NEAR_START = 1.625
_PPF_FAR_START = 7.0


@jit
def _middle_quantile(t):
    """Quantile of 1/2 + t for |t| <= 1/4."""
    z = t * t
    z2 = z * z
    c = _PPF
    low = fma(fma(c[3], z, c[2]), z2, fma(c[1], z, c[0]))
    middle = fma(fma(c[7], z, c[6]), z2, fma(c[5], z, c[4]))
    high = fma(fma(c[11], z, c[10]), z2, fma(c[9], z, c[8]))
    z4 = z2 * z2
    return fma(t, _SQRT_TWO_PI, t * fma(fma(fma(high, z4, middle), z4, low), z, _SQRT_TWO_PI_LOW))


@jit
def _upper_quantile(s):
    """Upper quantile of e^(-s^2/2) for 1.66 <= s <= 38.6: s - 1 and one of two rational functions."""
    is_far = s > _PPF_FAR_START
    u = s - select(is_far, _PPF_FAR_START, _PPF_NEAR_START)
    u2 = u * u
    a, b = _PPF_FAR_TOP, _PPF_NEAR_TOP
    even = fma(select(is_far, 0.0, b[8]), u2, select(is_far, a[6], b[6]))
    even = fma(fma(even, u2, select(is_far, a[4], b[4])), u2, select(is_far, a[2], b[2]))
    odd = fma(select(is_far, a[7], b[7]), u2, select(is_far, a[5], b[5]))
    odd = fma(fma(odd, u2, select(is_far, a[3], b[3])), u2, select(is_far, a[1], b[1]))
    n = fma(fma(even, u, odd), u, select(is_far, a[0], b[0]))
    a, b = _PPF_FAR_BOTTOM, _PPF_NEAR_BOTTOM
    even = fma(select(is_far, 0.0, b[8]), u2, select(is_far, a[6], b[6]))
    even = fma(fma(even, u2, select(is_far, a[4], b[4])), u2, select(is_far, a[2], b[2]))
    odd = fma(select(is_far, a[7], b[7]), u2, select(is_far, a[5], b[5]))
    odd = fma(fma(odd, u2, select(is_far, a[3], b[3])), u2, select(is_far, a[1], b[1]))
    return (s - 1.0) + n / fma(fma(even, u, odd), u, 1.0)


@jit
def norm_ppf(p):
    """Quantile of the standard normal distribution, the inverse of ``norm_cdf``."""
    t = p - 0.5
    tail = select(p > 0.5, 1.0 - p, p)
    far = copysign(_upper_quantile(sqrt(-2.0 * _log(tail, 0.0))), t)
    result = select(fabs(t) <= 0.25, _middle_quantile(t), far)
    return select((p > 0.0) & (p < 1.0), result, select(p == 0.0, -_INF, select(p == 1.0, _INF, _NAN)))


# -------------------- gamma function --------------------

_LGAMMA = (
    0.32246703342411326,
    -0.06735230105319807,
    0.020580808427777143,
    -0.007385551028678372,
    0.0028905103312232483,
    -0.001192753911473635,
    0.000509669510489731,
    -0.0002231547635582536,
    9.945774118659634e-05,
    -4.492618281639363e-05,
    2.0505065770687796e-05,
    -9.439724067991314e-06,
    4.3870177329001555e-06,
    -2.0394759038775813e-06,
    9.146586777092792e-07,
    -4.428168338900229e-07,
    2.839081384175044e-07,
    -1.223677463181819e-07,
)
_STIRLING = (
    0.0833333333333247,
    -0.002777777774148803,
    0.0007936502351640707,
    -0.0005951940599739227,
    0.0008397048230459585,
    -0.0018572432419949165,
    0.005232475360769558,
    -0.013666611152560909,
    0.02060433605496666,
)
_DIGAMMA = (
    0.9676722454476212,
    -0.4427631689835921,
    0.2584997609556485,
    -0.16394270544240813,
    0.10782405069170288,
    -0.07219956125647004,
    0.048804288133885466,
    -0.03316112646218666,
    0.022597649296973336,
    -0.01542476665345532,
    0.010538769825873862,
    -0.007204513847544325,
    0.004927057529541047,
    -0.003370122396799916,
    0.002302910109769121,
    -0.0015738804259934278,
    0.0010899241174917357,
    -0.0007560950000243457,
    0.0004727483949235897,
    -0.0002819160707892499,
    0.00027818395512862467,
    -0.00028061466193817576,
    0.00012117526837964894,
)
_DIGAMMA_FAR = (
    0.0833333333333117,
    -0.008333333322853877,
    0.003968252125231234,
    -0.004166499554761467,
    0.007566660084303514,
    -0.020768699064649048,
    0.07532636639906577,
    -0.29905890020990106,
    1.041854489652122,
    -2.526821598294302,
    3.000907582858175,
)
_LGAMMA_SLOPE = 0.42278433509846713
_LGAMMA_SLOPE_LOW = 4.942915152430645e-18
_STIRLING_0 = 0.4189385332046727  # log(2 pi)/2 - 1/2
_STIRLING_0_LOW = 1.6728209650585413e-17
_DIGAMMA_ROOT = 1.4616321449683622
_DIGAMMA_ROOT_LOW = 9.549995429965697e-17
_DIGAMMA_0_LOW = -3.153095843500085e-17
# B(2j)/(2j)! of the asymptotic series
_BERNOULLI = (
    0.08333333333333333,
    -0.001388888888888889,
    3.306878306878307e-05,
    -8.267195767195768e-07,
    2.08767569878681e-08,
    -5.284190138687493e-10,
    1.3382536530684679e-11,
    -3.3896802963225827e-13,
    8.586062056277845e-15,
)
_SHIFT = 8.0


@jit
def _lgamma_near(x, high, low, relative):
    """For x < 3.5, from lgamma(2 + h), |h| <= 1/2, and a logarithm (a pair, and what its argument has lost)."""
    h = x - select(x < 0.5, 0.0, select(x < 1.5, 1.0, select(x < 2.5, 2.0, 3.0)))
    h2 = h * h
    h4 = h2 * h2
    c = _LGAMMA
    a0 = fma(fma(c[3], h, c[2]), h2, fma(c[1], h, c[0]))
    a1 = fma(fma(c[7], h, c[6]), h2, fma(c[5], h, c[4]))
    a2 = fma(fma(c[11], h, c[10]), h2, fma(c[9], h, c[8]))
    a3 = fma(fma(c[15], h, c[14]), h2, fma(c[13], h, c[12]))
    rest = fma(fma(fma(fma(fma(c[17], h, c[16]), h4, a3), h4, a2), h4, a1), h4, a0)
    t = h * _LGAMMA_SLOPE
    t_low = fma(rest, h2, fma(h, _LGAMMA_SLOPE_LOW, fma(h, _LGAMMA_SLOPE, -t)))
    low = low + relative
    is_low = x < 1.5
    high = select(is_low, -high, high)
    low = select(is_low, -low, low)
    total = high + t
    part = total - high
    return total + ((high - (total - part)) + (t - part) + (low + t_low))


@jit
def _lgamma_far(x, high, low):
    """For x >= 3.5, by Stirling's formula from the logarithm: (x - 1/2) (log(x) - 1) and what remains."""
    r = 1.0 / x
    z = r * r
    z2 = z * z
    c = _STIRLING
    z4 = z2 * z2
    middle = fma(fma(c[7], z, c[6]), z2, fma(c[5], z, c[4]))
    rest = fma(fma(c[8], z4, middle), z4, fma(fma(c[3], z, c[2]), z2, fma(c[1], z, c[0]))) * r
    log = high - 1.0
    low = low + (high - (log + 1.0))
    g = x - 0.5
    g_low = (x - g) - 0.5
    p = g * log
    p_low = fma(g, low, fma(g, log, -p)) + g_low * log
    total = p + _STIRLING_0
    result = total + (((p - total) + _STIRLING_0) + (_STIRLING_0_LOW + rest) + p_low)
    return select(p < _INF, result, _INF)


@jit
def _lgamma(x):
    """The same for x >= 0 or NaN."""
    # Near 2 + h: minus log(x (1 + x)), minus log(x), nothing, or plus log(x - 1).
    u = 1.0 + x
    product = x * u
    lost = (fma(x, u, -product) + x * (x - (u - 1.0))) / product
    is_least = (x < 0.5) & (product > 0.0)
    is_far = x >= 3.5
    argument = select(x < 1.5, x, select(x < 2.5, 1.0, select(is_far, x, x - 1.0)))
    high, low = _log_pair(select(is_least, product, argument))
    near = _lgamma_near(x, high, low, select(is_least, lost, 0.0))
    return select(x == 0.0, _INF, select(is_far, _lgamma_far(x, high, low), near))


@jit
def _lgamma_slow(x):
    """For negative x, by reflection."""
    a = -x
    f = a - rint(a)
    if f == 0.0 or a == _INF:
        return _INF
    if a < 1e-20:
        return -log(a)
    return log(_PI / (a * sin(_PI * fabs(f)))) - _lgamma(a)


@jit
def lgamma(x):
    """Logarithm of |gamma(x)|; inf at the poles and at -inf, as math.lgamma.

    For negative x the error is 4 units in the last place of the largest of 1, the result and lgamma(|x|).
    """
    return patch(x < 0.0, _lgamma_slow, x, _lgamma(x))


@jit
def _digamma_near(distance):
    """Digamma from 1 to 2, as a pair, from the distance to the high part of its root."""
    h = distance - _DIGAMMA_ROOT_LOW
    h_low = (distance - h) - _DIGAMMA_ROOT_LOW
    h2 = h * h
    h4 = h2 * h2
    c = _DIGAMMA
    a0 = fma(fma(c[4], h, c[3]), h2, fma(c[2], h, c[1]))
    a1 = fma(fma(c[8], h, c[7]), h2, fma(c[6], h, c[5]))
    a2 = fma(fma(c[12], h, c[11]), h2, fma(c[10], h, c[9]))
    a3 = fma(fma(c[16], h, c[15]), h2, fma(c[14], h, c[13]))
    a4 = fma(fma(c[20], h, c[19]), h2, fma(c[18], h, c[17]))
    a5 = fma(c[22], h, c[21])
    rest = fma(fma(fma(fma(fma(a5, h4, a4), h4, a3), h4, a2), h4, a1), h4, a0) * h
    slope = c[0] + rest
    slope_low = (c[0] - slope) + rest + _DIGAMMA_0_LOW
    high = slope * h
    return high, fma(slope, h, -high) + fma(slope, h_low, slope_low * h)


@jit
def _digamma(x):
    """Digamma for x >= 0 or NaN, and for -0.0."""
    is_low = x < 1.0
    is_far = x >= 3.0
    # In [1, 2), or psi(x + 1) - 1/x, or psi(x - 1) + 1/(x - 1)
    y = select((x >= 2.0) & (x < 3.0), x - 1.0, x)
    near, near_low = _digamma_near(y - select(is_low, _DIGAMMA_ROOT - 1.0, _DIGAMMA_ROOT))
    d = select(is_low | is_far, x, y)
    r = 1.0 / d
    r_low = fma(-r, d, 1.0) * r
    r_high = select(is_low, -r, select(x < 2.0, 0.0, r))
    r_low = select(is_low, -r_low, select(x < 2.0, 0.0, r_low))
    total = r_high + near  # |r_high| is larger, or zero
    rest = (near - (total - r_high)) + (near_low + r_low)
    near = select(fabs(total) < _INF, total + rest, total)
    z = r * r
    z2 = z * z
    c = _DIGAMMA_FAR
    low = fma(fma(c[3], z, c[2]), z2, fma(c[1], z, c[0]))
    high = fma(fma(c[7], z, c[6]), z2, fma(c[5], z, c[4]))
    rest = fma(fma(fma(c[10], z2, fma(c[9], z, c[8])), z2 * z2, high), z2 * z2, low)
    far = _log(x, -fma(rest, z, 0.5 * r))
    return select(is_far, select(x < _INF, far, x), near)


@jit
def _digamma_slow(x):
    """For negative x, by reflection."""
    f = x - rint(x)
    if f == 0.0 or x == -_INF:
        return _NAN
    a = fabs(f)
    cot = 1.0 / tan(_PI * a) if a < 0.25 else tan(_PI * (0.5 - a))
    return _digamma(1.0 - x) - _PI * copysign(cot, f)


@jit
def digamma(x):
    """Derivative of lgamma; -inf at 0.0, inf at -0.0, NaN at the negative integers and -inf, as SciPy.

    For negative x the error is 4 units in the last place of the largest of 1, the result and log|x|.
    """
    return patch(x < 0.0, _digamma_slow, x, _digamma(x))


@jit
def _asymptotic(n, y):
    """Euler-Maclaurin formula for n y^-n zeta(n + 1, 1/y), y small."""
    z = y * y
    s = n + 1.0
    acc = s * 0.0 + _BERNOULLI[8]
    for j in range(7, -1, -1):
        acc = fma(acc * z, (s + (2.0 * j + 1.0)) * (s + (2.0 * j + 2.0)), _BERNOULLI[j])
    return fma(n, fma(acc * s, z, 0.5 * y), 1.0)


@jit
def _reciprocal(x, k):
    """1/(x + k) as y and e, that is y (1 + e)."""
    b = x + k
    part = b - x
    b_low = (x - (b - part)) + (k - part)
    y = 1.0 / b
    e = fma(-y, b_low, fma(-y, b, 1.0))
    return y, select(fabs(e) < 1.0, e, 0.0)


@jit
def _lost_by_square(y, square):
    """Relative error of the rounded square."""
    return fma(y, y, -square) / square


@jit
def _polygamma(n, x):
    """For n from 1 to 4 and x > 0: eight terms of n! zeta(n + 1, x), and the rest from x + 8 on."""
    is_high = n > 2.0
    is_even = (n == 2.0) | (n == 4.0)
    y, e = _reciprocal(x, _SHIFT)
    square = y * y
    lost = _lost_by_square(y, square)
    lost = fma(n, e, select(n == 1.0, 0.0, select(n == 4.0, 2.0 * lost, lost)))
    rest = _asymptotic(n, y) * (select(is_even, square, y) * select(is_high, square, 1.0))
    rest = select(fabs(lost) < 1.0, fma(rest, lost, rest), rest)
    total = x * 0.0
    for k in range(7, -1, -1):
        y, e = _reciprocal(x, float(k))
        square = y * y
        lost = _lost_by_square(y, square)
        lost = fma(n + 1.0, e, select(is_high, 2.0 * lost, lost))
        term = select(is_even, square * y, square) * select(is_high, square, 1.0)
        total = total + select((fabs(term) < _INF) & (fabs(lost) < 1.0), fma(term, lost, term), term)
    total = fma(n, select(x < _INF, total, 0.0), rest)
    return total * select(n == 4.0, -6.0, select(n == 3.0, 2.0, select(n == 2.0, -1.0, 1.0)))


@jit
def _factorial_zeta(n, x):
    """Product of n! and zeta(n + 1, x) for x > 0 and any integer n >= 1."""
    if n <= 4.0:
        return fabs(_polygamma(n, x))
    if x == _INF:
        return 0.0
    # Terms in units of the first one
    s = n + 1.0
    total, a = 0.0, x
    while a < 2.0 * n + 10.0:
        term = pow(x / a, s)
        total += term
        if term < 1e-18 * total:
            break
        a += 1.0
    else:
        total += pow(x / a, s) * a / n * _asymptotic(n, 1.0 / a)
    first = pow(x, -s)
    if n > 170.0 or first < 1e-290:
        return exp(_lgamma(s) - s * log(x)) * total
    for i in range(2, int(n) + 1):
        total *= i
    return first * total


@jit
def _polygamma_slow(n, x):
    # An upper bound on the order bounds the loop of _factorial_zeta too: no argument may hang a kernel.
    if not (0.0 <= n <= 1000.0 and n == floor(n) and x == x):
        return _NAN
    if n == 0.0:
        return digamma(x)
    is_odd = floor(0.5 * n) != 0.5 * n
    sign = 1.0 if is_odd else -1.0
    if x == 0.0:
        return _INF if is_odd else copysign(_INF, -x)
    if x > 0.0:
        return sign * _factorial_zeta(n, x)
    if x == floor(x):
        return _INF if is_odd and x > -_INF else _NAN
    # The terms below zero are those of 1 - f upwards, but for the ones from 1 - x on.
    m = -floor(x)
    below = _factorial_zeta(n, -x - (m - 1.0)) - _factorial_zeta(n, 1.0 - x)
    return sign * (_factorial_zeta(n, x + m) + sign * below)


@jit
def polygamma(n, x):
    """Derivative n + 1 of lgamma, n an integer in a float up to 1000; NaN for other n.

    At the poles inf for odd n, and for even n NaN (but -inf at 0.0 and inf at -0.0). Negative x and n > 4 go
    lane by lane.
    """
    n = select(x == x, n, n)  # as many lanes as x: rules call it with a constant order
    is_plain = (x > 0.0) & ((n == 1.0) | (n == 2.0) | (n == 3.0) | (n == 4.0))
    return patch2(not_(is_plain), _polygamma_slow, n, x, _polygamma(n, x))
