"""Products and sums of arrays. Every contraction of two operands goes through `contract`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .array import ActiveArray
from .contraction import contract, contract_vector
from .dispatch import ARRAY_FUNCTIONS, UFUNCS, beyond_reals, is_complex
from .einsum import einsum
from .functions import FUNCTIONS
from .numpy_ufuncs import lifted, lowered


def _mismatch(name: str, a: Any, b: Any) -> ValueError:
    return ValueError(f"np.{name}: shapes {a.shape} and {b.shape} do not fit")


def matmul(a: Any, b: Any) -> Any:
    """``a @ b``, with NumPy's rules for vectors and stacks of matrices."""
    a, b = lifted(a, copy=False), lifted(b, copy=False)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("np.matmul: a scalar operand; use * instead")
    if a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
        raise _mismatch("matmul", a, b)
    if b.ndim == 1:
        return lowered(contract_vector(a, b))
    return contract_vector(np.swapaxes(b, -1, -2), a) if a.ndim == 1 else contract(a, b)


def dot(a: Any, b: Any) -> Any:
    """``np.dot``: the sum over the last axis of a and the last but one of b."""
    a, b = lifted(a, copy=False), lifted(b, copy=False)
    if a.ndim == 0 or b.ndim == 0:
        return lowered(a * b)
    axis = max(b.ndim - 2, 0)
    if a.shape[-1] != b.shape[axis]:
        raise _mismatch("dot", a, b)
    return lowered(contract_vector(a, b)) if b.ndim == 1 else tensordot(a, b, (-1, axis))


def inner(a: Any, b: Any) -> Any:
    """``np.inner``: the sum over the last axes."""
    a, b = lifted(a), lifted(b)
    if a.ndim == 0 or b.ndim == 0:
        return lowered(a * b)
    if a.shape[-1] != b.shape[-1]:
        raise _mismatch("inner", a, b)
    return tensordot(a, b, (-1, -1))


def vdot(a: Any, b: Any) -> Any:
    """``np.vdot``: the inner product of flattened arrays."""
    return dot(np.ravel(lifted(a)), np.ravel(lifted(b)))


def _axes_pairs(axes: Any, a: Any, b: Any) -> tuple[list[int], list[int]]:
    if isinstance(axes, int | np.integer):
        return list(range(a.ndim - axes, a.ndim)), list(range(axes))
    of_a, of_b = ([x] if np.ndim(x) == 0 else list(x) for x in axes)
    return [n % a.ndim for n in of_a], [n % b.ndim for n in of_b]


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """``np.tensordot``: sums over pairs of axes."""
    a, b = lifted(a), lifted(b)
    of_a, of_b = _axes_pairs(axes, a, b)
    if [a.shape[n] for n in of_a] != [b.shape[n] for n in of_b]:
        raise _mismatch("tensordot", a, b)
    kept_a, kept_b = ([n for n in range(x.ndim) if n not in used] for x, used in ((a, of_a), (b, of_b)))
    shape = tuple(a.shape[n] for n in kept_a) + tuple(b.shape[n] for n in kept_b)
    count = math.prod(a.shape[n] for n in of_a)
    left = lifted(np.transpose(a, kept_a + of_a)).reshape(math.prod(a.shape[n] for n in kept_a), count)
    right = lifted(np.transpose(b, of_b + kept_b)).reshape(count, math.prod(b.shape[n] for n in kept_b))
    return lowered(contract(left, right).reshape(shape))


def outer(a: Any, b: Any) -> Any:
    """``np.outer``: all products of flattened arrays."""
    return np.ravel(lifted(a))[:, None] * np.ravel(lifted(b))


