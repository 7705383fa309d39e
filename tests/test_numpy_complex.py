"""Complex numbers as pairs of actives. NumPy is the oracle of values, mpmath and differences of derivatives."""

import cmath
import operator
import pickle

import mpmath
import numpy as np
import pytest
from helpers_numpy import directional

import fastad as fad

FUNCTIONS = {
    "exp": (np.exp, mpmath.exp),
    "log": (np.log, mpmath.log),
    "sqrt": (np.sqrt, mpmath.sqrt),
    "sin": (np.sin, mpmath.sin),
    "cos": (np.cos, mpmath.cos),
    "tan": (np.tan, mpmath.tan),
    "sinh": (np.sinh, mpmath.sinh),
    "cosh": (np.cosh, mpmath.cosh),
    "tanh": (np.tanh, mpmath.tanh),
    "log2": (np.log2, lambda z: mpmath.log(z, 2)),
    "log10": (np.log10, mpmath.log10),
    "square": (np.square, lambda z: z * z),
    "reciprocal": (np.reciprocal, lambda z: 1 / z),
    "negative": (np.negative, lambda z: -z),
    "positive": (np.positive, lambda z: z),
    "cube": (lambda z: z**3, lambda z: z**3),
    "inverse square": (lambda z: z**-2, lambda z: z**-2),
    "root": (lambda z: z**0.3, lambda z: z ** mpmath.mpf(0.3)),
    "power": (lambda z: z ** (0.5 - 1j), lambda z: z ** mpmath.mpc(0.5, -1.0)),
    "exponent": (lambda z: (2.0 + 1j) ** z, lambda z: mpmath.mpc(2.0, 1.0) ** z),
    "quotient": (lambda z: (1.0 + 2j) / (z - 0.5), lambda z: mpmath.mpc(1.0, 2.0) / (z - 0.5)),
    "mixed": (lambda z: (z * z - 2j) / (1j * z + 3.0) - z, lambda z: (z * z - 2j) / (1j * z + 3) - z),
}
POINTS = [0.3 + 0.4j, -0.7 + 1.9j, -1.3 - 0.2j, 2.1 - 1.1j, 0.01 + 3.0j, -2.5 + 1e-3j]


def pair(tape, z):
    """The same complex number, made of two actives."""
    z = np.asarray(z)
    x, y = (tape.inputs(part) if z.ndim else tape.input(float(part)) for part in (z.real, z.imag))
    return x + 1j * y


