"""Forward needs a sweep per input, reverse one per output: where do they cross?

f maps n inputs to m = 64 - n outputs over the same number of products. Counted multiplications, and measured times
of both modes. The counts cross where n = m; the times a little behind it, a seed being dearer than a direction.
"""

from time import perf_counter

import numpy as np
from picture import folder, save

import fastad as fad

TOTAL = 64


def f(x, m):
    """m outputs, each a product over all n inputs: about n m rows."""
    outputs = []
    for j in range(m):
        y = x[0] + float(j)
        for x_i in x[1:]:
            y = y * x_i
        outputs.append(y)
    return fad.stack(outputs)


def seconds(mode, tape, y, n, m):
    best = np.inf
    for _ in range(5):
        start = perf_counter()
        tape.forward(y, np.eye(n)) if mode == "forward" else tape.reverse(y, np.eye(m))
        best = min(best, perf_counter() - start)
    return best


def main():
    pictures = folder(__doc__)
    sizes, lines, counts, times = [2, 8, 16, 24, 32, 40, 48, 56, 62], [], [], []
    for n in sizes:
        m = TOTAL - n
        tape = fad.Tape()
        y = f(tape.inputs(np.full(n, 1.01)), m)
        modes = fad.inspect.modes(tape, y)
        counts.append((modes.multiplications["forward"], modes.multiplications["reverse"]))
        times.append(tuple(seconds(mode, tape, y, n, m) for mode in ("forward", "reverse")))
        best = "either" if n == m else modes.recommended
        lines.append([str(n), str(m), *map(str, counts[-1]), *(f"{1e6 * t:.0f}" for t in times[-1]), best])
    head = ["inputs", "outputs", "forward", "reverse", "us forward", "us reverse", "fewer multiplications"]
    print(fad.inspect.Table(head, lines))

    def draw(axes):
        for k, (mode, mark) in enumerate((("forward", "o"), ("reverse", "s"))):
            axes.plot(sizes, [count[k] for count in counts], f"{mark}-", label=f"{mode}, multiplications")
        axes.axvline(TOTAL / 2, color="black", linestyle=":", label="as many inputs as outputs")
        axes.set(xlabel=f"inputs n, of n + m = {TOTAL}", ylabel="multiplications", title="which mode?")
        axes.legend()

    if pictures:
        save(pictures / "which_mode.svg", draw)


if __name__ == "__main__":
    main()
