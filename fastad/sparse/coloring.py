"""Colourings of a pattern: one sweep per colour instead of one per column.

Columns that share no row can be differentiated together, in one direction (Curtis, Powell & Reid 1974), rows that
share no column with one seed; a Hessian's symmetry allows more (Gebremedhin, Manne & Pothen, "What color is your
Jacobian?", SIAM Review 2005).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PatternError
from ..kernels import coloring as kernels
from . import files, plots

if TYPE_CHECKING:
    from .pattern import Pattern

KINDS = ("columns", "rows", "star", "acyclic", "rows first", "columns first")
_BOTH = ("rows first", "columns first")
_CHUNK = 64  # directions or seeds of one sweep
_AGREES = 1e-8  # of the sum of magnitudes: products of a matrix by different sweeps differ by rounding
Matrix = NDArray[np.float64]
Multiply = Callable[[Matrix], Matrix]


@dataclass(frozen=True, eq=False)
class Coloring:
    """Columns, or rows, that are differentiated together.

    Attributes
    ----------
    pattern : Pattern
        Of the matrix.
    kind : str
        What is coloured: ``"columns"`` (forward sweeps), ``"rows"`` (reverse sweeps), both of a symmetric matrix
        (``"star"``, ``"acyclic"``), or ``"rows first"`` and ``"columns first"``: some rows and the columns of the
        others, some columns and the rows of the others.
    colors : ndarray
        Colour of every column (of every row for ``"rows"``), from 0; -1 for a column that has none.
    count : int
        Number of colours, and so of directions and seeds.
    row_colors : ndarray, optional
        Colour of every row where both have some, from 0; -1 for a row that has none.
    """

    pattern: Pattern
    kind: str
    colors: NDArray[np.int32]
    count: int
    row_colors: NDArray[np.int32] | None = None

    def __repr__(self) -> str:
        return f"<fastad.Coloring ({self.kind}) with {self.count} colours of {self.pattern!r}>"

    @property
    def directions(self) -> int:
        """Directions of forward sweeps among the colours."""
        if self.kind == "rows":
            return 0
        return self.count if self.row_colors is None else int(self.colors.max(initial=-1)) + 1

    @property
    def sweeps(self) -> str:
        """What a matrix takes, in words."""
        seeds = self.count - self.directions
        parts = [f"{n} {what}" for n, what in ((self.directions, "directions"), (seeds, "seeds")) if n]
        return " and ".join(parts) or "0 directions"

    def differentiate(self, tangents: Multiply, adjoints: Multiply) -> Matrix:
        """Return the elements of the matrix, in the order of the pattern.

        Parameters
        ----------
        tangents, adjoints : callable
            Product of the matrix, or of its transpose, with k columns.
        """
        if self.kind == "rows":
            return self.recover(_products(adjoints, self.colors, self.count, self.pattern.shape[1]))
        forward = _products(tangents, self.colors, self.directions, self.pattern.shape[0])
        if self.row_colors is None:
            return self.recover(forward)
        seeds = self.count - self.directions
        return self.recover(forward, _products(adjoints, self.row_colors, seeds, self.pattern.shape[1]))

    def recover(self, compressed: Matrix, by_seeds: Matrix | None = None) -> Matrix:
        """Return the elements from the products with the sums of the columns (or rows) of each colour.

        ``by_seeds`` are those of the transpose with the sums of rows, where both are coloured.
        """
        pattern = self.pattern
        rows, columns = pattern.rows, pattern.indices
        if self.kind == "columns":
            return compressed[rows, self.colors[columns]]
        if self.kind == "rows":
            return compressed[columns, self.colors[rows]]
        if self.row_colors is not None:
            assert by_seeds is not None
            return self._of_both(rows, columns, compressed, by_seeds)
        data = np.empty(pattern.nnz)
        if self.kind == "star":
            kernels.recover_star(pattern.indptr, columns, self.colors, compressed, data)
        else:
            mirror = kernels.mirrored(pattern.indptr, columns)
            kernels.recover_acyclic(pattern.indptr, columns, mirror, self.colors, compressed.copy(), data)
        return data

    def _of_both(self, rows: NDArray[Any], columns: NDArray[Any], forward: Matrix, by_seeds: Matrix) -> Matrix:
        assert self.row_colors is not None
        seed, direction = self.row_colors[rows], self.colors[columns]
        by_seed = seed >= 0 if self.kind == "rows first" else direction < 0
        data = np.empty(rows.size)
        data[by_seed] = by_seeds[columns[by_seed], seed[by_seed]]
        data[~by_seed] = forward[rows[~by_seed], direction[~by_seed]]
        return data

    # -------------------- checks --------------------

    def verify(self) -> None:
        """Raise PatternError unless every element of a matrix of this pattern comes back from its products.

        Whole numbers in place of derivatives: sums of them are exact, and other ones do not agree by chance.
        """
        pattern = self.pattern
        data = np.random.default_rng(0).integers(1, 2**30, pattern.nnz).astype(np.float64)
        rows, columns = pattern.rows, pattern.indices
        if self.kind in ("star", "acyclic"):
            data = np.fmax(data, data[kernels.mirrored(pattern.indptr, columns)])  # symmetric

        def product(to: NDArray[Any], of: NDArray[Any], size: int) -> Multiply:
            def multiply(together: Matrix) -> Matrix:
                return np.stack([np.bincount(to, data * column[of], size) for column in together.T], axis=1)

            return multiply

        found = self.differentiate(product(rows, columns, pattern.shape[0]), product(columns, rows, pattern.shape[1]))
        if not np.array_equal(found, data):
            raise PatternError(f"{self!r} mixes up elements of its pattern: two of one colour meet in a row")

    def agree(self, data: Matrix, tangents: Multiply, adjoints: Multiply) -> None:
        """Raise PatternError where elements found with this colouring contradict one more product of the matrix."""
        n_rows, n_columns = self.pattern.shape
        rows, columns = self.pattern.rows, self.pattern.indices.astype(np.int64)
        multiply, to, of, n_to, n_of = tangents, rows, columns, n_rows, n_columns
        if self.kind == "rows":
            multiply, to, of, n_to, n_of = adjoints, columns, rows, n_columns, n_rows
        probe = np.random.default_rng(1).uniform(1.0, 2.0, n_of)
        found = multiply(probe[:, None])[:, 0]
        with np.errstate(over="ignore", invalid="ignore"):
            expected = np.bincount(to, data * probe[of], n_to)
            scale = np.bincount(to, np.abs(data) * probe[of], n_to) + np.abs(found)
            wrong = np.flatnonzero(np.abs(found - expected) > _AGREES * scale)
        if wrong.size:
            raise PatternError(
                f"{self!r} does not fit here: {'column' if self.kind == 'rows' else 'row'} {wrong[0]} of the "
                "derivative has elements outside its pattern, which holds where the function takes the same branches; "
                "make another one with fad.sparsity at these arguments"
            )

    # -------------------- files and pictures --------------------

    def save(self, path: Any) -> None:
        """Write colouring and pattern to an ``.npz`` file, for `Pattern.load_coloring`."""
        kind = np.array([KINDS.index(self.kind), self.count])
        arrays = self.pattern.arrays() | {"colors": self.colors, "kind": kind}
        if self.row_colors is not None:
            arrays["row_colors"] = self.row_colors
        Path(path).write_bytes(files.to_bytes("colouring", arrays))

    @classmethod
    def of_arrays(cls, pattern: Pattern, arrays: dict[str, NDArray[Any]]) -> Coloring:
        """Return the colouring that was saved as these arrays; raise ValueError, KeyError or IndexError for others."""
        number, count = arrays["kind"].tolist()
        kind, colors = KINDS[number], arrays["colors"].astype(np.int32)
        row_colors = arrays["row_colors"].astype(np.int32) if kind in _BOTH else None
        sizes = [pattern.shape[0 if kind == "rows" else 1], colors.size]
        if row_colors is not None:
            sizes += [pattern.shape[0] - row_colors.size + colors.size]
        every = colors if row_colors is None else np.concatenate([colors, row_colors])
        if len(set(sizes)) > 1 or not 0 <= count <= every.size or ((every < -1) | (every >= count)).any():
            raise ValueError("colours that do not fit the pattern")
        coloring = cls(pattern, kind, colors, count, row_colors)
        coloring.verify()
        return coloring

    def plot(self, ax: Any = None) -> Any:
        """Draw the elements, each in its colour, into axes of Matplotlib, by default new ones, which are returned."""
        pattern = self.pattern
        colors = self.colors[pattern.rows if self.kind == "rows" else pattern.indices]
        if self.row_colors is not None:
            seeds = self.row_colors[pattern.rows]
            by_seed = seeds >= 0 if self.kind == "rows first" else colors < 0
            colors = np.where(by_seed, seeds + self.directions, colors)
        return plots.elements(pattern.shape, pattern.rows, pattern.indices, colors, ax)


def _products(multiply: Multiply, colors: NDArray[np.int32], count: int, size: int) -> Matrix:
    """Products with the sums of the columns of each colour, shape (size, count)."""
    compressed = np.empty((size, count))
    for first in range(0, count, _CHUNK):
        width = min(_CHUNK, count - first)
        together = np.zeros((colors.size, width))
        members = np.flatnonzero((colors >= first) & (colors < first + width))
        together[members, colors[members] - first] = 1.0
        compressed[:, first : first + width] = multiply(together)
    return compressed
