"""np.linalg of active arrays. Oracles: complex step through LAPACK, NumPy, central differences of first derivatives."""

import numpy as np
import pytest

import fastad as fad

RNG = np.random.default_rng(7)
SQUARE = RNG.normal(size=(4, 4)) + 3.0 * np.eye(4)
TALL = RNG.normal(size=(6, 3))
VECTOR, MATRIX = RNG.normal(size=4), RNG.normal(size=(4, 2))
WEIGHTS = {shape: RNG.normal(size=shape) for shape in [(4,), (4, 2), (4, 4), (6, 3), (3, 3), (3,), (3, 2), (6, 6)]}
WEIGHTS |= {shape: RNG.normal(size=shape) for shape in [(4, 2, 2), (2, 2, 2)]}


def weighted(x):
    """A number that depends on every element of an array, in a different way."""
    return (x * WEIGHTS[x.shape] + 0.3 * x * x).sum()


def spd(a):
    return a @ a.T + np.eye(a.shape[0]) if isinstance(a, np.ndarray) else product(a, a.T) + np.eye(a.shape[0])


def product(a, b):
    from fastad.record.contraction import contract

    return contract(a, b)


def signs(q):
    """Columns with a positive first element: LAPACK's choice of signs is no function of the matrix."""
    plain = np.asarray(getattr(q, "_value", q)).real
    return q * np.sign(plain[0])


def singular(a):
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    turn = np.sign(np.asarray(getattr(u, "_value", u))[0])
    return u * turn, s, vh * turn[:, None]


