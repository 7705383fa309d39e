"""Elementary functions in ball arithmetic (FLINT), a hundred times faster than mpmath: which points are worth mpmath.

A ball holds the exact value for certain, so an estimate from it can be too high (by the unit at a power of two, or
where the ball is wide) and never too low by more than a millionth.
"""

from __future__ import annotations

import math

import numpy as np

try:
    from flint import acb, arb, ctx
except ImportError:
    arb = None

BITS = 75  # of a ball, without which it tells nothing


def _precision(name: str) -> int:
    """Bits to compute with: cancellation near a zero takes 53 of them, in logaddexp 106."""
    return 300 if name == "logaddexp" else 160


BALLS = {
    "exp": lambda x: x.exp(),
    "exp2": lambda x: arb(2) ** x,
    "expm1": lambda x: x.expm1(),
    "log": lambda x: x.log(),
    "log1p": lambda x: x.log1p(),
    "log2": lambda x: x.log() / arb(2).log(),
    "log10": lambda x: x.log() / arb(10).log(),
    "cbrt": lambda x: x.sgn() * abs(x).root(3),
    "pow": lambda x, y: x**y,
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "tan": lambda x: x.tan(),
    "arctan": lambda x: x.atan(),
    "arctan2": lambda y, x: arb.atan2(y, x),
    "arcsin": lambda x: x.asin(),
    "arccos": lambda x: x.acos(),
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "sinh": lambda x: x.sinh(),
    "cosh": lambda x: x.cosh(),
    "tanh": lambda x: x.tanh(),
    "arcsinh": lambda x: x.asinh(),
    "arccosh": lambda x: x.acosh(),
    "arctanh": lambda x: x.atanh(),
    "expit": lambda x: 1 / (1 + (-x).exp()),
    "logaddexp": lambda x, y: (x.exp() + y.exp()).log(),
    "norm_pdf": lambda x: (-x * x / 2).exp() / (2 * arb.pi()).sqrt(),
    "norm_cdf": lambda x: (-x / arb(2).sqrt()).erfc() / 2,
    "norm_ppf": lambda p: -arb(2).sqrt() * (2 * p).erfcinv(),
    "erf": lambda x: x.erf(),
    "erfc": lambda x: x.erfc(),
    "lgamma": lambda x: x.lgamma(),
    "digamma": lambda x: x.digamma(),
    "polygamma": lambda n, x: acb(x).polygamma(acb(n)).real,
}


def estimates(name: str, values: np.ndarray, *operands: np.ndarray) -> np.ndarray:
    """Errors of the values in units of the last place, inf where a ball tells nothing."""
    exact = BALLS[name]
    with ctx.workprec(_precision(name)):
        points = zip(*(x.tolist() for x in operands), strict=True)
        found = [_estimate(v, exact(*map(arb, point))) for v, point in zip(values.tolist(), points, strict=True)]
    return np.array(found)


def _estimate(value: float, ball: arb) -> float:
    if not math.isfinite(value) or ball.rel_accuracy_bits() < BITS:
        return math.inf
    unit = math.ulp(math.nextafter(float(ball), 0.0))  # float() may have rounded up to a power of two
    return float(abs(value - ball) / unit)
