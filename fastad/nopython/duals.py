"""Arithmetic of duals in compiled code: rules of the table on the values, and their partials times the tangents."""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import NativeValue, box, lower_cast, typeof_impl, unbox

from ..ops import BY_NAME
from ..record.dual import Dual
from .boxing import Attributes
from .kinds import DualType, fields_of
from .rules import Floats, evaluate


class Number(NamedTuple):
    """A dual taken apart, in operands of the inner arithmetic; a constant has no tangents."""

    value: Any
    tangents: list[Any] | None = None


def arithmetic_of_inner(context: Any, builder: ir.IRBuilder, numba_type: types.Type) -> Any:
    """Return the arithmetic of a float or of a dual."""
    return Duals(context, builder, numba_type) if isinstance(numba_type, DualType) else Floats(context, builder)


class Duals:
    """Arithmetic of duals of one type, mixed with duals of lower levels and real numbers, which are constant."""

    def __init__(self, context: Any, builder: ir.IRBuilder, numba_type: DualType) -> None:
        self.context = context
        self.builder = builder
        self.type = numba_type
        self._inner = arithmetic_of_inner(context, builder, numba_type.inner)

    def constant(self, number: float) -> Number:
        """Return a number as a constant."""
        return Number(self._inner.constant(number))

    def convert(self, numba_type: types.Type, value: ir.Value) -> Number:
        """Return a number of any type as an operand."""
        if not (isinstance(numba_type, DualType) and numba_type.level == self.type.level):
            return Number(self._inner.convert(numba_type, value))
        inner = numba_type.inner
        tangents = [self.builder.extract_value(value, (1, i)) for i in range(numba_type.k)]
        parts = [self._inner.convert(inner, part) for part in (self.builder.extract_value(value, 0), *tangents)]
        return Number(parts[0], parts[1:])

    def pack(self, number: Number) -> ir.Value:
        """Return an operand as a struct."""
        struct = ir.Constant(self.context.get_value_type(self.type), ir.Undefined)
        struct = self.builder.insert_value(struct, self._inner.pack(number.value), 0)
        for i, tangent in enumerate(self._tangents(number)):
            struct = self.builder.insert_value(struct, self._inner.pack(tangent), (1, i))
        return struct

    def _tangents(self, number: Number) -> list[Any]:
        return number.tangents or [self._inner.constant(0.0)] * self.type.k

    # -------------------- operations --------------------

    def apply(self, name: str, *operands: Number) -> Number:
        """Value and tangents of an operation of the table."""
        value = self._inner.apply(name, *(operand.value for operand in operands))
        names = dict(zip("xy", (operand.value for operand in operands))) | {"v": value}
        totals: list[Any] | None = None
        for operand, rule in zip(operands, BY_NAME[name].partials):
            if operand.tangents is None:
                continue
            totals = totals or [self._inner.constant(0.0)] * self.type.k
            if rule != "0.0":
                partial = evaluate(rule, names, self._inner)
                totals = [self._inner.multiply_add(t, partial, total) for t, total in zip(operand.tangents, totals)]
        return Number(value, totals)

    def multiply_add(self, x: Number, y: Number, z: Number) -> Number:
        """x*y + z, with the rules of zero factors at every level."""
        inner = self._inner
        value = inner.multiply_add(x.value, y.value, z.value)
        if x.tangents is None and y.tangents is None:
            return Number(value, z.tangents)
        tangents = self._tangents(z)
        if x.tangents is not None:
            tangents = [inner.multiply_add(t, y.value, total) for t, total in zip(x.tangents, tangents)]
        if y.tangents is not None:
            tangents = [inner.multiply_add(x.value, t, total) for t, total in zip(y.tangents, tangents)]
        return Number(value, tangents)

    def where(self, condition: ir.Value, x: Number, y: Number) -> Number:
        """Choose by a plain boolean."""
        value = self._inner.where(condition, x.value, y.value)
        if x.tangents is None and y.tangents is None:
            return Number(value)
        pairs = zip(self._tangents(x), self._tangents(y))
        return Number(value, [self._inner.where(condition, *pair) for pair in pairs])

    select = where

    # -------------------- comparisons: of values, and without guards --------------------

    def primal(self, x: Number) -> ir.Value:
        """Return the double under all levels."""
        return self._inner.primal(x.value)

    def compare(self, symbol: str, x: Number, y: Number) -> ir.Value:
        """Compare values."""
        return self._inner.compare(symbol, x.value, y.value)

    def compare_as(self, name: str, x: Number, y: Number) -> ir.Value:
        """Compare values by an operation of the table, such as less."""
        return self._inner.compare_as(name, x.value, y.value)

    def test(self, name: str, x: Number) -> ir.Value:
        """A condition of one value, such as isnan."""
        return self._inner.test(name, x.value)

    def truth(self, condition: ir.Value, site: Any) -> ir.Value:
        """A plain boolean is its own truth."""
        return condition

    def condition(self, numba_type: types.Type, value: ir.Value) -> ir.Value:
        """Return a plain boolean as the machine's bit."""
        return self._inner.condition(numba_type, value)

    def pack_condition(self, condition: ir.Value) -> ir.Value:
        """Return a plain boolean as numba holds it."""
        return condition

    def plain_number(self, x: Number) -> ir.Value:
        """NaN: a dual is never known to be constant."""
        return Floats(self.context, self.builder).constant(float("nan"))


@lower_cast(types.Number, DualType)
@lower_cast(types.Boolean, DualType)
@lower_cast(DualType, DualType)
def _to_dual(context: Any, builder: ir.IRBuilder, source: Any, target: DualType, value: ir.Value) -> ir.Value:
    arithmetic = Duals(context, builder, target)
    return arithmetic.pack(arithmetic.convert(source, value))


# -------------------- in and out --------------------


@typeof_impl.register(Dual)
def _type_of_dual(value: Dual, c: Any) -> types.Type:
    inner = _type_of_dual(value.value, c) if isinstance(value.value, Dual) else types.float64
    return DualType(value.level, len(value.tangent), inner)


@unbox(DualType)
def _unbox_dual(numba_type: DualType, source: ir.Value, c: Any) -> NativeValue:
    struct = cgutils.create_struct_proxy(numba_type)(c.context, c.builder)
    attributes = Attributes(c, source)
    struct.value = attributes.read("value", numba_type.inner)
    struct.tangent = attributes.read("tangent", types.UniTuple(numba_type.inner, numba_type.k))
    return NativeValue(struct._getvalue(), is_error=attributes.is_error)


@box(DualType)
def _box_dual(numba_type: DualType, value: ir.Value, c: Any) -> ir.Value:
    struct = fields_of(c.context, c.builder, numba_type, value)
    tangents = types.UniTuple(numba_type.inner, numba_type.k)
    arguments = [
        c.box(numba_type.inner, struct.value),
        c.box(tangents, struct.tangent),
        c.pyapi.long_from_longlong(ir.Constant(ir.IntType(64), numba_type.level)),
    ]
    constructor = c.pyapi.unserialize(c.pyapi.serialize_object(Dual))
    result = c.pyapi.call_function_objargs(constructor, arguments)
    for used in (constructor, *arguments):
        c.pyapi.decref(used)
    return result
