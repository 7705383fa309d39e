"""Results of comparing actives: data for ``where``, and a guard where their truth is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TapeError
from ..kernels.bulk import highest
from ..ops import OPCODE, OPS
from .dispatch import array_function, array_ufunc
from .storage import Storage

_NOT_EQUAL = OPCODE["not_equal"]
_AND, _OR, _NOT = OPCODE["logical_and"], OPCODE["logical_or"], OPCODE["logical_not"]

_NO_NUMBER = (
    "a Condition is no number and has no derivative; choose with fad.where(condition, 1.0, 0.0), branch with if, "
    "combine with & | ~"
)
_LOGICAL: tuple[str, ...] = ("logical_and", "logical_or", "logical_xor", "logical_not")
_LOGICAL += ("bitwise_and", "bitwise_or", "bitwise_xor", "invert")


class _NoNumber:
    """What a bool does as a number, and what would be an object array or a comparison that is always False."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]
    __pandas_priority__ = 10_000

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc.__name__ not in _LOGICAL:
            raise TypeError(_NO_NUMBER)
        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[np.bool_]:
        if dtype is None or np.dtype(dtype) != np.bool_:
            raise TypeError(_NO_NUMBER)
        return np.array(self._guarded())

    def _guarded(self) -> Any:
        """Truth, with a guard: Python is about to depend on it."""
        raise NotImplementedError

    def _refuse(self, *operands: Any) -> Any:
        raise TypeError(_NO_NUMBER)


_REFUSED = ["__eq__", "__ne__", "__float__", "__int__", "__index__"]
for _op in OPS:
    if _op.kind == "smooth" and _op.dunder:
        _REFUSED += [_op.dunder, f"__r{_op.dunder.strip('_')}__"][: _op.arity]
for _name in _REFUSED:
    setattr(_NoNumber, _name, _NoNumber._refuse)


def refuse_condition(x: Any, what: str) -> None:
    """Raise TypeError for a condition where a number is needed."""
    if isinstance(x, _NoNumber):
        raise TypeError(f"{what}: {_NO_NUMBER}")


class Condition(_NoNumber):
    """Comparison of two scalars, at least one of them active.

    Only its truth (``if``, ``while``, ``and``, ``or``, ``not``, ``bool``) records a guard: a row that a replay
    compares. ``&``, ``|``, ``~`` combine conditions without one, and `fastad.where` takes it as data.
    """

    __slots__ = ("_arg0", "_arg1", "_code", "_epoch", "_passive", "_row", "outcome", "tape")

    def __init__(self, tape: Storage, code: int, arg0: float, arg1: float, passive: float, outcome: bool) -> None:
        self.tape = tape
        self.outcome = outcome
        self._code = code
        self._arg0 = arg0
        self._arg1 = arg1
        self._passive = passive
        self._row = -1
        self._epoch = tape._epoch

    def _rows(self) -> int:
        """Row of the condition, recorded when it is first needed, and again where a rewind may have dropped it."""
        if self._row < 0 or self._epoch != self.tape._epoch:
            self._epoch = self.tape._epoch
            self.tape._check_operands(self._arg0, self._arg1)
            value = float(self.outcome)
            self._row = self.tape._append_staged(self._code, self._arg0, self._arg1, self._passive, value)
        return self._row

    def __bool__(self) -> bool:
        if self.tape._guards:
            self.tape._append_guard(self._rows(), self.outcome, sys._getframe(1))
        return self.outcome

    _guarded = __bool__

    def _combine(self, other: Any, code: int, outcome: bool) -> Condition:
        if other.tape is not self.tape:
            raise TapeError(f"conditions of two tapes in one operation: {self.tape!r} and {other.tape!r}")
        return Condition(self.tape, code, self._rows(), other._rows(), 0.0, outcome)

    def __and__(self, other: Any) -> Any:
        if isinstance(other, bool | np.bool_):
            return self if other else False
        if not isinstance(other, Condition):
            return NotImplemented
        return self._combine(other, _AND, self.outcome and other.outcome)

    def __or__(self, other: Any) -> Any:
        if isinstance(other, bool | np.bool_):
            return True if other else self
        if not isinstance(other, Condition):
            return NotImplemented
        return self._combine(other, _OR, self.outcome or other.outcome)

    __rand__ = __and__
    __ror__ = __or__

    def _as_array(self) -> ConditionArray:
        """A 0-d array of it."""
        return ConditionArray(self.tape, np.array(self._rows(), np.int32), np.array(self.outcome))

    def __invert__(self) -> Condition:
        return Condition(self.tape, _NOT, self._rows(), -1, 0.0, not self.outcome)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_function(func, args, kwargs)

    def __copy__(self) -> Condition:
        return self

    def __deepcopy__(self, memo: Any) -> Condition:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Condition cannot be pickled without its tape; pickle the Program instead")

    def __repr__(self) -> str:
        return f"Condition({self.outcome})"


