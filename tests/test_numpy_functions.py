"""NumPy functions of active arrays: values of NumPy, derivatives by differences, replays at other numbers."""

import numpy as np
import pytest
from helpers_numpy import check, check_second_order

import fastad as fad

V = np.array([0.7, -1.3, 2.1, 0.4, -0.6, 1.7, -2.2])
W = np.array([1.1, 0.3, -0.8, 2.4, 0.9, -1.9, 0.6])
M = np.array([[1.2, -0.7, 2.3, 0.1], [0.5, 1.9, -1.4, 0.8], [-2.1, 0.6, 1.1, 1.5]]) + 0.0137
N = np.array([[0.3, 1.4, -0.9, 2.2], [1.6, -0.2, 0.7, -1.1], [0.4, 2.5, -1.8, 0.9]])
SQUARE = np.array([[1.5, -0.4, 0.9], [0.2, 2.1, -1.2], [0.7, 0.3, 1.8]])
CUBE = np.sin(1.0 + np.arange(24.0)).reshape(2, 3, 4) * 2.0
OTHER = np.cos(0.3 + np.arange(24.0)).reshape(2, 3, 4) * 1.5
POSITIVE = np.abs(M) + 0.5
WITH_NAN = np.where(M > 2.0, np.nan, M)
MASK = np.array([[True, False, True, True], [False, True, True, False], [True, True, False, True]])


def _partitioned(a):
    a = a.copy()
    a.partition(3)
    return a


