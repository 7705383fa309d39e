"""Scenarios 64 side by side through BLOCK rows: the bits of one scenario at a time, and what is not plain."""

from unittest import mock

import numpy as np
import pytest

import fastad as fad
from fastad.program import by_blocks, point_by_point

SIZE = 4
EYE = np.eye(SIZE)


def scaled(a, b):
    """Rows before the blocks: of elementwise operations, a choice, a table."""
    s = fad.where(b[0] > 0.1, b[1] * b[0], fad.sin(b[2])) + fad.interp(b[3], [-1.0, 0.0, 1.0], [1.0, b[0], 2.0])
    return a * fad.exp(0.1 * s) + 3.0 * EYE, b * s


def positive(a):
    return a @ a.T + EYE


def doubled(x):
    return fad.array([2.0 * x[0] * x[1], x[1] * x[1]])


def vjp_of_doubled(x, y, bar):
    return (np.array([2.0 * x[1] * bar[0], 2.0 * x[0] * bar[0] + 2.0 * x[1] * bar[1]]),)


product = fad.custom(doubled, vjp=vjp_of_doubled)

CASES = {
    "solve a vector": lambda a, b: np.linalg.solve(a, b).sum() * b[0],
    "solve a matrix": lambda a, b: (np.linalg.solve(a, a.T * b[0]) * a).sum(),
    "solve passive": lambda a, b: np.linalg.solve(3.0 * EYE, b)[2] * a[0, 1],
    "inv": lambda a, b: fad.sin(np.linalg.inv(a)).sum() * b[1],
    "det": lambda a, b: np.linalg.det(a) * b[0],
    "slogdet": lambda a, b: np.linalg.slogdet(a)[1] * b[2] + np.linalg.slogdet(a)[0],
    "cholesky": lambda a, b: (np.linalg.cholesky(positive(a)) @ b).sum() + b[0],
    "qr": lambda a, b: (np.linalg.qr(a)[1] * a).sum(),
    "eigh": lambda a, b: np.linalg.eigh(positive(a))[0][1] * b[3],
    "qr of a tall matrix": lambda a, b: (np.linalg.qr(a[:, :2])[0] * a[:, 1:3]).sum() + np.linalg.qr(a[:, :2])[1][0, 1],
    "eigenvectors": lambda a, b: (np.linalg.eigh(positive(a))[1] ** 2 @ b)[1] + np.linalg.eigh(positive(a))[0][0],
    "det of a singular matrix": lambda a, b: np.linalg.det(a * np.outer([1.0, 1.0, 0.0, 1.0], np.ones(4))) + b[1],
    "det of a larger matrix": lambda a, b: np.linalg.det(np.kron(a[:3, :3], positive(a)[:3, :3])) * b[0],
    "lstsq": lambda a, b: np.linalg.lstsq(a[:, :2], b, rcond=None)[0].sum(),
    "product": lambda a, b: (np.outer(np.tile(b, 5), np.tile(a[0], 5)) @ np.outer(np.tile(b, 5), np.ones(20))).sum(),
    "custom": lambda a, b: product(b[:2] * a[0, 0]).sum() * b[3],
    "one after the other": lambda a, b: np.linalg.inv(positive(np.linalg.inv(a)))[0, 1] * np.linalg.solve(a, b)[0],
}


def scenarios(n):
    rng = np.random.default_rng(17)
    return rng.normal(size=(n, SIZE, SIZE)), rng.uniform(-1.0, 1.0, (n, SIZE))


def with_rows(f):
    return lambda a, b: f(*scaled(a, b)) * 2.0 + fad.exp(b[0])


@pytest.mark.parametrize("name", CASES)
def test_bits_of_one_scenario_at_a_time(name):
    """Two full groups and a part of one; nothing here has to go scenario by scenario."""
    f = with_rows(CASES[name])
    a, b = scenarios(130)
    program = fad.record(f, a[0], b[0])
    with mock.patch.object(point_by_point, "run", side_effect=AssertionError("scenario by scenario")):
        batch = program.batch(a, b, axes=0, wrt=(0, 1), threads=1)
        total = program.batch(a, b, axes=0, wrt=(0, 1), reduce="sum", threads=2)
    single = fad.value_and_grad(f, (0, 1))
    for i in (0, 1, 63, 64, 100, 128, 129):
        value, gradient = single(a[i], b[i])
        assert batch.value[i] == value
        for found, wanted in zip(batch.gradient, gradient):
            assert found[i].tobytes() == wanted.tobytes()
    for found, each in zip(total.gradient, batch.gradient):
        np.testing.assert_allclose(found, each.sum(axis=0), rtol=1e-11, atol=1e-11 * np.abs(each).sum())
    again = program.batch(a, b, axes=0, wrt=(0, 1), threads=2)
    assert all(x.tobytes() == y.tobytes() for x, y in zip(batch.gradient, again.gradient))


def test_gradients_against_finite_differences():
    """An oracle that is not fastad, for rules on stacks of arrays."""

    def f(a, b, linalg):
        s = np.cos(b[0]) * a + 4.0 * EYE
        lower = linalg.cholesky(s @ s.T)
        return (linalg.solve(s, b) * lower[3]).sum() + linalg.slogdet(s)[1] * linalg.inv(s)[1, 2]

    a, b = scenarios(70)
    batch = fad.record(lambda a, b: f(a, b, np.linalg), a[0], b[0]).batch(a, b, axes=0, wrt=(0, 1))
    h = 1e-6
    for i in (0, 69):
        for at in np.ndindex(SIZE, SIZE):
            step = np.zeros((SIZE, SIZE))
            step[at] = h
            slope = (f(a[i] + step, b[i], np.linalg) - f(a[i] - step, b[i], np.linalg)) / (2.0 * h)
            assert batch.gradient[0][i][at] == pytest.approx(slope, abs=2e-8)


