"""The tape that users hold: inputs, and the sweeps over what was recorded from them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError, TapeError
from ..kernels import sweeps
from ..kernels.bulk import highest
from ..notation import Rows
from ..ops import OPCODE
from ..structure import flatten, leaf_shapes, real_array
from . import bulk_sweep, sweep
from .active import Active, passive_float
from .array import ActiveArray
from .blocks import blocks_at
from .condition import Condition, refuse_condition
from .header import NativeSite
from .lines import Place, debugging, position
from .storage import Storage

_INPUT = OPCODE["input"]
_READ = ("arg0", "arg1", "partial0", "partial1", "value")


class Tape(Storage):
    """Recorded elementary operations of one thread.

    Parameters
    ----------
    max_bytes : int, optional
        Cap on the memory of the columns (33 bytes a row); beyond it `TapeFullError` is raised and the tape
        stays usable after `rewind`.
    lines : bool
        Keep the source line of every row, not only of guards: recording is about six times slower and 16 bytes a
        row larger. `fastad.inspect` shows the lines, and values that outlived a rewind are always caught.

    Examples
    --------
    >>> import fastad as fad
    >>> tape = fad.Tape()
    >>> x, y = tape.input(2.0), tape.input(4.0)
    >>> tape.reverse(x * y + fad.sin(x)).round(6)
    array([3.583853, 2.      ])
    """

    _watched: ClassVar[type[Tape] | None] = None  # the kind that keeps lines; watched.py sets it

    def __new__(cls, max_bytes: int | None = None, lines: bool = False) -> Tape:
        """Make a watched tape where lines are wanted, so that a plain one pays nothing for what it has not."""
        watched = cls is Tape and (lines or debugging()) and cls._watched
        return object.__new__(watched or cls)

    def __init__(self, max_bytes: int | None = None, lines: bool = False) -> None:
        super().__init__(max_bytes)
        self._adjoint = np.empty(0)

    # -------------------- inputs --------------------

    def input(self, value: float, name: str | None = None) -> Active:
        """Return a new independent variable with this value."""
        number = passive_float(value)
        if number is NotImplemented:
            raise TypeError(f"an input is a number, not {type(value).__name__}; arrays go through tape.inputs")
        row = self._append_staged(_INPUT, -1, -1, number, number)
        self._inputs.append((row, 0, name))
        return self._active(number, row)

    def inputs(self, values: ArrayLike, name: str | None = None) -> ActiveArray:
        """Return an array of new independent variables, one per element of ``values`` in C order."""
        array = real_array(values, "inputs")
        start = self._append_inputs(array.reshape(-1))
        index = np.arange(start, start + array.size, dtype=np.int32)
        if array.size:
            self._inputs.append((start, array.size, name))
        return ActiveArray(array, index.reshape(array.shape), self)

    # -------------------- values of its rows, for arrays and compiled code --------------------

    def _active(self, value: float, row: int) -> Active:
        active = object.__new__(Active)
        active._value = value
        active._row = float(row)
        active.tape = self
        return active

    def _condition(self, code: int, arg0: int, arg1: int, passive: float, outcome: bool) -> Condition:
        return Condition(self, code, arg0, arg1, passive, outcome)

    def _active_array(self, value: NDArray[np.float64], index: NDArray[np.int32]) -> ActiveArray:
        return ActiveArray(value, index, self)

    # -------------------- views --------------------

    def _places(self) -> list[Place | None]:
        """Source place of every row: here, of guards."""
        places: list[Place | None] = [None] * len(self)
        for row, site in zip(self._guard_rows, self._guard_sites):
            if isinstance(site, NativeSite):
                places[row] = Place(site.file, site.line)
            else:
                code, at = site
                places[row] = Place(code.co_filename, position(code, at)[0])
        return places

    def _rows_now(self) -> Rows:
        """All rows, for a view or an error."""
        names = [name or "" for name in self._input_names]
        first, second = self.partial0, self.partial1
        columns = (self.opcode, self.arg0, self.arg1, first, second, first, second, self.value)
        return Rows(*columns, names, self._places(), self.blocks)

    # -------------------- sweeps --------------------

    def _rows_of(self, leaf: Any, role: str) -> NDArray[np.int32]:
        """Rows of an active leaf; raises unless it is on this tape."""
        tape = getattr(leaf, "tape", None)
        if tape is None:
            raise TapeError(
                f"{role} is a {type(leaf).__name__}, which is not on the tape: it does not depend on any input. "
                "Compute it from tape.input(...) values"
            )
        if tape is not self:
            raise TapeError(f"{role} is on {tape!r}, not on {self!r}")
        rows = np.asarray(leaf._rows(), dtype=np.int32).ravel()  # contiguous, as kernels are compiled for
        if highest(rows) >= len(self):
            raise TapeError(f"{role} is row {rows.max()} of a tape rewound or cleared to {len(self)} rows")
        return rows

    def reverse(self, outputs: Any, seeds: ArrayLike | None = None, *, wrt: Any = None) -> Any:
        """Adjoints of the inputs: one reverse sweep for all seeds.

        Parameters
        ----------
        outputs : Active, ActiveArray or a structure of them
            The dependents.
        seeds : array_like, optional
            Adjoints of the outputs, shape (n_outputs,) or (n_outputs, k) for k adjoints in one pass. May be
            left out for a single scalar output, whose seed is then 1.
        wrt : structure of actives, optional
            What to differentiate by; all inputs in the order of their creation by default.

        Returns
        -------
        ndarray or structure
            Shape (n_inputs,) or (n_inputs, k); with ``wrt`` its structure, leaf shape + (k,) if there are k.

        Raises
        ------
        TapeError
            An output or an element of ``wrt`` is not on this tape.
        ShapeError
            The seeds are missing or of another shape.
        """
        rows = self._output_rows(outputs)
        single = getattr(outputs, "tape", None) is not None and not getattr(outputs, "shape", ())
        if seeds is None:
            if not single:
                raise ShapeError(f"seeds missing: expected shape ({rows.size},) or ({rows.size}, k) for these outputs")
            seeds = np.ones(1)
        matrix = real_array(seeds, "seeds")
        if single and matrix.ndim == 0:
            matrix = matrix.reshape(1)
        if matrix.ndim not in (1, 2) or matrix.shape[0] != rows.size:
            raise ShapeError(f"seeds: expected shape ({rows.size},) or ({rows.size}, k), got {matrix.shape}")
        if wrt is None:
            return self._adjoints(rows, matrix, self._input_rows)
        leaves, spec = flatten(wrt)
        if any(True for _ in spec.statics()):
            raise TypeError(f"wrt holds something that is no value of the tape: {wrt!r}; pass the actives themselves")
        picked = [self._rows_of(leaf, "wrt") for leaf in leaves]
        adjoint = self._adjoints(rows, matrix, np.concatenate([np.empty(0, np.int32), *picked]))
        parts = np.split(adjoint, np.cumsum([p.size for p in picked])[:-1]) if picked else []
        shaped = [p.reshape(s + matrix.shape[1:])[()] for p, s in zip(parts, leaf_shapes(leaves), strict=True)]
        return spec.unflatten(shaped)

    def _output_rows(self, outputs: Any) -> NDArray[np.int32]:
        if isinstance(outputs, Active | ActiveArray):
            return self._rows_of(outputs, "output")
        leaves, spec = flatten(outputs)
        for static in spec.statics():
            refuse_condition(static, "output")
        if not leaves:
            raise ShapeError("no outputs given")
        return np.concatenate([self._rows_of(leaf, "output") for leaf in leaves])

    def _sweep_columns(self) -> sweep.Columns:
        self._flush()
        return self._columns_of_sweep()

    def _columns_of_sweep(self) -> sweep.Columns:
        """What sweeps read, without bulks."""
        arg0, arg1, partial0, partial1, values = (self._columns[name] for name in _READ)
        return sweep.Columns(arg0, arg1, partial0, partial1, blocks_at(self._blocks, values))

    def _adjoints(
        self, rows: NDArray[np.int32], seeds: NDArray[np.float64], picked: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Adjoints of the picked rows, shape (picked,) + seeds.shape[1:]."""
        if self._bulks and seeds.ndim == 1:
            self._flush_stage()
            columns, values = self._columns_of_sweep(), self._columns["value"]
            result = bulk_sweep.adjoints(columns, values, self._bulks, rows, seeds, picked, self._adjoint_buffer)
            if not sweep.has_nan(result):  # else rows are needed, for the zero-factor rule
                return result
        return sweep.adjoints(self._sweep_columns(), rows, seeds, picked, self._adjoint_buffer)

    def _gradient(self, row: int, n_inputs: int) -> NDArray[np.float64]:
        """Derivatives of one row, or of -1 for a passive number, by the first rows, which are the inputs."""
        if row < 0:
            return np.zeros(n_inputs)
        if self._blocks or self._bulks:
            rows = np.arange(n_inputs, dtype=np.int32)
            return self._adjoints(np.array([row], np.int32), np.ones(1), rows)
        self._flush()
        columns = self._columns
        gradient = np.empty(n_inputs)
        sweeps.gradient(
            columns["arg0"], columns["arg1"], columns["partial0"], columns["partial1"],
            self._adjoint_buffer(max(row + 1, n_inputs) + 1), row, gradient,
        )  # fmt: skip
        return gradient

    def _adjoint_buffer(self, size: int) -> NDArray[np.float64]:
        """Room that is kept from sweep to sweep: touching new memory costs as much as the sweep itself."""
        if self._adjoint.size < size:
            self._adjoint = np.empty(max(size, self._capacity + 1))
        return self._adjoint[:size]

    def forward(self, outputs: Any, directions: ArrayLike) -> Any:
        """Tangents of the outputs: one forward sweep for all directions.

        Parameters
        ----------
        outputs : Active, ActiveArray or a structure of them
            The dependents.
        directions : array_like
            Tangents of the inputs in the order of their creation, shape (n_inputs,) or (n_inputs, k).

        Returns
        -------
        ndarray or float
            Shape (n_outputs, k), or (k,) for a single output; without the last axis for one direction.

        Raises
        ------
        TapeError
            An output is not on this tape.
        ShapeError
            The directions have another shape.
        """
        rows = self._output_rows(outputs)
        matrix = real_array(directions, "directions")
        n_inputs = self._n_inputs
        if matrix.ndim not in (1, 2) or matrix.shape[0] != n_inputs:
            raise ShapeError(f"directions: expected shape ({n_inputs},) or ({n_inputs}, k), got {matrix.shape}")
        tangent = self._tangents(rows, matrix.reshape(n_inputs, -1))
        if matrix.ndim == 1:
            tangent = tangent[:, 0]
        single = getattr(outputs, "tape", None) is not None and not getattr(outputs, "shape", ())
        return tangent[0] if single else tangent

    def _tangents(self, rows: NDArray[np.int32], directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tangents of the given rows, shape (rows, k)."""
        return sweep.tangents(self._sweep_columns(), rows, self._input_rows.astype(np.int64), directions)
