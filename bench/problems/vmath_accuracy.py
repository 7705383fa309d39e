"""The worst error of every elementary function against mpmath, on random and structured arguments.

References, arguments and the limit of each function are here; ``tests/test_vmath.py`` uses them with fewer points.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .. import balls
from ..core import Problem
from ..timing import say

try:
    from mpmath import mp, mpf
except ImportError:
    mp = None

# Per function. A million takes an hour in mpmath alone, and a few minutes where balls say which points need it.
POINTS = 1_000_000 if balls.arb else 20_000
QUICK_POINTS = 1_000

INF = math.inf
PRECISION = 140  # bits of the references


# -------------------- arguments --------------------


@dataclass
class Draw:
    """Random arguments, ``count`` from each interval."""

    count: int
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(2024))

    def uniform(self, low, high):
        return self.random.uniform(low, high, self.count)

    def positive(self, low_exponent, high_exponent):
        """Spread evenly over the binary exponents."""
        return np.exp2(self.uniform(low_exponent, high_exponent))

    def both_signs(self, low_exponent, high_exponent):
        return self.positive(low_exponent, high_exponent) * self.random.choice([-1.0, 1.0], self.count)

    def integers(self, low, high):
        return self.random.integers(low, high, self.count).astype(float)

    def angles(self):
        with mp.workdps(60):
            k = [*range(-300, 300), *self.random.integers(1, 640_000, 300)]
            multiples = np.array([float(mp.pi / 2 * int(i)) for i in k])
        wide = [self.uniform(-7, 7), self.uniform(-1e6, 1e6), self.both_signs(-1074, 1023)]
        return [*wide, self.random.choice(neighbours(multiples), self.count)]

    def near_one(self):
        return [1 + self.both_signs(-52, -2), neighbours(np.array([1.0, math.sqrt(0.5), math.sqrt(2.0)]))]


def neighbours(x):
    return np.concatenate([x, np.nextafter(x, INF), np.nextafter(x, -INF)])


def _pairs(d: Draw):
    """Two arguments of any size, of like size, and at the ends of the range."""
    intervals = [(-1074, 1022), (-3, 3), (-1074, -1060), (-502, -496), (1010, 1022)]
    return [(d.both_signs(*i), d.both_signs(*i)) for i in intervals] + [(d.uniform(-3, 3), d.uniform(-3, 3))]


def _powers(d: Draw):
    """Results all over the range, near one, near the overflow and among the subnormals; negative bases."""
    bases = [d.positive(-1074, 1023), d.uniform(0.5, 2), 1 + d.both_signs(-40, -2)]
    found = [(base, d.uniform(-744.4, 709.7) / np.log(base)) for base in bases]
    base, plain = d.uniform(0.5, 2), d.uniform(0.01, 5)
    return [
        *found,
        (base, d.uniform(-744.4, -707) / np.log(base)),
        (plain, d.uniform(-4, 4)),
        (-plain, d.integers(-150, 150)),
    ]


def _log_sums(d: Draw):
    x, log_p = d.uniform(-800, 800), -d.positive(-20, 2)
    near_zero = (log_p, np.log(-np.expm1(log_p)) * (1 + d.both_signs(-40, -3)))
    return [
        (d.uniform(-5, 5), d.uniform(-5, 5)),
        (x, x + d.uniform(-50, 50)),
        (d.uniform(-3, 0), d.uniform(-3, 0)),
        near_zero,
    ]


def _polygammas(d: Draw):
    n = d.integers(1, 5)
    return [(n, d.uniform(0, 5)), (n, d.uniform(1, 60)), (n, np.exp2(d.uniform(-1000, 1000) / (n + 1)))]


# -------------------- functions --------------------


def quantile(p):
    """Inverse of the normal distribution function, by Newton's method on its logarithm."""
    q = min(p, 1 - p)
    x = -mp.sqrt(-2 * mp.log(q)) if q < 0.1 else (q - 0.5) * 2.5
    step = mpf(1)
    while abs(step) > abs(x) * mpf(2) ** -80:
        cdf = mp.erfc(-x / mp.sqrt(2)) / 2
        step = mp.log(cdf / q) * cdf / mp.npdf(x)
        x -= step
    return x if p <= 0.5 else -x


def log_of_sum(x, y):
    with mp.workprec(300):
        return mp.log(mp.exp(x) + mp.exp(y))


def power(x, y):
    return mp.power(x, y) if x > 0 else mp.power(x, int(y))


@dataclass(frozen=True)
class Function:
    """An exact value, arguments of some count per interval, and the error that is allowed."""

    exact: Callable
    arguments: Callable[[Draw], list]
    limit: float = 2.0


