"""Hand tracking: distances of the points of a posed hand from given ones, by its pose and by places on triangles.

One function of arrays: of all vertices and points for values, and of the one to three vertices of a single point where
it is recorded, so that the points are scenarios.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

import fastad as fad

FINGERS, BONES_OF_FINGER = 5, 4
ARRAYS = ("base_relatives", "inverse_base_absolutes", "base_positions", "weights")


def rotation_about(axis, angle):
    """Rotation about the x, y or z axis as a list of rows."""
    cos, sin = fad.cos(angle), fad.sin(angle)
    j, k = (axis + 1) % 3, (axis + 2) % 3
    rows = [[1.0 if a == b else 0.0 for b in range(3)] for a in range(3)]
    rows[j][j], rows[j][k], rows[k][j], rows[k][k] = cos, -sin, sin, cos
    return rows


def rotation_vector(v):
    """Rotation about a vector by its length as a list of rows; none where it is short."""
    angle = fad.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    if angle < 1e-4:
        return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    n = [a / angle for a in v]
    cos, sin = fad.cos(angle), fad.sin(angle)
    crossed = [[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]]
    return [
        [n[i] * n[j] * (1.0 - cos) + (cos if i == j else 0.0) + crossed[i][j] * sin for j in range(3)] for i in range(3)
    ]


def product(a, b):
    """Of matrices as lists of rows, for as many columns as b has."""
    return [[sum(x * b[k][j] for k, x in enumerate(row)) for j in range(len(b[0]))] for row in a]


def affine(a, b):
    """Product of two affine maps given by their upper three rows."""
    upper = product([row[:3] for row in a], b)
    return [[*row[:3], row[3] + old[3]] for row, old in zip(upper, a)]


def bone_angles(theta):
    """Angles about x, y and z by bone, 0 for those that do not bend: the first bone of a finger also spreads."""
    angles = {}
    at = 6
    for finger in range(FINGERS):
        first = 2 + BONES_OF_FINGER * finger
        angles[first] = (theta[at], theta[at + 1])
        angles[first + 1], angles[first + 2] = (theta[at + 2], 0.0), (theta[at + 3], 0.0)
        at += 4
    return angles


def bones(skeleton, theta):
    """Affine map of each bone from the base pose, as an array (bones, 3, 4)."""
    angles = bone_angles(theta)
    placed, maps = [], []
    for i, parent in enumerate(skeleton.parents):
        relative = skeleton.base_relatives[i][:3].tolist()
        if i in angles:
            about_x, about_z = angles[i]
            turned = product(rotation_about(2, about_z), rotation_about(0, about_x))
            relative = affine(relative, [[*row, 0.0] for row in turned])
        placed.append(relative if parent < 0 else affine(placed[parent], relative))
        maps.append(affine(placed[i], skeleton.inverse_base_absolutes[i][:3].tolist()))
    return fad.array(maps)


def weighted(weights, items):
    """Sum of items by weights, whose first axis theirs is."""
    return sum(weight * item for weight, item in zip(weights, items))


def vertices(skeleton, theta, weights, base):
    """Coordinates x, y and z of vertices: each follows the mean of its bones' maps, then the whole hand moves."""
    maps = bones(skeleton, theta)
    turned = rotation_vector(theta[:3])
    posed = []
    for j in range(3):
        blended = [weighted(weights, maps[:, j, k].ravel()) for k in range(4)]  # of each vertex
        posed.append(weighted(base, blended))
    if skeleton.is_mirrored:
        posed[0] = -posed[0]
    return [sum(a * x for a, x in zip(row, posed)) + shift for row, shift in zip(turned, theta[3:6])]


def errors(skeleton, theta, us, points, weights, base, corners):
    """Given points less those of the hand, at vertices or at places on triangles: x, y and z of the first, ..."""
    result = fad.zeros(points.shape, like=theta)
    for j, x in enumerate(vertices(skeleton, theta, weights, base)):
        place = x[corners[0]]
        if len(corners) == 3:
            u, v = us[:, 0], us[:, 1]
            place = u * place + v * x[corners[1]] + (1.0 - u - v) * x[corners[2]]
        result[:, j] = points[:, j] - place
    return result.ravel()


class Skeleton(NamedTuple):
    parents: list[int]
    base_relatives: np.ndarray
    inverse_base_absolutes: np.ndarray
    is_mirrored: bool


class Hand:
    """The model and the data of a message, as arrays."""

    def __init__(self, data):
        model = data["data"]["model"]
        arrays = {name: np.array(item, float) for name, item in model.items() if name in ARRAYS}
        maps = arrays["base_relatives"], arrays["inverse_base_absolutes"]
        self.skeleton = Skeleton(model["parents"], *maps, model["is_mirrored"])
        self.weights, self.base = arrays["weights"].T.copy(), arrays["base_positions"].T.copy()  # by vertex last
        correspondences = np.array(data["data"]["correspondences"], int)
        self.points = np.array(data["data"]["points"], float)
        self.theta = np.array(data["theta"], float)
        self.us = np.array(data["us"], float).reshape(-1, 2)
        on_triangles = len(self.us) > 0
        self.corners = (
            np.array(model["triangles"], int)[correspondences].T if on_triangles else correspondences.reshape(1, -1)
        )


def objective(data, threads):
    hand = Hand(data)
    args = hand.theta, hand.us, hand.points, hand.weights, hand.base, hand.corners
    return lambda: errors(hand.skeleton, *args)


def jacobian(data, threads):
    """Each point is a scenario with its own corners; its three errors have a gradient each."""
    hand = Hand(data)
    corners = np.arange(len(hand.corners)).reshape(-1, 1)
    points, of = hand.points[:, None, :], hand.corners.T
    us = hand.us[:, None, :] if len(hand.us) else np.zeros((len(points), 1, 0))
    weights, base = (np.moveaxis(array[:, of], 1, 0).copy() for array in (hand.weights, hand.base))
    scenarios = us, points, weights, base

    def one(theta, *data):
        return errors(hand.skeleton, theta, *data, corners)

    program = cache(lambda: fad.record(one, hand.theta, *(array[0] for array in scenarios)))

    def call():
        found = program().batch(hand.theta, *scenarios, axes=(None, 0, 0, 0, 0), wrt=(0, 1), threads=threads)
        by_theta, by_us = found.gradient
        return np.concatenate([by_us.reshape(by_us.shape[0], 3, -1), by_theta], axis=2).reshape(3 * len(points), -1)

    return call
