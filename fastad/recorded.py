"""A function run once with actives as arguments, and its derivative: what all transforms stand on.

Outermost, it runs on a tape of its own and the derivative is swept: numbers. Inside another transform it runs on
that one's tape, behind copies of its arguments, and the derivative is rows behind its own rows: actives, which the
outer transform differentiates, or a Program replays, like any other. Only rows behind the copies count for the
inner derivative, so no tangent of one transform is mistaken for one of another.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ops import OPCODE
from .packing import Packing, argument_numbers, pack
from .record.array import ActiveArray, elementwise, operand
from .record.context import Outputs, activate, call, outer_tape
from .record.dispatch import is_complex
from .record.linear import Linearization, Numbers
from .record.lines import debugging
from .record.tape import Tape
from .sparse import Dependences
from .structure import flatten, is_active, is_result, leaf_shapes

Argnums = int | Sequence[int]
Array = Any  # ndarray, or an ActiveArray inside another transform

_MOST_BYTES = 2**28  # of a tape that is kept
_REFERENCES_OF_AN_ARGUMENT = 2  # its own, and that of getrefcount
_CHUNK = 64  # seeds or directions swept at once: the buffers stay small and each row still fills its vectors
_PRODUCT, _VARIABLE = OPCODE["product"], OPCODE["variable"]


def run(
    f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], argnums: Argnums, also: Any = None
) -> Recorded:
    """Run f with the arguments at ``argnums`` as independents.

    Parameters
    ----------
    f, args, kwargs
        The call.
    argnums : int or sequence of int
        Positions of structures of numbers or actives.
    also : structure
        Other numbers that the derivative is made of: an active among them makes it one inside another transform.
    """
    positions = argument_numbers(argnums, len(args))
    selected = tuple(args[p] for p in positions)
    leaves, spec = flatten(selected[0] if isinstance(argnums, int) else selected, is_result)
    spec.refuse_foreign("argument")
    if not leaves:
        hint = "; pass the real and the imaginary part of a complex number" if any(map(is_complex, selected)) else ""
        raise TypeError(f"the argument at argnums={argnums} holds no number to differentiate by: {selected!r}{hint}")
    tape = outer_tape([*leaves, *(() if also is None else flatten(also)[0])])
    inputs = Packing(spec, leaf_shapes(leaves))
    recorded = Recorded(inputs) if tape is None else Nested(inputs, tape)
    active = recorded.activate(leaves)
    full = list(args)
    for position, argument in zip(positions, [active] if isinstance(argnums, int) else active):
        full[position] = argument
    recorded.result = call(recorded.tape, f, full, kwargs)
    return recorded


class _Spare(threading.local):
    """The tape of the last derivative on this thread, empty: touching new memory costs more than recording in it."""

    tape: Tape | None = None

    def take(self) -> Tape:
        """Return it, or a new one."""
        tape, self.tape = self.tape, None
        return Tape() if tape is None or debugging() else tape

    def give(self, tape: Any) -> None:
        """Keep a tape, unless something that is left of its recording still refers to it."""
        alone = sys.getrefcount(tape) == _REFERENCES_OF_AN_ARGUMENT
        if alone and type(tape) is Tape and tape.nbytes <= _MOST_BYTES:
            tape.clear()
            self.tape = tape


_spare = _Spare()


class Recorded:
    """The outermost transform: derivatives are numbers."""

    result: Any

    def __init__(self, inputs: Packing) -> None:
        self.inputs = inputs
        self.tape = _spare.take()
        self.tape._guards = False

    def __del__(self) -> None:
        self.__dict__.pop("result", None)
        _spare.give(self.__dict__.pop("tape", None))

    def activate(self, leaves: list[Any]) -> Any:
        """Return the structure of the independents as new inputs of the tape."""
        if self.inputs.spec.kind == "leaf" and self.inputs.shapes[0]:
            return self.tape.inputs(leaves[0])
        return activate(self.tape, self.inputs, pack(leaves))

    def values(self, outputs: Outputs) -> Array:
        """Values of the outputs."""
        return outputs.values

    def vector(self, packing: Packing, structure: Any) -> Array:
        """Seeds or directions of the structure of a packing as one vector."""
        return packing.matches(structure)

    def tangents(self, outputs: Outputs, direction: Array) -> Array:
        """Tangents of the outputs for one direction."""
        return self.tangents_of(outputs.rows, direction[:, None])[:, 0]

    def tangents_of(self, rows: NDArray[np.int32], directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tangents of rows, -1 for a passive one, shape (rows, k), for directions of the inputs, shape (inputs, k)."""
        y_dot = np.zeros((rows.size, directions.shape[1]))
        active = rows >= 0
        if active.any():
            y_dot[active] = self.tape._tangents(rows[active], directions)
        return y_dot

    def adjoints_of(self, rows: NDArray[np.int32], seeds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Adjoints of the inputs, shape (inputs, ...), for seeds of rows, shape (rows, ...)."""
        active = rows >= 0
        return self.tape._adjoints(rows[active], seeds[active], np.arange(self.inputs.size, dtype=np.int32))

    def dependences(self, rows: NDArray[np.int32]) -> Dependences:
        """Which inputs rows depend on."""
        columns = (self.tape.opcode, self.tape.arg0, self.tape.arg1)
        tables = self.tape._tables.used(len(self.tape), {block.row for block in self.tape.blocks})
        return Dependences(columns, tables, np.arange(self.inputs.size, dtype=np.int32), rows)

    def gradient_rows(self, output: int) -> NDArray[np.int32]:
        """Append the adjoint rows of one output; returns those of the inputs, -1 for a passive one."""
        inputs = np.arange(self.inputs.size, dtype=np.int32)
        linear = Linearization(self.tape, inputs, np.array([output], np.int32), per_scenario=False)
        return linear.adjoints(Numbers.passive(np.ones((1, 1)))).rows[:, 0]

    def adjoints(self, outputs: Outputs, seeds: Any) -> Array:
        """Adjoints of the inputs for seeds of the structure of the outputs."""
        leaves = outputs.packing.leaves(seeds, is_result)
        if any(map(is_active, leaves)):  # a pullback called inside another transform: its map is one of numbers
            matrix = self.jacobian(outputs, "auto")
            vector = _vector(leaves)
            return elementwise(_PRODUCT, vector.reshape(-1, 1), matrix).sum(axis=0)
        return self.adjoints_of(outputs.rows, pack(leaves))

    def jacobian(self, outputs: Outputs, mode: str) -> Array:
        """Derivative of the outputs by the inputs, shape (outputs, inputs)."""
        n_out, n_in = outputs.rows.size, self.inputs.size
        if n_out == 1 and mode != "forward":
            return self.tape._gradient(int(outputs.rows[0]), n_in)[None]
        jacobian = np.zeros((n_out, n_in))
        active = np.flatnonzero(outputs.rows >= 0)
        if active.size == 0 or n_in == 0:
            return jacobian
        if _by_seeds(mode, active.size, n_in):
            rows = np.arange(n_in, dtype=np.int32)
            for chunk in _chunks(active):
                jacobian[chunk] = self.tape._adjoints(outputs.rows[chunk], np.eye(chunk.size), rows).T
            return jacobian
        for chunk in _chunks(np.arange(n_in)):
            directions = np.zeros((n_in, chunk.size))
            directions[chunk, np.arange(chunk.size)] = 1.0
            jacobian[np.ix_(active, chunk)] = self.tape._tangents(outputs.rows[active], directions)
        return jacobian


class Nested(Recorded):
    """A transform inside another: derivatives are rows of the outer tape."""

    def __del__(self) -> None:
        """The tape belongs to the outer one."""

    def __init__(self, inputs: Packing, tape: Tape) -> None:
        self.inputs = inputs
        self.tape = tape

    def activate(self, leaves: list[Any]) -> Any:
        """Return the structure of the independents as copies on the tape."""
        numbers = _numbers(leaves)
        passive = np.full(numbers.rows.size, -1, np.int32)
        start = self.tape._append_elementwise(_VARIABLE, numbers.rows, numbers.values, passive, np.zeros(passive.size))
        self._rows = np.arange(start, start + passive.size, dtype=np.int32)
        return self.inputs.spec.unflatten(self._copies(numbers.values, self._rows.copy()))

    def _copies(self, values: NDArray[np.float64], rows: NDArray[np.int32]) -> list[Any]:
        """Leaves of their own: f may write into its arguments."""
        leaves: list[Any] = []
        for i, j, shape in zip(self.inputs.ends, self.inputs.ends[1:], self.inputs.shapes):
            if shape:
                leaves.append(self.tape._active_array(values[i:j].reshape(shape), rows[i:j].reshape(shape)))
            else:
                leaves.append(self.tape._active(float(values[i]), int(rows[i])))
        return leaves

    def values(self, outputs: Outputs) -> Array:
        """Values of the outputs."""
        return ActiveArray(outputs.values, outputs.rows.copy(), self.tape)  # the caller may write into it

    def vector(self, packing: Packing, structure: Any) -> Array:
        """Seeds or directions of the structure of a packing as one vector."""
        return ActiveArray(*_numbers(packing.leaves(structure, is_result)), self.tape)

    def tangents(self, outputs: Outputs, direction: Array) -> Array:
        """Tangents of the outputs for one direction."""
        found = self._map(outputs).tangents(Numbers(direction._value[:, None], direction._index[:, None]))
        return self._array(found)[:, 0]

    def adjoints(self, outputs: Outputs, seeds: Any) -> Array:
        """Adjoints of the inputs for seeds of the structure of the outputs."""
        vector = self.vector(outputs.packing, seeds)
        found = self._map(outputs).adjoints(Numbers(vector._value[:, None], vector._index[:, None]))
        return self._array(found)[:, 0]

    def jacobian(self, outputs: Outputs, mode: str) -> Array:
        """Derivative of the outputs by the inputs, shape (outputs, inputs)."""
        n_out, n_in = outputs.rows.size, self.inputs.size
        if _by_seeds(mode, n_out, n_in):
            return self._array(self._map(outputs).adjoints(Numbers.passive(np.eye(n_out)))).T
        return self._array(self._map(outputs).tangents(Numbers.passive(np.eye(n_in))))

    def _map(self, outputs: Outputs) -> Linearization:
        return Linearization(self.tape, self._rows, outputs.rows, per_scenario=self.tape._freezing_guards)

    def _array(self, numbers: Numbers) -> ActiveArray:
        return ActiveArray(*numbers, self.tape)


def _by_seeds(mode: str, n_seeds: int, n_directions: int) -> bool:
    """Whether to sweep in reverse: as asked for, else where there are no more seeds than directions."""
    return mode == "reverse" or (mode == "auto" and n_seeds <= n_directions)


def _chunks(items: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(items, -(-items.size // _CHUNK))


def _numbers(leaves: list[Any]) -> Numbers:
    """Values and rows of leaves, one after the other."""
    parts = [operand(leaf) for leaf in leaves]
    values = np.concatenate([np.empty(0), *(value.ravel() for value, _, _ in parts)])
    return Numbers(values, np.concatenate([np.empty(0, np.int32), *(rows.ravel() for _, rows, _ in parts)]))


def _vector(leaves: list[Any]) -> ActiveArray:
    """Leaves, of which some are active, as one active vector."""
    tape = outer_tape(leaves)
    assert tape is not None
    return ActiveArray(*_numbers(leaves), tape)
