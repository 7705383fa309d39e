"""Structures of numbers as flat vectors and back: what the drivers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import NestingError, ShapeError
from .structure import Spec, flatten, flatten_like, is_active, is_number, leaf_shapes, real_array

Vector = NDArray[np.float64]


def argument_numbers(argnums: int | Sequence[int], n_args: int) -> list[int]:
    """Return argnums as a list of positions from 0; raise ShapeError for one out of range or named twice."""
    if type(argnums) is int and 0 <= argnums < n_args:
        return [argnums]
    wanted = [argnums] if isinstance(argnums, int) else argnums
    if not isinstance(wanted, Sequence) or not all(isinstance(number, int) for number in wanted):
        raise TypeError(f"argnums={argnums!r}: expected a position, or several; arguments follow, as in fad.grad(f)(x)")
    if any(not -n_args <= number < n_args for number in wanted):
        raise ShapeError(
            f"argnums={argnums}: the function has {n_args} argument{'s' if n_args != 1 else ''} here; "
            "what is differentiated is passed by position"
        )
    numbers = [number % n_args for number in wanted]
    if len(set(numbers)) < len(numbers):
        raise ShapeError(f"argnums={argnums} names an argument twice")
    return numbers


class Packing:
    """Leaves of a structure laid out one after the other, each in C order."""

    def __init__(self, spec: Spec, shapes: list[tuple[int, ...]]) -> None:
        self.spec = spec
        self.shapes = shapes
        self.sizes = [math.prod(shape) for shape in shapes]
        self.ends = [0, *self.sizes] if len(shapes) == 1 else list(accumulate(self.sizes, initial=0))

    @classmethod
    def of(cls, structure: Any, is_leaf: Callable[[Any], bool] = is_number) -> tuple[Packing, Vector]:
        """Return the layout of a structure of numbers, and its numbers as one vector of float64."""
        leaves, spec = flatten(structure, is_leaf)
        spec.refuse_foreign("argument")
        return cls(spec, leaf_shapes(leaves)), pack(leaves)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.ends[-1]

    def names(self, prefix: str = "") -> list[str]:
        """Name of every element, such as ``vols[3]``."""
        names = []
        for path, shape in zip(self.spec.paths(prefix), self.shapes):
            names += [path + "".join(f"[{i}]" for i in at) for at in np.ndindex(shape)] if shape else [path]
        return names

    def unpack(self, vector: Any, *, keep_static: bool = False) -> Any:
        """Return the structure of a vector of elements, active or not, or of an array whose last axis they are."""
        lead = vector.shape[:-1]
        if self.spec.kind == "leaf":
            return _scalar(vector.reshape(lead + self.shapes[0]))
        leaves = [vector[..., i:j].reshape(lead + s) for i, j, s in zip(self.ends, self.ends[1:], self.shapes)]
        return self.spec.unflatten([_scalar(leaf) for leaf in leaves], keep_static=keep_static)

    def matches(self, structure: Any, is_leaf: Callable[[Any], bool] = is_number) -> Vector:
        """Return the numbers of a structure of this layout; raise ShapeError for another one."""
        return pack(self.leaves(structure, is_leaf))

    def leaves(self, structure: Any, is_leaf: Callable[[Any], bool]) -> list[Any]:
        """Return the leaves of a structure of this layout; raise ShapeError for another one."""
        leaves, spec = flatten_like(self.spec, structure, is_leaf)
        other = Packing(spec, leaf_shapes(leaves))
        if other.spec.key() != self.spec.key() or other.shapes != self.shapes:
            spec.refuse_foreign("argument")
            raise ShapeError(f"expected a structure like {self.describe()}, got {other.describe()}")
        return leaves

    def describe(self) -> str:
        """Return a short text of the structure with shapes at its leaves."""
        return str(self.spec.unflatten([f"float{list(shape)}" if shape else "float" for shape in self.shapes]))


def _scalar(array: Any) -> Any:
    if array.ndim:
        return array
    return array[()] if is_active(array) else float(array)


def pack(leaves: list[Any]) -> Vector:
    """Return numbers and arrays as one vector."""
    refuse_actives(leaves)
    if len(leaves) == 1:
        return real_array(leaves[0], "argument", copy=False).reshape(-1)
    return np.concatenate([np.empty(0), *(real_array(leaf, "argument", copy=False).ravel() for leaf in leaves)])


def refuse_actives(leaves: list[Any]) -> None:
    """Raise NestingError for an active where numbers are needed."""
    for leaf in leaves:
        if is_active(leaf):
            raise NestingError(
                "an active value reached a call that takes numbers, such as program.grad or program.batch: inside "
                "another transform use fad.grad(program); pass fad.value(x) if no derivative should flow through"
            )


def nest_twice(outputs: Packing, inputs: Packing, derivative: Any) -> Any:
    """Return ``derivative[output, input, input]`` as the outputs' structure with that of a Hessian at each leaf."""
    leaves = []
    for i, j, shape in zip(outputs.ends, outputs.ends[1:], outputs.shapes):
        leaves.append(nest(inputs, inputs, derivative[i:j].reshape(*shape, inputs.size, inputs.size)))
    return outputs.spec.unflatten(leaves, keep_static=False)


def nest(outputs: Packing, inputs: Packing, derivative: Any) -> Any:
    """Return ``derivative[..., output, input]`` as the outputs' structure with the inputs' at each leaf."""
    lead = derivative.shape[:-2]
    leaves = []
    for i, j, shape in zip(outputs.ends, outputs.ends[1:], outputs.shapes):
        block = derivative[..., i:j, :].reshape(*lead, *shape, inputs.size)
        leaves.append(inputs.unpack(block))
    return outputs.spec.unflatten(leaves, keep_static=False)
