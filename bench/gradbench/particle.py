"""Place of a charge that makes a particle hit the origin: descent through an Euler method whose force is a gradient."""

from functools import cache, partial

import fastad as fad

from .descent import GRADIENTS, REPLAYED, argmin

STEP = 0.1


def potential(charges, x):
    return sum(1.0 / fad.sqrt((x[0] - a) * (x[0] - a) + (x[1] - b) * (x[1] - b)) for a, b in charges)


def squared_miss(w, gradient):
    """Square of where the particle crosses the axis, between the last two steps of Euler's method."""
    charges = [(10.0, 10.0 - w[0]), (10.0, 0.0)]
    field = gradient(partial(potential, charges))
    x, velocity = [0.0, 8.0], [0.75, 0.0]
    while True:
        force = [-slope for slope in field(x)]
        x = [a + STEP * v for a, v in zip(x, velocity)]
        if x[1] <= 0.0:
            crossing = x[0] - x[1] / velocity[1] * velocity[0]
            return crossing * crossing
        velocity = [v + STEP * a for v, a in zip(velocity, force)]


def particle(outer, inner, data, threads):
    """The path is recorded once for each number of steps that it takes, and replayed at other w."""
    start = [float(data["w"])]
    program = cache(lambda: fad.record(partial(squared_miss, gradient=GRADIENTS[inner]), start))
    return lambda: argmin(program(), REPLAYED[outer](program()), start)[0]


ff, fr, rf, rr = (partial(particle, outer, inner) for outer in "fr" for inner in "fr")
