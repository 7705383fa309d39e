"""Linear algebra: functions of ``numpy.linalg``, each recorded as one BLOCK row.

Adjoints and tangents are those of Giles, An extended collection of matrix derivative results for forward and reverse
mode algorithmic differentiation (2008), where no other source is named. They are written in the functions of this file
and in operators, so that on actives they record the next derivative. Stacks of matrices are taken one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal, NamedTuple

import numpy as np

from ..ops import OPCODE
from .array import elementwise, stack
from .blocks import Array, Arrays, Rule
from .call_rule import call_rule
from .contraction import contract
from .dispatch import ARRAY_FUNCTIONS
from .numpy_ufuncs import lifted

_PRODUCT = OPCODE["product"]


def masked(a: Array, b: Array) -> Array:
    """Product, zero where a factor is exactly zero."""
    return elementwise(_PRODUCT, a, b)


def _outer(a: Array, b: Array) -> Array:
    return a[..., :, None] * b[..., None, :]


def transposed(a: Array) -> Array:
    """Every matrix of a stack transposed."""
    return np.swapaxes(a, -1, -2)


def _solved(a: Array, b: Array) -> Array:
    """``solve``, where numbers may be stacks, of vectors too."""
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return solve(a, b)
    return np.linalg.solve(a, b[..., None])[..., 0] if b.ndim < a.ndim else np.linalg.solve(a, b)


def _inverse(a: Array) -> Array:
    """``inv``, where numbers may be stacks."""
    return np.linalg.inv(a) if isinstance(a, np.ndarray) else inv(a)


def _plus(a: Array, b: Array) -> Array:
    """Sum of two terms, of which one may be missing."""
    return b if a is None else a if b is None else a + b


class _Solve:
    """X = A^-1 B (section 2.3.1)."""

    name, stacks = "solve", True

    def values(self, operands: Arrays) -> Arrays:
        return [_solved(*operands)]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        (a, b), x = operands, results[0]
        b_bar = _solved(transposed(a), bars[0])
        a_bar = (-_outer(b_bar, x) if b.ndim < a.ndim else -contract(b_bar, transposed(x))) if wanted[0] else None
        return [a_bar, b_bar]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        a, (a_dot, b_dot) = operands[0], dots
        moved = None if a_dot is None else -_times(a_dot, results[0])
        return [solve(a, _plus(b_dot, moved))]


class _Inverse:
    """C = A^-1 (section 2.2.3)."""

    name, stacks = "inv", True

    def values(self, operands: Arrays) -> Arrays:
        return [np.linalg.inv(operands[0])]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        c = results[0]
        return [-contract(contract(transposed(c), bars[0]), transposed(c))]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        c = results[0]
        return [-contract(contract(c, dots[0]), c)]


class _Determinant:
    """C = det A (section 2.2.4)."""

    name, stacks = "det", True

    def values(self, operands: Arrays) -> Arrays:
        return [np.asarray(np.linalg.det(operands[0]))]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        return [bars[0][..., None, None] * _cofactors(operands[0], results[0])]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        return [(_cofactors(operands[0], results[0]) * dots[0]).sum()]


def _cofactors(a: Array, det: Array) -> Array:
    """Derivative of the determinant: det A A^-T, and for numbers its limit where A is singular."""
    if not isinstance(a, np.ndarray):
        return det * inv(a).T
    finite = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    u, s, vt = np.linalg.svd(np.where(finite, a, 0.0))  # LAPACK may never return from a matrix with inf
    others = np.stack([np.prod(np.delete(s, i, axis=-1), axis=-1) for i in range(s.shape[-1])], axis=-1)
    cofactors = (np.linalg.det(u) * np.linalg.det(vt))[..., None, None] * (u * others[..., None, :]) @ vt
    return np.where(finite, cofactors, np.nan)


class _LogDeterminant:
    """Sign and logarithm of |det A| (section 2.2.4); the sign has derivative 0."""

    name, stacks = "slogdet", True

    def values(self, operands: Arrays) -> Arrays:
        return [np.asarray(part) for part in np.linalg.slogdet(operands[0])]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        return [bars[1][..., None, None] * transposed(_inverse(operands[0]))]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        return [np.zeros(()), (inv(operands[0]).T * dots[0]).sum()]


def _triangle(n: int, uplo: str, strict: bool = False) -> Array:
    """Ones in the triangle that is read, without its diagonal if strict."""
    lower = np.tri(n, k=-1 if strict else 0)
    return lower if uplo == "L" else lower.T


def _mirrored(a: Array, uplo: str) -> Array:
    """The symmetric matrix of which one triangle is read."""
    n = a.shape[-1]
    return a * _triangle(n, uplo) + transposed(a * _triangle(n, uplo, strict=True))


def _read(bar: Array, uplo: str) -> Array:
    """Adjoint of what `_mirrored` reads."""
    n = bar.shape[-1]
    return bar * _triangle(n, uplo) + transposed(bar) * _triangle(n, uplo, strict=True)


class _Cholesky:
    """A = L L^T, L lower triangular, of a symmetric A (Murray 2016, arXiv 1602.07527).

    As NumPy, which reads the lower triangle only: the elements above the diagonal have derivative 0.
    """

    name, stacks = "cholesky", True

    def values(self, operands: Arrays) -> Arrays:
        return [np.linalg.cholesky(operands[0])]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        lower = results[0]
        upper = transposed(lower)
        p = _half_lower(contract(upper, bars[0]))
        return [_read(_solved(upper, transposed(_solved(upper, transposed(p)))), "L")]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        lower, a_dot = results[0], _mirrored(dots[0], "L")
        return [contract(lower, _half_lower(solve(lower, solve(lower, a_dot).T)))]


def _half_lower(a: Array) -> Array:
    """Lower triangle with half the diagonal."""
    n = a.shape[-1]
    return a * (np.tri(n) - 0.5 * np.eye(n))


class _QR:
    """A = Q R with as many columns in Q as in A, at most as many as rows (Walter and Lehmann 2018 for the adjoint)."""

    name, stacks = "qr", True

    def values(self, operands: Arrays) -> Arrays:
        return list(np.linalg.qr(operands[0]))

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        (q, r), (q_bar, r_bar) = results, bars
        n = r.shape[-1]
        m = contract(r, transposed(r_bar)) - contract(transposed(q_bar), q)
        mirrored = m * np.tri(n) + transposed(m * np.tri(n, k=-1))
        return [transposed(_solved(r, transposed(q_bar + contract(q, mirrored))))]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        (q, r), a_dot = results, dots[0]
        c = solve(r.T, a_dot.T).T  # dA R^-1
        inside = contract(q.T, c)
        lower = inside * np.tri(r.shape[0], k=-1)
        rotation = lower - lower.T
        q_dot = c - contract(q, inside) + contract(q, rotation)
        return [q_dot, contract(q.T, a_dot) - contract(rotation, r)]


class _Eigh:
    """A V = V diag(w) of a symmetric A (section 3.1), of which NumPy reads one triangle; the other has derivative 0.

    Where eigenvalues are equal their vectors have no derivative: what depends on the vectors is inf or NaN there.
    """

    stacks = True

    def __init__(self, name: str, uplo: Literal["L", "U"]) -> None:
        self.name = name
        self._uplo: Literal["L", "U"] = uplo

    def values(self, operands: Arrays) -> Arrays:
        return list(np.linalg.eigh(operands[0], self._uplo))

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        (w, v), (w_bar, v_bar) = results, bars
        inner = masked(gaps(w), contract(transposed(v), v_bar)) + np.eye(w.shape[-1]) * w_bar[..., None, :]
        return [_read(contract(contract(v, inner), transposed(v)), self._uplo)]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        w, v = results
        p = contract(contract(v.T, _mirrored(dots[0], self._uplo)), v)
        return [(p * np.eye(w.shape[0])).sum(axis=0), contract(v, masked(gaps(w), p))]


def gaps(w: Array) -> Array:
    """1 / (w_j - w_i), and 0 on the diagonal."""
    unit = np.eye(w.shape[-1])
    with np.errstate(divide="ignore"):
        return masked(1.0 - unit, 1.0 / (w[..., None, :] - w[..., :, None] + unit))


class _LeastSquares:
    """x that minimises |A x - b|, for A of full column rank (Golub and Pereyra 1973)."""

    name, stacks = "lstsq", False

    def values(self, operands: Arrays) -> Arrays:
        if not np.isfinite(operands[0]).all():  # LAPACK may never return from a matrix with inf
            raise np.linalg.LinAlgError("lstsq of a matrix with an element that is inf or NaN")
        return [np.linalg.lstsq(operands[0], operands[1], rcond=None)[0]]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        (a, b), x = operands, results[0]
        w = _normal_solve(a, bars[0])
        b_bar = _times(a, w)
        if not wanted[0]:
            return [None, b_bar]
        r = b - _times(a, x)
        if b.ndim == 1:
            return [_outer(r, w) - _outer(b_bar, x), b_bar]
        return [contract(r, w.T) - contract(b_bar, x.T), b_bar]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        (a, b), x, (a_dot, b_dot) = operands, results[0], dots
        moved = None if a_dot is None else -_times(a_dot, x)
        right = _times(a.T, _plus(b_dot, moved))
        if a_dot is not None:
            right = right + _times(a_dot.T, b - _times(a, x))
        return [_normal_solve(a, right)]


def _normal_solve(a: Array, right: Array) -> Array:
    """(A^T A)^-1 of a vector or matrix, by the triangular factor of A: its condition is not squared."""
    r = qr(a)[1]
    return solve(r, solve(r.T, right))


_SOLVE, _INVERSE, _DETERMINANT, _LOG_DETERMINANT = _Solve(), _Inverse(), _Determinant(), _LogDeterminant()
_CHOLESKY, _QR_RULE, _LEAST_SQUARES = _Cholesky(), _QR(), _LeastSquares()
_EIGH = {"L": _Eigh("eigh", "L"), "U": _Eigh("eigh of the upper triangle", "U")}

RULES: tuple[Rule, ...] = (
    _SOLVE,
    _INVERSE,
    _DETERMINANT,
    _LOG_DETERMINANT,
    _CHOLESKY,
    _QR_RULE,
    *_EIGH.values(),
    _LEAST_SQUARES,
)


# -------------------- functions --------------------


class SlogdetResult(NamedTuple):
    """As NumPy's."""

    sign: Any
    logabsdet: Any