def kron(a: Any, b: Any) -> Any:
    """``np.kron``: blocks of b, times the elements of a."""
    a, b = lifted(a), lifted(b)
    n_axes = max(a.ndim, b.ndim)
    shapes = [(1,) * (n_axes - x.ndim) + x.shape for x in (a, b)]
    left = a.reshape([length for n in shapes[0] for length in (n, 1)])
    right = b.reshape([length for n in shapes[1] for length in (1, n)])
    return lowered(lifted(left * right).reshape([m * n for m, n in zip(*shapes)]))


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """``np.cross`` of vectors of three elements."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(lifted(a), axisa, -1), np.moveaxis(lifted(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"np.cross of active values: vectors have three elements, got {a.shape} and {b.shape}")
    ahead, behind = [1, 2, 0], [2, 0, 1]
    result = a[..., ahead] * b[..., behind] - a[..., behind] * b[..., ahead]
    return np.moveaxis(result, -1, axisc)


def _vecdot(a: Any, b: Any) -> Any:
    return lowered(matmul(lifted(a)[..., None, :], lifted(b)[..., :, None])[..., 0, 0])


def _linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return _vecdot(np.moveaxis(lifted(x1), axis, -1), np.moveaxis(lifted(x2), axis, -1))


def _matvec(a: Any, b: Any) -> Any:
    return matmul(a, lifted(b)[..., :, None])[..., 0]


def _vecmat(a: Any, b: Any) -> Any:
    return matmul(lifted(a)[..., None, :], b)[..., 0, :]


def _multi_dot(arrays: Sequence[Any]) -> Any:
    result = arrays[0]
    for array in arrays[1:]:
        result = matmul(result, array)
    return result


# -------------------- statistics of several variables --------------------


def _cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Any:
    m = np.atleast_2d(lifted(m))
    m = m if rowvar or len(m) == 1 else m.T
    if y is not None:
        y = np.atleast_2d(lifted(y))
        m = np.concatenate([m, y if rowvar or len(y) == 1 else y.T])
    ddof = int(not bias) if ddof is None else ddof
    weights = [lifted(w) for w in (fweights, aweights) if w is not None]
    if any(w.shape != (m.shape[1],) for w in weights):
        raise ValueError(f"np.cov: a weight for each of {m.shape[1]} observations, got {[w.shape for w in weights]}")
    if not weights:
        centred = m - m.mean(axis=1, keepdims=True)
        return np.squeeze(contract(centred, centred.T) / (m.shape[1] - ddof))
    w = math.prod(weights)
    centred = m - (m * w).sum(axis=1, keepdims=True) / w.sum()
    count = w.sum() - (ddof if aweights is None else ddof * (w * lifted(aweights)).sum() / w.sum())
    return np.squeeze(contract(centred * w, centred.T) / count)


def _corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    covariance = _cov(x, y, rowvar)
    if np.ndim(covariance) == 0:
        return covariance / covariance
    deviation = FUNCTIONS["sqrt"](np.diagonal(covariance))
    return covariance / deviation[:, None] / deviation


# -------------------- polynomials and filters --------------------


def _polyval(p: Any, x: Any) -> Any:
    p = lifted(p)
    result = np.zeros_like(x)
    for coefficient in p:
        result = result * x + coefficient
    return result


def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Products of the shorter, turned around, with windows of the longer."""
    a, v = lifted(a), lifted(v)
    if a.size == 0 or v.size == 0:
        raise ValueError("np.convolve: an operand is empty")
    if v.size > a.size:
        a, v = v, a
    padded = np.pad(a, v.size - 1) if mode != "valid" else a
    windows = np.lib.stride_tricks.sliding_window_view(padded, v.size)
    full = matmul(windows, v[::-1])
    if mode != "same":
        return full
    start = (v.size - 1) // 2
    return full[start : start + a.size]


def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = lifted(a), lifted(v)
    result = _convolve(a, v[::-1], mode)
    if mode == "same" and v.size > a.size:
        return _convolve(v, a[::-1], "same")[::-1]
    return result


# -------------------- operators and registries --------------------


def _operator(function: Callable[[Any, Any], Any], reflected: bool) -> Any:
    def method(self: ActiveArray, other: Any) -> Any:
        if is_complex(other):
            return beyond_reals("__rmatmul__" if reflected else "__matmul__", self, other)
        if not isinstance(other, ActiveArray | np.ndarray | list | tuple):
            return NotImplemented
        return function(other, self) if reflected else function(self, other)

    return method


def _in_place_product(self: ActiveArray, other: Any) -> Any:
    """``a @= b`` writes through views, as in NumPy."""
    product = self.__matmul__(other)
    return product if product is NotImplemented else self._write(product)


setattr(ActiveArray, "__imatmul__", _in_place_product)  # noqa: B010
setattr(ActiveArray, "__matmul__", _operator(matmul, reflected=False))  # noqa: B010
setattr(ActiveArray, "__rmatmul__", _operator(matmul, reflected=True))  # noqa: B010
UFUNCS.update(matmul=matmul, vecdot=_vecdot, matvec=_matvec, vecmat=_vecmat)
ARRAY_FUNCTIONS.update(
    {
        np.convolve: _convolve,
        np.corrcoef: _corrcoef,
        np.correlate: _correlate,
        np.cov: _cov,
        np.cross: cross,
        np.dot: dot,
        np.einsum: einsum,
        np.inner: inner,
        np.kron: kron,
        np.linalg.cross: lambda a, b, /, *, axis=-1: cross(a, b, axis=axis),
        np.linalg.matmul: matmul,
        np.linalg.multi_dot: _multi_dot,
        np.linalg.outer: outer,
        np.linalg.tensordot: tensordot,
        np.linalg.vecdot: _linalg_vecdot,
        np.outer: outer,
        np.polyval: _polyval,
        np.tensordot: tensordot,
        np.vdot: vdot,
    }
)
