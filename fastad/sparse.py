"""Sparsity patterns and colourings: one sweep per colour instead of one per column.

Columns that share no row can be differentiated together, in one direction (Curtis, Powell & Reid 1974); the Hessian's
symmetry allows more (star colouring: Gebremedhin, Manne & Pothen, "What color is your Jacobian?", SIAM Review 2005).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import sparse as kernels

_CHUNK = 64  # directions or seeds of one sweep
_Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pattern:
    """Which elements of a matrix can differ from zero.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    indptr, indices : ndarray
        Columns of row i are ``indices[indptr[i]:indptr[i + 1]]``, ascending: SciPy's compressed rows.
    """

    shape: tuple[int, int]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]

    @classmethod
    def of_rows(cls, columns: Any, tables: Any, inputs: NDArray[np.int32], outputs: NDArray[np.int32]) -> Pattern:
        """Return the pattern of the derivative of some rows of a recording by others.

        Parameters
        ----------
        columns : tuple
            Opcodes and operands.
        tables : tuple
            Starts, element rows, and the table of each TAKE row; the last is empty to count the element picked only.
        inputs, outputs : ndarray
            Rows of the independents; rows of the dependents, -1 where passive.
        """
        stop = int(outputs.max(initial=-1)) + 1
        opcode, arg0, arg1 = (column[:stop] for column in columns)
        column, needed = np.full(stop, -1, np.int32), np.zeros(stop, np.bool_)
        inside = inputs < stop
        column[inputs[inside]] = np.flatnonzero(inside)
        needed[outputs[outputs >= 0]] = True
        kernels.mark_needed(opcode, arg0, arg1, tables, needed)
        sets = kernels.index_sets(opcode, arg0, arg1, tables, column, needed)
        rows = outputs.astype(np.int32)
        found = kernels.gathered(rows, opcode, arg0, arg1, tables, inputs.size, *sets)
        return cls((outputs.size, inputs.size), *found)

    def __repr__(self) -> str:
        return f"<fastad.Pattern of {self.shape[0]} by {self.shape[1]}, {self.nnz} non-zeros>"

    @property
    def nnz(self) -> int:
        """Number of elements that can differ from zero."""
        return self.indices.size

    @property
    def T(self) -> Pattern:
        """Pattern of the transpose."""
        return Pattern(self.shape[::-1], *kernels.transposed(self.indptr, self.indices, self.shape[1]))

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of every element."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    def to_dense(self, data: _Matrix | None = None) -> NDArray[Any]:
        """Return an array of the elements, of booleans without ``data``."""
        dense: NDArray[Any] = np.zeros(self.shape, np.bool_ if data is None else np.float64)
        dense[self.rows, self.indices] = True if data is None else data
        return dense

    def to_scipy(self, data: _Matrix | None = None) -> Any:
        """Return a ``scipy.sparse.csr_array`` of the elements, of booleans without ``data``."""
        values = np.ones(self.nnz, np.bool_) if data is None else data
        return scipy_sparse().csr_array((values, self.indices, self.indptr), shape=self.shape)

    def color_columns(self, most: int | None = None) -> Coloring:
        """Return a colouring whose columns of one colour share no row; each is its own colour beyond ``most``."""
        n = self.shape[1]
        most = n if most is None else min(most, n)
        if int(np.diff(self.indptr).max(initial=0)) > most or most >= n == int(np.diff(self.indptr).max(initial=0)):
            return Coloring(self, "columns", np.arange(n, dtype=np.int32), n)  # a full row: no two may share
        other = self.T
        colors, count = kernels.color_columns(
            self.indptr, self.indices, other.indptr, other.indices, np.arange(n), max(most, 1)
        )
        if count > max(most, 1):
            return Coloring(self, "columns", np.arange(n, dtype=np.int32), n)
        return Coloring(self, "columns", colors, count)

    def color_rows(self, most: int | None = None) -> Coloring:
        """Return a colouring whose rows of one colour share no column; each is its own colour beyond ``most``."""
        found = self.T.color_columns(most)
        return Coloring(self, "rows", found.colors, found.count)

    def color_star(self) -> Coloring:
        """Return a star colouring of a symmetric pattern: every element can be read off, or its mirror image."""
        n, degrees = self.shape[0], np.diff(self.indptr)
        if 4 * self.nnz > n * n:
            return Coloring(self, "star", np.arange(n, dtype=np.int32), n)
        dense = max(32, int(4.0 * self.nnz**0.5))
        order = np.argsort(degrees <= dense, kind="stable")  # dense ones first
        return Coloring(self, "star", *kernels.color_star(self.indptr, self.indices, order, dense))


@dataclass(frozen=True, eq=False)
class Coloring:
    """Columns, or rows, that are differentiated together.

    Attributes
    ----------
    pattern : Pattern
        Of the matrix.
    kind : {"columns", "rows", "star"}
        What is coloured: columns (forward sweeps), rows (reverse sweeps), or both of a symmetric matrix.
    colors : ndarray
        Colour of every column or row, from 0.
    count : int
        Number of colours, and so of directions or seeds.
    """

    pattern: Pattern
    kind: str
    colors: NDArray[np.int32]
    count: int

    def __repr__(self) -> str:
        return f"<fastad.Coloring ({self.kind}) with {self.count} colours of {self.pattern!r}>"

    def differentiate(self, tangents: Callable[[_Matrix], _Matrix], adjoints: Callable[[_Matrix], _Matrix]) -> _Matrix:
        """Return the elements of the matrix, in the order of the pattern.

        Parameters
        ----------
        tangents, adjoints : callable
            Product of the matrix, or of its transpose, with k columns.
        """
        multiply = adjoints if self.kind == "rows" else tangents
        compressed = np.empty((self.pattern.shape[1 if self.kind == "rows" else 0], self.count))
        for first in range(0, self.count, _CHUNK):
            width = min(_CHUNK, self.count - first)
            together = np.zeros((self.colors.size, width))
            members = np.flatnonzero((self.colors >= first) & (self.colors < first + width))
            together[members, self.colors[members] - first] = 1.0
            compressed[:, first : first + width] = multiply(together)
        return self.recover(compressed)

    def recover(self, compressed: _Matrix) -> _Matrix:
        """Return the elements from the products with the sums of the columns (or rows) of each colour."""
        pattern = self.pattern
        if self.kind == "columns":
            return compressed[pattern.rows, self.colors[pattern.indices]]
        if self.kind == "rows":
            return compressed[pattern.indices, self.colors[pattern.rows]]
        data = np.empty(pattern.nnz)
        kernels.recover_star(pattern.indptr, pattern.indices, self.colors, compressed, data)
        return data


def fewest(pattern: Pattern, mode: str) -> Coloring:
    """Return the colouring of columns (forward), of rows (reverse), or the one with fewer colours (auto)."""
    if mode == "forward":
        return pattern.color_columns()
    if mode == "reverse":
        return pattern.color_rows()
    # A full row needs as many colours as it is long: the side with the shorter longest one is coloured first.
    longest = int(np.diff(pattern.indptr).max(initial=0)), int(np.diff(pattern.T.indptr).max(initial=0))
    if longest[0] <= longest[1]:
        columns = pattern.color_columns()
        if longest[1] >= columns.count:
            return columns
        rows = pattern.color_rows(columns.count - 1)
        return rows if rows.count < columns.count else columns
    rows = pattern.color_rows()
    if longest[0] >= rows.count:
        return rows
    columns = pattern.color_columns(rows.count)
    return columns if columns.count <= rows.count else rows


def explanation(pattern: Pattern, coloring: Coloring, chosen: str) -> str:
    """Return what the three ways cost, in sweeps of one direction or seed, and which was taken."""
    n_out, n_in = pattern.shape
    return (
        f"Jacobian of {n_out} by {n_in}, {pattern.nnz} non-zeros: forward {n_in} directions, reverse {n_out} seeds, "
        f"compressed {coloring.count} {'seeds' if coloring.kind == 'rows' else 'directions'}; chosen: {chosen}"
    )


def scipy_sparse() -> Any:
    """Import ``scipy.sparse``, an extra."""
    try:
        import scipy.sparse
    except ImportError:
        raise ImportError("sparse matrices need SciPy: pip install 'fastad[scipy]'") from None
    return scipy.sparse
