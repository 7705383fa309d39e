"""Gradient descent on a million parameters: one reverse sweep gives all of them.

A string of points pulled to a parabola, each point to the next by a spring:
sum (x_i - t_i)**2 + 4 sum (x_{i+1} - x_i)**2. The Program is recorded once, eight million rows; the gradient by one
sweep is compared with the derivative written by hand.
"""

from time import perf_counter

import numpy as np
from picture import folder, save

import fastad as fad

N, STEPS, RATE = 1_000_000, 20, 0.05


def target(n):
    t = np.linspace(-1.0, 1.0, n)
    return t * t + 0.3 * np.sin(40.0 * t)


def energy(x, t):
    pull, spring = x - t, x[1:] - x[:-1]
    return (pull * pull).sum() + 4.0 * (spring * spring).sum()


def by_hand(x, t):
    spring = 8.0 * np.diff(x)
    gradient = 2.0 * (x - t)
    gradient[1:] += spring
    gradient[:-1] -= spring
    return gradient


def main(n=N):
    pictures = folder(__doc__)
    t = target(n)
    x = np.zeros(n)
    begun = perf_counter()
    program = fad.record(energy, x, t)
    recorded = perf_counter() - begun
    history, lines = [], []
    begun = perf_counter()
    for _ in range(STEPS):
        value, gradient = program.value_and_grad(x, t)
        history.append(value)
        x = x - RATE * gradient
    each = (perf_counter() - begun) / STEPS
    error = abs(gradient - by_hand(x + RATE * gradient, t)).max() / abs(gradient).max()
    lines = [["parameters", str(n)], ["rows", str(program.variants[0].rows)], ["recorded in", f"{recorded:.2f} s"]]
    lines += [["value and gradient", f"{each:.3f} s"], ["energy before", f"{history[0]:.6g}"]]
    lines += [["energy after", f"{history[-1]:.6g}"], ["off the derivative by hand", f"{error:.1e}"]]
    print(fad.inspect.Table(["", " "], lines))

    def draw(axes):
        axes.semilogy(history, "o-")
        axes.set(xlabel="step", ylabel="energy", title=f"gradient descent, {n} parameters")

    if pictures:
        save(pictures / "million_parameters.svg", draw)
    return error


if __name__ == "__main__":
    main()
