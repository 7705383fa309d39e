"""Fit the polynomials of ``fastad/kernels/vmath.py`` and print their coefficients.

Each is the polynomial of least weighted maximum error on an interval (Remez exchange, 60 digits), rounded to
double. Rounding costs nothing that matters: every fitted polynomial is a correction to an exact leading term.
The tails of the inverse normal are rational instead, by interpolation at nodes that make them nearly as good.

Run ``python bench/fit_vmath.py [name ...]``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from mpmath import mp, mpf

mp.dps = 60
Function = Callable[[mpf], mpf]


def exchange(f: Function, weight: Function, low: mpf, high: mpf, powers: list[int]) -> tuple[list[mpf], mpf]:
    """Coefficients of x**powers that minimise the maximum of |weight * (f - p)|, and that maximum."""
    count = len(powers) + 1
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [middle - half * mp.cos(mp.pi * (i + mpf(1) / 2) / (24 * count)) for i in range(24 * count)]
    values, weights = [f(x) for x in grid], [weight(x) for x in grid]
    chosen = [24 * i + 12 for i in range(count)]
    for _ in range(30):
        rows = [[grid[i] ** p for p in powers] + [(-1) ** j / weights[i]] for j, i in enumerate(chosen)]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([values[i] for i in chosen]))
        c = list(solution)[:-1]
        errors = [w * (v - sum(ck * x**p for ck, p in zip(c, powers))) for x, v, w in zip(grid, values, weights)]
        extrema: list[int] = []
        for i, e in enumerate(errors):
            if extrema and (errors[extrema[-1]] > 0) == (e > 0):
                if abs(e) > abs(errors[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > count:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        if len(extrema) < count or extrema == chosen:
            break
        chosen = extrema
    return c, max(abs(e) for e in errors)


def fit(f: Function, weight: Function, low: float, high: float, degree: int) -> tuple[list[float], mpf]:
    """Coefficients rounded to double, lowest first, and the maximum weighted error after rounding."""
    low, high = mpf(low), mpf(high)
    c = [float(ck) for ck in exchange(f, weight, low, high, list(range(degree + 1)))[0]]
    grid = [low + (high - low) * (mpf(i) + mpf(1) / 2) / 1000 for i in range(1000)]
    return c, max(abs(weight(x) * (f(x) - mp.polyval(c[::-1], x))) for x in grid)


def low_part(spec: tuple[Function, Function, float, float, int]) -> float:
    """What the rounding of the lowest coefficient has lost."""
    f, weight, low, high, degree = spec
    c = exchange(f, weight, mpf(low), mpf(high), list(range(degree + 1)))[0]
    return float(c[0] - mpf(float(c[0])))


def series(terms: Callable[[int], mpf]) -> Function:
    """Sum of terms(k) * x**k: for small arguments, where the closed form cancels."""
    c = [terms(k) for k in range(40)]
    return lambda x: mp.polyval(c[::-1], x)


def normal_tail(t: mpf) -> mpf:
    """(1 + 0.8 a) Phi(-a) exp(a^2/2) for a = 5 (1 + t) / (1 - t); nearly flat at t = -1, so that t may have errors."""
    a = 5 * (1 + t) / (1 - t)
    return (1 + mpf(0.8) * a) * mp.erfc(a / mp.sqrt(2)) * mp.exp(a * a / 2) / 2


def inverse_normal(p: mpf) -> mpf:
    """Quantile of the standard normal distribution for 0 < p <= 1/2, by Newton's method on log Phi."""
    x = -mp.sqrt(-2 * mp.log(p)) if p < mpf("0.1") else (p - mpf("0.5")) * 2
    step = mpf(1)
    while abs(step) > mpf(10) ** -45:
        cdf = mp.erfc(-x / mp.sqrt(2)) / 2
        step = mp.log(cdf / p) * cdf / mp.npdf(x)
        x -= step
    return x


def upper_quantile(s: mpf) -> mpf:
    """Upper quantile of exp(-s^2/2)."""
    return -inverse_normal(mp.exp(-s * s / 2))


