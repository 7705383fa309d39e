"""Sparsity patterns: which elements of a matrix can differ from zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ProgramFormatError, ShapeError
from ..kernels import coloring as colorings
from ..kernels import sparse as kernels
from . import files, plots
from .coloring import Coloring, Matrix

T = TypeVar("T")


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
        return Dependences(columns, tables, inputs, outputs).pattern()

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

    def mirrored(self) -> Pattern:
        """Return the pattern with its elements mirrored at the diagonal, itself where it is symmetric.

        Rows of a second derivative leave out products with a plain 0.0, and so perhaps one of two mirror images.
        """
        other = self.T
        if np.array_equal(self.indptr, other.indptr) and np.array_equal(self.indices, other.indices):
            return self
        n = self.shape[0]
        places = np.union1d(self.rows * n + self.indices, other.rows * n + other.indices)
        indptr = np.searchsorted(places, np.arange(n + 1) * n)
        return Pattern(self.shape, indptr.astype(np.int64), (places % n).astype(np.int32))

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of every element."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    def to_dense(self, data: Matrix | None = None) -> NDArray[Any]:
        """Return an array of the elements, of booleans without ``data``."""
        dense: NDArray[Any] = np.zeros(self.shape, np.bool_ if data is None else np.float64)
        dense[self.rows, self.indices] = True if data is None else data
        return dense

    def to_scipy(self, data: Matrix | None = None) -> Any:
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
        colors, count = colorings.color_columns(
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
        """Return a star colouring of a symmetric pattern: every element can be read off, or its mirror image.

        Raises
        ------
        ShapeError
            The pattern is not symmetric.
        """
        return self._symmetric("star")

    def color_acyclic(self) -> Coloring:
        """Return an acyclic colouring of a symmetric pattern: fewer colours than `color_star` needs, or as many.

        Elements follow by substitution, so that each carries the rounding errors of some that were found before it.

        Raises
        ------
        ShapeError
            The pattern is not symmetric.
        """
        return self._symmetric("acyclic")

    def _symmetric(self, kind: str) -> Coloring:
        n, degrees = self.shape[0], np.diff(self.indptr)
        other = self.T
        same = self.shape == other.shape and np.array_equal(self.indptr, other.indptr)
        if not same or not np.array_equal(self.indices, other.indices):
            raise ShapeError(f"a {kind} colouring is of a symmetric matrix, such as a Hessian: {self!r} is not one")
        if 4 * self.nnz > n * n:
            return Coloring(self, kind, np.arange(n, dtype=np.int32), n)
        dense = max(32, int(4.0 * self.nnz**0.5))
        order = np.argsort(degrees <= dense, kind="stable")  # dense ones first
        if kind == "star":
            return Coloring(self, kind, *colorings.color_star(self.indptr, self.indices, order, dense))
        mirror = colorings.mirrored(self.indptr, self.indices)
        return Coloring(self, kind, *colorings.color_acyclic(self.indptr, self.indices, mirror, order, dense))

    def color_both(self) -> Coloring:
        """Return a colouring that takes the longest rows, or the longest columns, by themselves.

        Rows by seeds and the rest by directions, or columns by directions and the rest by seeds: three sweeps for
        a Jacobian with one full row and one full column, which columns or rows alone cannot compress at all.
        """
        by_rows, by_columns = _cut(self), _cut(self.T)
        if by_rows[0] <= by_columns[0]:
            return _split(self, "rows first", by_rows[1])
        found = _split(self.T, "rows first", by_columns[1])
        assert found.row_colors is not None
        return Coloring(self, "columns first", found.row_colors, found.count, found.colors)

    # -------------------- files and pictures --------------------

    def save(self, path: Any) -> None:
        """Write the pattern to an ``.npz`` file, for `load`."""
        Path(path).write_bytes(files.to_bytes("pattern", self.arrays()))

    @classmethod
    def load(cls, path: Any) -> Pattern:
        """Return a pattern saved by `save`.

        Raises
        ------
        ProgramFormatError
            The file is damaged or foreign. Nothing in it is unpickled.
        """
        return _checked(path, "pattern", cls._of_arrays)

    @staticmethod
    def load_coloring(path: Any) -> Coloring:
        """Return a colouring saved by `Coloring.save`, with its pattern.

        Raises
        ------
        ProgramFormatError
            The file is damaged or foreign, or two of one colour meet. Nothing in it is unpickled.
        """
        return _checked(path, "colouring", lambda arrays: Coloring.of_arrays(Pattern._of_arrays(arrays), arrays))

    def plot(self, ax: Any = None) -> Any:
        """Draw the elements into axes of Matplotlib, by default new ones, which are returned."""
        return plots.elements(self.shape, self.rows, self.indices, None, ax)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a file holds of it."""
        return {"shape": np.array(self.shape), "indptr": self.indptr, "indices": self.indices}

    @classmethod
    def _of_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Pattern:
        rows, columns = (int(n) for n in arrays["shape"])
        indptr, indices = arrays["indptr"].astype(np.int64), arrays["indices"].astype(np.int32)
        starts = indptr.shape == (rows + 1,) and indptr[0] == 0 and (np.diff(indptr) >= 0).all()
        if not starts or indices.shape != (indptr[-1],) or ((indices < 0) | (indices >= columns)).any():
            raise ValueError("arrays that do not fit the shape")
        ascending = np.diff(indices) > 0
        ascending[indptr[(indptr > 0) & (indptr < indices.size)] - 1] = True  # from one row to the next
        if not ascending.all():
            raise ValueError("columns of a row that do not ascend")
        return cls((rows, columns), indptr, indices)


