"""Source lines of rows, and the switch of ``fad.debug()``.

Only a watched tape keeps the line of every row (see ``watched.py``); guards have theirs on any tape.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import NamedTuple

_PACKAGE = __name__.split(".")[0]
_INSIDE = _PACKAGE + "."
_debugging: ContextVar[bool] = ContextVar("fastad_debugging", default=False)


def debugging() -> bool:
    """Whether the caller is inside ``fad.debug()``."""
    return _debugging.get()


@contextmanager
def debug() -> Iterator[None]:
    """Find the first number that is not finite, and values that outlived their tape.

    Inside the context every tape made, by hand or by a transform or a recording, keeps the source line of each
    row, and

    - a row recorded from Python whose value is NaN or infinite raises `fastad.errors.NonFiniteError` at the very
      operation, with its line and operands;
    - so does a derivative that comes out NaN or infinite, naming the row where it went wrong;
    - so do Programs and `fastad.monte_carlo`, naming the scenario or path. In a batch only results are looked at:
      a number that is not finite and that ``where`` discards raises while recording, not in the replay;
    - a value recorded before a rewind raises `fastad.errors.TapeError` even where its row has been recorded anew.
      Scalars are told apart always, elements of arrays by their values.

    Recording is about six times slower and 16 bytes a row larger. Tapes made outside of the context are as they
    were: nothing is paid for what is off.

    Examples
    --------
    >>> import fastad as fad
    >>> with fad.debug():
    ...     fad.grad(lambda x: fad.sqrt(x - 2.0))(1.0)
    Traceback (most recent call last):
    ...
    fastad.errors.NonFiniteError: the value of row 2 is nan: v_2 = sqrt(v_1) with v_1 = -1.0...
    """
    token = _debugging.set(True)
    try:
        yield
    finally:
        _debugging.reset(token)


class Place(NamedTuple):
    """File and line."""

    file: str
    line: int

    def __str__(self) -> str:
        text = self.text
        return f"{self.file}:{self.line}" + (f" `{text}`" if text else "")

    @property
    def short(self) -> str:
        """Name of the file without its folder, and line."""
        return f"{os.path.basename(self.file)}:{self.line}"

    @property
    def text(self) -> str:
        """The source line, empty where there is no source."""
        return linecache.getline(self.file, self.line).strip()


def caller(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that is not fastad's own."""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name != _PACKAGE and not name.startswith(_INSIDE):
            return frame
        frame = frame.f_back
    return None


def position(code: CodeType, at: int) -> tuple[int, int]:
    """Line and column (in bytes) of an instruction."""
    line, _, column, _ = list(code.co_positions())[at // 2] if at >= 0 else (None,) * 4
    return line or code.co_firstlineno, column or 0


class Lines:
    """Place of every row: a number per row into the list of distinct places, -1 where it is unknown.

    Rows recorded by compiled code arrive without a place of their own.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[CodeType, int], int] = {}
        self._of_row: list[int] = []

    def note(self, first: int, count: int, frame: FrameType | None) -> None:
        """Note the place from which rows were recorded."""
        rows = self._of_row
        if len(rows) < first:
            self.pad(first)
        frame = caller(frame)
        number = -1
        if frame is not None:
            number = self._numbers.setdefault((frame.f_code, frame.f_lasti), len(self._numbers))
        if count == 1:
            rows.append(number)
        else:
            rows += [number] * count

    def pad(self, length: int) -> None:
        """Mark rows up to a length as recorded from nobody knows where."""
        self._of_row += [-1] * (length - len(self._of_row))

    def cut(self, length: int) -> None:
        """Forget rows from a position on."""
        del self._of_row[length:]

    def places(self) -> list[Place | None]:
        """Place of every row."""
        known = [Place(code.co_filename, position(code, at)[0]) for code, at in self._numbers]
        return [known[number] if number >= 0 else None for number in self._of_row]
