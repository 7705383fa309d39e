"""NumPy functions that choose by conditions, as data, and comparisons of whole arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .condition import ConditionArray
from .dispatch import ARRAY_FUNCTIONS
from .functions import FUNCTIONS, TESTS, where
from .numpy_ufuncs import lifted


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
    with np.errstate(invalid="ignore"):  # where b is passive and infinite
        near = FUNCTIONS["abs"](lifted(a) - b) <= atol + rtol * FUNCTIONS["abs"](b)
    close = (near & finite) | (lifted(a) == b)
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


ARRAY_FUNCTIONS.update(
    {
        np.allclose: _allclose,
        np.array_equal: _array_equal,
        np.array_equiv: _array_equiv,
        np.isclose: _isclose,
        np.isneginf: _signed_infinity(-1.0),
        np.isposinf: _signed_infinity(1.0),
        np.piecewise: _piecewise,
        np.select: _select,
    }
)
