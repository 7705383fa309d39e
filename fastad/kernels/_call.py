"""Kernels as machine code: entered directly, or called by other kernels without being compiled into them.

numba optimises all that a kernel calls once more together with it, and the row kernels take 6 to 13 s each time.
Called by their address they are compiled for themselves alone; a call takes 2 ns more than one that LLVM sees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import signature
from numba.extending import intrinsic


def entry_of(kernel: Any, *arguments: types.Type) -> Callable[..., Any]:
    """Return a kernel as machine code, which trusts its caller to pass arguments of these types.

    It leaves out numba's look at the types of the arguments, 0.3 us.
    """
    kernel.compile(arguments)
    return kernel.overloads[arguments].entry_point


@cache
def address_of(kernel: Any, arguments: int) -> int:
    """Return the address of a kernel that takes and returns integers."""
    kernel.compile((types.int64,) * arguments)
    compiled = kernel.overloads[(types.int64,) * arguments]
    if compiled.signature.return_type is not types.int64:
        raise TypeError(f"{kernel.py_func.__name__} returns {compiled.signature.return_type}")
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


@intrinsic
def call(typingctx: Any, kernel: Any, args: Any) -> Any:
    """Call the kernel at an address, with a tuple of integers; it must not raise."""
    integers = (types.int64,) * len(args)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, values: Any) -> ir.Value:
        function = context.call_conv.get_function_type(types.int64, integers)
        pointer = builder.inttoptr(values[0], function.as_pointer())
        each = cgutils.unpack_tuple(builder, values[1], len(args))
        each = [context.cast(builder, value, given, types.int64) for value, given in zip(each, args, strict=True)]
        return context.call_conv.call_function(builder, pointer, types.int64, integers, each)[1]

    return signature(types.int64, types.int64, args), codegen
