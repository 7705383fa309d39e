"""custom, implicit, checkpoint, scan. Oracles: closed forms, mpmath, the same function recorded row by row."""

import math
import pickle

import mpmath
import numpy as np
import pytest

import fastad as fad
from fastad.extend.checkpoint import advance

sine = fad.custom(math.sin, vjp=lambda y_bar, y, x: y_bar * fad.cos(x))
sine_forward = fad.custom(math.sin, jvp=lambda dots, y, x: fad.cos(x) * dots[0])


class TestCustom:
    @pytest.mark.parametrize("f", [sine, sine_forward], ids=["vjp", "jvp"])
    def test_every_transform(self, f):
        x = 0.7
        assert f(x) == math.sin(x)
        assert fad.grad(f)(x) == pytest.approx(math.cos(x), rel=1e-15)
        assert fad.jvp(f, (x,), (2.0,)) == pytest.approx((math.sin(x), 2.0 * math.cos(x)), rel=1e-15)
        assert fad.hessian(f)(x) == pytest.approx(-math.sin(x), rel=1e-15)
        third = fad.derivative(lambda x: fad.derivative(lambda x: fad.derivative(f, x), x), x)
        assert third == pytest.approx(-math.cos(x), rel=1e-14)
        assert fad.hvp(f, (x,), (3.0,))[1][0] == pytest.approx(-3.0 * math.sin(x), rel=1e-15)
        assert fad.vjp(f, x)[1](2.0) == pytest.approx((2.0 * math.cos(x),), rel=1e-15)

    def test_no_perturbation_confusion(self):
        identity = fad.custom(lambda x: x, vjp=lambda bar, y, x: bar)
        D = fad.derivative
        assert D(lambda x: x * D(lambda y: identity(x) + identity(y), 1.0), 1.0) == 1.0

    def test_one_block_row_whatever_happens_inside(self):
        tape = fad.Tape()
        x = tape.input(0.5)
        y = fad.custom(lambda x: sum(math.sin(x) for _ in range(100)), vjp=lambda bar, y, x: 100 * bar * fad.cos(x))(x)
        assert len(tape) == 3
        assert tape.reverse(y) == pytest.approx([100 * math.cos(0.5)], rel=1e-15)
        assert tape.forward(y, [2.0]) == pytest.approx(200 * math.cos(0.5), rel=1e-15)

    def test_structures_static_arguments_and_unused_adjoints(self):
        def f(p, name, k):
            assert (name, type(k)) == ("a", int)
            return {"s": p["x"] * p["y"].sum() * k, "v": p["y"] * p["x"]}

        def vjp(bar, y, p, name, k):
            x_bar = bar["s"] * p["y"].sum() * k + (bar["v"] * p["y"]).sum()
            return {"x": x_bar, "y": bar["s"] * p["x"] * k + bar["v"] * p["x"]}, None, None

        g = fad.custom(f, vjp=vjp)
        p = {"x": 2.0, "y": np.array([1.0, 3.0])}

        def total(f):
            def number(p):
                r = f(p, "a", 3)
                return r["s"] * r["v"][1] + r["v"][0]

            return number

        expected = fad.grad(total(f))(p)
        found = fad.grad(total(g))(p)
        assert found["x"] == pytest.approx(expected["x"], rel=1e-14)
        assert found["y"] == pytest.approx(expected["y"], rel=1e-14)
        constant_y = fad.grad(lambda x: g({"x": x, "y": p["y"]}, "a", 3)["s"])(2.0)
        assert constant_y == 12.0

    def test_replay_calls_it_again(self):
        calls = []

        def f(x):
            calls.append(x)
            return math.exp(x)

        program = fad.record(lambda x: x * fad.custom(f, vjp=lambda bar, y, x: bar * y)(x), 0.0)
        batch = program.batch(np.array([0.5, 1.0]))
        assert batch.value == pytest.approx([0.5 * math.exp(0.5), math.e], rel=1e-15)
        assert batch.gradient == pytest.approx([1.5 * math.exp(0.5), 2.0 * math.e], rel=1e-15)
        assert calls == [0.0, 0.5, 1.0]
        assert program.value_and_grad(2.0) == pytest.approx((2 * math.e**2, 3 * math.e**2), rel=1e-15)
        assert program.hessian(1.0) == pytest.approx(3 * math.e, rel=1e-15)

    def test_numbers_are_those_of_the_call(self):
        """An array that is filled anew for every call, as simulations do. Oracle: the derivative by hand."""
        square = fad.custom(lambda x, c: c * x * x, vjp=lambda y_bar, y, x, c: (2.0 * c * x * y_bar, None))
        for f in (square, fad.checkpoint(lambda x, c: c * x * x)):

            def total(x, f=f):
                c, result = np.zeros(2), 0.0
                for k in range(3):
                    c[...] = k
                    result = result + np.sum(f(x, c))
                return result

            x = np.array([1.5, -2.0])
            assert fad.grad(total)(x).tolist() == (2.0 * (0.0 + 1.0 + 2.0) * x).tolist()
            assert fad.record(total, x + 1.0).grad(x).tolist() == (6.0 * x).tolist()

    @pytest.mark.parametrize("make", [lambda f: fad.custom(f, vjp=lambda bar, y, x: (bar,)), fad.checkpoint])
    def test_writing_into_an_argument_is_refused(self, make):
        def f(x):
            x[0] = 2.0 * x[1]
            return x * x

        with pytest.raises(TypeError, match="writes into an argument"):
            fad.grad(lambda x: np.sum(make(f)(1.0 * x)))(np.ones(3))

    def test_rules_may_write_into_their_arrays(self):
        def vjp(y_bar, y, x):
            y *= y_bar
            return (y,)

        f = fad.custom(np.exp, vjp=vjp)
        tape = fad.Tape()
        x = tape.inputs([0.5, 1.5])
        found = tape.reverse(f(x), np.eye(2))
        np.testing.assert_array_equal(found, np.diag(np.exp([0.5, 1.5])))

    def test_pickled_where_its_functions_are_importable(self):
        program = pickle.loads(pickle.dumps(fad.record(_sine_times, 0.5)))
        assert program.grad(0.3) == pytest.approx(math.sin(0.3) + 0.3 * math.cos(0.3), rel=1e-15)
        with pytest.raises(TypeError, match="rule of one's own"):
            program.save("never written")

    def test_monte_carlo(self):
        grow = fad.custom(_grow, vjp=lambda bar, y, s, z: (bar * y / s, bar * y * 0.2))

        def payoff(s, z):
            return fad.maximum(grow(s, z[0]) - 1.0, 0.0)

        def plain(s, z):
            return fad.maximum(s * fad.exp(0.2 * z[0]) - 1.0, 0.0)

        a, b = (fad.monte_carlo(f, 1.0, normals=1, paths=300) for f in (payoff, plain))
        assert a.value == pytest.approx(b.value, rel=1e-13)
        assert a.gradient == pytest.approx(b.gradient, rel=1e-13)
        assert a.gradient_stderr == pytest.approx(b.gradient_stderr, rel=1e-12)

    def test_errors(self):
        with pytest.raises(TypeError, match="vjp=, jvp="):
            fad.custom(math.sin)
        wrong_shape = fad.custom(lambda x: x.sum(), vjp=lambda bar, y, x: bar * np.ones(3))
        with pytest.raises(fad.errors.ShapeError, match=r"\(3,\)"):
            fad.grad(wrong_shape)(np.ones(2))
        outer = fad.grad(lambda x: fad.custom(lambda y: x * y, vjp=lambda bar, r, y: bar)(x))
        with pytest.raises(fad.errors.TapeError, match="not among its arguments"):
            outer(1.0)
        numbers_only = fad.custom(math.sin, vjp=lambda bar, y, x: bar * math.cos(x))
        with pytest.raises(TypeError) as raised:
            fad.hessian(numbers_only)(0.5)
        assert any("second derivative" in note for note in raised.value.__notes__)
        with pytest.raises(TypeError, match="dual"):
            sine(fad.Dual(1.0, 1.0))


