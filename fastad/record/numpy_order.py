"""NumPy functions that find an order, a place or a shape by comparing numbers.

Python sees what they find, so every comparison that decides is a guard: a replay in which one comes out otherwise
diverges and is recorded again. Comparisons are asked one after the other, each chosen by the answers before it, as
the recordings of a program demand. Equal elements keep their order; NaN comes last, as in NumPy.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array import ActiveArray, axes_of
from .dispatch import ARRAY_FUNCTIONS, require_passive
from .functions import TESTS, where
from .numpy_reduce import conditions
from .numpy_ufuncs import lanes, lifted


def _missing(a: ActiveArray) -> NDArray[np.bool_]:
    """Which elements are NaN; one guard where none is."""
    missing = TESTS["isnan"](a)
    return missing._guarded() if bool(np.logical_or.reduce(missing, axis=None)) else missing.outcome


# -------------------- orders --------------------


def _order_of_lane(lane: Any, missing: NDArray[np.bool_]) -> list[int]:
    elements = list(lane)
    numbers = sorted(np.flatnonzero(~missing).tolist(), key=elements.__getitem__)
    return numbers + np.flatnonzero(missing).tolist()


def _order(a: Any) -> NDArray[np.intp]:
    """Stable order along the last axis."""
    if not isinstance(a, ActiveArray) or not a.tape._guards or not a.size:
        return np.argsort(getattr(a, "_value", a), axis=-1, kind="stable")
    rows, missing = a.reshape(-1, a.shape[-1]), _missing(a).reshape(-1, a.shape[-1])
    return np.array([_order_of_lane(lane, gone) for lane, gone in zip(rows, missing)]).reshape(a.shape)


def _turned(a: Any, axis: int | None) -> tuple[Any, int]:
    """The array with the axis last; flattened without one."""
    a = lifted(a)
    return (a.reshape(-1), -1) if axis is None else (np.moveaxis(a, axis, -1), axis)


def _sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    a, axis = _turned(a, axis)
    return np.moveaxis(np.take_along_axis(a, _order(a), -1), -1, axis)


def _argsort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    a, axis = _turned(a, axis)
    return np.moveaxis(_order(a), -1, axis)


def _partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    require_passive("np.partition", kth)
    return _sort(a, axis)


def _argpartition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    require_passive("np.argpartition", kth)
    return _argsort(a, axis)


# -------------------- places of extremes --------------------


def _place_in_lane(lane: Any, missing: NDArray[np.bool_], sign: float) -> int:
    if missing.any():
        return int(missing.argmax())
    elements, best = list(lane), 0
    for place in range(1, len(elements)):
        if (elements[place] > elements[best]) if sign > 0.0 else (elements[place] < elements[best]):
            best = place
    return best


def _place_of_extreme(find: Callable[..., Any], sign: float) -> Callable[..., Any]:
    def function(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
        a = lifted(a)
        rows = lanes(a, axis)
        if rows.shape[-1] == 0:
            raise ValueError(f"attempt to get {find.__name__} of an empty sequence")
        if isinstance(rows, ActiveArray) and rows.tape._guards and rows.size:
            flat, missing = rows.reshape(-1, rows.shape[-1]), _missing(rows).reshape(-1, rows.shape[-1])
            found = np.array([_place_in_lane(lane, gone, sign) for lane, gone in zip(flat, missing)])
            found = found.reshape(rows.shape[:-1])
        else:
            found = np.asarray(find(getattr(rows, "_value", rows), axis=-1))
        if keepdims:
            axes = axes_of(axis, a.ndim)
            return found.reshape([1 if n in axes else length for n, length in enumerate(a.shape)])
        return found[()]

    return function


def _place_of_number(find: Callable[..., Any], among: Callable[..., Any], filler: float) -> Callable[..., Any]:
    def function(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
        a = lifted(a)
        find(getattr(a, "_value", a), axis=axis)  # raises where all are NaN
        return among(where(_missing(a), filler, a), axis, keepdims=keepdims)

    return function


# -------------------- places in a grid --------------------


def _searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right', got {side!r}")
    find = bisect_left if side == "left" else bisect_right
    grid, x = lifted(a), lifted(v)
    grid = list(grid if sorter is None else grid[sorter])
    missing = (_missing(x) if isinstance(x, ActiveArray) else np.isnan(x)).ravel()
    places = [len(grid) if gone else find(grid, item) for item, gone in zip(x.ravel(), missing)]
    return np.array(places, dtype=np.intp).reshape(x.shape)[()]


def _digitize(x: Any, bins: Any, right: bool = False) -> Any:
    bins, side = lifted(bins), "left" if right else "right"
    steps = np.diff(getattr(bins, "_value", bins))
    if (steps >= 0.0).all():
        return _searchsorted(bins, x, side)
    if (steps <= 0.0).all():
        return len(bins) - _searchsorted(bins[::-1], x, side)
    raise ValueError("bins must be monotonically increasing or decreasing")


# -------------------- places of what holds --------------------


def _nonzero(a: Any) -> Any:
    return np.nonzero(conditions(a)._guarded())


def _where(condition: Any, *choices: Any) -> Any:
    return where(condition, *choices) if choices else _nonzero(condition)


_argmax = _place_of_extreme(np.argmax, 1.0)
_argmin = _place_of_extreme(np.argmin, -1.0)
ARRAY_FUNCTIONS.update(
    {
        np.argmax: _argmax,
        np.argmin: _argmin,
        np.argpartition: _argpartition,
        np.argsort: _argsort,
        np.argwhere: lambda a: np.argwhere(conditions(a)._guarded()),
        np.digitize: _digitize,
        np.flatnonzero: lambda a: np.flatnonzero(conditions(a)._guarded()),
        np.nanargmax: _place_of_number(np.nanargmax, _argmax, -math.inf),
        np.nanargmin: _place_of_number(np.nanargmin, _argmin, math.inf),
        np.nonzero: _nonzero,
        np.partition: _partition,
        np.searchsorted: _searchsorted,
        np.sort: _sort,
        np.where: _where,
    }
)