SPD = SQUARE @ SQUARE.T + 0.3 * SQUARE  # not symmetric: NumPy reads one triangle
STACK = np.stack([np.eye(2), SQUARE[:2, :2]])
CASES = {
    "solve vector": (lambda a: weighted(np.linalg.solve(a, VECTOR)), SQUARE),
    "solve for b": (lambda b: weighted(np.linalg.solve(SQUARE, b)), MATRIX),
    "solve matrix": (lambda a: weighted(np.linalg.solve(a, MATRIX)), SQUARE),
    "solve both": (lambda a: weighted(np.linalg.solve(a, a[:, :2] * a[:, 2:])), SQUARE),
    "solve a stack": (lambda a: weighted(np.linalg.solve(a.reshape(-1, 2, 2), MATRIX[:2])), SQUARE),
    "solve for a b of a stack": (lambda b: weighted(np.linalg.solve(STACK, b[:2])), MATRIX),
    "solve for a stack of b": (lambda a: weighted(np.linalg.solve(a[:2, :2], STACK)), SQUARE),
    "solve a stack of one": (lambda a: weighted(np.linalg.solve(a.reshape(-1, 2, 2)[:1], STACK)), SQUARE),
    "inv": (lambda a: weighted(np.linalg.inv(a)), SQUARE),
    "det": (lambda a: np.linalg.det(a) * a[0, 0], SQUARE),
    "slogdet": (lambda a: np.linalg.slogdet(a)[1] * a[0, 0], SQUARE),
    "slogdet negative": (lambda a: np.linalg.slogdet(a).logabsdet * a[0, 0], SQUARE[[1, 0, 2, 3]]),
    "cholesky": (lambda a: weighted(np.linalg.cholesky(spd(a))), SQUARE),
    "qr square": (lambda a: weighted(np.linalg.qr(a).R) + weighted(np.linalg.qr(a)[0]), SQUARE),
    "qr tall": (lambda a: weighted(np.linalg.qr(a)[0]) + weighted(np.linalg.qr(a)[1]), TALL),
    "eigenvalues": (lambda a: weighted(np.linalg.eigvalsh(a + a.T)), SQUARE),
    "eigenvectors": (lambda a: weighted(signs(np.linalg.eigh(a + a.T)[1])), SQUARE),
    "cholesky of the lower triangle": (lambda a: weighted(np.linalg.cholesky(a)), SPD),
    "cholesky of the upper triangle": (lambda a: weighted(np.linalg.cholesky(a, upper=True)), SPD),
    "eigh of the lower triangle": (lambda a: weighted(signs(np.linalg.eigh(a)[1])), SQUARE),
    "eigh of the upper triangle": (lambda a: weighted(np.linalg.eigh(a, "U")[0]), SQUARE),
    "vectors of the upper triangle": (lambda a: weighted(signs(np.linalg.eigh(a, UPLO="u")[1])), SQUARE),
    "svd square": (lambda a: weighted(singular(a)[0]) + weighted(singular(a)[2]) + weighted(singular(a)[1]), SQUARE),
    "svd tall": (lambda a: weighted(singular(a)[0]) + weighted(singular(a)[2]) * singular(a)[1][1], TALL),
    "svd wide": (lambda a: weighted(singular(a)[0]) + weighted(singular(a)[2].T) * singular(a)[1][1], TALL.T),
    "svd of a stack": (lambda a: weighted(np.linalg.svd(a.reshape(-1, 2, 2))[1].reshape(4, 2)), SQUARE),
    "singular values": (lambda a: weighted(np.linalg.svdvals(a)), TALL),
    "nuclear norm": (lambda a: np.linalg.norm(a, "nuc") * a[0, 0], TALL),
    "spectral norm": (lambda a: np.linalg.norm(a, 2, keepdims=True)[0, 0] - np.linalg.norm(a.T, -2), TALL),
    "nuclear norms of a stack": (lambda a: np.linalg.norm(a.reshape(2, 2, 4), "nuc", (2, 0)) @ VECTOR[:2], SQUARE),
    "pinv tall": (lambda a: weighted(np.linalg.pinv(a).T), TALL),
    "pinv wide": (lambda a: weighted(np.linalg.pinv(a, rtol=1e-12)), TALL.T),
    "pinv of rank two": (lambda a: weighted(np.linalg.pinv(product(a[:, :2], a[2:]), 1e-9)), SQUARE),
    "matrix power": (lambda a: weighted(np.linalg.matrix_power(a, 5) * 1e-3), SQUARE),
    "negative matrix power": (lambda a: weighted(np.linalg.matrix_power(a, -2)), SQUARE),
    "lstsq": (lambda a: weighted(np.linalg.lstsq(a, WEIGHTS[6, 3][:, 0], rcond=None)[0]), TALL),
    "lstsq for b": (lambda b: weighted(np.linalg.lstsq(TALL, b, rcond=None)[0]), WEIGHTS[6, 3][:, 0]),
    "lstsq residuals": (
        lambda a: np.linalg.lstsq(a, WEIGHTS[6, 3][:, 0], rcond=None)[1].sum() * a[0, 0],
        TALL,
    ),
    "lstsq matrix": (lambda a: weighted(np.linalg.lstsq(a, WEIGHTS[6, 3][:, :2], rcond=None)[0]), TALL),
    "product": (lambda a: weighted(product(a, a.T)), SQUARE),
}


def central(f, x, h=1e-6):
    slopes = np.empty(np.shape(f(x)) + x.shape)
    for at in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[at] = h
        slopes[(..., *at)] = (f(x + step) - f(x - step)) / (2 * h)
    return slopes


@pytest.fixture(params=CASES, ids=CASES)
def case(request):
    return CASES[request.param]


def test_value_is_numpys(case):
    f, x = case
    value, _ = fad.value_and_grad(f)(x)
    assert value == pytest.approx(f(x), rel=1e-13)


def test_gradient_by_central_differences(case):
    f, x = case
    assert fad.grad(f)(x) == pytest.approx(central(f, x), rel=2e-6, abs=2e-6)


