"""Patterns and colourings as ``.npz`` files. Nothing is unpickled, and their owners check what they read."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ProgramFormatError

_FORMAT = "fastad-sparse"
_VERSION = 1
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    OSError,
    EOFError,
    OverflowError,
    zlib.error,
    zipfile.BadZipFile,
)


def to_bytes(kind: str, arrays: dict[str, NDArray[Any]]) -> bytes:
    """Return the file of some arrays."""
    file = io.BytesIO()
    header = np.frombuffer(f"{_FORMAT} {_VERSION} {kind}".encode(), np.uint8)
    np.savez_compressed(file, header=header, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def from_bytes(data: bytes, kind: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, whole numbers all of them.

    Raises
    ------
    ProgramFormatError
        The file is damaged, foreign, of a newer fastad, or of another kind.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = bytes(arrays.pop("header")).decode()
        if header != f"{_FORMAT} {_VERSION} {kind}":
            raise ValueError(f"it is {header!r}")
        if any(array.dtype.kind not in "iu" for array in arrays.values()):
            raise ValueError("numbers that are not whole")
    except _DAMAGE as error:
        raise ProgramFormatError(f"not a readable {kind}: {type(error).__name__}: {error}") from error
    return arrays
