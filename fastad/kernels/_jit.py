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

numba's cache notices a change of the file that holds a function, not of the files it inlines from. So every
kernel is stamped with a digest of all sources that can end up in a kernel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import IndexDataCacheFile


def _digest_of_sources() -> str:
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for source in [*sorted(folder.glob("*.py")), folder.parent / "ops.py"]:
        digest.update(source.read_bytes())
    return digest.hexdigest()


_STAMP = _digest_of_sources()


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call, with the flags stated above."""
    dispatcher: Any = numba.njit(error_model="numpy", nogil=True)(function)
    try:
        dispatcher.enable_caching()
    except RuntimeError:  # numba: "cannot cache function ...: no locator available for file ..."
        return dispatcher
    cache = dispatcher._cache
    cache._cache_file = IndexDataCacheFile(
        cache_path=cache._cache_path, filename_base=cache._impl.filename_base, source_stamp=_STAMP
    )
    return dispatcher
