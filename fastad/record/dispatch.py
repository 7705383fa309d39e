"""NumPy's protocols: which fastad function stands for a NumPy function.

The registries are filled by ``functions.py``; the active types know only this file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..structure import masked_array

UFUNCS: dict[str, Callable[..., Any]] = {}
ARRAY_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}


def array_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer ``ufunc.method(*inputs)`` where an input is active."""
    function = UFUNCS.get(ufunc.__name__)
    if function is None:
        raise TypeError(f"np.{ufunc.__name__} has no rule for active values; see the operations table of fastad")
    if kwargs.get("out") is not None:
        raise TypeError(
            f"np.{ufunc.__name__} cannot write an active result into a float array: an active needs its row; "
            "drop out=, or collect results in fastad.zeros(shape, like=x)"
        )
    if method != "__call__" or kwargs:
        extra = f".{method}" if method != "__call__" else f" with {', '.join(kwargs)}"
        raise TypeError(f"np.{ufunc.__name__}{extra} is not available for active values")
    return function(*inputs)


def no_array(message: str) -> TypeError:
    """Return the error of ``__array__``; numpy.ma asks for an array before fastad can see that there is a mask."""
    caller = sys._getframe(2).f_globals.get("__name__", "")
    return masked_array("operand") if caller.startswith("numpy.ma") else TypeError(message)


def array_function(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer ``np.func(*args)`` where an argument is active."""
    function = ARRAY_FUNCTIONS.get(func)
    if function is None:
        name = getattr(func, "__name__", str(func))
        raise TypeError(f"np.{name} is not available for active values; write it with operators or fastad functions")
    return function(*args, **kwargs)
