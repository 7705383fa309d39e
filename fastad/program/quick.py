"""Small calls: arguments recognised without rebuilding their layout, one kernel for value and gradient.

The general way takes 100 us, nearly all of it Python. Whatever is not plain (another structure or dtype, a guard
that decides otherwise) gives None here, and `Program` goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..packing import Packing, Vector
from ..structure import Spec, flatten_like, is_input, open_node
from .evaluator import Evaluator, Stretches
from .recording import Recording
from .variants import Trie

_FLOAT64 = np.dtype(np.float64)
_FLOATS = (float, np.float64)
_NUMBERS = (*_FLOATS, int)
_PLAIN_STATIC = (int, bool, str, type(None))
_NOTHING = np.empty(0)
_Call = Callable[[tuple[Any, ...], Any], tuple[float, Any] | None]


def _key(argnums: Any) -> Any:
    """Argument numbers as a key, None for those that the general way has to judge: 0.0 has the hash of 0."""
    if isinstance(argnums, int):
        return int(argnums)
    if isinstance(argnums, tuple | list) and all(isinstance(number, int) for number in argnums):
        return tuple(argnums)
    return None


class Quick:
    """Calls of one trie at points that its root recording decides."""

    def __init__(self, trie: Trie, inputs: Packing, like: Packing) -> None:
        self.trie = trie
        self._bind = _binder(inputs, _NUMBERS if _takes_integers(inputs, like) else _FLOATS)
        recording = trie.root.recording
        self._count_one = trie.root.count_one
        self._inputs, self._outputs = recording.inputs, recording.outputs
        self._is_scalar = recording.outputs.shapes == [()] and recording.outputs.spec.kind == "leaf"
        self._gradients: dict[Any, _Call] = {}

    @cached_property
    def _stretches(self) -> Stretches:
        return Stretches(self.trie.root.recording)

    @cached_property
    def _evaluate(self) -> Evaluator:
        return self._stretches.evaluator()

    def learn(self, recording: Recording, argnums: Any, inputs: Packing, elements: NDArray[np.int64]) -> None:
        """Note where the derivatives by some arguments of this recording stand."""
        key = _key(argnums)
        if recording is not self.trie.root.recording or key is None or not self._is_scalar or not elements.size:
            return
        first, stop = int(elements.min()), int(elements.max()) + 1
        order = None if np.array_equal(elements, np.arange(first, stop)) else elements - first
        self._gradients[key] = self._gradient(first, stop - first, inputs, order)

    def _gradient(self, first: int, size: int, inputs: Packing, order: NDArray[np.int64] | None) -> _Call:
        """Return a function from arguments and ``out`` to value and gradient, or None.

        Parameters
        ----------
        first, size : int
            Where the derivatives stand among those by all inputs.
        inputs : Packing
            Layout of the gradient.
        order : ndarray, optional
            How the derivatives are ordered there, if in another way.
        """
        # A closure over all that a call needs: through attributes it took 0.5 us more, a sixth.
        bind, evaluate, count_one, unpack = self._bind, self._evaluate, self._count_one, _unpacker(inputs)
        shape = inputs.shapes[0] if inputs.spec.kind == "leaf" else ()

        def call(args: tuple[Any, ...], out: Any) -> tuple[float, Any] | None:
            vector = bind(args)
            if vector is None:
                return None
            if out is None:
                gradient = np.empty(size)
            elif shape and _holds(out, shape):
                gradient = out if len(shape) == 1 else out.ravel()
            else:
                return None
            value, failed = evaluate(vector, first, gradient)
            if failed >= 0:
                return None
            count_one()
            if out is not None:
                return value, out
            if order is not None:
                gradient = gradient[order]
            return value, gradient if unpack is None else unpack(gradient)

        return call

    def value(self, args: tuple[Any, ...]) -> Any:
        """Value at these arguments, or None."""
        vector = self._bind(args)
        if vector is None:
            return None
        outputs = _NOTHING if self._is_scalar else np.empty(self._outputs.size)
        value, failed = self._evaluate(vector, -1, outputs)
        if failed >= 0:
            return None
        self._count_one()
        return value if self._is_scalar else self._outputs.unpack(outputs)

    def value_and_grad(self, args: tuple[Any, ...], argnums: Any, out: Any) -> tuple[float, Any] | None:
        """Value and gradient at these arguments, written to ``out`` if it is given; or None."""
        call = self._gradients.get(argnums if type(argnums) is int else _key(argnums))
        return None if call is None else call(args, out)

    def vjp(self, args: tuple[Any, ...], seeds: Any) -> tuple[Any, Any] | None:
        """Value, and adjoints of all arguments for seeds of the result's structure; or None."""
        vector = self._bind(args)
        if vector is None:
            return None
        outputs, adjoints, failed = self._stretches.pullback(vector, self._outputs.matches(seeds))
        if failed >= 0:
            return None
        self._count_one()
        return self._outputs.unpack(outputs), self._inputs.unpack(adjoints)