def _plain_bool(x: Any) -> Any:
    return x if isinstance(x, np.ndarray) else bool(x)


class ConditionArray(_NoNumber):
    """Elementwise comparison of arrays, at least one of them active; its rows are recorded at once.

    ``a[mask]``, ``.any()`` and ``.all()`` and iteration followed by ``if`` record guards.
    """

    __slots__ = ("_index", "outcome", "tape")

    def __init__(self, tape: Storage, index: NDArray[np.int32], outcome: NDArray[np.bool_]) -> None:
        self.tape = tape
        self.outcome = outcome
        self._index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of conditions."""
        return self.outcome.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.outcome.ndim

    @property
    def size(self) -> int:
        """Number of conditions."""
        return self.outcome.size

    def __len__(self) -> int:
        return len(self.outcome)

    def _as_array(self) -> ConditionArray:
        return self

    def _moved(self, call: Callable[..., Any], *others: ConditionArray) -> ConditionArray:
        """Conditions as a call moves the elements of arrays."""
        index = call(self._index, *(other._index for other in others))
        return ConditionArray(self.tape, index, call(self.outcome, *(other.outcome for other in others)))

    def _rows(self) -> NDArray[np.int32]:
        """Rows of the conditions; raises where a rewind has dropped them."""
        self.tape._check_operands(highest(self._index))
        return self._index

    def _guarded(self) -> NDArray[np.bool_]:
        """Outcomes, with a guard for each: Python is about to depend on them."""
        index = self._rows()
        if self.tape._guards:
            frame = sys._getframe(2)
            for row, outcome in zip(index.ravel().tolist(), self.outcome.ravel().tolist()):
                self.tape._append_guard(row, outcome, frame)
        return self.outcome

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """Whether any element holds; records guards. ``np.logical_or.reduce`` records none."""
        return _plain_bool(self._guarded().any(axis=axis, keepdims=keepdims))

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """Whether all elements hold; records guards. ``np.logical_and.reduce`` records none."""
        return _plain_bool(self._guarded().all(axis=axis, keepdims=keepdims))

    def __bool__(self) -> bool:
        if self.outcome.size == 1:
            return self.all()
        raise ValueError("the truth of an array of conditions is ambiguous: use .any(), .all(), or fastad.where")

    def __getitem__(self, item: Any) -> Any:
        index = self._rows()[item]
        if np.ndim(index):
            return ConditionArray(self.tape, index, self.outcome[item])
        return Condition(self.tape, _NOT_EQUAL, int(index), -1, 0.0, bool(self.outcome[item]))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def _combine(self, other: Any, code: int) -> Any:
        if isinstance(other, Condition):
            other = other._as_array()
        if isinstance(other, bool | np.bool_ | np.ndarray):
            outcome = np.asarray(other, dtype=bool)
            index = np.full(outcome.shape, -1, np.int32)
        elif isinstance(other, ConditionArray):
            if other.tape is not self.tape:
                raise TapeError(f"conditions of two tapes in one operation: {self.tape!r} and {other.tape!r}")
            index, outcome = other._rows(), other.outcome
        else:
            return NotImplemented
        shape = np.broadcast_shapes(self.shape, outcome.shape)
        operands: list[NDArray[Any]] = []
        for rows, outcomes in ((self._rows(), self.outcome), (index, outcome)):
            operands.append(np.broadcast_to(rows, shape).ravel())
            operands.append(np.broadcast_to(outcomes, shape).astype(np.float64).ravel())
        start = self.tape._append_elementwise(code, *operands)
        rows = np.arange(start, start + operands[0].size, dtype=np.int32).reshape(shape)
        combine = np.logical_and if code == _AND else np.logical_or
        return ConditionArray(self.tape, rows, combine(self.outcome, outcome))

    def __and__(self, other: Any) -> Any:
        return self._combine(other, _AND)

    def __or__(self, other: Any) -> Any:
        return self._combine(other, _OR)

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> ConditionArray:
        passive = np.full(self._rows().size, -1, np.int32)
        values = self.outcome.astype(np.float64).ravel()
        start = self.tape._append_elementwise(_NOT, self._index.ravel(), values, passive, np.zeros(values.size))
        rows = np.arange(start, start + values.size, dtype=np.int32).reshape(self.shape)
        return ConditionArray(self.tape, rows, ~self.outcome)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_function(func, args, kwargs)

    def __copy__(self) -> ConditionArray:
        return self

    def __deepcopy__(self, memo: Any) -> ConditionArray:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a ConditionArray cannot be pickled without its tape; pickle the Program instead")

    def __repr__(self) -> str:
        return f"ConditionArray({self.outcome!r})"
