"""Forward mode without a tape: a value and its tangents in k directions, from the rules of the op table.

A dual of level 2 may hold duals of level 1: each derivative that is being taken has a level of its own, and an
operation treats everything of a lower level than its highest operand as constant. That is what keeps nested
derivatives apart (perturbation confusion).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels.replay import partials as scalar_partials
from ..kernels.rows import scalar_value
from ..kernels.sweeps import masked_fma
from ..ops import BY_NAME, OPCODE, OPS, Op
from .active import is_whole, passive_float, whole_power
from .dispatch import array_function, array_ufunc
from .operators import Operators

NO_FLOAT = "a Dual has no float value here; use fad.exp / np.exp, or fad.value(a) to freeze it"


class Dual(Operators):
    """Number with tangents: forward mode for a few directions, without recording.

    Parameters
    ----------
    value : float or Dual
        The number; a Dual of a lower level for higher derivatives.
    tangent : float, Dual or sequence of them
        Derivatives in k directions; one number is one direction.
    level : int
        Which derivative the tangents belong to, 1 for the outermost. `derivative` counts for you.

    Attributes
    ----------
    value, level
        As given.
    tangent : tuple
        One derivative per direction.

    Notes
    -----
    Comparisons compare values and give a plain bool. Inside ``@numba.njit`` the number of directions and the level
    belong to the type.

    Examples
    --------
    >>> import fastad as fad
    >>> y = fad.Dual(3.0, 1.0) ** 2
    >>> y.value, y.tangent
    (9.0, (6.0,))
    """

    __slots__ = ("level", "tangent", "value")
    __hash__ = None  # type: ignore[assignment]
    ndim = 0
    shape = ()

    def __init__(self, value: Any, tangent: Any, level: int = 1) -> None:
        tangents = tuple(tangent) if isinstance(tangent, Sequence | np.ndarray) else (tangent,)
        self.value, *rest = _alike([_number(part) for part in (value, *tangents)])
        self.tangent = tuple(rest)
        self.level = operator.index(level)
        if isinstance(self.value, Dual) and self.value.level >= self.level:
            raise ValueError(f"a Dual of level {level} holds one of level {self.value.level}; inner levels are lower")

    def __bool__(self) -> bool:
        return primal(self) != 0.0

    def __pos__(self) -> Dual:
        return self

    def __float__(self) -> float:
        raise TypeError(NO_FLOAT)

    def __int__(self) -> int:
        raise TypeError(NO_FLOAT)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("an array of Duals would be an object array; use a list or a tuple")

    def __repr__(self) -> str:
        level = f", level={self.level}" if self.level != 1 else ""
        return f"Dual({self.value!r}, {self.tangent!r}{level})"

    def __format__(self, spec: str) -> str:
        return format(primal(self), spec)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_function(func, args, kwargs)


class DualArray:
    """Array of duals of one level with float values, read only: what a jitted function is differentiated with."""

    __slots__ = ("level", "tangent", "value")

    def __init__(self, value: NDArray[np.float64], tangent: NDArray[np.float64], level: int = 1) -> None:
        self.value = value
        self.tangent = tangent  # shape of value + (k,)
        self.level = level

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.value.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, as in NumPy."""
        return self.value.shape

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        value, tangent = self.value[key], self.tangent[key]
        if np.ndim(value):
            return DualArray(value, tangent, self.level)
        return Dual(float(value), tuple(tangent.tolist()), self.level)


def _number(part: Any) -> Any:
    number = part if isinstance(part, Dual) else passive_float(part)
    if number is NotImplemented:
        raise TypeError(f"a Dual is made of numbers, not {type(part).__name__}")
    return number


def primal(x: Any) -> float:
    """Return the number under all levels of duals."""
    while isinstance(x, Dual):
        x = x.value
    return x


def _make(value: Any, tangent: tuple[Any, ...], level: int) -> Dual:
    dual = object.__new__(Dual)
    dual.value, dual.tangent, dual.level = value, tangent, level
    return dual


def _alike(parts: list[Any]) -> list[Any]:
    """Numbers as duals of the same levels and directions, if one of them is a dual."""
    duals = [part for part in parts if isinstance(part, Dual)]
    if not duals:
        return parts
    level, k = max(d.level for d in duals), _directions(duals)
    split = [(p.value, p.tangent) if isinstance(p, Dual) and p.level == level else (p, None) for p in parts]
    flat: list[Any] = []
    for value, tangent in split:
        flat += [value, *(tangent or (0.0,) * k)]
    flat = _alike(flat)
    return [_make(flat[i], tuple(flat[i + 1 : i + 1 + k]), level) for i in range(0, len(flat), k + 1)]


