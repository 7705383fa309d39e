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
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.caching import IndexDataCacheFile


def digest_of_sources(more: Iterable[Path] = ()) -> str:
    """Return a digest of the kernels, the op table and further files: what compiled code may hold."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    table = [folder.parent / "ops.py", folder.parent / "templates.py"]
    for source in [*sorted(folder.glob("*.py")), *table, *more]:
        digest.update(source.read_bytes())
    return digest.hexdigest()


_STAMP = digest_of_sources()


class _Announcer(event.Listener):
    """Says on stderr what a first use is waiting for; a kernel found in the cache starts no compilation."""

    def __init__(self) -> None:
        self.seconds: dict[Any, int] = {}
        self._started = 0.0

    def on_start(self, compilation: Any) -> None:
        dispatcher = compilation.data["dispatcher"]
        if dispatcher in self.seconds:
            self._started = time.perf_counter()
            kernel = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__name__}"
            text = f"fastad: compiling {kernel} (once per machine, about {self.seconds[dispatcher]} s) ..."
            print(text, end="", file=sys.stderr, flush=True)

    def on_end(self, compilation: Any) -> None:
        if compilation.data["dispatcher"] in self.seconds:
            print(f" {time.perf_counter() - self._started:.0f} s", file=sys.stderr, flush=True)


_announcer = _Announcer()
event.register("numba:compile", _announcer)


def announced(seconds: int) -> Callable[[Any], Any]:
    """Mark a kernel whose compilation takes long enough to be announced."""

    def mark(dispatcher: Any) -> Any:
        _announcer.seconds[dispatcher] = seconds
        return dispatcher

    return mark


def jit(function: Callable[..., Any], *, inlined: bool = False) -> Any:
    """Compile a kernel on its first call, with the flags stated above."""
    dispatcher: Any = numba.njit(error_model="numpy", nogil=True, forceinline=inlined)(function)
    try:
        dispatcher.enable_caching()
    except RuntimeError:  # numba: "cannot cache function ...: no locator available for file ..."
        return dispatcher
    cache = dispatcher._cache
    cache._cache_file = IndexDataCacheFile(
        cache_path=cache._cache_path, filename_base=cache._impl.filename_base, source_stamp=_STAMP
    )
    return dispatcher


def jit_inlined(function: Callable[..., Any]) -> Any:
    """Compile a kernel into its callers: a call with fifteen arguments takes as long as a row of additions."""
    return jit(function, inlined=True)
