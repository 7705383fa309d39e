"""Forward mode by duals: derivatives of functions of one number, Jacobians of jitted functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .packing import Packing, Vector, nest, refuse_actives
from .record.active import passive_float
from .record.dual import Dual, DualArray
from .structure import flatten, is_result, leaf_shapes

_DIRECTIONS = 8  # of one run of a jitted function: one vector register of AVX-512, two of AVX2

_level: ContextVar[int] = ContextVar("fastad_dual_level", default=0)


def _is_leaf(value: Any) -> bool:
    return isinstance(value, Dual | DualArray) or is_result(value)


class _Level:
    """A level of its own for one derivative; the derivatives being taken around it have lower ones."""

    def __enter__(self) -> int:
        level = _level.get() + 1
        self._token = _level.set(level)
        return level

    def __exit__(self, *error: object) -> None:
        _level.reset(self._token)


def derivative(f: Callable[[Any], Any], x: Any) -> Any:
    """Return the derivative of f at a number, or at the dual of a derivative around it; see `fastad.derivative`."""
    refuse_actives([x])
    number = x if isinstance(x, Dual) else passive_float(x)
    if number is NotImplemented:
        raise TypeError(f"derivative is by a number, not {type(x).__name__}; use fad.jacobian or fad.grad")
    with _Level() as level:
        leaves, spec = flatten(f(Dual(number, 1.0, level)), _is_leaf)
    _refuse_static(spec)
    return spec.unflatten([_tangent(leaf, level) for leaf in leaves])


def _refuse_static(spec: Any) -> None:
    for static in spec.statics():
        kind = type(static).__name__
        raise TypeError(f"the function returned {static!r} ({kind}); return a number or a structure of numbers")


def _tangent(leaf: Any, level: int) -> Any:
    refuse_actives([leaf])
    if isinstance(leaf, Dual | DualArray) and leaf.level == level:
        return leaf.tangent[0] if isinstance(leaf, Dual) else leaf.tangent[..., 0]
    return np.zeros(np.shape(leaf)) if isinstance(leaf, np.ndarray) else 0.0


def jacobian(
    f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], positions: list[int], single: bool
) -> Any:
    """Jacobian of f by the arguments at some positions, eight columns a run."""
    selected = tuple(args[p] for p in positions)
    inputs, vector = Packing.of(selected[0] if single else selected, is_result)
    outputs: Packing | None = None
    columns: list[NDArray[np.float64]] = []
    with _Level() as level:
        for first in range(0, max(inputs.size, 1), _DIRECTIONS):
            seeded = _seeded(inputs, vector, first, level)
            full = list(args)
            for position, argument in zip(positions, [seeded] if single else seeded):
                full[position] = argument
            leaves, spec = flatten(f(*full, **kwargs), _is_leaf)
            _refuse_static(spec)
            outputs = Packing(spec, leaf_shapes(leaves))
            count = min(_DIRECTIONS, inputs.size - first)
            columns.append(_tangents(leaves, level)[:, :count])
    assert outputs is not None
    return nest(outputs, inputs, np.concatenate(columns, axis=1))


def _seeded(inputs: Packing, vector: Vector, first: int, level: int) -> Any:
    """Return the structure of the inputs as duals: unit tangents for eight of them, from the given one on."""
    tangents = np.eye(inputs.size, _DIRECTIONS, -first)
    leaves: list[Any] = []
    for i, j, shape in zip(inputs.ends, inputs.ends[1:], inputs.shapes):
        if shape:
            leaves.append(
                DualArray(vector[i:j].reshape(shape).copy(), tangents[i:j].reshape(*shape, _DIRECTIONS), level)
            )
        else:
            leaves.append(Dual(float(vector[i]), tuple(tangents[i].tolist()), level))
    return inputs.spec.unflatten(leaves)


def _tangents(leaves: list[Any], level: int) -> NDArray[np.float64]:
    """Tangents of all elements of a result, one row each."""
    rows = []
    for leaf in leaves:
        if isinstance(leaf, Dual | DualArray) and leaf.level == level:
            rows.append(np.asarray(leaf.tangent, np.float64).reshape(-1, _DIRECTIONS))
        else:
            rows.append(np.zeros((np.size(leaf), _DIRECTIONS)))
    return np.concatenate([np.empty((0, _DIRECTIONS)), *rows])
