"""What compiled code may do with actives and duals: operators and functions, by loops over the op table.

Each entry is a typing rule (``register``) that answers where an operand is active, a dual or, for fastad's own
functions, a plain number, and a lowering that hands the operands to the arithmetic of the result's type.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, builtin_registry, signature
from numba.extending import lower_builtin

from ..ops import OPS, Op
from ..record import dual
from ..record import functions as public
from ..record.active import NO_FLOAT
from .actives import Actives
from .duals import arithmetic_of_inner
from .kinds import ACTIVE, CONDITION, DualType, common_dual, is_real
from .outline import OutlinedActives
from .rows import site_of_call
from .version import mark

# Names in Python's math module that are not those of the table.
_MATH_NAMES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "fabs": "abs",
}
IN_PLACE = {"__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__"}

Typing = Callable[[tuple[types.Type, ...]], Any]


def arithmetic_of(context: Any, builder: ir.IRBuilder, numba_type: types.Type) -> Any:
    """Return the arithmetic that computes results of a type."""
    mark(context)
    if numba_type == ACTIVE:
        return OutlinedActives(context, builder)
    return arithmetic_of_inner(context, builder, numba_type)


def is_ours(numba_type: types.Type) -> bool:
    """Whether a type is one of fastad's numbers."""
    return numba_type == ACTIVE or isinstance(numba_type, DualType)


def result_type(operands: tuple[types.Type, ...]) -> types.Type | None:
    """Type of a function of numbers; None where an operand is no number, or actives meet duals."""
    if any(t == ACTIVE for t in operands):
        return ACTIVE if all(t == ACTIVE or is_real(t) for t in operands) else None
    return common_dual(operands)


def condition_type(operands: tuple[types.Type, ...]) -> types.Type | None:
    """Type of a comparison: only actives have conditions that can be recorded."""
    result = result_type(operands)
    return CONDITION if result == ACTIVE else result and types.boolean


def register(function: Any, key: str, typing: Typing, *, literal: bool = False) -> None:
    """Give numba a typing rule for a function; the lowering registered for ``key`` answers where it applies.

    The rule returns the type of the result, or None where the function is not ours to answer for.
    """
    pysig = _signature(function)

    class _Template(AbstractTemplate):
        key = function
        metadata = {"target": "cpu"}  # asked before numba's own, which are for any target  # noqa: RUF012
        prefer_literal = literal

        def generic(self, args: tuple[types.Type, ...], kws: dict[str, Any]) -> Any:
            named = pysig is not None and (kws or len(args) < len(pysig.parameters))
            if named:
                args = _folded(pysig, args, kws)
            result = None if kws and not named else typing(args)
            return None if result is None else signature(result, *args).replace(pysig=pysig if named else None)

        def get_impl_key(self, sig: Any) -> str:
            return f"fastad.{key}"  # not the function: numba's own lowerings for it stay as they are

    builtin_registry.register_global(function, types.Function(_Template))


def _signature(function: Any) -> inspect.Signature | None:
    """Names and defaults of the arguments of one of fastad's functions."""
    return inspect.signature(function) if getattr(function, "__module__", "").startswith("fastad.") else None


def _folded(pysig: Any, args: tuple[types.Type, ...], kws: dict[str, Any]) -> tuple[types.Type, ...]:
    """Types of all arguments in order; a default is an Omitted type, as numba has it."""
    try:
        bound = pysig.bind_partial(*args, **kws).arguments
    except TypeError as error:
        raise TypingError(str(error)) from error
    missing = [p for p in pysig.parameters.values() if p.name not in bound and p.default is p.empty]
    if missing:
        return ()
    return tuple(bound.get(p.name, types.Omitted(p.default)) for p in pysig.parameters.values())


