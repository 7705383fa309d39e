"""Actives and duals inside ``@numba.njit``. Importing this package costs nothing; numba is told when it first asks.

``kinds`` has the types, ``rules`` turns the text of the op table into instructions, ``rows`` stores rows into the
columns of a tape, ``actives`` is the arithmetic of actives made of these two (``outline`` keeps it short in long
functions), ``duals`` that of duals; ``arrays`` has the types of arrays. ``functions``, ``powers``, ``builtins``,
``lookups``, ``assign`` and ``elementwise`` register what user code may call, by loops over the table.
"""

from __future__ import annotations

from typing import Any

from numba.core import event, types
from numba.extending import typeof_impl

from ..record.active import Active
from ..record.array import ActiveArray
from ..record.condition import Condition
from ..record.dual import Dual, DualArray

_NOT_USERS = {__name__.split(".")[0], "numba"}


def install() -> None:
    """Register everything with numba: 0.1 s, and so only when a user's function is compiled or called."""
    from . import arrays, assign, boxing, builtins, duals, elementwise, functions, lookups, powers, refusals  # noqa: F401


class _FirstCompilation(event.Listener):
    """Installs before numba looks up what a user's function calls.

    Not while a kernel is being typed, and so not for what numba compiles for it: ``np.full`` would be another type
    before and after, and the kernel could not be compiled.
    """

    def on_start(self, compilation: Any) -> None:
        module = compilation.data["dispatcher"].py_func.__module__ or ""
        if module.split(".")[0] not in _NOT_USERS:
            install()

    def on_end(self, compilation: Any) -> None:
        """Nothing to do."""


event.register("numba:compile", _FirstCompilation())


def _type_of(value: Any, c: Any) -> types.Type:
    install()  # registers the real answers in place of this one
    return typeof_impl(value, c)


for _class in (Active, ActiveArray, Condition, Dual, DualArray):
    typeof_impl.register(_class)(_type_of)
