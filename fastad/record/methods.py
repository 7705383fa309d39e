"""Methods of ``ActiveArray`` that NumPy has as functions too: attached in a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import (  # noqa: F401  (they register what they define)
    numpy_algebra,
    numpy_calculus,
    numpy_choose,
    numpy_make,
    numpy_order,
    numpy_pad,
    numpy_quantile,
    numpy_reduce,
    numpy_shape,
    numpy_ufuncs,
)
from .array import ActiveArray
from .dispatch import array_function

_OF_FUNCTIONS = (
    "prod var std min max ptp argmin argmax any all cumsum cumprod dot trace transpose swapaxes squeeze repeat take "
    "clip argsort searchsorted diagonal nonzero put argpartition"
)


def _method(func: Any) -> Callable[..., Any]:
    def method(self: ActiveArray, *args: Any, **kwargs: Any) -> Any:
        return array_function(func, (self, *args), kwargs)

    method.__name__ = func.__name__
    method.__doc__ = f"As ``np.{func.__name__}`` of the array."
    return method


def _transpose(self: ActiveArray, *axes: Any) -> Any:
    """View with the axes turned around, or in the order given."""
    order = axes[0] if len(axes) == 1 else axes or None
    return np.transpose(self, order)


def _compress(self: ActiveArray, condition: Any, axis: int | None = None) -> Any:
    """Elements or slices where a condition holds."""
    return np.compress(condition, self, axis)


def _choose(self: ActiveArray, *args: Any, **kwargs: Any) -> Any:
    raise TypeError("choose of an active position: use fad.take, which finds its place in every scenario")


def _sort(self: ActiveArray, axis: int = -1, kind: Any = None, order: Any = None) -> None:
    """Sort in place, with guards of the order."""
    self[...] = np.sort(self, axis)


def _partition(self: ActiveArray, kth: Any, axis: int = -1, kind: Any = None, order: Any = None) -> None:
    """Partition in place, with guards of the order."""
    self[...] = np.partition(self, kth, axis)


def _fill(self: ActiveArray, value: Any) -> None:
    """Assign one value to all elements."""
    self[...] = value


def _item(self: ActiveArray, *at: Any) -> Any:
    """Return one element: the only one, by flat position, or by indices."""
    places = np.arange(self.size).reshape(self.shape).item(*at)
    return self[np.unravel_index(places, self.shape)]


def _tolist(self: ActiveArray) -> Any:
    """Nested lists of elements."""
    return [_tolist(part) for part in self] if self.ndim > 1 else list(self) if self.ndim else self[()]


def _astype(
    self: ActiveArray, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
) -> ActiveArray:
    """Return a copy, the array itself for ``copy=False``; active values are float64 and nothing else."""
    if np.dtype(dtype) != np.float64:
        raise TypeError(
            f"active values are float64, not {np.dtype(dtype)}: fad.value(a).astype(...) freezes them, "
            "np.trunc and np.rint round them"
        )
    return self.copy() if copy else self


class _Flat:
    """``a.flat``: elements in C order, to be read and written whatever the memory layout."""

    __slots__ = ("_array",)

    def __init__(self, array: ActiveArray) -> None:
        self._array = array

    def __len__(self) -> int:
        return self._array.size

    def __iter__(self) -> Iterator[Any]:
        return iter(self._array.ravel())

    def __getitem__(self, key: Any) -> Any:
        return self._array.ravel()[key]

    def __setitem__(self, key: Any, item: Any) -> None:
        places = np.atleast_1d(np.arange(len(self))[key])
        self._array[np.unravel_index(places, self._array.shape)] = item


_OWN: dict[str, Any] = {
    "astype": _astype,
    "conj": ActiveArray.copy,
    "conjugate": ActiveArray.copy,
    "choose": _choose,
    "compress": _compress,
    "dtype": property(lambda self: np.dtype(np.float64), doc="Type of the numbers: float64."),
    "fill": _fill,
    "flat": property(_Flat, doc="Elements in C order."),
    "flatten": lambda self: self.copy().reshape(-1),
    "imag": property(lambda self: np.zeros(self.shape), doc="Zeros."),
    "item": _item,
    "itemsize": property(lambda self: 8, doc="Bytes of a number."),
    "mT": property(np.matrix_transpose, doc="View with the last two axes exchanged."),
    "partition": _partition,
    "real": property(lambda self: self, doc="The array itself."),
    "sort": _sort,
    "tolist": _tolist,
    "transpose": _transpose,
}

for _name in _OF_FUNCTIONS.split():
    setattr(ActiveArray, _name, _method(getattr(np, _name)))
for _name, _member in _OWN.items():
    setattr(ActiveArray, _name, _member)
