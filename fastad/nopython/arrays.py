"""Arrays of actives and of duals in compiled code: in and out, elements, slices, length, iteration.

The parts of an array (values and rows, or values and tangents) are arrays of numba, so views are those of NumPy.
"""

from __future__ import annotations

import operator
from typing import Any, Literal

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import RefType, impl_ret_borrowed, iternext_impl
from numba.core.typeconv import Conversion
from numba.core.typing.templates import signature
from numba.extending import (
    NativeValue,
    box,
    intrinsic,
    lower_builtin,
    lower_cast,
    make_attribute_wrapper,
    models,
    overload,
    overload_attribute,
    register_model,
    typeof_impl,
    unbox,
)

from ..record.array import ActiveArray
from ..record.dual import DualArray
from .boxing import Attributes, owner
from .kinds import ACTIVE, DualType, fields_of, make, members
from .version import STAMP

Layout = Literal["C", "A"]


class ArrayIterator(types.SimpleIteratorType):
    """Walks over the elements of an array of one axis, or over the rows of one with more."""

    def __init__(self, array: ArrayType) -> None:
        self.array = array
        super().__init__(f"iterator({array.name})", array.item)


class ArrayType(types.IterableType):
    """What the two kinds of arrays share."""

    mutable = True  # else numba takes a += b for a = a + b, and views of a stay behind

    def __init__(self, name: str, ndim: int, layout: Layout, element: Any) -> None:
        self.ndim = ndim
        self.layout = layout
        self.element = element
        super().__init__(name)

    @property
    def iterator_type(self) -> ArrayIterator:
        """Type of an iterator over the elements or rows."""
        return ArrayIterator(self)

    @property
    def item(self) -> types.Type:
        """Type of ``array[0]``."""
        return self.element if self.ndim == 1 else self.like(self.ndim - 1, self.layout)

    @property
    def parts(self) -> tuple[types.Array, types.Array]:
        """Types of the arrays that it is made of."""
        raise NotImplementedError

    def like(self, ndim: int, layout: Layout) -> ArrayType:
        """Return the type of an array with another shape."""
        raise NotImplementedError

    def can_convert_to(self, typingctx: Any, other: types.Type) -> Any:
        """A contiguous array is also one that may have strides."""
        return Conversion.safe if other == self.like(self.ndim, "A") else None

    def unify(self, typingctx: Any, other: types.Type) -> Any:
        """A variable that is contiguous here and a view there may have strides.

        Of floats: what is made of a variable that numba takes for a float until it has seen the loop.
        """
        general = self.like(self.ndim, "A")
        if isinstance(other, types.Array):
            return general if other.ndim == self.ndim and other.dtype == types.float64 else None
        return general if isinstance(other, ArrayType) and other.like(other.ndim, "A") == general else None


class DualArrayType(ArrayType):
    """As ``record.dual.DualArray``: an array of values, and one of tangents with one more axis."""

    def __init__(self, dual: DualType, ndim: int, layout: Layout) -> None:
        super().__init__(f"fastad.DualArray({dual}, {ndim}, {layout})", ndim, layout, dual)

    def like(self, ndim: int, layout: Layout) -> DualArrayType:
        """Return the type of an array with another shape."""
        return DualArrayType(self.element, ndim, layout)

    @property
    def parts(self) -> tuple[types.Array, types.Array]:
        """Types of the arrays of values and of tangents."""
        return types.Array(types.float64, self.ndim, self.layout), types.Array(
            types.float64, self.ndim + 1, self.layout
        )


class ActiveArrayType(ArrayType):
    """As ``record.array.ActiveArray``: an array of values, one of rows, and the tape."""

    def __init__(self, ndim: int, layout: Layout) -> None:
        super().__init__(f"fastad.ActiveArray.{STAMP}({ndim}, {layout})", ndim, layout, ACTIVE)

    def like(self, ndim: int, layout: Layout) -> ActiveArrayType:
        """Return the type of an array with another shape."""
        return ActiveArrayType(ndim, layout)

    @property
    def parts(self) -> tuple[types.Array, types.Array]:
        """Types of the arrays of values and of rows."""
        return types.Array(types.float64, self.ndim, self.layout), types.Array(types.int32, self.ndim, self.layout)


@register_model(ActiveArrayType)
class _ActiveArrayModel(models.StructModel):
    def __init__(self, manager: Any, numba_type: ActiveArrayType) -> None:
        values, rows = numba_type.parts
        super().__init__(manager, numba_type, [("values", values), ("rows", rows), ("tape", types.int64)])


@register_model(DualArrayType)
class _DualArrayModel(models.StructModel):
    def __init__(self, manager: Any, numba_type: DualArrayType) -> None:
        values, tangents = numba_type.parts
        super().__init__(manager, numba_type, [("values", values), ("tangents", tangents)])