def _cosine_rule(y_bar, y, x):
    return y_bar * fad.cos(x)


importable_sine = fad.custom(math.sin, vjp=_cosine_rule)


def _sine_times(x):
    return x * importable_sine(x)


def _grow(s, z):
    return s * math.exp(0.2 * z)


def newton(p, q):
    x = 1.0
    for _ in range(100):
        x -= (x**3 + p * x - q) / (3 * x * x + p)
    return x


cubic = fad.implicit(newton, lambda x, p, q: x**3 + p * x - q)


def cubic_exact(p, q):
    return mpmath.findroot(lambda x: x**3 + p * x - q, 1.0)


class TestImplicit:
    def test_derivatives_to_third_order_against_mpmath(self):
        with mpmath.workdps(40):
            for argnum in (0, 1):
                at = [1.5, 2.0]

                def along(t, argnum=argnum, at=at):
                    args = list(at)
                    args[argnum] = t
                    return cubic_exact(*args)

                def ours(t, argnum=argnum, at=at):
                    args = list(at)
                    args[argnum] = t
                    return cubic(*args)

                derivative = ours
                for order in (1, 2, 3):
                    derivative = lambda t, f=derivative: fad.derivative(f, t)  # noqa: E731
                    expected = float(mpmath.diff(along, at[argnum], order))
                    assert derivative(at[argnum]) == pytest.approx(expected, rel=1e-9)

    def test_reverse_is_the_transpose_of_forward_and_mixed_seconds_are_equal(self):
        g = fad.grad(cubic, argnums=(0, 1))(1.5, 2.0)
        assert fad.jvp(cubic, (1.5, 2.0), (0.3, -0.7))[1] == pytest.approx(0.3 * g[0] - 0.7 * g[1], rel=1e-13)
        h = fad.hessian(cubic, argnums=(0, 1))(1.5, 2.0)
        assert h[0][1] == pytest.approx(h[1][0], rel=1e-12)

    def test_systems_and_structures(self):
        """Steady state of a small network: x = A x + b by fixed-point iteration; the derivative is that of solve."""
        a = np.array([[0.1, 0.3, 0.0], [0.2, 0.0, 0.1], [0.0, 0.4, 0.3]])

        def iterate(p):
            x = np.zeros(3)
            for _ in range(500):
                x = p["a"] @ x + p["b"]
            return {"x": x}

        def residual(s, p):
            x = s["x"]
            moved = fad.stack([(p["a"][i] * x).sum() for i in range(3)])
            return {"r": moved + p["b"] - x}

        steady = fad.implicit(iterate, residual)
        p = {"a": a, "b": np.array([1.0, 2.0, 3.0])}
        f = lambda p: (steady(p)["x"] ** 2).sum()  # noqa: E731
        g = lambda p: (np.linalg.solve(np.eye(3) - p["a"], p["b"]) ** 2).sum()  # noqa: E731
        found, expected = fad.grad(f)(p), fad.grad(g)(p)
        for name in p:
            assert found[name] == pytest.approx(expected[name], rel=1e-12)
        h, h_expected = (fad.hessian(lambda b, f=f: f({"a": a, "b": b}))(p["b"]) for f in (f, g))
        assert h == pytest.approx(h_expected, rel=1e-11)

    def test_least_squares_by_more_residuals_than_unknowns(self):
        t = np.linspace(0.0, 1.0, 9)
        x = np.vander(t, 3)
        fit = fad.implicit(lambda y: np.linalg.lstsq(x, y, rcond=None)[0], lambda c, y: _polynomial(c, t) - y)
        y = np.exp(t)
        assert fad.jacobian(fit)(y) == pytest.approx(np.linalg.pinv(x), rel=1e-10, abs=1e-12)

    def test_replay_solves_again(self):
        program = fad.record(lambda p, q: cubic(p, q) * q, 1.5, 2.0)
        for p, q in ((1.0, 1.0), (2.0, 5.0)):
            value, gradient = fad.value_and_grad(lambda p, q: cubic(p, q) * q, argnums=(0, 1))(p, q)
            assert program(p, q) == value
            assert program.value_and_grad(p, q, argnums=(0, 1)) == (value, gradient)
        batch = program.batch(np.array([1.0, 2.0]), np.array([1.0, 5.0]), axes=(0, 0), wrt=1)
        assert batch.gradient[1] == program.grad(2.0, 5.0, argnums=1)

    def test_a_solver_that_stopped_early_raises_and_a_batch_names_the_scenario(self):
        def lazy(a):
            return a if a == 1.0 else 1.0

        root = fad.implicit(lazy, lambda x, a: x * x - a)
        assert fad.grad(root)(1.0) == 0.5
        with pytest.raises(fad.errors.ConvergenceError, match="has not converged"):
            fad.grad(root)(2.0)
        program = fad.record(lambda a: root(a) * 2.0, 1.0)
        with pytest.raises(fad.errors.ConvergenceError) as raised:
            program.batch(np.array([1.0, 1.0, 2.0]))
        assert any("scenario 2" in note for note in raised.value.__notes__)
        not_a_number = fad.implicit(lambda a: math.nan, lambda x, a: x - a)
        with pytest.raises(fad.errors.ConvergenceError):
            fad.grad(not_a_number)(2.0)
        double = fad.implicit(lambda a: a, lambda x, a: (x - a) ** 2)
        with pytest.raises(fad.errors.ConvergenceError, match="singular"):
            fad.grad(double)(2.0)
        with pytest.raises(ValueError, match="cannot determine"):
            fad.grad(fad.implicit(lambda a: np.array([a, a]), lambda x, a: x[0] - a))(1.0)

    def test_residual_with_branches(self):
        def residual(x, a):
            return x - a * a if a > 0.0 else x + 2.0 * a

        f = fad.implicit(lambda a: a * a if a > 0.0 else -2.0 * a, residual)
        program = fad.record(lambda a: f(a), 3.0)
        assert program.grad(3.0) == 6.0
        assert program.grad(-3.0) == -2.0
        assert program.batch(np.array([1.0, -1.0])).gradient == pytest.approx([2.0, -2.0])

    def test_inside_scipys_solver_and_nested_in_custom(self):
        outer = fad.checkpoint(lambda q: cubic(q * q, q + 1.0))
        plain = lambda q: cubic(q * q, q + 1.0)  # noqa: E731
        assert fad.grad(outer)(0.8) == pytest.approx(fad.grad(plain)(0.8), rel=1e-13)
        assert fad.hessian(outer)(0.8) == pytest.approx(fad.hessian(plain)(0.8), rel=1e-11)


