"""NumPy functions that reduce axes: sums, products, extremes, statistics, norms, and their running forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .array import ActiveArray, Axis, axes_of
from .condition import Condition, ConditionArray, refuse_condition
from .dispatch import ARRAY_FUNCTIONS, UFUNCS, require_passive
from .functions import FUNCTIONS, TESTS, where
from .numpy_shape import register
from .numpy_ufuncs import lifted, reduced, running


def _reducing(ufunc: Any) -> Callable[..., Any]:
    def function(a: Any, axis: Axis = None, **more: Any) -> Any:
        refuse_condition(a, "operand")
        return reduced(ufunc, UFUNCS[ufunc.__name__], a, axis, **more)

    return function


_fold, _prod = _reducing(np.add), _reducing(np.multiply)
_max, _min = _reducing(np.maximum), _reducing(np.minimum)


def _sum(a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    if type(a) is ActiveArray and initial is None and where is True:
        return a.sum(axis, keepdims=keepdims)
    return _fold(a, axis, keepdims=keepdims, initial=initial, where=where)


def _accumulating(ufunc: Any) -> Callable[..., Any]:
    def function(a: Any, axis: int | None = None, *, include_initial: bool = False) -> Any:
        refuse_condition(a, "operand")
        a = lifted(a)
        if include_initial:
            shape = [1 if n == (axis or 0) % a.ndim else length for n, length in enumerate(a.shape)]
            a = np.concatenate([np.full(shape, float(ufunc.identity)), a], axis or 0)
        return running(UFUNCS[ufunc.__name__], a.reshape(-1) if axis is None else a, axis or 0)

    return function


# -------------------- statistics --------------------


def _count(a: Any, axis: Axis, mask: Any, keepdims: bool) -> Any:
    """Number of elements taken, which conditions make active."""
    if mask is True:
        shape = a.shape if isinstance(a, ActiveArray) else np.shape(a)
        return math.prod(shape if axis is None else (shape[n] for n in axes_of(axis, len(shape))))
    ones = where(mask, np.ones(np.shape(a)), 0.0)
    return np.sum(ones, axis=axis, keepdims=keepdims)


def _mean(a: Any, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    total = _sum(a, axis, keepdims=keepdims, where=where)
    return total / _count(a, axis, where, keepdims)


def _variance(
    a: Any,
    axis: Axis = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: float | None = None,
) -> Any:
    refuse_condition(a, "operand")
    a = lifted(a)
    centre = _mean(a, axis, keepdims=True, where=where) if mean is None else mean
    total = _sum(FUNCTIONS["square"](a - centre), axis, keepdims=keepdims, where=where)
    return total / (_count(a, axis, where, keepdims) - (ddof if correction is None else correction))


def _deviation(a: Any, axis: Axis = None, **more: Any) -> Any:
    return FUNCTIONS["sqrt"](_variance(a, axis, **more))


def _ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return _max(a, axis, keepdims=keepdims) - _min(a, axis, keepdims=keepdims)


def _average(a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    a = lifted(a)
    if weights is None:
        weights = np.ones(a.shape)
    weights = lifted(weights)
    if weights.shape != a.shape:
        axes = normalize_axis_tuple(() if axis is None else axis, a.ndim)
        if axis is None or weights.shape != tuple(a.shape[n] for n in axes):
            raise TypeError("np.average: weights need the shape of a, or that of the axes of axis=")
        weights = np.transpose(weights, np.argsort(axes))
        weights = np.reshape(weights, [a.shape[n] if n in axes else 1 for n in range(a.ndim)])
    total = np.sum(np.broadcast_to(weights, a.shape), axis=axis, keepdims=keepdims)
    result = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (result, total) if returned else result


def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1)


# -------------------- NaN as a missing number --------------------


def _without_nan(function: Callable[..., Any], filler: float) -> Callable[..., Any]:
    def replaced(a: Any, axis: Axis = None, **more: Any) -> Any:
        a = lifted(a)
        return function(where(TESTS["isnan"](a), filler, a), axis, **more)

    return replaced


def _masking_nan(function: Callable[..., Any]) -> Callable[..., Any]:
    def masked(a: Any, axis: Axis = None, **more: Any) -> Any:
        a = lifted(a)
        return function(a, axis, where=~TESTS["isnan"](a), **more)

    return masked


def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not copy:
        raise TypeError("np.nan_to_num with copy=False is not available for active values; assign the result")
    largest = float(np.finfo(float).max)
    high, low = largest if posinf is None else posinf, -largest if neginf is None else neginf
    return where(TESTS["isnan"](x), nan, where(x == math.inf, high, where(x == -math.inf, low, x)))


# -------------------- truth --------------------


def _any(a: Any, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    held = conditions(a) if where is True else conditions(a) & _mask(where)
    return held.any(axis, keepdims=keepdims)


def _all(a: Any, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    held = conditions(a) if where is True else conditions(a) | ~_mask(where)
    return held.all(axis, keepdims=keepdims)


def _mask(where: Any) -> Any:
    return where if isinstance(where, Condition | ConditionArray) else np.asarray(where, bool)


def _count_nonzero(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return np.count_nonzero(conditions(a)._guarded(), axis, keepdims=keepdims)


def conditions(a: Any) -> Any:
    """Return an array of conditions: a number counts as holding where it is not 0."""
    return a._as_array() if isinstance(a, Condition | ConditionArray) else lifted(a) != 0.0


# -------------------- norms --------------------


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = lifted(x)
    require_passive("np.linalg.norm", ord)
    axes = axes_of(axis, x.ndim) if axis is None or isinstance(axis, int) else tuple(axis)
    if ord is None or (len(axes) == 2 and ord in ("fro", "f")) or (len(axes) == 1 and ord == 2):
        return FUNCTIONS["sqrt"](_sum(FUNCTIONS["square"](x), axes, keepdims=keepdims))
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        return _matrix_norm(x, ord, axes, keepdims)
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        return _singular_norm(x, ord, axes, keepdims)
    raise TypeError(f"np.linalg.norm of active values: ord={ord!r} over {len(axes)} axes is not available")


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    size = FUNCTIONS["abs"](x)
    if abs(ord) == math.inf:
        return (_max if ord > 0 else _min)(size, axes, keepdims=keepdims)
    if ord == 0:
        return _sum(where(x != 0.0, 1.0, 0.0), axes, keepdims=keepdims)
    return _sum(size**ord, axes, keepdims=keepdims) ** (1.0 / ord)


def _matrix_norm(x: Any, ord: float, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Largest or smallest sum of a column (1, -1) or row (inf, -inf)."""
    added, compared = axes if abs(ord) == 1 else axes[::-1]
    sums = _sum(FUNCTIONS["abs"](x), added, keepdims=True)
    extreme = (_max if ord > 0 else _min)(sums, compared, keepdims=True)
    return extreme if keepdims else np.squeeze(extreme, axes)