SHAPES = {
    "reshape": (lambda a: np.reshape(a, (4, 3)), M),
    "reshape method": (lambda a: a.reshape(2, 6) * a.reshape((2, 6)), M),
    "reshape order": (lambda a: np.reshape(a, (4, 3), order="F"), M),
    "ravel": (lambda a: np.ravel(a) * a.ravel(), M),
    "flatten": (lambda a: a.flatten(), M),
    "transpose": (lambda a: np.transpose(a, (2, 0, 1)), CUBE),
    "transpose method": (lambda a: (a.transpose(), a.transpose(2, 0, 1), a.transpose((0, 2, 1)), a.T, a.mT), CUBE),
    "swapaxes": (lambda a: (np.swapaxes(a, 0, 2), a.swapaxes(1, 2)), CUBE),
    "moveaxis": (lambda a: np.moveaxis(a, 0, -1), CUBE),
    "rollaxis": (lambda a: np.rollaxis(a, 2), CUBE),
    "squeeze": (lambda a: (np.squeeze(a[:, None]), a[None].squeeze(0)), M),
    "expand_dims": (lambda a: np.expand_dims(a, (0, 2)), M),
    "broadcast_to": (lambda a: np.broadcast_to(a, (2, 3, 4)), M),
    "broadcast_arrays": (lambda a, b: np.broadcast_arrays(a, b[:, None]), M, V[:3]),
    "atleast_1d": (lambda a: np.atleast_1d(a, a[0]), V),
    "atleast_2d": (lambda a: np.atleast_2d(a), V),
    "atleast_3d": (lambda a, b: np.atleast_3d(a, b), V, M),
    "concatenate": (lambda a, b: np.concatenate([a, b]), V, W),
    "concatenate axis": (lambda a, b: np.concatenate((a, np.ones((3, 1)), b), axis=1), M, N),
    "concatenate all": (lambda a, b: np.concatenate([a, b], axis=None), M, V),
    "stack": (lambda a, b: np.stack([a, b], axis=1), V, W),
    "stack scalars": (lambda a: np.stack([a[0], a[3], a[0] * a[1]]), V),
    "vstack": (lambda a, b: np.vstack([a, b, np.zeros(7)]), V, W),
    "hstack": (lambda a, b: np.hstack([a, b]), M, N),
    "dstack": (lambda a, b: np.dstack([a, b]), M, N),
    "column_stack": (lambda a, b: np.column_stack([a, b]), V, W),
    "block": (lambda a, b: np.block([[a, np.zeros((3, 1))], [b, np.ones((3, 1))]]), M, N),
    "append": (lambda a, b: (np.append(a, b), np.append(a, 2.0)), V, W),
    "insert": (lambda a, b: np.insert(a, [1, 3], b[:2]), V, W),
    "delete": (lambda a: np.delete(a, 2, axis=1), M),
    "split": (lambda a: np.split(a, 2, axis=1), M),
    "array_split": (lambda a: np.array_split(a, 3), V),
    "hsplit": (lambda a: np.hsplit(a, [1, 3]), M),
    "vsplit": (lambda a: np.vsplit(a, 3), M),
    "dsplit": (lambda a: np.dsplit(a, 2), CUBE),
    "tile": (lambda a: np.tile(a, (2, 3)), V),
    "repeat": (lambda a: (np.repeat(a, 2), a.repeat([1, 2, 0], axis=0)), M),
    "roll": (lambda a: (np.roll(a, 2), np.roll(a, (1, -1), axis=(0, 1))), M),
    "flip": (lambda a: (np.flip(a), np.flip(a, 1), np.fliplr(a), np.flipud(a)), M),
    "rot90": (lambda a: np.rot90(a, 3), M),
    "resize": (lambda a: np.resize(a, (3, 3)), V),
    "pad": (lambda a: (np.pad(a, 2), np.pad(a, ((1, 0), (0, 2)), constant_values=1.5)), M),
    "pad with actives": (lambda a, b: np.pad(a, 1, constant_values=b[0]), M, V),
    "pad modes": (lambda a: tuple(np.pad(a, 2, m) for m in ("edge", "reflect", "symmetric", "wrap")), M),
    "pad by statistics": (
        lambda a: tuple(np.pad(a, ((1, 2), (0, 3)), m) for m in ("mean", "maximum", "minimum", "median")),
        M,
    ),
    "pad by a ramp": (lambda a: (np.pad(a, 2, "linear_ramp"), np.pad(a, (1, 3), "linear_ramp", end_values=(5, -1))), M),
    "diag": (lambda a: (np.diag(a), np.diag(a[0], 1), np.diag(a, -1)), SQUARE),
    "diagflat": (lambda a: np.diagflat(a[0]), SQUARE),
    "diagonal": (lambda a: (np.diagonal(a), a.diagonal(1), np.diagonal(a, 0, 1, 2)), CUBE),
    "tril": (lambda a: (np.tril(a), np.tril(a, -1), np.triu(a), np.triu(a, 1)), M),
    "meshgrid": (lambda a, b: np.meshgrid(a, b, indexing="ij"), V, W[:3]),
    "take": (lambda a: (np.take(a, [2, 0, 2]), a.take([[0, 1]], axis=1)), M),
    "take_along_axis": (lambda a: np.take_along_axis(a, np.array([[2], [0], [3]]), axis=1), M),
    "choose": (lambda a, b: np.choose([0, 1, 1, 0, 1, 0, 0], [a, b]), V, W),
    "compress": (lambda a: (np.compress([True, False, True], a, axis=0), a.compress([1, 0, 0, 1, 1])), M),
    "extract": (lambda a: np.extract(MASK, a), M),
    "copy": (lambda a: (np.copy(a), a.copy()), M),
    "sliding_window_view": (lambda a: np.lib.stride_tricks.sliding_window_view(a, 3), V),
    "full_like": (lambda a: (np.full_like(a, a[0]), np.ones_like(a) * a, np.zeros_like(a) + a), V),
    "item": (lambda a: (a.item(3), a.item((1, 2)), a[:1, :1].item()), M),
    "flat": (lambda a: (a.T.flat[4], a.T.flat[2:5], np.stack(list(a.T.flat))), M),
    "astype": (lambda a: a.astype(float), M),
    "matrix_transpose": (lambda a: np.matrix_transpose(a), CUBE),
}

