"""Oracles shared by the tests of programs, batches and Monte Carlo: nothing here uses fastad."""

from __future__ import annotations

import cmath
import math
from types import SimpleNamespace

import numpy as np

STEP = 1e-60


def _linear(value, slope):
    """A function of a complex number with a tiny imaginary part, from its value and slope on the reals."""
    return lambda z: complex(value(z.real), slope(z.real) * z.imag)


def _pdf(x):
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


# The functions that payoffs and formulas use, for complex numbers: kinks and comparisons look at real parts.
COMPLEX = SimpleNamespace(
    exp=cmath.exp,
    log=cmath.log,
    sqrt=cmath.sqrt,
    sin=cmath.sin,
    cos=cmath.cos,
    tanh=cmath.tanh,
    erf=_linear(math.erf, lambda x: 2.0 / math.sqrt(math.pi) * math.exp(-x * x)),
    norm_cdf=_linear(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)), _pdf),
    maximum=lambda x, y: x if x.real >= y.real else y,
    minimum=lambda x, y: x if x.real <= y.real else y,
    abs=lambda x: x if x.real >= 0.0 else -x,
    where=lambda c, x, y: x if c else y,
    less=lambda x, y: x.real < y.real,
)


def library(module):
    """The same functions from a module whose comparisons are operators."""
    functions = {name: getattr(module, name) for name in vars(COMPLEX) if name != "less"}
    return SimpleNamespace(less=lambda x, y: x < y, **functions)


def complex_gradient(f, x, *rest):
    """Gradient of ``f(x, *rest)`` by the elements of the vector x; f must run on complex numbers."""
    x = [float(v) for v in x]
    columns = range(len(x))
    return np.array([f([complex(v, STEP * (i == j)) for j, v in enumerate(x)], *rest).imag / STEP for i in columns])


def norm_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def black_scholes(kind, s, k, r, q, sigma, t):
    """Value and the derivatives by s, k, r, q, sigma, t of a European option; kind is 1 for a call, -1 for a put."""
    root = sigma * math.sqrt(t)
    d1 = (math.log(s / k) + (r - q) * t) / root + 0.5 * root
    d2 = d1 - root
    carry, discount = math.exp(-q * t), math.exp(-r * t)
    n1, n2 = norm_cdf(kind * d1), norm_cdf(kind * d2)
    value = kind * (s * carry * n1 - k * discount * n2)
    vega = s * carry * _pdf(d1) * math.sqrt(t)
    gradient = {
        "s": kind * carry * n1,
        "k": -kind * discount * n2,
        "r": kind * k * t * discount * n2,
        "q": -kind * s * t * carry * n1,
        "sigma": vega,
        "t": kind * (r * k * discount * n2 - q * s * carry * n1) + vega * sigma / (2.0 * t),
    }
    return value, gradient


class Number:
    """A float with its derivatives; compares, and so branches, by the float."""

    def __init__(self, value, dot):
        self.value, self.dot = value, dot

    @staticmethod
    def of(x):
        return x if isinstance(x, Number) else Number(float(x), 0.0)

    def __add__(self, other):
        other = Number.of(other)
        return Number(self.value + other.value, self.dot + other.dot)

    def __mul__(self, other):
        other = Number.of(other)
        return Number(self.value * other.value, self.dot * other.value + self.value * other.dot)

    def __truediv__(self, other):
        other = Number.of(other)
        value = self.value / other.value
        return Number(value, (self.dot - value * other.dot) / other.value)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -Number.of(other)

    def __rsub__(self, other):
        return other + -self

    def __rtruediv__(self, other):
        return Number.of(other) / self

    def __abs__(self):
        return self if self.value >= 0.0 else -self

    def __bool__(self):
        return self.value != 0.0

    def __lt__(self, other):
        return self.value < Number.of(other).value

    def __le__(self, other):
        return self.value <= Number.of(other).value

    def __gt__(self, other):
        return self.value > Number.of(other).value

    def __ge__(self, other):
        return self.value >= Number.of(other).value

    def __eq__(self, other):
        return self.value == Number.of(other).value

    def __ne__(self, other):
        return self.value != Number.of(other).value

    __hash__ = None


def _number_function(value, slope):
    return lambda x: Number(value(x.value), slope(x.value) * x.dot) if isinstance(x, Number) else value(x)


NUMBERS = SimpleNamespace(
    exp=_number_function(math.exp, math.exp),
    log=_number_function(math.log, lambda x: 1.0 / x),
    sqrt=_number_function(math.sqrt, lambda x: 0.5 / math.sqrt(x)),
    sin=_number_function(math.sin, math.cos),
    tanh=_number_function(math.tanh, lambda x: 1.0 - math.tanh(x) ** 2),
    maximum=lambda x, y: x if x >= y else y,
    minimum=lambda x, y: x if x <= y else y,
    value=lambda x: Number.of(x).value,
)


def number_gradient(f, x, *rest):
    """Gradient of ``f(x, *rest)`` by the elements of the vector x, in forward mode, branches included."""
    y = f([Number(float(v), e) for v, e in zip(x, np.eye(len(x)))], *rest, NUMBERS)
    return Number.of(y).dot + np.zeros(len(x))
