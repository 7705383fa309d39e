"""Gradient descent as two of the evals prescribe it, so that all tools take the same steps."""

from functools import partial

import fastad as fad

CLOSE = 1e-5
PATIENCE = 10  # steps downhill before the step size is doubled


def forward(jvp, x):
    """Gradient by one direction after the other."""
    return [jvp((x,), ([float(i == j) for j in range(len(x))],))[1] for i in range(len(x))]


# Gradients of functions of a list of numbers, by the letter that the evals use: inside a recording, and of one.
GRADIENTS = {"f": lambda f: partial(forward, partial(fad.jvp, f)), "r": fad.grad}
REPLAYED = {"f": lambda program: partial(forward, program.jvp), "r": lambda program: program.grad}


def length(v):
    return fad.sqrt(sum(x * x for x in v))


def argmin(f, gradient, x):
    """Smallest place of f downhill from x: the step size halves when it goes uphill."""
    value, slope = f(x), gradient(x)
    step, downhill = 1e-5, 0
    while length(slope) > CLOSE:
        if downhill == PATIENCE:
            step, downhill = 2.0 * step, 0
            continue
        new = [a - step * b for a, b in zip(x, slope)]
        if length([a - b for a, b in zip(x, new)]) <= CLOSE:
            break
        new_value = f(new)
        if new_value < value:
            x, value, slope = new, new_value, gradient(new)
            downhill += 1
        else:
            step, downhill = 0.5 * step, 0
    return x


def argmax(f, gradient, x):
    """Largest place of f uphill from x."""
    return argmin(lambda x: -f(x), lambda x: [-slope for slope in gradient(x)], x)
