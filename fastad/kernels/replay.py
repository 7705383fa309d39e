"""GENERATED from ops.py by ``python fastad/codegen.py``; do not edit.

Values and partials by opcode. ``value``, ``partials`` and ``evaluated`` are for one point. ``value_row`` and
``adjoint_row`` are for 64 scenarios, eight vectors of eight: operands are addresses with a step of 8
(a slot of the workspace) or 0 (one vector read eight times: a uniform value).
"""

from __future__ import annotations

from ._jit import jit, jit_inlined
from ._simd import copysign, fabs, floor, fma, lane_sum, load, rint, select, splat, sqrt, store
from .sweeps import masked_fma
from .vmath import arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, cbrt, cos, cosh, digamma, erf, erfc, exp, exp2, expit, expm1, floordiv, hypot, lgamma, log, log10, log1p, log2, logaddexp, mod, norm_cdf, norm_pdf, norm_ppf, polygamma, pow, same, sin, sinh, tan, tanh


@jit_inlined
def value(op, x, y, c):
    """Value of one row; ``c`` is the value of the row before it."""
    if op == 1:  # add
        return x + y
    elif op == 2:  # sub
        return x - y
    elif op == 3:  # mul
        return x * y
    elif op == 4:  # div
        return x / y
    elif op == 5:  # neg
        return -x
    elif op == 6:  # pow
        return pow(x, y)
    elif op == 7:  # abs
        return fabs(x)
    elif op == 8:  # exp
        return exp(x)
    elif op == 9:  # log
        return log(x)
    elif op == 10:  # sqrt
        return sqrt(x)
    elif op == 11:  # sin
        return sin(x)
    elif op == 12:  # cos
        return cos(x)
    elif op == 13:  # tanh
        return tanh(x)
    elif op == 14:  # erf
        return erf(x)
    elif op == 15:  # norm_pdf
        return norm_pdf(x)
    elif op == 16:  # norm_cdf
        return norm_cdf(x)
    elif op == 17:  # maximum
        return select((x >= y) | (x != x), x, y)
    elif op == 18:  # minimum
        return select((x <= y) | (x != x), x, y)
    elif op == 19:  # stop_gradient
        return x
    elif op == 20:  # cond
        return x
    elif op == 21:  # where
        return select(c != 0.0, x, y)
    elif op == 22:  # less
        return select(x < y, 1.0, 0.0)
    elif op == 23:  # less_equal
        return select(x <= y, 1.0, 0.0)
    elif op == 24:  # greater
        return select(x > y, 1.0, 0.0)
    elif op == 25:  # greater_equal
        return select(x >= y, 1.0, 0.0)
    elif op == 26:  # equal
        return select(x == y, 1.0, 0.0)
    elif op == 27:  # not_equal
        return select(x != y, 1.0, 0.0)
    elif op == 28:  # same
        return select(same(x, y), 1.0, 0.0)
    elif op == 29:  # logical_and
        return select((x != 0.0) & (y != 0.0), 1.0, 0.0)
    elif op == 30:  # logical_or
        return select((x != 0.0) | (y != 0.0), 1.0, 0.0)
    elif op == 31:  # logical_not
        return select(x == 0.0, 1.0, 0.0)
    elif op == 35:  # square
        return x * x
    elif op == 36:  # reciprocal
        return 1.0 / x
    elif op == 37:  # expm1
        return expm1(x)
    elif op == 38:  # log1p
        return log1p(x)
    elif op == 39:  # floor
        return floor(x)
    elif op == 40:  # ceil
        return -floor(-x)
    elif op == 41:  # rint
        return rint(x)
    elif op == 42:  # trunc
        return copysign(floor(fabs(x)), x)
    elif op == 43:  # sign
        return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x - x))
    elif op == 44:  # copysign
        return copysign(x, y)
    elif op == 45:  # fmax
        return select((x >= y) | (y != y), x, y)
    elif op == 46:  # fmin
        return select((x <= y) | (y != y), x, y)
    elif op == 47:  # isnan
        return select(x != x, 1.0, 0.0)
    elif op == 48:  # isinf
        return select(fabs(x) > 1.7976931348623157e+308, 1.0, 0.0)
    elif op == 49:  # isfinite
        return select(fabs(x) <= 1.7976931348623157e+308, 1.0, 0.0)
    elif op == 50:  # signbit
        return select(copysign(1.0, x) < 0.0, 1.0, 0.0)
    elif op == 51:  # exp2
        return exp2(x)
    elif op == 52:  # log2
        return log2(x)
    elif op == 53:  # log10
        return log10(x)
    elif op == 54:  # cbrt
        return cbrt(x)
    elif op == 55:  # tan
        return tan(x)
    elif op == 56:  # arcsin
        return arcsin(x)
    elif op == 57:  # arccos
        return arccos(x)
    elif op == 58:  # arctan
        return arctan(x)
    elif op == 59:  # arctan2
        return arctan2(x, y)
    elif op == 60:  # hypot
        return hypot(x, y)
    elif op == 61:  # sinh
        return sinh(x)
    elif op == 62:  # cosh
        return cosh(x)
    elif op == 63:  # arcsinh
        return arcsinh(x)
    elif op == 64:  # arccosh
        return arccosh(x)
    elif op == 65:  # arctanh
        return arctanh(x)
    elif op == 66:  # erfc
        return erfc(x)
    elif op == 67:  # floordiv
        return floordiv(x, y)
    elif op == 68:  # mod
        return mod(x, y)
    elif op == 69:  # expit
        return expit(x)
    elif op == 70:  # logaddexp
        return logaddexp(x, y)
    elif op == 71:  # norm_ppf
        return norm_ppf(x)
    elif op == 72:  # lgamma
        return lgamma(x)
    elif op == 73:  # digamma
        return digamma(x)
    elif op == 74:  # polygamma
        return polygamma(x, y)
    elif op == 75:  # product
        return select((x == 0.0) | (y == 0.0), 0.0, x * y)
    elif op == 76:  # variable
        return x
    return x


