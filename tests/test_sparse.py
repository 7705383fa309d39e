"""Patterns, colourings, compressed derivatives. Oracles: derivatives written out, dense sweeps, the definitions."""

import builtins
import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.csgraph
from helpers_core import instructions, points, repeatable, run_program
from hypothesis import given
from hypothesis import strategies as st

import fastad as fad
from fastad.errors import NestingError, PatternError, ProgramFormatError, ShapeError
from fastad.sparse import Pattern, fewest


def banded(x):
    return x[1:-1] ** 2 - x[:-2] * fad.exp(-x[2:])


def banded_jacobian(x):
    n = len(x)
    low, high = -np.exp(-x[2:]), x[:-2] * np.exp(-x[2:])
    return scipy.sparse.diags_array((low, 2.0 * x[1:-1], high), offsets=(0, 1, 2), shape=(n - 2, n)).toarray()


def arrow_head(x):
    """Every variable meets the first one only."""
    return 0.5 * (x[1:] ** 2).sum() + x[0] * fad.sin(x[1:]).sum() + x[0] ** 3


def arrow_head_hessian(x):
    h = np.diag(np.concatenate([[6.0 * x[0]], 1.0 - x[0] * np.sin(x[1:])]))
    h[0, 1:] = h[1:, 0] = np.cos(x[1:])
    return h


def brusselator(u, n):
    """Reaction and diffusion of two species on a ring of n cells."""
    a, b = u[:n], u[n:]
    neighbours = [(k, (k - 1) % n, (k + 1) % n) for k in range(n)]
    flow_a = [1.0 + a[k] ** 2 * b[k] - 4.0 * a[k] + 0.5 * (a[i] - 2.0 * a[k] + a[j]) for k, i, j in neighbours]
    flow_b = [3.0 * a[k] - a[k] ** 2 * b[k] + 0.5 * (b[i] - 2.0 * b[k] + b[j]) for k, i, j in neighbours]
    return fad.array([*flow_a, *flow_b])


def brusselator_jacobian(u, n):
    a, b = u[:n], u[n:]
    ring = 0.5 * (np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)) - np.eye(n)
    return np.block(
        [
            [np.diag(2.0 * a * b - 4.0) + ring, np.diag(a * a)],
            [np.diag(3.0 - 2.0 * a * b), np.diag(-a * a) + ring],
        ]
    )


# -------------------- patterns --------------------


@pytest.mark.parametrize("n", [4, 9, 50])
def test_patterns(n):
    x = np.linspace(0.5, 1.5, n)
    np.testing.assert_array_equal(fad.sparsity(banded, x).to_dense(), banded_jacobian(x) != 0.0)
    np.testing.assert_array_equal(fad.sparsity(arrow_head, x, hessian=True).to_dense(), arrow_head_hessian(x) != 0.0)
    u = np.linspace(0.5, 1.5, 2 * n)
    pattern = fad.sparsity(lambda u: brusselator(u, n), u)
    np.testing.assert_array_equal(pattern.to_dense(), brusselator_jacobian(u, n) != 0.0)
    assert (pattern.T.to_dense() == pattern.to_dense().T).all()
    assert (pattern.to_scipy().toarray() == pattern.to_dense()).all()


@repeatable
@given(program=instructions, x=points)
def test_patterns_of_random_programs(program, x):
    """Value j depends on input i where an instruction leads from one to the other: sets in plain Python."""
    sets = [{i} for i in range(len(x))]
    for _, i, j in program:
        sets.append(sets[-1 - i % len(sets)] | sets[-1 - j % len(sets)])
    got = fad.sparsity(lambda v: fad.array(run_program(program, v, fad)), np.array(x)).to_dense()
    assert got.tolist() == [[i in s for i in range(len(x))] for s in sets]


def test_what_has_no_derivative_is_not_in_the_pattern():
    f = lambda x: fad.array([fad.stop_gradient(x[0]) * x[1], fad.floor(x[1]), fad.where(x[0] > 0.0, x[1], x[2]), 1.0])  # noqa: E731
    assert fad.sparsity(f, np.ones(3)).to_dense().astype(int).tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert fad.sparsity(lambda x: 3.0, np.ones(2), hessian=True).nnz == 0
    assert fad.sparsity(lambda x, y: x * y[1], 2.0, np.ones(2), argnums=(0, 1)).to_dense().tolist() == [
        [True, False, True]
    ]


