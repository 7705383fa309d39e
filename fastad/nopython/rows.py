"""Rows stored straight into the columns of a tape by compiled code."""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.lowering import BaseLower

from ..errors import TapeError
from ..ops import OPCODE
from ..record import header

INT8, INT32, INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
DOUBLE = ir.DoubleType()
_COLUMN_TYPES = (INT8, INT32, INT32, DOUBLE, DOUBLE, DOUBLE)
_TWO_TAPES = "values of two tapes in one operation; use one tape, or fad.value(x) to freeze"


def field(builder: ir.IRBuilder, tape: ir.Value, index: int) -> ir.Value:
    """Return the pointer to a field of the header at an address."""
    pointer = builder.inttoptr(tape, INT64.as_pointer())
    return builder.gep(pointer, [ir.Constant(INT64, index)], inbounds=True)


class Exits:
    """How a row that cannot be stored leaves a function of numba: with an exception."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def no_room(self, builder: ir.IRBuilder) -> None:
        """Leave with the error that Python has set."""
        self.context.call_conv.return_exc(builder)

    def two_tapes(self, builder: ir.IRBuilder) -> None:
        """Leave with TapeError."""
        self.context.call_conv.return_user_exc(builder, TapeError, (_TWO_TAPES,))


def push(
    exits: Exits,
    builder: ir.IRBuilder,
    tape: ir.Value,
    code: int | ir.Value,
    arguments: tuple[ir.Value, ir.Value],
    partials: tuple[ir.Value, ir.Value],
    value: ir.Value,
) -> ir.Value:
    """Append a row; returns its number. Leaves the function with TapeFullError where there is no room."""
    length = builder.load(field(builder, tape, header.LENGTH))
    limit = builder.load(field(builder, tape, header.LIMIT))
    with builder.if_then(builder.icmp_signed(">=", length, limit), likely=False):
        _ask_for_room(exits, builder, tape)
    row = builder.load(field(builder, tape, header.LENGTH))
    code = code if isinstance(code, ir.Value) else ir.Constant(INT8, code)
    cells = (code, *arguments, *partials, value)
    for number, (cell, cell_type) in enumerate(zip(cells, _COLUMN_TYPES, strict=True)):
        column = builder.load(field(builder, tape, header.COLUMNS + number))
        column = builder.inttoptr(column, cell_type.as_pointer())
        builder.store(cell, builder.gep(column, [row], inbounds=True))
    builder.store(builder.add(row, ir.Constant(INT64, 1)), field(builder, tape, header.LENGTH))
    return builder.trunc(row, INT32)


def _ask_for_room(exits: Exits, builder: ir.IRBuilder, tape: ir.Value) -> None:
    """Call the tape's Python method that grows it; its error becomes that of the compiled function."""
    status = builder.call(_room_function(exits.context, builder), [tape])
    with builder.if_then(builder.icmp_signed("!=", status, ir.Constant(INT32, 0)), likely=False):
        exits.no_room(builder)


def _room_function(context: Any, builder: ir.IRBuilder) -> ir.Function:
    """Out of line, for all rows of a module: take the GIL and call ``Storage._room_for_compiled``."""
    name = "fastad_room_for_compiled"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT32, [INT64]), name)
    if not function.is_declaration:
        return function
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("cold")
    inside = ir.IRBuilder(function.append_basic_block())
    api = context.get_python_api(inside)
    lock = api.gil_ensure()
    owner = inside.inttoptr(inside.load(field(inside, function.args[0], header.OWNER)), api.pyobj)
    result = api.call_method(owner, "_room_for_compiled", ())
    failed = cgutils.is_null(inside, result)
    with inside.if_then(inside.not_(failed)):
        api.decref(result)
    api.gil_release(lock)
    inside.ret(inside.zext(failed, INT32))
    return function


def same_tape(exits: Exits, builder: ir.IRBuilder, i: ir.Value, tape: ir.Value, j: ir.Value, other: ir.Value) -> None:
    """Raise TapeError where two active operands are on different tapes."""
    both = builder.icmp_signed(">=", builder.or_(i, j), ir.Constant(INT32, 0))
    with builder.if_then(builder.and_(both, builder.icmp_unsigned("!=", tape, other)), likely=False):
        exits.two_tapes(builder)


# -------------------- guards --------------------


def site_of_call(builder: ir.IRBuilder, builtin: str = "") -> ir.Value:
    """Address of the text ``line builtin file`` of the instruction being lowered.

    Text in the machine code rather than a number known to this process, so that it survives numba's cache.
    """
    location = _location()
    text = f"{location.line} {builtin} {location.filename}".encode() + b"\0"
    constant = cgutils.global_constant(builder, "fastad_site", cgutils.make_bytearray(text))
    return builder.ptrtoint(constant, INT64)


def _location() -> Any:
    """Location of the instruction that numba is lowering: lowering functions are not told, so ask its frame."""
    frame = sys._getframe(1)
    while frame is not None:
        lower = frame.f_locals.get("self")
        if isinstance(lower, BaseLower):
            return lower.loc
        frame = frame.f_back  # type: ignore[assignment]
    raise RuntimeError("a guard is lowered outside of numba")


def push_guard(
    exits: Exits, builder: ir.IRBuilder, tape: ir.Value, condition: ir.Value, outcome: ir.Value, site: ir.Value
) -> None:
    """Append a guard row for the row of a condition, and note its site."""
    limit = builder.load(field(builder, tape, header.GUARD_LIMIT))
    full = builder.icmp_signed(">=", builder.load(field(builder, tape, header.GUARDS)), limit)
    with builder.if_then(full, likely=False):
        _ask_for_room(exits, builder, tape)
    value = builder.uitofp(outcome, DOUBLE)
    zero, passive = ir.Constant(DOUBLE, 0.0), ir.Constant(INT32, -1)
    row = push(exits, builder, tape, OPCODE["guard"], (condition, passive), (zero, value), value)
    count = builder.load(field(builder, tape, header.GUARDS))  # only now: asking for room empties the list
    base = builder.inttoptr(builder.load(field(builder, tape, header.GUARD_LIST)), INT64.as_pointer())
    at = builder.shl(count, ir.Constant(INT64, 1))
    builder.store(builder.sext(row, INT64), builder.gep(base, [at]))
    builder.store(site, builder.gep(base, [builder.add(at, ir.Constant(INT64, 1))]))
    builder.store(builder.add(count, ir.Constant(INT64, 1)), field(builder, tape, header.GUARDS))


def has_flag(builder: ir.IRBuilder, tape: ir.Value, flag: int) -> ir.Value:
    """Whether a flag of the header is set."""
    flags = builder.load(field(builder, tape, header.FLAGS))
    return builder.icmp_signed("!=", builder.and_(flags, ir.Constant(INT64, flag)), ir.Constant(INT64, 0))
