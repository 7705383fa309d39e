"""Lookup tables: every scenario finds its own place, adjoints go to the elements it picked."""

import math
from functools import partial

import numpy as np
import pytest

import fastad as fad
from bench.problems import local_vol
from fastad.errors import ShapeError, TapeError
from fastad.montecarlo.decisions import decisions_of
from fastad.program.plan import spacing_of
from fastad.record.lookup import _locate

XP = np.array([0.0, 1.0, 2.5, 4.0])
FP = np.array([1.0, 3.0, 2.0, 5.0])


def weighted(x, fp, w):
    return fad.interp(x * w, XP, fp) * x


def slopes_by_hand(x):
    """Right cell at a knot, 0 outside and at the last knot."""
    if x < XP[0] or x >= XP[-1]:
        return 0.0
    cell = int(np.searchsorted(XP, x, side="right")) - 1
    return (FP[cell + 1] - FP[cell]) / (XP[cell + 1] - XP[cell])


@pytest.mark.parametrize("x", [-1.0, 0.0, 0.3, 1.0, 1.7, 2.5, 3.9, 4.0, 7.0])
def test_interp_in_every_consumer(x):
    """Values against NumPy; slopes by hand, at knots and outside too."""
    f = lambda x: fad.interp(x, XP, FP)  # noqa: E731
    program = fad.record(f, 0.7)
    expected = (np.interp(x, XP, FP), slopes_by_hand(x))
    assert fad.value_and_grad(f)(x) == pytest.approx(expected, rel=1e-14)
    assert program.value_and_grad(x) == fad.value_and_grad(f)(x)
    batch = program.batch(np.array([x, 0.5]))
    assert (batch.value[0], batch.gradient[0]) == fad.value_and_grad(f)(x)
    assert f(x) == fad.value_and_grad(f)(x)[0]
    assert len(program.variants) == 1


@pytest.mark.parametrize("x", [-math.inf, -1e308, -0.5, 4.0, 4.5, 1e308, math.inf])
def test_interp_is_flat_outside(x):
    """To the last bit, as by np.interp; the adjoint is that of the outermost value alone."""
    f = lambda x, fp: fad.interp(x, XP, fp) * 2.0  # noqa: E731
    value, (by_x, by_table) = fad.value_and_grad(f, (0, 1))(x, FP)
    assert value == 2.0 * np.interp(x, XP, FP)
    assert by_x == 0.0
    assert by_table.tolist() == ([2.0, 0.0, 0.0, 0.0] if x < 0.0 else [0.0, 0.0, 0.0, 2.0])
    batch = fad.record(f, 0.3, FP).batch(np.array([x, 1.5]), FP, axes=(0, None), wrt=(0, 1))
    assert (batch.value[0], batch.gradient[0][0]) == (value, by_x)
    assert batch.gradient[1][0].tolist() == by_table.tolist()


def test_interpolation_decides_nothing():
    """It has no jumps, and so nothing to look for in a Monte Carlo run."""

    def payoff(p, z):
        return p * fad.interp(z[0], XP, FP) + fad.interp2(z[0], z[1], XP, [0.0, 1.0], np.outer(FP, [1.0, 2.0]))

    program = fad.record(payoff, 1.0, np.array([0.3, 0.4]))
    (trie,) = program._tries.values()
    assert decisions_of(trie.root.recording) == []


def test_nan_stays_nan():
    program = fad.record(lambda x: fad.interp(x, XP, FP), 0.7)
    assert math.isnan(program(np.nan))
    assert np.isnan(program.batch(np.array([np.nan, 1.0])).value).tolist() == [True, False]