class QRResult(NamedTuple):
    """As NumPy's."""

    Q: Any
    R: Any


class EighResult(NamedTuple):
    """As NumPy's."""

    eigenvalues: Any
    eigenvectors: Any


def _times(a: Array, b: Array) -> Array:
    """Matrix times vector or matrix."""
    return contract(a, b.reshape(-1, 1)).reshape(-1) if b.ndim == 1 else contract(a, b)


def _matrix(a: Any, name: str) -> Any:
    """Return the operand of a function as an array of at least two axes."""
    a = lifted(a, copy=False)
    if a.ndim < 2:
        raise np.linalg.LinAlgError(f"{name} needs a matrix, got an array of shape {a.shape}")
    return a


def matrices(function: Callable[..., Any]) -> Callable[..., Any]:
    """Take stacks of matrices one by one; refuse what is no matrix."""

    @wraps(function)
    def each(a: Any, *more: Any, **options: Any) -> Any:
        a = _matrix(a, function.__name__)
        if a.ndim == 2:
            return function(a, *more, **options)
        results = [each(a[i], *more, **options) for i in range(a.shape[0])]
        if isinstance(results[0], tuple):
            return type(results[0])._make(stack(part) for part in zip(*results))  # type: ignore[attr-defined]
        return stack(results)

    return each