def number(z):
    return fad.value(z.real) + 1j * fad.value(z.imag)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    """Scalars and arrays: NumPy's values; the derivative is that of mpmath in both directions."""
    function, exact = FUNCTIONS[name]
    for point in POINTS:
        tape = fad.Tape()
        z = function(pair(tape, point))
        np.testing.assert_allclose(number(z), function(np.complex128(point)), rtol=5e-15)
        slope = complex(mpmath.diff(exact, mpmath.mpmathify(point)))
        np.testing.assert_allclose(tape.reverse(z.real), [slope.real, -slope.imag], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(tape.reverse(z.imag), [slope.imag, slope.real], rtol=1e-12, atol=1e-13)
    tape = fad.Tape()
    w = function(pair(tape, np.array(POINTS).reshape(2, 3)))
    assert type(w) is fad.ActiveComplex
    np.testing.assert_allclose(number(w), function(np.array(POINTS).reshape(2, 3)), rtol=5e-15)
    assert not tape._guard_rows


CUT = [-2.0, 0.0, -0.0, 3.0]


@pytest.mark.parametrize("name", ["log", "sqrt"])
def test_branch_cuts(name):
    """Above and below the negative real axis, by the sign of the zero."""
    function = FUNCTIONS[name][0]
    for x in CUT:
        for y in (0.0, -0.0, 1.0, -1.0):
            tape = fad.Tape()
            z = function(fad.ActiveComplex(tape.input(x), tape.input(y)))
            with np.errstate(divide="ignore"):
                expected = function(np.complex128(complex(x, y)))
            got = np.complex128(complex(fad.value(z.real), fad.value(z.imag)))
            np.testing.assert_allclose(got, expected, rtol=1e-15)
            assert np.signbit(got.imag) == np.signbit(expected.imag), (x, y)


def test_derivative_of_the_root_at_zero_does_not_poison_what_is_not_chosen():
    z = fad.grad(lambda x: fad.where(x > 0.0, np.sqrt(x + 0.0 * 1j * x).real, 0.0))
    assert z(4.0) == 0.25
    assert z(0.0) == 0.0


@pytest.mark.parametrize("apply", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
@pytest.mark.parametrize(
    "other",
    [2.0, 3, np.float32(0.5), 1.5 - 2j, np.complex128(0.5 + 1j), np.array([1.0, 2.0]), np.array([1j, 2.0 - 1j])],
)
@pytest.mark.parametrize("shape", [(), (2,)], ids=str)
def test_operators_with_everything(apply, other, shape):
    """From either side, with actives and pairs of them."""
    base = np.array([0.7 + 0.4j, -1.2 + 0.9j])[: 2 if shape else 1].reshape(shape)
    tape = fad.Tape()
    z = pair(tape, base)
    for got, expected in (
        (apply(z, other), apply(base, other)),
        (apply(other, z), apply(other, base)),
        (apply(z, z), apply(base, base)),
        (apply(z, z.real + 2.0), apply(base, base.real + 2.0)),
        (apply(z.real + 2.0, z), apply(base.real + 2.0, base)),
    ):
        assert type(got) is fad.ActiveComplex
        assert got.shape == np.shape(expected)
        np.testing.assert_allclose(number(got), expected, rtol=5e-15, atol=1e-15)
    if np.iscomplexobj(other):
        for got, expected in (
            (apply(z.real + 2.0, other), apply(base.real + 2.0, other)),
            (apply(other, z.real + 2.0), apply(other, base.real + 2.0)),
        ):
            np.testing.assert_allclose(number(got), expected, rtol=5e-15, atol=1e-15)


def test_ufuncs_meet_complex_operands():
    tape = fad.Tape()
    x, a = tape.input(0.7), tape.inputs([0.7, -1.2])
    for ufunc in (np.add, np.subtract, np.multiply, np.divide, np.power):
        for active, plain in ((x, 0.7), (a, np.array([0.7, -1.2]))):
            np.testing.assert_allclose(number(ufunc(active, 1.5 + 1j)), ufunc(plain + 0j, 1.5 + 1j), rtol=5e-15)
            np.testing.assert_allclose(number(ufunc(1.5 + 1j, active)), ufunc(1.5 + 1j, plain + 0j), rtol=5e-15)
    for function in (fad.exp, fad.log, fad.sqrt, fad.sin):
        np.testing.assert_allclose(
            number(function(1j * x + 2.0)), getattr(np, function.__name__)(2.0 + 0.7j), rtol=5e-15
        )
        assert function(2.0 + 0.7j) == getattr(np, function.__name__)(2.0 + 0.7j), "the same code on floats"
    assert fad.mul(x, 1j).imag is x
    np.testing.assert_allclose(number(fad.pow(1j * x, 2)), -0.49, atol=1e-16)


def test_parts_that_are_zero_cost_nothing():
    tape = fad.Tape()
    x = tape.input(2.0)
    z = 1j * x
    assert z.real == 0.0
    assert z.imag is x
    assert len(tape) == 1
    np.exp(z)
    assert len(tape) == 3, "a cosine and a sine"
    grid = np.arange(4.0)
    w = 1j * grid * x
    assert type(w.real) is np.ndarray
    assert w.imag.shape == (4,)


def test_parts_and_absolute_values():
    tape = fad.Tape()
    z = pair(tape, np.array(POINTS))
    for f in (
        np.abs,
        abs,
        np.real,
        np.imag,
        np.angle,
        lambda z: z.real,
        lambda z: z.imag,
        lambda z: np.angle(z, deg=True),
    ):
        np.testing.assert_allclose(f(z).value, f(np.array(POINTS)), rtol=1e-15)
    for f in (np.conj, lambda z: z.conj(), lambda z: z.conjugate(), lambda z: +z):
        np.testing.assert_array_equal(number(f(z)), f(np.array(POINTS)))
    origin = pair(tape, 0j)
    assert tape.reverse(abs(origin)).tolist() == [0.0] * 14
    assert np.iscomplexobj(z)
    assert not np.isrealobj(z)
    np.testing.assert_array_equal(fad.value({"z": z})["z"], np.array(POINTS))


LINEAR = {
    "sum": lambda z: np.sum(z, axis=0),
    "sum method": lambda z: z.sum(),
    "mean": lambda z: np.mean(z, axis=1) + z.mean(),
    "cumsum": lambda z: np.cumsum(z, axis=1),
    "diff": np.diff,
    "trapezoid": lambda z: np.trapezoid(z, dx=0.1),
    "reshape": lambda z: np.reshape(z, 6) * z.reshape(6),
    "transpose": np.transpose,
    "concatenate": lambda z: np.concatenate([z, z.real, np.ones((1, 3)) * 1j]),
    "stack": lambda z: np.stack([z[0], z[1]]),
    "where": lambda z: np.where(z.real > 0.0, z, 1j),
    "prod": lambda z: np.prod(z, axis=0),
    "index": lambda z: z[1] * z[0, 2] + z[:, ::-1],
    "mask": lambda z: z[np.array([True, False])],
    "loop": lambda z: sum(row[0] for row in z),
    "shape": lambda z: z * (len(z) + z.ndim + z.size + np.ndim(z) + np.size(z) + np.shape(z)[1]),
}


@pytest.mark.parametrize("name", LINEAR)
def test_arrays(name):
    numbers = np.array(POINTS).reshape(2, 3)
    np.testing.assert_allclose(number(LINEAR[name](pair(fad.Tape(), numbers))), LINEAR[name](numbers), rtol=1e-14)


# -------------------- a pricer --------------------


def heston_call(p, u, weights):
    """Half of the spot less a Fourier integral, in the formulation that does not jump between branches."""
    spot, v0, kappa, theta, sigma, rho = p
    strike, expiry, rate = 110.0, 1.5, 0.02
    iu = 1j * u
    beta = kappa - sigma * rho * (iu + 0.5)
    d = np.sqrt(beta * beta + sigma * sigma * (u * u + 0.25))
    g = (beta - d) / (beta + d)
    e = np.exp(-d * expiry)
    drift = kappa * theta / sigma**2 * ((beta - d) * expiry - 2.0 * np.log((1.0 - g * e) / (1.0 - g)))
    cf = np.exp(drift + v0 / sigma**2 * (beta - d) * (1.0 - e) / (1.0 - g * e))
    k = np.log(spot / strike) + rate * expiry
    integrand = (np.exp(iu * k) * cf).real / (u * u + 0.25)
    discounted = np.sqrt(spot * strike * np.exp(-rate * expiry))
    return spot - discounted / np.pi * (integrand * weights).sum()


NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
U, DU = 25.0 * (NODES + 1.0), 25.0 * WEIGHTS
HESTON = np.array([100.0, 0.04, 1.5, 0.06, 0.5, -0.7])


PRODUCTS = {
    "dot": np.dot,
    "inner": np.inner,
    "outer": np.outer,
    "kron": np.kron,
    "vdot": np.vdot,
    "matmul": np.matmul,
    "operator": operator.matmul,
    "tensordot": lambda a, b: np.tensordot(a, b, 1),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_arrays(name):
    """Real, complex and active operands on either side."""
    product, x, z = PRODUCTS[name], np.array([0.3, -1.2, 0.8]), np.array([1.0 - 2.0j, 0.4j, 0.7 + 0.1j])
    tape = fad.Tape()
    a, c = tape.inputs(x), pair(tape, z)
    for mine, numpys in (
        ((a, z), (x, z)),
        ((z, a), (z, x)),
        ((a, c), (x, z)),
        ((c, a), (z, x)),
        ((x, c), (x, z)),
        ((c, x), (z, x)),
        ((c, z), (z, z)),
        ((z, c), (z, z)),
        ((c, c), (z, z)),
    ):
        np.testing.assert_allclose(number(product(*mine)), product(*numpys), rtol=1e-14)
    weights = np.cos(np.arange(product(x, z).size)).reshape(np.shape(product(x, z)))

    def f(x):
        result = product(1j * x + x * x, z)
        return np.sum(weights * (result.real - 2.0 * result.imag))

    along = np.array([0.2, 1.0, -0.5])
    np.testing.assert_allclose(fad.grad(f)(x) @ along, directional(f, [x], [along]), rtol=1e-8)


def test_products_of_matrices_and_norms():
    matrix = np.array([[1.0, -0.5], [2.0, 0.3]])
    z = np.array([[1.0 - 2.0j, 0.4j], [0.7 + 0.1j, -1.1]])
    tape = fad.Tape()
    a, c = tape.inputs(matrix), pair(tape, z)
    for mine, numpys in ((a @ c, matrix @ z), (c @ a, z @ matrix), (a @ z, matrix @ z), (z @ a, z @ matrix)):
        np.testing.assert_allclose(number(mine), numpys, rtol=1e-14)
    np.testing.assert_allclose(fad.value(np.linalg.norm(c)), np.linalg.norm(z), rtol=1e-14)
    np.testing.assert_allclose(fad.value(np.linalg.norm(c, axis=1)), np.linalg.norm(z, axis=1), rtol=1e-14)
    np.testing.assert_allclose(fad.value(np.linalg.norm(c, 1)), np.linalg.norm(z, 1), rtol=1e-14)
    for ord in (2, -2, "nuc"):
        with pytest.raises(TypeError, match="is not available for matrices"):
            np.linalg.norm(c, ord)
    with pytest.raises(TypeError, match=r"np\.linalg\.eig is not available for complex"):
        np.linalg.eig(c)


def test_a_pricer_by_its_characteristic_function():
    """Value of the same function on floats, gradient and Hessian by differences, replays at other parameters."""
    value, gradient = fad.value_and_grad(heston_call)(HESTON, U, DU)
    np.testing.assert_allclose(value, heston_call(HESTON, U, DU), rtol=1e-13)
    scale = np.array([1.0, 0.01, 0.3, 0.01, 0.1, 0.2])
    for along in np.diag(scale):
        slope = directional(lambda p: heston_call(p, U, DU), [HESTON], [along], h=1e-4)
        np.testing.assert_allclose(gradient @ along, slope, rtol=1e-6, atol=1e-9)
    hessian = fad.hessian(heston_call)(HESTON, U, DU)
    along = scale * np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    curve = directional(lambda p: fad.grad(heston_call)(p, U, DU) @ along, [HESTON], [along], h=1e-4)
    np.testing.assert_allclose(along @ hessian @ along, curve, rtol=1e-6)
    program = fad.record(heston_call, HESTON, U, DU)
    others = HESTON * (1.0 + 0.1 * np.sin(np.arange(18.0)).reshape(3, 6))
    batch = program.batch(others, U, DU, axes=(0, None, None), wrt=0)
    for scenario, p in enumerate(others):
        fresh = fad.value_and_grad(heston_call)(p, U, DU)
        assert batch.value[scenario] == fresh[0]
        np.testing.assert_allclose(batch.gradient[scenario], fresh[1], rtol=1e-13)
    assert len(program.variants) == 1


def test_the_pricer_point_by_point():
    """Scalars instead of arrays: the same numbers."""

    def by_points(p):
        total = 0.0
        for u, w in zip(U.tolist(), DU.tolist()):
            total = total + heston_call(p, u, np.array([w])) - p[0]
        return p[0] + total

    np.testing.assert_allclose(fad.grad(by_points)(HESTON), fad.grad(heston_call)(HESTON, U, DU), rtol=1e-10)


# -------------------- what it refuses --------------------


def test_refusals():
    tape = fad.Tape()
    z = pair(tape, 1.0 + 2j)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        for operands in ((z, z), (z, 1.0), (1.0, z)):
            with pytest.raises(TypeError, match="no order"):
                compare(*operands)
    with pytest.raises(TypeError, match="no order"):
        bool(z)
    for convert in (complex, float, int, cmath.exp, np.array, np.asarray):
        with pytest.raises(TypeError, match=r"fad\.value\(z\)"):
            convert(z)
    for call in (np.floor, np.arctan2, np.expm1):
        with pytest.raises(TypeError, match="not available for complex"):
            call(*[z] * call.nin)
    with pytest.raises(TypeError, match="not available for complex"):
        np.add.reduce(z)
    with pytest.raises(TypeError, match=r"np\.median is not available for complex"):
        np.median(z)
    with pytest.raises(TypeError, match="pickle the Program"):
        pickle.dumps(z)
    with pytest.raises(TypeError, match="unhashable"):
        hash(z)
    for bad in ("a", None, [1.0]):
        with pytest.raises(TypeError):
            z + bad
    a = tape.inputs([1.0, 2.0])
    with pytest.raises(TypeError, match="complex number does not go into a real array"):
        a += 1j
    for item in (z, 1j):
        with pytest.raises(TypeError, match=r"plain complex value|real numbers"):
            a[0] = item
    with pytest.raises(TypeError, match=r"erf is not available for complex"):
        fad.erf(z)
    for bad in (1j, np.complex128(1j), np.ones(2, complex)):
        for name in ("erf", "norm_cdf", "maximum", "hypot"):
            with pytest.raises(TypeError, match=f"{name} is not available for complex"):
                getattr(fad, name)(*[bad] * (1 + (name in ("maximum", "hypot"))))
    with pytest.raises(TypeError, match=r"the function returned ActiveComplex.*return a number"):
        fad.grad(lambda x: 1j * x)(1.0)
    assert "ActiveComplex(Active(1.0), Active(2.0))" in repr(z)


COMBINED = {
    "sum": lambda x: x + 2j,
    "difference": lambda x: x - 2j,
    "product": lambda x: (1j * x).imag * 1j + (1j * x),
    "quotient": lambda x: 1j * x / 1.0,
    "positive": lambda x: +(x + 2j),
    "first power": lambda x: (x + 2j) ** 1,
}


@pytest.mark.parametrize("combine", COMBINED.values(), ids=COMBINED)
def test_writing_into_an_operand_leaves_the_result(combine):
    def f(x, changed):
        x = np.multiply(x, 1.0)
        z = combine(x)
        if changed:
            x[0] = 7.0
        return np.sum(z.real + 3.0 * z.imag)

    x = np.array([0.5, 1.5])
    assert fad.value_and_grad(lambda x: f(x, True))(x)[0] == pytest.approx(f(x, False))
