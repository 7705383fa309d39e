"""n-d arrays of actives: a value and a row per element, -1 where the element is passive.

An element that depends on no input is a plain number: indexing returns a float for it.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels import elementwise as kernels
from ..kernels.bulk import highest
from ..ops import OPCODE, OPS
from ..structure import real_array, refuse_foreign
from .active import Active, is_whole, two_tapes, whole_power
from .condition import Condition, ConditionArray
from .dispatch import array_function, array_ufunc, beyond_reals, is_complex, no_array
from .operators import Operators
from .storage import Storage

_SAME = OPCODE["same"]
_IS_CONDITION = [op.kind == "condition" for op in OPS]
Axis = int | tuple[int, ...] | None


class ActiveArray(Operators):
    """Array of actives with NumPy's indexing, views and broadcasting.

    Attributes
    ----------
    value : ndarray
        Read-only view of the numbers; reading it while recording for replay leaves an equality guard for
        every active element.
    index : ndarray
        Read-only view of the rows (int32), -1 for passive elements.
    tape : Tape
        Where the elements are recorded.
    """

    __slots__ = ("_index", "_value", "tape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: NDArray[np.float64], index: NDArray[np.int32], tape: Storage) -> None:
        self._value = value
        self._index = index
        self.tape = tape

    # -------------------- views --------------------

    @property
    def value(self) -> NDArray[np.float64]:
        """The numbers, read-only."""
        if self.tape._freezing_guards:
            frame = sys._getframe(1)
            for row, number in zip(self._index.ravel().tolist(), self._value.ravel().tolist()):
                if row >= 0:
                    condition = Condition(self.tape, _SAME, row, -1, number, True)
                    self.tape._append_guard(condition._rows(), True, frame)
        return _read_only(self._value)

    @property
    def index(self) -> NDArray[np.int32]:
        """The rows, read-only."""
        return _read_only(self._index)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, as in NumPy."""
        return self._value.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._value.size

    @property
    def T(self) -> ActiveArray:
        """Transposed view."""
        return ActiveArray(self._value.T, self._index.T, self.tape)

    def reshape(self, *shape: Any, **order: Any) -> ActiveArray:
        """View with another shape where NumPy gives one, else a copy."""
        return ActiveArray(self._value.reshape(*shape, **order), self._index.reshape(*shape, **order), self.tape)

    def ravel(self, order: Any = "C") -> ActiveArray:
        """View with one axis where NumPy gives one, else a copy."""
        return ActiveArray(self._value.ravel(order), self._index.ravel(order), self.tape)

    def copy(self) -> ActiveArray:
        """Array with elements of its own; the rows are the same."""
        return ActiveArray(self._value.copy(), self._index.copy(), self.tape)

    def _rows(self) -> NDArray[np.int32]:
        return self._index

    @property
    def _last_row(self) -> int:
        return highest(self._index)

    def _plain(self) -> NDArray[np.float64]:
        return self._value.copy()

    def _write(self, item: Any) -> ActiveArray:
        """Take a result of this very shape, as ``out=`` of NumPy's functions."""
        shape = np.shape(getattr(item, "_value", item))
        if shape != self.shape:
            raise ShapeError(f"out= of shape {self.shape} for a result of shape {shape}")
        self[...] = item
        return self

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim != 1:
            return (self[i] for i in range(len(self)))
        return map(self._element, self._value.tolist(), self._index.tolist())

    def _element(self, value: float, row: int) -> Any:
        return self.tape._active(value, row) if row >= 0 else value

    def __getitem__(self, key: Any) -> Any:
        key = _passive_key(key)
        value = self._value[key]
        if isinstance(value, np.ndarray):
            return ActiveArray(value, self._index[key], self.tape)
        return self._element(float(value), int(self._index[key]))

    def __setitem__(self, key: Any, item: Any) -> None:
        value, index, tape = operand(item)
        if tape is not None and tape is not self.tape:
            raise two_tapes(self.tape, tape)
        key = _passive_key(key)
        self._value[key] = value
        self._index[key] = index

    # -------------------- arithmetic --------------------

    def sum(self, axis: Axis = None, *, keepdims: bool = False, **more: Any) -> Any:
        """Sum over all elements or along axes, added in C order; ``initial``, ``where``, ``out`` as in NumPy."""
        if more:
            return array_function(np.sum, (self, axis), {"keepdims": keepdims, **more})
        whole = axis is None or (self.ndim == 1 and type(axis) is int and -1 <= axis <= 0)
        if whole and not keepdims:
            if _is_plain_vector(self):
                return self._element(*self.tape._append_sum(self._index, self._value))
            return self._element(*self.tape._append_sum(plain(self._index.ravel()), plain(self._value.ravel())))
        axes = axes_of(axis, self.ndim)
        kept = tuple(n for n in range(self.ndim) if n not in axes)
        shape, count = tuple(self.shape[n] for n in kept), _count(self.shape, axes)
        matrix = (math.prod(shape), count)
        value = plain(self._value.transpose(kept + axes)).reshape(matrix)
        index = plain(self._index.transpose(kept + axes)).reshape(matrix)
        if keepdims:
            shape = tuple(1 if n in axes else self.shape[n] for n in range(self.ndim))
        sums, rows = self.tape._append_sums(index, value)
        return ActiveArray(sums.reshape(shape), rows.reshape(shape), self.tape)[()]

    def mean(self, axis: Axis = None, *, keepdims: bool = False, **more: Any) -> Any:
        """Sum divided by the number of elements."""
        if more:
            return array_function(np.mean, (self, axis), {"keepdims": keepdims, **more})
        count = self.size if axis is None else _count(self.shape, axes_of(axis, self.ndim))
        return self.sum(axis, keepdims=keepdims) / count

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError("the truth of an array is ambiguous: compare it and use .any() or .all()")
        return bool(self.ravel()[0] != 0.0)

    def __float__(self) -> float:
        raise TypeError("an ActiveArray has no float value; use fad.value(a) to freeze it")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise no_array(
            "an ActiveArray cannot become a float array: its rows would be lost; use fad.value(a) to freeze it, "
            "assign into fad.zeros(shape, like=a), or join arrays by fad.array([a, b]) and np.concatenate, which "
            "np.array, np.r_ and np.c_ cannot do"
        )

    def __reduce__(self) -> Any:
        raise TypeError("an ActiveArray cannot be pickled without its tape; pickle the Program instead")

    def __copy__(self) -> ActiveArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ActiveArray:
        return self.copy()

    if TYPE_CHECKING:  # what methods.py attaches

        def __getattr__(self, name: str) -> Any: ...

    def __repr__(self) -> str:
        return f"ActiveArray({np.array2string(self._value, separator=', ')})"

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_function(func, args, kwargs, self)

    def __pos__(self) -> ActiveArray:
        return self.copy()


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Axes from 0 in ascending order, all for None."""
    return tuple(range(ndim)) if axis is None else tuple(sorted(normalize_axis_tuple(axis, ndim, "axis")))


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """Number of elements along some axes."""
    return math.prod(shape[n] for n in axes)


def _passive_key(key: Any) -> Any:
    """A mask of conditions as booleans, with a guard for each: the shape of the result depends on them."""
    if isinstance(key, tuple):
        return tuple(map(_passive_key, key))
    return key._guarded() if isinstance(key, ConditionArray) else key


_PASSIVE = np.full((), -1, np.int32)
_NOTHING = np.zeros(()), _PASSIVE, None  # in place of a second operand
_NO_NUMBER, _NO_ROW, _NUMBER = np.zeros(1), np.full(1, -1, np.int32), {float, int}


def operand(x: Any, copy: bool = True) -> tuple[NDArray[np.float64], NDArray[np.int32], Storage | None]:
    """Values, rows and tape of an operand; passive ones have rows -1 and no tape, and are not copied if only read."""
    if type(x) is ActiveArray:
        return x._value, x._index, x.tape
    if isinstance(x, Active):
        return np.array(x._value), np.array(x.index, np.int32), x.tape
    if type(x) is float or type(x) is int:
        return np.array(float(x)), _PASSIVE, None
    if isinstance(x, list | tuple):
        x = array(x)
        return operand(x)
    values = real_array(x, "operand", copy=copy)
    return plain(values), np.full(values.shape, -1, np.int32), None


def elementwise(code: int, first: Any, *rest: Any) -> Any:
    """Apply an operation of the table with broadcasting; passive elements leave no row."""
    second: Any = rest[0] if rest else None
    if not _IS_CONDITION[code]:
        if (not rest or type(second) in _NUMBER) and _is_plain_vector(first):
            return _with_number(code, first, second, False)
        if type(first) in _NUMBER and _is_plain_vector(second):
            return _with_number(code, second, first, True)
    x, i, tape = operand(first, copy=False)
    y, j, other = operand(rest[0], copy=False) if rest else _NOTHING
    if tape is None:
        tape = other
    elif other is not None and other is not tape:
        raise two_tapes(tape, other)
    shape = broadcast(x.shape, y.shape)
    if tape is None:
        out = kernels.evaluate(code, *(np.broadcast_to(value, shape).ravel() for value in (x, y))).reshape(shape)
        return out if shape else float(out)
    if _IS_CONDITION[code]:
        tape._check_operands(highest(i), highest(j))
        return _conditions(tape, code, spread(i, shape), spread(x, shape), spread(j, shape), spread(y, shape), shape)
    value, index = np.empty(shape), np.empty(shape, np.int32)
    if len(shape) == 1 and x.shape == y.shape == shape and x.flags.carray and y.flags.carray:  # 1 us faster than below
        tape._record_elementwise(code, i, x, j, y, value, index)
        return ActiveArray(value, index, tape)
    tape._record_elementwise(
        code, _flat(i, shape), _flat(x, shape), _flat(j, shape), _flat(y, shape), value.reshape(-1), index.reshape(-1)
    )
    result = ActiveArray(value, index, tape)
    return result if shape else result[()]


def _is_plain_vector(x: Any) -> bool:
    return type(x) is ActiveArray and x._value.ndim == 1 and x._value.flags.carray and x._index.flags.carray


def _with_number(code: int, array: ActiveArray, number: float | None, is_first: bool) -> ActiveArray:
    """`elementwise` of a vector and a number, or of a vector alone: 2 us faster than in general, of 6."""
    x, i = array._value, array._index
    y = _NO_NUMBER if number is None else np.array([float(number)])
    value, index = np.empty(x.size), np.empty(x.size, np.int32)
    if is_first:
        array.tape._record_elementwise(code, _NO_ROW, y, i, x, value, index)
    else:
        array.tape._record_elementwise(code, i, x, _NO_ROW, y, value, index)
    return ActiveArray(value, index, array.tape)


def broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """``np.broadcast_shapes``, which takes microseconds, with the commonest answers written out."""
    if one == other or other == ():
        return one
    return other if one == () else np.broadcast_shapes(one, other)


def spread(part: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Elements of an operand, one for each of a result's; as a vector, not to be written to."""
    if part.shape == shape:
        return plain(part.ravel())
    if part.size == 1:
        return np.full(math.prod(shape), part.item(), part.dtype)
    return plain(np.broadcast_to(part, shape).ravel())


