"""The one jit decorator of the library: every compile flag and its reason.

``error_model="numpy"``
    Division by zero gives inf or NaN as in NumPy; Python's check would also cost a branch per row.
``nogil=True``
    Threads are a ThreadPoolExecutor over these kernels.
``cache=True``
    Compilation takes seconds and is paid once per machine. Left out where numba finds no
    directory to write to, so that an import from a read-only place still works.
no ``fastmath``
    One arithmetic: scalar and vector code must give the same bits, and NaN and inf must flow.
no ``parallel``
    OpenMP does not survive a fork, and the workqueue layer aborts under two Python threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call, with the flags stated above."""
    flags: dict[str, Any] = {"error_model": "numpy", "nogil": True}
    try:
        return numba.njit(cache=True, **flags)(function)
    except RuntimeError:  # numba: "cannot cache function ...: no locator available for file ..."
        return numba.njit(**flags)(function)