@jit_inlined
def partials(op, x, y, v, c):
    """Both partials of one row; 0.0 for an operand that the operation does not have."""
    if op == 1:  # add
        return 1.0, 1.0
    elif op == 2:  # sub
        return 1.0, -1.0
    elif op == 3:  # mul
        return y, x
    elif op == 4:  # div
        return 1.0 / y, -v / y
    elif op == 5:  # neg
        return -1.0, 0.0
    elif op == 6:  # pow
        return select((y != 0.0) | (fabs(x) >= 1e-300), y * pow(x, y - 1.0), 0.0), select(x == 0.0, 0.0, v * log(x))
    elif op == 7:  # abs
        return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x * 0.0)), 0.0
    elif op == 8:  # exp
        return v, 0.0
    elif op == 9:  # log
        return 1.0 / x, 0.0
    elif op == 10:  # sqrt
        return 0.5 / (v + 0.0), 0.0
    elif op == 11:  # sin
        return cos(x), 0.0
    elif op == 12:  # cos
        return -sin(x), 0.0
    elif op == 13:  # tanh
        return 1.0 - v * v, 0.0
    elif op == 14:  # erf
        return 1.1283791670955126 * exp(-x * x), 0.0
    elif op == 15:  # norm_pdf
        return -x * v, 0.0
    elif op == 16:  # norm_cdf
        return norm_pdf(x), 0.0
    elif op == 17:  # maximum
        return select((x >= y) | (x != x), 1.0, 0.0), select((x >= y) | (x != x), 0.0, 1.0)
    elif op == 18:  # minimum
        return select((x <= y) | (x != x), 1.0, 0.0), select((x <= y) | (x != x), 0.0, 1.0)
    elif op == 21:  # where
        return select(c != 0.0, 1.0, 0.0), select(c != 0.0, 0.0, 1.0)
    elif op == 34:  # take
        return 0.0, 1.0
    elif op == 35:  # square
        return 2.0 * x, 0.0
    elif op == 36:  # reciprocal
        return -v * v, 0.0
    elif op == 37:  # expm1
        return exp(x), 0.0
    elif op == 38:  # log1p
        return 1.0 / (1.0 + x), 0.0
    elif op == 44:  # copysign
        return copysign(1.0, x) * copysign(1.0, y), 0.0
    elif op == 45:  # fmax
        return select((x >= y) | (y != y), 1.0, 0.0), select((x >= y) | (y != y), 0.0, 1.0)
    elif op == 46:  # fmin
        return select((x <= y) | (y != y), 1.0, 0.0), select((x <= y) | (y != y), 0.0, 1.0)
    elif op == 51:  # exp2
        return 0.6931471805599453 * v, 0.0
    elif op == 52:  # log2
        return 1.4426950408889634 / x, 0.0
    elif op == 53:  # log10
        return 0.4342944819032518 / x, 0.0
    elif op == 54:  # cbrt
        return 1.0 / (3.0 * v * v), 0.0
    elif op == 55:  # tan
        return 1.0 + v * v, 0.0
    elif op == 56:  # arcsin
        return 1.0 / sqrt((1.0 - x) * (1.0 + x)), 0.0
    elif op == 57:  # arccos
        return -1.0 / sqrt((1.0 - x) * (1.0 + x)), 0.0
    elif op == 58:  # arctan
        return 1.0 / (1.0 + x * x), 0.0
    elif op == 59:  # arctan2
        return select(hypot(x, y) == 0.0, 0.0, y / hypot(x, y) / hypot(x, y)), select(hypot(x, y) == 0.0, 0.0, -x / hypot(x, y) / hypot(x, y))
    elif op == 60:  # hypot
        return select(v == 0.0, 0.0, x / v), select(v == 0.0, 0.0, y / v)
    elif op == 61:  # sinh
        return cosh(x), 0.0
    elif op == 62:  # cosh
        return sinh(x), 0.0
    elif op == 63:  # arcsinh
        return 1.0 / hypot(1.0, x), 0.0
    elif op == 64:  # arccosh
        return 1.0 / sqrt((x - 1.0) * (x + 1.0)), 0.0
    elif op == 65:  # arctanh
        return 1.0 / ((1.0 - x) * (1.0 + x)), 0.0
    elif op == 66:  # erfc
        return -1.1283791670955126 * exp(-x * x), 0.0
    elif op == 68:  # mod
        return 1.0, -floordiv(x, y)
    elif op == 69:  # expit
        return v * expit(-x), 0.0
    elif op == 70:  # logaddexp
        return exp(x - v), exp(y - v)
    elif op == 71:  # norm_ppf
        return 1.0 / norm_pdf(v), 0.0
    elif op == 72:  # lgamma
        return digamma(x), 0.0
    elif op == 73:  # digamma
        return polygamma(1.0, x), 0.0
    elif op == 74:  # polygamma
        return 0.0, polygamma(x + 1.0, y)
    elif op == 75:  # product
        return y, x
    elif op == 76:  # variable
        return 1.0, 0.0
    elif op == 78:  # part
        return 1.0, 0.0
    return 0.0, 0.0


