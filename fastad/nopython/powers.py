"""Powers in compiled code: products for small whole exponents, as ``record.active`` makes them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import signature
from numba.extending import lower_builtin

from ..record.active import LARGEST_PRODUCT, is_whole, whole_power
from ..record.functions import FUNCTIONS
from .functions import arithmetic_of, converted, lowering, numbers, register
from .kinds import ACTIVE, DualType

square, reciprocal = FUNCTIONS["square"], FUNCTIONS["reciprocal"]


class _Factor:
    """A number that multiplies, for ``whole_power``."""

    def __init__(self, arithmetic: Any, number: Any) -> None:
        self._arithmetic = arithmetic
        self.number = number

    def __pos__(self) -> _Factor:
        return self

    def __mul__(self, other: _Factor) -> _Factor:
        return _Factor(self._arithmetic, self._arithmetic.apply("mul", self.number, other.number))

    def square(self) -> _Factor:
        """Return x * x, as a row of its own."""
        return _Factor(self._arithmetic, self._arithmetic.apply("square", self.number))


@lower_builtin("fastad.pow", types.VarArg(types.Any))
def _lower_power(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    arithmetic = arithmetic_of(context, builder, sig.return_type)
    base, exponent = sig.args
    if isinstance(exponent, types.Literal | types.Omitted):  # a constant; Omitted is how numba hands over floats
        constant = exponent.literal_value if isinstance(exponent, types.Literal) else exponent.value
        return arithmetic.pack(_constant_power(arithmetic, arithmetic.convert(base, args[0]), constant))
    if isinstance(exponent, DualType):
        return arithmetic.pack(arithmetic.apply("pow", *converted(arithmetic, sig.args, args)))
    # The exponent of an active may turn out to be passive, and then whole.
    plain = ACTIVE if exponent == ACTIVE else types.float64
    operands = [(sig.return_type, base, args[0]), (plain, exponent, args[1])]
    values = [context.cast(builder, value, source, target) for target, source, value in operands]
    helper = signature(sig.return_type, sig.return_type, plain)
    return context.compile_internal(builder, _power_at_run_time, helper, values)


def _constant_power(arithmetic: Any, x: Any, exponent: Any) -> Any:
    if not is_whole(exponent):
        return arithmetic.apply("pow", x, arithmetic.constant(float(exponent)))
    product = whole_power(_Factor(arithmetic, x), abs(int(exponent)), _Factor.square).number
    return product if exponent > 0 else arithmetic.apply("reciprocal", product)


def _power_at_run_time(x: Any, exponent: Any) -> Any:
    number = _plain_number(exponent)
    n = abs(number)
    if not (0.0 < n <= LARGEST_PRODUCT and n == n // 1.0):
        return _general_power(x, exponent)
    left = int(n)
    while left & 1 == 0:
        x = square(x)
        left >>= 1
    product = x
    left >>= 1
    while left:
        x = square(x)
        if left & 1:
            product = product * x
        left >>= 1
    return product if number > 0.0 else reciprocal(product)


def _plain_number(x: Any) -> float:
    """Value of a number that depends on nothing, NaN for one that does; in compiled code only."""
    raise NotImplementedError


def _general_power(x: Any, y: Any) -> Any:
    """The row of the table, whatever the exponent; in compiled code only."""
    raise NotImplementedError


register(_plain_number, "plain_number", lambda args: types.float64)
register(_general_power, "general_power", numbers(2))


@lower_builtin("fastad.plain_number", types.Any)
def _lower_plain_number(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    arithmetic = arithmetic_of(context, builder, sig.args[0])
    return arithmetic.plain_number(arithmetic.convert(sig.args[0], args[0]))


@lowering("general_power")
def _lower_general_power(arithmetic: Any, operands: tuple[types.Type, ...], values: Any) -> Any:
    return arithmetic.apply("pow", *converted(arithmetic, operands, values))
