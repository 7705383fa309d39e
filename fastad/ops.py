"""THE table: one row per elementary operation. Everything else is derived from it.

A row gives the value and the partial derivatives as text. Text, because several consumers need it:
Python recording, ufunc dispatch, the generated kernels, the operations table in the docs, the tests.

Grammar of a rule (checked by ``rules.py`` at import): one Python expression in

``x``, ``y``
    the operands;
``v``
    the value of the row (partials only);
``c``
    the value of the row before, which is how ``where`` sees its condition: a ``cond`` row
    followed by a ``where`` row;
numbers, ``+ - * /``, unary minus, comparisons, ``&``, ``|``
    ``&`` and ``|`` combine comparisons;
``where(condition, a, b)``
    a where the condition holds, else b; a product with an exactly zero factor is zero in every
    sweep, so an infinite partial of the branch not taken does no harm;
functions
    rows of this table, by name. Partials are made of rows of this table only, so the table is
    closed under differentiation.

The opcode of a row is its position: append only, or saved programs change their meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import Any

Interval = tuple[float, float]

REALS: Interval = (-inf, inf)
POSITIVE: Interval = (0.0, inf)
ORDINARY: Interval = (-700.0, 700.0)
UNIT: Interval = (-1.0, 1.0)


@dataclass(frozen=True)
class Op:
    """One elementary operation.

    Parameters
    ----------
    name
        Public function where there is one; in capitals, the opcode's name.
    value, partials
        Rules, in the grammar above; one partial per operand.
    ufunc
        Name of the NumPy ufunc that means the same.
    dunder
        Operator method, without its reflected twin.
    domain
        Per operand, the open interval where value and partials are smooth enough to be sampled by tests.
    edge
        Convention at kinks, ties and domain ends; printed in the documentation.
    kind
        ``smooth`` (differentiable operations), ``condition`` (0.0 or 1.0), ``structure`` (rows that
        only the recorder writes).
    special
        Lives in the kernels that are compiled when a program first needs one of its kind; the others stay
        small, so that the first batch ever takes seconds, not minutes.
    """

    name: str
    value: str
    partials: tuple[str, ...]
    ufunc: str | None = None
    dunder: str | None = None
    domain: tuple[Interval, ...] = (REALS, REALS)
    edge: str = ""
    kind: str = "smooth"
    special: bool = False

    @property
    def arity(self) -> int:
        """Number of operands."""
        return len(self.partials)


def _condition(name: str, rule: str, ufunc: str | None = None, dunder: str | None = None, edge: str = "") -> Op:
    arity = 2 if re.search(r"\by\b", rule) else 1
    return Op(name, f"where({rule}, 1.0, 0.0)", ("0.0",) * arity, ufunc, dunder, edge=edge, kind="condition")


def _special(name: str, value: str, partials: tuple[str, ...], ufunc: str | None = None, **more: Any) -> Op:
    return Op(name, value, partials, ufunc, special=True, **more)


OPS: tuple[Op, ...] = (
    Op("input", "x", ("0.0",), kind="structure"),
    # -------------------- arithmetic --------------------
    Op("add", "x + y", ("1.0", "1.0"), "add", "__add__"),
    Op("sub", "x - y", ("1.0", "-1.0"), "subtract", "__sub__"),
    Op("mul", "x * y", ("y", "x"), "multiply", "__mul__"),
    Op("div", "x / y", ("1.0 / y", "-v / y"), "divide", "__truediv__", (REALS, POSITIVE), "x/0 is IEEE: inf or NaN"),
    Op("neg", "-x", ("-1.0",), "negative", "__neg__"),
    Op(
        "pow",
        "pow(x, y)",
        (
            # The condition holds for all but exponent 0 of a base without a reciprocal: for the mixed second partial.
            "where((y != 0.0) | (abs(x) >= 1e-300), y * pow(x, y - 1.0), 0.0)",
            "where(x == 0.0, 0.0, v * log(x))",
        ),
        "power",
        "__pow__",
        ((0.0, 1e3), (-30.0, 30.0)),
        "base partial 0 at exponent 0; exponent partial 0 at base 0, NaN at a negative base",
    ),
    Op(
        "abs",
        "abs(x)",
        ("where(x > 0.0, 1.0, where(x < 0.0, -1.0, x * 0.0))",),
        "absolute",
        "__abs__",
        edge="0 at 0",
    ),
    # -------------------- exponential, trigonometric --------------------
    Op("exp", "exp(x)", ("v",), "exp", domain=(ORDINARY,)),
    Op("log", "log(x)", ("1.0 / x",), "log", domain=(POSITIVE,), edge="log(0) is -inf, log of a negative number NaN"),
    Op("sqrt", "sqrt(x)", ("0.5 / (v + 0.0)",), "sqrt", domain=(POSITIVE,), edge="inf at 0"),  # at -0.0 too
    Op("sin", "sin(x)", ("cos(x)",), "sin"),
    Op("cos", "cos(x)", ("-sin(x)",), "cos"),
    Op("tanh", "tanh(x)", ("1.0 - v * v",), "tanh"),
    # -------------------- normal distribution --------------------
    Op("erf", "erf(x)", ("1.1283791670955126 * exp(-x * x)",)),
    Op("norm_pdf", "norm_pdf(x)", ("-x * v",)),
    Op("norm_cdf", "norm_cdf(x)", ("norm_pdf(x)",)),
    # -------------------- kinks and choices --------------------
    Op(
        "maximum",
        "where((x >= y) | (x != x), x, y)",
        ("where((x >= y) | (x != x), 1.0, 0.0)", "where((x >= y) | (x != x), 0.0, 1.0)"),
        "maximum",
        edge="at a tie the whole adjoint goes to x; NaN in either operand is NaN out, and takes the adjoint",
    ),
    Op(
        "minimum",
        "where((x <= y) | (x != x), x, y)",
        ("where((x <= y) | (x != x), 1.0, 0.0)", "where((x <= y) | (x != x), 0.0, 1.0)"),
        "minimum",
        edge="at a tie the whole adjoint goes to x; NaN in either operand is NaN out, and takes the adjoint",
    ),
    Op("stop_gradient", "x", ("0.0",), edge="derivative 0 everywhere, the value follows the scenario"),
    Op("cond", "x", ("0.0",), kind="structure"),
    Op(
        "where",
        "where(c != 0.0, x, y)",
        ("where(c != 0.0, 1.0, 0.0)", "where(c != 0.0, 0.0, 1.0)"),
        edge="derivative of the chosen operand only, whatever the other one's is",
        kind="structure",
    ),
    # -------------------- conditions --------------------
    _condition("less", "x < y", "less", "__lt__"),
    _condition("less_equal", "x <= y", "less_equal", "__le__"),
    _condition("greater", "x > y", "greater", "__gt__"),
    _condition("greater_equal", "x >= y", "greater_equal", "__ge__"),
    _condition("equal", "x == y", "equal", "__eq__"),
    _condition("not_equal", "x != y", "not_equal", "__ne__"),
    _condition("same", "same(x, y)", edge="the same bits, or both NaN: what a frozen value must stay"),
    _condition("logical_and", "(x != 0.0) & (y != 0.0)", "logical_and"),
    _condition("logical_or", "(x != 0.0) | (y != 0.0)", "logical_or"),
    _condition("logical_not", "x == 0.0", "logical_not"),
    Op("guard", "x", ("0.0",), kind="structure"),
    # -------------------- tables: the kernels look them up, see record/tables.py --------------------
    Op("locate", "x", ("0.0",), kind="structure", edge="the right cell at a knot"),
    Op("take", "y", ("0.0", "1.0"), kind="structure"),
    # -------------------- more of the plain ones --------------------
    Op("square", "x * x", ("2.0 * x",), "square"),
    Op("reciprocal", "1.0 / x", ("-v * v",), "reciprocal", domain=(POSITIVE,), edge="1/0 is inf"),
    Op("expm1", "expm1(x)", ("exp(x)",), "expm1", domain=(ORDINARY,)),
    Op("log1p", "log1p(x)", ("1.0 / (1.0 + x)",), "log1p", domain=((-1.0, inf),), edge="log1p(-1) is -inf"),
    Op("floor", "floor(x)", ("0.0",), "floor", edge="derivative 0, at the jumps too"),
    Op("ceil", "-floor(-x)", ("0.0",), "ceil", edge="derivative 0, at the jumps too"),
    Op("rint", "rint(x)", ("0.0",), "rint", edge="to the nearest integer, ties to even; derivative 0"),
    Op("trunc", "copysign(floor(abs(x)), x)", ("0.0",), "trunc", edge="derivative 0, at the jumps too"),
    Op("sign", "where(x > 0.0, 1.0, where(x < 0.0, -1.0, x - x))", ("0.0",), "sign", edge="0 at 0; derivative 0"),
    Op(
        "copysign",
        "copysign(x, y)",
        ("copysign(1.0, x) * copysign(1.0, y)", "0.0"),
        "copysign",
        edge="derivative 1 or -1 in x, at 0 by the signs of the zeros",
    ),
    Op(
        "fmax",
        "where((x >= y) | (y != y), x, y)",
        ("where((x >= y) | (y != y), 1.0, 0.0)", "where((x >= y) | (y != y), 0.0, 1.0)"),
        "fmax",
        edge="at a tie the whole adjoint goes to x; of a NaN and a number, the number is taken",
    ),
    Op(
        "fmin",
        "where((x <= y) | (y != y), x, y)",
        ("where((x <= y) | (y != y), 1.0, 0.0)", "where((x <= y) | (y != y), 0.0, 1.0)"),
        "fmin",
        edge="at a tie the whole adjoint goes to x; of a NaN and a number, the number is taken",
    ),
    _condition("isnan", "x != x", "isnan"),
    _condition("isinf", "abs(x) > 1.7976931348623157e308", "isinf"),
    _condition("isfinite", "abs(x) <= 1.7976931348623157e308", "isfinite"),
    _condition("signbit", "copysign(1.0, x) < 0.0", "signbit"),
    # -------------------- special functions --------------------
    _special("exp2", "exp2(x)", ("0.6931471805599453 * v",), "exp2", domain=(ORDINARY,)),
    _special("log2", "log2(x)", ("1.4426950408889634 / x",), "log2", domain=(POSITIVE,), edge="-inf at 0"),
    _special("log10", "log10(x)", ("0.4342944819032518 / x",), "log10", domain=(POSITIVE,), edge="-inf at 0"),
    _special("cbrt", "cbrt(x)", ("1.0 / (3.0 * v * v)",), "cbrt", domain=(POSITIVE,), edge="derivative inf at 0"),
    _special("tan", "tan(x)", ("1.0 + v * v",), "tan", domain=((-1.5, 1.5),)),
    _special(
        "arcsin", "arcsin(x)", ("1.0 / sqrt((1.0 - x) * (1.0 + x))",), "arcsin", domain=(UNIT,), edge="inf at -1, 1"
    ),
    _special(
        "arccos", "arccos(x)", ("-1.0 / sqrt((1.0 - x) * (1.0 + x))",), "arccos", domain=(UNIT,), edge="-inf at -1, 1"
    ),
    _special("arctan", "arctan(x)", ("1.0 / (1.0 + x * x)",), "arctan"),
    _special(
        "arctan2",
        "arctan2(x, y)",
        (
            "where(hypot(x, y) == 0.0, 0.0, y / hypot(x, y) / hypot(x, y))",
            "where(hypot(x, y) == 0.0, 0.0, -x / hypot(x, y) / hypot(x, y))",
        ),
        "arctan2",
        edge="derivatives 0 at the origin",
    ),
    _special(
        "hypot",
        "hypot(x, y)",
        ("where(v == 0.0, 0.0, x / v)", "where(v == 0.0, 0.0, y / v)"),
        "hypot",
        edge="derivatives 0 at the origin",
    ),
    _special("sinh", "sinh(x)", ("cosh(x)",), "sinh", domain=(ORDINARY,)),
    _special("cosh", "cosh(x)", ("sinh(x)",), "cosh", domain=(ORDINARY,)),
    _special("arcsinh", "arcsinh(x)", ("1.0 / hypot(1.0, x)",), "arcsinh"),
    _special(
        "arccosh",
        "arccosh(x)",
        ("1.0 / sqrt((x - 1.0) * (x + 1.0))",),
        "arccosh",
        domain=((1.0, inf),),
        edge="inf at 1",
    ),
    _special(
        "arctanh", "arctanh(x)", ("1.0 / ((1.0 - x) * (1.0 + x))",), "arctanh", domain=(UNIT,), edge="inf at -1, 1"
    ),
    _special("erfc", "erfc(x)", ("-1.1283791670955126 * exp(-x * x)",)),
    _special(
        "floordiv",
        "floordiv(x, y)",
        ("0.0", "0.0"),
        "floor_divide",
        dunder="__floordiv__",
        edge="as NumPy; derivative 0",
    ),
    _special(
        "mod", "mod(x, y)", ("1.0", "-floordiv(x, y)"), "remainder", dunder="__mod__", edge="as NumPy: the sign of y"
    ),
    _special("expit", "expit(x)", ("v * expit(-x)",)),
    _special("logaddexp", "logaddexp(x, y)", ("exp(x - v)", "exp(y - v)"), "logaddexp", domain=(ORDINARY, ORDINARY)),
    _special(
        "norm_ppf",
        "norm_ppf(x)",
        ("1.0 / norm_pdf(v)",),
        domain=((0.0, 1.0),),
        edge="-inf at 0, inf at 1, NaN outside; derivative inf at both",
    ),
    _special("lgamma", "lgamma(x)", ("digamma(x)",), domain=(POSITIVE,), edge="inf at the poles"),
    _special("digamma", "digamma(x)", ("polygamma(1.0, x)",), domain=(POSITIVE,), edge="NaN at negative integers"),
    _special(
        "polygamma",
        "polygamma(x, y)",
        ("0.0", "polygamma(x + 1.0, y)"),
        domain=((0.0, 5.0), POSITIVE),
        edge="x is the order, a whole number; derivative 0 in it",
    ),
    # -------------------- rows of derivatives --------------------
    Op("product", "where((x == 0.0) | (y == 0.0), 0.0, x * y)", ("y", "x"), kind="structure"),
    Op(
        "variable",
        "x",
        ("1.0",),
        kind="structure",
        edge="an argument that a transform inside another differentiates by",
    ),
    # -------------------- array operations as one, see record/blocks.py --------------------
    Op("block", "x", ("0.0",), kind="structure"),
    Op("part", "x", ("1.0",), kind="structure"),
)

OPCODE: dict[str, int] = {op.name: code for code, op in enumerate(OPS)}
BY_NAME: dict[str, Op] = {op.name: op for op in OPS}