@jit_inlined
def evaluated(op, x, y, c):
    """``value`` and ``partials`` of one row by one jump."""
    if op == 1:  # add
        v = x + y
        return v, 1.0, 1.0
    elif op == 2:  # sub
        v = x - y
        return v, 1.0, -1.0
    elif op == 3:  # mul
        v = x * y
        return v, y, x
    elif op == 4:  # div
        v = x / y
        return v, 1.0 / y, -v / y
    elif op == 5:  # neg
        v = -x
        return v, -1.0, 0.0
    elif op == 6:  # pow
        v = pow(x, y)
        return v, select((y != 0.0) | (fabs(x) >= 1e-300), y * pow(x, y - 1.0), 0.0), select(x == 0.0, 0.0, v * log(x))
    elif op == 7:  # abs
        v = fabs(x)
        return v, select(x > 0.0, 1.0, select(x < 0.0, -1.0, x * 0.0)), 0.0
    elif op == 8:  # exp
        v = exp(x)
        return v, v, 0.0
    elif op == 9:  # log
        v = log(x)
        return v, 1.0 / x, 0.0
    elif op == 10:  # sqrt
        v = sqrt(x)
        return v, 0.5 / (v + 0.0), 0.0
    elif op == 11:  # sin
        v = sin(x)
        return v, cos(x), 0.0
    elif op == 12:  # cos
        v = cos(x)
        return v, -sin(x), 0.0
    elif op == 13:  # tanh
        v = tanh(x)
        return v, 1.0 - v * v, 0.0
    elif op == 14:  # erf
        v = erf(x)
        return v, 1.1283791670955126 * exp(-x * x), 0.0
    elif op == 15:  # norm_pdf
        v = norm_pdf(x)
        return v, -x * v, 0.0
    elif op == 16:  # norm_cdf
        v = norm_cdf(x)
        return v, norm_pdf(x), 0.0
    elif op == 17:  # maximum
        v = select((x >= y) | (x != x), x, y)
        return v, select((x >= y) | (x != x), 1.0, 0.0), select((x >= y) | (x != x), 0.0, 1.0)
    elif op == 18:  # minimum
        v = select((x <= y) | (x != x), x, y)
        return v, select((x <= y) | (x != x), 1.0, 0.0), select((x <= y) | (x != x), 0.0, 1.0)
    elif op == 19:  # stop_gradient
        v = x
        return v, 0.0, 0.0
    elif op == 20:  # cond
        v = x
        return v, 0.0, 0.0
    elif op == 21:  # where
        v = select(c != 0.0, x, y)
        return v, select(c != 0.0, 1.0, 0.0), select(c != 0.0, 0.0, 1.0)
    elif op == 22:  # less
        v = select(x < y, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 23:  # less_equal
        v = select(x <= y, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 24:  # greater
        v = select(x > y, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 25:  # greater_equal
        v = select(x >= y, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 26:  # equal
        v = select(x == y, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 27:  # not_equal
        v = select(x != y, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 28:  # same
        v = select(same(x, y), 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 29:  # logical_and
        v = select((x != 0.0) & (y != 0.0), 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 30:  # logical_or
        v = select((x != 0.0) | (y != 0.0), 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 31:  # logical_not
        v = select(x == 0.0, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 35:  # square
        v = x * x
        return v, 2.0 * x, 0.0
    elif op == 36:  # reciprocal
        v = 1.0 / x
        return v, -v * v, 0.0
    elif op == 37:  # expm1
        v = expm1(x)
        return v, exp(x), 0.0
    elif op == 38:  # log1p
        v = log1p(x)
        return v, 1.0 / (1.0 + x), 0.0
    elif op == 39:  # floor
        v = floor(x)
        return v, 0.0, 0.0
    elif op == 40:  # ceil
        v = -floor(-x)
        return v, 0.0, 0.0
    elif op == 41:  # rint
        v = rint(x)
        return v, 0.0, 0.0
    elif op == 42:  # trunc
        v = copysign(floor(fabs(x)), x)
        return v, 0.0, 0.0
    elif op == 43:  # sign
        v = select(x > 0.0, 1.0, select(x < 0.0, -1.0, x - x))
        return v, 0.0, 0.0
    elif op == 44:  # copysign
        v = copysign(x, y)
        return v, copysign(1.0, x) * copysign(1.0, y), 0.0
    elif op == 45:  # fmax
        v = select((x >= y) | (y != y), x, y)
        return v, select((x >= y) | (y != y), 1.0, 0.0), select((x >= y) | (y != y), 0.0, 1.0)
    elif op == 46:  # fmin
        v = select((x <= y) | (y != y), x, y)
        return v, select((x <= y) | (y != y), 1.0, 0.0), select((x <= y) | (y != y), 0.0, 1.0)
    elif op == 47:  # isnan
        v = select(x != x, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 48:  # isinf
        v = select(fabs(x) > 1.7976931348623157e+308, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 49:  # isfinite
        v = select(fabs(x) <= 1.7976931348623157e+308, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 50:  # signbit
        v = select(copysign(1.0, x) < 0.0, 1.0, 0.0)
        return v, 0.0, 0.0
    elif op == 51:  # exp2
        v = exp2(x)
        return v, 0.6931471805599453 * v, 0.0
    elif op == 52:  # log2
        v = log2(x)
        return v, 1.4426950408889634 / x, 0.0
    elif op == 53:  # log10
        v = log10(x)
        return v, 0.4342944819032518 / x, 0.0
    elif op == 54:  # cbrt
        v = cbrt(x)
        return v, 1.0 / (3.0 * v * v), 0.0
    elif op == 55:  # tan
        v = tan(x)
        return v, 1.0 + v * v, 0.0
    elif op == 56:  # arcsin
        v = arcsin(x)
        return v, 1.0 / sqrt((1.0 - x) * (1.0 + x)), 0.0
    elif op == 57:  # arccos
        v = arccos(x)
        return v, -1.0 / sqrt((1.0 - x) * (1.0 + x)), 0.0
    elif op == 58:  # arctan
        v = arctan(x)
        return v, 1.0 / (1.0 + x * x), 0.0
    elif op == 59:  # arctan2
        v = arctan2(x, y)
        return v, select(hypot(x, y) == 0.0, 0.0, y / hypot(x, y) / hypot(x, y)), select(hypot(x, y) == 0.0, 0.0, -x / hypot(x, y) / hypot(x, y))
    elif op == 60:  # hypot
        v = hypot(x, y)
        return v, select(v == 0.0, 0.0, x / v), select(v == 0.0, 0.0, y / v)
    elif op == 61:  # sinh
        v = sinh(x)
        return v, cosh(x), 0.0
    elif op == 62:  # cosh
        v = cosh(x)
        return v, sinh(x), 0.0
    elif op == 63:  # arcsinh
        v = arcsinh(x)
        return v, 1.0 / hypot(1.0, x), 0.0
    elif op == 64:  # arccosh
        v = arccosh(x)
        return v, 1.0 / sqrt((x - 1.0) * (x + 1.0)), 0.0
    elif op == 65:  # arctanh
        v = arctanh(x)
        return v, 1.0 / ((1.0 - x) * (1.0 + x)), 0.0
    elif op == 66:  # erfc
        v = erfc(x)
        return v, -1.1283791670955126 * exp(-x * x), 0.0
    elif op == 67:  # floordiv
        v = floordiv(x, y)
        return v, 0.0, 0.0
    elif op == 68:  # mod
        v = mod(x, y)
        return v, 1.0, -floordiv(x, y)
    elif op == 69:  # expit
        v = expit(x)
        return v, v * expit(-x), 0.0
    elif op == 70:  # logaddexp
        v = logaddexp(x, y)
        return v, exp(x - v), exp(y - v)
    elif op == 71:  # norm_ppf
        v = norm_ppf(x)
        return v, 1.0 / norm_pdf(v), 0.0
    elif op == 72:  # lgamma
        v = lgamma(x)
        return v, digamma(x), 0.0
    elif op == 73:  # digamma
        v = digamma(x)
        return v, polygamma(1.0, x), 0.0
    elif op == 74:  # polygamma
        v = polygamma(x, y)
        return v, 0.0, polygamma(x + 1.0, y)
    elif op == 75:  # product
        v = select((x == 0.0) | (y == 0.0), 0.0, x * y)
        return v, y, x
    elif op == 76:  # variable
        v = x
        return v, 1.0, 0.0
    return x, 0.0, 0.0


@jit_inlined
def value_row(op, a, a_step, b, b_step, c, c_step, out, vectors):
    """Values of one row for ``8 * vectors`` scenarios."""
    if op == 1:  # add
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, x + y)
    elif op == 2:  # sub
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, x - y)
    elif op == 3:  # mul
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, x * y)
    elif op == 4:  # div
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, x / y)
    elif op == 5:  # neg
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, -x)
    elif op == 6:  # pow
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, pow(x, y))
    elif op == 7:  # abs
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, fabs(x))
    elif op == 8:  # exp
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, exp(x))
    elif op == 9:  # log
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, log(x))
    elif op == 10:  # sqrt
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, sqrt(x))
    elif op == 11:  # sin
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, sin(x))
    elif op == 12:  # cos
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, cos(x))
    elif op == 13:  # tanh
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, tanh(x))
    elif op == 14:  # erf
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, erf(x))
    elif op == 15:  # norm_pdf
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, norm_pdf(x))
    elif op == 16:  # norm_cdf
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, norm_cdf(x))
    elif op == 17:  # maximum
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select((x >= y) | (x != x), x, y))
    elif op == 18:  # minimum
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select((x <= y) | (x != x), x, y))
    elif op == 19:  # stop_gradient
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, x)
    elif op == 20:  # cond
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, x)
    elif op == 21:  # where
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            c_ = load(c, k * c_step)
            store(out, 8 * k, select(c_ != 0.0, x, y))
    elif op == 22:  # less
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select(x < y, 1.0, 0.0))
    elif op == 23:  # less_equal
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select(x <= y, 1.0, 0.0))
    elif op == 24:  # greater
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select(x > y, 1.0, 0.0))
    elif op == 25:  # greater_equal
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select(x >= y, 1.0, 0.0))
    elif op == 26:  # equal
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select(x == y, 1.0, 0.0))
    elif op == 27:  # not_equal
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select(x != y, 1.0, 0.0))
    elif op == 28:  # same
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select(same(x, y), 1.0, 0.0))
    elif op == 29:  # logical_and
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select((x != 0.0) & (y != 0.0), 1.0, 0.0))
    elif op == 30:  # logical_or
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select((x != 0.0) | (y != 0.0), 1.0, 0.0))
    elif op == 31:  # logical_not
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, select(x == 0.0, 1.0, 0.0))
    elif op == 35:  # square
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, x * x)
    elif op == 36:  # reciprocal
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, 1.0 / x)
    elif op == 37:  # expm1
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, expm1(x))
    elif op == 38:  # log1p
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, log1p(x))
    elif op == 39:  # floor
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, floor(x))
    elif op == 40:  # ceil
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, -floor(-x))
    elif op == 41:  # rint
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, rint(x))
    elif op == 42:  # trunc
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, copysign(floor(fabs(x)), x))
    elif op == 43:  # sign
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, select(x > 0.0, 1.0, select(x < 0.0, -1.0, x - x)))
    elif op == 44:  # copysign
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, copysign(x, y))
    elif op == 45:  # fmax
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select((x >= y) | (y != y), x, y))
    elif op == 46:  # fmin
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select((x <= y) | (y != y), x, y))
    elif op == 47:  # isnan
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, select(x != x, 1.0, 0.0))
    elif op == 48:  # isinf
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, select(fabs(x) > 1.7976931348623157e+308, 1.0, 0.0))
    elif op == 49:  # isfinite
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, select(fabs(x) <= 1.7976931348623157e+308, 1.0, 0.0))
    elif op == 50:  # signbit
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, select(copysign(1.0, x) < 0.0, 1.0, 0.0))
    elif op == 75:  # product
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, select((x == 0.0) | (y == 0.0), 0.0, x * y))
    elif op == 76:  # variable
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, x)


