"""Why forward mode wastes work on a function of many inputs: the sum of squares of n of them.

In direction k every row but those of x_k has tangent 0 until the sums begin, and yet each is multiplied. The table
counts the multiplications of n forward sweeps, how many of them had a zero factor, and those of one reverse sweep
(Watt, Borhani & Katsaggelos, Machine Learning Refined, 3.9).
"""

import numpy as np
from picture import folder, save

import fastad as fad


def f(x):
    return (x * x).sum()


def count(n):
    """Multiplications of forward mode, those with a zero tangent, those of reverse mode."""
    tape = fad.Tape()
    y = f(tape.inputs(np.ones(n)))
    forward = zeros = 0
    for k in range(n):
        tangent = fad.inspect.trace(tape, y, direction=np.eye(n)[k]).tangent
        for arg in (tape.arg0, tape.arg1):
            used = arg[arg >= 0]
            forward += used.size
            zeros += int((tangent[used] == 0.0).sum())
    return forward, zeros, fad.inspect.modes(tape, y).multiplications["reverse"]


def main():
    pictures = folder(__doc__)
    sizes = [2, 4, 8, 16, 32, 64, 128]
    rows = [count(n) for n in sizes]
    lines = [[str(n), str(f), str(z), f"{100 * z / f:.0f} %", str(r)] for n, (f, z, r) in zip(sizes, rows)]
    print(fad.inspect.Table(["inputs", "forward", "with a zero", "wasted", "reverse"], lines))

    def draw(axes):
        axes.loglog(sizes, [f for f, _, _ in rows], "o-", label="forward, n sweeps")
        axes.loglog(sizes, [z for _, z, _ in rows], "x--", label="of them with a zero tangent")
        axes.loglog(sizes, [r for _, _, r in rows], "s-", label="reverse, one sweep")
        axes.set(xlabel="inputs n", ylabel="multiplications", title="sum of squares of n inputs")
        axes.legend()

    if pictures:
        save(pictures / "wasted_zeros.svg", draw)


if __name__ == "__main__":
    main()