def test_forward_is_the_transpose_of_reverse(case):
    f, x = case
    direction = np.cos(np.arange(x.size)).reshape(x.shape)
    _, y_dot = fad.jvp(f, (x,), (direction,))
    assert y_dot == pytest.approx((fad.grad(f)(x) * direction).sum(), rel=1e-10)


def test_hessian_is_the_derivative_of_the_gradient(case):
    f, x = case
    hessian = fad.hessian(f)(x)
    assert hessian == pytest.approx(central(fad.grad(f), x), rel=2e-5, abs=2e-5)
    flat = hessian.reshape(x.size, x.size)
    assert flat == pytest.approx(flat.T, rel=1e-8, abs=1e-8)


def test_replay_elsewhere_is_a_fresh_recording(case):
    f, x = case
    program = fad.record(f, x)
    other = x * 1.1 + 0.01
    value, gradient = fad.value_and_grad(f)(other)
    assert program(other) == value
    assert np.array_equal(program.grad(other), gradient)
    batch = program.batch(np.stack([x, other]))
    assert batch.value[1] == value
    assert np.array_equal(batch.gradient[1], gradient)
    hessian = fad.hessian(f)(other)
    assert program.hessian(other) == pytest.approx(hessian, rel=1e-9, abs=1e-9)


def test_a_product_of_two_views_of_one_array_has_the_bits_of_a_replay():
    """BLAS multiplies an array by its own transpose in another order than two arrays."""
    a = np.random.default_rng(0).normal(size=(300, 4))
    for f in (lambda a: a.T @ a, lambda a: np.linalg.solve(a.T @ a, a[0])):
        program = fad.record(f, np.ones_like(a) + np.eye(300, 4))
        value, pullback = fad.vjp(f, a)
        assert np.array_equal(program(a), value)
        assert np.array_equal(program.batch(a[None]).value[0], value)
        assert np.array_equal(program.vjp((a,), value)[1][0], pullback(value)[0])


def test_saved_and_loaded(case, tmp_path):
    f, x = case
    program = fad.record(f, x)
    program.save(tmp_path / "f.npz")
    loaded = fad.load(tmp_path / "f.npz")
    other = x * 0.9
    assert loaded(other) == program(other)
    assert np.array_equal(loaded.grad(other), program.grad(other))


def test_complex_step_through_lapack():
    """solve, inv and det of complex matrices are analytic: a derivative without differences."""
    h = 1e-30
    for f in (lambda a: np.linalg.solve(a, VECTOR).sum(), lambda a: np.linalg.inv(a).sum(), np.linalg.det):
        gradient = fad.grad(f)(SQUARE)
        for at in np.ndindex(4, 4):
            step = np.zeros((4, 4), complex)
            step[at] = 1j * h
            assert gradient[at] == pytest.approx(f(SQUARE + step).imag / h, rel=1e-12, abs=1e-13)


def test_gradient_of_the_determinant_of_a_singular_matrix_is_its_cofactors():
    singular = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 1.0]])
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(singular, i, 0), j, 1)) for j in range(3)]
        for i in range(3)
    ]
    assert fad.grad(np.linalg.det)(singular) == pytest.approx(np.array(cofactors), abs=1e-13)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_numbers_that_are_not_finite_return(number):
    """LAPACK's singular values of such a matrix may take forever; other scenarios are as they would be alone."""
    matrix = SQUARE.copy()
    matrix[0, 0] = number
    assert np.isnan(fad.grad(np.linalg.det)(matrix)).all()
    gradient = fad.record(np.linalg.det, SQUARE).batch(np.stack([SQUARE, matrix])).gradient
    np.testing.assert_array_equal(gradient[0], fad.grad(np.linalg.det)(SQUARE))
    assert np.isnan(gradient[1]).all()
    with pytest.raises(np.linalg.LinAlgError, match="inf or NaN"):
        fad.grad(lambda a: np.linalg.lstsq(a, VECTOR, rcond=None)[0].sum())(matrix)