def _polynomial(c, t):
    return c[0] * t * t + c[1] * t + c[2]


def logistic(x, i):
    return x * (3.1 - 0.01 * i) * (1.0 - x)


def looped(n):
    def f(x):
        for i in range(n):
            x = logistic(x, i)
        return x

    return f


class TestCheckpointAndScan:
    def test_checkpoint_is_the_function(self):
        def f(p, n):
            y = p["a"]
            for _ in range(n):
                y = fad.sin(y) + p["b"] * y if y > 0.2 else y + 1.0
            return {"y": y, "n": n}

        p = {"a": 0.4, "b": 0.3}
        g = fad.checkpoint(f)
        assert g(p, 5) == f(p, 5)
        assert fad.grad(lambda p: g(p, 5)["y"] * g(p, 2)["y"])(p) == fad.grad(lambda p: f(p, 5)["y"] * f(p, 2)["y"])(p)
        h, expected = (fad.hessian(lambda p, f=f: f(p, 5)["y"])(p) for f in (g, f))
        assert h["a"]["b"] == pytest.approx(expected["a"]["b"], rel=1e-13)
        tape = fad.Tape()
        g({"a": tape.input(0.4), "b": tape.input(0.3)}, 50)
        assert len(tape) == 4

    @pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 50])
    @pytest.mark.parametrize("snapshots", [1, 2, 3, 60, None])
    def test_scan_has_the_bits_of_the_loop(self, n, snapshots):
        f = lambda x: fad.scan(logistic, x, n, snapshots)  # noqa: E731
        assert fad.value_and_grad(f)(0.3) == fad.value_and_grad(looped(n))(0.3)

    def test_scan_forward_and_second_order(self):
        f = lambda x: fad.scan(logistic, x, 20, 3)  # noqa: E731
        assert fad.jvp(f, (0.3,), (1.0,))[1] == pytest.approx(fad.grad(looped(20))(0.3), rel=1e-13)
        assert fad.hessian(f)(0.3) == pytest.approx(fad.hessian(looped(20))(0.3), rel=1e-11)

    def test_states_are_structures_that_may_hold_passive_numbers_and_counters(self):
        def step(state, i):
            x, total, count = state
            return x * 1.01, total + x * x, count + 1

        f = lambda x: fad.scan(step, (x, 0.0, 0), 30, 4)[1]  # noqa: E731
        assert fad.grad(f)(2.0) == pytest.approx(sum(2 * 2.0 * 1.01 ** (2 * i) for i in range(30)), rel=1e-13)
        assert fad.scan(step, (1.0, 0.0, 0), 3)[2] == 3
        assert fad.record(f, 2.0).grad(3.0) == pytest.approx(1.5 * fad.grad(f)(2.0), rel=1e-13)

    def test_no_more_states_are_kept_than_asked_for(self):
        n, snapshots = 100, 6
        alive, most, runs = 0, 0, 0

        class State(float):
            def __del__(self):
                nonlocal alive
                alive -= 1

            def __new__(cls, x):
                nonlocal alive, most
                alive += 1
                most = max(most, alive)
                return float.__new__(cls, x)

        def step(x, i):
            nonlocal runs
            if isinstance(x, float):
                runs += 1
                return State(float(x) * 0.99)
            return x * 0.99

        assert fad.grad(lambda x: fad.scan(step, x, n, snapshots))(State(1.0)) == pytest.approx(0.99**100, rel=1e-12)
        assert most <= snapshots + 4  # those in flight: of a step its argument, result and the leaf itself
        repeats = next(r for r in range(n) if math.comb(snapshots + r, snapshots) >= n)
        assert runs <= (repeats + 1) * n

    def test_schedule_is_optimal(self):
        """Fewest step runs to reverse l steps with s snapshots, by dynamic programming over all schedules."""
        from functools import cache

        @cache
        def best(steps, snapshots):
            if steps <= 1:
                return 0
            if snapshots == 1:
                return steps * (steps - 1) // 2
            return min(m + best(m, snapshots) + best(steps - m, snapshots - 1) for m in range(1, steps))

        @cache
        def ours(steps, snapshots):
            if steps <= 1:
                return 0
            m = advance(steps, snapshots)
            assert 1 <= m < steps
            if snapshots == 1:
                return m + ours(m, 1)
            return m + ours(m, snapshots) + ours(steps - m, snapshots - 1)

        for steps in range(2, 60):
            for snapshots in range(1, 8):
                assert ours(steps, snapshots) == best(steps, snapshots), (steps, snapshots)

    def test_long_scans_do_not_recurse(self):
        f = lambda x: fad.scan(lambda x, i: x * 0.999, x, 3000, snapshots=3000)  # noqa: E731
        assert fad.grad(f)(1.0) == pytest.approx(0.999**3000, rel=1e-12)

    def test_errors(self):
        with pytest.raises(ValueError, match="at least 0"):
            fad.scan(logistic, 0.3, -1)
        with pytest.raises(ValueError, match="at least 1"):
            fad.scan(logistic, 0.3, 3, snapshots=0)
        with pytest.raises(fad.errors.TapeError, match="not among its arguments"):
            fad.grad(lambda a: fad.scan(lambda x, i: x * a, 0.3 * a, 3))(2.0)


