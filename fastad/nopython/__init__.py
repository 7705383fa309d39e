"""Actives and duals inside ``@numba.njit``: importing this package tells numba about them.

``kinds`` has the types, ``rules`` turns the text of the op table into instructions, ``rows`` stores rows into the
columns of a tape, ``actives`` is the arithmetic of actives made of these two; ``functions``, ``builtins`` and
``arrays`` register what user code may call, by loops over the table. Nothing is compiled before it is used.
"""

from . import arrays, boxing, builtins, functions, powers

__all__ = ["arrays", "boxing", "builtins", "functions", "powers"]