FUNCTIONS: dict[str, Function] = {
    "exp": Function(
        lambda x: mp.exp(x),
        lambda d: [d.uniform(-745.2, 709.8), d.uniform(-1, 1), d.uniform(-745.2, -708), d.both_signs(-60, 9)],
    ),
    "exp2": Function(
        lambda x: mpf(2) ** x, lambda d: [d.uniform(-1075, 1024), d.uniform(-1, 1), d.uniform(-1075, -1021)]
    ),
    "expm1": Function(
        lambda x: mp.expm1(x), lambda d: [d.uniform(-40, 709.8), d.uniform(-1, 1), d.both_signs(-1074, 5)]
    ),
    "log": Function(lambda x: mp.log(x), lambda d: [d.positive(-1074, 1023), d.uniform(0.5, 2), *d.near_one()]),
    "log1p": Function(
        lambda x: mp.log1p(x), lambda d: [d.positive(-1074, 1023), d.both_signs(-60, -1), d.uniform(-1, 3)]
    ),
    "log2": Function(
        lambda x: mp.log(x) / mp.log(2), lambda d: [d.positive(-1074, 1023), d.uniform(0.5, 2), *d.near_one()]
    ),
    "log10": Function(lambda x: mp.log10(x), lambda d: [d.positive(-1074, 1023), d.uniform(0.5, 2), *d.near_one()]),
    "cbrt": Function(lambda x: mp.sign(x) * mp.cbrt(abs(x)), lambda d: [d.both_signs(-1074, 1023), d.uniform(-3, 3)]),
    "pow": Function(power, _powers),
    "sin": Function(lambda x: mp.sin(x), Draw.angles),
    "cos": Function(lambda x: mp.cos(x), Draw.angles),
    "tan": Function(lambda x: mp.tan(x), Draw.angles),
    "arctan": Function(lambda x: mp.atan(x), lambda d: [d.both_signs(-1074, 1023), d.uniform(-3, 3)]),
    "arctan2": Function(lambda y, x: mp.atan2(y, x), _pairs),
    "arcsin": Function(
        lambda x: mp.asin(x), lambda d: [d.uniform(-1, 1), d.both_signs(-1074, 0), 1 - d.positive(-53, -1)]
    ),
    "arccos": Function(
        lambda x: mp.acos(x), lambda d: [d.uniform(-1, 1), d.both_signs(-60, 0), 1 - d.positive(-53, -1)]
    ),
    "hypot": Function(lambda x, y: mp.hypot(x, y), _pairs),
    "sinh": Function(
        lambda x: mp.sinh(x), lambda d: [d.uniform(-710.4, 710.4), d.uniform(-3, 3), d.both_signs(-1074, 5)]
    ),
    "cosh": Function(
        lambda x: mp.cosh(x), lambda d: [d.uniform(-710.4, 710.4), d.uniform(-3, 3), d.both_signs(-60, 5)]
    ),
    "tanh": Function(lambda x: mp.tanh(x), lambda d: [d.uniform(-1, 1), d.uniform(-21, 21), d.both_signs(-1074, 5)]),
    "arcsinh": Function(
        lambda x: mp.asinh(x), lambda d: [d.both_signs(-1074, 1023), d.uniform(-3, 3), d.both_signs(24, 30)]
    ),
    "arccosh": Function(lambda x: mp.acosh(x), lambda d: [1 + d.positive(-52, 5), d.positive(0, 1023)]),
    "arctanh": Function(
        lambda x: mp.atanh(x), lambda d: [d.uniform(-1, 1), d.both_signs(-1074, -1), 1 - d.positive(-53, -1)]
    ),
    "expit": Function(
        lambda x: 1 / (1 + mp.exp(-x)),
        lambda d: [d.uniform(-745, 40), d.uniform(-5, 5), d.uniform(-745.2, -706), d.both_signs(-60, 9)],
    ),
    "logaddexp": Function(log_of_sum, _log_sums),
    "norm_pdf": Function(
        lambda x: mp.npdf(x),
        lambda d: [d.uniform(-5, 5), d.uniform(-38.7, 38.7), d.uniform(-38.7, -37.4), d.both_signs(-60, 3)],
    ),
    "norm_cdf": Function(
        lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
        lambda d: [d.uniform(-5, 5), d.uniform(-38.6, 9), d.uniform(-38.6, -37.4), d.both_signs(-60, 3)],
    ),
    "norm_ppf": Function(
        quantile,
        lambda d: [d.uniform(0, 1), d.positive(-1074, -1), 1 - d.positive(-53, -1), 0.5 + d.both_signs(-53, -2)],
        4.0,
    ),
    "erf": Function(lambda x: mp.erf(x), lambda d: [d.uniform(-1, 1), d.uniform(-6.5, 6.5), d.both_signs(-1074, 3)]),
    "erfc": Function(lambda x: mp.erfc(x), lambda d: [d.uniform(-3, 3), d.uniform(-6, 27.3), d.both_signs(-60, 3)]),
    "lgamma": Function(
        lambda x: mp.loggamma(x),
        lambda d: [d.uniform(0, 4), d.uniform(3, 40), d.positive(-1074, 1013), 2 - d.both_signs(-52, 0)],
        4.0,
    ),
    "digamma": Function(
        lambda x: mp.psi(0, x),
        lambda d: [
            d.uniform(0, 4),
            d.uniform(3, 40),
            d.positive(-1022, 1013),
            1.46163214496836 + d.both_signs(-50, -2),
        ],
        4.0,
    ),
    "polygamma": Function(lambda n, x: mp.psi(int(n), x), _polygammas, 4.0),
}