AXES = [None, 0, 1, -1, (0, 2), (1, -1)]
REDUCTIONS = {
    f"{f.__name__} axis={axis}{' keepdims' * keepdims}": (
        lambda a, f=f, axis=axis, k=keepdims: f(a, axis=axis, keepdims=k),
        CUBE,
    )
    for f in (np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min)
    for axis in AXES
    for keepdims in ((False, True) if axis in (None, 1) else (False,))
} | {
    "ptp": (lambda a: (np.ptp(a), np.ptp(a, axis=1), a.ptp(0) if hasattr(a, "tape") else np.ptp(a, 0)), M),
    "amax": (lambda a: (np.amax(a, 0), np.amin(a, 1)), M),
    "ddof": (lambda a: (np.var(a, ddof=1), np.std(a, axis=1, ddof=2), a.var(ddof=1), a.std(1)), M),
    "var with mean": (lambda a: np.var(a, axis=1, mean=np.mean(a, axis=1, keepdims=True), correction=1), M),
    "sum initial": (lambda a: (np.sum(a, initial=2.0), np.prod(a, axis=0, initial=3.0), np.max(a, initial=2.0)), M),
    "initial and where": (
        lambda a: (np.sum(a, initial=2.0, where=MASK), np.prod(a, axis=0, initial=2.0, where=MASK)),
        M,
    ),
    "max initial": (lambda a: (np.max(a, axis=1, initial=1.0), a.min(axis=0, initial=-0.5)), M),
    "sum where": (lambda a: (np.sum(a, where=MASK), a.sum(axis=1, where=MASK), np.prod(a, where=MASK, axis=0)), M),
    "mean where": (lambda a: (np.mean(a, where=MASK), np.mean(a, axis=0, where=MASK)), M),
    "var where": (lambda a: np.var(a, axis=1, where=MASK), M),
    "max where": (lambda a: np.max(a, axis=1, where=MASK, initial=-9.0), M),
    "methods": (lambda a: (a.sum(), a.prod(axis=0), a.mean(1), a.max(axis=0), a.min(), a.trace(), a.cumsum(0)), M),
    "average": (lambda a, b: (np.average(a), np.average(a, weights=b), np.average(a, axis=1)), M, POSITIVE),
    "average of planes": (lambda a, w: np.average(a, axis=(2, 0), weights=np.abs(w[:, 0].T) + 1.0), CUBE, OTHER),
    "running with the initial": (
        lambda a: (np.cumulative_sum(a, axis=1, include_initial=True), np.cumulative_prod(a[0], include_initial=True)),
        M,
    ),
    "average of lines": (lambda a, b: np.average(a, axis=1, weights=b[0]), M, POSITIVE),
    "trace": (lambda a: (np.trace(a), np.trace(a, offset=1), np.trace(CUBE * a[0, 0], axis1=1, axis2=2)), M),
    "cumsum": (lambda a: (np.cumsum(a), np.cumsum(a, axis=0), a.cumsum(axis=1)), M),
    "cumprod": (lambda a: (np.cumprod(a), np.cumprod(a, axis=1)), M),
    "nansum": (lambda a: (np.nansum(a), np.nansum(a, axis=0), np.nanprod(a, axis=1)), M),
    "norm": (lambda a: (np.linalg.norm(a), np.linalg.norm(a, axis=0), np.linalg.norm(a, axis=1, keepdims=True)), M),
    "norms of vectors": (lambda a: tuple(np.linalg.norm(a, p) for p in (1, 2, 3, 0.5, np.inf, -np.inf, 0)), V),
    "norms of matrices": (lambda a: tuple(np.linalg.norm(a, p) for p in (1, -1, np.inf, -np.inf, "fro")), M),
    "norms along axes": (lambda a: (np.linalg.norm(a, 1, axis=(0, 2)), np.linalg.norm(a, np.inf, axis=(2, 0))), CUBE),
    "logaddexp.reduce": (lambda a: (np.logaddexp.reduce(a), np.logaddexp.reduce(a, axis=1)), M),
    "hypot.reduce": (lambda a: np.hypot.reduce(a, axis=1), M),
    "add.reduce": (lambda a: (np.add.reduce(a), np.add.reduce(a, axis=1, keepdims=True)), M),
    "multiply.reduce": (lambda a: np.multiply.reduce(a, axis=(0, 1)), M),
    "maximum.reduce": (lambda a: (np.maximum.reduce(a), np.minimum.reduce(a, axis=1)), M),
    "subtract.reduce": (lambda a: (np.subtract.reduce(a), np.divide.reduce(a, axis=1)), POSITIVE),
    "accumulate": (lambda a: (np.add.accumulate(a), np.multiply.accumulate(a, axis=1)), M),
    "maximum.accumulate": (lambda a: (np.maximum.accumulate(a), np.minimum.accumulate(a)), V),
    "logaddexp.accumulate": (lambda a: np.logaddexp.accumulate(a), V),
    "ufunc.outer": (lambda a, b: (np.multiply.outer(a, b), np.add.outer(a, M), np.power.outer(a * a, b)), V, W),
}

