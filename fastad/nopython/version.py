"""Keeps a user's cached machine code from outliving the version of fastad that it was compiled with.

numba's cache knows a function by its source and the types of its arguments. Types of fastad carry ``STAMP`` in their
names; a function of plain floats that calls fastad has no such type, so what numba runs when it reloads it objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..kernels._jit import digest_of_sources
from ..record import header

STAMP = digest_of_sources([*sorted(Path(__file__).parent.glob("*.py")), Path(header.__file__)])[:16]


class _MadeByThisVersion:
    """Called by numba after it has loaded a function; by then its unpickling has looked at the stamp."""

    def __call__(self) -> None:
        """Nothing more to check."""

    def __reduce__(self) -> Any:
        return _checked, (STAMP,)


_MADE_BY_THIS_VERSION = _MadeByThisVersion()


def _checked(stamp: str) -> _MadeByThisVersion:
    if stamp != STAMP:  # an OSError is what numba takes for an entry that is not there
        raise FileNotFoundError("compiled with another version of fastad")
    return _MADE_BY_THIS_VERSION


def mark(context: Any) -> None:
    """Note that the function being compiled holds code of fastad."""
    context.active_code_library._reload_init.add(_MADE_BY_THIS_VERSION)