def lowering(key: str) -> Callable[[Any], Any]:
    """Register ``lower(arithmetic, types, values)`` for a key; it returns an operand of the arithmetic."""

    def decorate(lower: Callable[..., Any]) -> Any:
        @lower_builtin(f"fastad.{key}", types.VarArg(types.Any))
        def lower_to_struct(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            arithmetic = arithmetic_of(context, builder, sig.return_type)
            return arithmetic.pack(lower(arithmetic, sig.args, args))

        return lower

    return decorate


def converted(arithmetic: Any, operands: tuple[types.Type, ...], values: Any) -> list[Any]:
    """Return values of numba as operands of an arithmetic."""
    return [arithmetic.convert(t, v) for t, v in zip(operands, values, strict=True)]


def active_only(typing: Typing) -> Typing:
    """The rule for functions that numba knows for floats."""
    return lambda args: None if (result := typing(args)) == types.float64 else result


# -------------------- operations of the table --------------------


def numbers(arity: int) -> Typing:
    """Return the rule for functions of so many numbers."""
    return lambda args: result_type(args) if len(args) == arity else None


def _lower_operation(op: Op) -> None:
    @lowering(op.name)
    def lower(arithmetic: Any, operands: tuple[types.Type, ...], values: Any) -> Any:
        return arithmetic.apply(op.name, *converted(arithmetic, operands, values))


def _foreign_names(op: Op) -> list[Any]:
    """Functions of NumPy, ``math`` and ``operator`` that mean the operation."""
    names = [np_function for np_function in [getattr(np, op.ufunc or "", None)] if np_function is not None]
    in_math = [name for name in dir(math) if _MATH_NAMES.get(name, name) == op.name]
    names += [getattr(math, name) for name in in_math]
    if op.dunder:
        names.append(getattr(operator, op.dunder))
        if op.dunder in IN_PLACE:
            names.append(getattr(operator, f"__i{op.dunder.strip('_')}__"))
    return names


def _register_operations() -> None:
    for op in OPS:
        if op.kind != "smooth":
            continue
        literal = op.name == "pow"  # a small whole exponent makes products, if it is known
        register(public.FUNCTIONS[op.name], op.name, numbers(op.arity), literal=literal)
        for function in _foreign_names(op):
            register(function, op.name, active_only(numbers(op.arity)), literal=literal)
        if op.name != "pow":
            _lower_operation(op)
    register(abs, "abs", active_only(numbers(1)))
    register(pow, "pow", active_only(numbers(2)), literal=True)


_register_operations()


# -------------------- comparisons and conditions --------------------


def _comparison(args: tuple[types.Type, ...]) -> types.Type | None:
    return condition_type(args) if len(args) == 2 and any(map(is_ours, args)) else None


def _test(args: tuple[types.Type, ...]) -> types.Type | None:
    return condition_type(args) if len(args) == 1 else None


def _test_of_ours(args: tuple[types.Type, ...]) -> types.Type | None:
    return _test(args) if any(map(is_ours, args)) else None


def _lower_comparison(op: Op, *, unary: bool) -> None:
    @lower_builtin(f"fastad.{op.name}", types.VarArg(types.Any))
    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        arithmetic = arithmetic_of(context, builder, result_type(sig.args) or types.float64)
        compare = arithmetic.test if unary else arithmetic.compare_as
        return arithmetic.pack_condition(compare(op.name, *converted(arithmetic, sig.args, args)))


def _is_condition(args: tuple[types.Type, ...]) -> bool:
    return CONDITION in args and all(t == CONDITION or isinstance(t, types.Boolean) for t in args)


def _register_conditions() -> None:
    for op in OPS:
        if op.name in public.TESTS:
            register(public.TESTS[op.name], op.name, _test)
            for function in _foreign_names(op):
                register(function, op.name, _test_of_ours)
            _lower_comparison(op, unary=True)
        elif op.dunder and op.kind == "condition":
            for function in _foreign_names(op):
                register(function, op.name, _comparison)
            _lower_comparison(op, unary=False)
    for name, functions in {
        "logical_and": (operator.and_, operator.iand),
        "logical_or": (operator.or_, operator.ior),
    }.items():
        for function in functions:
            register(function, name, lambda args: CONDITION if len(args) == 2 and _is_condition(args) else None)
        _lower_combination(name)
    register(operator.invert, "logical_not", lambda args: CONDITION if args == (CONDITION,) else None)


def _lower_combination(name: str) -> None:
    @lower_builtin(f"fastad.{name}", types.VarArg(types.Any))
    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        arithmetic = Actives(context, builder)
        operands = [arithmetic.condition(t, v) for t, v in zip(sig.args, args, strict=True)]
        return arithmetic.pack_condition(arithmetic.combine(name, *operands))


_register_conditions()


@lower_builtin("fastad.logical_not", types.VarArg(types.Any))
def _lower_invert(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    arithmetic = Actives(context, builder)
    return arithmetic.pack_condition(arithmetic.negate(arithmetic.condition(sig.args[0], args[0])))


# -------------------- truth --------------------


def _truth_of(context: Any, builder: ir.IRBuilder, numba_type: types.Type, value: ir.Value) -> ir.Value:
    """Truth of a condition or a number, with a guard at the line being lowered."""
    if numba_type == CONDITION:
        arithmetic = Actives(context, builder)
        condition = arithmetic.condition(numba_type, value)
    else:
        arithmetic = arithmetic_of(context, builder, numba_type)
        zero = arithmetic.constant(0.0)
        condition = arithmetic.compare_as("not_equal", arithmetic.convert(numba_type, value), zero)
    return arithmetic.truth(condition, site_of_call(builder))


def _truth(args: tuple[types.Type, ...]) -> types.Type | None:
    return types.boolean if len(args) == 1 and (args[0] == CONDITION or is_ours(args[0])) else None


@lower_builtin("fastad.bool", types.VarArg(types.Any))
@lower_builtin(bool, ACTIVE)  # numba types bool(x) by operator.truth, but lowers it by its own name
@lower_builtin(bool, CONDITION)
@lower_builtin(bool, DualType)
def _lower_bool(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    return _truth_of(context, builder, sig.args[0], args[0])


@lower_builtin("fastad.not", types.VarArg(types.Any))
def _lower_not(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    return builder.not_(_truth_of(context, builder, sig.args[0], args[0]))


register(operator.truth, "bool", _truth)
register(operator.not_, "not", _truth)


# -------------------- what a float has and an active refuses --------------------


def _refuse(args: tuple[types.Type, ...]) -> None:
    if args and is_ours(args[0]):
        raise TypingError(NO_FLOAT if args[0] == ACTIVE else dual.NO_FLOAT)


for _function in (float, int, complex):
    register(_function, "refused", _refuse)
