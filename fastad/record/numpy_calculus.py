"""NumPy functions of sampled functions: differences, integrals, interpolation, grids of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..structure import is_active
from .array import Axis, axes_of, stack
from .dispatch import ARRAY_FUNCTIONS, require_passive
from .functions import FUNCTIONS, where
from .lookup import interp
from .numpy_ufuncs import lifted

_NOTHING: Any = object()


def _along(a: Any, axis: int, part: slice) -> Any:
    return a[(slice(None),) * axis + (part,)]


def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _NOTHING, append: Any = _NOTHING) -> Any:
    a = lifted(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    axis = normalize_axis_index(axis, a.ndim)
    parts = [_beside(a, end, axis) for end in (prepend, a, append) if end is not _NOTHING]
    a = np.concatenate(parts, axis=axis) if len(parts) > 1 else a
    for _ in range(n):
        a = _along(a, axis, slice(1, None)) - _along(a, axis, slice(None, -1))
    return a


def _beside(a: Any, end: Any, axis: int) -> Any:
    """What to put before or behind an array: a number is repeated."""
    if np.ndim(getattr(end, "_value", end)):
        return end
    return np.broadcast_to(lifted(end), [1 if n == axis else length for n, length in enumerate(a.shape)])


def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    parts = [None if end is None else np.ravel(lifted(end)) for end in (to_begin, to_end)]
    inner = _diff(np.ravel(lifted(ary)))
    kept = [part for part in (parts[0], inner, parts[1]) if part is not None]
    return np.concatenate(kept)


def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = lifted(y)
    axis = normalize_axis_index(axis, y.ndim)
    width = dx
    if x is not None:
        x = lifted(x)
        width = _diff(x, axis=axis if x.ndim == y.ndim else -1)
        if x.ndim == 1:
            width = width.reshape([-1 if n == axis else 1 for n in range(y.ndim)])
    ends = _along(y, axis, slice(1, None)) + _along(y, axis, slice(None, -1))
    return np.sum(width * ends / 2.0, axis=axis)


# -------------------- gradients of samples --------------------


def _gradient(f: Any, *spacing: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    """Second-order differences inside, of order ``edge_order`` at both ends."""
    f = lifted(f)
    axes = axes_of(axis, f.ndim)
    steps = list(spacing) * len(axes) if len(spacing) == 1 else list(spacing) or [1.0] * len(axes)
    if len(steps) != len(axes):
        raise TypeError(f"np.gradient: {len(steps)} spacings for {len(axes)} axes")
    results = tuple(_gradient_along(np.moveaxis(f, n, -1), step, n, edge_order) for n, step in zip(axes, steps))
    return results[0] if len(axes) == 1 else results


def _gradient_along(f: Any, step: Any, axis: int, edge_order: int) -> Any:
    count = f.shape[-1]
    if edge_order not in (1, 2) or count <= edge_order:
        raise ValueError(f"np.gradient: {count} points along an axis are too few for edge_order={edge_order}")
    h = _widths(step, count)
    left, right = h[:-1], h[1:]
    slope = (f[..., 1:] - f[..., :-1]) / h
    if is_active(step) or np.ndim(step):
        inner = (slope[..., :-1] * right + slope[..., 1:] * left) / (left + right)
    else:
        inner = (f[..., 2:] - f[..., :-2]) / (2.0 * step)
    first, last = slope[..., :1], slope[..., -1:]
    if edge_order == 2:
        first = first - (slope[..., 1:2] - first) * (h[:1] / (h[:1] + h[1:2]))
        last = last + (last - slope[..., -2:-1]) * (h[-1:] / (h[-2:-1] + h[-1:]))
    return np.moveaxis(np.concatenate([first, inner, last], axis=-1), -1, axis)


def _widths(step: Any, count: int) -> Any:
    """Widths of the cells: given points, or one width for all."""
    if np.ndim(getattr(step, "_value", step)) == 0:
        return np.broadcast_to(lifted(step), (count - 1,))
    if np.shape(getattr(step, "_value", step)) != (count,):
        raise ValueError(f"np.gradient: points of shape {np.shape(step)} for an axis of length {count}")
    return _diff(lifted(step))


# -------------------- interpolation, grids --------------------


def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    if period is not None:
        return _periodic_interp(x, xp, fp, period)
    inside = interp(x, xp, fp)
    if left is not None:
        inside = where(x < float(np.asarray(xp)[0]), left, inside)
    return inside if right is None else where(x > float(np.asarray(xp)[-1]), right, inside)


def _periodic_interp(x: Any, xp: Any, fp: Any, period: Any) -> Any:
    require_passive("np.interp", xp, period)
    period = abs(float(period))
    if period == 0.0:
        raise ValueError("np.interp: period must not be 0")
    knots = np.asarray(xp, float) % period
    order = np.argsort(knots)
    knots, values = knots[order], np.take(lifted(fp), order)
    knots = np.concatenate([knots[-1:] - period, knots, knots[:1] + period])
    return interp(FUNCTIONS["mod"](x, period), knots, np.concatenate([values[-1:], values, values[:1]]))


def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, *, axis: int = 0
) -> Any:
    cells = num - 1 if endpoint else num
    start, stop = lifted(start), lifted(stop)
    step = (stop - start) / cells if cells > 0 else math.nan
    shape = np.broadcast_shapes(start.shape, stop.shape)
    points = np.arange(float(num)).reshape((-1,) + (1,) * len(shape)) * step + start if cells > 0 else start[None]
    points = lifted(points)[:num]
    if endpoint and num > 1:
        points[-1] = stop
    points = np.moveaxis(points, 0, axis)
    return (points, step) if retstep else points


def _logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, *, axis: int = 0) -> Any:
    return FUNCTIONS["pow"](base, _linspace(start, stop, num, endpoint, axis=axis))


def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, axis: int = 0) -> Any:
    """Of positive ends."""
    start, stop = FUNCTIONS["log"](lifted(start)), FUNCTIONS["log"](lifted(stop))
    return FUNCTIONS["exp"](_linspace(start, stop, num, endpoint, axis=axis))


def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    x = lifted(x)
    powers = [np.ones(x.shape)]
    for _ in range(1, len(x) if N is None else N):
        powers.append(powers[-1] * x)
    table = stack(powers[: len(x) if N is None else N]).T
    return table if increasing else table[:, ::-1]


def _sinc(x: Any) -> Any:
    """At 0 the value is 1, and so the derivative 0, as of NumPy's own 1e-20 there."""
    turned = math.pi * where(x == 0.0, 1e-20, x)
    return FUNCTIONS["sin"](turned) / turned


