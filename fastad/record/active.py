"""The overloaded scalar. Recording is the only hot Python, so the operators are made from one template.

Each operator computes its value, stages five numbers and returns; a kernel computes the partials when the
stage is flushed. Values of anything beyond plain arithmetic come from the compiled rule of the table, so
that recording, replay and njit give the same bits.
"""

from __future__ import annotations

import ast
import numbers
import sys
from typing import Any

import numpy as np

from ..errors import TapeError
from ..kernels.rows import scalar_value
from ..ops import OPCODE, OPS, Op
from ..structure import refuse_foreign
from .condition import Condition
from .dispatch import array_function, array_ufunc, beyond_reals, no_array
from .operators import Operators
from .storage import Storage

NO_FLOAT = "an Active has no float value here; use fad.exp / np.exp, or fad.value(a) to freeze it"
_MEAN = "; a mean of actives is sum(v) / len(v)"
_NO_ARRAY = (
    "np.array of actives would be an object array; use fad.array([...]). Functions outside NumPy ask for one, too: "
    "take those of fastad in place of scipy.stats, such as fad.norm_cdf, or fad.custom"
)
_SAME = OPCODE["same"]
_FLOAT64 = np.dtype(np.float64)


class Active(Operators):
    """Scalar that records every operation on it.

    Attributes
    ----------
    value : float
        The number. While recording for replay, reading it leaves an equality guard, so that a number frozen
        into a recording cannot be stale when it is replayed.
    index : int
        Row of the tape.
    tape : Tape
        Where it is recorded.

    Notes
    -----
    Comparisons give a `Condition`, whose truth is a guard. Actives are unhashable, since equality is data;
    ``copy`` and ``deepcopy`` return the same object. Not registered as ``numbers.Real``, because code that
    asks for one goes on to call ``float``.
    """

    __slots__ = ("_row", "_value", "tape")
    __hash__ = None  # type: ignore[assignment]

    _value: float
    _row: float  # a float, as the stage takes it; see Storage
    tape: Storage

    def __init__(self) -> None:
        raise TypeError("actives come from tape.input(...) or from a function being differentiated")

    @property
    def value(self) -> float:
        """The number; leaves an equality guard while recording for replay."""
        if self.tape._freezing_guards:
            self._freeze()
        return self._value

    @property
    def index(self) -> int:
        """Row of the tape."""
        return int(self._row)

    def _freeze(self) -> None:
        """Guard that a replay sees this very number (NaN and the sign of zero included)."""
        condition = Condition(self.tape, _SAME, self._row, -1, self._value, True)
        self.tape._append_guard(condition._rows(), True, sys._getframe(1))

    @property
    def real(self) -> Active:
        """The number itself, as of a float."""
        return self

    @property
    def imag(self) -> float:
        """Zero."""
        return 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """No axes, as of a number of NumPy."""
        return ()

    @property
    def ndim(self) -> int:
        """Number of axes: 0."""
        return 0

    @property
    def size(self) -> int:
        """Number of elements: 1."""
        return 1

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """Type of the number: float64."""
        return _FLOAT64

    def conjugate(self) -> Active:
        """Return the number itself."""
        return self

    def _rows(self) -> int:
        return self.index

    def _plain(self) -> float:
        return self._value

    # -------------------- what a float has and an Active refuses --------------------

    def __float__(self) -> float:
        in_fmean = sys._getframe(1).f_globals.get("__name__") == "statistics"
        raise TypeError(NO_FLOAT + _MEAN if in_fmean else NO_FLOAT)

    def __int__(self) -> int:
        raise TypeError(NO_FLOAT)

    def __index__(self) -> int:
        raise TypeError(NO_FLOAT)

    def __complex__(self) -> complex:
        raise TypeError(NO_FLOAT)

    def as_integer_ratio(self) -> tuple[int, int]:
        """Refuse to be exact, which is what statistics.mean asks for."""
        raise TypeError(NO_FLOAT + _MEAN)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise no_array(_NO_ARRAY)

    def __reduce__(self) -> Any:
        raise TypeError("an Active cannot be pickled without its tape; pickle the Program instead")

    # -------------------- the rest of a number --------------------

    def __bool__(self) -> bool:
        return bool(self != 0.0)

    def __pos__(self) -> Active:
        return self

    def __copy__(self) -> Active:
        return self

    def __deepcopy__(self, memo: Any) -> Active:
        return self

    def __format__(self, spec: str) -> str:
        return format(self._value, spec)

    def __repr__(self) -> str:
        return f"Active({self._value!r})"

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_function(func, args, kwargs, self)