@pytest.mark.parametrize("table_varies", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_batches_equal_single_calls(table_varies, threads):
    """Per scenario bit-equal to the transforms path by path; reduced, to their sum (NumPy) by rounding."""
    n = 300
    x = np.random.default_rng(0).uniform(-1.0, 5.0, n)
    tables = np.tile(FP, (n, 1)) * np.linspace(1.0, 2.0, n)[:, None]
    fp, axes = (tables, (0, 0, None)) if table_varies else (FP, (0, None, None))
    program = fad.record(weighted, 0.3, FP, 1.1)
    each = program.batch(x, fp, 1.1, axes=axes, wrt=(0, 1, 2), threads=threads)
    total = program.batch(x, fp, 1.1, axes=axes, wrt=(0, 1, 2), reduce="sum", threads=threads)
    sums = [0.0, np.zeros(4), 0.0]
    for k in range(n):
        table = tables[k] if table_varies else FP
        value, gradient = fad.value_and_grad(weighted, (0, 1, 2))(float(x[k]), table, 1.1)
        assert value == each.value[k] == pytest.approx(np.interp(x[k] * 1.1, XP, table) * x[k], rel=1e-13)
        assert all(np.array_equal(g, e[k]) for g, e in zip(gradient, each.gradient))
        sums = [s + g for s, g in zip(sums, gradient)]
    for s, g in zip(sums, total.gradient):
        np.testing.assert_allclose(g, s, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "table", [[3, 4], np.array([3, 4]), np.array([3, 4], np.float32), np.array([False, True])], ids=repr
)
def test_elements_of_a_plain_table_are_doubles(table):
    """As the recorded ones: numbers of another type would be rounded, or divided, by rules of their own."""
    for position in (1.0, 1, np.array([0.0, 1.0]), [1, 0]):
        assert fad.take(table, position).dtype == np.float64
        assert np.array_equal(fad.take(table, position), fad.record(fad.take, table, position)(table, position))


def test_take_limits_and_truncates():
    table = np.array([10.0, 20.0, 30.0])
    program = fad.record(lambda t, p: fad.take(t, p) * 2.0, table, 1.0)
    positions = np.array([-3.0, 0.0, 0.9, 1.0, 1.999, 2.0, 50.0, np.nan, np.inf, -np.inf])
    picked = [0, 0, 0, 1, 1, 2, 2, 0, 2, 0]
    batch = program.batch(table, positions, axes=(None, 0), wrt=(0, 1))
    assert batch.value.tolist() == [2.0 * table[i] for i in picked]
    assert batch.gradient[0].tolist() == [[2.0 * (i == j) for j in range(3)] for i in picked]
    assert not batch.gradient[1].any()
    assert [program(table, p) for p in positions] == batch.value.tolist()
    assert fad.take(table, positions).tolist() == [table[i] for i in picked]
    assert [fad.take(table, fad.Tape().input(p)).value for p in positions] == [table[i] for i in picked]
    assert fad.take(table, 1) == fad.take(table, np.array(1)) == fad.take(table, (1, 0))[0] == 20.0
    tape = fad.Tape()
    t, p = tape.inputs(table), tape.input(1.2)
    assert tape.reverse(fad.take(t, p)).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_tables_of_computed_values():
    """Elements that vary themselves, are used elsewhere as well, and are passive in part; oracle: complex step."""

    def f(x, z):
        table = [x * z, 5.0, fad.exp(z) + x, z * z]
        picked = fad.take(table, z * 2.0)
        return picked * table[0] + fad.take(table, 2.0 - z) * table[3]

    def plain(x, z):
        at = lambda p: min(max(int(p.real), 0), 3)  # noqa: E731
        table = [x * z, 5.0, np.exp(z) + x, z * z]
        return table[at(z * 2.0)] * table[0] + table[at(2.0 - z)] * table[3]

    z = np.random.default_rng(1).uniform(0.1, 2.0, 130)
    program = fad.record(f, 1.5, 0.4)
    batch = program.batch(1.5, z, axes=(None, 0), wrt=(0, 1))
    mean = program.batch(1.5, z, axes=(None, 0), wrt=(0, 1), reduce="mean")
    h = 1e-30
    by_x = np.array([plain(1.5 + h * 1j, complex(v)).imag / h for v in z])
    by_z = np.array([plain(complex(1.5), v + h * 1j).imag / h for v in z])
    np.testing.assert_allclose(batch.gradient[0], by_x, rtol=1e-13)
    np.testing.assert_allclose(batch.gradient[1], by_z, rtol=1e-13)
    np.testing.assert_allclose(mean.gradient, [by_x.mean(), by_z.mean()], rtol=1e-12)
    assert len(program.variants) == 1


def test_interp2_is_bilinear():
    """Oracle: interpolation in one direction, then in the other, by np.interp; gradients by its differences."""
    yp = np.array([-1.0, 0.5, 2.0])
    table = np.random.default_rng(2).normal(size=(4, 3))

    def plain(x, y):
        return np.interp(x, XP, [np.interp(y, yp, row) for row in table])

    rng = np.random.default_rng(3)
    x, y = rng.uniform(-1.0, 5.0, 100), rng.uniform(-2.0, 3.0, 100)
    program = fad.record(lambda x, y, t: fad.interp2(x, y, XP, yp, t), 0.3, 0.2, table)
    batch = program.batch(x, y, table, axes=(0, 0, None), wrt=(0, 1, 2))
    np.testing.assert_allclose(batch.value, [plain(a, b) for a, b in zip(x, y)], atol=1e-13)
    np.testing.assert_allclose(batch.gradient[2].sum(axis=(1, 2)), 1.0, atol=1e-13)  # weights add to one
    h = 1e-6
    np.testing.assert_allclose(
        batch.gradient[0], [(plain(a + h, b) - plain(a - h, b)) / (2 * h) for a, b in zip(x, y)], atol=1e-7
    )
    np.testing.assert_allclose(
        batch.gradient[1], [(plain(a, b + h) - plain(a, b - h)) / (2 * h) for a, b in zip(x, y)], atol=1e-7
    )


def test_places_without_axes_and_in_sequences():
    at = np.linspace(XP[0], XP[-1], 3)
    plain = np.interp(at, XP, FP)
    assert fad.interp(tuple(at), XP, FP) == pytest.approx(plain, rel=1e-14)
    slope = fad.grad(lambda x: fad.interp(x.reshape(()), XP, FP))(at[1:2])
    assert slope == fad.grad(lambda x: fad.interp(x, XP, FP))(at[1])
    surface = np.outer(FP, FP).tolist()
    assert fad.interp2(np.array(at[1]), at[1], XP, XP, surface) == pytest.approx(plain[1] ** 2, rel=1e-14)


def test_errors():
    tape, other = fad.Tape(), fad.Tape()
    x, v = tape.input(1.0), other.inputs([1.0, 2.0])
    with pytest.raises(TapeError, match="two tapes"):
        fad.take(v, x)
    with pytest.raises(ShapeError, match="one axis"):
        fad.take(np.ones((2, 2)), x)
    with pytest.raises(ShapeError, match="expected shape"):
        fad.interp(x, XP, FP[:2])
    with pytest.raises(ValueError, match="increasing"):
        fad.interp(x, XP[::-1], FP)
    with pytest.raises(ValueError, match="finite"):
        fad.interp(x, [-np.inf, 0.0, 1.0], [1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match="each element"):
        fad.interp2(XP, x, XP, XP, np.outer(FP, FP))
    with pytest.raises(TapeError, match="passive"):
        fad.interp(x, tape.inputs(XP), FP)
    mark = tape.mark()
    stale = tape.inputs([1.0, 2.0])
    tape.rewind(mark)
    with pytest.raises(TapeError, match="rewound"):
        fad.take(stale, x)


POINTS = np.array([[-2.0, 0.0, 0.3, 1.0], [2.5, 3.9, 4.0, 77.0]])
WEIGHTS = np.cos(np.arange(8.0)).reshape(2, 4)


def looked_up(x, fp):
    """At an array of points, and by an array of positions, truncated and limited."""
    return fad.interp(x, XP, fp) * 2.0 + fad.take(fp, x * 1.2 - 1.0) * x


def looked_up_singly(x, fp):
    rows = [[looked_up(x[i, j], fp) for j in range(4)] for i in range(2)]
    return fad.array(rows) if hasattr(rows[0][0], "tape") else np.array(rows)


@pytest.mark.parametrize("what", ["points", "table", "both", "mixed"])
def test_arrays_of_points_have_the_numbers_of_single_ones(what):
    """Values bit by bit; adjoints of table elements are sums in another order."""

    def scalar(f):
        def g(x, fp):
            x = fad.array([[x[0, 0], *POINTS[0, 1:]], x[1]]) if what == "mixed" else x
            return (f(x, fp) * WEIGHTS).sum()

        return g

    argnums = {"points": 0, "table": 1, "both": (0, 1), "mixed": (0, 1)}[what]
    value, gradient = fad.value_and_grad(scalar(looked_up), argnums)(POINTS, FP)
    singly, expected = fad.value_and_grad(scalar(looked_up_singly), argnums)(POINTS, FP)
    assert value == pytest.approx(singly, rel=1e-15)
    for a, b in zip(*(g if isinstance(argnums, tuple) else (g,) for g in (gradient, expected))):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(looked_up(POINTS, FP), looked_up_singly(POINTS, FP))


def test_arrays_of_points_find_their_cells_in_every_scenario():
    program = fad.record(lambda x, fp: (looked_up(x, fp) * WEIGHTS).sum(), POINTS, FP)
    rng = np.random.default_rng(2)
    x = rng.uniform(-1.0, 5.0, (70, 2, 4))
    batch = program.batch(x, FP, axes=(0, None), wrt=(0, 1))
    for k in (0, 5, 69):
        value, gradient = fad.value_and_grad(lambda x, fp: (looked_up(x, fp) * WEIGHTS).sum(), (0, 1))(x[k], FP)
        again = program.value_and_grad(x[k], FP, argnums=(0, 1))
        assert batch.value[k] == value == again[0]
        for a, b, c in zip((part[k] for part in batch.gradient), gradient, again[1]):
            assert a.tobytes() == b.tobytes() == c.tobytes()
        assert value == pytest.approx((looked_up_singly(x[k], FP) * WEIGHTS).sum(), rel=1e-14)


def test_arrays_of_no_points():
    assert fad.interp(np.empty(0), XP, FP).shape == (0,)
    assert fad.interp(fad.Tape().inputs(np.empty(0)), XP, FP).shape == (0,)


def test_tables_of_rows_that_were_rewound_are_dropped():
    """A loop that records again from a mark keeps no more memory with every turn; tables from before stay known."""
    tape = fad.Tape()
    x, table = tape.input(1.3), tape.inputs(FP)
    before = fad.interp(x, XP, table)
    mark = tape.mark()
    counts = set()
    for k in range(5):
        tape.rewind(mark)
        y = fad.interp(x, XP, table * float(k)) + before + fad.take([x, 2.0, float(k)], x)
        y = y + np.linalg.det(np.eye(3) * x) + fad.interp(x * 2.0, XP, table)
        counts.add(len(tape._tables.columns()["table_starts"]))
        late = tape.reverse(y)
        fresh = fad.Tape()
        u, other = fresh.input(1.3), fresh.inputs(FP)
        z = fad.interp(u, XP, other * float(k)) + fad.interp(u, XP, other) + fad.take([u, 2.0, float(k)], u)
        z = z + np.linalg.det(np.eye(3) * u) + fad.interp(u * 2.0, XP, other)
        np.testing.assert_allclose(late, fresh.reverse(z), rtol=1e-13)
    assert len(counts) == 1
    tape.rewind(0)
    assert len(tape._tables.columns()["table_starts"]) == 1


def test_programs_with_tables_are_saved(tmp_path):
    program = fad.record(weighted, 0.3, FP, 1.1)
    program.save(tmp_path / "f.npz")
    loaded = fad.load(tmp_path / "f.npz")
    x = np.linspace(-1.0, 5.0, 77)
    for a, b in zip(*(p.batch(x, FP, 1.1, axes=(0, None, None), wrt=(0, 1)).gradient for p in (program, loaded))):
        assert a.tobytes() == b.tobytes()


# -------------------- 64 scenarios side by side --------------------
GRIDS = {
    "whole numbers": (np.arange(50.0, 201.0, 5.0), True),
    "from linspace": (np.linspace(-1.0, 2.0, 77), True),
    "step not a binary fraction": (-0.3 + np.arange(13) * 0.1, True),
    "two knots": (np.array([0.1, 0.7]), True),
    "no space between": (1e16 + np.arange(6) * 2.0, False),
    "one knot moved by a bit": (np.where(np.arange(9) == 4, np.nextafter(4.0, 5.0), np.arange(9.0)), False),
    "uneven": (np.cumsum(np.random.default_rng(5).uniform(0.01, 3.0, 100)), False),
    "the last knot bounds no cell": (np.array([-1.0, 0.0, 5.0]), True),
    "subnormal": (np.arange(5) * 5e-324, False),
    "huge": (np.array([-1.7e308, 0.0, 1.7e308]), False),
}


@pytest.mark.parametrize("name", GRIDS)
def test_cells_of_many_scenarios(name):
    """At, just beside and between knots, outside, at infinities and NaN; oracle: searchsorted."""
    knots, is_even = GRIDS[name]
    assert (spacing_of(knots)[1] != 0.0) == is_even
    between = np.random.default_rng(6).uniform(knots[0], knots[-1], 500) if knots[-1] < 1e300 else knots * 0.7
    x = [knots, np.nextafter(knots, -np.inf), np.nextafter(knots, np.inf), between, [np.inf, -np.inf, np.nan, -0.0]]
    x = np.concatenate([*x, [knots[0] - 1e3, knots[-1] + 1e3]])
    cells = np.searchsorted(knots, x, side="right")
    cells[np.isnan(x)] = 0
    grid = np.concatenate([[-np.inf], knots, [np.inf]])
    program = fad.record(lambda x, t: fad.take(t, _locate(grid, x)), 0.5, np.arange(knots.size + 1.0))
    assert program.batch(x, np.arange(knots.size + 1.0), axes=(0, None), wrt=()).value.tolist() == cells.tolist()
    assert [program(at, np.arange(knots.size + 1.0)) for at in x] == cells.tolist()


@pytest.mark.parametrize("outputs", [1, 3, 8])
def test_gradients_of_uniform_tables(outputs):
    """More passes than are swept at once, the last eight not full: groups of 64 times outputs; oracle: by hand."""
    n, size = 64 * 11 + 5, 40
    rng = np.random.default_rng(7)
    params, positions, weights = rng.normal(size=size), rng.uniform(-2.0, size + 2.0, n), rng.normal(size=n)

    def f(t, p, w):
        table = t * 2.0  # uniform values that are swept on
        return [fad.take(table, p + 3.0 * k) * w * t[0] for k in range(outputs)]

    r = fad.record(f, params, 1.0, 1.0).batch(params, positions, weights, axes=(None, 0, 0), wrt=0, reduce="sum")
    for k in range(outputs):
        at = np.clip((positions + 3.0 * k).astype(int), 0, size - 1)
        expected = np.bincount(at, 2.0 * weights * params[0], minlength=size)
        expected[0] += (2.0 * params[at] * weights).sum()
        np.testing.assert_allclose(r.gradient[k], expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(r.value[k], (2.0 * params[at] * weights * params[0]).sum(), rtol=1e-12)


def test_an_infinite_partial_stays_in_its_pass():
    """A NaN that only the zero-factor rule prevents, in one group among those swept together."""
    z = np.arange(64.0 * 10)
    z[64 * 3] = 0.0

    def f(t, z):
        root = fad.sqrt(t[1])  # infinite slope at 0
        return fad.take(fad.array([t[0], t[0] * 2.0]), z) + fad.where(z > 1.0, 1.0, root) * z

    r = fad.record(f, np.array([3.0, 0.0]), 5.0).batch(np.array([3.0, 0.0]), z, axes=(None, 0), reduce="sum", wrt=0)
    assert r.gradient[0] == 2.0 * (z >= 1.0).sum() + (z < 1.0).sum()
    assert r.gradient[1] == np.inf  # from z = 1 alone


# -------------------- problem 5: local volatility, 1,117 sensitivities --------------------
def test_the_surface_of_problem_5():
    """Check values of the problem's specification."""
    surface = local_vol.surface()
    at = lambda k, column: surface[int(k - 50) // 5, column - 1]  # noqa: E731
    assert at(100, 1) == pytest.approx(0.1520197706, abs=1e-10)
    assert at(50, 1) == pytest.approx(0.1875102071, abs=1e-10)
    assert at(150, 36) == pytest.approx(0.1530723131, abs=1e-10)
    assert surface.sum() == pytest.approx(173.941463322, abs=1e-8)


def test_problem_5_matches_its_oracle():
    """Within 4 standard errors of the exact expectation: price, delta, the sum of vegas and every listed vega."""
    params = {"spot": local_vol.SPOT, "vols": local_vol.surface()}
    payoff = partial(local_vol.payoff, tool=fad)
    result = fad.monte_carlo(payoff, params, normals=local_vol.STEPS, paths=40_000, seed=4)
    assert len(result.variants) == 1
    answer = result.value, (result.gradient["spot"], result.gradient["vols"])
    assert local_vol.check(result.paths, answer) == ""
    measured = result.gradient_stderr["vols"] * math.sqrt(result.paths)
    for key, (_, deviation) in local_vol.ORACLE.items():  # the deviations that the check allows are the true ones
        if isinstance(key, tuple):
            assert deviation == pytest.approx(measured[(key[0] - 50) // 5, key[1] - 1], rel=0.2)