def _apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **more: Any) -> Any:
    turned = np.moveaxis(lifted(arr), axis, -1)
    lines = turned.reshape(-1, turned.shape[-1])
    results = stack([func1d(line, *args, **more) for line in lines])
    shape = np.shape(results)[1:]
    results = results.reshape(turned.shape[:-1] + shape)
    axis = normalize_axis_index(axis, turned.ndim)
    return np.moveaxis(results, range(turned.ndim - 1, results.ndim), range(axis, axis + len(shape)))


def _fix(x: Any) -> Any:
    return FUNCTIONS["trunc"](x)


def _angle(z: Any, deg: bool = False) -> Any:
    turned = FUNCTIONS["arctan2"](0.0, z)
    return turned * (180.0 / math.pi) if deg else turned


def _real_if_close(a: Any, tol: float = 100) -> Any:
    require_passive("np.real_if_close", tol)
    return a


ARRAY_FUNCTIONS.update(
    {
        np.angle: _angle,
        np.apply_along_axis: _apply_along_axis,
        np.diff: _diff,
        np.ediff1d: _ediff1d,
        np.fix: _fix,
        np.geomspace: _geomspace,
        np.gradient: _gradient,
        np.imag: lambda val: val.imag,
        np.interp: _interp,
        np.linspace: _linspace,
        np.logspace: _logspace,
        np.real: lambda val: val.real,
        np.real_if_close: _real_if_close,
        np.sinc: _sinc,
        np.trapezoid: _trapezoid,
        np.vander: _vander,
    }
)
