"""NumPy functions that decide by comparing numbers: orders, places, choices.

What Python sees of a comparison (an order, a place, a shape) is a guard, so that a replay in which it would come out
otherwise diverges and is recorded again. An order is pinned down to its ties, which keep the order of the elements:
a replay and a fresh recording at the same numbers then give the same derivatives too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops import OPCODE
from .array import ActiveArray, Axis, axes_of, elementwise
from .condition import ConditionArray
from .dispatch import ARRAY_FUNCTIONS, require_passive
from .functions import FUNCTIONS, TESTS, where
from .numpy_reduce import conditions
from .numpy_ufuncs import lanes, lifted, lowered, with_axes

_STRICT = {"less_equal": "less", "greater_equal": "greater"}


def _require(name: str, x: Any, y: Any) -> None:
    """Guards that a comparison holds for pairs of elements, as far as an element of the pair is active."""
    if x.tape._guards:
        active = (x.index >= 0) | (y.index >= 0)
        if active.any():
            elementwise(OPCODE[name], x[active], y[active])._guarded()


def _require_order(name: str, x: Any, y: Any, keeps_order: NDArray[np.bool_]) -> None:
    """Guards of an order: ties only where they keep the order of the elements; NaN has guards of its own."""
    numbers = ~(np.isnan(x._value) | np.isnan(y._value))
    for strict in (False, True):
        taken = numbers & (keeps_order != strict)
        _require(_STRICT[name] if strict else name, x[taken], y[taken])


def _require_missing(a: Any) -> None:
    """Guards of which numbers are NaN, where there are any: a comparison that fails for them says nothing."""
    if a.tape._guards and np.isnan(a._value).any():
        TESTS["isnan"](a)._guarded()


# -------------------- orders --------------------


def _order(a: Any, lower: Any, upper: Any) -> tuple[Any, NDArray[np.intp]]:
    """Sort the last axis; guard that elements at positions ``lower`` of the order come before those at ``upper``."""
    order = np.argsort(a._value, axis=-1, kind="stable")
    ordered = np.take_along_axis(a, order, -1)
    _require_missing(a)
    keeps_order = order[..., lower] < order[..., upper]
    _require_order("less_equal", ordered[..., lower], ordered[..., upper], keeps_order)
    return ordered, order


def _sorted_axis(a: Any, axis: int | None) -> tuple[Any, NDArray[np.intp], int]:
    a = a.reshape(-1) if axis is None else a
    axis = -1 if axis is None else axis
    turned = np.moveaxis(a, axis, -1)
    steps = np.arange(max(turned.shape[-1] - 1, 0))
    ordered, order = _order(turned, steps, steps + 1)
    return ordered, order, axis


def _sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """Guards the order found: at most n! recordings for n numbers; lookbacks are cheaper by fad.maximum."""
    ordered, _, axis = _sorted_axis(lifted(a), axis)
    return np.moveaxis(ordered, -1, axis)


def _argsort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    _, found, axis = _sorted_axis(lifted(a), axis)
    return np.moveaxis(found, -1, axis)


def _partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    require_passive("np.partition", kth)
    return _sort(a, axis)


def _argpartition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    require_passive("np.argpartition", kth)
    return _argsort(a, axis)


def _place_of_extreme(find: Callable[..., Any], name: str) -> Callable[..., Any]:
    def function(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
        a = lifted(a)
        rows = lanes(a, axis)
        if rows.shape[-1] == 0:
            raise ValueError(f"attempt to get {find.__name__} of an empty sequence")
        found = find(rows._value, axis=-1)
        winner = np.take_along_axis(rows, np.asarray(found)[..., None], -1)
        places = np.arange(rows.shape[-1])
        _require_missing(rows)
        others = np.broadcast_to(places != np.asarray(found)[..., None], rows.shape)
        keeps_order = np.broadcast_to(places > np.asarray(found)[..., None], rows.shape)
        _require_order(name, np.broadcast_to(winner, rows.shape)[others], rows[others], keeps_order[others])
        return with_axes_of_places(found, axis, a.shape, keepdims)

    return function


def with_axes_of_places(found: Any, axis: int | None, shape: tuple[int, ...], keepdims: bool) -> Any:
    """Put the axis searched back with length 1, if asked for."""
    if not keepdims:
        return found
    axes = axes_of(axis, len(shape))
    return np.reshape(found, [1 if n in axes else length for n, length in enumerate(shape)])


def _place_of_number(find: Callable[..., Any], among: Callable[..., Any], filler: float) -> Callable[..., Any]:
    def function(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
        a = lifted(a)
        find(a._value, axis=axis)  # raises where all are NaN
        missing = TESTS["isnan"](a)
        missing._guarded()
        return among(where(missing, filler, a), axis, keepdims=keepdims)

    return function


# -------------------- quantiles --------------------


def _at_ranks(a: Any, ranks: Sequence[int]) -> list[Any]:
    """Elements of these ranks in the last axis; guards only what decides which elements they are."""
    count = a.shape[-1]
    ranks = sorted(set(ranks))
    lower, upper = [], []
    for place in range(count):
        below = [r for r in ranks if r < place]
        above = [r for r in ranks if r > place]
        if below:
            lower.append(below[-1])
            upper.append(place)
        if above and place not in ranks:
            lower.append(place)
            upper.append(above[0])
    ordered, _ = _order(a, np.array(lower, int), np.array(upper, int))
    missing = np.isnan(ordered._value[..., -1])  # NaN comes last, and makes every quantile NaN
    return [np.where(missing, ordered[..., -1], ordered[..., r]) for r in ranks]


def _median(a: Any, axis: Axis = None, *, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    a = lifted(a)
    rows = lanes(a, axis)
    count = rows.shape[-1]
    if count == 0:
        raise ValueError("np.median of an empty axis")
    middle = _at_ranks(rows, [(count - 1) // 2, count // 2])
    result = middle[0] if len(middle) == 1 else (middle[0] + middle[1]) / 2.0
    return with_axes(result, axis, a.shape, keepdims)


def _quantile(
    a: Any, q: Any, axis: Axis = None, *, overwrite_input: bool = False, method: str = "linear", keepdims: bool = False
) -> Any:
    require_passive("np.quantile", q)
    if method != "linear":
        raise TypeError(f"np.quantile of active values: method={method!r} is not available, only 'linear'")
    q = np.asarray(q, dtype=float)
    if not ((q >= 0.0) & (q <= 1.0)).all():
        raise ValueError("quantiles must be in the range [0, 1]")
    a = lifted(a)
    rows = lanes(a, axis)
    top = rows.shape[-1] - 1
    below = np.floor(q * top).astype(int)
    above = np.minimum(below + 1, top)
    ranks = sorted({*below.ravel().tolist(), *above.ravel().tolist()})
    at = dict(zip(ranks, _at_ranks(rows, ranks)))
    results = [
        with_axes(_between(at[i], at[j], weight), axis, a.shape, keepdims)
        for i, j, weight in zip(below.ravel().tolist(), above.ravel().tolist(), (q * top - below).ravel().tolist())
    ]
    return results[0] if q.ndim == 0 else np.stack(results).reshape(q.shape + np.shape(results[0]))


def _between(low: Any, high: Any, weight: float) -> Any:
    """From the nearer end, as NumPy does, so that both ends are met."""
    step = high - low
    return lowered(low + step * weight if weight < 0.5 else high - step * (1.0 - weight))


def _percentile(a: Any, q: Any, axis: Axis = None, **more: Any) -> Any:
    require_passive("np.percentile", q)
    return _quantile(a, np.asarray(q, dtype=float) / 100.0, axis, **more)


# -------------------- places --------------------


def _searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    tape = getattr(a, "tape", None) or v.tape
    grid, x = (_on_tape(lifted(k), tape) for k in (a, v))
    grid = grid if sorter is None else grid[sorter]
    places = np.asarray(np.searchsorted(grid._value, x._value, side))
    _require_missing(x)
    for name, reached, beside in (
        ("less_equal", places > 0, places - 1),
        ("greater_equal", places < grid.size, places),
    ):
        taken = reached & ~np.isnan(x._value)
        strict = (name == "less_equal") == (side == "left")  # left: grid[place - 1] < x <= grid[place]
        _require(_STRICT[name] if strict else name, grid[beside[taken]], x[taken])
    return lowered(places)


def _on_tape(a: Any, tape: Any) -> ActiveArray:
    return a if isinstance(a, ActiveArray) else ActiveArray(a, np.full(a.shape, -1, np.int32), tape)


def _digitize(x: Any, bins: Any, right: bool = False) -> Any:
    side = "left" if right else "right"
    numbers = getattr(lifted(bins), "_value", lifted(bins))
    if (np.diff(numbers) >= 0.0).all():
        return _searchsorted(bins, x, side)
    if (np.diff(numbers) <= 0.0).all():
        return len(numbers) - _searchsorted(bins[::-1], x, side)
    raise ValueError("bins must be monotonically increasing or decreasing")


def _nonzero(a: Any) -> Any:
    return np.nonzero(conditions(a)._guarded())


def _where(condition: Any, *choices: Any) -> Any:
    return where(condition, *choices) if choices else _nonzero(condition)


# -------------------- choices --------------------


def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0.0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        result = where(condition, choice, result)
    return result


def _piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **more: Any) -> Any:
    """Every function is computed for all of x, and chosen as data."""
    conditions = list(condlist) if isinstance(condlist, list | tuple) else [condlist]
    values = [f(x, *args, **more) if callable(f) else f for f in funclist]
    default = values.pop() if len(values) == len(conditions) + 1 else 0.0
    result = default
    for condition, value in zip(conditions, values, strict=True):  # where several hold, the last one counts
        result = where(condition, value, result)
    return result


# -------------------- comparisons of arrays --------------------


def _isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    finite = TESTS["isfinite"](b) & TESTS["isfinite"](a)
    close = (FUNCTIONS["abs"](lifted(a) - b) <= atol + rtol * FUNCTIONS["abs"](b)) & finite | (lifted(a) == b)
    if equal_nan:
        close = close | (TESTS["isnan"](a) & TESTS["isnan"](b))
    return close


def _holds(condition: Any) -> bool:
    return bool(condition.all()) if isinstance(condition, ConditionArray) else bool(condition)


def _allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    return _holds(_isclose(a, b, rtol, atol, equal_nan))


def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    if np.shape(lifted(a1)) != np.shape(lifted(a2)):
        return False
    return _array_equiv(a1, a2) if not equal_nan else _allclose(a1, a2, 0.0, 0.0, True)


def _array_equiv(a1: Any, a2: Any) -> bool:
    return _holds(lifted(a1) == a2)


def _signed_infinity(sign: float) -> Callable[[Any], Any]:
    return lambda x: x == sign * math.inf


_argmax = _place_of_extreme(np.argmax, "greater_equal")
_argmin = _place_of_extreme(np.argmin, "less_equal")
ARRAY_FUNCTIONS.update(
    {
        np.allclose: _allclose,
        np.argmax: _argmax,
        np.argmin: _argmin,
        np.argpartition: _argpartition,
        np.argsort: _argsort,
        np.argwhere: lambda a: np.argwhere(conditions(a)._guarded()),
        np.array_equal: _array_equal,
        np.array_equiv: _array_equiv,
        np.digitize: _digitize,
        np.flatnonzero: lambda a: np.flatnonzero(conditions(a)._guarded()),
        np.isclose: _isclose,
        np.isneginf: _signed_infinity(-1.0),
        np.isposinf: _signed_infinity(1.0),
        np.median: _median,
        np.nanargmax: _place_of_number(np.nanargmax, _argmax, -math.inf),
        np.nanargmin: _place_of_number(np.nanargmin, _argmin, math.inf),
        np.nonzero: _nonzero,
        np.partition: _partition,
        np.percentile: _percentile,
        np.piecewise: _piecewise,
        np.quantile: _quantile,
        np.searchsorted: _searchsorted,
        np.select: _select,
        np.sort: _sort,
        np.where: _where,
    }
)
