"""Methods of ufuncs (reduce, accumulate, outer, at), and ufuncs that are made of rows of the table."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..structure import real_array
from .active import Active
from .array import ActiveArray, Axis, array, axes_of, operand, stack
from .condition import Condition, ConditionArray
from .dispatch import UFUNC_METHODS, UFUNCS, require_passive
from .functions import FUNCTIONS, where
from .numpy_shape import moved

_IDENTITY: dict[str, Any] = {"add": 0.0, "multiply": 1.0, "logaddexp": -math.inf, "hypot": 0.0}
_IDENTITY |= {"logical_or": False, "logical_and": True}
_SHORT = 64
_REORDERABLE = {*_IDENTITY, "maximum", "minimum", "fmax", "fmin"}


def lifted(a: Any, copy: bool = True) -> Any:
    """Return an operand as an array: an ActiveArray, or numbers as an ndarray, not copied if only read from."""
    if isinstance(a, ActiveArray):
        return a
    if isinstance(a, Active):
        return ActiveArray(*operand(a))  # type: ignore[arg-type]
    return array(a) if isinstance(a, list | tuple) else real_array(a, "operand", copy=copy)


def lowered(x: Any) -> Any:
    """Return a 0-d array as its element."""
    return x[()] if isinstance(x, ActiveArray | np.ndarray) else x


# -------------------- along axes --------------------


def lanes(a: Any, axis: Axis) -> Any:
    """Return a view or copy of an array with the given axes made one, the last."""
    axes = axes_of(axis, a.ndim)
    kept = tuple(n for n in range(a.ndim) if n not in axes)
    shape = (*(a.shape[n] for n in kept), math.prod(a.shape[n] for n in axes))
    return moved(lambda x: x.transpose(kept + axes).reshape(shape), a)


def with_axes(result: Any, axis: Axis, shape: tuple[int, ...], keepdims: bool) -> Any:
    """Put reduced axes back with length 1, if asked for."""
    if not keepdims:
        return lowered(result)
    axes = axes_of(axis, len(shape))
    return np.reshape(lifted(result), [1 if n in axes else length for n, length in enumerate(shape)])


def fold(function: Callable[[Any, Any], Any], a: Any) -> Any:
    """Combine the elements of the last axis pairwise, neighbours first: as many rows as in order, in fewer steps.

    At a tie maximum and minimum take the first operand, so the first of equal elements, as in order. Short vectors
    are combined in order: an operation of scalars takes 1 us, one of arrays 10 us or more.
    """
    if a.ndim == 1 and a.size <= _SHORT:
        return reduce(function, a)
    if a.shape[-1] == 1:
        return lowered(a[..., 0].copy())  # no view of the operand
    while a.shape[-1] > 1:
        even = a.shape[-1] - a.shape[-1] % 2
        pairs = lifted(function(a[..., 0:even:2], a[..., 1:even:2]))
        a = pairs if even == a.shape[-1] else np.concatenate([pairs, a[..., even:]], axis=-1)
    return lowered(a[..., 0])


def running(function: Callable[[Any, Any], Any], a: Any, axis: int) -> Any:
    """Combine the elements along an axis in order, with every intermediate result."""
    axis = normalize_axis_index(axis, a.ndim)
    steps = np.moveaxis(a, axis, 0)
    if len(steps) == 0:
        return np.copy(a)
    results = list(accumulate(steps, function))
    return _of_scalars(results, a) if a.ndim == 1 else np.moveaxis(stack(results), 0, axis)


def _of_scalars(elements: list[Any], like: Any) -> Any:
    """Elements as a vector: `stack`, five times faster."""
    values = np.array([x._value if type(x) is Active else x for x in elements], dtype=np.float64)
    if not isinstance(like, ActiveArray):
        return values
    rows = np.array([x.index if type(x) is Active else -1 for x in elements], np.int32)
    return ActiveArray(values, rows, like.tape)


def reduced(
    ufunc: Any,
    function: Callable[[Any, Any], Any],
    a: Any,
    axis: Axis = 0,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """``ufunc.reduce``."""
    if ufunc.__name__.startswith("logical"):
        return _reduced_logical(ufunc, a, axis, keepdims)
    a = lifted(a)
    neutral = _IDENTITY.get(ufunc.__name__, initial)
    if where is not True:
        a = _masked(ufunc, a, where, neutral)
    result = _reduced_lanes(ufunc, function, lanes(a, axis), neutral)
    result = result if initial is None else function(initial, result)
    return with_axes(result, axis, a.shape, keepdims)


def _masked(ufunc: Any, a: Any, mask: Any, filler: Any) -> Any:
    if filler is None:
        raise ValueError(f"np.{ufunc.__name__}.reduce has no identity: where= needs initial=")
    return lifted(where(mask, a, filler))


def _reduced_lanes(ufunc: Any, function: Callable[[Any, Any], Any], a: Any, empty: Any) -> Any:
    if a.shape[-1] == 0:
        if empty is None:
            raise ValueError(f"zero-size array to reduction operation {ufunc.__name__} which has no identity")
        return np.full(a.shape[:-1], empty)[()]
    if ufunc.__name__ == "add":
        return a.sum(-1)
    return fold(function, a) if ufunc.__name__ in _REORDERABLE else running(function, a, -1)[..., -1]


def _reduced_logical(ufunc: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """As data, without guards."""
    if ufunc.__name__ not in _IDENTITY or keepdims:
        raise TypeError(f"np.{ufunc.__name__}.reduce with keepdims={keepdims} is not available for active values")
    left = _truth(a)._as_array()
    axes = axes_of(axis, left.outcome.ndim)
    kept = tuple(n for n in range(left.outcome.ndim) if n not in axes)
    left = left._moved(lambda x: x.transpose(axes + kept).reshape(-1, *(x.shape[n] for n in kept)))
    if len(left) == 0:
        return np.full(left.shape[1:], _IDENTITY[ufunc.__name__])[()]
    while len(left) > 1:
        half = len(left) // 2
        pairs = UFUNCS[ufunc.__name__](left[:half], left[half : 2 * half])
        odd = len(left) % 2
        left = pairs._moved(lambda x, last: np.concatenate([x, last]), left[-1:]) if odd else pairs
    return left[0]


def _accumulated(ufunc: Any, function: Callable[[Any, Any], Any], a: Any, axis: int = 0) -> Any:
    return running(function, lifted(a), axis)


def _outer(ufunc: Any, function: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    a, b = lifted(a), lifted(b)
    return function(np.reshape(a, a.shape + (1,) * b.ndim), b)


def _at(ufunc: Any, function: Callable[..., Any], a: Any, indices: Any, *operands: Any) -> None:
    """Unbuffered, so that an element may be met several times."""
    if not isinstance(a, ActiveArray):
        raise TypeError(
            f"np.{ufunc.__name__}.at cannot write an active value into a float array: an active needs its row; "
            "write into fad.zeros(shape, like=x) or fad.array(a)"
        )
    require_passive(f"np.{ufunc.__name__}.at", indices)
    at = np.arange(a.size).reshape(a.shape)[indices]
    others = [np.broadcast_to(lifted(other), at.shape) for other in operands]
    for position in np.ndindex(at.shape):
        place = np.unravel_index(at[position], a.shape)
        a[place] = function(a[place], *(other[position] for other in others))


UFUNC_METHODS.update(reduce=reduced, accumulate=_accumulated, outer=_outer, at=_at)


# -------------------- more ufuncs --------------------


def _truth(x: Any) -> Any:
    """What counts as a condition: conditions, bools, and numbers by being nonzero."""
    if isinstance(x, Condition | ConditionArray | Active | ActiveArray):
        return x if isinstance(x, Condition | ConditionArray) else x != 0.0
    return np.asarray(x, dtype=bool)[()]


def _require_conditions(x: Any) -> Any:
    if not isinstance(x, Condition | ConditionArray) and np.result_type(x) != np.bool_:
        raise TypeError("bitwise operations are for conditions and bools; compare numbers first")
    return _truth(x)


def _combined(x: Any, y: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """The condition on the left, as an array where it meets one: NumPy's own operator would ask us again."""
    if not isinstance(x, Condition | ConditionArray):
        x, y = y, x
    return combine(x._as_array() if isinstance(y, np.ndarray) else x, y)


