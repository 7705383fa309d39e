"""The tool of GradBench answers its protocol; small inputs of our own, and oracles that are not fastad."""

import io
import json
import math
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest

from bench.gradbench import protocol

RNG = np.random.default_rng(11)


def ask(module, function, data):
    """One evaluation through the protocol."""
    messages = [
        {"id": 0, "kind": "start", "eval": module},
        {"id": 1, "kind": "define", "module": module},
        {"id": 2, "kind": "evaluate", "module": module, "function": function, "input": data},
        {"id": 3, "kind": "analysis", "of": 2, "valid": True},
    ]
    answers = io.StringIO()
    protocol.serve(map(json.dumps, messages), answers)
    start, define, evaluate, analysis = map(json.loads, answers.getvalue().splitlines())
    assert start["id"] == 0
    assert start["tool"] == "fastad"
    assert define["success"]
    assert analysis == {"id": 3}
    assert evaluate["success"], evaluate["error"]
    if isinstance(data, dict):
        assert len(evaluate["timings"]) >= data.get("min_runs", 1)
    assert all(timing["name"] == "evaluate" and timing["nanoseconds"] > 0 for timing in evaluate["timings"])
    return evaluate["output"]


def complex_step(f, x):
    """Gradient of an analytic f of a flat array."""
    return np.array([f(x + 1e-30j * row).imag for row in np.eye(len(x))]) / 1e-30


def test_evals_are_those_of_the_list():
    folder = Path(protocol.__file__).parent
    assert (folder / "evals.txt").read_text().split() == list(protocol.EVALS)
    assert all((folder / f"{name}.py").exists() for name in protocol.EVALS)


def test_hello():
    assert ask("hello", "square", 3.0) == 9.0
    assert ask("hello", "double", 3.0) == 6.0


def test_runs_are_as_many_and_as_long_as_asked():
    answer = protocol._evaluate(lambda data, threads: lambda: 1.0, {"min_runs": 5, "min_seconds": 0.0}, 1)
    assert len(answer["timings"]) == 5
    answer = protocol._evaluate(lambda data, threads: lambda: 1.0, {"min_runs": 1, "min_seconds": 0.001}, 1)
    assert sum(timing["nanoseconds"] for timing in answer["timings"]) >= 1e6


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"kind": "define", "module": "fft"}, "no module 'fft'"),
        ({"kind": "define", "module": "protocol"}, "no module 'protocol'"),
        ({"kind": "evaluate", "module": "lse", "function": "hessian", "input": {}}, "hessian"),
        ({"kind": "evaluate", "module": "lse", "function": "primal", "input": {}}, "KeyError"),
    ],
)
def test_failures_are_answers(message, words):
    answers = io.StringIO()
    protocol.serve([json.dumps({"id": 7} | message)], answers)
    answer = json.loads(answers.getvalue())
    assert answer["id"] == 7
    assert answer["success"] is False
    assert words in answer["error"]


def test_lse():
    x = RNG.normal(size=9) * 300.0
    weights = np.exp(x - x.max())
    assert ask("lse", "primal", {"x": x.tolist()}) == pytest.approx(x.max() + math.log(weights.sum()), rel=1e-14)
    np.testing.assert_allclose(ask("lse", "gradient", {"x": x.tolist()}), weights / weights.sum(), rtol=1e-13)