def test_large_sets_are_collected_from_below():
    """More elements than are kept per row, through shared sums: the union, each element once."""
    n = 200
    x = np.arange(1.0, n + 1.0)

    def f(x):
        half, whole = x[: n // 2].sum(), x.sum()
        return fad.array([half * whole, whole, half + x[-1], x[3]])

    expected = np.zeros((4, n), bool)
    expected[:2], expected[2, : n // 2], expected[2, -1], expected[3, 3] = True, True, True, True
    np.testing.assert_array_equal(fad.sparsity(f, x).to_dense(), expected)


# -------------------- colourings --------------------

patterns = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=12).map(np.array)
)


squares = st.integers(1, 9).flatmap(lambda n: st.lists(st.booleans(), min_size=n * n, max_size=n * n))


def pattern_of(dense):
    return Pattern(dense.shape, *(a.astype(t) for a, t in zip(csr(dense), (np.int64, np.int32))))


def csr(dense):
    matrix = scipy.sparse.csr_array(dense)
    return matrix.indptr, matrix.indices


@repeatable
@given(dense=patterns)
def test_columns_of_one_colour_share_no_row(dense):
    pattern = pattern_of(dense)
    data = np.arange(1.0, pattern.nnz + 1.0)
    matrix = pattern.to_dense(data)
    for coloring in (pattern.color_columns(), pattern.color_rows(), fewest(pattern, "auto")):
        marks = dense if coloring.kind == "columns" else dense.T
        for color in range(coloring.count):
            assert (marks[:, coloring.colors == color].sum(axis=1) <= 1).all()
        got = coloring.differentiate(lambda way: matrix @ way, lambda seed: matrix.T @ seed)
        np.testing.assert_array_equal(got, data)
    assert fewest(pattern, "auto").count == min(pattern.color_columns().count, pattern.color_rows().count)


def in_a_frame(dense, thin):
    """A symmetric pattern as wide as a frame of unconnected vertices, which keeps it sparse enough to be coloured."""
    n = int(len(dense) ** 0.5)
    full = np.array(dense).reshape(n, n)
    full = (full & full.T) | np.eye(n, dtype=bool) if thin else full | full.T
    matrix = np.eye(3 * n, dtype=bool)
    matrix[:n, :n] = full
    return n, matrix


def symmetric_values(matrix):
    size = len(matrix)
    values = np.triu(np.arange(1.0, size * size + 1.0).reshape(size, size))
    return np.where(matrix, values + np.triu(values, 1).T, 0.0)


@repeatable
@given(dense=squares, thin=st.booleans())
def test_star_colouring(dense, thin):
    """Neighbours differ, and no path of four vertices has two colours; the elements come back."""
    n, matrix = in_a_frame(dense, thin)
    pattern = pattern_of(matrix)
    coloring = pattern.color_star()
    colors = coloring.colors
    edges = matrix & ~np.eye(len(matrix), dtype=bool)
    assert (colors[np.nonzero(edges)[0]] != colors[np.nonzero(edges)[1]]).all()
    for a, b, c, d in itertools.permutations(range(n), 4):
        if edges[a, b] and edges[b, c] and edges[c, d]:
            assert len({colors[a], colors[b], colors[c], colors[d]}) > 2
    values = symmetric_values(matrix)
    got = coloring.differentiate(lambda way: values @ way, None)
    np.testing.assert_array_equal(pattern.to_dense(got), values)


@repeatable
@given(dense=squares, thin=st.booleans())
def test_acyclic_colouring(dense, thin):
    """Neighbours differ, and what two colours leave of the graph is a forest: a tree has an edge less than vertices."""
    _, matrix = in_a_frame(dense, thin)
    pattern = pattern_of(matrix)
    coloring = pattern.color_acyclic()
    colors = coloring.colors
    edges = matrix & ~np.eye(len(matrix), dtype=bool)
    assert (colors[np.nonzero(edges)[0]] != colors[np.nonzero(edges)[1]]).all()
    for a, b in itertools.combinations(range(coloring.count), 2):
        two = np.isin(colors, (a, b))
        part = edges[np.ix_(two, two)]
        parts = scipy.sparse.csgraph.connected_components(part, directed=False)[0]
        assert part.sum() // 2 == two.sum() - parts
    values = symmetric_values(matrix)
    got = coloring.differentiate(lambda way: values @ way, None)
    np.testing.assert_array_equal(pattern.to_dense(got), values)


