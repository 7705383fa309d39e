"""Arrays of actives in compiled code, read only: elements, slices, length, iteration."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_borrowed, iternext_impl, RefType
from numba.core.typing.templates import signature
from numba.extending import (
    NativeValue,
    box,
    intrinsic,
    lower_builtin,
    make_attribute_wrapper,
    models,
    overload,
    overload_attribute,
    register_model,
    typeof_impl,
    unbox,
)

from ..record.array import ActiveArray
from .boxing import Attributes, owner
from .kinds import ACTIVE, STAMP, fields_of, make


class ActiveArrayIterator(types.SimpleIteratorType):
    """Walks over the elements of a one-dimensional array."""

    def __init__(self, array: ActiveArrayType) -> None:
        self.array = array
        super().__init__(f"iterator({array.name})", ACTIVE)


class ActiveArrayType(types.IterableType):
    """As ``record.array.ActiveArray``: an array of values, one of rows, and the tape."""

    def __init__(self, ndim: int, layout: str) -> None:
        self.ndim = ndim
        self.layout = layout
        super().__init__(f"fastad.ActiveArray.{STAMP}({ndim}, {layout})")

    @property
    def iterator_type(self) -> ActiveArrayIterator:
        """Type of an iterator over the elements."""
        if self.ndim != 1:
            raise TypingError("in a jitted function only active arrays of one axis can be iterated; index with z[i, j]")
        return ActiveArrayIterator(self)

    @property
    def parts(self) -> tuple[types.Array, types.Array]:
        """Types of the arrays of values and of rows."""
        return types.Array(types.float64, self.ndim, self.layout), types.Array(types.int32, self.ndim, self.layout)


@register_model(ActiveArrayType)
class _ActiveArrayModel(models.StructModel):
    def __init__(self, manager: Any, numba_type: ActiveArrayType) -> None:
        values, rows = numba_type.parts
        super().__init__(manager, numba_type, [("values", values), ("rows", rows), ("tape", types.int64)])


for _name in ("values", "rows", "tape"):
    make_attribute_wrapper(ActiveArrayType, _name, f"_{_name}")


@register_model(ActiveArrayIterator)
class _IteratorModel(models.StructModel):
    def __init__(self, manager: Any, numba_type: ActiveArrayIterator) -> None:
        members = [("position", types.EphemeralPointer(types.intp)), ("array", numba_type.array)]
        super().__init__(manager, numba_type, members)


# -------------------- in and out --------------------


@typeof_impl.register(ActiveArray)
def _type_of_array(value: ActiveArray, c: Any) -> types.Type:
    contiguous = value._value.flags.c_contiguous and value._index.flags.c_contiguous
    return ActiveArrayType(value.ndim, "C" if contiguous else "A")


@unbox(ActiveArrayType)
def _unbox_array(numba_type: ActiveArrayType, source: ir.Value, c: Any) -> NativeValue:
    struct = cgutils.create_struct_proxy(numba_type)(c.context, c.builder)
    attributes = Attributes(c, source)
    values, rows = numba_type.parts
    struct.values = attributes.read("_value", values)
    struct.rows = attributes.read("_index", rows)
    struct.tape = attributes.lent_tape("_last_row")
    return NativeValue(struct._getvalue(), is_error=attributes.is_error)


@box(ActiveArrayType)
def _box_array(numba_type: ActiveArrayType, value: ir.Value, c: Any) -> ir.Value:
    struct = fields_of(c.context, c.builder, numba_type, value)
    parts = [c.box(t, part) for t, part in zip(numba_type.parts, (struct.values, struct.rows), strict=True)]
    result = c.pyapi.call_method(owner(c, struct.tape), "_active_array", parts)
    for part in parts:
        c.pyapi.decref(part)
    return result


# -------------------- elements --------------------


@intrinsic
def _element(typingctx: Any, value: Any, row: Any, tape: Any) -> Any:
    """One element as an active, passive where its row is -1."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return make(context, builder, ACTIVE, value=args[0], row=args[1], tape=args[2])

    return signature(ACTIVE, types.float64, types.int32, types.int64), codegen


@intrinsic
def _array(typingctx: Any, values: Any, rows: Any, tape: Any) -> Any:
    """An array of actives of its parts."""
    result = ActiveArrayType(values.ndim, values.layout if values.layout == rows.layout == "C" else "A")

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        value = make(context, builder, result, values=args[0], rows=args[1], tape=args[2])
        return impl_ret_borrowed(context, builder, result, value)

    return signature(result, *result.parts, types.int64), codegen


@overload(operator.getitem)
def _get_item(array: Any, key: Any) -> Any:
    if not isinstance(array, ActiveArrayType):
        return None
    keys = tuple(key) if isinstance(key, types.BaseTuple) else (key,)
    if not all(isinstance(k, types.Integer | types.SliceType) for k in keys):
        raise TypingError("in a jitted function an active array is indexed by integers and slices")
    if len(keys) == array.ndim and all(isinstance(k, types.Integer) for k in keys):

        def item(array: Any, key: Any) -> Any:
            return _element(array._values[key], array._rows[key], array._tape)  # type: ignore[call-arg]

        return item

    def part(array: Any, key: Any) -> Any:
        return _array(array._values[key], array._rows[key], array._tape)  # type: ignore[call-arg]

    return part


@overload(operator.setitem)
def _set_item(array: Any, key: Any, value: Any) -> None:
    if isinstance(array, ActiveArrayType):
        raise TypingError("in a jitted function active arrays are read only; collect results in a list or a tuple")


@overload(len)
def _length(array: Any) -> Any:
    if not isinstance(array, ActiveArrayType):
        return None

    def length(array: Any) -> Any:
        return len(array._values)

    return length


@overload(sum)
def _total(array: Any, start: Any = 0) -> Any:
    if not isinstance(array, ActiveArrayType):
        return None

    def total(array: Any, start: Any = 0) -> Any:
        result = start
        for item in array:
            result = result + item
        return result

    return total


@overload_attribute(ActiveArrayType, "shape")
def _shape(array: Any) -> Any:
    def shape(array: Any) -> Any:
        return array._values.shape

    return shape


@overload_attribute(ActiveArrayType, "size")
def _size(array: Any) -> Any:
    def size(array: Any) -> Any:
        return array._values.size

    return size


@overload_attribute(ActiveArrayType, "ndim")
def _ndim(array: Any) -> Any:
    def ndim(array: Any) -> Any:
        return array._values.ndim

    return ndim


@lower_builtin("getiter", ActiveArrayType)
def _iterator(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    position = cgutils.alloca_once_value(builder, context.get_constant(types.intp, 0))
    value = make(context, builder, sig.return_type, position=position, array=args[0])
    return impl_ret_borrowed(context, builder, sig.return_type, value)


@lower_builtin("iternext", ActiveArrayIterator)
@iternext_impl(RefType.UNTRACKED)
def _next(context: Any, builder: ir.IRBuilder, sig: Any, args: Any, result: Any) -> None:
    iterator = fields_of(context, builder, sig.args[0], args[0])
    array_type = sig.args[0].array
    array = fields_of(context, builder, array_type, iterator.array)
    at = builder.load(iterator.position)
    values = context.make_array(array_type.parts[0])(context, builder, array.values)
    count = builder.extract_value(values.shape, 0)
    valid = builder.icmp_signed("<", at, count)
    result.set_valid(valid)
    with builder.if_then(valid):
        item = signature(ACTIVE, array_type, types.intp)
        result.yield_(context.compile_internal(builder, lambda array, i: array[i], item, (iterator.array, at)))
        builder.store(builder.add(at, at.type(1)), iterator.position)