def upper_quantile_rest(s: mpf) -> mpf:
    """What s - 1 lacks: from 0.01 to 0.9, and a small part of the quantile everywhere."""
    return upper_quantile(s) - s + 1


def rational(
    f: Function, weight: Function, low: float, high: float, start: float, top: int, bottom: int
) -> tuple[list[float], list[float], mpf]:
    """Numerator and denominator in x - start, which equal f at Chebyshev's nodes of a Moebius map, and the error."""
    middle = mp.sqrt(mpf(low) * high)
    edge = (middle - low) / (middle + low)

    def points(count: int) -> list[mpf]:
        t = [-edge * mp.cos(mp.pi * (k + mpf(1) / 2) / count) for k in range(count)]
        return [middle * (1 + u) / (1 - u) for u in t]

    nodes = points(top + bottom + 1)
    values = [f(x) for x in nodes]
    rows = [
        [(x - start) ** p for p in range(top + 1)] + [-y * (x - start) ** p for p in range(1, bottom + 1)]
        for x, y in zip(nodes, values)
    ]
    c = [float(ck) for ck in mp.lu_solve(mp.matrix(rows), mp.matrix(values))]
    n, d = c[: top + 1], [1.0, *c[top + 1 :]]

    def error(x: mpf) -> mpf:
        return abs(mp.polyval(n[::-1], x - start) / mp.polyval(d[::-1], x - start) - f(x)) * weight(x)

    return n, d, max(error(x) for x in points(100))


def stirling(z: mpf) -> mpf:
    """x (lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi)/2)) at z = 1/x^2."""
    x = 1 / mp.sqrt(z)
    return x * (mp.loggamma(x) - ((x - mpf(1) / 2) * mp.log(x) - x + mp.log(2 * mp.pi) / 2))


def digamma_rest(z: mpf) -> mpf:
    """(log(x) - 1/(2x) - psi(x)) x^2 at z = 1/x^2."""
    x = 1 / mp.sqrt(z)
    return (mp.log(x) - 1 / (2 * x) - mp.psi(0, x)) * x * x


def digamma_slope(h: mpf) -> mpf:
    """psi(root + h) / h."""
    return mp.psi(0, ROOT + h) / h


def middle_quantile(z: mpf) -> mpf:
    """(x/t - sqrt(2 pi)) / t^2 for the quantile x of 1/2 + t, z = t^2."""
    t = mp.sqrt(z)
    return (-inverse_normal(mpf(1) / 2 - t) / t - mp.sqrt(2 * mp.pi)) / z


