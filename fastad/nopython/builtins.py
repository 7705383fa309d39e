"""Python's builtins and fastad's choices for actives in compiled code."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.typing.templates import AttributeTemplate, signature
from numba.extending import infer_getattr, lower_builtin, lower_getattr, make_attribute_wrapper

from ..record import functions as public
from .actives import Actives
from .arrays import ArrayType
from .functions import active_only, arithmetic_of, converted, is_ours, lowering, register, result_type
from .kinds import ACTIVE, CONDITION, ActiveType, DualType, is_real, members
from .rows import site_of_call


def element_type(numba_type: Any) -> types.Type:
    """Type of the elements of a sequence."""
    return numba_type.dtype if isinstance(numba_type, types.List) else numba_type.element


def is_sequence(numba_type: types.Type) -> bool:
    """Whether a type is a list or a one-dimensional array of actives or duals."""
    if isinstance(numba_type, ArrayType):
        return numba_type.ndim == 1
    return isinstance(numba_type, types.List) and is_ours(numba_type.dtype)


# -------------------- max, min: comparisons that decide, as in Python --------------------


def _extremum(args: tuple[types.Type, ...]) -> types.Type | None:
    if len(args) == 1 and isinstance(args[0], types.BaseTuple):
        args = members(args[0])
    if len(args) == 1 and is_sequence(args[0]):
        return element_type(args[0])
    return result_type(args) if len(args) > 1 and any(map(is_ours, args)) else None


def _lower_extremum(name: str, comparison: str) -> None:
    @lower_builtin(f"fastad.{name}", types.VarArg(types.Any))
    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        site = site_of_call(builder, name)
        operands, values = sig.args, args
        if is_sequence(operands[0]):
            helper = signature(sig.return_type, operands[0], types.int64, types.boolean)
            is_max = cgutils.bool_t(name == "max")
            return context.compile_internal(builder, _extremum_of_list, helper, (args[0], site, is_max))
        if isinstance(operands[0], types.BaseTuple):
            operands, values = members(operands[0]), cgutils.unpack_tuple(builder, args[0])
        arithmetic = arithmetic_of(context, builder, sig.return_type)
        best, *others = converted(arithmetic, operands, values)
        for other in others:
            beats = arithmetic.truth(arithmetic.compare_as(comparison, other, best), site)
            best = arithmetic.select(beats, other, best)
        return arithmetic.pack(best)


def _extremum_of_list(numbers: Any, site: int, is_max: bool) -> Any:
    best = numbers[0]
    for i in range(1, len(numbers)):
        if _decide(numbers[i] > best if is_max else numbers[i] < best, site):
            best = numbers[i]
    return best


for _name, _comparison, _function in (("max", "greater", max), ("min", "less", min)):
    register(_function, _name, _extremum)
    _lower_extremum(_name, _comparison)


def _decide(condition: Any, site: int) -> bool:
    """Truth of a condition, with a guard at the given site; in compiled code only."""
    raise NotImplementedError


register(_decide, "decide", lambda args: types.boolean)


@lower_builtin("fastad.decide", types.Any, types.int64)
def _lower_decide(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    if sig.args[0] != CONDITION:
        return args[0]
    arithmetic = Actives(context, builder)
    return arithmetic.truth(arithmetic.condition(sig.args[0], args[0]), args[1])


# -------------------- sorted --------------------


def _sorted(args: tuple[types.Type, ...]) -> types.Type | None:
    items = args[0] if len(args) == 1 else None
    if isinstance(items, types.UniTuple) and is_ours(items.dtype):
        return types.List(items.dtype)
    return types.List(element_type(items)) if items is not None and is_sequence(items) else None


@lower_builtin("fastad.sorted", types.Any)
def _lower_sorted(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    helper = signature(sig.return_type, sig.args[0], types.int64)
    return context.compile_internal(builder, _merge_sort, helper, (args[0], site_of_call(builder)))


def _merge_sort(items: Any, site: int) -> Any:
    """Bottom-up and stable: n log n comparisons, each a guard."""
    source = list(items)
    n = len(source)
    target = source.copy()
    width = 1
    while width < n:
        for low in range(0, n, 2 * width):
            middle, high = min(low + width, n), min(low + 2 * width, n)
            i, j = low, middle
            for k in range(low, high):
                if i < middle and (j >= high or not _decide(source[j] < source[i], site)):
                    target[k] = source[i]
                    i += 1
                else:
                    target[k] = source[j]
                    j += 1
        source, target = target, source
        width *= 2
    return source


register(sorted, "sorted", _sorted)

# -------------------- round, divmod --------------------


def _rounded(args: tuple[types.Type, ...]) -> types.Type | None:
    if not args or not is_ours(args[0]):
        return None
    if len(args) == 2 and not isinstance(args[1], types.IntegerLiteral):
        raise TypingError("round(x, digits) of an active needs digits that are known when the function is compiled")
    return args[0]


@lowering("round")
def _lower_round(arithmetic: Any, operands: tuple[Any, ...], values: Any) -> Any:
    """The rows of ``record.functions._round``."""
    x = arithmetic.convert(operands[0], values[0])
    if len(operands) == 1:
        return arithmetic.apply("rint", x)
    places = operands[1].literal_value
    if places == 0:
        return arithmetic.apply("rint", x)
    if abs(places) > 308:
        whole = arithmetic.apply("stop_gradient", x)
        return whole if places > 0 else arithmetic.apply("mul", whole, arithmetic.constant(0.0))
    power = arithmetic.constant(10.0 ** abs(places))
    if places < 0:
        return arithmetic.apply("mul", arithmetic.apply("rint", arithmetic.apply("div", x, power)), power)
    scaled = arithmetic.apply("mul", x, power)
    has_digits = arithmetic.compare_as("less", arithmetic.apply("abs", scaled), arithmetic.constant(2.0**52))
    rounded = arithmetic.apply("div", arithmetic.apply("rint", scaled), power)
    return arithmetic.where(has_digits, rounded, arithmetic.apply("stop_gradient", x))


register(round, "round", _rounded, literal=True)


def _pair(args: tuple[types.Type, ...]) -> types.Type | None:
    result = result_type(args) if len(args) == 2 and any(map(is_ours, args)) else None
    return None if result is None else types.UniTuple(result, 2)


@lower_builtin("fastad.divmod", types.Any, types.Any)
def _lower_divmod(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    arithmetic = arithmetic_of(context, builder, sig.return_type.dtype)
    x, y = converted(arithmetic, sig.args, args)
    parts = [arithmetic.pack(arithmetic.apply(name, x, y)) for name in ("floordiv", "mod")]
    return context.make_tuple(builder, sig.return_type, parts)


register(divmod, "divmod", _pair)

# -------------------- where, clip --------------------


def _choice(args: tuple[types.Type, ...]) -> types.Type | None:
    if len(args) != 3 or not (args[0] == CONDITION or isinstance(args[0], types.Boolean)):
        return None
    result = result_type(args[1:])
    return ACTIVE if result is not None and args[0] == CONDITION else result


@lowering("where")
def _lower_where(arithmetic: Any, operands: tuple[types.Type, ...], values: Any) -> Any:
    x, y = converted(arithmetic, operands[1:], values[1:])
    return arithmetic.where(arithmetic.condition(operands[0], values[0]), x, y)


register(public.where, "where", _choice)
register(np.where, "where", active_only(_choice))


def _clipped(args: tuple[types.Type, ...]) -> types.Type | None:
    if len(args) != 3:
        return None
    return result_type(tuple(t for t in args if not _is_open(t)))


def _is_open(bound: types.Type) -> bool:
    return isinstance(bound, types.NoneType) or (isinstance(bound, types.Omitted) and bound.value is None)


@lowering("clip")
def _lower_clip(arithmetic: Any, operands: tuple[types.Type, ...], values: Any) -> Any:
    x = arithmetic.convert(operands[0], values[0])
    for name, bound, value in zip(("maximum", "minimum"), operands[1:], values[1:]):
        if not _is_open(bound):
            x = arithmetic.apply(name, x, arithmetic.convert(bound, value))
    return x


register(public.clip, "clip", _clipped)
register(np.clip, "clip", active_only(_clipped))

# -------------------- plain numbers of actives --------------------


@infer_getattr
class _ActiveAttributes(AttributeTemplate):
    key = ActiveType

    def resolve_value(self, active: types.Type) -> types.Type:
        return types.float64

    def resolve_index(self, active: types.Type) -> types.Type:
        return types.int32


make_attribute_wrapper(DualType, "value", "value")
make_attribute_wrapper(DualType, "tangent", "tangent")


@lower_getattr(ActiveType, "value")
def _lower_value(context: Any, builder: ir.IRBuilder, numba_type: types.Type, value: ir.Value) -> ir.Value:
    arithmetic = Actives(context, builder)
    return arithmetic.frozen(arithmetic.convert(numba_type, value), site_of_call(builder))


@lower_getattr(ActiveType, "index")
def _lower_index(context: Any, builder: ir.IRBuilder, numba_type: types.Type, value: ir.Value) -> ir.Value:
    return builder.extract_value(value, 1)


@lower_builtin("fastad.value", types.Any)
def _lower_frozen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    if sig.args[0] == ACTIVE:
        return _lower_value(context, builder, sig.args[0], args[0])
    if isinstance(sig.args[0], DualType):
        arithmetic = arithmetic_of(context, builder, sig.args[0])
        return arithmetic.primal(arithmetic.convert(sig.args[0], args[0]))
    return args[0]


def _frozen(args: tuple[types.Type, ...]) -> types.Type | None:
    if len(args) != 1 or not (is_ours(args[0]) or is_real(args[0])):
        return None
    return types.float64 if is_ours(args[0]) else args[0]


register(public.value, "value", _frozen)
register(operator.pos, "pos", lambda args: args[0] if len(args) == 1 and is_ours(args[0]) else None)


@lower_builtin("fastad.pos", types.Any)
def _lower_pos(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    return args[0]