def _and(x: Any, y: Any) -> Any:
    return _combined(x, y, operator.and_)


def _or(x: Any, y: Any) -> Any:
    return _combined(x, y, operator.or_)


def _xor(x: Any, y: Any) -> Any:
    both = _and(x, y)  # a bool where one of them is False
    return _and(_or(x, y), not both if isinstance(both, bool) else ~both)


def _logical(combine: Callable[..., Any], of: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *operands: combine(*(of(x) for x in operands))


def _fmod(x: Any, y: Any) -> Any:
    return FUNCTIONS["copysign"](FUNCTIONS["mod"](abs(x), abs(y)), x)


def _heaviside(x: Any, at_zero: Any) -> Any:
    return where(x < 0.0, 0.0, where(x > 0.0, 1.0, where(x == 0.0, at_zero, x)))


def _modf(x: Any) -> tuple[Any, Any]:
    whole = FUNCTIONS["trunc"](x)
    return x - whole, whole


def _ldexp(x: Any, exponent: Any) -> Any:
    require_passive("np.ldexp", exponent)
    return x * 2.0 ** np.asarray(exponent)


def _logaddexp2(x: Any, y: Any) -> Any:
    scale = math.log(2.0)
    return FUNCTIONS["logaddexp"](x * scale, y * scale) / scale


def _logit(x: Any) -> Any:
    return FUNCTIONS["log"](x) - FUNCTIONS["log1p"](-x)


def _same(x: Any) -> Any:
    return x.copy() if isinstance(x, ActiveArray) else x


for _names, _combine in (
    (("logical_and", "bitwise_and"), _and),
    (("logical_or", "bitwise_or"), _or),
    (("logical_xor", "bitwise_xor"), _xor),
    (("logical_not", "invert"), operator.invert),
):
    UFUNCS[_names[0]] = _logical(_combine, _truth)
    UFUNCS[_names[1]] = _logical(_combine, _require_conditions)

UFUNCS.update(
    {
        "conjugate": _same,
        "deg2rad": lambda x: x * (math.pi / 180.0),
        "degrees": lambda x: x * (180.0 / math.pi),
        "fabs": FUNCTIONS["abs"],
        "float_power": FUNCTIONS["pow"],
        "fmod": _fmod,
        "heaviside": _heaviside,
        "ldexp": _ldexp,
        "logaddexp2": _logaddexp2,
        "modf": _modf,
        "positive": _same,
        "rad2deg": lambda x: x * (180.0 / math.pi),
        "radians": lambda x: x * (math.pi / 180.0),
    }
)
UFUNCS.update(  # of scipy.special, which calls NumPy's protocol
    {
        "erf": FUNCTIONS["erf"],
        "erfc": FUNCTIONS["erfc"],
        "expit": FUNCTIONS["expit"],
        "gammaln": FUNCTIONS["lgamma"],
        "logit": _logit,
        "ndtr": FUNCTIONS["norm_cdf"],
        "ndtri": FUNCTIONS["norm_ppf"],
        "psi": FUNCTIONS["digamma"],
    }
)
