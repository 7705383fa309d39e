"""A function of structures as the rule of a BLOCK row."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError, TapeError
from ..packing import Packing
from ..record.array import flat
from ..record.call_rule import call_rule
from ..record.context import isolated
from ..record.dual import Dual
from ..structure import Spec, flatten, flatten_like, is_active, is_input, is_number, is_result, leaf_shapes, open_node

Leaves = list[Any]


class FunctionRule:
    """What `custom`, `implicit`, `checkpoint` and `scan` have in common.

    Operands are the active leaves of the arguments; all else in them is static, and in a replay what it was when
    recorded. Subclasses say how ``value`` is computed, and its derivatives, in terms of those leaves.

    Parameters
    ----------
    name : str
        For errors and views.
    spec : Spec
        Structure of the arguments.
    """

    stacks = False
    is_output = staticmethod(is_input)  # an integer, say a counter, stays what it is

    def __init__(self, name: str, spec: Spec) -> None:
        self.name = name
        self.spec = spec
        self.outputs: Packing | None = None

    # -------------------- what a subclass says --------------------

    def value(self, leaves: Leaves) -> Any:
        """Result for numbers."""
        raise NotImplementedError

    def pull(self, leaves: Leaves, result: Any, bar: Any) -> Leaves:
        """Adjoints of the leaves for those of the result."""
        raise NotImplementedError

    def push(self, leaves: Leaves, result: Any, dots: Leaves) -> Any:
        """Tangent of the result for those of the leaves, None where one is zero."""
        raise NotImplementedError

    # -------------------- as the rule of a block --------------------

    def values(self, operands: Leaves) -> Leaves:
        """Results of the operands."""
        given = [x.copy() for x in operands]
        with isolated():
            result = self.value([_scalar(x) for x in given])
        if not all(np.array_equal(x, y, equal_nan=True) for x, y in zip(given, operands) if y.ndim):
            raise TypeError(
                f"{self.name} writes into an argument, which its derivative cannot follow: make a copy in the function"
            )
        leaves, spec = self.flattened(result)
        if any(map(is_active, leaves)):
            raise TapeError(
                f"{self.name}: the function uses an active value that is not among its arguments; pass it as one"
            )
        packing = Packing(spec, leaf_shapes(leaves))
        if self.outputs is None:
            self.outputs = packing
        elif self.outputs.shapes != packing.shapes or self.outputs.spec.key() != spec.key():
            raise ShapeError(
                f"{self.name} returned {packing.describe()} where it was recorded with {self.outputs.describe()}"
            )
        return [np.asarray(leaf, np.float64) for leaf in leaves]

    def flattened(self, result: Any) -> tuple[Leaves, Spec]:
        """Numbers of a result, and its structure."""
        leaves, spec = flatten_like(self.outputs.spec if self.outputs else None, result, self.is_output)
        if any(map(np.iscomplexobj, spec.statics())):
            raise TypeError(f"{self.name} returned complex numbers; return their real and imaginary parts")
        return leaves, spec

    def adjoints(self, operands: Leaves, results: Leaves, bars: Leaves, wanted: Sequence[bool]) -> Leaves:
        """Adjoints of the operands."""
        found = self._differentiate(self.pull, operands, results, self._structure(bars), bars)
        return [self._fitting(bar, x) for bar, x in zip(found, operands, strict=True)]

    def tangents(self, operands: Leaves, results: Leaves, dots: Leaves) -> Leaves:
        """Tangents of the results."""
        dots = [None if dot is None else _scalar(dot) for dot in dots]
        found = self._differentiate(self.push, operands, results, dots, dots)
        assert self.outputs is not None
        return picked(self.outputs.spec, found)

    def _differentiate(
        self, way: Callable[..., Any], operands: Leaves, results: Leaves, given: Any, new: Leaves
    ) -> Any:
        # Copies: a rule that writes into its arrays must not change those of the next seed.
        operands, results = (
            [x.copy() if isinstance(x, np.ndarray) else x for x in part] for part in (operands, results)
        )
        arguments = ([_scalar(x) for x in operands], self._structure(results), given)
        if any(map(is_active, [*operands, *results, *new])):
            return way(*arguments)
        with isolated():
            return way(*arguments)

    def _structure(self, results: Leaves) -> Any:
        assert self.outputs is not None
        return self.outputs.spec.unflatten([_scalar(x) for x in results])

    def _fitting(self, bar: Any, x: Any) -> Any:
        if bar is not None and np.shape(plain(bar)) != np.shape(plain(x)):
            raise ShapeError(
                f"{self.name}: an adjoint of shape {np.shape(plain(bar))} for an argument of shape {np.shape(plain(x))}"
            )
        return bar

    def arguments(self, leaves: Leaves) -> tuple[Any, ...]:
        """Arguments of the function with these leaves."""
        return self.spec.unflatten(leaves)


def called(
    make: Callable[[Spec], FunctionRule],
    function: Callable[..., Any],
    args: tuple[Any, ...],
    name: str,
    is_operand: Callable[[Any], bool] = is_active,
) -> Any:
    """Call a function of one's own: as it is for numbers, as a block where an argument is active."""
    leaves, spec = flatten(args, is_operand)
    if any(isinstance(static, Dual) for static in spec.statics()):
        raise TypeError(f"{name} has no rule for duals; use fad.jvp or fad.grad, which record, in place of duals")
    if not any(map(is_active, leaves)):
        return function(*args)
    rule = make(spec.detached())
    results = call_rule(rule, *leaves)
    return rule._structure(results)


def picked(spec: Spec, structure: Any) -> Leaves:
    """Return what stands in a structure where the leaves of a spec are; its other ends may be anything."""
    if spec.kind == "leaf":
        return [structure]
    if spec.kind == "static":
        return []
    opened = open_node(structure)
    if opened is None or len(opened[2]) != len(spec.children):
        if spec.n_leaves == 0:
            return []
        raise TypeError(f"expected derivatives in the structure of the arguments, got {structure!r}")
    children = dict(zip(opened[1], opened[2]))
    return [leaf for name, child in zip(spec.names, spec.children) for leaf in picked(child, children[name])]


def joined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the numbers of its result as one vector."""

    @functools.wraps(function)
    def vector(*args: Any) -> Any:
        leaves, spec = flatten(function(*args), is_result)
        for static in spec.statics():
            raise TypeError(f"expected numbers or arrays, got {static!r} ({type(static).__name__})")
        return flat(leaves)

    return vector


def zeros_like(x: Any) -> Any:
    """Return zero in the shape of a number or an array."""
    return np.zeros(np.shape(plain(x)))[()]


def plain(x: Any) -> Any:
    """Return the numbers of an active, anything else as it is."""
    return getattr(x, "_value", x)


def _scalar(x: Any) -> Any:
    """A number where an array has no axes."""
    if is_active(x):
        return x if getattr(x, "shape", None) != () else x[()]
    return float(x) if np.ndim(x) == 0 and is_number(np.asarray(x)) else x
