"""Bundle adjustment (the BA problem of ADBench and GradBench): the sparse Jacobian of all reprojection errors.

An observation sees one of the points through one of the cameras, with a weight of its own: 15 inputs, two residuals,
and one that keeps the weight near 1. Columns are cameras, points, weights; rows two per observation, then one each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core import Problem

CAMERA, POINT = 11, 3  # rotation 3, centre 3, focal length, principal point 2, distortion 2; coordinates
INPUTS = CAMERA + POINT + 1


@dataclass
class Data:
    """Cameras (c, 11), points (p, 3), weights (n,), features (n, 2), and which camera sees which point."""

    cameras: np.ndarray
    points: np.ndarray
    weights: np.ndarray
    features: np.ndarray
    camera_of: np.ndarray
    point_of: np.ndarray

    @property
    def n(self):
        return self.weights.size

    @property
    def inputs(self):
        """The 15 inputs of every observation, shape (n, 15)."""
        return np.concatenate([self.cameras[self.camera_of], self.points[self.point_of], self.weights[:, None]], axis=1)

    @cached_property
    def columns(self):
        """Columns of the 15 inputs of every observation, ascending."""
        first_point = CAMERA * len(self.cameras)
        first_weight = first_point + POINT * len(self.points)
        parts = [
            CAMERA * self.camera_of[:, None] + np.arange(CAMERA),
            first_point + POINT * self.point_of[:, None] + np.arange(POINT),
            first_weight + np.arange(self.n)[:, None],
        ]
        return np.concatenate(parts, axis=1).astype(np.int32)

    @cached_property
    def structure(self):
        """Compressed rows of the Jacobian: where rows start, and the column of every element."""
        counts = np.concatenate([np.full(2 * self.n, INPUTS), np.ones(self.n, np.int64)])
        indices = np.concatenate([np.repeat(self.columns, 2, axis=0).ravel(), self.columns[:, -1]])
        return np.concatenate([[0], np.cumsum(counts)]), indices

    @cached_property
    def by_hand(self):
        """Residuals (n, 2) and their derivatives (n, 2, 15), these by complex steps."""
        features, inputs = self.features.T, self.inputs.T
        values = np.array(residuals(inputs, features))
        slopes = np.empty((self.n, 2, INPUTS))
        for j in range(INPUTS):
            moved = inputs + 1e-30j * (np.arange(INPUTS) == j)[:, None]
            slopes[:, :, j] = np.array(residuals(moved, features, cos=_cos, sin=_sin)).imag.T / 1e-30
        return values.T, slopes


def _cos(x):
    """Of x + i h: NumPy's overflows nowhere near here, but takes its time."""
    return np.cos(x.real) - 1j * x.imag * np.sin(x.real)


def _sin(x):
    return np.sin(x.real) + 1j * x.imag * np.cos(x.real)


def residuals(x, feature, sqrt=np.sqrt, cos=np.cos, sin=np.sin):
    """Weighted reprojection errors of an observation with the inputs x, in plain arithmetic: of numbers or arrays."""
    r0, r1, r2 = x[0], x[1], x[2]
    v0, v1, v2 = x[11] - x[3], x[12] - x[4], x[13] - x[5]
    angle = sqrt(r0 * r0 + r1 * r1 + r2 * r2)
    c, s = cos(angle), sin(angle)
    k0, k1, k2 = r0 / angle, r1 / angle, r2 / angle
    along = (k0 * v0 + k1 * v1 + k2 * v2) * (1.0 - c)
    p0 = v0 * c + (k1 * v2 - k2 * v1) * s + k0 * along
    p1 = v1 * c + (k2 * v0 - k0 * v2) * s + k1 * along
    p2 = v2 * c + (k0 * v1 - k1 * v0) * s + k2 * along
    q0, q1 = p0 / p2, p1 / p2
    square = q0 * q0 + q1 * q1
    scale = x[6] * (1.0 + square * (x[9] + square * x[10]))
    return x[14] * (q0 * scale + x[7] - feature[0]), x[14] * (q1 * scale + x[8] - feature[1])


def cases(quick):
    """The numbers of cameras and points of ADBench's first problem, and three times as many."""
    sizes = ((7, 200, 700),) if quick else ((49, 7_776, 31_843), (152, 24_400, 100_000))
    for cameras, points, n in sizes:
        yield f"{n:,} observations", made_up(cameras, points, n)


def made_up(cameras, points, n):
    """Cameras some way in front of a cloud of points."""
    rng = np.random.default_rng(1)
    c = np.empty((cameras, CAMERA))
    c[:, :3] = rng.normal(0.0, 0.3, (cameras, 3))
    c[:, 3:6] = np.array([0.0, 0.0, -6.0]) + rng.normal(0.0, 0.3, (cameras, 3))
    c[:, 6:] = [500.0, 300.0, 200.0, -0.1, 0.02] * rng.uniform(0.9, 1.1, (cameras, 5))
    p = rng.normal(0.0, 1.0, (points, POINT))
    seen = rng.integers(0, cameras, n), rng.integers(0, points, n)
    return Data(c, p, rng.uniform(0.8, 1.2, n), rng.uniform(0.0, 600.0, (n, 2)), *seen)


def check(data, answer):
    """The answer is the reprojection errors (n, 2), and the elements of the Jacobian in the order of the rows."""
    errors, elements = answer
    want_errors, slopes = data.by_hand
    want = np.concatenate([slopes.ravel(), -2.0 * data.weights])
    for name, got, known in (("an error", errors, want_errors), ("an element", elements, want)):
        off = np.abs(np.asarray(got) - known).max() if np.shape(got) == known.shape else np.inf
        if not off <= 1e-12 * np.abs(known).max():
            return f"{name} is off by {off:.3g}, the largest is {np.abs(known).max():.3g}"
    return ""


PROBLEM = Problem(
    name="bundle",
    section="sparse derivatives",
    title="bundle adjustment, residuals and sparse Jacobian",
    cases=lambda quick: dict(cases(quick)),
    check=check,
    items=lambda data: data.n,
    unit="observation",
    baseline="codipack",
)