@jit_inlined
def adjoint_row(
    op, a, a_step, b, b_step, c, c_step, v, bar, x_to, x_from, x_step, y_to, y_from, y_step, vectors
):
    """Add ``bar`` times the partials to the adjoints of the operands.

    ``x_to`` is the address of the adjoint of x, 0 for a passive operand; ``x_from`` with ``x_step`` is
    what to add to: the same address, or zeros where this is the first contribution.
    """
    if op == 1:  # add
        if x_to != 0:
            for k in range(vectors):
                t = fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                t = fma(load(bar, 8 * k), 1.0, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 2:  # sub
        if x_to != 0:
            for k in range(vectors):
                t = fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                t = fma(load(bar, 8 * k), -1.0, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 3:  # mul
        if x_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), y, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), x, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 4:  # div
        if x_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), 1.0 / y, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), -v_ / y, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 5:  # neg
        if x_to != 0:
            for k in range(vectors):
                t = fma(load(bar, 8 * k), -1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 6:  # pow
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((y != 0.0) | (fabs(x) >= 1e-300), y * pow(x, y - 1.0), 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), select(x == 0.0, 0.0, v_ * log(x)), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 7:  # abs
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), select(x > 0.0, 1.0, select(x < 0.0, -1.0, x * 0.0)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 8:  # exp
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 9:  # log
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.0 / x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 10:  # sqrt
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), 0.5 / (v_ + 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 11:  # sin
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), cos(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 12:  # cos
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), -sin(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 13:  # tanh
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), 1.0 - v_ * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 14:  # erf
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.1283791670955126 * exp(-x * x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 15:  # norm_pdf
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), -x * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 16:  # norm_cdf
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), norm_pdf(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 17:  # maximum
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x >= y) | (x != x), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x >= y) | (x != x), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 18:  # minimum
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x <= y) | (x != x), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x <= y) | (x != x), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 21:  # where
        if x_to != 0:
            for k in range(vectors):
                c_ = load(c, k * c_step)
                t = fma(load(bar, 8 * k), select(c_ != 0.0, 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                c_ = load(c, k * c_step)
                t = fma(load(bar, 8 * k), select(c_ != 0.0, 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 35:  # square
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 2.0 * x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 36:  # reciprocal
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), -v_ * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 37:  # expm1
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), exp(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 38:  # log1p
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.0 / (1.0 + x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 44:  # copysign
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), copysign(1.0, x) * copysign(1.0, y), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 45:  # fmax
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x >= y) | (y != y), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x >= y) | (y != y), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 46:  # fmin
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x <= y) | (y != y), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select((x <= y) | (y != y), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 75:  # product
        if x_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), y, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), x, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 76:  # variable
        if x_to != 0:
            for k in range(vectors):
                t = fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)


