"""Discrete Fourier transforms of active arrays, real or complex: one BLOCK row for each axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .array import Axis, axes_of
from .blocks import Arrays, Rule
from .call_rule import call_rule
from .complexes import OF_COMPLEX, ActiveComplex, parts
from .dispatch import ARRAY_FUNCTIONS, COMPLEX_FUNCTIONS, is_complex
from .numpy_ufuncs import lifted

Pair = tuple[Any, Any]  # arrays of real and imaginary parts


class _Fourier:
    """y_j = sum over k of z_k exp(-2 pi i j k / n), along the last axis; real and imaginary parts apart.

    The matrix F of the transform is symmetric, so the adjoint of y = F z is the conjugate of F conj(y_bar).
    """

    name, stacks = "fft", False  # several at once may be rounded in another way than one

    def values(self, operands: Arrays) -> Arrays:
        z = np.empty(operands[0].shape, complex)
        z.real, z.imag = operands
        y = np.fft.fft(z)
        return [y.real.copy(), y.imag.copy()]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        real, imag = _transformed((bars[0], -bars[1]))
        return [real, -imag]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        zeros = np.zeros(operands[0].shape)
        return list(_transformed((zeros if dots[0] is None else dots[0], zeros if dots[1] is None else dots[1])))


_RULE = _Fourier()
RULES: tuple[Rule, ...] = (_RULE,)


def _transformed(z: Pair) -> Pair:
    real, imag = call_rule(_RULE, *z)
    return real, imag


# -------------------- along one axis --------------------


def _pair(z: Any) -> Pair:
    real, imag = (lifted(part) for part in parts(z))
    return real, imag if imag.shape == real.shape else np.zeros(real.shape)


def _resized(x: Any, n: int) -> Any:
    """The last axis cut, or filled up with zeros."""
    missing = n - x.shape[-1]
    return x[..., :n] if missing <= 0 else np.concatenate([x, np.zeros((*x.shape[:-1], missing))], axis=-1)


def _scale(n: int, norm: str | None, inverse: bool) -> float:
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f'norm={norm!r}: expected "backward", "ortho" or "forward"')
    if norm == "ortho":
        return float(n) ** -0.5
    return 1.0 / n if (norm == "forward") != inverse else 1.0


def _along(z: Pair, n: int | None, axis: int, norm: str | None, inverse: bool) -> Pair:
    """Transform of a pair, of which n elements along an axis are taken."""
    real, imag = (np.moveaxis(part, axis, -1) for part in z)
    n = real.shape[-1] if n is None else n
    if n < 1:
        raise ValueError(f"np.fft: {n} elements along axis {axis}; expected at least one")
    real, imag = _resized(real, n), _resized(imag, n)
    real, imag = _transformed((real, -imag if inverse else imag))
    scale = _scale(n, norm, inverse)
    if scale != 1.0:
        real, imag = real * scale, imag * scale
    return np.moveaxis(real, -1, axis), np.moveaxis(-imag if inverse else imag, -1, axis)


def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> ActiveComplex:
    """Return the discrete Fourier transform along an axis."""
    return ActiveComplex(*_along(_pair(a), n, axis, norm, inverse=False))


def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> ActiveComplex:
    """Return the inverse transform along an axis."""
    return ActiveComplex(*_along(_pair(a), n, axis, norm, inverse=True))


def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> ActiveComplex:
    """Return the transform of real numbers, without the half that mirrors the other."""
    if is_complex(a):
        raise TypeError("np.fft.rfft takes real numbers; use np.fft.fft")
    halves = []
    for part in _along(_pair(a), n, axis, norm, inverse=False):
        whole = np.moveaxis(part, axis, -1)
        halves.append(np.moveaxis(whole[..., : whole.shape[-1] // 2 + 1], -1, axis))
    return ActiveComplex(*halves)


def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Return the real numbers whose transform has this half."""
    real, imag = (np.moveaxis(part, axis, -1) for part in _pair(a))
    n = 2 * (real.shape[-1] - 1) if n is None else n
    if n < 1:
        raise ValueError(f"np.fft.irfft: {n} elements; expected at least one")
    real, imag = _resized(real, n // 2 + 1), _resized(imag, n // 2 + 1)
    mirrored = slice((n - 1) // 2, 0, -1)
    ends = np.ones(n // 2 + 1)  # sums of real numbers: their imaginary parts are not read
    ends[0] = ends[-1] = 0.0
    if n % 2:
        ends[-1] = float(n > 1)
    imag = imag * ends
    whole = np.concatenate([real, real[..., mirrored]], axis=-1), np.concatenate([imag, -imag[..., mirrored]], axis=-1)
    return np.moveaxis(_along(whole, n, -1, norm, inverse=True)[0], -1, axis)


# -------------------- along several --------------------


def _over_axes(one: Callable[..., Any], default: Sequence[int] | None) -> Callable[..., Any]:
    def function(
        a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = default, norm: str | None = None
    ) -> Any:
        if axes is None:
            axes = range(np.ndim(a)) if s is None else range(-len(s), 0)
        sizes = [-1] * len(axes) if s is None else list(s)
        if len(sizes) != len(axes):
            raise ValueError(f"np.fft: s={s} and axes={axes} are of different lengths")
        for axis, size in zip(reversed(axes), reversed(sizes)):
            a = one(a, None if size == -1 else size, axis, norm)
        return a

    return function


def _shifted(sign: int) -> Callable[..., Any]:
    def function(x: Any, axes: Axis = None) -> Any:
        along = axes_of(axes, np.ndim(x))
        steps = tuple((sign * np.shape(x)[axis]) // 2 for axis in along)
        return np.roll(x, steps, along)

    return function


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.fft.fft: fft,
    np.fft.ifft: ifft,
    np.fft.rfft: rfft,
    np.fft.irfft: irfft,
    np.fft.fft2: _over_axes(fft, (-2, -1)),
    np.fft.ifft2: _over_axes(ifft, (-2, -1)),
    np.fft.fftn: _over_axes(fft, None),
    np.fft.ifftn: _over_axes(ifft, None),
    np.fft.fftshift: _shifted(1),
    np.fft.ifftshift: _shifted(-1),
}
ARRAY_FUNCTIONS.update(_FUNCTIONS)
COMPLEX_FUNCTIONS.update(_FUNCTIONS)
OF_COMPLEX.update(_FUNCTIONS)
