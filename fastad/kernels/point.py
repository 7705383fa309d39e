"""One point of a recording in one call: values, outputs and the gradient of a single result.

Handing an array to a kernel costs 0.1 us, as much as ten rows. So the arrays of a recording are handed over as one
address, of a *frame*: a table of the addresses and lengths of its columns and of the scratch memory of a call.
`entry` leaves out numba's look at the types of the arguments, another 0.3 us.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray
from numba.core import types
from numba.core.typing.templates import signature
from numba.extending import intrinsic

from ._jit import jit
from .rows import replay_point
from .sweeps import reverse, reverse_masked

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
)
# In the same order; a Python int would be a type of its own to numba, and what reads a frame compiled for each.
# fmt: off
(
    _OPCODE, _ARG0, _ARG1, _PASSIVE0, _PASSIVE1, _ROWS, _STARTS, _ELEMENT_ROWS, _ELEMENT_VALUES, _TABLE_OF_ROW,
    _OUTPUT_ROWS, _OUTPUT_CONSTANTS, _VALUE, _PARTIAL0, _PARTIAL1, _PICKED, _ADJOINT,
) = (np.int64(number) for number in range(len(COLUMNS)))
# fmt: on


@intrinsic
def _pointer(typingctx: Any, address: Any) -> Any:
    """An address as a pointer, for ``carray``."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return signature(types.voidptr, types.int64), codegen


@jit
def _entry(frame, number):
    """Address and length of a column."""
    table = carray(_pointer(frame), (2 * len(COLUMNS),), np.int64)
    return _pointer(table[2 * number]), table[2 * number + 1]


@jit
def _floats(frame, number):
    address, size = _entry(frame, number)
    return carray(address, (size,), np.float64)


@jit
def _indices(frame, number):
    address, size = _entry(frame, number)
    return carray(address, (size,), np.int32)


@jit
def _opcodes(frame, number):
    address, size = _entry(frame, number)
    return carray(address, (size,), np.uint8)


@jit
def replay_rows(frame, start, stop):
    """Replay a part of a recording, whose values before are there; returns its first guard that fails, or -1."""
    tables = (
        _indices(frame, _STARTS),
        _indices(frame, _ELEMENT_ROWS),
        _floats(frame, _ELEMENT_VALUES),
        _indices(frame, _TABLE_OF_ROW),
    )
    return replay_point(
        _opcodes(frame, _OPCODE), _indices(frame, _ARG0), _indices(frame, _ARG1), _floats(frame, _PASSIVE0),
        _floats(frame, _PASSIVE1), _indices(frame, _ROWS)[start:stop], tables, _floats(frame, _VALUE),
        _floats(frame, _PARTIAL0), _floats(frame, _PARTIAL1), _indices(frame, _PICKED),
    )  # fmt: skip


@jit
def point(frame, vector, first, out):
    """Replay a recording at one point; reverse it from its first output.

    Parameters
    ----------
    frame : int
        Address of the frame.
    vector : ndarray, shape (inputs,)
    first : int
        The first input to differentiate by; -1 for values alone.
    out : ndarray
        Filled with the derivatives by the inputs from ``first`` on; or, for values alone, with outputs.

    Returns
    -------
    value : float
        The first output.
    failed : int
        The first guard that decides otherwise, or -1; derivatives are left as they were then.
    """
    arg0, picked, value = _indices(frame, _ARG0), _indices(frame, _PICKED), _floats(frame, _VALUE)
    partial0, partial1, adjoint = _floats(frame, _PARTIAL0), _floats(frame, _PARTIAL1), _floats(frame, _ADJOINT)
    value[: vector.size] = vector
    failed = replay_rows(frame, 0, value.size)
    output_rows, constants = _indices(frame, _OUTPUT_ROWS), _floats(frame, _OUTPUT_CONSTANTS)
    for k in range(out.size if first < 0 else 0):
        out[k] = value[output_rows[k]] if output_rows[k] >= 0 else constants[k]
    if output_rows.size == 0:
        return 0.0, failed
    row = output_rows[0]
    result = value[row] if row >= 0 else constants[0]
    if first < 0 or failed >= 0:
        return result, failed
    stop = max(row + 1, vector.size)
    for masked in (False, True):
        adjoint[: stop + 1] = 0.0
        adjoint[row + 1] = 1.0
        if masked:
            reverse_masked(arg0, picked, partial0, partial1, adjoint, 0, row + 1)
        else:
            reverse(arg0, picked, partial0, partial1, adjoint, 0, row + 1)
        nan = False
        for i in range(vector.size):
            nan = nan or adjoint[i + 1] != adjoint[i + 1]
        if not nan:
            break
    for i in range(out.size):
        out[i] = adjoint[first + i + 1]
    return result, failed


_VECTOR = types.Array(types.float64, 1, "C")  # aligned and writeable
_ARGUMENTS = {
    point: (types.int64, _VECTOR, types.int64, _VECTOR),
    replay_rows: (types.int64, types.int64, types.int64),
}


def entry(kernel: Any) -> Callable[..., Any]:
    """Return a kernel of this file as machine code, which trusts its caller to pass arguments of the types above."""
    kernel.compile(_ARGUMENTS[kernel])
    return kernel.overloads[_ARGUMENTS[kernel]].entry_point
