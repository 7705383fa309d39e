"""fad.scipy.objective: oracles are SciPy's own Rosenbrock functions, scikit-learn, NIST's certified fit, algebra."""

import pickle

import numba
import numpy as np
import pytest

import fastad as fad

optimize = pytest.importorskip("scipy.optimize")


def rosen(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


@numba.njit
def rosen_jitted(x, steepness):
    total = 0.0
    for i in range(len(x) - 1):
        total += steepness * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def near_one(n):
    return 1.0 + 0.2 * np.random.default_rng(0).standard_normal(n)


def evaluations(objective):
    return sum(variant.scenarios for variant in objective.program.variants)


@pytest.mark.parametrize(("f", "args"), [(rosen, ()), (rosen_jitted, (100.0,))], ids=["plain", "jitted"])
def test_rosenbrock_agrees_with_scipys_own_derivatives(f, args):
    x, p = np.array([-1.2, 1.0, 0.3, 2.0]), np.array([1.0, -2.0, 0.5, 0.25])
    dense, sparse = fad.scipy.objective(f), fad.scipy.objective(f, sparse=True)
    assert dense.fun(x, *args) == pytest.approx(optimize.rosen(x), rel=1e-14)
    np.testing.assert_allclose(dense.jac(x, *args), optimize.rosen_der(x), rtol=1e-13)
    np.testing.assert_allclose(dense.hess(x, *args), optimize.rosen_hess(x), rtol=1e-13)
    np.testing.assert_allclose(dense.hessp(x, p, *args), optimize.rosen_hess_prod(x, p), rtol=1e-13)
    matrix = sparse.hess(x, *args)
    np.testing.assert_allclose(matrix.toarray(), optimize.rosen_hess(x), rtol=1e-13)
    assert matrix.nnz == 10
    np.testing.assert_allclose(sparse.jac(x, *args), optimize.rosen_der(x), rtol=1e-13)  # a gradient is dense


@pytest.mark.parametrize(
    ("method", "sparse", "names", "options"),
    [
        ("L-BFGS-B", False, ("jac",), {"ftol": 1e-15, "gtol": 1e-8}),
        ("Newton-CG", False, ("jac", "hessp"), {"xtol": 1e-9}),
        ("Newton-CG", True, ("jac", "hess"), {"xtol": 1e-9}),
        ("trust-exact", False, ("jac", "hess"), {"gtol": 1e-8}),
        ("trust-krylov", False, ("jac", "hessp"), {"gtol": 1e-8}),
        ("trust-constr", True, ("jac", "hess"), {"gtol": 1e-8}),
    ],
)
def test_rosenbrock_in_1000_variables(method, sparse, names, options):
    """The minimum, from one run of the function."""
    runs = []

    def f(x):
        runs.append(1)
        return rosen(x)

    objective = fad.scipy.objective(f, sparse=sparse)
    derivatives = {name: getattr(objective, name) for name in names}
    options = {"maxiter": 500} | options
    found = optimize.minimize(objective.fun, near_one(1000), method=method, options=options, **derivatives)
    assert found.success
    assert found.fun < 1e-12
    np.testing.assert_allclose(found.x, 1.0, atol=1e-7)
    assert len(runs) == len(objective.program.variants) == 1


# -------------------- statistics --------------------


def loss(w, data, labels):
    """Penalised logistic loss, labels +1 and -1."""
    total = 0.5 * (w[:-1] ** 2).sum()
    for row, label in zip(data, labels):
        total = total + fad.log1p(fad.exp(-label * ((w[:-1] * row).sum() + w[-1])))
    return total


def test_logistic_regression_agrees_with_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(3)
    data = rng.standard_normal((150, 4))
    labels = np.where(data @ [1.0, -2.0, 0.5, 0.0] + 0.3 + rng.logistic(size=150) > 0.0, 1.0, -1.0)
    objective = fad.scipy.objective(loss)
    found = optimize.minimize(
        objective.fun, np.zeros(5), args=(data, labels), jac=objective.jac, hess=objective.hess, method="trust-exact"
    )
    model = linear_model.LogisticRegression(C=1.0, tol=1e-10, solver="newton-cholesky").fit(data, labels)
    np.testing.assert_allclose(found.x, [*model.coef_[0], *model.intercept_], rtol=1e-6)
    margins = labels * (data @ found.x[:-1] + found.x[-1])
    weights = -labels / (1.0 + np.exp(margins))
    np.testing.assert_allclose(objective.jac(found.x, data, labels)[:-1], weights @ data + found.x[:-1], atol=1e-12)


# NIST StRD, Misra1a: the volume of gas adsorbed at a pressure.
PRESSURE = [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]
VOLUME = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]
MISRA = np.array([PRESSURE, VOLUME])