@repeatable
@given(dense=patterns)
def test_colouring_of_both_sides(dense):
    """Every element comes back, whichever rows or columns are taken by themselves."""
    pattern = pattern_of(dense)
    data = np.arange(1.0, pattern.nnz + 1.0)
    matrix = pattern.to_dense(data)
    for one in (pattern, pattern.T):
        coloring, values = one.color_both(), matrix if one is pattern else matrix.T
        got = coloring.differentiate(lambda way, v=values: v @ way, lambda seed, v=values: v.T @ seed)
        np.testing.assert_array_equal(one.to_dense(got), values)
        assert coloring.count == coloring.directions + (coloring.row_colors.max(initial=-1) + 1)
        coloring.verify()


def test_numbers_of_colours():
    """As many as the band is wide; two for an arrow-head, however large."""
    for n in (100, 1000):
        x = np.linspace(0.5, 1.5, n)
        assert fad.sparsity(banded, x).color_columns().count == 3
        assert fad.sparsity(arrow_head, x, hessian=True).color_star().count == 2
    pattern = pattern_of(np.vstack([np.ones(30, bool), np.eye(30, dtype=bool)]))
    assert (pattern.color_columns().count, pattern.color_rows().count) == (30, 2)
    # A grid whose cells meet four neighbours: a star colouring cannot do with the three of an acyclic one.
    grid = np.arange(400).reshape(20, 20)
    dense = np.eye(400, dtype=bool)
    for i, j in ((grid[1:], grid[:-1]), (grid[:, 1:], grid[:, :-1])):
        dense[i, j] = dense[j, i] = True
    acyclic, star = pattern_of(dense).color_acyclic(), pattern_of(dense).color_star()
    assert acyclic.count <= 4 < star.count