def _directions(duals: list[Dual]) -> int:
    """Directions of the highest level among duals."""
    level = max(d.level for d in duals)
    counts = {len(d.tangent) for d in duals if d.level == level}
    if len(counts) > 1:
        raise ShapeError(
            f"Duals of level {level} with different numbers of directions in one operation: {sorted(counts)}"
        )
    return counts.pop()


# -------------------- rules --------------------


def apply(op: Op, *operands: Any) -> Any:
    """Value and tangents of an operation of the table; operands are floats and duals."""
    duals = [x for x in operands if isinstance(x, Dual)]
    if not duals:
        return scalar_value(OPCODE[op.name], *(*operands, 0.0)[:2])
    level, k = max(d.level for d in duals), _directions(duals)
    own = [isinstance(x, Dual) and x.level == level for x in operands]
    inner = [x.value if mine else x for x, mine in zip(operands, own)]
    value, partials = _value_and_partials(op, inner)
    tangent = []
    for direction in range(k):
        total: Any = 0.0
        for x, mine, partial in zip(operands, own, partials):
            if mine:
                total = _multiply_add(x.tangent[direction], partial, total)
        tangent.append(total)
    value, *rest = _alike([value, *tangent])
    return _make(value, tuple(rest), level)


def _value_and_partials(op: Op, operands: list[Any]) -> tuple[Any, Sequence[Any]]:
    if not any(isinstance(x, Dual) for x in operands):
        x, y = (*operands, 0.0)[:2]
        value = scalar_value(OPCODE[op.name], x, y)
        return value, scalar_partials(OPCODE[op.name], x, y, value, 0.0)
    operands = _alike(operands)
    value = apply(op, *operands)
    names = dict(zip("xy", operands)) | {"v": value}
    return value, [eval(rule, _FUNCTIONS, names) for rule in _COMPILED[op.name]]


def _multiply_add(x: Any, y: Any, z: Any) -> Any:
    """x*y + z, where a product with an exactly zero factor is zero; as the sweeps do it, at every level."""
    if not any(isinstance(part, Dual) for part in (x, y, z)):
        return masked_fma(x, y, z)
    x, y, z = _alike([x, y, z])
    value = _multiply_add(x.value, y.value, z.value)
    pairs = zip(x.tangent, y.tangent, z.tangent)
    tangent = [_multiply_add(x.value, t, _multiply_add(s, y.value, u)) for s, t, u in pairs]
    return _make(value, tuple(tangent), x.level)


def _function(op: Op) -> Callable[..., Any]:
    return lambda *operands: apply(op, *operands)


_FUNCTIONS: dict[str, Any] = {op.name: _function(op) for op in OPS if op.kind == "smooth"}
_FUNCTIONS["where"] = lambda condition, a, b: a if condition else b
_COMPILED = {op.name: [compile(rule, f"<partial of {op.name}>", "eval") for rule in op.partials] for op in OPS}

# -------------------- operators --------------------


def _binary(op: Op, reflected: bool = False) -> Callable[[Dual, Any], Any]:
    def method(self: Dual, other: Any) -> Any:
        if not isinstance(other, Dual):
            other = passive_float(other)
            if other is NotImplemented:
                return NotImplemented
        return apply(op, other, self) if reflected else apply(op, self, other)

    return method


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Dual, Any], Any]:
    def method(self: Dual, other: Any) -> Any:
        other = primal(other) if isinstance(other, Dual) else passive_float(other)
        return NotImplemented if other is NotImplemented else compare(primal(self), other)

    return method


def _unary(op: Op) -> Callable[[Dual], Any]:
    return lambda self: apply(op, self)


for _op in OPS:
    if _op.dunder and _op.kind == "condition":
        setattr(Dual, _op.dunder, _comparison(getattr(operator, _op.dunder)))
    elif _op.dunder and _op.arity == 1:
        setattr(Dual, _op.dunder, _unary(_op))
    elif _op.dunder:
        setattr(Dual, _op.dunder, _binary(_op))
        setattr(Dual, f"__r{_op.dunder.strip('_')}__", _binary(_op, reflected=True))


def power(x: Any, exponent: Any) -> Any:
    """Return x ** exponent, by products for small whole exponents."""
    if not is_whole(exponent):
        return _general_power(x, exponent)
    product = whole_power(x, abs(int(exponent)), _FUNCTIONS["square"])
    return product if exponent > 0 else _FUNCTIONS["reciprocal"](product)


_general_power = _binary(BY_NAME["pow"])

_SPECIAL_METHODS = {
    "__pow__": power,
    "__divmod__": lambda self, other: (self // other, self % other),
    "__rdivmod__": lambda self, other: (other // self, other % self),
    "__floor__": _FUNCTIONS["floor"],
    "__ceil__": _FUNCTIONS["ceil"],
    "__trunc__": _FUNCTIONS["trunc"],
}
for _name, _method in _SPECIAL_METHODS.items():
    setattr(Dual, _name, _method)
