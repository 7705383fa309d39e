"""Pictures of patterns and colourings (Matplotlib, an extra)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 20_000  # elements that are drawn one by one
_CELLS = 400  # of the picture of more, along its longer side


def elements(
    shape: tuple[int, int], rows: NDArray[Any], columns: NDArray[Any], colors: NDArray[Any] | None, ax: Any
) -> Any:
    """Draw the elements of a matrix as squares, in the colours given; of very many, how many there are where."""
    ax = _axes() if ax is None else ax
    if rows.size <= _FEW:
        size = max(ax.get_window_extent().width / max(*shape, 1), 1.0)  # of an element, in pixels
        area = (0.9 * size * 72.0 / ax.figure.dpi) ** 2
        style: dict[str, Any] = {"color": "0.2"} if colors is None else {"c": colors, "cmap": "turbo"}
        ax.scatter(columns, rows, s=area, marker="s", linewidths=0.0, **style)
        ax.set_xlim(-0.5, shape[1] - 0.5)
        ax.set_ylim(shape[0] - 0.5, -0.5)
    else:
        scale = min(1.0, _CELLS / max(shape))
        cells = [max(1, round(n * scale)) for n in shape]
        counts, _, _ = np.histogram2d(rows, columns, cells, ((0, shape[0]), (0, shape[1])))
        extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
        ax.imshow(np.log1p(counts), cmap="Greys", extent=extent, interpolation="nearest")
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("column")
    ax.set_ylabel("row")
    return ax


def _axes() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need Matplotlib: pip install 'fastad[plot]'") from None
    return Figure(figsize=(5.0, 5.0), layout="constrained").subplots()
