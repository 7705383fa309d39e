"""See what was recorded: evaluation traces, graphs, costs, and where a number stops being finite.

Every view takes a `Tape` or a `Program` and prints as plain text, as Markdown (``.markdown()``) and, in a
notebook, as HTML. Names are those of the field: v_-1, v_0 are inputs, v_1, v_2, ... what is computed from them.
"""

from .debugging import first_nonfinite
from .graph import Graph, graph
from .modes import Modes, modes
from .stats import Stats, stats
from .table import Table
from .trace import Trace, trace

__all__ = ["Graph", "Modes", "Stats", "Table", "Trace", "first_nonfinite", "graph", "modes", "stats", "trace"]
