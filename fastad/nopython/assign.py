"""Arrays of actives and duals made and written to in compiled code: ``zeros``, ``array``, ``copy``, ``a[...] = b``."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError
from numba.core.typing.templates import signature
from numba.extending import intrinsic, overload, overload_method

from ..errors import TapeError
from ..record import array as public
from .actives import Actives
from .arrays import ActiveArrayType, ArrayType, DualArrayType, array_of, check_bounds, dual_array_of, is_element
from .functions import is_ours
from .kinds import ACTIVE, DualType, common_dual, is_real

_ROW = np.int32


def element_of(operand: Any) -> types.Type:
    """Type of a number, or of the elements of an array."""
    if isinstance(operand, ArrayType):
        return operand.element
    return operand.dtype if isinstance(operand, types.Array) else types.unliteral(operand)


def is_array(operand: Any) -> bool:
    """Whether a type is an array, of fastad or of numba."""
    return isinstance(operand, ArrayType | types.Array)


# -------------------- numbers taken apart --------------------


@intrinsic
def _parts_of(typingctx: Any, number: Any) -> Any:
    """Value, row (-1 where passive) and tape (0 where none) of an active or a real number."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        parts = Actives(context, builder).convert(sig.args[0], args[0])
        return context.make_tuple(builder, sig.return_type, list(parts))

    return types.Tuple((types.float64, types.int32, types.int64))(number), codegen