@jit_inlined
def adjoint_row_masked(
    op, a, a_step, b, b_step, c, c_step, v, bar, x_to, x_from, x_step, y_to, y_from, y_step, vectors
):
    """Add ``bar`` times the partials to the adjoints of the operands.

    ``x_to`` is the address of the adjoint of x, 0 for a passive operand; ``x_from`` with ``x_step`` is
    what to add to: the same address, or zeros where this is the first contribution.

    A product with an exactly zero factor is zero: for tapes with partials or adjoints that are not finite.
    """
    if op == 1:  # add
        if x_to != 0:
            for k in range(vectors):
                t = masked_fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                t = masked_fma(load(bar, 8 * k), 1.0, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 2:  # sub
        if x_to != 0:
            for k in range(vectors):
                t = masked_fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                t = masked_fma(load(bar, 8 * k), -1.0, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 3:  # mul
        if x_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), y, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), x, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 4:  # div
        if x_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / y, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), -v_ / y, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 5:  # neg
        if x_to != 0:
            for k in range(vectors):
                t = masked_fma(load(bar, 8 * k), -1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 6:  # pow
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((y != 0.0) | (fabs(x) >= 1e-300), y * pow(x, y - 1.0), 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), select(x == 0.0, 0.0, v_ * log(x)), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 7:  # abs
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), select(x > 0.0, 1.0, select(x < 0.0, -1.0, x * 0.0)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 8:  # exp
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 9:  # log
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 10:  # sqrt
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), 0.5 / (v_ + 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 11:  # sin
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), cos(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 12:  # cos
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), -sin(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 13:  # tanh
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), 1.0 - v_ * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 14:  # erf
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.1283791670955126 * exp(-x * x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 15:  # norm_pdf
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), -x * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 16:  # norm_cdf
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), norm_pdf(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 17:  # maximum
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x >= y) | (x != x), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x >= y) | (x != x), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 18:  # minimum
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x <= y) | (x != x), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x <= y) | (x != x), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 21:  # where
        if x_to != 0:
            for k in range(vectors):
                c_ = load(c, k * c_step)
                t = masked_fma(load(bar, 8 * k), select(c_ != 0.0, 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                c_ = load(c, k * c_step)
                t = masked_fma(load(bar, 8 * k), select(c_ != 0.0, 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 35:  # square
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 2.0 * x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 36:  # reciprocal
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), -v_ * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 37:  # expm1
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), exp(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 38:  # log1p
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / (1.0 + x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 44:  # copysign
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), copysign(1.0, x) * copysign(1.0, y), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 45:  # fmax
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x >= y) | (y != y), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x >= y) | (y != y), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 46:  # fmin
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x <= y) | (y != y), 1.0, 0.0), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select((x <= y) | (y != y), 0.0, 1.0), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 75:  # product
        if x_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), y, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), x, load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 76:  # variable
        if x_to != 0:
            for k in range(vectors):
                t = masked_fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)