@pytest.mark.parametrize("transpose", [False, True])
def test_a_full_row_and_a_full_column(transpose):
    """Neither columns nor rows alone can be compressed: one of them first takes three sweeps."""
    n = 300
    dense = np.zeros((1 + n // 2, n), dtype=bool)
    dense[1 + np.arange(n) // 2, np.arange(n)] = True
    dense[0], dense[:, 0] = True, True

    def f(x):
        if transpose:
            return fad.array([x.sum(), *(x[0] * x[1 + np.arange(1, n) // 2])])
        return fad.array([(x * x).sum(), *(x[::2] * x[1::2] + x[0])])

    x = np.linspace(0.5, 1.5, 1 + n // 2 if transpose else n)
    pattern = fad.sparsity(f, x)
    np.testing.assert_array_equal(pattern.to_dense(), dense.T if transpose else dense)
    coloring = fewest(pattern, "auto")
    assert (coloring.count, coloring.kind) == (3, "rows first" if transpose else "columns first")
    got = fad.jacobian(f, sparse=True)(x)
    np.testing.assert_allclose(got.toarray(), fad.jacobian(f, mode="reverse")(x), rtol=1e-14)
    np.testing.assert_allclose(fad.record(f, x).jacobian(x, sparse=True).toarray(), got.toarray(), rtol=1e-14)


# -------------------- compressed derivatives --------------------


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobians(mode):
    x = np.linspace(0.5, 1.5, 90)
    got = fad.jacobian(banded, mode=mode, sparse=True)(x)
    assert isinstance(got, scipy.sparse.csr_array)
    np.testing.assert_allclose(got.toarray(), banded_jacobian(x), rtol=1e-14)
    np.testing.assert_array_equal(got.toarray(), fad.jacobian(banded, mode="forward")(x))
    np.testing.assert_allclose(fad.jacobian(banded, mode=mode)(x), banded_jacobian(x), rtol=1e-14)
    n = 40
    u = np.linspace(0.5, 1.5, 2 * n)
    got = fad.jacobian(lambda u: brusselator(u, n), mode=mode, sparse=True)(u)
    np.testing.assert_allclose(got.toarray(), brusselator_jacobian(u, n), rtol=1e-14, atol=1e-14)


def test_hessians():
    x = np.linspace(0.5, 1.5, 90)
    np.testing.assert_allclose(fad.hessian(arrow_head, sparse=True)(x).toarray(), arrow_head_hessian(x), rtol=1e-13)
    rosenbrock = lambda x: (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()  # noqa: E731
    got = fad.hessian(rosenbrock, sparse=True)(x)
    assert got.nnz == 90 + 2 * 89
    main = np.append(1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0, 0.0) + np.append(0.0, np.full(89, 200.0))
    expected = scipy.sparse.diags_array((-400.0 * x[:-1], main, -400.0 * x[:-1]), offsets=(-1, 0, 1)).toarray()
    np.testing.assert_allclose(got.toarray(), expected, rtol=1e-13)


@repeatable
@given(program=instructions, x=points)
def test_the_same_bits_by_colours_and_element_by_element(program, x):
    """Rows that carry their own derivatives do what a forward sweep does, products that are zero left out."""
    f, x = lambda v: fad.array(run_program(program, v, fad)), np.array(x)
    dense = fad.jacobian(f, mode="forward")(x)
    for mode in ("auto", "forward"):
        np.testing.assert_array_equal(fad.jacobian(f, mode=mode, sparse=True)(x).toarray(), dense)
    np.testing.assert_array_equal(fad.record(f, x).jacobian(x, sparse=True).toarray(), dense)


def test_a_zero_factor_is_zero():
    """Element by element, too: an infinite partial of the operand that is not taken."""
    x = np.array([0.0, 4.0, -1.0])
    f = lambda x: fad.where(x > 0.0, fad.sqrt(x), 0.0) + x[::-1] * fad.stop_gradient(x)  # noqa: E731
    for got in (fad.jacobian(f, sparse=True)(x), fad.record(f, np.ones(3)).jacobian(x, sparse=True)):
        np.testing.assert_array_equal(got.toarray(), [[0.0, 0.0, 0.0], [0.0, 4.25, 0.0], [-1.0, 0.0, 0.0]])
    nan = fad.jacobian(lambda x: fad.array([x[0] * np.nan, x[1]]), sparse=True)(x).toarray()
    np.testing.assert_array_equal(nan, [[np.nan, 0.0, 0.0], [0.0, 1.0, 0.0]])


def test_structures():
    """One matrix over all elements, in the order of the leaves."""
    f = lambda p: {"u": p["v"] * p["a"], "w": p["v"][0]}  # noqa: E731
    got = fad.jacobian(f, sparse=True)({"a": 2.0, "v": np.array([3.0, 5.0])})
    assert got.toarray().tolist() == [[3.0, 2.0, 0.0], [5.0, 0.0, 2.0], [0.0, 1.0, 0.0]]


def test_programs():
    x = np.linspace(0.5, 1.5, 30)
    program = fad.record(banded, x)
    np.testing.assert_allclose(program.jacobian(x + 0.5, sparse=True).toarray(), banded_jacobian(x + 0.5), rtol=1e-14)
    program = fad.record(arrow_head, x)
    for _ in range(2):
        got = program.hessian(x + 0.5, sparse=True)
        np.testing.assert_allclose(got.toarray(), arrow_head_hessian(x + 0.5), rtol=1e-13)
    # A lookup may pick another element than the one recorded: the pattern has them all.
    table = fad.record(lambda x, t: fad.take(t, x) * x, 0.0, np.array([2.0, 3.0, 5.0]))
    got = table.jacobian(2.0, np.array([2.0, 3.0, 5.0]), argnums=(0, 1), sparse=True)
    assert got.toarray().tolist() == [[5.0, 0.0, 0.0, 2.0]]
    assert got.nnz == 4


def colorings_of(x):
    full = np.eye(50, dtype=bool)
    full[0], full[:, 0] = True, True
    return [
        fad.sparsity(banded, x).color_columns(),
        fad.sparsity(banded, x).color_rows(),
        fad.sparsity(arrow_head, x, hessian=True).color_star(),
        fad.sparsity(arrow_head, x, hessian=True).color_acyclic(),
        pattern_of(full).color_both(),
        pattern_of(full[:, 1:]).color_both(),
        pattern_of(full[1:]).color_both(),
    ]


def test_objects_are_reusable(tmp_path):
    x = np.linspace(0.5, 1.5, 20)
    for number, coloring in enumerate(colorings_of(x)):
        coloring.verify()
        coloring.save(tmp_path / "coloring.npz")
        coloring.pattern.save(tmp_path / "pattern.npz")
        copies = [pickle.loads(pickle.dumps(coloring)), Pattern.load_coloring(tmp_path / "coloring.npz")]
        for copy in copies:
            assert (copy.kind, copy.count, copy.pattern.shape) == (
                coloring.kind,
                coloring.count,
                coloring.pattern.shape,
            )
            np.testing.assert_array_equal(copy.colors, coloring.colors)
            assert repr(copy) == repr(coloring)
            if number < 2:
                got = fad.jacobian(banded, sparse=copy)(x + 1.0)
                np.testing.assert_allclose(got.toarray(), banded_jacobian(x + 1.0), rtol=1e-14)
            elif number < 4:
                got = fad.hessian(arrow_head, sparse=copy)(x + 1.0)
                np.testing.assert_allclose(got.toarray(), arrow_head_hessian(x + 1.0), rtol=1e-13)
        pattern = Pattern.load(tmp_path / "pattern.npz")
        np.testing.assert_array_equal(pattern.to_dense(), coloring.pattern.to_dense())
    with pytest.raises(ShapeError, match=r"\(28, 30\)"):
        fad.jacobian(banded, sparse=fad.sparsity(banded, x).color_columns())(np.ones(30))
    with pytest.raises(ShapeError, match="symmetric"):
        fad.sparsity(banded, x).color_star()


def test_damaged_files(tmp_path):
    x = np.linspace(0.5, 1.5, 20)
    for coloring in colorings_of(x)[:4]:
        wrong = replace(coloring, colors=np.where(coloring.colors >= 0, 0, -1).astype(np.int32))
        with pytest.raises(PatternError, match="mixes up"):
            wrong.verify()
        wrong.save(tmp_path / "wrong.npz")
        with pytest.raises(ProgramFormatError, match="colouring"):
            Pattern.load_coloring(tmp_path / "wrong.npz")
    pattern = fad.sparsity(banded, x)
    for damaged in (
        replace(pattern, indices=pattern.indices + 1),
        replace(pattern, indices=pattern.indices[::-1].copy()),
        replace(pattern, indptr=pattern.indptr[:-1]),
        replace(pattern, indptr=pattern.indptr[::-1].copy()),
    ):
        damaged.save(tmp_path / "wrong.npz")
        with pytest.raises(ProgramFormatError, match="not a readable pattern"):
            Pattern.load(tmp_path / "wrong.npz")
    pattern.save(tmp_path / "pattern.npz")
    data = (tmp_path / "pattern.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    for name, load in (("cut.npz", Pattern.load), ("pattern.npz", Pattern.load_coloring)):
        with pytest.raises(ProgramFormatError):
            load(tmp_path / name)


def test_a_colouring_of_another_branch_is_noticed():
    """The pattern of one branch lacks the elements of the other: one more product of the matrix tells."""

    def f(x):
        return fad.array([x[0] * x[1] if x[2] > 0.0 else x[0] * x[2], x[1] ** 2, x[2]])

    here, there = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, -3.0])
    for coloring in (fad.sparsity(f, here).color_columns(), fad.sparsity(f, here).color_rows()):
        assert fad.jacobian(f, sparse=coloring)(here).nnz == 4
        with pytest.raises(PatternError, match=r"fad\.sparsity"):
            fad.jacobian(f, sparse=coloring)(there)
    g = lambda x: f(x).sum()  # noqa: E731
    star = fad.sparsity(g, here, hessian=True).color_star()
    with pytest.raises(PatternError, match="outside its pattern"):
        fad.hessian(g, sparse=star)(there)


def test_pictures(tmp_path):
    """A mark where an element is, in the colour of its column; a density where there are too many."""
    x = np.linspace(0.5, 1.5, 12)
    for coloring in colorings_of(x):
        (marks,) = coloring.plot().collections
        places = {(int(i), int(j)) for j, i in marks.get_offsets()}
        assert places == set(zip(*(at.tolist() for at in np.nonzero(coloring.pattern.to_dense()))))
        assert len(set(marks.get_array().tolist())) == coloring.count
    large = fad.sparsity(banded, np.ones(9000))
    ax = large.plot()
    (image,) = ax.images
    assert image.get_array().shape == (400, 400)
    assert np.diag(image.get_array()).min() > 0.0 == image.get_array()[0, 200]
    ax.figure.savefig(tmp_path / "pattern.png")


def full_columns(x):
    """A full row and a full column: more inputs than a row carries derivatives of."""
    return fad.array([x.sum(), *(x[2:] * x[0])])


@pytest.mark.parametrize(
    ("f", "n", "mode", "expected"),
    [
        (banded, 90, "auto", "compressed 3 directions; chosen: element by element, 1.8 a row"),
        (lambda x: x * x.sum(), 90, "auto", "reverse 90 seeds, compressed 90 directions; chosen: reverse"),
        (full_columns, 90, "auto", "reverse 89 seeds, compressed 2 directions and 1 seeds; chosen: compressed"),
        (banded, 20, "auto", "forward 20 directions, reverse 18 seeds, compressed 3 directions; chosen: reverse"),
        (banded, 90, "forward", "forward 90 directions, reverse 88 seeds, compressed 3 directions; chosen: forward"),
        (arrow_head, 5, "auto", "forward 5 directions, reverse 1 seeds, compressed 1 seeds; chosen: reverse"),
    ],
)
def test_explain(f, n, mode, expected, capsys):
    x = np.linspace(0.5, 1.5, n)
    got = fad.jacobian(f, mode=mode, explain=True)(x)
    assert expected in capsys.readouterr().out
    np.testing.assert_allclose(got, fad.jacobian(f, mode="reverse")(x), rtol=1e-14)


def test_inside_another_transform():
    x = np.ones(4)
    for f in (fad.jacobian(banded, sparse=True), fad.hessian(arrow_head, sparse=True)):
        with pytest.raises(NestingError, match="sparse"):
            fad.grad(lambda x, f=f: f(x).sum())(x)


def test_without_scipy(monkeypatch):
    imported = builtins.__import__

    def refusing(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refusing)
    for call in (
        lambda: fad.jacobian(banded, sparse=True)(np.ones(4)),
        lambda: fad.hessian(arrow_head, sparse=True)(np.ones(4)),
        lambda: fad.record(banded, np.ones(4)).jacobian(np.ones(4), sparse=True),
    ):
        with pytest.raises(ImportError, match=r"fastad\[scipy\]"):
            call()


def test_cost_is_linear_in_the_non_zeros():
    """A hundred thousand variables: patterns and colourings whose quadratic cost would not end."""
    n = 100_000
    x = np.linspace(0.5, 1.5, n)
    assert fad.jacobian(banded, sparse=True)(x).nnz == 3 * (n - 2)
    assert fad.hessian(arrow_head, sparse=True)(x).nnz == 3 * n - 2


def test_hessians_of_functions_with_plain_zeros():
    """Products with 0.0 leave one of two mirror images out of the pattern. Oracle: dense sweeps."""
    x = np.array([1.5, -0.5, 2.0])
    for f in (
        lambda x: x[0] * 0.0 * x[1],
        lambda x: (x[0] * 0.0 + x[1]) * x[1] * x[2],
        lambda x: np.sum(np.sin(np.concatenate([0.0 * x[:1], x[1:]])) * x[::-1] * x),
    ):
        dense = fad.hessian(f)(x)
        np.testing.assert_allclose(fad.hessian(f, sparse=True)(x).toarray(), dense, atol=1e-15)
        np.testing.assert_allclose(fad.record(f, x).hessian(x, sparse=True).toarray(), dense, atol=1e-15)
        coloring = fad.sparsity(f, x, hessian=True).color_star()
        np.testing.assert_allclose(fad.hessian(f, sparse=coloring)(x).toarray(), dense, atol=1e-15)


@pytest.mark.parametrize("n", [1, 5, 600])
def test_derivatives_that_are_zero_everywhere(n):
    x = np.ones(n)
    for f in (lambda x: np.sum(3.0 * x), lambda x: 4.0):
        assert (fad.hessian(f, sparse=True)(x).shape, fad.hessian(f, sparse=True)(x).nnz) == ((n, n), 0)
        assert fad.record(f, x).hessian(x, sparse=True).nnz == 0
    constant = lambda x: np.ones(3)  # noqa: E731
    assert (fad.jacobian(constant, sparse=True)(x).shape, fad.jacobian(constant, sparse=True)(x).nnz) == ((3, n), 0)
    assert fad.record(constant, x).jacobian(x, sparse=True).nnz == 0