def arguments(name: str, points: int) -> list[np.ndarray]:
    """About ``points`` of them, one array per operand, without those whose result overflows."""
    sample = FUNCTIONS[name].arguments(Draw(1))
    parts = FUNCTIONS[name].arguments(Draw(-(-points // len(sample))))
    operands = (
        [np.concatenate(column) for column in zip(*parts)] if isinstance(parts[0], tuple) else [np.concatenate(parts)]
    )
    if name == "hypot":
        operands = [x / 2 for x in operands]
    return operands


# -------------------- errors --------------------


def ulp_error(value: float, exact: mpf) -> float:
    """Distance in units of the last place of ``exact``; 2^-1074 among the subnormals."""
    if math.isnan(value) or exact == 0:
        return 0.0 if value == exact else INF
    if math.isinf(value):  # right where rounding to nearest overflows
        return 0.0 if value * exact > 0 and abs(exact) >= mpf(2) ** 1024 - mpf(2) ** 970 else INF
    _, exponent = mp.frexp(exact)
    return float(abs(mpf(value) - exact) * mpf(2) ** -max(exponent - 53, -1074))


def worst(values: np.ndarray, exact: Callable[..., mpf], *operands: np.ndarray) -> tuple[float, tuple[float, ...]]:
    """Largest error and where it is."""
    found: tuple[float, tuple[float, ...]] = (0.0, ())
    with mp.workprec(PRECISION):
        for value, *point in zip(values.tolist(), *(x.tolist() for x in operands), strict=True):
            error = ulp_error(value, exact(*map(mpf, point)))
            if error > found[0]:
                found = (error, tuple(point))
    return found


def worst_by_balls(name: str, values: np.ndarray, *operands: np.ndarray) -> tuple[float, tuple[float, ...]]:
    """As `worst`: mpmath judges points by descending estimate, until the rest cannot be worse than what it found."""
    estimate = balls.estimates(name, values, *operands)
    found: tuple[float, tuple[float, ...]] = (0.0, ())
    for i in np.argsort(-estimate):
        if estimate[i] <= found[0]:
            break
        found = max(found, worst(values[[i]], FUNCTIONS[name].exact, *(x[[i]] for x in operands)))
    return found


# -------------------- the problem --------------------


@dataclass
class Data:
    """Operands by function. The errors of values already judged are kept: mpmath is slow."""

    operands: dict[str, list[np.ndarray]]
    judged: dict[str, tuple[np.ndarray, float]] = field(default_factory=dict)


def cases(quick):
    points = QUICK_POINTS if quick else POINTS
    return {f"{points:,} points each": Data({name: arguments(name, points) for name in FUNCTIONS})}


def check(data, answer):
    """The answer is the values of each function."""
    wrong = []
    for name, values in answer.items():
        operands, function = data.operands[name], FUNCTIONS[name]
        if name not in data.judged or not np.array_equal(values, data.judged[name][0], equal_nan=True):
            if balls.arb:
                error, where = worst_by_balls(name, values, *operands)
            else:
                error, where = worst(values, function.exact, *operands)
            data.judged[name] = np.array(values), error
            say(f"  {name:10} {error:5.2f} ulp at {', '.join(map(repr, where))}")
        if not data.judged[name][1] <= function.limit:
            wrong.append(f"{name} is wrong by {data.judged[name][1]:.3g} ulp, {function.limit:g} allowed")
    return "; ".join(wrong)


PROBLEM = Problem(
    name="vmath_accuracy",
    section="elementary functions",
    title="worst error against mpmath, on stderr; the time is the mean over all functions and arguments",
    cases=cases,
    check=check,
    items=lambda data: sum(operands[0].size for operands in data.operands.values()),
    unit="value",
    baseline="fastad",
    needs="mpmath",
)