LN2 = mp.log(2)
ROOT = mp.findroot(lambda x: mp.psi(0, x), mpf("1.4616321449683623"))
Z = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2  # largest s^2 of the logarithm
# name: (function, weight of the error, low, high, degree)
FITS = {
    # (e^r - 1 - r) / r^2, |r| <= ln(2)/2, error relative to e^r - 1
    "EXP": (series(lambda k: 1 / mp.factorial(k + 2)), lambda r: r * r / mp.expm1(r), -LN2 / 2, LN2 / 2, 9),
    # (log((1+s)/(1-s)) - 2s) / s^3 in s^2, s = f/(2+f), 1+f from 1/sqrt(2) to sqrt(2), error relative to the log
    "LOG": (series(lambda k: mpf(2) / (2 * k + 3)), lambda z: z / (2 + z), 0, Z, 6),
    # the same series from s^5 on, as POW needs 66 bits of the logarithm
    "POW": (series(lambda k: mpf(2) / (2 * k + 5)), lambda z: z * z / (2 + z), 0, Z, 8),
    # (sin(r) - r) / r^3 and (cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= pi/4
    "SIN": (series(lambda k: (-1) ** (k + 1) / mp.factorial(2 * k + 3)), lambda z: z, 0, mp.pi**2 / 16, 5),
    "COS": (series(lambda k: (-1) ** k / mp.factorial(2 * k + 4)), lambda z: z * z, 0, mp.pi**2 / 16, 5),
    # (arctan(t)/t - 1) / t^2 in t^2, |t| <= tan(pi/8)
    "ATAN": (series(lambda k: mpf((-1) ** (k + 1)) / (2 * k + 3)), lambda z: z, 0, mp.tan(mp.pi / 8) ** 2, 10),
    # erf(x)/x - 1 in x^2, |x| <= 0.6
    "ERF": (
        series(lambda k: 2 / mp.sqrt(mp.pi) * (-1) ** k / mp.factorial(k) / (2 * k + 1) - (k == 0)),
        lambda z: mpf(1),
        0,
        mpf("0.36"),
        9,
    ),
    # 0 <= a <= 40, relative error
    "TAIL": (normal_tail, lambda t: 1 / normal_tail(t), -1, mpf(35) / 45, 22),
    # the quantile of 1/2 + t, |t| <= 1/4, in t^2
    "PPF": (middle_quantile, lambda z: z / mp.sqrt(2 * mp.pi), 0, mpf(1) / 16, 11),
    # (lgamma(2 + h) / h - (1 - gamma)) / h, |h| <= 1/2
    "LGAMMA": (
        series(lambda k: (-1) ** k * (mp.zeta(k + 2) - 1) / (k + 2)),
        lambda h: h * h / mp.loggamma(2 + h),
        mpf(-1) / 2,
        mpf(1) / 2,
        17,
    ),
    # in 1/x^2 for x >= 3.5, error relative to lgamma
    "STIRLING": (stirling, lambda z: mp.sqrt(z) / mp.loggamma(1 / mp.sqrt(z)), 0, 1 / mpf(3.5) ** 2, 8),
    # psi(x) / (x - root) from x = 1 to 2
    "DIGAMMA": (digamma_slope, lambda h: 1 / digamma_slope(h), 1 - ROOT, 2 - ROOT, 22),
    # in 1/x^2 for x >= 3, error relative to psi
    "DIGAMMA_FAR": (digamma_rest, lambda z: z / mp.psi(0, 1 / mp.sqrt(z)), 0, mpf(1) / 9, 10),
}
# name: (function, weight of the error, low, high, start of the variable, degrees of numerator and denominator)
RATIONALS = {
    # upper quantile of p = exp(-s^2/2) minus (s - 1), from p = 1/4 to 2e-11, and to the least subnormal
    "PPF_NEAR": (upper_quantile_rest, lambda s: 1 / upper_quantile(s), 1.665, 7.0, 1.625, 8, 8),
    "PPF_FAR": (upper_quantile_rest, lambda s: 1 / upper_quantile(s), 7.0, 38.6, 7.0, 7, 7),
}


def show(name: str, coefficients: list[float], comment: str = "") -> None:
    print(f"_{name} = ({comment}")
    print("".join(f"    {c!r},\n" for c in coefficients) + ")")


def show_pair(name: str, exact: mpf) -> None:
    print(f"_{name} = {float(exact)!r}\n_{name}_LOW = {float(exact - float(exact))!r}")


if __name__ == "__main__":
    for name in sys.argv[1:] or [*FITS, *RATIONALS]:
        if name in FITS:
            coefficients, error = fit(*FITS[name])
            show(name, coefficients, f"  # error {mp.nstr(error, 2)}")
        else:
            numerator, denominator, error = rational(*RATIONALS[name])
            show(f"{name}_TOP", numerator, f"  # error {mp.nstr(error, 2)}")
            show(f"{name}_BOTTOM", denominator)
    for name in ("TAIL", "DIGAMMA"):
        print(f"_{name}_0_LOW = {low_part(FITS[name])!r}")
    show_pair("DIGAMMA_ROOT", ROOT)
    show_pair("LGAMMA_SLOPE", 1 - mp.euler)
    show_pair("SQRT_TWO_PI", mp.sqrt(2 * mp.pi))
    show_pair("HALF_LOG_TWO_PI", mp.log(2 * mp.pi) / 2)