def passive_float(value: Any) -> Any:
    """Return a real number or a 0-d array as a float, NotImplemented for anything else."""
    if isinstance(value, numbers.Real):
        return float(value)
    refuse_foreign(value, "operand")
    if isinstance(value, np.bool_) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiub"
    ):
        return float(value)
    return NotImplemented


def two_tapes(a: Storage, b: Storage) -> TapeError:
    """Return the error for values of two tapes meeting in one operation."""
    return TapeError(f"values of two tapes in one operation: {a!r} and {b!r}; use one tape, or fad.value(x) to freeze")


# -------------------- operators from the table --------------------

_TEMPLATE_BINARY = """
def {name}(self, other):
    tape = self.tape
    row = tape._next
    i = self._row
    active = new(Active)
    if type(other) is Active:
        if other.tape is not tape:
            raise two_tapes(tape, other.tape)
        j = other._row
        if row >= tape._limit or not i < row > j:
            row = tape._check(i, j)
        x = self._value
        y = other._value
        active._value = value = {value}
        tape._stage += ({code}, i, j, 0.0, value)
    else:
        y = other if type(other) is float else passive_float(other)
        if y is NotImplemented:
            return beyond_reals("{name}", self, other)
        if row >= tape._limit or i >= row:
            row = tape._check(i, -1.0)
        x = self._value
        active._value = value = {value}
        tape._stage += ({code}, i, -1.0, y, value)
    tape._next = row + 1.0
    active._row = row
    active.tape = tape
    return active
"""

_TEMPLATE_REFLECTED = """
def {name}(self, other):
    tape = self.tape
    row = tape._next
    j = self._row
    x = other if type(other) is float else passive_float(other)
    if x is NotImplemented:
        return beyond_reals("{name}", self, other)
    if row >= tape._limit or j >= row:
        row = tape._check(j, -1.0)
    y = self._value
    active = new(Active)
    active._value = value = {value}
    tape._stage += ({code}, -1.0, j, x, value)
    tape._next = row + 1.0
    active._row = row
    active.tape = tape
    return active
"""

_TEMPLATE_UNARY = """
def {name}(self):
    tape = self.tape
    row = tape._next
    i = self._row
    if row >= tape._limit or i >= row:
        row = tape._check(i, -1.0)
    x = self._value
    active = new(Active)
    active._value = value = {value}
    tape._stage += ({code}, i, -1.0, 0.0, value)
    tape._next = row + 1.0
    active._row = row
    active.tape = tape
    return active
"""

_TEMPLATE_COMPARISON = """
def {name}(self, other):
    tape = self.tape
    if type(other) is Active:
        if other.tape is not tape:
            raise two_tapes(tape, other.tape)
        return Condition(tape, {code}, self._row, other._row, 0.0, self._value {symbol} other._value)
    y = other if type(other) is float else passive_float(other)
    if y is NotImplemented:
        return NotImplemented
    return Condition(tape, {code}, self._row, -1, y, self._value {symbol} y)
"""

_SYMBOLS = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">=", "__eq__": "==", "__ne__": "!="}
_NAMESPACE = {
    "__name__": __name__,  # by which lines.py knows fastad's own frames
    "Active": Active,
    "Condition": Condition,
    "beyond_reals": beyond_reals,
    "new": object.__new__,
    "passive_float": passive_float,
    "two_tapes": two_tapes,
    "scalar_value": scalar_value,
}


