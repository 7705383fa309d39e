"""Transforms: functions in, functions or derivatives out, over structures of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from . import forward
from .errors import ShapeError
from .packing import Packing, Vector, argument_numbers, nest
from .record.context import Outputs, activate, call, is_jitted, refuse_dicts, refuse_nesting
from .record.tape import Tape
from .structure import is_result

Argnums = int | Sequence[int]


class _Recorded:
    """A function run once on a fresh tape, with the arguments at ``argnums`` as its inputs."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Argnums) -> None:
        refuse_nesting()
        positions = argument_numbers(argnums, len(args))
        selected = tuple(args[p] for p in positions)
        self.inputs, vector = Packing.of(selected[0] if isinstance(argnums, int) else selected, is_result)
        if self.inputs.size == 0 and not self.inputs.shapes:
            raise TypeError(f"the argument at argnums={argnums} holds no number to differentiate by: {selected!r}")
        self.tape = Tape()
        self.tape._guards = False
        active = activate(self.tape, self.inputs, vector)
        actives = [active] if isinstance(argnums, int) else list(active)
        full = list(args)
        for position, argument in zip(positions, actives):
            full[position] = argument
        self.result = call(self.tape, f, full, kwargs)

    def jacobian(self, outputs: Outputs, mode: str) -> Any:
        """Return the derivative of the outputs by the inputs, shape (outputs, inputs)."""
        n_out, n_in = outputs.rows.size, self.inputs.size
        jacobian = np.zeros((n_out, n_in))
        active = np.flatnonzero(outputs.rows >= 0)
        if active.size == 0 or n_in == 0:
            return jacobian
        if mode == "auto":
            mode = "forward" if n_in < active.size else "reverse"
        for chunk in np.array_split(*_chunks(active if mode == "reverse" else np.arange(n_in))):
            if mode == "reverse":
                seeds = np.eye(chunk.size)
                rows = np.arange(n_in, dtype=np.int32)
                jacobian[chunk] = self.tape._adjoints(outputs.rows[chunk], seeds, rows).T
            else:
                directions = np.zeros((n_in, chunk.size))
                directions[chunk, np.arange(chunk.size)] = 1.0
                jacobian[np.ix_(active, chunk)] = self.tape._tangents(outputs.rows[active], directions)
        return jacobian


def _chunks(items: Any) -> tuple[Any, int]:
    """Sweep 64 seeds or directions at once: the buffers stay small and each row still fills its vectors."""
    return items, -(-items.size // 64)


def _scalar_output(outputs: Outputs, name: str) -> None:
    if not outputs.is_scalar:
        raise ShapeError(
            f"{name} needs a function that returns one number, got {outputs.packing.describe()}; use fad.jacobian"
        )


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that gives the value of f and its gradient.

    Parameters
    ----------
    f : callable
        Returns one number; with ``has_aux``, a pair (number, anything).
    argnums : int or sequence of int
        The arguments to differentiate by: structures of numbers.
    has_aux : bool
        Pass the second item of f's result through, its actives frozen to numbers.

    Returns
    -------
    callable
        ``(*args, **kwargs) -> (value, gradient)``, or ``((value, aux), gradient)``; the gradient has the
        structure of the argument, a tuple of them for several ``argnums``.

    Raises
    ------
    ShapeError
        f does not return one number.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        recorded = _Recorded(f, args, kwargs, argnums)
        result, aux = recorded.result if has_aux else (recorded.result, None)
        outputs = Outputs(recorded.tape, result)
        _scalar_output(outputs, "a gradient")
        gradient = recorded.inputs.unpack(recorded.jacobian(outputs, "reverse")[0])
        value = float(outputs.values[0])
        if not has_aux:
            return value, gradient
        from .record.functions import value as frozen

        return (value, frozen(aux)), gradient

    return derivative


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the gradient of f; see `value_and_grad`.

    Examples
    --------
    >>> import fastad as fad
    >>> fad.grad(lambda p: p["a"] * fad.exp(p["b"]))({"a": 2.0, "b": 0.0})
    {'a': 1.0, 'b': 2.0}
    """
    both = value_and_grad(f, argnums)

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return derivative


def jacobian(f: Callable[..., Any], argnums: Argnums = 0, mode: str = "auto") -> Callable[..., Any]:
    """Return a function that gives the Jacobian of f.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays or a structure of them.
    argnums : int or sequence of int
        The arguments to differentiate by.
    mode : {"auto", "forward", "reverse"}
        Sweep direction; auto takes the smaller number of directions or seeds. Forward through a jitted function
        runs it with duals, eight directions at a time, and records nothing.

    Returns
    -------
    callable
        Gives the structure of f's result with the argument's structure at each leaf; leaf shape is result
        leaf shape + argument leaf shape.
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"mode={mode!r}: expected 'auto', 'forward' or 'reverse'")

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        if mode == "forward" and is_jitted(f):
            refuse_nesting()
            refuse_dicts(args)
            positions = argument_numbers(argnums, len(args))
            return forward.jacobian(f, args, kwargs, positions, isinstance(argnums, int))
        recorded = _Recorded(f, args, kwargs, argnums)
        outputs = Outputs(recorded.tape, recorded.result)
        return nest(outputs.packing, recorded.inputs, recorded.jacobian(outputs, mode))

    return derivative


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return f(*primals) and its derivative in the direction of the tangents, by one forward sweep.

    Parameters
    ----------
    f : callable
        Function of ``len(primals)`` structures of numbers.
    primals, tangents : sequence
        Arguments, and directions of the same structure and shapes.

    Returns
    -------
    (y, y_dot)
        Both of the structure of f's result.
    """
    if not isinstance(primals, Sequence) or not isinstance(tangents, Sequence):
        raise TypeError("jvp takes its primals and tangents as tuples: jvp(f, (x,), (x_dot,))")
    recorded = _Recorded(f, tuple(primals), {}, range(len(primals)))
    outputs = Outputs(recorded.tape, recorded.result)
    direction = recorded.inputs.matches(tuple(tangents))
    y_dot = np.zeros(outputs.rows.size)
    active = outputs.rows >= 0
    if active.any():
        y_dot[active] = recorded.tape._tangents(outputs.rows[active], direction[:, None])[:, 0]
    return outputs.packing.unpack(outputs.values), outputs.packing.unpack(y_dot)


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return f(*primals) and its pullback: seeds of the result's structure to adjoints of the arguments.

    Returns
    -------
    (y, pullback)
        ``pullback(y_bar)`` gives a tuple, one structure per argument, by one reverse sweep; it can be called
        again with other seeds.
    """
    recorded = _Recorded(f, primals, {}, range(len(primals)))
    outputs = Outputs(recorded.tape, recorded.result)
    active = outputs.rows >= 0

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        seeds: Vector = outputs.packing.matches(y_bar)
        rows = np.arange(recorded.inputs.size, dtype=np.int32)
        return recorded.inputs.unpack(recorded.tape._adjoints(outputs.rows[active], seeds[active], rows))

    return outputs.packing.unpack(outputs.values), pullback
