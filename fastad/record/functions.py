"""Public functions of numbers, arrays, actives and active arrays: one per row of the op table."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import TapeError
from ..kernels.bulk import extent
from ..kernels.rows import scalar_value
from ..ops import BY_NAME, OPCODE, OPS, Op
from ..structure import flatten, is_result, real_array
from . import dual
from .active import RECORDERS, REFLECTED, Active, is_whole, passive_float, whole_power
from .array import ActiveArray, broadcast, common_tape, elementwise, operand, spread
from .condition import Condition, ConditionArray
from .dispatch import ARRAY_FUNCTIONS, COMPLEX_UFUNCS, UFUNCS, complex_function, is_complex
from .dual import Dual
from .storage import Storage

_COND, _WHERE, _STOP = OPCODE["cond"], OPCODE["where"], OPCODE["stop_gradient"]


def _unary(op: Op) -> Callable[[Any], Any]:
    code, record = OPCODE[op.name], RECORDERS[op.name]

    def function(x: Any) -> Any:
        if type(x) is Active:
            return record(x)
        if type(x) is ActiveArray:
            return elementwise(code, x)
        if type(x) is float:
            return scalar_value(code, x, 0.0)
        if type(x) is Dual:
            return dual.apply(op, x)
        return complex_function(op.ufunc or op.name, x) if is_complex(x) else elementwise(code, x)

    return function


def _binary(op: Op) -> Callable[[Any, Any], Any]:
    code, record, reflected = OPCODE[op.name], RECORDERS[op.name], REFLECTED[op.name]

    def function(x: Any, y: Any) -> Any:
        result = NotImplemented
        if type(x) is Active:
            result = record(x, y)
        elif type(y) is Active:
            result = reflected(y, x)
        elif type(x) is float and type(y) is float:
            return scalar_value(code, x, y)
        elif type(x) is Dual or type(y) is Dual:
            return _of_duals(op, x, y)
        if result is not NotImplemented:
            return result
        if is_complex(x) or is_complex(y):
            return complex_function(op.ufunc or op.name, x, y)
        return elementwise(code, x, y)

    return function


def _of_duals(op: Op, *operands: Any) -> Any:
    numbers = [x if type(x) is Dual else passive_float(x) for x in operands]
    for number, x in zip(numbers, operands):
        if number is NotImplemented:
            raise TypeError(f"{op.name} of a Dual and a {type(x).__name__}: a Dual goes with numbers and Duals")
    return dual.apply(op, *numbers)


def _document(function: Any, op: Op) -> Any:
    function.__name__ = function.__qualname__ = op.name
    operands = "xy"[: op.arity]
    partials = "; ".join(f"d/d{name} = {text}" for name, text in zip(operands, op.partials))
    edge = f"\n\n    At the edges: {op.edge}." if op.edge else ""
    function.__doc__ = (
        f"Value ``{op.value}`` of a number, array, active or active array.\n\n"
        f"    Partials (v is the value): {partials}.{edge}"
    )
    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    op.name: _document(_binary(op) if op.arity == 2 else _unary(op), op) for op in OPS if op.kind == "smooth"
}


def _power(x: Any, y: Any) -> Any:
    if not is_whole(y) or is_complex(x):
        return _general_power(x, y)
    if not isinstance(x, Active | ActiveArray | Dual):
        x = real_array(x, "pow")[()]
        x = float(x) if np.ndim(x) == 0 else x
    product = whole_power(x, abs(int(y)), FUNCTIONS["square"])
    return product if y > 0 else FUNCTIONS["reciprocal"](product)


_general_power = FUNCTIONS["pow"]
FUNCTIONS["pow"] = _document(_power, BY_NAME["pow"])  # products for small whole exponents, as x ** n makes them

# -------------------- choices --------------------


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition holds, else b; the choice is data, so a replay takes it per scenario.

    The derivative is that of the chosen operand, whatever the other one's is: ``where(x > 0, sqrt(x), 0.0)``
    has derivative 0 at 0 and at -1.

    Parameters
    ----------
    condition : Condition, ConditionArray, bool or array of bool
        What decides; a plain bool or array chooses once, when recorded.
    a, b : number, array, Active or ActiveArray
        Broadcast against each other and the condition.
    """
    if isinstance(condition, Condition):
        scalars = all(type(x) in (Active, float, int) for x in (a, b))
        return _where_scalar(condition, a, b) if scalars else _where_array(condition, a, b)
    if isinstance(condition, ConditionArray):
        return _where_array(condition, a, b)
    return _where_static(condition, a, b)