@lower_cast(ActiveArrayType, ActiveArrayType)
@lower_cast(DualArrayType, DualArrayType)
def _same_struct(context: Any, builder: ir.IRBuilder, source: Any, target: Any, value: ir.Value) -> ir.Value:
    return value  # only the type says whether it is contiguous


@lower_cast(types.Array, ArrayType)
def _refuse_floats(context: Any, builder: ir.IRBuilder, source: Any, target: Any, value: ir.Value) -> None:
    raise TypingError(
        f"a variable is {source} here and {target} there; start it with fad.zeros(shape, like=x), x being an active"
    )


for _name in ("values", "rows", "tape"):
    make_attribute_wrapper(ActiveArrayType, _name, f"_{_name}")
for _name in ("values", "tangents"):
    make_attribute_wrapper(DualArrayType, _name, f"_{_name}")


@register_model(ArrayIterator)
class _IteratorModel(models.StructModel):
    def __init__(self, manager: Any, numba_type: ArrayIterator) -> None:
        members = [("position", types.EphemeralPointer(types.intp)), ("array", numba_type.array)]
        super().__init__(manager, numba_type, members)


# -------------------- in and out --------------------


@typeof_impl.register(ActiveArray)
def _type_of_array(value: ActiveArray, c: Any) -> types.Type:
    contiguous = value._value.flags.c_contiguous and value._index.flags.c_contiguous
    return ActiveArrayType(value.ndim, "C" if contiguous else "A")


@typeof_impl.register(DualArray)
def _type_of_dual_array(value: DualArray, c: Any) -> types.Type:
    contiguous = value.value.flags.c_contiguous and value.tangent.flags.c_contiguous
    dual = DualType(value.level, value.tangent.shape[-1], types.float64)
    return DualArrayType(dual, value.ndim, "C" if contiguous else "A")


@unbox(DualArrayType)
def _unbox_dual_array(numba_type: DualArrayType, source: ir.Value, c: Any) -> NativeValue:
    struct = cgutils.create_struct_proxy(numba_type)(c.context, c.builder)
    attributes = Attributes(c, source)
    values, tangents = numba_type.parts
    struct.values = attributes.read("value", values)
    struct.tangents = attributes.read("tangent", tangents)
    return NativeValue(struct._getvalue(), is_error=attributes.is_error)


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
    """An ActiveArray, or a plain array where no element can depend on anything."""
    struct = fields_of(c.context, c.builder, numba_type, value)
    values, rows = (c.box(t, part) for t, part in zip(numba_type.parts, (struct.values, struct.rows), strict=True))
    result = cgutils.alloca_once_value(c.builder, values)
    on_tape = c.builder.icmp_unsigned("!=", struct.tape, ir.Constant(struct.tape.type, 0))
    with c.builder.if_then(on_tape):
        made = c.pyapi.call_method(owner(c, struct.tape), "_active_array", (values, rows))
        c.builder.store(made, result)
        c.pyapi.decref(values)
    c.pyapi.decref(rows)
    return c.builder.load(result)


@box(DualArrayType)
def _box_dual_array(numba_type: DualArrayType, value: ir.Value, c: Any) -> ir.Value:
    struct = fields_of(c.context, c.builder, numba_type, value)
    parts = [c.box(t, part) for t, part in zip(numba_type.parts, (struct.values, struct.tangents), strict=True)]
    parts.append(c.pyapi.long_from_ssize_t(c.context.get_constant(types.intp, numba_type.element.level)))
    made = c.pyapi.unserialize(c.pyapi.serialize_object(DualArray))
    result = c.pyapi.call_function_objargs(made, parts)
    for used in (made, *parts):
        c.pyapi.decref(used)
    return result


# -------------------- elements --------------------


@intrinsic
def element(typingctx: Any, value: Any, row: Any, tape: Any) -> Any:
    """One element as an active, passive where its row is -1."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return make(context, builder, ACTIVE, value=args[0], row=args[1], tape=args[2])

    return signature(ACTIVE, types.float64, types.int32, types.int64), codegen


@intrinsic
def array_of(typingctx: Any, values: Any, rows: Any, tape: Any) -> Any:
    """An array of actives of its parts."""
    result = ActiveArrayType(values.ndim, values.layout if values.layout == rows.layout == "C" else "A")

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        value = make(context, builder, result, values=args[0], rows=args[1], tape=args[2])
        return impl_ret_borrowed(context, builder, result, value)

    return signature(result, *result.parts, types.int64), codegen


@intrinsic
def dual_element(typingctx: Any, array: Any, value: Any, tangents: Any) -> Any:
    """One element of an array of duals: its value, and its tangents side by side."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        struct = context.make_array(tangents)(context, builder, args[2])
        step = builder.extract_value(struct.strides, 0)
        parts = []
        for i in range(array.element.k):
            at = builder.mul(step, ir.Constant(step.type, i))
            parts.append(builder.load(cgutils.pointer_add(builder, struct.data, at)))
        packed = context.make_tuple(builder, types.UniTuple(types.float64, array.element.k), parts)
        return make(context, builder, array.element, value=args[1], tangent=packed)

    return signature(array.element, array, types.float64, tangents), codegen


