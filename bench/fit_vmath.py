"""Fit the polynomials of ``fastad/kernels/vmath.py`` and print their coefficients.

Each is the polynomial of least weighted maximum error on an interval (Remez exchange, 60 digits), rounded to
double. Rounding costs nothing that matters: every fitted polynomial is a correction to an exact leading term.

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


LN2 = mp.log(2)
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
}


if __name__ == "__main__":
    for name in sys.argv[1:] or FITS:
        coefficients, error = fit(*FITS[name])
        print(f"_{name} = (  # error {mp.nstr(error, 2)}")
        print("".join(f"    {c!r},\n" for c in coefficients) + ")")
    print(f"_TAIL_0_LOW = {low_part(FITS['TAIL'])!r}")
