"""``np.pad`` of active arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .dispatch import ARRAY_FUNCTIONS
from .numpy_shape import moved
from .numpy_ufuncs import lifted

_MOVING = ("edge", "reflect", "symmetric", "wrap")
_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": np.max,
    "mean": np.mean,
    "median": np.median,
    "minimum": np.min,
}


def _pad(
    array: Any,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = 0.0,
    end_values: Any = 0.0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Any:
    if reflect_type != "even" or stat_length is not None:
        raise TypeError("np.pad of active values: reflect_type='odd' and stat_length= are not available")
    if mode == "constant":
        return moved(lambda x, fill: np.pad(x, pad_width, constant_values=fill), array, constant_values)
    if mode in _MOVING:
        return moved(lambda x: np.pad(x, pad_width, mode), array)
    if mode in _STATISTICS:
        return _axis_by_axis(lifted(array), pad_width, lambda a, axis, n, at_end: _repeated(mode, a, axis, n))
    if mode == "linear_ramp":
        ends = np.broadcast_to(lifted(end_values), (np.ndim(array), 2))
        return _axis_by_axis(lifted(array), pad_width, lambda a, axis, n, at_end: _ramp(a, axis, n, at_end, ends))
    known = ", ".join(["constant", *_MOVING, *_STATISTICS, "linear_ramp"])
    raise TypeError(f"np.pad of active values: mode must be one of {known}, not {mode!r}")


def _axis_by_axis(a: Any, pad_width: Any, border: Callable[..., Any]) -> Any:
    """Put borders before and behind every axis; those of an axis count as elements to the next, as in NumPy."""
    for axis, (before, behind) in enumerate(np.broadcast_to(pad_width, (a.ndim, 2)).tolist()):
        parts = [border(a, axis, before, 0), a, border(a, axis, behind, 1)]
        a = np.concatenate(parts, axis=axis)
    return a


def _repeated(mode: str, a: Any, axis: int, count: int) -> Any:
    return np.repeat(_STATISTICS[mode](a, axis=axis, keepdims=True), count, axis=axis)


def _ramp(a: Any, axis: int, count: int, at_end: int, ends: Any) -> Any:
    edge = np.take(a, [-1 if at_end else 0], axis=axis)
    share = np.arange(count).reshape([-1 if n == axis else 1 for n in range(a.ndim)]) / max(count, 1)
    ramp = ends[axis, at_end] + (edge - ends[axis, at_end]) * share
    return np.flip(ramp, axis) if at_end else ramp


ARRAY_FUNCTIONS[np.pad] = _pad