class Dependences:
    """Which inputs every row of a recording depends on that some rows, the outputs, are computed from.

    Parameters as in `Pattern.of_rows`.
    """

    def __init__(self, columns: Any, tables: Any, inputs: NDArray[np.int32], outputs: NDArray[np.int32]) -> None:
        stop = int(outputs.max(initial=-1)) + 1
        self.columns = tuple(column[:stop] for column in columns)
        self.tables, self.inputs, self.outputs = tables, inputs, outputs.astype(np.int32)
        self.column, self.needed = np.full(stop, -1, np.int32), np.zeros(stop, np.bool_)
        inside = inputs < stop
        self.column[inputs[inside]] = np.flatnonzero(inside)
        self.needed[outputs[outputs >= 0]] = True
        kernels.mark_needed(*self.columns, tables, self.needed)
        self.sets = kernels.index_sets(*self.columns, tables, self.column, self.needed)

    def pattern(self) -> Pattern:
        """Return the pattern of the outputs."""
        found = kernels.gathered(self.outputs, *self.columns, self.tables, self.inputs.size, *self.sets)
        return Pattern((self.outputs.size, self.inputs.size), *found)


def _checked(path: Any, kind: str, of_arrays: Callable[[dict[str, NDArray[Any]]], T]) -> T:
    """Return what a file holds, made of its arrays."""
    arrays = files.from_bytes(Path(path).read_bytes(), kind)
    try:
        return of_arrays(arrays)
    except (KeyError, IndexError, ValueError) as error:
        raise ProgramFormatError(f"not a readable {kind}: {type(error).__name__}: {error}") from error


def _cut(pattern: Pattern) -> tuple[int, int]:
    """Fewest colours that taking some of the longest rows by themselves can lead to, and how many those are."""
    longest = np.append(np.sort(np.diff(pattern.indptr))[::-1], 0)
    bounds = np.arange(longest.size) + longest
    best = int(np.argmin(bounds))
    return int(bounds[best]), best


def _split(pattern: Pattern, kind: str, count: int) -> Coloring:
    """Give each of the longest rows a colour of its own, and colour the columns of the other rows."""
    lengths = np.diff(pattern.indptr)
    row_colors = np.full(pattern.shape[0], -1, np.int32)
    row_colors[np.sort(np.argsort(-lengths, kind="stable")[:count])] = np.arange(count)
    keep = row_colors[pattern.rows] < 0
    indptr = np.concatenate([[0], np.cumsum(np.where(row_colors < 0, lengths, 0))])
    rest = Pattern(pattern.shape, indptr, pattern.indices[keep])
    used = np.bincount(rest.indices, minlength=pattern.shape[1]) > 0
    colors = np.where(used, rest.color_columns().colors, -1).astype(np.int32)
    return Coloring(pattern, kind, colors, count + int(colors.max(initial=-1)) + 1, row_colors)


def scipy_sparse() -> Any:
    """Import ``scipy.sparse``, an extra."""
    try:
        import scipy.sparse
    except ImportError:
        raise ImportError("sparse matrices need SciPy: pip install 'fastad[scipy]'") from None
    return scipy.sparse