@jit_inlined
def value_row_special(op, a, a_step, b, b_step, c, c_step, out, vectors):
    """Values of one row for ``8 * vectors`` scenarios. Special functions."""
    if op == 51:  # exp2
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, exp2(x))
    elif op == 52:  # log2
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, log2(x))
    elif op == 53:  # log10
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, log10(x))
    elif op == 54:  # cbrt
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, cbrt(x))
    elif op == 55:  # tan
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, tan(x))
    elif op == 56:  # arcsin
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, arcsin(x))
    elif op == 57:  # arccos
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, arccos(x))
    elif op == 58:  # arctan
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, arctan(x))
    elif op == 59:  # arctan2
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, arctan2(x, y))
    elif op == 60:  # hypot
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, hypot(x, y))
    elif op == 61:  # sinh
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, sinh(x))
    elif op == 62:  # cosh
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, cosh(x))
    elif op == 63:  # arcsinh
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, arcsinh(x))
    elif op == 64:  # arccosh
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, arccosh(x))
    elif op == 65:  # arctanh
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, arctanh(x))
    elif op == 66:  # erfc
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, erfc(x))
    elif op == 67:  # floordiv
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, floordiv(x, y))
    elif op == 68:  # mod
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, mod(x, y))
    elif op == 69:  # expit
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, expit(x))
    elif op == 70:  # logaddexp
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, logaddexp(x, y))
    elif op == 71:  # norm_ppf
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, norm_ppf(x))
    elif op == 72:  # lgamma
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, lgamma(x))
    elif op == 73:  # digamma
        for k in range(vectors):
            x = load(a, k * a_step)
            store(out, 8 * k, digamma(x))
    elif op == 74:  # polygamma
        for k in range(vectors):
            x = load(a, k * a_step)
            y = load(b, k * b_step)
            store(out, 8 * k, polygamma(x, y))


