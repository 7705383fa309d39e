"""Which way to differentiate, by the number of sweeps that each would take."""

from __future__ import annotations

import numpy as np

from .coloring import Coloring
from .direct import Direct
from .pattern import Dependences, Pattern


def fewest(pattern: Pattern, mode: str) -> Coloring:
    """Return the colouring of columns (forward), of rows (reverse), or the one with the fewest colours (auto)."""
    if mode == "forward":
        return pattern.color_columns()
    if mode == "reverse":
        return pattern.color_rows()
    single = _one_sided(pattern)
    both = pattern.color_both() if single.count > 2 else single
    # Two sweeps of few colours read the recording twice: worth it where they save half of the colours.
    return both if 2 * both.count <= single.count else single


def _one_sided(pattern: Pattern) -> Coloring:
    """Return the colouring of columns or of rows with fewer colours."""
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


def cheapest(d: Dependences, mode: str, symmetric: bool = False) -> tuple[Coloring, Direct | None]:
    """Return the colouring with the fewest colours, and what is cheaper than it, by multiplications: or None.

    Only where the mode is free: rows that carry their own derivatives take a forward sweep.
    """
    pattern = d.pattern()
    if not symmetric:
        coloring = fewest(pattern, mode)
    else:
        whole = pattern.mirrored()
        coloring = whole.color_star()
        if whole is not pattern:
            return coloring, None
    return coloring, Direct.prepared(d, pattern, coloring.count) if mode == "auto" else None


def explanation(pattern: Pattern, coloring: Coloring, chosen: str) -> str:
    """Return what the three ways cost, in sweeps of one direction or seed, and which was taken."""
    n_out, n_in = pattern.shape
    return (
        f"Jacobian of {n_out} by {n_in}, {pattern.nnz} non-zeros: forward {n_in} directions, reverse {n_out} seeds, "
        f"compressed {coloring.sweeps}; chosen: {chosen}"
    )
