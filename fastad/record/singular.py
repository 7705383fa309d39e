"""Singular values and pseudo-inverses, each one BLOCK row; written as the rules of ``algebra.py`` are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .algebra import gaps, inv, masked, matrices, transposed
from .blocks import Array, Arrays, Rule
from .call_rule import call_rule
from .contraction import contract
from .dispatch import ARRAY_FUNCTIONS, require_passive


def _finite(name: str, a: Array) -> Array:
    if not np.isfinite(a).all():  # LAPACK may never return from a matrix with inf
        raise np.linalg.LinAlgError(f"{name} of a matrix with an element that is inf or NaN")
    return a


def _divided(x: Array, s: Array) -> Array:
    """Columns divided by singular values, 0 where they are 0."""
    with np.errstate(divide="ignore"):
        return masked(x, (1.0 / s)[..., None, :])


def _outside(q: Array, x: Array) -> Array:
    """The part of the columns of x that is orthogonal to those of q."""
    return x - contract(q, contract(transposed(q), x))


class _SVD:
    """A = U diag(s) V^T, with a column of U and of V for every singular value (section 3.2; Townsend 2016).

    Where singular values are equal or 0 their vectors have no derivative: what depends on the vectors is inf or NaN.
    """

    name, stacks = "svd", True

    def values(self, operands: Arrays) -> Arrays:
        return list(np.linalg.svd(_finite("svd", operands[0]), full_matrices=False))

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        (u, s, vt), (u_bar, s_bar, vt_bar) = results, bars
        v, v_bar, turns = transposed(vt), transposed(vt_bar), gaps(s * s)
        left, right = contract(transposed(u), u_bar), contract(vt, v_bar)
        inner = masked(turns, left - transposed(left)) * s[..., None, :]
        inner = inner + masked(turns, right - transposed(right)) * s[..., :, None]
        inner = inner + np.eye(s.shape[-1]) * s_bar[..., None, :]
        bar = contract(contract(u, inner), vt)
        if u.shape[-2] > u.shape[-1]:
            bar = bar + contract(_divided(_outside(u, u_bar), s), vt)
        if v.shape[-2] > v.shape[-1]:
            bar = bar + contract(u, transposed(_divided(_outside(v, v_bar), s)))
        return [bar]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        (u, s, vt), a_dot = results, dots[0]
        v, turns = vt.T, gaps(s * s)
        p = contract(contract(u.T, a_dot), v)
        left, right = p * s, p * s[:, None]
        u_dot = contract(u, masked(turns, left + left.T))
        v_dot = contract(v, masked(turns, right + right.T))
        if u.shape[0] > u.shape[1]:
            u_dot = u_dot + _divided(_outside(u, contract(a_dot, v)), s)
        if v.shape[0] > v.shape[1]:
            v_dot = v_dot + _divided(_outside(v, contract(a_dot.T, u)), s)
        return [u_dot, (p * np.eye(s.shape[0])).sum(axis=0), v_dot.T]


class _PseudoInverse:
    """P of A and the relative size of what counts as zero, where the rank stays (Golub and Pereyra 1973)."""

    name, stacks = "pinv", True

    def values(self, operands: Arrays) -> Arrays:
        return [np.linalg.pinv(_finite("pinv", operands[0]), operands[1])]

    def adjoints(self, operands: Arrays, results: Arrays, bars: Arrays, wanted: Sequence[bool]) -> Arrays:
        a, p, bar = operands[0], results[0], transposed(bars[0])
        pt = transposed(p)
        left, right = bar - contract(a, contract(p, bar)), bar - contract(contract(bar, p), a)
        spanned = contract(contract(pt, bars[0]), pt)
        return [contract(contract(left, p), pt) + contract(pt, contract(p, right)) - spanned, None]

    def tangents(self, operands: Arrays, results: Arrays, dots: Arrays) -> Arrays:
        a, p, dot = operands[0], results[0], dots[0].T
        left, right = dot - contract(contract(dot, a), p), dot - contract(p, contract(a, dot))
        spanned = contract(contract(p, dots[0]), p)
        return [contract(p, contract(p.T, left)) + contract(contract(right, p.T), p) - spanned]


_SINGULAR, _PSEUDO_INVERSE = _SVD(), _PseudoInverse()

RULES: tuple[Rule, ...] = (_SINGULAR, _PSEUDO_INVERSE)


# -------------------- functions --------------------


class SVDResult(NamedTuple):
    """As NumPy's."""

    U: Any
    S: Any
    Vh: Any


@matrices
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Return U, S and Vh of a = U diag(S) Vh, or S alone; of a matrix that is not square, for ``full_matrices=False``.

    Of the columns that ``full_matrices=True`` adds there, no derivative is known.
    """
    if compute_uv and full_matrices and a.shape[0] != a.shape[1]:
        raise NotImplementedError(f"svd of actives of shape {a.shape}: pass full_matrices=False")
    u, s, vh = call_rule(_SINGULAR, a)
    return SVDResult(u, s, vh) if compute_uv else s


def svdvals(x: Any, /) -> Any:
    """Return the singular values of a matrix, in descending order."""
    return svd(x, compute_uv=False)


@matrices
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """Return the pseudo-inverse of a matrix, of any rank that does not change where it is differentiated."""
    require_passive("np.linalg.pinv", rcond, rtol)
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else max(a.shape) * np.finfo(float).eps if rtol is None else rtol
    return call_rule(_PSEUDO_INVERSE, a, rcond)[0]


def matrix_power(a: Any, n: int) -> Any:
    """Return the n-th power of a square matrix."""
    if n < 0:
        return matrix_power(inv(a), -n)
    power = None
    while n:
        power = a if n % 2 and power is None else power @ a if n % 2 else power
        a, n = a @ a if n > 1 else a, n // 2
    return np.broadcast_to(np.eye(a.shape[-1]), a.shape).copy() if power is None else power.copy()


ARRAY_FUNCTIONS.update(
    {
        np.linalg.matrix_power: matrix_power,
        np.linalg.pinv: pinv,
        np.linalg.svd: svd,
        np.linalg.svdvals: svdvals,
    }
)
