"""Functions with derivatives given by their author."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..packing import Packing
from ..record.array import flat
from ..structure import Spec, flatten, is_result, leaf_shapes
from .rule import FunctionRule, Leaves, called, picked, zeros_like

__all__ = ["custom"]


def custom(
    f: Callable[..., Any], *, vjp: Callable[..., Any] | None = None, jvp: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Return f with derivatives of one's own, recorded as one BLOCK row whatever it does inside.

    Parameters
    ----------
    f : callable
        Function of structures of numbers, which it gets as floats and arrays; returns numbers or a structure of them.
        It may call anything: compiled libraries, solvers, table look-ups.
    vjp : callable, optional
        ``vjp(y_bar, y, *args)`` gives the adjoints of the arguments, a tuple with one structure per argument (for a
        single argument the structure itself will do); anything, say None, for an argument without derivative.
    jvp : callable, optional
        ``jvp(args_dot, y, *args)`` gives the tangent of the result for the tuple ``args_dot`` of the arguments'
        tangents, with 0.0 or zeros for arguments that do not move.

    Returns
    -------
    callable
        Plain numbers go straight to f.

    Raises
    ------
    TypeError
        Neither rule is given, or a rule returns another structure.

    Notes
    -----
    One rule is enough: the other direction is then assembled from as many calls of it as the result (or the
    arguments) have elements. Rules written in operations of fastad or NumPy are differentiated in their turn, for
    Hessians and nested transforms; others raise there. A Program calls f again in every replay. Numbers in the
    arguments that are not active are static.

    Examples
    --------
    >>> import fastad as fad, math
    >>> f = fad.custom(lambda x: math.sin(x), vjp=lambda y_bar, y, x: y_bar * fad.cos(x))
    >>> fad.grad(lambda x: x * f(x))(0.0), fad.hessian(f)(0.5) == -math.sin(0.5)
    (0.0, True)
    """
    if vjp is None and jvp is None:
        raise TypeError("custom needs a derivative: vjp=, jvp=, or both")
    name = getattr(f, "__name__", type(f).__name__)

    @functools.wraps(f, updated=())
    def function(*args: Any) -> Any:
        return called(lambda spec: _Custom(name, spec, f, vjp, jvp), f, args, name)

    return function


class _Custom(FunctionRule):
    is_output = staticmethod(is_result)  # the rule has the last word on an integer's derivative, too

    def __init__(
        self,
        name: str,
        spec: Spec,
        f: Callable[..., Any],
        vjp: Callable[..., Any] | None,
        jvp: Callable[..., Any] | None,
    ) -> None:
        super().__init__(name, spec)
        self._f, self._vjp, self._jvp = f, vjp, jvp

    def value(self, leaves: Leaves) -> Any:
        return self._f(*self.arguments(leaves))

    def pull(self, leaves: Leaves, result: Any, bar: Any) -> Leaves:
        args = self.arguments(leaves)
        if self._vjp is None:
            return self._transposed_push(leaves, result, bar)
        found = self._vjp(bar, result, *args)
        if len(args) == 1 and not (isinstance(found, tuple) and len(found) == 1 and type(found) is tuple):
            found = (found,)
        return picked(self.spec, found)

    def push(self, leaves: Leaves, result: Any, dots: Leaves) -> Any:
        if self._jvp is None:
            return self._transposed_pull(leaves, result, dots)
        dots = [zeros_like(x) if dot is None else dot for x, dot in zip(leaves, dots)]
        static = self.spec.unflatten([None] * len(leaves))
        tangents = _with_zeros(self.spec, iter(dots), static)
        return self._jvp(tangents, result, *self.arguments(leaves))

    def _transposed_push(self, leaves: Leaves, result: Any, bar: Any) -> Leaves:
        """Adjoints by one tangent per element of the arguments."""
        weights = flat(flatten(bar, is_result)[0])
        shapes = leaf_shapes(leaves)
        packing = Packing(Spec("list", list, tuple(range(len(leaves))), (Spec("leaf"),) * len(leaves)), shapes)
        slopes = []
        for unit in np.eye(packing.size):
            tangent = self.push(leaves, result, packing.unpack(unit))
            slopes.append((flat(flatten(tangent, is_result)[0]) * weights).sum())
        return packing.unpack(flat(slopes))

    def _transposed_pull(self, leaves: Leaves, result: Any, dots: Leaves) -> Any:
        """Tangents by one adjoint per element of the result."""
        assert self.outputs is not None
        slopes = []
        for unit in np.eye(self.outputs.size):
            bars = self.pull(leaves, result, self.outputs.unpack(unit))
            terms = [np.sum(bar * dot) for bar, dot in zip(bars, dots) if dot is not None and bar is not None]
            slopes.append(sum(terms[1:], terms[0]) if terms else 0.0)
        return self.outputs.unpack(flat(slopes))


def _with_zeros(spec: Spec, dots: Any, static: Any) -> Any:
    """Tangents in the structure of the arguments: those of the leaves, zero for other numbers, None for all else."""
    if spec.kind == "leaf":
        return next(dots)
    if spec.kind == "static":
        return zeros_like(spec.static) if is_result(spec.static) else None
    rebuilt = Spec(spec.kind, spec.cls, spec.names, (Spec("leaf"),) * len(spec.children))
    return rebuilt.unflatten([_with_zeros(child, dots, static) for child in spec.children])