@pytest.mark.parametrize("whole", [0, np.int64(0), np.float32(0)])
def test_integers_are_numbers_of_a_result(whole):
    """The rule is asked for them, too, and a replay may meet a float where an integer was recorded."""
    f = fad.custom(lambda x: x if x > 0.0 else whole, vjp=lambda y_bar, y, x: 7.0 * y_bar)
    assert fad.grad(f)(-1.0) == fad.grad(f)(1.0) == 7.0
    assert fad.record(f, 1.0).batch(np.array([1.0, -1.0])).gradient.tolist() == [7.0, 7.0]
    relu = fad.checkpoint(lambda x: x if x > 0.0 else whole)
    assert fad.record(relu, 1.0).batch(np.array([1.0, -1.0])).gradient.tolist() == [1.0, 0.0]
    table = fad.custom(lambda x: np.arange(3), vjp=lambda y_bar, y, x: y_bar.sum())
    assert fad.grad(lambda x: table(x).sum())(1.0) == 3.0


def test_a_solver_may_give_integers():
    root = fad.implicit(lambda a: 2, lambda x, a: x * x - a)
    assert fad.grad(root)(4.0) == 0.25


def test_complex_results_are_refused():
    """They would be constants."""
    rotated = fad.checkpoint(lambda x: np.exp(1j * x))
    root = fad.implicit(lambda a: a**0.5, lambda x, a: x * x - a)
    for f in (lambda x: rotated(x).imag, root):
        with pytest.raises(TypeError, match="returned complex numbers"):
            fad.grad(f)(-4.0)
