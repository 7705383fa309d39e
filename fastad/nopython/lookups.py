"""``take``, ``interp`` and ``interp2`` in compiled code, by the functions that record them in Python.

Their tables are kept by the tape in Python objects. A call goes through the interpreter, some ten microseconds; the
rows are those of Python, and plain numbers get the same values. (``numba.objmode`` would say the same in three lines,
but what it compiles cannot be loaded from numba's cache.)
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import lower_builtin

from ..record import lookup
from ..record.active import Active
from .arrays import ActiveArrayType
from .functions import register
from .kinds import ACTIVE, is_real


class _Passive:
    """A number that went in active and came out passive, with the attributes that unboxing reads."""

    index = -1

    def __init__(self, value: float) -> None:
        self._value = value
        self.tape = self

    def _lend(self, row: int) -> int:
        return 0


def _as_active(name: str, *operands: Any) -> Any:
    result = getattr(lookup, name)(*operands)
    return result if type(result) is Active else _Passive(float(result))


def _as_float(name: str, *operands: Any) -> float:
    return float(getattr(lookup, name)(*operands))


def _is_active(operand: types.Type) -> bool:
    return operand == ACTIVE or isinstance(operand, ActiveArrayType) or _is_sequence_of_actives(operand)


def _is_sequence_of_actives(operand: Any) -> bool:
    return isinstance(operand, types.List | types.UniTuple) and operand.dtype == ACTIVE


def _typing(args: tuple[types.Type, ...]) -> types.Type | None:
    if not args or not all(_is_active(t) or is_real(t) or isinstance(t, types.Array) for t in args):
        return None
    return ACTIVE if any(map(_is_active, args)) else types.float64


def _lower(name: str) -> None:
    @lower_builtin(f"fastad.{name}", types.VarArg(types.Any))
    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        api, environment = context.get_python_api(builder), context.get_env_manager(builder)
        lock = api.gil_ensure()
        operands = [api.unserialize(api.serialize_object(name))]
        for operand, value in zip(sig.args, args, strict=True):
            context.nrt.incref(builder, operand, value)  # boxing takes a reference away
            operands.append(api.from_native_value(operand, value, environment))
        function = _as_active if sig.return_type == ACTIVE else _as_float
        callee = api.unserialize(api.serialize_object(function))
        result = api.call_function_objargs(callee, operands)
        for used in (callee, *operands):
            api.decref(used)
        raised = cgutils.is_null(builder, result)
        with builder.if_then(raised, likely=False):
            api.gil_release(lock)
            context.call_conv.return_exc(builder)
        native = api.to_native_value(sig.return_type, result)
        api.decref(result)
        api.gil_release(lock)
        with builder.if_then(native.is_error, likely=False):
            context.call_conv.return_exc(builder)
        return native.value


for _name in ("take", "interp", "interp2"):
    register(getattr(lookup, _name), _name, _typing)
    _lower(_name)