def _python_value(op: Op) -> str:
    """Expression for the value in Python: the rule itself where Python computes the same bits."""
    plain = ast.Expression | ast.BinOp | ast.UnaryOp | ast.Name | ast.Load | ast.Add | ast.Sub | ast.Mult | ast.USub
    if all(isinstance(node, plain) for node in ast.walk(ast.parse(op.value, mode="eval"))):
        return op.value
    compiled = f"scalar_value({OPCODE[op.name]}, x, {'y' if op.arity == 2 else '0.0'})"
    # x / 0.0 raises in Python and is inf or NaN in the rule; every other quotient has the same bits.
    return f"x / y if y else {compiled}" if op.name == "div" else compiled


def _define(template: str, name: str, **fields: object) -> Any:
    namespace: dict[str, Any] = {}
    exec(template.format(name=name, **fields), _NAMESPACE, namespace)
    return namespace[name]


def recorder(op: Op) -> Any:
    """Return the function that records a unary or binary operation whose first operand is active."""
    template = _TEMPLATE_BINARY if op.arity == 2 else _TEMPLATE_UNARY
    return _define(template, op.dunder or op.name, code=float(OPCODE[op.name]), value=_python_value(op))


def reflected_recorder(op: Op) -> Any:
    """Return the function that records a binary operation of a passive and an active operand."""
    name = f"__r{op.dunder.strip('_')}__" if op.dunder else op.name
    return _define(_TEMPLATE_REFLECTED, name, code=float(OPCODE[op.name]), value=_python_value(op))


RECORDERS: dict[str, Any] = {op.name: recorder(op) for op in OPS if op.kind == "smooth"}
REFLECTED: dict[str, Any] = {op.name: reflected_recorder(op) for op in OPS if op.kind == "smooth" and op.arity == 2}

for _op in OPS:
    if _op.dunder in _SYMBOLS:
        _method = _define(_TEMPLATE_COMPARISON, _op.dunder, code=OPCODE[_op.name], symbol=_SYMBOLS[_op.dunder])
        setattr(Active, _op.dunder, _method)
    elif _op.dunder:
        setattr(Active, _op.dunder, RECORDERS[_op.name])
        if _op.arity == 2:
            setattr(Active, f"__r{_op.dunder.strip('_')}__", REFLECTED[_op.name])


# -------------------- special cases --------------------
# x ** n is made of products for small whole n: exact to a few roundings, and several times cheaper than pow in a
# replay. Binary powering: 3 rows for x ** 8.
LARGEST_PRODUCT = 32


def whole_power(x: Any, n: int, square: Any) -> Any:
    """Return x ** n for 0 < n by products, of anything that multiplies."""
    if n == 1:
        return +x  # an array of its own, which may be written into
    result = None
    while True:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        if not n:
            return result
        x = square(x)


def is_whole(exponent: Any) -> bool:
    """Whether an exponent makes products: a whole number of any type, or a 0-d array of one."""
    if type(exponent) not in (int, float):
        exponent = NotImplemented if type(exponent) is Active else passive_float(exponent)
    return exponent is not NotImplemented and 0 < abs(exponent) <= LARGEST_PRODUCT and exponent == int(exponent)


def _pow(self: Active, exponent: Any, modulo: Any = None) -> Any:
    if modulo is not None:
        raise TypeError("pow with a modulus is for integers")
    if not is_whole(exponent):
        return RECORDERS["pow"](self, exponent)
    product = whole_power(self, abs(int(exponent)), RECORDERS["square"])
    return product if exponent > 0 else RECORDERS["reciprocal"](product)


def _divmod(self: Active, other: Any) -> Any:
    return self // other, self % other


def _reflected_divmod(self: Active, other: Any) -> Any:
    return other // self, other % self


_SPECIAL_METHODS = {
    "__divmod__": _divmod,
    "__rdivmod__": _reflected_divmod,
    "__pow__": _pow,
    "__floor__": RECORDERS["floor"],
    "__ceil__": RECORDERS["ceil"],
    "__trunc__": RECORDERS["trunc"],
}
for _name, _function in _SPECIAL_METHODS.items():
    setattr(Active, _name, _function)
