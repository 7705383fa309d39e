"""The numbers of a payoff's result in compiled code, whatever tuples they are nested in."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import lower_builtin

from .actives import Actives
from .functions import register
from .kinds import ACTIVE, is_real, members


def outputs_of(result: Any) -> Any:
    """Return all numbers of a result as a tuple of actives; in compiled code only."""
    raise NotImplementedError


def _count(result: types.Type) -> int:
    if isinstance(result, types.BaseTuple):
        return sum(map(_count, members(result)))
    if result != ACTIVE and not is_real(result):
        raise TypingError(f"a payoff returns numbers, or tuples of them; not {result}")
    return 1


def _flat(arithmetic: Actives, result: types.Type, value: ir.Value) -> list[ir.Value]:
    if not isinstance(result, types.BaseTuple):
        return [arithmetic.pack(arithmetic.convert(result, value))]
    parts = zip(members(result), cgutils.unpack_tuple(arithmetic.builder, value), strict=True)
    return [number for part in parts for number in _flat(arithmetic, *part)]


@lower_builtin("fastad.outputs", types.Any)
def _lower_outputs(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    return context.make_tuple(builder, sig.return_type, _flat(Actives(context, builder), sig.args[0], args[0]))


register(outputs_of, "outputs", lambda args: types.UniTuple(ACTIVE, _count(args[0])))