def solve(a: Any, b: Any) -> Any:
    """Return the solution of a x = b, for a vector or a matrix b; stacks of matrices broadcast, one by one."""
    a, b = _matrix(a, "solve"), lifted(b, copy=False)
    if max(a.ndim, b.ndim) == 2:
        return call_rule(_SOLVE, a, b)[0]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, lead + a.shape[-2:])
    b = b if b.ndim == 1 else np.broadcast_to(b, lead + b.shape[-2:])
    return stack([solve(a[i], b if b.ndim == 1 else b[i]) for i in range(lead[0])])


@matrices
def inv(a: Any) -> Any:
    """Return the inverse of a matrix."""
    return call_rule(_INVERSE, a)[0]


@matrices
def det(a: Any) -> Any:
    """Return the determinant of a matrix."""
    return call_rule(_DETERMINANT, a)[0][()]


@matrices
def slogdet(a: Any) -> Any:
    """Return the sign (derivative 0) and the logarithm of the absolute value of the determinant."""
    sign, logarithm = call_rule(_LOG_DETERMINANT, a)
    return SlogdetResult(sign[()], logarithm[()])


@matrices
def cholesky(a: Any, *, upper: bool = False) -> Any:
    """Return the lower triangular L of a = L L^T, or its transpose; the other triangle of a is not read."""
    return cholesky(a.T).T if upper else call_rule(_CHOLESKY, a)[0]


@matrices
def qr(a: Any, mode: str = "reduced") -> Any:
    """Return Q and R of a = Q R, for at least as many rows as columns."""
    if mode != "reduced" or a.shape[0] < a.shape[1]:
        raise NotImplementedError("qr of actives: mode='reduced', for at least as many rows as columns")
    return QRResult(*call_rule(_QR_RULE, a))


@matrices
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues in ascending order and the eigenvectors of a symmetric matrix, of which UPLO is read."""
    if UPLO.upper() not in _EIGH:
        raise ValueError(f"eigh: UPLO is 'L' or 'U', the triangle that is read; got {UPLO!r}")
    return EighResult(*call_rule(_EIGH[UPLO.upper()], a))


def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues of a symmetric matrix in ascending order."""
    return eigh(a, UPLO).eigenvalues


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Return the least-squares solution, sums of squared residuals, rank and singular values, as NumPy does.

    Of these, the solution and the sums are differentiated. ``a`` must have full column rank.
    """
    a, b = _matrix(a, "lstsq"), lifted(b, copy=False)
    x = call_rule(_LEAST_SQUARES, a, b)[0]
    s = np.linalg.svd(getattr(a, "_value", a), compute_uv=False)
    rank = int((s > max(a.shape) * np.finfo(float).eps * s[0]).sum())
    if rank < a.shape[1]:
        raise np.linalg.LinAlgError(f"lstsq of actives needs full column rank, got {rank} of {a.shape[1]} columns")
    squares = ((b - _times(a, x)) ** 2).reshape(b.shape[0], -1)
    return x, squares.sum(axis=0) if a.shape[0] > rank else np.empty(0), rank, s


ARRAY_FUNCTIONS.update(
    {
        np.linalg.solve: solve,
        np.linalg.inv: inv,
        np.linalg.det: det,
        np.linalg.slogdet: slogdet,
        np.linalg.cholesky: cholesky,
        np.linalg.qr: qr,
        np.linalg.eigh: eigh,
        np.linalg.eigvalsh: eigvalsh,
        np.linalg.lstsq: lstsq,
    }
)