def _where_scalar(condition: Condition, a: Any, b: Any) -> Active:
    tape = condition.tape
    x, i = _scalar_operand(a, tape)
    y, j = _scalar_operand(b, tape)
    row = condition._rows()
    if i < 0 and j < 0:  # the staged row has room for one passive operand
        i = tape._append_staged(_STOP, -1, -1, x, x)
    tape._append_staged(_COND, row, -1, 0.0, float(condition.outcome))
    value = x if condition.outcome else y
    return tape._active(value, tape._append_staged(_WHERE, i, j, y if j < 0 else x, value))


def _scalar_operand(x: Any, tape: Storage) -> tuple[float, float]:
    if type(x) is not Active:
        return float(x), -1
    if x.tape is not tape:
        raise TapeError(f"condition and operands of two tapes: {tape!r} and {x.tape!r}")
    tape._check_operands(x._row)
    return x._value, x._row


def _where_array(condition: Condition | ConditionArray, a: Any, b: Any) -> Any:
    if is_complex(a) or is_complex(b):
        return COMPLEX_UFUNCS["where"](condition, a, b)
    tape = condition.tape
    parts = [operand(a), operand(b)]
    if common_tape(parts) not in (None, tape):
        raise TapeError("condition and operands of two tapes in fastad.where")
    rows = np.asarray(condition._rows(), np.int32)
    shape = broadcast(rows.shape, broadcast(parts[0][0].shape, parts[1][0].shape))
    if rows.size and isinstance(condition, ConditionArray) and extent(rows.ravel())[0] < 0:
        raise TapeError("an array of conditions without rows")
    x, y = (spread(value, shape) for value, _, _ in parts)
    i, j = (spread(index, shape) for _, index, _ in parts)
    start = tape._append_where(spread(rows, shape), i, x, j, y)
    chosen = slice(start + 1, start + 2 * x.size, 2)
    index = np.arange(start + 1, start + 2 * x.size, 2, dtype=np.int32).reshape(shape)
    result = ActiveArray(tape._columns["value"][chosen].copy().reshape(shape), index, tape)
    return result if shape else result[()]


def _where_static(condition: Any, a: Any, b: Any) -> Any:
    chosen = np.asarray(condition, dtype=bool)
    if chosen.ndim == 0 and _n_axes(a) == 0 and _n_axes(b) == 0:
        return a if chosen else b
    if is_complex(a) or is_complex(b):
        return complex_function("where", chosen, a, b)
    parts = [operand(a), operand(b)]
    tape = common_tape(parts)
    value: Any = np.where(chosen, parts[0][0], parts[1][0])
    return value if tape is None else ActiveArray(value, np.where(chosen, parts[0][1], parts[1][1]), tape)


def _n_axes(x: Any) -> int:
    return 0 if type(x) is Dual else np.ndim(getattr(x, "_value", x))


def _np_clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    lower, upper = min if a_min is None else a_min, max if a_max is None else a_max
    return +a if lower is None and upper is None else clip(a, lower, upper)


def clip(x: Any, lower: Any = None, upper: Any = None) -> Any:
    """Return x limited to [lower, upper]: minimum(maximum(x, lower), upper); None leaves a side open."""
    if lower is not None:
        x = FUNCTIONS["maximum"](x, lower)
    return x if upper is None else FUNCTIONS["minimum"](x, upper)


