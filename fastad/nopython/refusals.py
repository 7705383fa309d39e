"""What compiled code has no rule for: a TypingError that says what to write instead."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import overload, overload_attribute, overload_method

from .arrays import ArrayType
from .functions import is_ours

_LOOP = "loop over the elements, or call it outside of the jitted function, where active arrays do what NumPy's do"
_EXTREME = "max(x) and min(x) take vectors; else loop with fad.maximum and fad.minimum"
_VIEW = "index it as it is, copy it into fad.zeros(shape, like=x), or pass the view into the jitted function"
_REMEDIES = {
    "array": "use fad.array([...])",
    "interp": "use fad.interp(x, xp, fp)",
    "max": _EXTREME,
    "min": _EXTREME,
    "amax": _EXTREME,
    "amin": _EXTREME,
    "T": _VIEW,
    "reshape": _VIEW,
    "ravel": _VIEW,
    "flatten": _VIEW,
    "transpose": _VIEW,
    "astype": "its numbers are float64; use x.copy()",
    "concatenate": "fill a fad.zeros(shape, like=x)",
    "full": "use fad.zeros(shape, like=x) and y[:] = value",
}
_FUNCTIONS = (
    "all any amax amin argsort array clip concatenate convolve corrcoef cov cross cumprod cumsum diag diff dot flip "
    "full hstack interp kron max median min outer prod ptp ravel repeat reshape roll sort stack std transpose trace "
    "trapezoid tril triu var vdot vstack"
)
_ALGEBRA = "cholesky det eigh inv lstsq norm qr slogdet solve svd"
_METHODS = "all any argmax argmin argsort astype clip cumprod cumsum dot fill flatten max min prod ravel repeat "
_METHODS += "reshape sort std trace transpose var"


def _error(name: str, key: str) -> TypingError:
    return TypingError(f"{name} of actives is not available in a jitted function: {_REMEDIES.get(key, _LOOP)}")


def _has_ours(x: Any) -> bool:
    if isinstance(x, types.BaseTuple):
        return any(map(_has_ours, getattr(x, "types", ())))
    if isinstance(x, types.List | types.ListType):
        return _has_ours(x.dtype)
    return isinstance(x, ArrayType) or is_ours(x)


def _refuse(function: Callable[..., Any], name: str, key: str) -> None:
    @overload(function, strict=False)
    def refuse(*args: Any, **more: Any) -> None:
        if any(map(_has_ours, (*args, *more.values()))):
            raise _error(name, key)


def _refuse_method(key: str) -> None:
    @overload_method(ArrayType, key)
    def refuse(array: Any, *args: Any, **more: Any) -> None:
        raise _error(f"x.{key}", key)


for _name in _FUNCTIONS.split():
    _refuse(getattr(np, _name), f"np.{_name}", _name)
for _name in _ALGEBRA.split():
    _refuse(getattr(np.linalg, _name), f"np.linalg.{_name}", _name)
_refuse(operator.matmul, "@", "matmul")
for _name in _METHODS.split():
    _refuse_method(_name)


@overload_attribute(ArrayType, "T")
def _transposed(array: Any) -> None:
    raise _error("x.T", "T")
