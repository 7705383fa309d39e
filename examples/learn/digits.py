"""Backpropagation is reverse mode: a small network learns to read handwritten digits by gradients of a Program.

scikit-learn's 1,797 digits of 8 x 8 pixels, one hidden layer of 32 units, softmax, Nesterov's momentum. The loss of
one picture is recorded once; a batch of pictures is a batch of scenarios. Where PyTorch is installed, the first
gradient is compared with its.
"""

import numpy as np
from picture import folder, save
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastad as fad

HIDDEN, CLASSES, RATE, MOMENTUM, EPOCHS, BATCH = 32, 10, 0.1, 0.9, 30, 64


def loss(p, pixels, label):
    """Cross entropy of one picture; ``label`` is 1 at its digit and 0 elsewhere."""
    hidden = [fad.tanh((row * pixels).sum() + b) for row, b in zip(p["w1"], p["b1"])]
    hidden = fad.stack(hidden)
    scores = fad.stack([(row * hidden).sum() + b for row, b in zip(p["w2"], p["b2"])])
    return fad.log(fad.exp(scores).sum()) - (scores * label).sum()


def scores(p, pixels):
    return np.tanh(pixels @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"]


def data():
    digits = load_digits()
    pixels, labels = digits.data / 16.0, np.eye(CLASSES)[digits.target]
    return train_test_split(pixels, labels, test_size=0.25, random_state=0, stratify=digits.target)


def start():
    rng = np.random.default_rng(0)
    return {
        "w1": rng.normal(0.0, 64**-0.5, (HIDDEN, 64)),
        "b1": np.zeros(HIDDEN),
        "w2": rng.normal(0.0, HIDDEN**-0.5, (CLASSES, HIDDEN)),
        "b2": np.zeros(CLASSES),
    }


def accuracy(p, pixels, labels):
    return float((scores(p, pixels).argmax(axis=1) == labels.argmax(axis=1)).mean())


def compare_with_torch(p, gradient, pixels, labels):
    """Largest difference from PyTorch's gradient of the same mean loss; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    q = {name: torch.tensor(array, requires_grad=True) for name, array in p.items()}
    hidden = torch.tanh(torch.tensor(pixels) @ q["w1"].T + q["b1"])
    out = hidden @ q["w2"].T + q["b2"]
    torch.nn.functional.cross_entropy(out, torch.tensor(labels)).backward()
    return max(float(abs(q[name].grad.numpy() - gradient[name]).max()) for name in p)


def main():
    pictures = folder(__doc__)
    x, x_test, y, y_test = data()
    p = start()
    program = fad.record(loss, p, x[0], y[0])
    print(f"the loss of one picture is {program.variants[0].rows} rows")
    velocity = {name: np.zeros_like(array) for name, array in p.items()}
    order, rng, history = np.arange(len(x)), np.random.default_rng(1), []
    for epoch in range(EPOCHS):
        rng.shuffle(order)
        total = 0.0
        for at in np.array_split(order, len(x) // BATCH):
            ahead = {name: p[name] + MOMENTUM * velocity[name] for name in p}
            result = program.batch(ahead, x[at], y[at], axes=(None, 0, 0), wrt=0, reduce="mean")
            if epoch == total == 0:
                difference = compare_with_torch(ahead, result.gradient, x[at], y[at])
                told = "PyTorch is not installed" if difference is None else f"off PyTorch's by {difference:.1e}"
                print(f"first gradient, {sum(a.size for a in p.values())} parameters: {told}")
            for name in p:
                velocity[name] = MOMENTUM * velocity[name] - RATE * result.gradient[name]
                p[name] = p[name] + velocity[name]
            total += result.value * len(at)
        history.append((total / len(x), accuracy(p, x, y), accuracy(p, x_test, y_test)))
    lines = [[str(e + 1), *(f"{h:.4f}" for h in history[e])] for e in (0, 1, 4, 9, EPOCHS - 1)]
    print(fad.inspect.Table(["epoch", "loss", "training accuracy", "test accuracy"], lines))

    def draw(axes):
        axes.plot([1.0 - h[1] for h in history], label="training error")
        axes.plot([1.0 - h[2] for h in history], label="test error")
        axes.set(xlabel="epoch", yscale="log", title="digits, 64-32-10 network")
        axes.legend()

    if pictures:
        save(pictures / "digits.svg", draw)
    return history[-1][2]


if __name__ == "__main__":
    main()