@intrinsic
def _as_element(typingctx: Any, array: Any, number: Any) -> Any:
    """A number as an element of an array of duals."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return context.cast(builder, args[1], sig.args[1], sig.return_type)

    return signature(array.element, array, number), codegen


def tape_of(x: Any) -> int:
    """Address of the tape of a number or an array, 0 where it is on none; in compiled code only."""
    raise NotImplementedError


@overload(tape_of, strict=False)
def _tape_of(x: Any) -> Any:
    if isinstance(x, ActiveArrayType):
        return lambda x: x._tape
    if x != ACTIVE:
        return lambda x: 0

    def tape(x: Any) -> Any:
        parts: Any = _parts_of(x)  # type: ignore[call-arg]
        return parts[2] if parts[1] >= 0 else 0

    return tape


# -------------------- making --------------------


def passive_array(shape: Any, tape: int) -> Any:
    """Zeros on a tape; in compiled code only."""
    raise NotImplementedError


@overload(passive_array, strict=False)
def _passive_array(shape: Any, tape: Any) -> Any:
    return lambda shape, tape: array_of(np.zeros(shape), np.full(shape, -1, _ROW), tape)  # type: ignore[call-arg]


@overload(public.zeros, strict=False)
def _zeros(shape: Any, like: Any = None) -> Any:
    if like is None or isinstance(like, types.NoneType | types.Omitted) or is_real(element_of(like)):
        return lambda shape, like=None: np.zeros(shape)
    kind = element_of(like)
    if kind == ACTIVE:
        return lambda shape, like=None: passive_array(shape, tape_of(like))
    if not isinstance(kind, DualType):
        raise TypingError(f"fad.zeros(shape, like=x): x is a number or an array, not {like}; take a number in it")
    if kind.inner != types.float64:
        raise TypingError("arrays of nested duals are not available in a jitted function; use a list or a tuple")
    k = kind.k

    def dual_zeros(shape: Any, like: Any = None) -> Any:
        values = np.zeros(shape)
        return dual_array_of(like, values, np.zeros((*values.shape, k)))  # type: ignore[call-arg]

    return dual_zeros


@overload(public.array, strict=False)
def _array(x: Any) -> Any:
    if isinstance(x, ArrayType | types.Array):
        return lambda x: x.copy()
    items = x.dtype if isinstance(x, types.List | types.UniTuple) else None
    if items is None or not (is_ours(items) or is_real(items)):
        raise TypingError(
            f"fad.array in a jitted function takes a list or a tuple of numbers of one type, not {x}; fill a "
            "fad.zeros(shape, like=x)"
        )

    def array(x: Any) -> Any:
        like = x[0]
        for item in x:
            if tape_of(item) != 0:
                like = item
        result = public.zeros(len(x), like)
        for i in range(len(x)):
            result[i] = x[i]
        return result

    return array


@overload_method(ActiveArrayType, "copy")
def _copy_of_actives(array: Any) -> Any:
    def copy(array: Any) -> Any:
        return array_of(array._values.copy(), array._rows.copy(), array._tape)  # type: ignore[call-arg]

    return copy


@overload_method(DualArrayType, "copy")
def _copy_of_duals(array: Any) -> Any:
    def copy(array: Any) -> Any:
        return dual_array_of(array, array._values.copy(), array._tangents.copy())  # type: ignore[call-arg]

    return copy


# -------------------- broadcasting --------------------


def pick(x: Any, at: Any) -> Any:
    """Element of an array, broadcast to more axes, at a position; a number itself. In compiled code only."""
    raise NotImplementedError


@overload(pick, strict=False)
def _pick(x: Any, at: Any) -> Any:
    if not is_array(x):
        return lambda x, at: x
    missing = len(at) - x.ndim
    return lambda x, at: x[_aligned(at[missing:], x.shape)]


def _aligned(at: Any, shape: Any) -> Any:
    """The position with 0 along axes of length 1; in compiled code only."""
    raise NotImplementedError


@overload(_aligned, strict=False)
def _aligned_position(at: Any, shape: Any) -> Any:
    if len(shape) == 0:
        return lambda at, shape: ()
    return lambda at, shape: (at[0] if shape[0] != 1 else 0, *_aligned(at[1:], shape[1:]))


def _fits(shape: Any, target: Any) -> bool:
    """Whether an array of a shape can be broadcast to another of as many axes; in compiled code only."""
    raise NotImplementedError


@overload(_fits, strict=False)
def _fits_shape(shape: Any, target: Any) -> Any:
    if len(shape) == 0:
        return lambda shape, target: True
    return lambda shape, target: (shape[0] == target[0] or shape[0] == 1) and _fits(shape[1:], target[1:])


# -------------------- a[key] = x --------------------


@overload(operator.setitem, strict=False)
def _set_item(array: Any, key: Any, item: Any) -> Any:
    if not isinstance(array, ArrayType):
        if isinstance(array, types.Array) and is_ours(element_of(item)):
            raise TypingError(
                "a float array cannot hold an active or a dual; make it with fad.zeros(shape, like=x), where x is one"
            )
        return None
    _require_element(array, item)
    if not is_element(array, key):
        return _set_part
    if is_array(item):
        raise TypingError("an array assigned to one element; index with slices to assign a part")
    return _set_active if isinstance(array, ActiveArrayType) else _set_dual


def _require_element(array: ArrayType, item: types.Type) -> None:
    """Raise TypingError for an item whose elements do not go into the array."""
    element, own = element_of(item), array.element
    if is_real(element) or element == own or (own != ACTIVE and common_dual((element, own)) == own):
        return
    raise TypingError(
        f"{item} assigned into an array of {own}: assign numbers, or arrays of them; a list or a tuple becomes one "
        "by fad.array"
    )


def _set_active(array: Any, key: Any, item: Any) -> None:
    check_bounds(key, array._values.shape)
    parts: Any = _parts_of(item)  # type: ignore[call-arg]
    value, row, tape = parts
    if row >= 0 and tape != array._tape:
        if array._tape == 0:
            raise TapeError("an active assigned into an array on no tape: what fad.zeros(like=) was given is passive")
        raise TapeError("an active assigned into an array of another tape; use one tape, or fad.value(x) to freeze")
    array._values[key] = value
    array._rows[key] = row


def _set_dual(array: Any, key: Any, item: Any) -> None:
    check_bounds(key, array._values.shape)
    dual: Any = _as_element(array, item)  # type: ignore[call-arg]
    tangents = array._tangents[key]
    array._values[key] = dual.value
    for i in range(tangents.size):
        tangents[i] = dual.tangent[i]


def _set_part(array: Any, key: Any, item: Any) -> None:
    fill(array[key], item)


def fill(array: Any, item: Any) -> None:
    """``array[...] = item``; in compiled code only."""
    raise NotImplementedError


@overload(fill, strict=False)
def _fill(array: Any, item: Any) -> Any:
    if not is_array(item):

        def fill_with_number(array: Any, item: Any) -> None:
            for at in np.ndindex(array.shape):
                array[at] = item

        return fill_with_number
    if item.ndim > array.ndim:
        raise TypingError(f"an array of {item.ndim} axes assigned into a part of {array.ndim}")
    first = array.ndim - item.ndim

    def fill_with_array(array: Any, item: Any) -> None:
        if not _fits(item.shape, array.shape[first:]):
            raise ValueError("could not broadcast an array into a part of another shape")
        source = item.copy()  # it may be the same memory
        for at in np.ndindex(array.shape):
            array[at] = pick(source, at)

    return fill_with_array
