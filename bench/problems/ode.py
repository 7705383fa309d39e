"""GradBench's ode: gradient of the last component of a Runge-Kutta solution by all parameters."""

import numpy as np

from ..core import Problem
from ..oracles import Case, differs

END = 2.0


def slope(np, x, y):
    return np.concatenate([x[:1], x[1:] * y[:-1]])


def step(np, x, y, h):
    k1 = slope(np, x, y)
    k2 = slope(np, x, y + (0.5 * h) * k1)
    k3 = slope(np, x, y + (0.5 * h) * k2)
    k4 = slope(np, x, y + h * k3)
    return y + (h / 6.0) * (k1 + 2.0 * (k2 + k3) + k4)


def objective(np, params, constants):
    """For any tool with NumPy's functions."""
    (x,), (start, steps) = params, constants
    y = start
    for _ in range(steps):
        y = step(np, x, y, END / steps)
    return y[-1]


def known(case):
    """Adjoints by hand, from stored states."""
    (x,), (start, steps) = case
    h, states = END / steps, [start]
    for _ in range(steps):
        states.append(step(np, x, states[-1], h))
    x_bar, y_bar = np.zeros_like(x), np.zeros_like(x)
    y_bar[-1] = 1.0
    for y in reversed(states[:-1]):
        stages = [y]
        for weight in (0.5, 0.5, 1.0):
            stages.append(y + (weight * h) * slope(np, x, stages[-1]))
        later = np.zeros_like(x)  # adjoint of the stage after, by the slope that it is made of
        new = y_bar.copy()
        for weight, following, stage in zip((1.0, 2.0, 2.0, 1.0), (0.0, 1.0, 0.5, 0.5), reversed(stages)):
            k_bar = (h * weight / 6.0) * y_bar + (following * h) * later
            x_bar[0] += k_bar[0]
            x_bar[1:] += k_bar[1:] * stage[:-1]
            later = np.append(k_bar[1:] * x[1:], 0.0)
            new += later
        y_bar = new
    return (x_bar,)


def cases(quick):
    # GradBench's sizes have gradients of zeros: a step reaches four components. The quick one tells right from wrong.
    sizes = ((10, 3),) if quick else ((1_000, 10), (10_000, 100))
    generator = np.random.default_rng(4)
    return {f"n = {n:,}, {s} steps": Case((0.5 + generator.random(n),), (np.zeros(n), s)) for n, s in sizes}


def check(case, answer):
    """Components far from the last one do not reach it in few steps: their derivatives are zeros, all must be."""
    want = known(case)[0]
    return differs("gradient", answer[0], want, 1e-10)


PROBLEM = Problem(
    name="ode",
    section="arrays",
    title="gradient through Runge-Kutta steps",
    cases=cases,
    check=check,
    baseline="numpy",
)
