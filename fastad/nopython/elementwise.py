"""Operations of the table on arrays in compiled code: element by element in C order, with NumPy's broadcasting."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import lower_builtin, overload, overload_method

from ..ops import OPS, Op
from ..record import array as making
from ..record import functions as public
from .arrays import ArrayType
from .assign import element_of, fill, is_array, passive_array, pick, tape_of
from .functions import IN_PLACE, is_ours, register, result_type
from .kinds import ACTIVE, is_real


def _result_of(operands: tuple[Any, ...], own: bool) -> types.Type | None:
    """Type of the elements of a result; None where the operation is not ours to answer for."""
    if not any(map(is_array, operands)):
        return None
    result = result_type(tuple(map(element_of, operands)))
    return None if result is None or (is_real(result) and not own) else result


# -------------------- results --------------------


def _common_shape(x: Any, y: Any) -> Any:
    """Shape of an operation of an array with an array or a number; in compiled code only."""
    raise NotImplementedError


@overload(_common_shape, strict=False)
def _shape(x: Any, y: Any) -> Any:
    if not is_array(y):
        return lambda x, y: x.shape
    if not is_array(x):
        return lambda x, y: y.shape
    return lambda x, y: _broadcast(x.shape, y.shape)


def _broadcast(a: Any, b: Any) -> Any:
    """``np.broadcast_shapes``, which numba takes two seconds to compile; in compiled code only."""
    raise NotImplementedError


@overload(_broadcast, strict=False)
def _broadcast_shapes(a: Any, b: Any) -> Any:
    if len(a) > len(b):
        return lambda a, b: (a[0], *_broadcast(a[1:], b))
    if len(a) < len(b):
        return lambda a, b: (b[0], *_broadcast(a, b[1:]))
    if len(a) == 0:
        return lambda a, b: ()

    def broadcast(a: Any, b: Any) -> Any:
        if a[0] != b[0] and a[0] != 1 and b[0] != 1:
            raise ValueError("arrays could not be broadcast together: their shapes differ")
        return (b[0] if a[0] == 1 else a[0], *_broadcast(a[1:], b[1:]))

    return broadcast


def _fresh(shape: Any, x: Any, y: Any) -> Any:
    """Array for the results of an operation; in compiled code only."""
    raise NotImplementedError


@overload(_fresh, strict=False)
def _fresh_array(shape: Any, x: Any, y: Any) -> Any:
    result = result_type((element_of(x), element_of(y)))
    if result == ACTIVE:
        return lambda shape, x, y: passive_array(shape, tape_of(x) or tape_of(y))
    if element_of(x) == result:
        return lambda shape, x, y: making.zeros(shape, x)
    return lambda shape, x, y: making.zeros(shape, y)


def _register_unary(function: Callable[..., Any], own: bool) -> None:
    @overload(function, strict=False)
    def unary(x: Any) -> Any:
        if _result_of((x,), own) is None:
            return None

        def apply(x: Any) -> Any:
            result = _fresh(x.shape, x, x)
            for at in np.ndindex(x.shape):
                result[at] = function(x[at])
            return result

        return apply


def _register_binary(function: Callable[..., Any], own: bool) -> None:
    @overload(function, strict=False)
    def binary(x: Any, y: Any) -> Any:
        if _result_of((x, y), own) is None:
            return None

        def apply(x: Any, y: Any) -> Any:
            shape = _common_shape(x, y)
            result = _fresh(shape, x, y)
            for at in np.ndindex(shape):
                result[at] = function(pick(x, at), pick(y, at))
            return result

        return apply


def _register_in_place(in_place: Callable[..., Any], function: Callable[..., Any]) -> None:
    @overload(in_place, strict=False)
    def assign(x: Any, y: Any) -> Any:
        if _result_of((x, y), False) is None or not isinstance(x, ArrayType):
            return None

        def apply(x: Any, y: Any) -> Any:
            fill(x, function(x, y))
            return x

        return apply

    register(in_place, "into_floats", _into_floats)


def _into_floats(args: tuple[types.Type, ...]) -> types.Type | None:
    into_floats = len(args) == 2 and isinstance(args[0], types.Array) and is_ours(element_of(args[1]))
    return args[0] if into_floats else None


@lower_builtin("fastad.into_floats", types.Any, types.Any)
def _refuse(context: Any, builder: Any, sig: Any, args: Any) -> None:
    # Not in the typing rule: numba would go on to its own, which fails with an AttributeError.
    raise TypingError(
        "a float array cannot hold actives or duals; write a = a + b, or make a with fad.zeros(shape, like=b)"
    )


def _register_comparison(function: Callable[..., Any]) -> None:
    @overload(function, strict=False)
    def compare(x: Any, y: Any) -> None:
        if any(isinstance(operand, ArrayType) for operand in (x, y)):
            raise TypingError("in a jitted function arrays of actives are not compared; compare elements in a loop")


def _register(op: Op) -> None:
    elementwise = _register_binary if op.arity == 2 else _register_unary
    elementwise(public.FUNCTIONS[op.name], True)
    ufunc = getattr(np, op.ufunc or "", None)
    if ufunc is not None:
        elementwise(ufunc, False)
    if op.dunder:
        function = getattr(operator, op.dunder)
        elementwise(function, False)
        if op.dunder in IN_PLACE:
            _register_in_place(getattr(operator, f"__i{op.dunder.strip('_')}__"), function)


for _op in OPS:
    if _op.kind == "smooth":
        _register(_op)
    elif _op.dunder and _op.arity == 2:
        _register_comparison(getattr(operator, _op.dunder))
_register_unary(abs, True)  # which numba has for numbers only
_register_unary(operator.pos, False)

# -------------------- sums --------------------


def _refuse_axis(axis: Any) -> None:
    if not isinstance(axis, types.NoneType | types.Omitted) and axis is not None:
        raise TypingError("in a jitted function active arrays are summed as a whole: loop, with sums of slices x[i]")


@overload_method(ArrayType, "sum")
def _sum(array: Any, axis: Any = None) -> Any:
    _refuse_axis(axis)

    def total(array: Any, axis: Any = None) -> Any:
        result = 0.0
        is_first = True
        for at in np.ndindex(array.shape):
            result = array[at] if is_first else result + array[at]
            is_first = False
        return result

    return total


@overload_method(ArrayType, "mean")
def _mean(array: Any, axis: Any = None) -> Any:
    _refuse_axis(axis)

    def mean(array: Any, axis: Any = None) -> Any:
        return array.sum() / array.size

    return mean


@overload(np.sum, strict=False)
def _np_sum(a: Any, axis: Any = None) -> Any:
    return (lambda a, axis=None: a.sum(axis)) if isinstance(a, ArrayType) else None


@overload(np.mean, strict=False)
def _np_mean(a: Any, axis: Any = None) -> Any:
    return (lambda a, axis=None: a.mean(axis)) if isinstance(a, ArrayType) else None