def test_llsq():
    x, n = RNG.random(5), 8
    powers = np.vander(-1.0 + np.arange(n) * 2.0 / (n - 1), 5, increasing=True)
    residual = np.sign(powers[:, 1]) - powers @ x
    data = {"x": x.tolist(), "n": n, "min_runs": 3, "min_seconds": 0.0}
    assert ask("llsq", "primal", data) == pytest.approx(0.5 * residual @ residual, rel=1e-13)
    np.testing.assert_allclose(ask("llsq", "gradient", data), -powers.T @ residual, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n", [1, 4, 8])
def test_det(n):
    a = RNG.random((n, n))
    data = {"A": a.ravel().tolist(), "ell": n}
    assert ask("det", "primal", data) == pytest.approx(np.linalg.det(a), rel=1e-10)
    want = np.linalg.det(a) * np.linalg.inv(a).T
    np.testing.assert_allclose(np.reshape(ask("det", "gradient", data), (n, n)), want, rtol=1e-9)


def test_signs_of_expansions():
    """Two rows above the recorded minor: the Leibniz formula on the choice of columns."""
    from bench.gradbench.det import LARGEST, Expansion

    expansion = Expansion(LARGEST + 2)
    for head, left, sign in zip(expansion.chosen.tolist(), expansion.left.tolist(), expansion.signs):
        order = head + left
        inversions = sum(order[i] > order[j] for i in range(len(order)) for j in range(i + 1, len(order)))
        assert sign == (-1.0) ** inversions
    assert len(expansion.chosen) == len(list(permutations(range(LARGEST + 2), 2)))


def test_kmeans():
    """The Newton direction leads from the centroids to the means of their points."""
    points, centroids = RNG.random((30, 3)), RNG.random((3, 3))
    points[:3] = centroids + 0.01
    distances = ((points[:, None] - centroids) ** 2).sum(axis=2)
    of = distances.argmin(axis=1)
    data = {"points": points.tolist(), "centroids": centroids.tolist()}
    assert ask("kmeans", "cost", data) == pytest.approx(distances.min(axis=1).sum(), rel=1e-12)
    want = centroids - [points[of == j].mean(axis=0) for j in range(3)]
    np.testing.assert_allclose(ask("kmeans", "dir", data), want, rtol=1e-9, atol=1e-12)


def test_ode():
    x, s = RNG.random(4), 3

    def last(x, h=2.0 / s):
        def slope(y):
            return np.concatenate([x[:1], x[1:] * y[:-1]])

        y = np.zeros_like(x)
        for _ in range(s):
            k1 = slope(y)
            k2 = slope(y + h * k1 / 2)
            k3 = slope(y + h * k2 / 2)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(y + h * k3))
        return y

    data = {"x": x.tolist(), "s": s}
    np.testing.assert_allclose(ask("ode", "primal", data), last(x), rtol=1e-13)
    np.testing.assert_allclose(
        ask("ode", "gradient", data), complex_step(lambda x: last(x)[-1], x), rtol=1e-12, atol=1e-15
    )


def mixture(parts, d, k, x, m, gamma):
    """Log posterior by matrices, straight from the definition of the densities."""
    alpha, mu, q, lower = np.split(parts, np.cumsum([k, k * d, k * d]))
    mu, q, lower = mu.reshape(k, d), q.reshape(k, d), lower.reshape(k, -1)
    total, density = 0.0, 0.0
    for j in range(k):
        factor = np.diag(np.exp(q[j]))
        factor[np.triu_indices(d, 1)[::-1]] = lower[j]
        away = (x - mu[j]) @ factor.T
        density = density + np.exp(alpha[j] + q[j].sum() - 0.5 * (away * away).sum(axis=1))
        total = total - 0.5 * gamma**2 * (factor * factor).sum() + m * q[j].sum()
    n = d + m + 1
    log_gamma = 0.25 * d * (d - 1) * math.log(math.pi) + sum(math.lgamma((n - i) / 2) for i in range(d))
    constant = k * (n * d * math.log(gamma / math.sqrt(2.0)) - log_gamma)
    norm = len(x) * (0.5 * d * math.log(2.0 * math.pi) + np.log(np.exp(alpha).sum()))
    return total + constant - norm + np.log(density).sum()


