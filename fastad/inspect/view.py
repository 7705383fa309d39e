"""Tapes and Programs as rows at one point, with inputs and outputs: what every view starts from."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError, TapeError
from ..notation import Rows
from ..ops import OPCODE
from ..packing import Packing
from ..program.program import Program
from ..record import sweep
from ..record.blocks import blocks_at
from ..record.tape import Tape
from ..structure import real_array

_GUARD = OPCODE["guard"]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """Rows at one point, and which of them are the outputs.

    Attributes
    ----------
    rows : Rows
        Columns, names and places.
    outputs : ndarray
        Rows of the outputs; empty where none was named and none is evident.
    output_names : list of str
        As many.
    """

    rows: Rows
    outputs: NDArray[np.int32]
    output_names: list[str]

    @property
    def columns(self) -> sweep.Columns:
        """What the sweeps read."""
        rows = self.rows
        return sweep.Columns(rows.arg0, rows.arg1, rows.partial0, rows.partial1, blocks_at(rows.blocks, rows.value))

    def adjoints(self, output: int) -> Vector:
        """Adjoints of all rows for seed 1 of one output row."""
        rows = np.array([output], np.int32)
        return sweep.adjoints(self.columns, rows, np.ones(1), np.arange(len(self.rows)))

    def tangents(self, direction: ArrayLike) -> Vector:
        """Tangents of all rows for a direction of the inputs."""
        inputs = self.rows.inputs
        vector = real_array(direction, "direction")
        if vector.shape != (inputs.size,):
            raise ShapeError(f"direction: expected shape ({inputs.size},), one per input, got {vector.shape}")
        every = np.arange(len(self.rows), dtype=np.int32)
        return sweep.tangents(self.columns, every, inputs, vector[:, None])[:, 0]

    def one_output(self) -> int:
        """Row of the output; raises unless there is one."""
        if self.outputs.size != 1:
            raise TapeError(f"{self.outputs.size} outputs here; name one by output=")
        return int(self.outputs[0])


def view_of(source: Any, output: Any = None, args: Sequence[Any] | None = None) -> View:
    """Resolve what users hand in.

    Parameters
    ----------
    source : Tape or Program
        What to look at.
    output : Active, structure of them, or int, optional
        Of a tape, the values that are its outputs: by default the last row, if nothing uses it. Of a Program, the
        number of the output, by default all.
    args : sequence, optional
        Of a Program, the arguments to evaluate at: by default where it was recorded.
    """
    if isinstance(source, Tape):
        if args is not None:
            raise TypeError("a tape is at the point where it was recorded; args= is for Programs")
        rows = source._output_rows(output) if output is not None else _evident_output(source)
        return View(source._rows_now(), rows, _numbered("y", rows.size))
    if isinstance(source, Program):
        return _of_program(source, output, args)
    raise TypeError(f"expected a Tape or a Program, got {type(source).__name__}; fad.record(f, *args) makes a Program")


def _evident_output(tape: Tape) -> NDArray[np.int32]:
    rows = np.flatnonzero(tape.opcode != _GUARD)[-1:]
    return rows.astype(np.int32)


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{k + 1}" for k in range(count)]


def _of_program(program: Program, output: Any, args: Sequence[Any] | None) -> View:
    if args is None:
        tries = list(program._tries.values())
        if not tries:
            raise TapeError("this Program holds no recording")
        recording = tries[0].root.recording
        point = recording.recorded()
    else:
        recording, point = program._at(tuple(args))
    rows, names = recording.output_rows, recording.outputs.names("y")
    if output is not None:
        if not isinstance(output, int) or not -rows.size <= output < rows.size:
            raise TapeError(f"output={output!r}: expected a number below {rows.size}, the outputs of this Program")
        rows, names = rows[[output]], [names[output]]
    active = rows >= 0
    kept = [name for name, flag in zip(names, active) if flag]
    return View(recording.rows(point, _input_names(program, recording.inputs)), rows[active], kept)


def _input_names(program: Program, packing: Packing) -> list[str]:
    """Names of the inputs by the parameters of the function, where it is at hand."""
    children = packing.spec.children
    try:
        parameters = list(inspect.signature(program._f).parameters) if program._f is not None else []
    except (TypeError, ValueError):
        parameters = []
    if len(parameters) < len(children):
        parameters = [f"arg{k}" for k in range(len(children))]
    names, first = [], 0
    for parameter, child in zip(parameters, children):
        shapes = packing.shapes[first : first + child.n_leaves]
        names += Packing(child, shapes).names(parameter)
        first += child.n_leaves
    return names
