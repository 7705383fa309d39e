"""Saddle point: a minimum by gradient descent of a maximum by gradient ascent, derivatives in either mode at both."""

from functools import cache, partial

import fastad as fad

from .descent import GRADIENTS, REPLAYED, argmax, argmin


def f(x, y):
    return (x[0] * x[0] + x[1] * x[1]) - (y[0] * y[0] + y[1] * y[1])


def highest(x, start, gradient):
    """Where f is largest in y."""
    of_y = partial(f, x)
    return argmax(of_y, gradient(of_y), start)


def saddle(outer, inner, data, threads):
    """The inner ascent is recorded, and replayed at the places that the outer descent comes to."""
    start = [float(s) for s in data["start"]]

    def worst(x):
        return f(x, highest(x, start, GRADIENTS[inner]))

    program = cache(lambda: fad.record(worst, start))

    def call():
        x = argmin(program(), REPLAYED[outer](program()), start)
        return [*x, *highest(x, start, GRADIENTS[outer])]

    return call


ff, fr, rf, rr = (partial(saddle, outer, inner) for outer in "fr" for inner in "fr")
