"""Dual numbers: x + x' e with e * e = 0 carry a first derivative along, and duals of duals a second one.

No tape: every operation makes value and derivative at once. Beside them, the error of difference quotients, which
fall into truncation on one side and into rounding on the other.
"""

import numpy as np
from picture import folder, save

import fastad as fad


def f(x):
    return fad.exp(x) / fad.sqrt(fad.sin(x) ** 3 + fad.cos(x) ** 3)


def main():
    pictures = folder(__doc__)
    x = 1.5
    first = f(fad.Dual(x, 1.0))
    inner = fad.Dual(x, 1.0)  # level 1 inside of level 2: the derivative of the derivative
    second = f(fad.Dual(inner, 1.0, level=2))
    print(f"f({x})   = {first.value:.15g}")
    print(f"f'({x})  = {first.tangent[0]:.15g}")
    print(f"f''({x}) = {second.tangent[0].tangent[0]:.15g}\n")

    steps = 10.0 ** -np.arange(1.0, 16.0)
    exact = first.tangent[0]
    forward = np.array([(f(x + h) - f(x)) / h for h in steps])
    central = np.array([(f(x + h) - f(x - h)) / (2.0 * h) for h in steps])
    lines = [[f"{h:.0e}", f"{abs(a - exact):.1e}", f"{abs(b - exact):.1e}"] for h, a, b in zip(steps, forward, central)]
    print(fad.inspect.Table(["step", "error, one-sided", "error, central"], lines, "f' by difference quotients"))

    def draw(axes):
        axes.loglog(steps, abs(forward - exact), "o-", label="one-sided")
        axes.loglog(steps, abs(central - exact), "s-", label="central")
        axes.axhline(2e-16 * abs(exact), color="black", linestyle="--", label="dual number: rounding")
        axes.set(xlabel="step", ylabel="error of f'", title="difference quotients never get there")
        axes.legend()

    if pictures:
        save(pictures / "dual_numbers.svg", draw)


if __name__ == "__main__":
    main()
