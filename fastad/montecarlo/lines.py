"""Source lines of rows, found by recording once more under a trace function: recording itself keeps those of guards."""

from __future__ import annotations

import bisect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..record.context import current_tape

_LIBRARIES = {__name__.split(".")[0], "numpy", "numba", *sys.stdlib_module_names} - {"__main__"}
Line = tuple[str, int]


class Lines:
    """Which line of the user's code was running when a row was recorded."""

    def __init__(self, record: Callable[[], Any], first: Line = ("<unknown>", 0)) -> None:
        self._rows = [0]
        self._lines = [first]  # of rows that no line of Python was seen to record: jitted code
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            record()
        finally:
            sys.settrace(before)

    def of(self, row: int) -> Line:
        """File and line of a row."""
        return self._lines[bisect.bisect_right(self._rows, row) - 1]

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._trace if _is_users(frame) else None

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self._note(frame)
        elif event == "return" and frame.f_back is not None and _is_users(frame.f_back):
            self._note(frame.f_back)  # the caller goes on in the middle of its line
        return self._trace

    def _note(self, frame: FrameType) -> None:
        tape = current_tape()
        if tape is not None:
            self._rows.append(len(tape))
            self._lines.append((frame.f_code.co_filename, frame.f_lineno))


def _is_users(frame: FrameType) -> bool:
    made = frame.f_code.co_filename == "<string>"  # methods of namedtuples and dataclasses
    return not made and frame.f_globals.get("__name__", "").split(".")[0] not in _LIBRARIES