def plain(part: NDArray[Any]) -> NDArray[Any]:
    """The array itself, or a copy of one that is read-only or strided: to numba a type to compile kernels for again."""
    return part if part.flags.carray else part.copy()


def _flat(part: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Elements of an operand in the order of a result's; a single one stays single."""
    if part.shape != shape and part.size != 1:
        part = np.broadcast_to(part, shape)
    return plain(part.reshape(-1))


def _conditions(
    tape: Storage, code: int, i: NDArray[Any], x: NDArray[Any], j: NDArray[Any], y: NDArray[Any], shape: tuple[int, ...]
) -> ConditionArray:
    start = tape._append_elementwise(code, i, x, j, y)
    outcome = tape._columns["value"][start : start + x.size] != 0.0
    index = np.arange(start, start + x.size, dtype=np.int32)
    return ConditionArray(tape, index.reshape(shape), outcome.reshape(shape))


def common_tape(parts: list[tuple[Any, NDArray[np.int32], Storage | None]]) -> Storage | None:
    """Return the tape of the operands, None when all are passive; checks that rows are still there."""
    tape: Storage | None = None
    for _, index, other in parts:
        if other is None:
            continue
        if tape is not None and other is not tape:
            raise two_tapes(tape, other)
        tape = other
        tape._check_operands(highest(index))
    return tape


# -------------------- making arrays --------------------


def array(x: Any) -> Any:
    """Return an array of nested sequences of actives and numbers: active if an element is, else float64.

    Raises
    ------
    ShapeError
        The sequences are ragged.
    """
    if isinstance(x, ActiveArray):
        return x.copy()
    if isinstance(x, np.ndarray) or not isinstance(x, list | tuple):
        return real_array(x, "array") if not isinstance(x, Active) else stack([x])[0]
    return stack([array(item) if isinstance(item, list | tuple) else item for item in x])


def stack(items: Any) -> Any:
    """Return the items (actives, numbers or arrays of one shape) along a new leading axis."""
    parts = [operand(item) for item in items]
    if len({value.shape for value, _, _ in parts}) > 1:
        raise ShapeError(f"items of different shapes: {[value.shape for value, _, _ in parts]}")
    value = np.array([value for value, _, _ in parts], dtype=np.float64)
    tape = common_tape(parts)
    if tape is None:
        return value
    return ActiveArray(value, np.array([index for _, index, _ in parts], dtype=np.int32), tape)


def flat(items: Any) -> Any:
    """Return the elements of numbers, arrays and actives, one after the other, as one vector."""
    parts = [operand(item) for item in items]
    values = np.concatenate([np.empty(0), *(value.ravel() for value, _, _ in parts)])
    tape = common_tape(parts)
    if tape is None:
        return values
    return ActiveArray(values, np.concatenate([index.ravel() for _, index, _ in parts]), tape)


def zeros(shape: int | tuple[int, ...], like: Any = None) -> Any:
    """Return zeros that actives can be assigned into, on the tape of ``like``; a float array if it is passive."""
    tape = getattr(like, "tape", None)
    if tape is None:
        return np.zeros(shape)
    return ActiveArray(np.zeros(shape), np.full(shape, -1, np.int32), tape)


# -------------------- operators from the table --------------------


_COMMONEST = {ActiveArray, float, Active, int}
_SUPPORTED = (np.ndarray, list, tuple, np.number, np.bool_, *_COMMONEST)  # a tuple is asked faster than a union


def _supported(other: Any) -> bool:
    if type(other) in _COMMONEST:
        return True
    if is_complex(other):
        return False
    if isinstance(other, _SUPPORTED):
        return True
    refuse_foreign(other, "operand")
    return False


def _operator(code: int, reflected: bool = False) -> Any:
    dunder = OPS[code].dunder or ""
    dunder = f"__r{dunder.strip('_')}__" if reflected else dunder

    def method(self: ActiveArray, other: Any) -> Any:
        if not _supported(other):
            return beyond_reals(dunder, self, other)
        return elementwise(code, other, self) if reflected else elementwise(code, self, other)

    return method


def _in_place(function: Any) -> Any:
    """``a += b`` writes through views, as in NumPy."""

    def method(self: ActiveArray, other: Any) -> Any:
        if is_complex(other):
            raise TypeError("a complex number does not go into a real array: write a = a + z, which makes another one")
        if not _supported(other):
            return NotImplemented
        self[...] = function(self, other)
        return self

    return method


def _unary_operator(code: int) -> Any:
    return lambda self: elementwise(code, self)


for _code, _op in enumerate(OPS):
    if _op.dunder and _op.arity == 1:
        setattr(ActiveArray, _op.dunder, _unary_operator(_code))
    elif _op.dunder:
        setattr(ActiveArray, _op.dunder, _operator(_code))
        if _op.kind == "smooth":
            setattr(ActiveArray, f"__r{_op.dunder.strip('_')}__", _operator(_code, reflected=True))
            setattr(ActiveArray, f"__i{_op.dunder.strip('_')}__", _in_place(getattr(operator, _op.dunder)))


# x ** n is made of products, as for scalars.

_square = _unary_operator(OPCODE["square"])


def _pow(self: ActiveArray, exponent: Any) -> Any:
    if is_whole(exponent):
        product = whole_power(self, abs(int(exponent)), _square)
        return product if exponent > 0 else elementwise(OPCODE["reciprocal"], product)
    if not _supported(exponent):
        return beyond_reals("__pow__", self, exponent)
    return elementwise(OPCODE["pow"], self, exponent)


ActiveArray.__pow__ = _pow  # type: ignore[method-assign,assignment]

for _name in ("__divmod__", "__rdivmod__"):
    setattr(ActiveArray, _name, getattr(Active, _name))