@pytest.mark.parametrize("sparse", [False, True])
def test_least_squares_finds_the_certified_values_of_nist(sparse):
    def residuals(b, pressure, volume):
        return b[0] * (1.0 - fad.exp(-b[1] * pressure)) - volume

    objective = fad.scipy.objective(residuals, sparse=sparse)
    found = optimize.least_squares(
        objective.fun, [500.0, 1e-4], jac=objective.jac, args=tuple(MISRA), x_scale="jac", xtol=1e-12, ftol=1e-15
    )
    # The solver stops where the cost stops falling: the root of the machine's precision away.
    np.testing.assert_allclose(found.x, [2.3894212918e02, 5.5015643181e-04], rtol=5e-8)
    assert 2.0 * found.cost == pytest.approx(1.2455138894e-01, rel=1e-9)
    b, pressure = found.x, MISRA[0]
    by_hand = np.stack([1.0 - np.exp(-b[1] * pressure), b[0] * pressure * np.exp(-b[1] * pressure)], axis=1)
    jacobian = objective.jac(b, *MISRA)
    np.testing.assert_allclose(jacobian.toarray() if sparse else jacobian, by_hand, rtol=1e-12)


# -------------------- roots and constraints --------------------


def test_root_of_a_system_given_as_a_list():
    objective = fad.scipy.objective(lambda x: [x[0] + 0.5 * (x[0] - x[1]) ** 3 - 1.0, 0.5 * (x[1] - x[0]) ** 3 + x[1]])
    found = optimize.root(objective.fun, [0.0, 0.0], jac=objective.jac)
    np.testing.assert_allclose(found.x, [0.8411639019140096, 0.1588360980859904], rtol=1e-12)  # SciPy's manual
    off = 1.5 * (found.x[0] - found.x[1]) ** 2
    np.testing.assert_allclose(objective.jac(found.x), [[1.0 + off, -off], [-off, 1.0 + off]], rtol=1e-13)


def test_root_of_a_number():
    objective = fad.scipy.objective(lambda x, c: x**3 - c)
    for method in ("newton", "halley"):
        found = optimize.root_scalar(
            objective.fun, args=(2.0,), x0=1.0, fprime=objective.jac, fprime2=objective.hess, method=method
        )
        assert found.root == pytest.approx(2.0 ** (1.0 / 3.0), rel=1e-14)


@pytest.mark.parametrize(
    ("method", "sparse", "second"),
    [("SLSQP", False, False), ("trust-constr", False, True), ("trust-constr", True, True)],
)
def test_bounds_and_a_nonlinear_constraint(method, sparse, second):
    distance = fad.scipy.objective(lambda x: (x[0] - 2.0) ** 2 + (x[1] - 1.0) ** 2 + x[2] ** 2)
    circle = fad.scipy.objective(lambda x: [x[0] ** 2 + x[1] ** 2, x[0] * x[1] * x[2]], sparse=sparse)
    by_hand = [[20.0, 3.0, 2.0], [3.0, 20.0, 1.0], [2.0, 1.0, 0.0]]
    np.testing.assert_allclose(_dense(circle.hess_dot(np.array([1.0, 2.0, 3.0]), [10.0, 1.0])), by_hand)
    limits = optimize.NonlinearConstraint(
        circle.fun, [-np.inf, -1.0], [1.0, 1.0], jac=circle.jac, **({"hess": circle.hess_dot} if second else {})
    )
    found = optimize.minimize(
        distance.fun,
        [0.1, 0.2, 0.3],
        jac=distance.jac,
        **({"hessp": distance.hessp} if second else {}),
        method=method,
        bounds=[(0.0, 0.6), (None, None), (None, None)],
        constraints=[limits],
        tol=1e-10,
    )
    np.testing.assert_allclose(found.x, [0.6, 0.8, 0.0], atol=1e-4)


def _dense(matrix):
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def test_hess_dot_of_one_number_takes_one_weight():
    objective = fad.scipy.objective(lambda x, c: c * x[0] ** 2 * x[1])
    assert objective.hess_dot([1.0, 3.0], 2.0, 5.0).tolist() == [[60.0, 20.0], [20.0, 0.0]]
    assert objective.hess_dot([1.0, 3.0], [2.0], 5.0).tolist() == [[60.0, 20.0], [20.0, 0.0]]


# -------------------- recorded once, never stale --------------------


def test_recorded_once_and_nothing_is_computed_twice():
    runs = []

    def f(x):
        runs.append(1)
        return rosen(x)

    objective = fad.scipy.objective(f)
    x = near_one(5)
    assert objective.program is None
    objective.fun(x), objective.fun(x.copy())
    assert evaluations(objective) == 1
    objective.jac(x), objective.jac(x)
    before = evaluations(objective)
    for shift in (0.1, 0.2, 0.3):  # gradients were asked for, so now one pass gives both
        objective.fun(x + shift), objective.jac(x + shift), objective.fun(x + shift)
    assert evaluations(objective) == before + 3
    objective.hessp(x, x), objective.hess(x)
    assert len(runs) == 1