ALGEBRA = {
    "dot vectors": (lambda a, b: np.dot(a, b), V, W),
    "dot matrix vector": (lambda a, b: (np.dot(a, b), b @ a.T), M, V[:4]),
    "dot matrices": (lambda a, b: (np.dot(a, b.T), a.dot(b.T)), M, N),
    "dot cube": (lambda a, b: np.dot(a, b), CUBE, M.T),
    "dot scalars": (lambda a, b: (np.dot(a, b[0]), np.dot(2.0, a)), M, V),
    "dot passive": (lambda a: (np.dot(N.T, a), N @ a.T, a @ N.T), M),
    "matmul": (lambda a, b: (a @ b, np.matmul(a, b)), M, N.T),
    "matmul vectors": (lambda a, b: (a @ b, a[:3] @ M, M @ b[:4]), V, W),
    "matmul stacks": (lambda a, b: (a @ b, a @ b[0], a[0] @ b), CUBE, np.swapaxes(OTHER, 1, 2)),
    "inner": (lambda a, b: (np.inner(a, b), np.inner(a[0], b[0]), np.inner(a, 2.0)), M, N),
    "vdot": (lambda a, b: np.vdot(a, b), M, N),
    "outer": (lambda a, b: np.outer(a, b), M, V),
    "kron": (lambda a, b: (np.kron(a, b), np.kron(a, b[0]), np.kron(a[0], b[0])), SQUARE, M),
    "tensordot 1": (lambda a, b: np.tensordot(a, b, 1), CUBE, M.T),
    "tensordot 2": (lambda a, b: np.tensordot(a, b), CUBE, np.swapaxes(OTHER, 0, 2).reshape(3, 4, 2)),
    "tensordot axes": (lambda a, b: np.tensordot(a, b, axes=([0, 2], [0, 2])), CUBE, OTHER),
    "tensordot 0": (lambda a, b: np.tensordot(a, b, 0), V, M),
    "cross": (lambda a, b: (np.cross(a, b), np.cross(a[0], b)), SQUARE, SQUARE.T + 0.5),
    "cross axis": (lambda a, b: np.cross(a, b, axis=0), M, N),
    "einsum matmul": (lambda a, b: np.einsum("ij,kj->ik", a, b), M, N),
    "einsum implicit": (lambda a, b: np.einsum("ij,jk", a, b), M, N.T),
    "einsum transpose": (lambda a: np.einsum("ij->ji", a), M),
    "einsum implicit transpose": (lambda a: np.einsum("ba", a), M),
    "einsum trace": (lambda a: (np.einsum("ii", a), np.einsum("ii->i", a), np.einsum("ij->", a)), SQUARE),
    "einsum covsum": (lambda a, b: np.einsum("ijk,lji->lki", a, b), np.ones((3, 4, 4)) * V[:4], np.ones((4, 4, 3)) * 2),
    "einsum stacks": (lambda a, b: np.einsum("bij,bkj->bik", a, b), CUBE, OTHER),
    "einsum ellipsis": (lambda a, b: np.einsum("...jk,...lk->...lj", a, b), CUBE, OTHER),
    "einsum ellipsis of different lengths": (lambda a, b: np.einsum("...i,...i", a, b), CUBE, M),
    "einsum only ellipsis": (lambda a, b: np.einsum("...,...->...", a, b), CUBE, M),
    "einsum three": (lambda a, b, c: np.einsum("ij,jk,kl->il", a, b, c), M, N.T, SQUARE),
    "einsum diagonal of three": (lambda a, b, c: np.einsum("ij,ji,ii->j", a, b, c), SQUARE, SQUARE.T, SQUARE + 1.0),
    "einsum outer": (lambda a, b: np.einsum("i,j->ji", a, b), V, W),
    "einsum bilinear": (lambda a, b, c: np.einsum("i,ij,j->", a, b, c), V[:3], M, W[:4]),
    "einsum lists": (lambda a, b: np.einsum(a, [0, 1], b, [2, 1], [0, 2]), M, N),
    "einsum lists implicit": (lambda a, b: np.einsum(a, [0, 1], b, [2, 1]), M, N),
    "einsum passive": (lambda a: np.einsum("ij,kj,k->i", a, N, np.ones(3)), M),
    "multi_dot": (lambda a, b: np.linalg.multi_dot([a, b.T, a]), M, N),
    "cov weighted": (
        lambda a, w: (
            np.cov(a, aweights=w),
            np.cov(a, fweights=np.arange(1, 5), aweights=w),
            np.cov(a, aweights=w, ddof=0),
            np.cov(a, fweights=np.arange(1, 5)),
        ),
        M,
        np.abs(W[:4]),
    ),
    "tensordot of a number": (lambda a, b: np.tensordot(a, b[0], axes=0), V, W),
    "kron of numbers": (lambda a, b: np.kron(a[0], b[0]), V, W),
    "vector_norm": (
        lambda a: (np.linalg.vector_norm(a), np.linalg.vector_norm(a, axis=(0, 2), keepdims=True, ord=3)),
        CUBE,
    ),
    "matrix_norm": (lambda a: (np.linalg.matrix_norm(a), np.linalg.matrix_norm(a, ord=1, keepdims=True)), CUBE),
    "linalg.cross": (lambda a, b: np.linalg.cross(a[:, :3], b[:, :3]), M, N),
    "linalg.vecdot": (lambda a, b: np.linalg.vecdot(a, b, axis=0), M, N),
    "partition in place": (lambda a: _partitioned(a), V),
    "cov": (lambda a, b: (np.cov(a), np.cov(a[0], b[0]), np.cov(a, rowvar=False), np.cov(a, bias=True)), M, N),
    "corrcoef": (lambda a: np.corrcoef(a), M),
    "polyval": (lambda p, x: (np.polyval(p, x), np.polyval([1.0, 2.0, 3.0], x), np.polyval(p, 2.0)), V, M),
    "vander": (lambda x: (np.vander(x, 4), np.vander(x, 3, increasing=True)), V),
    "convolve": (lambda a, v: tuple(np.convolve(a, v, m) for m in ("full", "same", "valid")), V, W[:3]),
    "convolve by longer": (lambda a, v: tuple(np.convolve(a, v, m) for m in ("full", "same", "valid")), V[:4], W),
    "correlate": (lambda a, v: tuple(np.correlate(a, v, m) for m in ("full", "same", "valid")), V, W[:4]),
    "correlate with longer": (lambda a, v: tuple(np.correlate(a, v, m) for m in ("full", "same", "valid")), V[:4], W),
}

