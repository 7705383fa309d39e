"""Graphs by matplotlib, where graphviz is not at hand: layers by depth, crossings reduced by barycentres."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graph import Graph

FORWARD, REVERSE = "#1f5fbf", "#c0392b"  # tangents blue, adjoints red, in words too: nobody has to see colours
FILL = {"input": "#e8f1e4", "row": "#f7f7f7", "output": "#fdf3d8"}
_SWEEPS = 8
_GAP, _ROW = 0.9, 1.1  # inches between layers, and per node of a layer
_INCHES_PER_LETTER = 0.075


def draw(graph: Graph, kind: str) -> bytes:
    """Return the picture as bytes of an SVG or PNG file."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "drawing a graph needs graphviz's program dot on the path, or matplotlib: pip install 'fastad[plot]'"
        ) from error
    places, width, height = _layout(graph)
    figure = Figure(figsize=(width, height), dpi=72 if kind == "svg" else 110)  # an SVG counts in points
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0.0, width), ylim=(0.0, height))
    axes.set_axis_off()
    boxes = {}
    for key, node in graph.nodes.items():
        lines = [*((line, "black", "normal") for line in node.text.split("\n")), (node.value, "black", "bold")]
        lines += [(f"tangent {node.tangent}", FORWARD, "normal")] * bool(node.tangent)
        lines += [(f"adjoint {node.adjoint}", REVERSE, "normal")] * bool(node.adjoint)
        boxes[key] = _box(axes, places[key], lines, FILL[node.kind])
    figure.draw_without_rendering()  # so that the boxes know where they are, which arrows end at
    for start, end, label in graph.edges:
        _arrow(axes, places[start], places[end], boxes[start], boxes[end], label)
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi="figure")
    return out.getvalue()


def _box(axes: Any, place: tuple[float, float], lines: list[tuple[str, str, str]], fill: str) -> Any:
    """Lines of text in their colours, in one box sized by invisible text of the same lines."""
    x, y = place
    text = "\n".join(line for line, _, _ in lines)
    style = {"boxstyle": "round,pad=0.35", "facecolor": fill, "edgecolor": "#555555"}
    box = axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=style, color=(0, 0, 0, 0), zorder=3)
    for k, (line, color, weight) in enumerate(lines):
        padded = "\n".join(line if j == k else " " for j in range(len(lines)))
        axes.text(x, y, padded, ha="center", va="center", fontsize=8, color=color, weight=weight, zorder=4)
    return box.get_bbox_patch()


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], from_: Any, to: Any, label: str) -> None:
    # An arrow straight along a row of boxes would run through them, unless it leads to the next one.
    bend = 0.0 if abs(start[1] - end[1]) > 0.1 or end[0] - start[0] < 2 * _GAP + 3.0 else -0.25
    style = {"arrowstyle": "->", "color": "#777777", "connectionstyle": f"arc3,rad={bend}", "patchA": from_}
    style |= {"patchB": to, "linestyle": "-" if label else "--"}
    axes.annotate("", end, start, arrowprops=style, zorder=1)
    free = (from_.get_window_extent().x1, to.get_window_extent().x0)  # between the boxes
    at = (0.6 * free[0] + 0.4 * free[1]) / axes.figure.dpi  # nearer to the start: arrows into one box meet there
    near = min(max((at - start[0]) / (end[0] - start[0]), 0.0), 1.0)
    x, y = (a + near * (b - a) for a, b in zip(start, end))
    y -= bend * (end[0] - start[0]) * 0.5
    axes.text(x, y, label, ha="center", va="center", fontsize=7, color="#333333", zorder=2,
              bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"})  # fmt: skip


def _layout(graph: Graph) -> tuple[dict[Any, tuple[float, float]], float, float]:
    """Place every node; returns places, width and height, in inches."""
    columns, height = _layers(graph)
    places, left = {}, _GAP / 4
    highest = max(len(column) for column in columns)
    for column in columns:
        width = max(_INCHES_PER_LETTER * len(line) for key in column for line in graph.nodes[key].text.split("\n"))
        for key in column:
            places[key] = (left + max(width, 1.0) / 2, _ROW * (highest / 2 - height[key]))
        left += max(width, 1.0) + _GAP
    return places, left - _GAP * 3 / 4, _ROW * highest


def _layers(graph: Graph) -> tuple[list[list[Any]], dict[Any, float]]:
    """Nodes by depth, and their heights around 0, ordered so that few edges cross."""
    before: dict[Any, list[Any]] = {key: [] for key in graph.nodes}
    after: dict[Any, list[Any]] = {key: [] for key in graph.nodes}
    order = {key: k for k, key in enumerate(graph.nodes)}
    for start, end, _ in graph.edges:
        if order[start] < order[end]:  # lines of a loop feed each other; the tape's order breaks the circle
            before[end].append(start)
            after[start].append(end)
    layer: dict[Any, int] = {}
    for key in graph.nodes:
        layer[key] = 1 + max((layer[b] for b in before[key]), default=-1)
    for key in reversed(list(graph.nodes)):  # inputs as late as they can be: next to their first use
        if not before[key] and after[key]:
            layer[key] = min(layer[a] for a in after[key]) - 1
    count = 1 + max(layer.values(), default=0)
    columns = [[key for key in graph.nodes if layer[key] == k] for k in range(count)]
    height = {key: k - (len(column) - 1) / 2 for column in columns for k, key in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            near = before if sweep % 2 == 0 else after
            centre = {
                key: sum(height[n] for n in near[key]) / len(near[key]) if near[key] else height[key] for key in column
            }
            column.sort(key=lambda key: centre[key])
            for k, key in enumerate(column):
                height[key] = k - (len(column) - 1) / 2
    return columns, height