def test_gmm():
    d, k, n, m, gamma = 3, 2, 5, 1, 0.8
    sizes = {"alpha": (k,), "mu": (k, d), "q": (k, d), "l": (k, d * (d - 1) // 2)}
    params = {name: RNG.normal(size=size) for name, size in sizes.items()}
    x = RNG.normal(size=(n, d))
    data = {name: array.tolist() for name, array in params.items()} | {
        "d": d, "k": k, "n": n, "x": x.tolist(), "m": m, "gamma": gamma
    }  # fmt: skip
    parts = np.concatenate([array.ravel() for array in params.values()])
    assert ask("gmm", "objective", data) == pytest.approx(mixture(parts, d, k, x, m, gamma), rel=1e-12)
    got = ask("gmm", "jacobian", data)
    assert list(got) == list(sizes)
    flat = np.concatenate([np.ravel(item) for item in got.values()])
    np.testing.assert_allclose(flat, complex_step(lambda p: mixture(p, d, k, x, m, gamma), parts), rtol=1e-10)


def projection(c, feature=(0.3, -0.2)):
    """Rotation by the exponential of a matrix, then the picture; camera, point and weight in one array."""
    from scipy.linalg import expm

    r, centre, f, principal, k, point, weight = c[:3], c[3:6], c[6], c[7:9], c[9:11], c[11:14], c[14]
    generator = np.array([[0.0, -r[2], r[1]], [r[2], 0.0, -r[0]], [-r[1], r[0], 0.0]])
    x = expm(generator) @ (point - centre)
    u = x[:2] / x[2]
    r2 = u @ u
    return weight * (f * u * (1.0 + k[0] * r2 + k[1] * r2 * r2) + principal - feature)


def test_ba():
    c = np.concatenate([[0.2, -0.1, 0.3, 0.5, 0.1, -2.0, 1.5, 0.1, 0.2, 0.05, 0.01], [0.4, 0.3, 1.0], [0.9]])
    data = {"n": 2, "m": 3, "p": 4, "cam": c[:11].tolist(), "x": c[11:14].tolist(), "w": c[14], "feat": [0.3, -0.2]}
    got = ask("ba", "objective", data)
    np.testing.assert_allclose(got["reproj_error"]["elements"], projection(c), rtol=1e-12)
    assert got["w_err"] == {"element": pytest.approx(1.0 - 0.9**2), "repeated": 4}
    assert got["reproj_error"]["repeated"] == 4
    matrix = ask("ba", "jacobian", data)
    step = 1e-6 * np.eye(15)
    slopes = np.stack([(projection(c + h) - projection(c - h)) / 2e-6 for h in step], axis=1)
    np.testing.assert_allclose(matrix["vals"], [*slopes.ravel(), -1.8], rtol=1e-7, atol=1e-7)
    assert matrix["rows"] == [*range(0, 121, 15), 121, 122, 123, 124, 124]
    assert matrix["cols"] == [*range(11), 22, 23, 24, 31, *range(11), 22, 23, 24, 31, 34]


def hand(theta, us, model, corners, points):
    """The whole pose with 4 x 4 matrices and SciPy's rotations."""
    from scipy.spatial.transform import Rotation

    absolute, maps = [], []
    for i, parent in enumerate(model["parents"]):
        turn = np.eye(4)
        if 2 <= i and (i - 2) % 4 < 3:
            finger, joint = divmod(i - 2, 4)
            at = 6 + 4 * finger + (joint + 1 if joint else 0)
            spread = theta[at + 1] if joint == 0 else 0.0
            turn[:3, :3] = Rotation.from_euler("xyz", [theta[at], 0.0, spread]).as_matrix()
        here = np.array(model["base_relatives"][i]) @ turn
        absolute.append(here if parent < 0 else absolute[parent] @ here)
        maps.append(absolute[i] @ np.array(model["inverse_base_absolutes"][i]))
    skinned = np.einsum("vb,bij,vj->vi", model["weights"], np.array(maps), model["base_positions"])[:, :3]
    posed = skinned @ Rotation.from_rotvec(theta[:3]).as_matrix().T + theta[3:6]
    weights = np.column_stack([us, 1.0 - us.sum(axis=1)])
    return (points - np.einsum("pc,pcj->pj", weights, posed[corners])).ravel()


def test_ht():
    bones, count = 22, 6
    matrices = np.tile(np.eye(4), (2, bones, 1, 1))
    matrices[:, :, :3] += 0.1 * RNG.normal(size=(2, bones, 3, 4))
    model = {
        "bone_count": bones,
        "bone_names": [f"bone {i}" for i in range(bones)],
        "parents": [-1, *(max(i - 1, 0) if (i - 2) % 4 else 1 for i in range(1, bones))],
        "base_relatives": matrices[0].tolist(),
        "inverse_base_absolutes": matrices[1].tolist(),
        "base_positions": np.column_stack([RNG.normal(size=(count, 3)), np.ones(count)]).tolist(),
        "weights": RNG.random((count, bones)).tolist(),
        "triangles": [[0, 1, 2], [2, 4, 5]],
        "is_mirrored": False,
    }
    theta, us, points = 0.3 * RNG.normal(size=26), RNG.random((3, 2)), RNG.normal(size=(3, 3))
    correspondences = [1, 0, 1]
    data = {
        "theta": theta.tolist(),
        "us": us.tolist(),
        "data": {"model": model, "correspondences": correspondences, "points": points.tolist()},
    }
    corners = np.array(model["triangles"])[correspondences]

    def f(theta, us):
        return hand(theta, us, model, corners, points)

    np.testing.assert_allclose(ask("ht", "objective", data), f(theta, us), rtol=1e-11)
    h = 1e-6
    by_theta = np.stack([(f(theta + e, us) - f(theta - e, us)) / (2 * h) for e in h * np.eye(26)], axis=1)
    step = np.zeros((3, 2))
    by_us = []
    for i in range(2):
        step[:] = h * np.eye(2)[i]
        by_us.append((f(theta, us + step) - f(theta, us - step)) / (2 * h))
    np.testing.assert_allclose(ask("ht", "jacobian", data), np.column_stack([*by_us, by_theta]), rtol=1e-6, atol=1e-8)
    simple = data | {"us": []}
    at_vertices = hand(theta, np.eye(3)[:, :2][[0, 0, 0]], model, np.array([[1] * 3, [0] * 3, [1] * 3]), points)
    np.testing.assert_allclose(ask("ht", "objective", simple), at_vertices, rtol=1e-11)
    assert np.shape(ask("ht", "jacobian", simple)) == (9, 26)


def lstm_loss(main, extra, state, sequence):
    layers, total = len(main) // 2, 0.0
    hidden, cell = list(state[0::2]), list(state[1::2])
    for now, after in pairwise(sequence):
        x = now * extra[0]
        for k in range(layers):
            (f, i, o, c), (bf, bi, bo, bc) = np.split(main[2 * k], 4), np.split(main[2 * k + 1], 4)
            forget, out = (1.0 / (1.0 + np.exp(-(x * w + b))) for w, b in ((f, bf), (o, bo)))
            into = 1.0 / (1.0 + np.exp(-(hidden[k] * i + bi)))
            cell[k] = cell[k] * forget + into * np.tanh(hidden[k] * c + bc)
            x = hidden[k] = out * np.tanh(cell[k])
        y = x * extra[1] + extra[2]
        total = total + (after * (y - np.log(np.exp(y).sum() + 2.0))).sum()
    return -total / ((len(sequence) - 1) * extra.shape[1])


def test_lstm():
    layers, size = 2, 3
    main, extra = RNG.random((2 * layers, 4 * size)), RNG.random((3, size))
    state, sequence = RNG.random((2 * layers, size)), RNG.integers(0, 2, (5, size)).astype(float)
    names = ("main_params", "extra_params", "state", "sequence")
    data = {name: array.tolist() for name, array in zip(names, (main, extra, state, sequence))}
    data |= {"min_runs": 2, "min_seconds": 0.0}
    assert ask("lstm", "objective", data) == pytest.approx(lstm_loss(main, extra, state, sequence), rel=1e-13)

    def of_flat(p):
        return lstm_loss(p[: main.size].reshape(main.shape), p[main.size :].reshape(extra.shape), state, sequence)

    want = complex_step(of_flat, np.concatenate([main.ravel(), extra.ravel()]))
    np.testing.assert_allclose(ask("lstm", "jacobian", data), want, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("modes", ["ff", "rr"])
def test_descents(modes):
    """The saddle is at the origin; the particle hits it. GradBench publishes the digits that its descent leads to."""
    assert ask("saddle", modes, {"start": [1.0, 1.0]}) == pytest.approx([8.246324826140356e-06] * 4, rel=1e-9)
    assert ask("particle", modes, {"w": 0.0}) == pytest.approx(0.2071918746486116, rel=1e-9)