def _singular_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Largest, smallest (2, -2) or sum ("nuc") of the singular values."""
    s = np.linalg.svd(np.moveaxis(x, axes, (-2, -1)), compute_uv=False)
    norm = s.sum(axis=-1) if ord == "nuc" else s[..., 0 if ord > 0 else -1]
    return np.expand_dims(norm, axes) if keepdims else norm


def _linalg_vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    x, axes = lifted(x), axes_of(axis, np.ndim(x))
    kept = tuple(n for n in range(x.ndim) if n not in axes)
    flat = np.transpose(x, kept + axes).reshape(*(x.shape[n] for n in kept), -1)
    norm = _norm(flat, ord, -1)
    return np.expand_dims(norm, axes) if keepdims else norm


def _linalg_matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _norm(x, ord, (-2, -1), keepdims)


register("sum", lambda _: _sum)
register("prod", lambda _: _prod)
register("max amax", lambda _: _max)
register("min amin", lambda _: _min)
register("cumsum cumulative_sum", lambda _: _accumulating(np.add))
register("cumprod cumulative_prod", lambda _: _accumulating(np.multiply))
register("nansum", lambda _: _without_nan(_sum, 0.0))
register("nanprod", lambda _: _without_nan(_prod, 1.0))
register("nancumsum", lambda _: _without_nan(_accumulating(np.add), 0.0))
register("nancumprod", lambda _: _without_nan(_accumulating(np.multiply), 1.0))
register("nanmax", lambda _: _reducing(np.fmax))
register("nanmin", lambda _: _reducing(np.fmin))
ARRAY_FUNCTIONS.update(
    {
        np.all: _all,
        np.any: _any,
        np.average: _average,
        np.count_nonzero: _count_nonzero,
        np.linalg.matrix_norm: _linalg_matrix_norm,
        np.linalg.norm: _norm,
        np.linalg.vector_norm: _linalg_vector_norm,
        np.linalg.trace: lambda x, *, offset=0: _trace(x, offset, -2, -1),
        np.mean: _mean,
        np.nan_to_num: _nan_to_num,
        np.nanmean: _masking_nan(_mean),
        np.nanstd: _masking_nan(_deviation),
        np.nanvar: _masking_nan(_variance),
        np.ptp: _ptp,
        np.std: _deviation,
        np.trace: _trace,
        np.var: _variance,
    }
)