def test_arguments_that_are_the_same_in_all_scenarios():
    a, b = scenarios(70)
    f = lambda a, b, k: np.linalg.solve(a + 5.0 * EYE, b)[0] * k  # noqa: E731
    batch = fad.record(f, a[0], b[0], 2.0).batch(a[0], b, 3.0, axes=(None, 0, None), wrt=(0, 2), reduce="mean")
    inverse = np.linalg.inv(a[0] + 5.0 * EYE)
    np.testing.assert_allclose(batch.value, 3.0 * (b @ inverse.T)[:, 0].mean(), rtol=1e-12)
    x = b @ inverse.T
    np.testing.assert_allclose(batch.gradient[0], -3.0 * np.outer(inverse[0], x.mean(axis=0)), rtol=1e-10)
    np.testing.assert_allclose(batch.gradient[1], x[:, 0].mean(), rtol=1e-12)


def test_large_recordings_go_scenario_by_scenario():
    a, b = scenarios(70)
    f = with_rows(CASES["cholesky"])
    program = fad.record(f, a[0], b[0])
    beside = program.batch(a, b, axes=0, wrt=(0, 1))
    with mock.patch.object(by_blocks, "MOST_ROWS", 10):
        one_by_one = program.batch(a, b, axes=0, wrt=(0, 1))
    assert all(x.tobytes() == y.tobytes() for x, y in zip(beside.gradient, one_by_one.gradient))


def test_a_singular_matrix_is_named():
    a, b = scenarios(200)
    program = fad.record(lambda a, b: np.linalg.solve(a, b).sum(), a[0], b[0])
    a[137] = 0.0
    with pytest.raises(np.linalg.LinAlgError) as caught:
        program.batch(a, b, axes=0)
    assert any("scenario 137" in note for note in caught.value.__notes__)


def test_branches_around_blocks():
    """A matrix that may not be inverted where the branch is another one."""

    def f(a, b):
        if b[0] > 0.0:
            return np.linalg.inv(a)[0, 0] * b[1]
        return a.sum() * b[1]

    a, b = scenarios(150)
    a[b[:, 0] <= 0.0] = 0.0
    program = fad.record(f, a[np.argmax(b[:, 0])], b[np.argmax(b[:, 0])])
    batch = program.batch(a, b, axes=0, wrt=(0, 1))
    single = fad.value_and_grad(f, (0, 1))
    for i in range(150):
        value, gradient = single(a[i], b[i])
        assert batch.value[i] == value
        assert all(np.array_equal(x[i], y) for x, y in zip(batch.gradient, gradient))
    assert len(program.variants) == 2


def test_guards_that_are_disregarded():
    """Every scenario takes the branch that was recorded."""
    f = lambda a, b: np.linalg.inv(a)[0, 0] * (b[1] if b[0] > 0.0 else 7.0) * (b[2] if b[3] > 0.0 else 7.0)  # noqa: E731
    a, b = scenarios(100)
    program = fad.record(f, a[0], np.abs(b[0]))
    program.on_divergence = "ignore"
    batch = program.batch(a, b, axes=0, wrt=1)
    np.testing.assert_allclose(batch.value, np.linalg.inv(a)[:, 0, 0] * b[:, 1] * b[:, 2], rtol=1e-12)
    np.testing.assert_allclose(batch.gradient[:, 1], np.linalg.inv(a)[:, 0, 0] * b[:, 2], rtol=1e-12)


def test_an_infinite_partial_in_one_scenario():
    """Its group goes scenario by scenario, under the rule that a product with an exactly zero factor is zero."""

    def f(a, b):
        return np.linalg.inv(a)[0, 0] * fad.where(b[0] > 0.0, fad.sqrt(b[0]), 0.0)

    a, b = scenarios(130)
    b = np.abs(b) + 0.1
    b[70, 0] = 0.0
    batch = fad.record(f, a[0], b[0]).batch(a, b, axes=0, wrt=(0, 1))
    assert not any(np.isnan(g).any() for g in batch.gradient)
    for i in (3, 69, 70, 129):
        assert all(np.array_equal(x[i], y) for x, y in zip(batch.gradient, fad.grad(f, (0, 1))(a[i], b[i])))


@pytest.mark.parametrize("antithetic", [False, True])
def test_correlated_paths(antithetic):
    """Cholesky's factor of a correlation that is a parameter; on the same numbers, NumPy and its bumps."""

    def basket(p, z, fad=fad):
        rho = p["rho"]
        matrix = fad.array([[1.0, rho, 0.2], [rho, 1.0, rho * rho], [0.2, rho * rho, 1.0]])
        x = np.linalg.cholesky(matrix) @ z
        return fad.maximum((p["spot"] * fad.exp(p["vol"] * x)).sum() - 3.0, 0.0)

    params = {"rho": 0.4, "spot": 1.0, "vol": 0.3}
    run = {"normals": 3, "paths": 5_000, "seed": 3, "antithetic": antithetic, "find_jumps": False}
    result = fad.monte_carlo(basket, params, compare_with_bump=True, **run)
    assert abs(result.bump_scores["rho"]) < 0.1
    for name in params:
        assert result.gradient[name] == pytest.approx(result.bumped[name], rel=1e-3)
    per_path = fad.monte_carlo(basket, params, per_path=True, **run)
    assert per_path.path_values.mean() == pytest.approx(result.value, rel=1e-12)
    assert per_path.path_gradients["rho"].mean() == pytest.approx(result.gradient["rho"], rel=1e-10)
