"""Actives and conditions on their way into compiled code and out of it."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant
from numba.extending import NativeValue, box, typeof_impl, unbox

from ..record import header
from ..record.active import Active
from ..record.condition import Condition
from .kinds import ACTIVE, CONDITION, ActiveType, ConditionType, fields_of
from .rows import field


@typeof_impl.register(Active)
def _type_of_active(value: Active, c: Any) -> types.Type:
    return ACTIVE


@typeof_impl.register(Condition)
def _type_of_condition(value: Condition, c: Any) -> types.Type:
    return CONDITION


@lower_constant(ActiveType)
def _refuse_constant(context: Any, builder: ir.IRBuilder, numba_type: types.Type, value: Any) -> None:
    raise TypingError(
        "an active is no constant of a jitted function, nor the sum of a prange: pass it as an argument, and use range"
    )


class Attributes:
    """Reads attributes of a Python object into native fields; remembers whether one of them failed."""

    def __init__(self, c: Any, source: ir.Value) -> None:
        self._c = c
        self._source = source
        self.is_error: ir.Value = cgutils.false_bit

    def read(self, name: str, numba_type: types.Type) -> ir.Value:
        """Return an attribute as a native value."""
        attribute = self._c.pyapi.object_getattr_string(self._source, name)
        native = self._c.unbox(numba_type, attribute)
        self._c.pyapi.decref(attribute)
        self.is_error = self._c.builder.or_(self.is_error, native.is_error)
        return native.value

    def lent_tape(self, row_name: str) -> ir.Value:
        """Return the header's address of the object's tape, which is handed to compiled code."""
        api = self._c.pyapi
        tape = api.object_getattr_string(self._source, "tape")
        row = api.object_getattr_string(self._source, row_name)
        address = api.call_method(tape, "_lend", (row,))
        api.decref(row)
        api.decref(tape)
        failed = cgutils.is_null(self._c.builder, address)
        self.is_error = self._c.builder.or_(self.is_error, failed)
        result = cgutils.alloca_once_value(self._c.builder, ir.Constant(ir.IntType(64), 0))
        with self._c.builder.if_then(self._c.builder.not_(failed)):
            self._c.builder.store(api.long_as_longlong(address), result)
            api.decref(address)
        return self._c.builder.load(result)


@unbox(ActiveType)
def _unbox_active(numba_type: ActiveType, source: ir.Value, c: Any) -> NativeValue:
    struct = cgutils.create_struct_proxy(numba_type)(c.context, c.builder)
    attributes = Attributes(c, source)
    struct.value = attributes.read("_value", types.float64)
    struct.row = attributes.read("index", types.int32)
    struct.tape = attributes.lent_tape("index")
    return NativeValue(struct._getvalue(), is_error=attributes.is_error)


@unbox(ConditionType)
def _unbox_condition(numba_type: ConditionType, source: ir.Value, c: Any) -> NativeValue:
    struct = cgutils.create_struct_proxy(numba_type)(c.context, c.builder)
    attributes = Attributes(c, source)
    struct.outcome = attributes.read("outcome", types.boolean)
    struct.code = attributes.read("_code", types.uint8)
    struct.arg0 = attributes.read("_arg0", types.int32)
    struct.arg1 = attributes.read("_arg1", types.int32)
    struct.passive = attributes.read("_passive", types.float64)
    struct.row = ir.Constant(ir.IntType(32), -1)
    struct.tape = attributes.lent_tape("_arg0")
    return NativeValue(struct._getvalue(), is_error=attributes.is_error)


def owner(c: Any, tape: ir.Value) -> ir.Value:
    """Return the Tape object of a header's address, a borrowed reference."""
    return c.builder.inttoptr(c.builder.load(field(c.builder, tape, header.OWNER)), c.pyapi.pyobj)


@box(ActiveType)
def _box_active(numba_type: ActiveType, value: ir.Value, c: Any) -> ir.Value:
    """An Active, or a plain float where it depends on nothing."""
    struct = fields_of(c.context, c.builder, numba_type, value)
    number = c.pyapi.float_from_double(struct.value)
    result = cgutils.alloca_once_value(c.builder, number)
    with c.builder.if_then(c.builder.icmp_signed(">=", struct.row, ir.Constant(struct.row.type, 0))):
        row = c.pyapi.long_from_signed_int(struct.row)
        c.builder.store(c.pyapi.call_method(owner(c, struct.tape), "_active", (number, row)), result)
        c.pyapi.decref(row)
        c.pyapi.decref(number)
    return c.builder.load(result)


@box(ConditionType)
def _box_condition(numba_type: ConditionType, value: ir.Value, c: Any) -> ir.Value:
    """A Condition, or a plain bool where it depends on nothing."""
    struct = fields_of(c.context, c.builder, numba_type, value)
    outcome = c.pyapi.bool_from_bool(struct.outcome)
    result = cgutils.alloca_once_value(c.builder, outcome)
    with c.builder.if_then(c.builder.icmp_unsigned("!=", struct.tape, ir.Constant(struct.tape.type, 0))):
        code = c.pyapi.long_from_unsigned_int(c.builder.zext(struct.code, ir.IntType(32)))
        rows = [c.pyapi.long_from_signed_int(row) for row in (struct.arg0, struct.arg1)]
        passive = c.pyapi.float_from_double(struct.passive)
        made = c.pyapi.call_method(owner(c, struct.tape), "_condition", (code, *rows, passive, outcome))
        c.builder.store(made, result)
        for used in (code, *rows, passive, outcome):
            c.pyapi.decref(used)
    return c.builder.load(result)
