"""Operations of actives out of line, for functions that have many.

A row is some forty instructions, and LLVM's time grows faster than their number: 100 lines of a payoff took nine times
as long to compile as with floats, now twice. The first operations of a function stand in place, which is where small
hot loops are; those that follow are calls of one function per operation, 1 ns more each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from .actives import Actives, Number
from .rows import DOUBLE, INT32, INT64, Exits

_IN_PLACE = 32
_PASSIVE, _NO_ROOM, _OTHER_TAPE = -1, -2, -3  # what the row of a result says instead of a row
_RESULT = ir.LiteralStructType([DOUBLE, INT32, INT64])


class OutlinedActives(Actives):
    """Arithmetic of actives, in place or by calls."""

    def apply(self, name: str, *operands: Number) -> Number:
        """Record an operation of the table."""
        if all(operand.is_plain for operand in operands) or _is_early(self.builder.function):
            return super().apply(name, *operands)
        return _call(self, name, operands)


class _CodedExits(Exits):
    """How an outlined operation leaves: with a code that its caller turns into an exception."""

    def no_room(self, builder: ir.IRBuilder) -> None:
        builder.ret(ir.Constant(_RESULT, [0.0, _NO_ROOM, 0]))

    def two_tapes(self, builder: ir.IRBuilder) -> None:
        builder.ret(ir.Constant(_RESULT, [0.0, _OTHER_TAPE, 0]))


def _is_early(function: Any) -> bool:
    """Whether the next operation of a function is one of the first."""
    function.fastad_operations = getattr(function, "fastad_operations", 0) + 1
    return function.fastad_operations <= _IN_PLACE


def _call(arithmetic: Actives, name: str, operands: Sequence[Number]) -> Number:
    """Call the function of an operation, made when it is first needed in a module."""
    builder, exits = arithmetic.builder, arithmetic.exits
    arguments = [part for x in operands for part in ((x.value,) if x.is_plain else x)]
    pattern = "".join("f" if x.is_plain else "a" for x in operands)
    function_type = ir.FunctionType(_RESULT, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, f"fastad.{name}.{pattern}")
    if function.is_declaration:
        _define(function, arithmetic.context, name, pattern)
    result = builder.call(function, arguments)
    value, row, tape = (builder.extract_value(result, i) for i in range(3))
    with builder.if_then(builder.icmp_signed("<", row, ir.Constant(INT32, _PASSIVE)), likely=False):
        with builder.if_then(builder.icmp_signed("==", row, ir.Constant(INT32, _OTHER_TAPE)), likely=False):
            exits.two_tapes(builder)
        exits.no_room(builder)
    return Number(value, row, tape)


def _define(function: ir.Function, context: Any, name: str, pattern: str) -> None:
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    arguments = iter(function.args)
    sizes = [1 if kind == "f" else 3 for kind in pattern]
    operands = [Number(*(next(arguments) for _ in range(size))) for size in sizes]
    result = ir.Constant(_RESULT, ir.Undefined)
    for i, part in enumerate(Actives(context, builder, _CodedExits(context)).apply(name, *operands)):
        result = builder.insert_value(result, part, i)
    builder.ret(result)
