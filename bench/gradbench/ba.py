"""Bundle adjustment: the observations are scenarios of one recording, the Jacobian's rows their gradients."""

from functools import cache
from typing import NamedTuple

import numpy as np

import fastad as fad

CAMERA, POINT = 11, 3  # rotation, centre, focal length, principal point, two radial distortions; coordinates
INPUTS = CAMERA + POINT + 1  # and a weight


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


def reprojection(x, feature):
    """Weighted distance, in both directions, of the camera's picture of a point from its feature."""
    camera, point, weight = x[:CAMERA], x[CAMERA:-1], x[-1]
    rotation, centre, focal, principal, (k1, k2) = camera[:3], camera[3:6], camera[6], camera[7:9], camera[9:]
    x, y, z = rotated(rotation, [a - b for a, b in zip(point, centre)])
    u, v = x / z, y / z
    r2 = u * u + v * v
    scale = focal * (1.0 + k1 * r2 + k2 * (r2 * r2))
    errors = u * scale + principal[0] - feature[0], v * scale + principal[1] - feature[1]
    return fad.stack([weight * error for error in errors])


def weight_error(weight):
    return 1.0 - weight * weight


class Observations:
    """Cameras, points and weights as repeated by the eval: observation i sees point i with camera i, both modulo."""

    def __init__(self, data):
        self.n, self.m, self.p = data["n"], data["m"], data["p"]
        numbers = np.arange(self.p, dtype=np.int32)
        self.camera_of, self.point_of = numbers % self.n, numbers % self.m
        self.cameras = np.tile(np.array(data["cam"], float), (self.n, 1))
        self.points = np.tile(np.array(data["x"], float), (self.m, 1))
        self.weights = np.full(self.p, float(data["w"]))
        self.features = np.tile(np.array(data["feat"], float), (self.p, 1))
        self.program = cache(lambda: fad.record(reprojection, *(arg[0] for arg in self.scenarios())))
        self.weight_program = cache(lambda: fad.record(weight_error, self.weights[0]))

    def scenarios(self):
        parts = self.cameras[self.camera_of], self.points[self.point_of], self.weights[:, None]
        return np.concatenate(parts, axis=1), self.features


def objective(data, threads):
    seen = Observations(data)

    def call():
        found = seen.program().batch(*seen.scenarios(), wrt=None, threads=threads)
        return Errors(found.value, weight_error(seen.weights))

    return call


def jacobian(data, threads):
    seen = Observations(data)

    def call():
        by_inputs = seen.program().batch(*seen.scenarios(), wrt=0, threads=threads).gradient
        by_weight = seen.weight_program().batch(seen.weights, threads=threads).gradient
        return Sparse(*structure(seen), np.concatenate([by_inputs.ravel(), by_weight]))

    return call


def structure(seen):
    """Where each row begins and the columns of its entries: two rows for each observation, then one by its weight."""
    of_both = 2 * INPUTS * seen.p
    cols = np.empty(of_both + seen.p, np.int32)
    both, last = cols[:of_both].reshape(seen.p, 2, INPUTS), cols[of_both:]
    first_point = CAMERA * seen.n
    last[:] = first_point + POINT * seen.m + np.arange(seen.p)
    both[:, :, :CAMERA] = (CAMERA * seen.camera_of[:, None] + np.arange(CAMERA))[:, None]
    both[:, :, CAMERA:-1] = (first_point + POINT * seen.point_of[:, None] + np.arange(POINT))[:, None]
    both[:, :, -1] = last[:, None]
    return np.concatenate([np.arange(0, of_both, INPUTS), np.arange(of_both, cols.size + 1)]), cols


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