def test_equal_eigenvalues_have_values_but_vectors_no_derivative():
    a = np.diag([1.0, 1.0, 2.0])
    assert fad.grad(lambda a: np.linalg.eigvalsh(a).sum())(a) == pytest.approx(np.eye(3), abs=1e-14)
    assert not np.isfinite(fad.grad(lambda a: weighted(np.linalg.eigh(a)[1]))(a)).all()


def test_only_one_triangle_is_read():
    """Values and derivatives of NumPy's function, where the other triangle holds anything."""
    lower, upper = np.tri(4), np.tri(4).T
    for f, read in (
        (np.linalg.cholesky, lower),
        (np.linalg.eigvalsh, lower),
        (lambda a: np.linalg.cholesky(a, upper=True), upper),
        (lambda a: np.linalg.eigh(a, "U").eigenvalues, upper),
    ):
        value, gradient = fad.value_and_grad(lambda a, f=f: weighted(f(a)))(SPD * read)
        assert value == pytest.approx(weighted(f(SPD * read)), rel=1e-14)
        assert (gradient[read == 0.0] == 0.0).all()
        other = fad.grad(lambda a, f=f: weighted(f(a)))(SPD * read + 17.0 * (1.0 - read))
        np.testing.assert_array_equal(other, gradient)
    with pytest.raises(ValueError, match="UPLO is 'L' or 'U'"):
        fad.grad(lambda a: np.linalg.eigvalsh(a, "X").sum())(SPD)


def test_singular_values_where_some_are_equal_or_zero():
    a = np.diag([2.0, 2.0, 0.0])[:, :2]
    assert fad.grad(lambda a: np.linalg.svdvals(a).sum())(a) == pytest.approx(np.eye(3)[:, :2], abs=1e-15)
    gradient = fad.grad(lambda a: weighted(np.linalg.svd(a, full_matrices=False).U))(a)
    assert not np.isfinite(gradient).all()
    for f in (np.linalg.svdvals, np.linalg.pinv):
        with pytest.raises(np.linalg.LinAlgError, match="inf or NaN"):
            fad.grad(lambda a, f=f: f(a).sum())(np.full((2, 2), np.inf))
    with pytest.raises(NotImplementedError, match=r"\(6, 3\): pass full_matrices=False"):
        fad.grad(lambda a: np.linalg.svd(a)[0].sum())(TALL)


def test_stacks_of_matrices_are_taken_one_by_one():
    stack = np.stack([SQUARE, SQUARE.T + np.eye(4)])
    for f in (
        lambda a: np.linalg.inv(a).sum(),
        lambda a: np.linalg.det(a).sum(),
        lambda a: np.linalg.solve(a, VECTOR).sum(),
        lambda a: np.linalg.solve(a, np.stack([MATRIX, MATRIX])).sum(),
    ):
        gradient = fad.grad(f)(stack)
        assert gradient[0] == pytest.approx(fad.grad(lambda a, f=f: f(_alone(a)))(SQUARE), rel=1e-12)
        assert fad.value_and_grad(f)(stack)[0] == pytest.approx(f(stack), rel=1e-13)


def test_solve_and_lstsq_take_lists_and_refuse_vectors():
    matrix = [[2.0, 1.0], [0.0, 4.0]]
    for f in (lambda b: np.linalg.solve(matrix, b).sum(), lambda b: np.linalg.lstsq(matrix, b)[0].sum()):
        assert fad.grad(f)(np.ones(2)) == pytest.approx(np.linalg.inv(matrix).sum(axis=0), rel=1e-14)
    for f in (np.linalg.solve, np.linalg.lstsq):
        with pytest.raises(np.linalg.LinAlgError, match=r"needs a matrix, got an array of shape \(4,\)"):
            fad.vjp(f, VECTOR, VECTOR)