def test_each_branch_is_recorded_when_a_point_takes_it():
    def f(x):
        return (x[0] ** 2 if x[0] > 1.0 else 3.0 * x[0]) + x[1]

    objective = fad.scipy.objective(f)
    assert objective.jac([2.0, 0.0]).tolist() == [4.0, 1.0]
    assert objective.jac([0.0, 0.0]).tolist() == [3.0, 1.0]
    assert objective.hessp([3.0, 0.0], [1.0, 0.0]).tolist() == [2.0, 0.0]
    assert objective.hessp([0.5, 0.0], [1.0, 0.0]).tolist() == [0.0, 0.0]
    assert objective.hess([0.5, 0.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert objective.fun([0.5, 0.0]) == 1.5
    assert len(objective.program.variants) == 2


def test_a_solver_may_overwrite_what_it_passes_and_gets():
    objective = fad.scipy.objective(rosen, sparse=True)
    x = near_one(3)
    expected = optimize.rosen_der(x), optimize.rosen_hess(x)
    for _ in range(2):
        gradient, hessian = objective.jac(x), objective.hess(x)
        np.testing.assert_allclose(gradient, expected[0], rtol=1e-12)
        np.testing.assert_allclose(hessian.toarray(), expected[1], rtol=1e-12)
        gradient[:], hessian.data[:] = 7.0, 7.0
    x[0] += 1.0  # in place
    np.testing.assert_allclose(objective.jac(x), optimize.rosen_der(x), rtol=1e-12)


def test_zeros_of_both_signs_are_two_points():
    objective = fad.scipy.objective(lambda x: (1.0 / x).sum())
    assert objective.fun([0.0]) == np.inf
    assert objective.fun([-0.0]) == -np.inf
    assert np.isnan(objective.fun([np.nan]))


def test_other_args_are_seen_also_when_changed_in_place():
    weights = np.array([1.0, 2.0])
    objective = fad.scipy.objective(lambda x, w, power: ((x**power) * w).sum())
    assert objective.fun([3.0, 1.0], weights, 2) == 11.0
    weights[0] = 2.0
    assert objective.fun([3.0, 1.0], weights, 2) == 20.0
    assert objective.jac([3.0, 1.0], weights, 3).tolist() == [54.0, 6.0]


def test_a_copy_in_a_worker_records_for_itself():
    objective = fad.scipy.objective(rosen, sparse=True)
    x = near_one(4)
    objective.fun(x)
    copy = pickle.loads(pickle.dumps(objective))
    assert copy.program is None
    assert copy.fun(x) == objective.fun(x)
    assert copy.hess(x).nnz == 10


def test_errors_name_the_remedy():
    x = [1.0, 2.0]
    several = fad.scipy.objective(lambda x: x * x)
    for ask in (lambda: several.hess(x), lambda: several.hessp(x, x)):
        with pytest.raises(fad.errors.ShapeError, match=r"returns one number, got shape \(2,\); hess_dot"):
            ask()
    with pytest.raises(fad.errors.ShapeError, match=r"v of shape \(3,\): expected that of the value, \(2,\)"):
        several.hess_dot(x, np.ones(3))
    with pytest.raises(fad.errors.ShapeError, match=r"p of shape \(3,\): expected that of x, \(2,\)"):
        fad.scipy.objective(rosen).hessp(x, np.ones(3))
    with pytest.raises(TypeError, match="returned a dict; SciPy takes a number, an array or a list"):
        fad.scipy.objective(lambda x: {"a": x[0]}).fun(x)
    with pytest.raises(fad.errors.NestingError):
        fad.grad(fad.scipy.objective(rosen).fun)(np.ones(2))
    branching = fad.scipy.objective(lambda x: x[0] if x[0] > 0.0 else -x[0], max_variants=1)
    branching.fun([1.0])
    with pytest.raises(fad.errors.DivergenceError, match="max_variants=1"):
        branching.fun([-1.0])


SPECIAL = {"erf": 0.7, "erfc": 0.7, "expit": 0.7, "gammaln": 1.7, "logit": 0.3, "ndtr": 0.7, "ndtri": 0.3, "psi": 1.7}


@pytest.mark.parametrize("name", SPECIAL)
def test_functions_of_scipy_special_that_fastad_has(name):
    """Called on actives they are those of fastad; values of SciPy, differences of them."""
    special = pytest.importorskip("scipy.special")
    function, x, h = getattr(special, name), SPECIAL[name], 1e-5
    slope = (function(x + h) - function(x - h)) / (2 * h)
    for point in (x, np.array([x, 1.1 * x])):
        value, gradient = fad.value_and_grad(lambda x: np.sum(function(x)))(point)
        assert value == pytest.approx(np.sum(function(point)), rel=1e-13)
        assert np.ravel(gradient)[0] == pytest.approx(slope, rel=1e-8)