ORDER = {
    "sort": (lambda a: (np.sort(a), np.sort(a, axis=0), np.sort(a, axis=None)), M),
    "argsort": (lambda a: (a[np.argsort(a)], a[a.argsort()[::-1]]), V),
    "argmax": (lambda a: (a[np.argmax(a)], a[np.argmin(a)], a[a.argmax()] * a[a.argmin()]), V),
    "argmax along an axis": (lambda a: np.take_along_axis(a, np.argmax(a, axis=1, keepdims=True), 1), M),
    "argmin of all": (lambda a: a.ravel()[np.argmin(a)], M),
    "median": (lambda a: (np.median(a), np.median(a, axis=0), np.median(a, axis=1, keepdims=True)), M),
    "median of an odd number": (lambda a: np.median(a), V),
    "quantile": (lambda a: (np.quantile(a, 0.3), np.quantile(a, [0.0, 0.25, 1.0], axis=1)), M),
    "percentile": (lambda a: (np.percentile(a, 60), np.percentile(a, [[10, 90]], axis=0, keepdims=True)), M),
    "searchsorted": (lambda a: np.array([1.0, 2.0, 4.0, 8.0])[np.searchsorted([-1.0, 0.5, 1.5], a)] * a, V),
    "where": (lambda a, b: (np.where(a > b, a * a, b), np.where(MASK, a, b)), M, N),
    "indices of conditions": (lambda a: (a[np.where(a > 0.5)], a[np.nonzero(a > 1.0)]), M),
    "select": (lambda a: np.select([a < -1.0, a < 1.0], [a * a, 2.0 * a], 3.0), M),
    "piecewise": (lambda a: np.piecewise(a, [a < 0.0, a >= 0.0], [lambda x: -x * x, lambda x: np.sqrt(x * x)]), V),
    "clip": (lambda a: (np.clip(a, -0.5, 1.0), a.clip(None, 1.0), np.clip(a, min=0.0)), M),
    "maximum": (lambda a, b: (np.maximum(a, b), np.minimum(a, b), np.fmax(a, b), np.fmin(a, 0.3)), M, N),
    "nan_to_num": (lambda a: np.nan_to_num(a), M),
}