def _alone(a):
    """A stack of one, where solve gets two right-hand sides."""
    return fad.stack([a, np.eye(4)]) if not isinstance(a, np.ndarray) else np.stack([a, np.eye(4)])


def test_jacobian_pattern_of_a_block_is_dense_in_its_operands():
    pattern = fad.sparsity(lambda x: fad.array([x[4] * 2.0, *np.linalg.solve(SQUARE, x[:4])]), np.ones(5))
    expected = np.zeros((5, 5), bool)
    expected[0, 4] = True
    expected[1:, :4] = True
    assert np.array_equal(pattern.to_dense() != 0, expected)


def test_one_block_row_and_its_parts():
    tape = fad.Tape()
    a = tape.inputs(SQUARE)
    before = len(tape)
    x = np.linalg.solve(a, VECTOR)
    assert len(tape) == before + 5
    (block,) = tape.blocks
    assert (block.row, block.stop, block.rule.name) == (before, before + 5, "solve")
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(tape.inputs(np.zeros((2, 2))))
    mark = tape.mark()
    tape.rewind(before)
    assert tape.blocks == ()
    assert len(tape) < mark
    with pytest.raises(fad.errors.TapeError):
        tape.reverse(x[0])


def test_what_is_written_into_an_operand_later_does_not_matter():
    def f(a):
        b = fad.zeros(2, like=a)
        b[0] = a[0, 0]
        b[1] = 3.0
        right = np.array([1.0, 2.0])
        x = np.linalg.solve(a, b)
        y = np.linalg.solve(a, right)
        b[0] = 0.0
        right[:] = 0.0
        return x[0] + y[1]

    a = np.array([[4.0, 1.0], [2.0, 3.0]])
    plain = lambda a: np.linalg.solve(a, [a[0, 0], 3.0])[0] + np.linalg.solve(a, [1.0, 2.0])[1]  # noqa: E731
    assert fad.grad(f)(a) == pytest.approx(central(plain, a), rel=1e-6)


def test_branches_around_a_block_are_re_recorded():
    def f(a):
        d = np.linalg.det(a)
        return fad.log(d) if d > 0.0 else np.linalg.inv(a).sum()

    program = fad.record(f, SQUARE)
    batch = program.batch(np.stack([SQUARE, SQUARE[[1, 0, 2, 3]]]))
    assert batch.value[1] == pytest.approx(np.linalg.inv(SQUARE[[1, 0, 2, 3]]).sum(), rel=1e-13)
    assert batch.gradient[0] == pytest.approx(np.linalg.inv(SQUARE).T, rel=1e-12)
    assert len(program.variants) == 2


def test_monte_carlo_through_a_block_is_the_same_for_any_number_of_threads():
    def payoff(params, z):
        a = params["a"] * np.eye(3) + fad.array([[0.0, z[0], 0.0], [z[0], 0.0, 0.1], [0.0, 0.1, 0.0]])
        return np.linalg.slogdet(a)[1]

    results = [fad.monte_carlo(payoff, {"a": 9.0}, normals=1, paths=200, threads=n) for n in (1, 2)]
    assert results[0].value == results[1].value
    assert results[0].gradient == results[1].gradient
    draws = np.sqrt(np.linspace(0.0, 1.0, 11))
    assert results[0].gradient["a"] == pytest.approx(3 / 9.0, rel=0.05)
    assert draws.size == 11


def test_errors_name_what_is_there():
    with pytest.raises(NotImplementedError, match="at least as many rows"):
        fad.grad(lambda a: np.linalg.qr(a)[1].sum())(TALL.T)
    with pytest.raises(np.linalg.LinAlgError, match="full column rank"):
        fad.grad(lambda a: np.linalg.lstsq(a, np.ones(3), rcond=None)[0].sum())(np.ones((3, 2)))
    with pytest.raises(NotImplementedError, match="solve"):
        fad.taylor(lambda x: np.linalg.solve(SQUARE, x), VECTOR, VECTOR, 2)
