"""Sum of squared distances to the nearest centroid, and the Newton direction that lowers it."""

from functools import cache

import numpy as np

import fastad as fad


def nearest(points, centroids):
    """Number of the nearest centroid of each point."""
    squares = (centroids**2).sum(axis=1) - 2.0 * (points @ centroids.T)  # but for the square of the point
    return squares.argmin(axis=1)


def square(point, centroid):
    away = point - centroid
    return (away * away).sum()


def both_derivatives(point, centroid):
    """Gradient and diagonal of the Hessian, which is all of it, of one point's cost by its centroid."""
    return fad.jvp(lambda c: fad.grad(square, argnums=1)(point, c), (centroid,), (np.ones(len(centroid)),))


def prepared(data):
    return np.array(data["points"], float), np.array(data["centroids"], float)


def cost(data, threads):
    points, centroids = prepared(data)

    def call():
        away = points - centroids[nearest(points, centroids)]
        return (away * away).sum()

    return call


def dir(data, threads):  # the name is GradBench's
    """The derivatives of the points, replayed side by side, are added up by centroid."""
    points, centroids = prepared(data)
    program = cache(lambda: fad.record(both_derivatives, points[0], centroids[0]))

    def call():
        of = nearest(points, centroids)
        first, second = program().batch(points, centroids[of], wrt=None, threads=threads).value
        elements = of[:, None] * centroids.shape[1] + np.arange(centroids.shape[1])
        return added(elements, first, centroids) / added(elements, second, centroids)

    return call


def added(elements, values, like):
    """Sums of the values of each element; np.add.at takes ten times as long."""
    return np.bincount(elements.ravel(), values.ravel(), like.size).reshape(like.shape)