CALCULUS = {
    "diff": (lambda a: (np.diff(a), np.diff(a, axis=0), np.diff(a, n=2)), M),
    "diff with ends": (lambda a: (np.diff(a, prepend=0.0), np.diff(a, append=a[:, :1])), M),
    "ediff1d": (lambda a: (np.ediff1d(a), np.ediff1d(a, to_begin=0.5, to_end=[1.0, 2.0])), V),
    "gradient": (lambda a: (np.gradient(a), np.gradient(a, 0.5), np.gradient(a, 2.0, edge_order=2)), V),
    "gradient of a matrix": (lambda a: (*np.gradient(a), *np.gradient(a, 0.5, 2.0), np.gradient(a, axis=1)), M),
    "gradient of points": (lambda a, x: np.gradient(a, x), V, np.cumsum(POSITIVE.ravel()[:7])),
    "gradient of points at ends": (lambda a: np.gradient(a, [0.0, 0.5, 2.0, 2.5, 4.0, 4.1, 6.0], edge_order=2), V),
    "trapezoid": (lambda y, x: (np.trapezoid(y), np.trapezoid(y, x), np.trapezoid(y, dx=0.5, axis=0)), M, W[:4]),
    "interp": (lambda x, f: np.interp(x, [-1.5, 0.0, 0.5, 2.5], f), V, W[:4]),
    "interp periodic": (lambda x, f: np.interp(x, [1.9, 0.3, -0.5], f, period=2.0), V, W[:3]),
    "interp outside": (lambda x: np.interp(x, [-1.0, 0.0, 1.0], [2.0, 1.0, 3.0], left=-5.0, right=7.0), V),
    "linspace": (lambda a: (np.linspace(a[0], a[1], 5), np.linspace(0.0, a[2], 4, endpoint=False)), V),
    "linspace of arrays": (lambda a, b: np.linspace(a, b, 3, axis=1), V, W),
    "spaces by ratios": (lambda a: (np.logspace(a[0], a[1], 4), np.geomspace(a[0], a[0] + 5.0, 4)), V),
    "sinc": (lambda a: np.sinc(a), V),
    "apply_along_axis": (lambda a: np.apply_along_axis(lambda x: x[::-1] * x.sum(), 0, a), M),
}

UNARY_NAMES = (
    "sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh exp exp2 expm1 log log2 log10 log1p sqrt cbrt "
    "square reciprocal absolute fabs negative positive conjugate deg2rad rad2deg degrees radians sign floor ceil "
    "rint trunc fix real imag real_if_close angle"
)
UNARY = {name: (getattr(np, name), POSITIVE / 4.0) for name in UNARY_NAMES.split()} | {
    "arccosh": (np.arccosh, POSITIVE + 1.0),
    "modf": (np.modf, M),
    "round": (lambda a: np.round(a * 3.1, 1), M),
}

BINARY_NAMES = (
    "add subtract multiply divide true_divide maximum minimum fmax fmin hypot arctan2 logaddexp logaddexp2 "
    "remainder fmod floor_divide copysign divmod"
)
BINARY = {name: (getattr(np, name), M, np.abs(N) + 0.3) for name in BINARY_NAMES.split()} | {
    "power": (np.power, POSITIVE, N),
    "float_power": (np.float_power, POSITIVE, N),
    "heaviside": (lambda a, b: np.heaviside(a - b, b), M, N),
    "ldexp": (lambda a: np.ldexp(a, 3), M),
    "vecdot": (np.vecdot, M, N),
}

CASES = {
    f"{family}: {name}": case
    for family, cases in (
        ("shape", SHAPES),
        ("reduction", REDUCTIONS),
        ("algebra", ALGEBRA),
        ("order", ORDER),
        ("calculus", CALCULUS),
        ("unary", UNARY),
        ("binary", BINARY),
    )
    for name, case in cases.items()
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_numpy_function(case):
    function, *args = case
    check(function, *args)


SECOND_ORDER = (
    "shape: pad",
    "shape: concatenate",
    "reduction: prod axis=1",
    "reduction: std axis=None",
    "reduction: norm",
    "reduction: cumprod",
    "reduction: logaddexp.reduce",
    "algebra: matmul",
    "algebra: einsum three",
    "algebra: corrcoef",
    "algebra: convolve",
    "order: sort",
    "order: median",
    "calculus: trapezoid",
    "calculus: gradient of points",
    "binary: power",
)


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_second_order(name):
    function, *args = CASES[name]
    check_second_order(
        lambda *x: np.ravel(function(*x)[0] if name == "algebra: matmul" else _joined(function(*x))) ** 3, args
    )


def _joined(result):
    return np.concatenate([np.ravel(r) for r in result]) if isinstance(result, tuple) else result


def test_hessian_of_a_product_of_matrices():
    """f(A) = |A A^T|^2 has a Hessian that differences of its gradient 4 A A^T A give."""
    hessian = fad.hessian(lambda a: np.linalg.norm(a @ a.T) ** 2)(M)
    h = 1e-6
    for at in np.ndindex(M.shape):
        step = np.zeros(M.shape)
        step[at] = h
        up, down = (4.0 * m @ m.T @ m for m in (M + step, M - step))
        np.testing.assert_allclose(hessian[at], (up - down) / (2 * h), rtol=1e-6, atol=1e-6)