@intrinsic
def dual_array_of(typingctx: Any, like: Any, values: Any, tangents: Any) -> Any:
    """An array of its parts, of duals like one or like those of an array."""
    dual = like if isinstance(like, DualType) else like.element
    result = DualArrayType(dual, values.ndim, values.layout if values.layout == tangents.layout == "C" else "A")

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        value = make(context, builder, result, values=args[1], tangents=args[2])
        return impl_ret_borrowed(context, builder, result, value)

    return signature(result, like, *result.parts), codegen


@overload(operator.getitem)
def _get_item(array: Any, key: Any) -> Any:
    if not isinstance(array, ArrayType):
        return None
    return _GETTERS[type(array), is_element(array, key)]


def is_element(array: ArrayType, key: types.Type) -> bool:
    """Whether a key picks one element; raise TypingError for what is no key here."""
    keys = members(key) if isinstance(key, types.BaseTuple) else (key,)
    if not all(isinstance(k, types.Integer | types.SliceType) for k in keys):
        raise TypingError(
            "in a jitted function an active array is indexed by integers and slices; loop over the elements of a mask "
            "or a list of positions, and choose between numbers with fad.where"
        )
    if len(keys) > array.ndim:
        raise TypingError(f"{len(keys)} indices for an array of {array.ndim} axes")
    return len(keys) == array.ndim and all(isinstance(k, types.Integer) for k in keys)


def check_bounds(key: Any, shape: Any) -> None:
    """Raise IndexError for an index beyond the array: numba reads past the end, and what stands there becomes a row."""


@overload(check_bounds)
def _check_of(key: Any, shape: Any) -> Any:
    if isinstance(key, types.Integer):

        def check(key: Any, shape: Any) -> None:
            if not -shape[0] <= key < shape[0]:
                raise IndexError("index out of bounds of an array of actives or duals")

    elif isinstance(key, types.BaseTuple) and len(key) > 0:

        def check(key: Any, shape: Any) -> None:
            check_bounds(key[0], shape)
            check_bounds(key[1:], shape[1:])

    else:  # a slice, which NumPy's rules keep inside; the end of a tuple

        def check(key: Any, shape: Any) -> None:
            pass

    return check


def _active_item(array: Any, key: Any) -> Any:
    check_bounds(key, array._values.shape)
    return element(array._values[key], array._rows[key], array._tape)  # type: ignore[call-arg]


def _active_part(array: Any, key: Any) -> Any:
    check_bounds(key, array._values.shape)
    return array_of(array._values[key], array._rows[key], array._tape)  # type: ignore[call-arg]


def _dual_item(array: Any, key: Any) -> Any:
    check_bounds(key, array._values.shape)
    return dual_element(array, array._values[key], array._tangents[key])  # type: ignore[call-arg]


def _dual_part(array: Any, key: Any) -> Any:
    check_bounds(key, array._values.shape)
    return dual_array_of(array, array._values[key], array._tangents[key])  # type: ignore[call-arg]


_GETTERS = {
    (ActiveArrayType, True): _active_item,
    (ActiveArrayType, False): _active_part,
    (DualArrayType, True): _dual_item,
    (DualArrayType, False): _dual_part,
}


@overload(len)
def _length(array: Any) -> Any:
    if not isinstance(array, ArrayType):
        return None

    def length(array: Any) -> Any:
        return len(array._values)

    return length


@overload(sum)
def _total(array: Any, start: Any = 0) -> Any:
    if not isinstance(array, ArrayType):
        return None

    def total(array: Any, start: Any = 0) -> Any:
        result = start
        for item in array:
            result = result + item
        return result

    return total


@overload_attribute(ArrayType, "shape")
def _shape(array: Any) -> Any:
    def shape(array: Any) -> Any:
        return array._values.shape

    return shape


@overload_attribute(ArrayType, "size")
def _size(array: Any) -> Any:
    def size(array: Any) -> Any:
        return array._values.size

    return size


@overload_attribute(ArrayType, "ndim")
def _ndim(array: Any) -> Any:
    def ndim(array: Any) -> Any:
        return array._values.ndim

    return ndim


@lower_builtin("getiter", ArrayType)
def _iterator(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    position = cgutils.alloca_once_value(builder, context.get_constant(types.intp, 0))
    value = make(context, builder, sig.return_type, position=position, array=args[0])
    return impl_ret_borrowed(context, builder, sig.return_type, value)


@lower_builtin("iternext", ArrayIterator)
@iternext_impl(RefType.NEW)
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
        item = signature(array_type.item, array_type, types.intp)
        result.yield_(context.compile_internal(builder, lambda array, i: array[i], item, (iterator.array, at)))
        builder.store(builder.add(at, at.type(1)), iterator.position)