def value(x: Any) -> Any:
    """Return floats and arrays under any structure of actives and duals; passive structures come back unchanged.

    While recording for replay every number read leaves an equality guard, so that a frozen number can never
    be stale in a replay. Use `stop_gradient` to keep the number following the scenario.
    """
    leaves, spec = flatten(x, lambda leaf: isinstance(leaf, Dual) or is_result(leaf) or hasattr(leaf, "_complex_value"))
    return spec.unflatten([np.array(leaf.value) if isinstance(leaf, ActiveArray) else _frozen(leaf) for leaf in leaves])


def _frozen(leaf: Any) -> Any:
    if isinstance(leaf, Dual):
        return dual.primal(leaf)
    if hasattr(leaf, "_complex_value"):
        return leaf._complex_value()
    return leaf.value if isinstance(leaf, Active) else leaf


def _round(x: Any, decimals: int | None = None) -> Any:
    """Round as np.round does, ties to even; active, since the whole number may differ between scenarios.

    Numbers too large to have that many decimals come back unchanged, also where NumPy's product overflows.
    """
    rint, unchanged = FUNCTIONS["rint"], FUNCTIONS["stop_gradient"]
    places = 0 if decimals is None else operator.index(decimals)
    if places == 0:
        return rint(x)
    if abs(places) > 308:  # beyond the powers of ten that a float can hold
        return unchanged(x) if places > 0 else unchanged(x) * 0.0
    power = 10.0 ** abs(places)
    if places < 0:
        return rint(x / power) * power
    scaled = x * power
    return where(abs(scaled) < 2.0**52, rint(scaled) / power, unchanged(x))


def _divmod(x: Any, y: Any) -> Any:
    return FUNCTIONS["floordiv"](x, y), FUNCTIONS["mod"](x, y)


setattr(Active, "__round__", _round)  # noqa: B010
setattr(Dual, "__round__", _round)  # noqa: B010
setattr(ActiveArray, "__round__", _round)  # noqa: B010
setattr(ActiveArray, "round", _round)  # noqa: B010


# -------------------- NumPy's protocols --------------------

_OPERATORS = {"__lt__": operator.lt, "__le__": operator.le, "__gt__": operator.gt, "__ge__": operator.ge}
_OPERATORS |= {"__eq__": operator.eq, "__ne__": operator.ne}


def _comparison(op: Op) -> Callable[[Any, Any], Any]:
    compare = _OPERATORS[op.dunder or ""]
    code = OPCODE[op.name]

    def function(x: Any, y: Any) -> Any:
        operands = [a if type(a) in (Active, Dual) else passive_float(a) for a in (x, y)]
        if any(a is NotImplemented for a in operands):
            return elementwise(code, x, y)
        return compare(*operands)

    return function


def _test(op: Op) -> Callable[[Any], Any]:
    """A condition of one operand: a Condition of an active, else a bool or an array of them."""
    code = OPCODE[op.name]

    def function(x: Any) -> Any:
        if type(x) is Active:
            return Condition(x.tape, code, x._row, -1, 0.0, bool(scalar_value(code, x._value, 0.0)))
        result = elementwise(code, dual.primal(x))
        return result if isinstance(result, ConditionArray) else np.asarray(result, dtype=bool)[()]

    return _document(function, op)


TESTS: dict[str, Callable[[Any], Any]] = {
    op.name: _test(op)
    for op in OPS
    if op.kind == "condition" and op.ufunc and op.arity == 1 and op.name != "logical_not"
}
UFUNCS.update(TESTS)
UFUNCS.update({op.ufunc: FUNCTIONS[op.name] for op in OPS if op.ufunc and op.name in FUNCTIONS})
UFUNCS.update({op.ufunc: _comparison(op) for op in OPS if op.ufunc and op.dunder in _OPERATORS})
UFUNCS["divmod"] = _divmod
ARRAY_FUNCTIONS.update({np.where: where, np.clip: _np_clip})
ARRAY_FUNCTIONS.update({np.round: _round, np.around: _round})