@jit_inlined
def adjoint_row_special(
    op, a, a_step, b, b_step, c, c_step, v, bar, x_to, x_from, x_step, y_to, y_from, y_step, vectors
):
    """Add ``bar`` times the partials to the adjoints of the operands.

    ``x_to`` is the address of the adjoint of x, 0 for a passive operand; ``x_from`` with ``x_step`` is
    what to add to: the same address, or zeros where this is the first contribution.
    """
    if op == 51:  # exp2
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), 0.6931471805599453 * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 52:  # log2
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.4426950408889634 / x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 53:  # log10
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 0.4342944819032518 / x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 54:  # cbrt
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), 1.0 / (3.0 * v_ * v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 55:  # tan
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), 1.0 + v_ * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 56:  # arcsin
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.0 / sqrt((1.0 - x) * (1.0 + x)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 57:  # arccos
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), -1.0 / sqrt((1.0 - x) * (1.0 + x)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 58:  # arctan
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.0 / (1.0 + x * x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 59:  # arctan2
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select(hypot(x, y) == 0.0, 0.0, y / hypot(x, y) / hypot(x, y)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), select(hypot(x, y) == 0.0, 0.0, -x / hypot(x, y) / hypot(x, y)), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 60:  # hypot
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), select(v_ == 0.0, 0.0, x / v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), select(v_ == 0.0, 0.0, y / v_), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 61:  # sinh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), cosh(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 62:  # cosh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), sinh(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 63:  # arcsinh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.0 / hypot(1.0, x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 64:  # arccosh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.0 / sqrt((x - 1.0) * (x + 1.0)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 65:  # arctanh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), 1.0 / ((1.0 - x) * (1.0 + x)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 66:  # erfc
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), -1.1283791670955126 * exp(-x * x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 68:  # mod
        if x_to != 0:
            for k in range(vectors):
                t = fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), -floordiv(x, y), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 69:  # expit
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), v_ * expit(-x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 70:  # logaddexp
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), exp(x - v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), exp(y - v_), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 71:  # norm_ppf
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = fma(load(bar, 8 * k), 1.0 / norm_pdf(v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 72:  # lgamma
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), digamma(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 73:  # digamma
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = fma(load(bar, 8 * k), polygamma(1.0, x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 74:  # polygamma
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = fma(load(bar, 8 * k), polygamma(x + 1.0, y), load(y_from, k * y_step))
                store(y_to, 8 * k, t)


@jit_inlined
def adjoint_row_special_masked(
    op, a, a_step, b, b_step, c, c_step, v, bar, x_to, x_from, x_step, y_to, y_from, y_step, vectors
):
    """Add ``bar`` times the partials to the adjoints of the operands.

    ``x_to`` is the address of the adjoint of x, 0 for a passive operand; ``x_from`` with ``x_step`` is
    what to add to: the same address, or zeros where this is the first contribution.

    A product with an exactly zero factor is zero: for tapes with partials or adjoints that are not finite.
    """
    if op == 51:  # exp2
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), 0.6931471805599453 * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 52:  # log2
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.4426950408889634 / x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 53:  # log10
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 0.4342944819032518 / x, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 54:  # cbrt
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), 1.0 / (3.0 * v_ * v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 55:  # tan
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), 1.0 + v_ * v_, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 56:  # arcsin
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / sqrt((1.0 - x) * (1.0 + x)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 57:  # arccos
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), -1.0 / sqrt((1.0 - x) * (1.0 + x)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 58:  # arctan
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / (1.0 + x * x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 59:  # arctan2
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select(hypot(x, y) == 0.0, 0.0, y / hypot(x, y) / hypot(x, y)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), select(hypot(x, y) == 0.0, 0.0, -x / hypot(x, y) / hypot(x, y)), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 60:  # hypot
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), select(v_ == 0.0, 0.0, x / v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), select(v_ == 0.0, 0.0, y / v_), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 61:  # sinh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), cosh(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 62:  # cosh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), sinh(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 63:  # arcsinh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / hypot(1.0, x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 64:  # arccosh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / sqrt((x - 1.0) * (x + 1.0)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 65:  # arctanh
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), 1.0 / ((1.0 - x) * (1.0 + x)), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 66:  # erfc
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), -1.1283791670955126 * exp(-x * x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 68:  # mod
        if x_to != 0:
            for k in range(vectors):
                t = masked_fma(load(bar, 8 * k), 1.0, load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), -floordiv(x, y), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 69:  # expit
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), v_ * expit(-x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 70:  # logaddexp
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), exp(x - v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
        if y_to != 0:
            for k in range(vectors):
                y = load(b, k * b_step)
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), exp(y - v_), load(y_from, k * y_step))
                store(y_to, 8 * k, t)
    elif op == 71:  # norm_ppf
        if x_to != 0:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                t = masked_fma(load(bar, 8 * k), 1.0 / norm_pdf(v_), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 72:  # lgamma
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), digamma(x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 73:  # digamma
        if x_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                t = masked_fma(load(bar, 8 * k), polygamma(1.0, x), load(x_from, k * x_step))
                store(x_to, 8 * k, t)
    elif op == 74:  # polygamma
        if y_to != 0:
            for k in range(vectors):
                x = load(a, k * a_step)
                y = load(b, k * b_step)
                t = masked_fma(load(bar, 8 * k), polygamma(x + 1.0, y), load(y_from, k * y_step))
                store(y_to, 8 * k, t)


# Operations whose partials are plain arithmetic, and whose adjoints of uniform operands ``adjoint_sum`` adds up.
SUMMED = (1, 2, 3, 4, 5, 8, 9, 10, 13, 15, 35, 36, 38, 51, 52, 53, 54, 55, 58, 65, 75, 76)


@jit_inlined
def adjoint_sum(op, is_x, a, a_step, b, b_step, v, bar, vectors):
    """Sum of ``bar`` times the partials by x, or by y, in registers: through memory it takes twice as long."""
    total = splat(0.0)
    if op == 1:  # add
        if is_x:
            for k in range(vectors):
                total = fma(load(bar, 8 * k), 1.0, total)
        else:
            for k in range(vectors):
                total = fma(load(bar, 8 * k), 1.0, total)
    elif op == 2:  # sub
        if is_x:
            for k in range(vectors):
                total = fma(load(bar, 8 * k), 1.0, total)
        else:
            for k in range(vectors):
                total = fma(load(bar, 8 * k), -1.0, total)
    elif op == 3:  # mul
        if is_x:
            for k in range(vectors):
                y = load(b, k * b_step)
                total = fma(load(bar, 8 * k), y, total)
        else:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), x, total)
    elif op == 4:  # div
        if is_x:
            for k in range(vectors):
                y = load(b, k * b_step)
                total = fma(load(bar, 8 * k), 1.0 / y, total)
        else:
            for k in range(vectors):
                y = load(b, k * b_step)
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), -v_ / y, total)
    elif op == 5:  # neg
        if is_x:
            for k in range(vectors):
                total = fma(load(bar, 8 * k), -1.0, total)
    elif op == 8:  # exp
        if is_x:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), v_, total)
    elif op == 9:  # log
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), 1.0 / x, total)
    elif op == 10:  # sqrt
        if is_x:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), 0.5 / (v_ + 0.0), total)
    elif op == 13:  # tanh
        if is_x:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), 1.0 - v_ * v_, total)
    elif op == 15:  # norm_pdf
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), -x * v_, total)
    elif op == 35:  # square
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), 2.0 * x, total)
    elif op == 36:  # reciprocal
        if is_x:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), -v_ * v_, total)
    elif op == 38:  # log1p
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), 1.0 / (1.0 + x), total)
    elif op == 51:  # exp2
        if is_x:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), 0.6931471805599453 * v_, total)
    elif op == 52:  # log2
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), 1.4426950408889634 / x, total)
    elif op == 53:  # log10
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), 0.4342944819032518 / x, total)
    elif op == 54:  # cbrt
        if is_x:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), 1.0 / (3.0 * v_ * v_), total)
    elif op == 55:  # tan
        if is_x:
            for k in range(vectors):
                v_ = load(v, 8 * k)
                total = fma(load(bar, 8 * k), 1.0 + v_ * v_, total)
    elif op == 58:  # arctan
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), 1.0 / (1.0 + x * x), total)
    elif op == 65:  # arctanh
        if is_x:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), 1.0 / ((1.0 - x) * (1.0 + x)), total)
    elif op == 75:  # product
        if is_x:
            for k in range(vectors):
                y = load(b, k * b_step)
                total = fma(load(bar, 8 * k), y, total)
        else:
            for k in range(vectors):
                x = load(a, k * a_step)
                total = fma(load(bar, 8 * k), x, total)
    elif op == 76:  # variable
        if is_x:
            for k in range(vectors):
                total = fma(load(bar, 8 * k), 1.0, total)
    return lane_sum(total)