def _holds(out: Any, shape: tuple[int, ...]) -> bool:
    """Whether a kernel can write a gradient there."""
    return type(out) is np.ndarray and out.shape == shape and out.dtype is _FLOAT64 and out.flags.carray


def _unpacker(packing: Packing) -> Callable[[Vector], Any] | None:
    """``packing.unpack``, with the commonest layouts written out; None where the vector itself is meant."""
    spec, shapes = packing.spec, packing.shapes
    if spec.kind == "leaf" and len(shapes[0]) == 1:
        return None
    if spec.kind == "leaf" and not shapes[0]:
        return lambda vector: float(vector[0])
    if spec.kind == "tuple" and all(child.kind == "leaf" for child in spec.children) and not any(shapes):
        return lambda vector: tuple(vector.tolist())
    return packing.unpack


def _takes_integers(packing: Packing, like: Packing) -> bool:
    """Whether an integer is an input wherever a float is; it is static where the first recording has one."""
    integers = packing.spec.unflatten([0] * len(packing.shapes))
    return flatten_like(like.spec, integers, is_input)[1].key() == packing.spec.key()


def _binder(packing: Packing, scalars: tuple[type, ...]) -> Callable[[tuple[Any, ...]], Vector | None]:
    """Return a function from arguments to the vector of their numbers, None for arguments of another layout."""
    spec, shapes, size = packing.spec, packing.shapes, packing.size
    if len(spec.children) == 1 and spec.children[0].kind == "leaf" and shapes[0]:
        return _array_binder(shapes[0])
    flat = all(child.kind == "leaf" for child in spec.children)

    def bind(args: tuple[Any, ...]) -> Vector | None:
        leaves: Any = args
        if not flat:
            leaves = []
            if not _collect(spec, args, leaves):
                return None
        elif len(args) != len(shapes):
            return None
        vector, at = np.empty(size), 0
        for leaf, shape in zip(leaves, shapes):
            if not shape:
                if type(leaf) not in scalars:
                    return None
                vector[at] = leaf
                at += 1
            elif type(leaf) is np.ndarray and leaf.dtype == _FLOAT64 and leaf.shape == shape:
                vector[at : at + leaf.size] = leaf.ravel()
                at += leaf.size
            else:
                return None
        return vector

    return bind


def _array_binder(shape: tuple[int, ...]) -> Callable[[tuple[Any, ...]], Vector | None]:
    """``_binder`` for a function of one array, which is used where it lies."""
    flat = len(shape) == 1

    def bind(args: tuple[Any, ...]) -> Vector | None:
        if len(args) != 1:
            return None
        x = args[0]
        if type(x) is not np.ndarray or x.dtype is not _FLOAT64 or x.shape != shape:
            return None
        if not x.flags.carray:  # to numba a read-only array is another type, and a kernel of its own
            x = x.copy()
        return x if flat else x.ravel()

    return bind


def _collect(spec: Spec, node: Any, leaves: list[Any]) -> bool:
    """Append the leaves of a structure in order; false unless it is like the one recorded."""
    kind = spec.kind
    if kind == "leaf":
        leaves.append(node)
        return True
    if kind == "static":
        return type(node) is type(spec.static) and type(node) in _PLAIN_STATIC and node == spec.static
    opened = open_node(node)
    if opened is None or type(node) is not spec.cls or opened[1] != spec.names:
        return False
    return all(_collect(child, part, leaves) for child, part in zip(spec.children, opened[2]))
