"""The numba types of actives and conditions, their structs, and what unifies with them.

A type's name holds a digest of everything that compiled code depends on, so that a function cached by numba under
one version of fastad is compiled anew under another.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typeconv import Conversion
from numba.extending import lower_cast, models, register_model

from .version import STAMP

_PASSIVE = types.Number | types.Boolean  # what an active number may be mixed with


class ActiveType(types.Type):
    """A number that records: value, row (-1 where passive) and the address of the tape's header."""

    def __init__(self) -> None:
        super().__init__(f"fastad.Active.{STAMP}")

    def can_convert_from(self, typingctx: Any, other: types.Type) -> Any:
        """Real numbers become passive actives."""
        return Conversion.safe if is_real(other) else None

    def unify(self, typingctx: Any, other: types.Type) -> Any:
        """A variable that is a float here and an active there is an active."""
        return self if is_real(other) else None


class ConditionType(types.Type):
    """A comparison: outcome, and the row that it takes once something depends on it."""

    def __init__(self) -> None:
        super().__init__(f"fastad.Condition.{STAMP}")

    def can_convert_from(self, typingctx: Any, other: types.Type) -> Any:
        """Booleans become passive conditions."""
        return Conversion.safe if isinstance(other, types.Boolean) else None

    def unify(self, typingctx: Any, other: types.Type) -> Any:
        """A variable that is a bool here and a condition there is a condition."""
        return self if isinstance(other, types.Boolean) else None


class DualType(types.Type):
    """A value and k tangents of one inner type, which is a float or a dual of a lower level."""

    def __init__(self, level: int, k: int, inner: types.Type) -> None:
        self.level = level
        self.k = k
        self.inner = inner
        super().__init__(f"fastad.Dual.{STAMP}({level}, {k}, {inner})")

    def can_convert_from(self, typingctx: Any, other: types.Type) -> Any:
        """Numbers of lower levels become constants."""
        return Conversion.safe if other != self and common_dual((self, other)) == self else None

    def unify(self, typingctx: Any, other: types.Type) -> Any:
        """A variable that is a float here and a dual there is a dual."""
        return common_dual((self, other))


def common_dual(operands: tuple[types.Type, ...]) -> types.Type | None:
    """Type of an operation of duals and real numbers; None where there is none."""
    if not all(isinstance(t, DualType) or is_real(t) for t in operands):
        return None
    duals = [t for t in operands if isinstance(t, DualType)]
    if not duals:
        return types.float64
    level = max(t.level for t in duals)
    directions = {t.k for t in duals if t.level == level}
    parts = tuple(t.inner if isinstance(t, DualType) and t.level == level else t for t in operands)
    inner = common_dual(parts)
    return DualType(level, directions.pop(), inner) if len(directions) == 1 and inner is not None else None


def is_real(numba_type: types.Type) -> bool:
    """Whether values of a type are plain real numbers."""
    numba_type = types.unliteral(numba_type)
    return isinstance(numba_type, _PASSIVE) and not isinstance(numba_type, types.Complex)


def members(tuple_type: Any) -> tuple[types.Type, ...]:
    """Return the types of the items of a tuple."""
    return tuple(tuple_type.types)


ACTIVE = ActiveType()
CONDITION = ConditionType()


@register_model(ActiveType)
class _ActiveModel(models.StructModel):
    def __init__(self, manager: Any, numba_type: ActiveType) -> None:
        members = [("value", types.float64), ("row", types.int32), ("tape", types.int64)]
        super().__init__(manager, numba_type, members)


@register_model(DualType)
class _DualModel(models.StructModel):
    def __init__(self, manager: Any, numba_type: DualType) -> None:
        tangents = types.UniTuple(numba_type.inner, numba_type.k)
        super().__init__(manager, numba_type, [("value", numba_type.inner), ("tangent", tangents)])


@register_model(ConditionType)
class _ConditionModel(models.StructModel):
    """As ``record.condition.Condition``: the comparison itself, or two rows combined."""

    def __init__(self, manager: Any, numba_type: ConditionType) -> None:
        members = [
            ("outcome", types.boolean),
            ("code", types.uint8),
            ("arg0", types.int32),
            ("arg1", types.int32),
            ("passive", types.float64),
            ("row", types.int32),
            ("tape", types.int64),
        ]
        super().__init__(manager, numba_type, members)


def make(context: Any, builder: ir.IRBuilder, numba_type: types.Type, **fields: ir.Value | int) -> ir.Value:
    """Return a struct of a type with these fields."""
    struct = cgutils.create_struct_proxy(numba_type)(context, builder)
    for name, field in fields.items():
        field_type = getattr(struct, name).type
        setattr(struct, name, field if isinstance(field, ir.Value) else ir.Constant(field_type, field))
    return struct._getvalue()


def fields_of(context: Any, builder: ir.IRBuilder, numba_type: types.Type, value: ir.Value) -> Any:
    """Return a proxy whose attributes are the fields of a struct."""
    return cgutils.create_struct_proxy(numba_type)(context, builder, value=value)


def passive_active(context: Any, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return a double as an active that depends on nothing."""
    return make(context, builder, ACTIVE, value=value, row=-1, tape=0)


def passive_condition(context: Any, builder: ir.IRBuilder, outcome: ir.Value) -> ir.Value:
    """Return a boolean as a condition that depends on nothing."""
    nothing = {"code": 0, "arg0": -1, "arg1": -1, "passive": 0, "row": -1, "tape": 0}
    return make(context, builder, CONDITION, outcome=outcome, **nothing)


@lower_cast(types.Number, ActiveType)
@lower_cast(types.Boolean, ActiveType)
def _number_to_active(context: Any, builder: ir.IRBuilder, source: Any, target: Any, value: ir.Value) -> ir.Value:
    return passive_active(context, builder, context.cast(builder, value, source, types.float64))


@lower_cast(types.Boolean, ConditionType)
def _boolean_to_condition(context: Any, builder: ir.IRBuilder, source: Any, target: Any, value: ir.Value) -> ir.Value:
    return passive_condition(context, builder, context.cast(builder, value, source, types.boolean))
