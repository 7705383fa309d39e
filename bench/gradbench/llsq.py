"""Least squares fit of a polynomial to the sign function: the points are scenarios of one recording."""

from functools import cache

import numpy as np

import fastad as fad


def half_square(x, t, s):
    """Of the residual at one point, the polynomial by Horner's rule."""
    p = x[-1]
    for i in range(len(x) - 2, -1, -1):
        p = p * t + x[i]
    residual = s - p
    return 0.5 * (residual * residual)


def prepared(data):
    x = np.array(data["x"], float)
    t = np.linspace(-1.0, 1.0, data["n"])
    s = np.sign(t)
    program = cache(lambda: fad.record(half_square, x, t[0], s[0]))
    return program, x, t, s


def primal(data, threads):
    program, *args = prepared(data)
    return lambda: program().batch(*args, axes=(None, 0, 0), wrt=None, reduce="sum", threads=threads).value


def gradient(data, threads):
    program, *args = prepared(data)
    return lambda: program().batch(*args, axes=(None, 0, 0), wrt=0, reduce="sum", threads=threads).gradient
