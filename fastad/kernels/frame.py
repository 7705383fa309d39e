"""Handing over all arrays of a recording at once.

Handing an array to a kernel costs 0.1 us, as much as ten rows. So the arrays of a recording are handed over as one
address, of a *frame*: a table of the addresses and lengths of its columns and of the scratch memory of a call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray
from numba.core import types
from numba.core.typing.templates import signature
from numba.extending import intrinsic

from ._jit import jit

# What a frame lists, in this order, an address and a length each.
COLUMNS = (
    ("opcode", np.uint8),
    ("arg0", np.int32),
    ("arg1", np.int32),
    ("passive0", np.float64),
    ("passive1", np.float64),
    ("rows", np.int32),
    ("table_starts", np.int32),
    ("table_rows", np.int32),
    ("table_values", np.float64),
    ("table_of_row", np.int32),
    ("output_rows", np.int32),
    ("output_constants", np.float64),
    ("value", np.float64),
    ("partial0", np.float64),
    ("partial1", np.float64),
    ("picked", np.int32),
    ("adjoint", np.float64),
    ("runs", np.int64),
)
# In the same order; a Python int would be a type of its own to numba, and what reads a frame compiled for each.
# fmt: off
(
    OPCODE, ARG0, ARG1, PASSIVE0, PASSIVE1, ROWS, TABLE_STARTS, TABLE_ROWS, TABLE_VALUES, TABLE_OF_ROW, OUTPUT_ROWS,
    OUTPUT_CONSTANTS, VALUE, PARTIAL0, PARTIAL1, PICKED, ADJOINT, RUNS,
) = (np.int64(number) for number in range(len(COLUMNS)))
# fmt: on


@intrinsic
def pointer(typingctx: Any, address: Any) -> Any:
    """An address as a pointer, for ``carray``."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return signature(types.voidptr, types.int64), codegen


@jit
def integers_at(address, size):
    """The int64 array at an address."""
    return carray(pointer(address), (size,), np.int64)


@jit
def _entry(frame, number):
    """Address and length of a column."""
    table = integers_at(frame, 2 * len(COLUMNS))
    return pointer(table[2 * number]), table[2 * number + 1]


@jit
def floats(frame, number):
    """A column of float64."""
    address, size = _entry(frame, number)
    return carray(address, (size,), np.float64)


@jit
def indices(frame, number):
    """A column of int32."""
    address, size = _entry(frame, number)
    return carray(address, (size,), np.int32)


@jit
def integers(frame, number):
    """A column of int64."""
    address, size = _entry(frame, number)
    return carray(address, (size,), np.int64)


@jit
def opcodes(frame, number):
    """A column of uint8."""
    address, size = _entry(frame, number)
    return carray(address, (size,), np.uint8)
