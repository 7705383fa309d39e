"""NumPy functions that make arrays: like another one, so that actives can be assigned into them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .array import ActiveArray, array, zeros
from .dispatch import ARRAY_FUNCTIONS, MADE_LIKE, OWN_DTYPE, require_passive


def _is_float64(dtype: Any) -> bool:
    return dtype is None or np.dtype(dtype) == np.float64


def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: Any = True, shape: Any = None
) -> Any:
    shape = np.shape(a) if shape is None else shape
    if not _is_float64(dtype):
        require_passive(f"np.full_like with dtype={np.dtype(dtype)}", fill_value)
        return np.full(shape, fill_value, dtype)
    out = zeros(shape, like=a)
    out[...] = fill_value
    return out


def _filled_like(number: float) -> Callable[..., Any]:
    def function(a: Any, dtype: Any = None, order: Any = "K", subok: Any = True, shape: Any = None) -> Any:
        return _full_like(a, number, dtype, shape=shape)

    return function


def _made(func: Any) -> Callable[..., Any]:
    """``np.zeros(3, like=x)`` and the others that only take numbers."""

    def function(like: Any, *args: Any, **more: Any) -> Any:
        return _on_tape(func(*args, **more), like)

    return function


def _converted(like: Any, x: Any, dtype: Any = None, **more: Any) -> Any:
    """``np.array(x, like=y)``: of numbers and actives, in any nesting."""
    if not _is_float64(dtype):
        raise TypeError(f"np.array(..., like=active): active values are float64; drop dtype={np.dtype(dtype)}")
    return _on_tape(array(x), like)


def _on_tape(made: Any, like: Any) -> Any:
    """An array of numbers as one that takes actives; arrays of integers and bools are what they are."""
    if not isinstance(made, np.ndarray) or made.dtype != np.float64:
        return made
    return ActiveArray(made, np.full(made.shape, -1, np.int32), like.tape)


ARRAY_FUNCTIONS.update(
    {
        np.empty_like: _filled_like(0.0),
        np.full_like: _full_like,
        np.ones_like: _filled_like(1.0),
        np.zeros_like: _filled_like(0.0),
    }
)
OWN_DTYPE.update({np.empty_like, np.full_like, np.ones_like, np.zeros_like})
MADE_LIKE.update({func: _made(func) for func in (np.arange, np.empty, np.eye, np.full, np.identity, np.ones, np.zeros)})
MADE_LIKE.update(dict.fromkeys((np.array, np.asarray, np.asanyarray, np.ascontiguousarray), _converted))
