"""NumPy's protocols: which fastad function stands for a NumPy function.

The registries are filled by ``functions.py`` and the ``numpy_*`` modules; the active types know only this file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..structure import is_active, masked_array

_NUMPY = (np.ndarray, np.generic)  # a tuple is asked faster than a union

UFUNCS: dict[str, Callable[..., Any]] = {}
UFUNC_METHODS: dict[str, Callable[..., Any]] = {}  # reduce, accumulate, outer, at: called with the ufunc first
ARRAY_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
COMPLEX_UFUNCS: dict[str, Callable[..., Any]] = {}  # of an active and a complex operand
COMPLEX_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}  # array functions, of two operands
COMPLEX_OPERATORS: dict[str, Callable[..., Any]] = {}  # the same by operator method
MADE_LIKE: dict[Callable[..., Any], Callable[..., Any]] = {}  # np.zeros(..., like=x): called with x first
OWN_DTYPE: set[Callable[..., Any]] = set()  # array functions whose dtype= may be another than float64


def array_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer ``ufunc.method(*inputs)`` where an input or the output is active."""
    function = UFUNCS.get(ufunc.__name__)
    if len(inputs) == 1 and function is not None and method == "__call__" and not kwargs:
        return function(*inputs)  # the commonest, before names are made
    if len(inputs) > 1 and method == "__call__" and any(is_complex(x) for x in inputs):
        return complex_function(ufunc.__name__, *inputs)
    name = f"np.{ufunc.__name__}" if method == "__call__" else f"np.{ufunc.__name__}.{method}"
    if function is None:
        raise TypeError(
            f"np.{ufunc.__name__} has no rule for active values; see the operations table of fastad, or give the "
            "derivative with fad.custom"
        )
    if method != "__call__":
        if method not in UFUNC_METHODS:
            raise TypeError(f"{name} is not available for active values")
        function = _method(ufunc, function, UFUNC_METHODS[method])
    if not kwargs:
        return function(*inputs)
    if method == "__call__" and "where" in kwargs:
        return _masked(name, ufunc, inputs, kwargs)
    return deliver(function, name, inputs, kwargs)


def _method(ufunc: Any, function: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs, **kwargs: method(ufunc, function, *inputs, **kwargs)


def _masked(name: str, ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``where=``: elements elsewhere stay what they are in ``out``."""
    mask = kwargs.pop("where")
    if mask is True:
        return array_ufunc(ufunc, "__call__", inputs, kwargs)
    if "out" not in kwargs:
        raise TypeError(f"{name}: where= leaves elements undefined without out=; use fad.where(mask, result, other)")
    choose, function, before = ARRAY_FUNCTIONS[np.where], UFUNCS[ufunc.__name__], kwargs["out"][0]
    return deliver(lambda *x, **more: choose(mask, function(*x, **more), before), name, inputs, kwargs)


def is_complex(x: Any) -> bool:
    """Whether an operand is complex: numbers, arrays of them, or pairs of actives."""
    if isinstance(x, _NUMPY):
        return x.dtype.kind == "c"
    return isinstance(x, complex) or hasattr(x, "_complex_value")


def complex_function(name: str, *operands: Any) -> Any:
    """Answer the ufunc of this name where an operand is complex, by NumPy where none is active."""
    if name not in COMPLEX_UFUNCS:
        raise TypeError(f"{name} is not available for complex values")
    active = any(is_active(x) or hasattr(x, "_complex_value") for x in operands)
    return COMPLEX_UFUNCS[name](*operands) if active else getattr(np, name)(*operands)


def beyond_reals(method: str, x: Any, other: Any) -> Any:
    """Answer an operator of an active and an operand that is no real number: complex, or nothing it knows."""
    known = isinstance(other, complex | np.ndarray | np.generic) and is_complex(other)
    return COMPLEX_OPERATORS[method](x, other) if known and method in COMPLEX_OPERATORS else NotImplemented


def no_array(message: str) -> TypeError:
    """Return the error of ``__array__``; numpy.ma asks for an array before fastad can see that there is a mask."""
    caller = sys._getframe(2).f_globals.get("__name__", "")
    return masked_array("operand") if caller.startswith("numpy.ma") else TypeError(message)


def array_function(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], asked: Any = None) -> Any:
    """Answer ``np.func(*args)`` where an argument, or ``like=``, is active; ``asked`` is what NumPy asked."""
    if asked is not None and func in MADE_LIKE:
        return MADE_LIKE[func](asked, *args, **kwargs)
    function = ARRAY_FUNCTIONS.get(func)
    name = full_name(func)
    if function is None:
        raise TypeError(
            f"{name} is not available for active values; write it with operators or fastad functions, or give its "
            "derivative with fad.custom"
        )
    if func in COMPLEX_FUNCTIONS and any(is_complex(x) for x in args):
        function = COMPLEX_FUNCTIONS[func]
    if func in OWN_DTYPE:
        return function(*args, **kwargs)
    return deliver(function, name, args, kwargs) if kwargs else function(*args)


def full_name(func: Callable[..., Any]) -> str:
    """Name of a NumPy function with its module, as in ``np.linalg.eig``."""
    module = getattr(func, "__module__", None) or "numpy"
    return f"{module.replace('numpy', 'np', 1)}.{getattr(func, '__name__', func)}"


def deliver(function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function; see to ``out=`` and ``dtype=``, which mean the same for all of NumPy."""
    out = kwargs.pop("out", None)
    dtype = kwargs.pop("dtype", None)
    if dtype is not None and np.dtype(dtype) != np.float64:
        raise TypeError(f"{name}: active values are float64; drop dtype={np.dtype(dtype)}")
    if out is None:
        return function(*args, **kwargs)
    outs = out if isinstance(out, tuple) else (out,)
    for target in outs:
        if target is not None and not hasattr(target, "_write"):
            raise TypeError(
                f"{name} cannot write an active result into a float array: an active needs its row; "
                "drop out=, or collect results in fad.zeros(shape, like=x)"
            )
    result = function(*args, **kwargs)
    results = result if isinstance(result, tuple) else (result,)
    written = [value if target is None else target._write(value) for target, value in zip(outs, results)]
    return tuple(written) if isinstance(result, tuple) else written[0]


def require_passive(name: str, *parameters: Any) -> None:
    """Raise TypeError where a parameter that a recording cannot follow is active."""
    for parameter in parameters:
        if is_active(parameter):
            raise TypeError(f"{name}: this parameter must be a plain number; fad.value(x) freezes an active one")
