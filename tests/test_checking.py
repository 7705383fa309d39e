"""check_gradient, tested with wrong rules: it must say which input, by how much, at what step."""

import doctest
import importlib

import numba
import numpy as np
import pytest

import fastad as fad
from fastad.errors import GradientError
from fastad.ops import OPCODE
from fastad.record import sweep
from fastad.record.tape import Tape


@pytest.fixture
def wrong_rule(monkeypatch):
    """Scale the first partial of an operation, as a wrong row of the op table would."""
    right = Tape._sweep_columns

    def use(name, factor):
        def columns(tape):
            partial0 = right(tape).partial0.copy()
            partial0[np.flatnonzero(tape.opcode == OPCODE[name])] *= factor
            return right(tape)._replace(partial0=partial0)

        monkeypatch.setattr(Tape, "_sweep_columns", columns)

    return use


def f(p, v):
    """The maximum, which is v[0], takes no complex numbers: differences must do."""
    return {"sum": (fad.sin(v) * p["a"]).sum(), "wave": fad.cos(p["a"]) * fad.maximum(v[0], -9.0)}


ARGS = ({"a": 0.7, "n": "a note"}, np.array([0.3, -1.2, 2.0]))


def test_right_derivatives_pass():
    report = fad.check_gradient(f, *ARGS)
    assert report.derivatives == 8
    assert report.methods == {"central differences": 8}
    assert report.largest_error < 1e-9
    assert report.dot_product < 1e-14


def test_complex_step_where_the_function_takes_complex_numbers():
    for lib in (np, fad):
        report = fad.check_gradient(lambda x, y, lib=lib: lib.exp(x * y) / (x + 2.0) ** 3, 0.5, np.array([1.0, 2.0]))
        assert report.methods == {"complex step": 6}
        assert report.largest_error < 1e-15


def test_a_complex_step_that_is_no_derivative_is_not_believed():
    """np.abs of a complex number is no analytic function: differences decide."""
    assert fad.check_gradient(lambda x: np.abs(x) * x, -3.0).methods == {"central differences": 1}


@pytest.mark.parametrize(("rule", "factor"), [("sin", 1.001), ("sin", -1.0), ("cos", 0.0), ("cos", np.nan)])
def test_a_wrong_rule_is_found(wrong_rule, rule, factor):
    wrong_rule(rule, factor)
    with pytest.raises(GradientError) as caught:
        fad.check_gradient(f, *ARGS)
    wrong = {(d.output, d.input): d for d in caught.value.differences}
    at = {"sin": {("sum", f"arg1[{k}]") for k in range(3)}, "cos": {("wave", "arg0.a")}}[rule]
    assert set(wrong) == at
    a, v = ARGS[0]["a"], ARGS[1]
    for (_, name), found in wrong.items():
        want = -np.sin(a) * v[0] if rule == "cos" else np.cos(v[int(name[5])]) * a
        assert found.expected == pytest.approx(want, rel=1e-9)
        assert found.fastad == pytest.approx(want * factor, rel=1e-12, nan_ok=True)
        assert 0.0 < found.step < 1.0
        assert found.error < 1e-8
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{len(at)} of 8 derivatives {'is' if len(at) == 1 else 'are'} wrong, d ")
    assert "central differences at step" in str(caught.value)


def test_a_wrong_rule_is_found_by_the_complex_step_and_confirmed(wrong_rule):
    wrong_rule("exp", 1.0 + 1e-5)
    with pytest.raises(GradientError, match=r"off by 2\.7\d*e-05"):
        fad.check_gradient(lambda x: np.exp(x), 1.0)


def test_errors_below_the_tolerance_pass(wrong_rule):
    wrong_rule("sin", 1.0 + 1e-7)
    assert fad.check_gradient(f, *ARGS).largest_error == pytest.approx(1e-7, rel=1.0)
    with pytest.raises(GradientError):
        fad.check_gradient(f, *ARGS, rtol=1e-8, atol=0.0)


def test_modes_that_disagree(monkeypatch):
    right = sweep.tangents
    monkeypatch.setattr(sweep, "tangents", lambda *arguments: right(*arguments) * 1.01)
    with pytest.raises(GradientError, match="forward and reverse mode disagree"):
        fad.check_gradient(f, *ARGS)


def test_what_the_function_hides_is_found():
    with pytest.raises(GradientError, match=r"1 of 2 derivatives is wrong, d y / d arg1 most"):
        fad.check_gradient(lambda x, y: x * fad.stop_gradient(y), 2.0, 3.0)


def test_functions_of_a_short_scale_and_of_a_bounded_domain():
    assert fad.check_gradient(lambda x: fad.exp(x * 1e4), 1e-6).largest_error < 1e-6
    assert fad.check_gradient(lambda x: fad.log(x) + fad.sqrt(1.0 - x), 0.01).largest_error < 1e-6
    assert fad.check_gradient(lambda x: x * x, 1e8).largest_error < 1e-6


def test_many_inputs_are_checked_in_random_directions():
    x = np.linspace(0.0, 1.0, 1500)
    assert fad.check_gradient(lambda x: (x * x).sum(), x).derivatives == 1000
    with pytest.raises(GradientError, match=r"d y / d direction \d+"):
        fad.check_gradient(lambda x: (x * fad.stop_gradient(x)).sum(), x)


def test_example_of_the_docstring():
    result = doctest.testmod(importlib.import_module("fastad.checking"), optionflags=doctest.ELLIPSIS)
    assert result.attempted
    assert not result.failed


def test_jitted_functions_that_take_no_complex_numbers():
    clipped = numba.njit(lambda x: fad.maximum(x[0], 0.5) * x[1])
    assert "central differences" in repr(fad.check_gradient(clipped, np.array([2.0, 3.0])))
