"""Arithmetic of actives in compiled code: the value of the rule, and a row where an operand is active."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.core.errors import UnsupportedError

from ..ops import BY_NAME, OPCODE
from ..record import header
from .kinds import ACTIVE, CONDITION
from .rows import DOUBLE, INT8, INT32, INT64, Exits, has_flag, push, push_guard, same_tape
from .rules import SYMBOL, Floats, evaluate

_NO_PRANGE = "actives cannot be recorded in a prange: a tape belongs to one thread; use range"
_MIRRORED = {"less": "greater", "less_equal": "greater_equal", "equal": "equal", "not_equal": "not_equal"}
_MIRRORED |= {mirrored: name for name, mirrored in _MIRRORED.items()}
_BOOL = ir.IntType(1)
_PASSIVE_ROW, _NO_TAPE = ir.Constant(INT32, -1), ir.Constant(INT64, 0)
_ZERO = ir.Constant(DOUBLE, 0.0)
_ROW_0 = ir.Constant(INT32, 0)


class Number(NamedTuple):
    """An active taken apart; a plain number has the constant row -1."""

    value: ir.Value
    row: ir.Value = _PASSIVE_ROW
    tape: ir.Value = _NO_TAPE

    @property
    def is_plain(self) -> bool:
        """Whether it is known at compile time to depend on nothing."""
        return self.row is _PASSIVE_ROW


class Comparison(NamedTuple):
    """A condition taken apart; the fields of ``_ConditionModel``."""

    outcome: ir.Value
    code: ir.Value = ir.Constant(INT8, 0)
    arg0: ir.Value = _PASSIVE_ROW
    arg1: ir.Value = _PASSIVE_ROW
    passive: ir.Value = _ZERO
    row: ir.Value = _PASSIVE_ROW
    tape: ir.Value = _NO_TAPE


def merged(
    builder: ir.IRBuilder, condition: ir.Value, taken: Callable[[], Sequence[ir.Value]], otherwise: Sequence[ir.Value]
) -> list[ir.Value]:
    """Values that ``taken`` emits where the condition holds, else the others."""
    start = builder.block
    with builder.if_then(condition):
        values = taken()
        end = builder.block
    phis = []
    for value, other in zip(values, otherwise, strict=True):
        phi = builder.phi(value.type)
        phi.add_incoming(value, end)
        phi.add_incoming(other, start)
        phis.append(phi)
    return phis


class Actives:
    """Arithmetic of actives, mixed with real numbers."""

    type = ACTIVE

    def __init__(self, context: Any, builder: ir.IRBuilder, exits: Exits | None = None) -> None:
        if "__numba_parfor_gufunc" in builder.function.name:
            raise UnsupportedError(_NO_PRANGE)
        self.context = context
        self.builder = builder
        self.exits = exits or Exits(context)
        self._floats = Floats(context, builder)

    def constant(self, number: float) -> Number:
        """Return a number as an operand."""
        return Number(self._floats.constant(number))

    # -------------------- taking structs apart --------------------

    def convert(self, numba_type: types.Type, value: ir.Value) -> Number:
        """Return a number of any type as an operand."""
        if numba_type == ACTIVE:
            return Number(*(self.builder.extract_value(value, i) for i in range(3)))
        return Number(self._floats.convert(numba_type, value))

    def pack(self, number: Number) -> ir.Value:
        """Return an operand as a struct."""
        return self._struct(ACTIVE, number)

    def condition(self, numba_type: types.Type, value: ir.Value) -> Comparison:
        """Return a condition, or a plain boolean, taken apart."""
        if numba_type == CONDITION:
            return Comparison(*(self.builder.extract_value(value, i) for i in range(len(Comparison._fields))))
        return Comparison(self.context.cast(self.builder, value, types.unliteral(numba_type), types.boolean))

    def pack_condition(self, comparison: Comparison) -> ir.Value:
        """Return a condition as a struct."""
        return self._struct(CONDITION, comparison)

    def _struct(self, numba_type: types.Type, fields: Sequence[ir.Value]) -> ir.Value:
        struct = ir.Constant(self.context.get_value_type(numba_type), ir.Undefined)
        for i, field in enumerate(fields):
            struct = self.builder.insert_value(struct, field, i)
        return struct

    # -------------------- operations --------------------

    def apply(self, name: str, *operands: Number) -> Number:
        """Record an operation of the table."""
        value = self._floats.apply(name, *(operand.value for operand in operands))
        x, y = (*operands, Number(_ZERO))[:2]
        if x.is_plain and y.is_plain:
            return Number(value)
        builder = self.builder
        tape = self.common_tape(x, y)

        def record() -> ir.Value:
            self._same_tape(x, y)
            names = dict(zip("xy", (operand.value for operand in operands))) | {"v": value}
            partials = [evaluate(rule, names, self._floats) for rule in BY_NAME[name].partials]
            first, second = (*map(self._cell, operands, partials), _ZERO)[:2]
            return push(self.exits, builder, tape, OPCODE[name], (x.row, y.row), (first, second), value)

        return Number(value, self._where_active(x, y, record), tape)

    def _cell(self, operand: Number, partial: ir.Value) -> ir.Value:
        """What stands in a partial column: the partial, or the operand's value where it is passive."""
        if operand.is_plain:
            return operand.value
        return self.builder.select(self._is_active(operand), partial, operand.value)

    def _is_active(self, x: Number) -> ir.Value:
        return self.builder.icmp_signed(">=", x.row, _ROW_0)

    def common_tape(self, x: Number, y: Number) -> ir.Value:
        """Return the tape of two operands."""
        if x.is_plain or y.is_plain:
            return y.tape if x.is_plain else x.tape
        return self.builder.select(self._is_active(x), x.tape, y.tape)

    def _same_tape(self, x: Number, y: Number) -> None:
        if not (x.is_plain or y.is_plain):
            same_tape(self.exits, self.builder, x.row, x.tape, y.row, y.tape)

    def _where_active(self, x: Number, y: Number, record: Callable[[], ir.Value]) -> ir.Value:
        """Row made by ``record`` where an operand is active, else -1."""
        either = self.builder.and_(x.row, y.row)  # negative where both are -1
        active = self.builder.icmp_signed(">=", either, _ROW_0)
        return merged(self.builder, active, lambda: [record()], [_PASSIVE_ROW])[0]

    def where(self, condition: Comparison, x: Number, y: Number) -> Number:
        """Choose as data: a COND and a WHERE row, after the row of the condition."""
        builder = self.builder
        value = builder.select(condition.outcome, x.value, y.value)
        plain = [builder.select(condition.outcome, *pair) for pair in ((x.row, y.row), (x.tape, y.tape))]

        def record() -> Sequence[ir.Value]:
            return self._push_where(condition, x, y, value), condition.tape

        return Number(value, *merged(builder, self._has_tape(condition), record, plain))

    def _push_where(self, condition: Comparison, x: Number, y: Number, value: ir.Value) -> ir.Value:
        builder, tape = self.builder, condition.tape
        for operand in (x, y):
            if not operand.is_plain:
                same_tape(self.exits, builder, operand.row, operand.tape, _ROW_0, tape)
        row = self.condition_row(condition)
        both_passive = builder.icmp_signed("<", builder.and_(x.row, y.row), _ROW_0)

        def stopped() -> Sequence[ir.Value]:  # a row has room for one passive operand
            none = (_PASSIVE_ROW, _PASSIVE_ROW)
            return [push(self.exits, builder, tape, OPCODE["stop_gradient"], none, (x.value, x.value), x.value)]

        first = Number(x.value, merged(builder, both_passive, stopped, [x.row])[0], tape)
        outcome = builder.uitofp(condition.outcome, DOUBLE)
        push(self.exits, builder, tape, OPCODE["cond"], (row, _PASSIVE_ROW), (_ZERO, _ZERO), outcome)
        other = builder.fsub(ir.Constant(DOUBLE, 1.0), outcome)
        cells = (self._cell(first, outcome), self._cell(y, other))
        return push(self.exits, builder, tape, OPCODE["where"], (first.row, y.row), cells, value)

    def select(self, condition: ir.Value, x: Number, y: Number) -> Number:
        """Choose by a plain boolean."""
        return Number(*(self.builder.select(condition, a, b) for a, b in zip(x, y)))

    def plain_number(self, x: Number) -> ir.Value:
        """Value of a passive number, NaN for an active one."""
        return self.builder.select(self._is_active(x), self._floats.constant(math.nan), x.value)

    # -------------------- conditions --------------------

    def compare_as(self, name: str, x: Number, y: Number) -> Comparison:
        """Compare as Python does: of a plain number and an active, the active stands first."""
        builder = self.builder
        outcome = self._floats.compare(SYMBOL[name], x.value, y.value)
        if x.is_plain and y.is_plain:
            return Comparison(outcome)
        self._same_tape(x, y)
        swapped = builder.icmp_signed("<", x.row, _ROW_0)
        codes = (ir.Constant(INT8, OPCODE[_MIRRORED[name]]), ir.Constant(INT8, OPCODE[name]))
        pairs = (codes, (y.row, x.row), (x.row, y.row))
        code, first, second = (builder.select(swapped, *pair) for pair in pairs)
        both = builder.icmp_signed(">=", second, _ROW_0)
        passive = builder.select(both, _ZERO, builder.select(swapped, x.value, y.value))
        tape = self._tape_of(first, self.common_tape(x, y))
        return Comparison(outcome, code, first, second, passive, tape=tape)

    def test(self, name: str, x: Number) -> Comparison:
        """A condition of one operand, such as isnan."""
        value = self._floats.apply(name, x.value)
        outcome = self._floats.compare("!=", value, _ZERO)
        if x.is_plain:
            return Comparison(outcome)
        return Comparison(outcome, ir.Constant(INT8, OPCODE[name]), x.row, tape=self._tape_of(x.row, x.tape))

    def _same(self, x: Number) -> Comparison:
        """The condition that a replay sees this very number."""
        true = ir.Constant(_BOOL, 1)
        return Comparison(true, ir.Constant(INT8, OPCODE["same"]), x.row, passive=x.value, tape=x.tape)

    def _tape_of(self, row: ir.Value, tape: ir.Value) -> ir.Value:
        """The tape, or none where the row is passive: that is how a condition knows."""
        return self.builder.select(self.builder.icmp_signed(">=", row, _ROW_0), tape, _NO_TAPE)

    def condition_row(self, condition: Comparison) -> ir.Value:
        """Row of a condition on a tape, recorded now unless it has one."""
        builder = self.builder

        def record() -> Sequence[ir.Value]:
            value = builder.uitofp(condition.outcome, DOUBLE)
            arguments, cells = (condition.arg0, condition.arg1), (_ZERO, condition.passive)
            return [push(self.exits, builder, condition.tape, condition.code, arguments, cells, value)]

        return merged(builder, builder.icmp_signed("<", condition.row, _ROW_0), record, [condition.row])[0]

    def truth(self, condition: Comparison, site: ir.Value) -> ir.Value:
        """Outcome of a condition that decides something: leaves a guard."""
        builder, tape = self.builder, condition.tape
        with (
            builder.if_then(self._has_tape(condition)),
            builder.if_then(has_flag(builder, tape, header.RECORDS_GUARDS)),
        ):
            row = self.condition_row(condition)
            push_guard(self.exits, builder, tape, row, condition.outcome, site)
        return condition.outcome

    def frozen(self, x: Number, site: ir.Value) -> ir.Value:
        """Value of an active as a plain number; leaves an equality guard while recording for replay."""
        builder = self.builder
        if not x.is_plain:
            with builder.if_then(self._is_active(x)), builder.if_then(has_flag(builder, x.tape, header.FREEZES)):
                condition = self._same(x)
                push_guard(self.exits, builder, x.tape, self.condition_row(condition), condition.outcome, site)
        return x.value

    def negate(self, condition: Comparison) -> Comparison:
        """``~condition``, without a guard."""
        outcome = self.builder.not_(condition.outcome)

        def record() -> Sequence[ir.Value]:
            return self._combined("logical_not", outcome, self.condition_row(condition), _PASSIVE_ROW, condition.tape)

        return Comparison(*merged(self.builder, self._has_tape(condition), record, Comparison(outcome)))

    def combine(self, name: str, a: Comparison, b: Comparison) -> Comparison:
        """``a & b`` or ``a | b`` without a guard; a plain boolean decides at once or not at all."""
        builder = self.builder
        is_and = name == "logical_and"
        outcome = builder.and_(a.outcome, b.outcome) if is_and else builder.or_(a.outcome, b.outcome)
        a_plain, b_plain = (builder.not_(self._has_tape(c)) for c in (a, b))
        # True & c is c and False & c is False; False | c is c and True | c is True.
        plain = builder.select(a_plain, a.outcome, b.outcome)
        decided = builder.not_(plain) if is_and else plain
        passed = [
            builder.select(decided, nothing, builder.select(a_plain, second, first))
            for nothing, first, second in zip(Comparison(outcome), a, b)
        ]

        def record() -> Sequence[ir.Value]:
            same_tape(self.exits, builder, _ROW_0, a.tape, _ROW_0, b.tape)
            return self._combined(name, outcome, self.condition_row(a), self.condition_row(b), a.tape)

        both = builder.not_(builder.or_(a_plain, b_plain))
        return Comparison(*merged(builder, both, record, passed))

    def _combined(self, name: str, outcome: ir.Value, i: ir.Value, j: ir.Value, tape: ir.Value) -> Comparison:
        return Comparison(outcome, ir.Constant(INT8, OPCODE[name]), i, j, tape=tape)

    def _has_tape(self, condition: Comparison) -> ir.Value:
        return self.builder.icmp_unsigned("!=", condition.tape, _NO_TAPE)
