"""Bundle adjustment: the observations are scenarios of one recording, the Jacobian's rows their gradients."""

from functools import cache
from typing import NamedTuple

import numpy as np

import fastad as fad

CAMERA, POINT = 11, 3  # rotation, centre, focal length, principal point, two radial distortions; coordinates


def cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def rotated(rotation, v):
    """By Rodrigues' formula; to first order where the angle is 0."""
    square = dot(rotation, rotation)
    if square == 0.0:
        return [a + b for a, b in zip(v, cross(rotation, v))]
    angle = fad.sqrt(square)
    cos, sin = fad.cos(angle), fad.sin(angle)
    axis = [r / angle for r in rotation]
    along = dot(axis, v) * (1.0 - cos)
    return [a * cos + b * sin + n * along for a, b, n in zip(v, cross(axis, v), axis)]


def reprojection(camera, point, weight, feature):
    """Weighted distance, in both directions, of the camera's picture of a point from its feature."""
    rotation, centre, focal, principal, (k1, k2) = camera[:3], camera[3:6], camera[6], camera[7:9], camera[9:]
    x, y, z = rotated(rotation, [a - b for a, b in zip(point, centre)])
    u, v = x / z, y / z
    r2 = u * u + v * v
    scale = focal * (1.0 + k1 * r2 + k2 * (r2 * r2))
    return weight * (u * scale + principal[0] - feature[0]), weight * (v * scale + principal[1] - feature[1])


def weight_error(weight):
    return 1.0 - weight * weight


class Observations:
    """Cameras, points and weights as repeated by the eval: observation i sees point i with camera i, both modulo."""

    def __init__(self, data):
        self.n, self.m, self.p = data["n"], data["m"], data["p"]
        numbers = np.arange(self.p)
        self.camera_of, self.point_of = numbers % self.n, numbers % self.m
        self.cameras = np.tile(np.array(data["cam"], float), (self.n, 1))
        self.points = np.tile(np.array(data["x"], float), (self.m, 1))
        self.weights = np.full(self.p, float(data["w"]))
        self.features = np.tile(np.array(data["feat"], float), (self.p, 1))
        self.program = cache(lambda: fad.record(reprojection, *(arg[0] for arg in self.scenarios())))
        self.weight_program = cache(lambda: fad.record(weight_error, self.weights[0]))

    def scenarios(self):
        return self.cameras[self.camera_of], self.points[self.point_of], self.weights, self.features


def objective(data, threads):
    seen = Observations(data)

    def call():
        u, v = seen.program().batch(*seen.scenarios(), wrt=None, threads=threads).value
        return Errors(np.stack([u, v], axis=1), weight_error(seen.weights))

    return call


def jacobian(data, threads):
    seen = Observations(data)

    def call():
        both = seen.program().batch(*seen.scenarios(), wrt=(0, 1, 2), threads=threads).gradient
        by_weight = seen.weight_program().batch(seen.weights, threads=threads).gradient
        return matrix(seen, both, by_weight)

    return call


def matrix(seen, both, by_weight):
    """Rows of 15 derivatives, two for each observation, then one for each weight: compressed sparse rows."""
    p, width = seen.p, CAMERA + POINT + 1
    vals = np.empty((p, 2, width))
    for row, (by_camera, by_point, by_w) in enumerate(both):
        vals[:, row, :CAMERA], vals[:, row, CAMERA:-1], vals[:, row, -1] = by_camera, by_point, by_w
    cols = np.empty((p, 2, width), np.int32)
    last = CAMERA * seen.n + POINT * seen.m + np.arange(p)
    cols[:, :, :CAMERA] = (CAMERA * seen.camera_of[:, None] + np.arange(CAMERA))[:, None]
    cols[:, :, CAMERA:-1] = (CAMERA * seen.n + POINT * seen.point_of[:, None] + np.arange(POINT))[:, None]
    cols[:, :, -1] = last[:, None]
    rows = np.concatenate([np.arange(0, 2 * width * p + 1, width), 2 * width * p + np.arange(1, p + 1)])
    return Sparse(rows, np.concatenate([cols.ravel(), last]), np.concatenate([vals.ravel(), by_weight]))


class Errors(NamedTuple):
    reprojection: np.ndarray  # (p, 2)
    weight: np.ndarray  # (p,)

    def shown(self):
        """One of each, as the eval wants them: all observations are the same."""
        count = len(self.weight)
        return {
            "reproj_error": {"elements": self.reprojection[0], "repeated": count},
            "w_err": {"element": self.weight[0], "repeated": count},
        }


class Sparse(NamedTuple):
    """Compressed sparse rows: ``rows`` points to where each row begins."""

    rows: np.ndarray
    cols: np.ndarray
    vals: np.ndarray

    def shown(self):
        """The first 30 entries and the last one of each, as the eval wants them."""
        return {name: np.append(part[:30], part[-1]) for name, part in self._asdict().items()}
