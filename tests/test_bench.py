"""The benchmarks' own oracles, and that a wrong answer or a slowdown does not pass."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bench import __main__ as cli
from bench import plots, report, timing
from bench.core import Row
from bench.oracles import differs
from bench.problems import (
    PROBLEMS,
    break_even,
    bundle,
    down_and_out,
    elementwise,
    end_to_end,
    gmm,
    kmeans,
    libor,
    llsq,
    local_vol,
    long_tape,
    lse,
    many_paths,
    ode,
    rosenbrock,
    sparse_hessian,
    sparse_jacobian,
)
from bench.tools import IN_CPP, installed, numba_value, usable, ways
from bench.tools import numpy as numpy_tool
from bench.tools.cpp import library


def complex_step(f, x):
    return [f([v + 1e-30j * (i == j) for j, v in enumerate(x)]).imag / 1e-30 for i in range(len(x))]


def test_rosenbrock_known_gradient():
    x = np.linspace(-1.2, 1.5, 10)
    value, gradient = rosenbrock.known(x)
    assert value == pytest.approx(rosenbrock.objective(x.tolist()), rel=1e-14)
    np.testing.assert_allclose(gradient, complex_step(rosenbrock.objective, x.tolist()), rtol=1e-13)


def test_down_and_out_by_hand():
    params = list(down_and_out.PARAMS.values())
    z = np.random.default_rng(5).standard_normal((20, down_and_out.COLUMNS - 1))

    def maximum(x, y):
        return x if complex(x).real > y else y

    rows = down_and_out.by_hand(params, z)
    assert np.count_nonzero(rows[:, 0]) > 3
    for path, row in zip(z, rows):
        want = complex_step(lambda p, path=path: down_and_out.payoff(p, path, np.exp, np.tanh, maximum), params)
        np.testing.assert_allclose(row[1:], want, rtol=1e-9, atol=1e-9)
        assert row[0] == pytest.approx(down_and_out.payoff(params, path, np.exp, np.tanh, max), rel=1e-12)


def test_libor_golden_path():
    """The published check of Giles' code at z = 0.3: value and last delta; sums from an independent complex step."""
    sample = libor.by_hand(np.full(80, 0.05), np.full(80, 0.2), np.full((1, 40), 0.3))[0]
    assert sample[0] == pytest.approx(224.323312043571, rel=1e-13)
    assert sample[80] == pytest.approx(21.348143019153, rel=1e-12)
    assert sample[1:81].sum() == pytest.approx(1088.680194899907, rel=1e-12)
    assert sample[81:].sum() == pytest.approx(917.561297852462, rel=1e-12)


def test_libor_by_hand():
    rng = np.random.default_rng(7)
    rates, vols, z = rng.uniform(0.03, 0.07, 80), rng.uniform(0.1, 0.3, 80), rng.standard_normal((2, 40))

    def maximum(x, y):
        return x if complex(x).real > y else y

    for path, row in zip(z, libor.by_hand(rates, vols, z)):
        assert row[0] == pytest.approx(libor.payoff(rates.tolist(), vols.tolist(), path, np.exp, max), rel=1e-12)
        for k in (0, 20, 39, 40, 79, 80, 81, 119, 158, 159):
            bumped = (np.concatenate([rates, vols]) + 1e-30j * (np.arange(160) == k)).tolist()
            slope = libor.payoff(bumped[:80], bumped[80:], path, np.exp, maximum).imag / 1e-30
            assert row[1 + k] == pytest.approx(slope, rel=1e-9, abs=1e-9)


def test_values_by_numba_match_the_payoffs():
    """The numbers that ratios are taken against: the same path as the plain payoff, at a count off the blocks."""
    rng = np.random.default_rng(8)
    rates, vols, z = rng.uniform(0.03, 0.07, 80), rng.uniform(0.1, 0.3, 80), rng.standard_normal((70, 40))
    value, _ = numba_value.libor(libor.Data(rates, vols, z), 2)()
    assert value == pytest.approx(libor.by_hand(rates, vols, z)[:, 0].mean(), rel=1e-12)
    assert local_vol.check(20_000, numba_value.local_vol(20_000, 2)()) == ""
    x = np.linspace(-5.0, 5.0, 201)
    np.testing.assert_allclose([numba_value.plain_exp(v) for v in x], np.exp(x), rtol=1e-14)


@pytest.mark.parametrize("name", ["asian", "heston"])
def test_values_of_paths_by_numba(name):
    """As the plain payoff, at a count off the blocks."""
    (data,) = PROBLEMS[name].cases(True).values()
    data = replace(data, z=data.z[:70])
    value, _ = ways("numba_value")[name](data, 2)()
    assert value == pytest.approx(data.payoff(data.params.tolist(), np.moveaxis(data.z, 0, -1)).mean(), rel=1e-12)


def test_long_tape_known_answer():
    value, by_x, by_y = long_tape.known(1.5, 0.9, 10)
    assert value == pytest.approx(long_tape.f(1.5, 0.9, 10), rel=1e-13)
    assert [by_x, by_y] == pytest.approx(complex_step(lambda v: long_tape.f(*v, 10), [1.5, 0.9]), rel=1e-12)


def logsumexp(x, axis):
    top = np.real(x).max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis)


@pytest.mark.parametrize("module", [lse, llsq, ode, gmm])
def test_gradients_of_arrays_by_hand(module):
    """Against complex steps through the objective that the array tools differentiate."""
    (case,) = module.cases(True).values()
    flat = np.concatenate([x.ravel() for x in case.params])
    parts = np.split(flat, np.cumsum([x.size for x in case.params])[:-1])
    assert all(np.array_equal(a, b.ravel()) for a, b in zip(parts, case.params))
    options = {"logsumexp": logsumexp} if module is gmm else {}

    def f(x):
        split = np.split(np.array(x), np.cumsum([p.size for p in case.params])[:-1])
        return module.objective(np, [a.reshape(p.shape) for a, p in zip(split, case.params)], case.constants, **options)

    if module is lse:
        flat = flat[:20]  # of 1,000: one evaluation each
        case = case._replace(params=(flat,))
    got = np.concatenate([x.ravel() for x in module.known(case)])
    np.testing.assert_allclose(got, complex_step(f, flat.tolist()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", elementwise.FUNCTIONS)
def test_gradients_of_elementwise_sums_by_hand(name):
    x = np.linspace(-1.2, 1.5, 10)
    by_steps = complex_step(lambda x: elementwise.FUNCTIONS[name](np, np.array(x)), x.tolist())
    np.testing.assert_allclose(elementwise.DERIVATIVES[name](x), by_steps, rtol=1e-13, atol=1e-15)


def test_newton_direction_of_kmeans_by_hand():
    """Gradient and diagonal of the Hessian by differences of the cost, which is quadratic between its kinks."""
    (case,) = kmeans.cases(True).values()
    (centroids,), h = case.params, 1e-3
    middle = kmeans.objective(np, (centroids,), case.constants)
    direction = kmeans.known(case)[0]
    for at in np.ndindex(centroids.shape):
        step = np.zeros_like(centroids)
        step[at] = h
        up, down = (kmeans.objective(np, (centroids + sign * step,), case.constants) for sign in (1.0, -1.0))
        assert (up - down) / 2.0 / h / ((up - 2.0 * middle + down) / h**2) == pytest.approx(direction[at], abs=2e-2)


def test_gradients_of_paths_by_complex_steps():
    data = break_even.Data(np.array(list(down_and_out.PARAMS.values())), np.random.default_rng(2).normal(size=(9, 99)))
    np.testing.assert_allclose(
        break_even.gradients(data), down_and_out.by_hand(data.params, data.z)[:, 1:], rtol=1e-9, atol=1e-9
    )


def test_what_differs_is_told():
    assert differs("slope", [1.0, 2.0], [1.0, 2.0 + 1e-9], 1e-8) == ""
    assert differs("slope", [1.0, 2.5], [1.0, 2.0], 1e-8) == f"slope[1] is {np.float64(2.5)!r}, known {np.float64(2)!r}"
    assert "nan" in differs("slope", [np.nan, 2.0], [1.0, 2.0], 1e-8)
    assert "shape (1,), expected (2,)" in differs("slope", [1.0], [1.0, 2.0], 1e-8)
    assert differs("zeros", np.zeros(3), np.zeros(3), 1e-8) == ""
    assert "zeros[2]" in differs("zeros", [0.0, 0.0, 1e-9], np.zeros(3), 1e-8)


def test_finite_differences_are_right_to_a_few_digits_only():
    data = next(iter(PROBLEMS["sensitivities"].cases(True).values()))
    way = ways("finite_differences")["sensitivities"]
    answer = way(data, 2)()
    assert PROBLEMS["sensitivities"].rough(data, answer) == ""
    assert "vegas" in PROBLEMS["sensitivities"].check(data, answer)
    row = Row("sensitivities", "", "finite_differences", 1, "call")
    assert timing.start(PROBLEMS["sensitivities"], data, row, way, fresh=True) is not None
    assert row.failure == ""
    assert timing.start(PROBLEMS["sensitivities"], data, row, way.way, fresh=True) is None
    assert "vegas" in row.failure


def test_a_tool_may_decline_a_case(short, monkeypatch, capsys):
    monkeypatch.setitem(numpy_tool.WAYS, "normals", lambda n, threads: None)
    assert cli.main(["run", "normals", "--tools", "numpy", "--quick"]) == 0
    assert "WRONG" not in capsys.readouterr().out


def test_pictures(tmp_path):
    """A PNG for each problem that was timed: bars, ratios over sensitivities, times over paths."""
    rows = [row("fastad", 1.0, 1.1, 1.2), row("jax", 2.0, 2.1, 2.2), replace(row("fastad", 0.6, 0.7), threads=2)]
    for count in (90, 120):
        for tool, time in (("numba_value", 1.0), ("fastad", 2.0)):
            name = f"{count} sensitivities"
            rows.append(replace(row(tool, time, time), problem="sensitivities", case=name))
            rows.append(replace(row(tool, time, time), problem="break_even", case=f"{count:,} paths"))
    rows.append(replace(row("fastad"), problem="lse"))  # failed: nothing to draw
    files = plots.draw(sorted(rows, key=lambda row: row.problem), str(tmp_path / "new"))
    assert [file.name for file in files] == ["break_even.png", "rosenbrock.png", "sensitivities.png"]
    assert all(file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for file in files)


def test_ratios_are_to_the_baseline_of_the_same_size(monkeypatch):
    sizes = ((90, 1.0, 3.0), (120, 2.0, 4.0))
    rows = [
        replace(row(tool, time, time), problem="sensitivities", case=f"{count} sensitivities")
        for count, base, time_of_ours in sizes
        for tool, time in (("numba_value", base), ("fastad", time_of_ours))
    ]
    figure = plots._lines("sensitivities", rows, "number", ratio=True)
    lines = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].get_lines()}
    assert lines == {"fastad": [[90.0, 3.0], [120.0, 2.0]], "numba_value": [[90.0, 1.0], [120.0, 1.0]]}


def test_wrong_answers_are_told():
    data = down_and_out.Data(np.array(list(down_and_out.PARAMS.values())), np.zeros((2, down_and_out.COLUMNS - 1)))
    data.__dict__["by_hand"] = np.array([down_and_out.ORACLE, np.full(7, 1e-3)])
    right = down_and_out.ORACLE
    assert down_and_out.check(data, (right[0], right[1:])) == ""
    assert down_and_out.check(data, (right[0], None)) == ""
    assert "sigma" in down_and_out.check(data, (right[0], right[1:] * [1, 1, 1, 1, 1 + 1e-8, 1]))
    assert "price" in down_and_out.check(data, (float("nan"), None))
    vegas = np.zeros((31, 36))
    assert "price" in local_vol.check(10_000, (1.3, None))
    assert "sum of vegas" in local_vol.check(10**9, (local_vol.ORACLE["price"][0], (0.0355098636, vegas)))
    x = np.linspace(-1.2, 1.5, 10)
    value, gradient = rosenbrock.known(x)
    assert rosenbrock.check(x, (value, gradient)) == ""
    assert "gradient" in rosenbrock.check(x, (value, gradient * 1.001))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(timing, "SHORTEST_SAMPLE", 1e-4)


def test_run_writes_what_report_and_compare_read(short, tmp_path, capsys):
    file = str(tmp_path / "a.json")
    assert cli.main(["run", "normals", "--tools", "numpy", "--quick", "--json", file]) == 0
    table = capsys.readouterr().out
    assert "right" in table
    result = json.loads((tmp_path / "a.json").read_text())
    assert result["machine"]["simd"]
    assert result["machine"]["versions"]["numpy"] == np.__version__
    assert len(result["rows"][0]["samples"]) == timing.ROUNDS[True]
    assert cli.main(["report", file]) == 0
    assert table in capsys.readouterr().out
    assert cli.main(["compare", file, file]) == 0
    assert cli.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in PROBLEMS)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"[1", "not a result file"), (b"\xff\xfe", "not a result file"), (b"{}", "not a result")],
)
def test_what_is_no_result_file_is_told(tmp_path, content, words):
    file = tmp_path / "run.json"
    if content is not None:
        file.write_bytes(content)
    for arguments in (["report", str(file)], ["compare", str(file), str(file)]):
        with pytest.raises(SystemExit, match=words):
            cli.main(arguments)


@pytest.mark.parametrize("threads", ["two", "1,", "0", "100000"])
def test_threads_are_numbers_up_to_the_cores(threads, capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "normals", "--threads", threads])
    assert "argument --threads: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "words"), [(lambda n: np.ones(n), "mean is 1"), (lambda n: 1 / 0, "ZeroDivisionError: division by zero")]
)
def test_a_wrong_or_failing_tool_makes_the_run_fail(short, monkeypatch, capsys, call, words):
    monkeypatch.setitem(numpy_tool.WAYS, "normals", lambda n, threads: lambda: call(n))
    assert cli.main(["run", "normals", "--tools", "numpy", "--quick"]) == 1
    out = capsys.readouterr().out
    assert "WRONG" in out
    assert words in out


def test_pictures_of_times_against_sizes(tmp_path):
    rows = [
        Row("sparse_jacobian", f"band, {n:,} variables", tool, 1, "non-zero", samples=[t, t], items=3 * n)
        for n in (1_000, 10_000)
        for tool, t in (("fastad", 1e-7), ("jax", 2e-8))
    ]
    assert plots.families([*rows, row("fastad", 1.0)]) == {"band, n variables": rows}
    ax = plots._growing("sparse_jacobian", plots.families(rows)).axes[0]
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    np.testing.assert_allclose(lines["fastad"], [[3e3, 3e-4], [3e4, 3e-3]])
    np.testing.assert_allclose(lines["jax"], [[3e3, 6e-5], [3e4, 6e-4]])
    assert ax.get_title() == "band, n variables"
    report.save(str(tmp_path / "a.json"), rows, False, [], 0.0)
    assert cli.main(["report", str(tmp_path / "a.json"), "--plot", str(tmp_path)]) == 0
    assert (tmp_path / "sparse_jacobian.png").stat().st_size > 1000


def test_bundle_adjustment_by_hand():
    """Residuals in vector form (Rodrigues' formula by SciPy), and derivatives by central differences."""
    data = bundle.made_up(3, 5, 20)
    values, slopes = data.by_hand
    for i in range(data.n):
        camera, point = data.cameras[data.camera_of[i]], data.points[data.point_of[i]]
        seen = Rotation.from_rotvec(camera[:3]).apply(point - camera[3:6])
        on_plane = seen[:2] / seen[2]
        square = on_plane @ on_plane
        pixel = camera[6] * on_plane * (1.0 + camera[9] * square + camera[10] * square**2) + camera[7:9]
        np.testing.assert_allclose(values[i], data.weights[i] * (pixel - data.features[i]), rtol=1e-10, atol=1e-10)
    inputs, h = data.inputs.T, 1e-6
    for j in range(bundle.INPUTS):
        step = h * (np.arange(bundle.INPUTS) == j)[:, None]
        up, down = (np.array(bundle.residuals(inputs + s * step, data.features.T)) for s in (1.0, -1.0))
        np.testing.assert_allclose(slopes[:, :, j], ((up - down) / (2.0 * h)).T, rtol=1e-5, atol=1e-4)
    indptr, indices = data.structure
    assert indptr[-1] == indices.size == 31 * data.n
    assert (np.diff(indices.reshape(-1)[: 30 * data.n].reshape(-1, 15), axis=1) > 0).all()
    assert "an element is off" in bundle.check(data, (values, np.zeros(31 * data.n)))


@pytest.mark.parametrize("problem", [sparse_jacobian, sparse_hessian], ids=lambda p: p.PROBLEM.name)
def test_sparse_systems_written_out(problem):
    """Jacobians by complex step; Hessians by central differences of complex steps."""
    for name, system in problem.PROBLEM.cases(True).items():
        x, f = system.x, lambda x, system=system: system.f(x, sparse_jacobian.NUMPY)
        known = system.known.toarray()
        rng = np.random.default_rng(0)
        v, w = rng.normal(size=(2, x.size))
        if problem is sparse_jacobian:
            np.testing.assert_allclose(known @ v, f(x + 1e-30j * v).imag / 1e-30, rtol=1e-10, atol=1e-10, err_msg=name)
        else:
            slopes = [f(x + s * 1e-5 * w + 1e-30j * v).imag / 1e-30 for s in (1.0, -1.0)]
            assert v @ known @ w == pytest.approx((slopes[0] - slopes[1]) / 2e-5, rel=1e-6), name
        assert problem.check(system, system.known) == ""
        assert "off by" in problem.check(system, 1.001 * system.known)


def row(tool, *samples):
    return Row("rosenbrock", "n = 10", tool, 1, "call", 0.1, 0.1, list(samples))


def test_compare_flags_a_slowdown_beyond_noise_and_drift():
    old = [row("fastad", 1.0, 1.01, 1.02), row("jax", 2.0, 2.01, 2.02), row("xad", 3.0, 3.01, 3.02)]

    def slower(*factors):
        new = [replace(r, samples=[f * s for s in r.samples]) for r, f in zip(old, factors)]
        return report.compare(old, new)[1]

    assert not slower(1.0, 1.0, 1.0)
    assert not slower(1.03, 1.0, 1.0)  # within the floor
    assert slower(1.2, 1.0, 1.0)
    assert not slower(1.5, 1.5, 1.5)  # the machine, not fastad
    assert slower(1.5, 1.2, 1.2)
    assert not slower(0.5, 1.0, 1.0)
    noisy = [row("fastad", 0.8, 1.01, 1.4)]
    assert not report.compare(noisy, [row("fastad", 1.2, 1.21, 1.22)])[1]
    assert report.compare([], noisy) == ("no measurement in common", False)


def test_a_process_tells_its_time_and_memory():
    timed = many_paths.child(2_000, 1)()
    assert many_paths.check(2_000, timed.answer) == ""
    assert timed.seconds > 0.0
    assert timed.peak_bytes > 2**24
    assert "price" in many_paths.check(2_000, timed.answer | {"price": 7.0})


def test_checks_of_end_to_end_runs():
    """Answers that are off in one number by more than noise explains are wrong."""
    call, swaptions = end_to_end.cases(False).values()
    price, *gradient = down_and_out.ORACLE
    assert end_to_end.check(call, (price, [np.array(gradient)])) == ""
    assert "sigma" in end_to_end.check(call, (price, [np.array(gradient) * [1, 1, 1, 1, 2, 1]]))
    deltas, vegas = np.zeros(80), np.zeros(80)
    deltas[40], deltas[0] = 135.04, 1758.2 - 135.04
    vegas[39], vegas[0] = 5.655, 224.02 - 5.655
    assert end_to_end.check(swaptions, (47.65, (deltas, vegas))) == ""
    assert "price" in end_to_end.check(swaptions, (51.0, (deltas, vegas)))
    assert "sum of vegas" in end_to_end.check(swaptions, (47.65, (deltas, 1.1 * vegas)))


def test_normals_drawn_by_several_threads():
    z = end_to_end.draw(1_001, 3, 5, 2)
    assert np.array_equal(z, end_to_end.draw(1_001, 3, 5, 2))
    assert abs(z.mean()) < 4.0 / np.sqrt(z.size)
    assert abs(z.var() - 1.0) < 4.0 * np.sqrt(2.0 / z.size)


FASTAD_DOES = [
    "asian",
    "heston",
    "libor",
    "sensitivities",
    "local_vol",
    "end_to_end",
    "long_tape",
    "scaling",
    "break_even",
    "jacobians",
    "record_operations",
    "bundle",
    "sparse_jacobian",
    "sparse_hessian",
]


@pytest.mark.parametrize("problem", [*FASTAD_DOES, "lse", "llsq", "kmeans", "gmm", "ode"])
def test_fastad_answers_right(problem):
    """One call of every case at quick sizes, checked as a run does; the other tools are checked by a run."""
    for name in ("fastad", "fastad_value"):
        way = ways(name).get(problem)
        for data in PROBLEMS[problem].cases(True).values() if way else ():
            assert PROBLEMS[problem].check(data, way(data, 2)()) == ""


def test_a_tool_that_is_not_installed_is_skipped_in_one_line(short, monkeypatch, capsys):
    monkeypatch.setitem(cli.TOOLS, "jax", "no_such_package_at_all")
    assert cli.main(["run", "normals", "--tools", "jax,numpy", "--quick"]) == 0
    assert "jax: skipped, no_such_package_at_all is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("tool", IN_CPP)
def test_a_tool_in_cpp_without_its_headers_is_skipped_in_one_line(tool, monkeypatch, tmp_path):
    monkeypatch.setenv(f"{tool.upper()}_INCLUDE", str(tmp_path))
    doing, (line,) = usable([tool])
    assert doing == {}
    assert line.startswith(f"{tool}: skipped, a C++ compiler with ")
    assert f"(set {tool.upper()}_INCLUDE to " in line
    with pytest.raises(ImportError, match=f"set {tool.upper()}_INCLUDE to its folder"):
        next(iter(ways(tool).values()))(next(iter(PROBLEMS["record_loop"].cases(True).values())), 1)


@pytest.mark.parametrize("tool", IN_CPP)
def test_tools_in_cpp_answer_right(tool):
    if not installed(tool):
        pytest.skip(f"{tool} is not installed")
    answers_right(ways(tool))


def answers_right(ways):
    for problem, way in ways.items():
        for name, data in PROBLEMS[problem].cases(True).items():
            assert PROBLEMS[problem].check(data, way(data, 1)()) == "", name


COMPLEX_STEPS = """
#include <complex.hpp>

#include "shared.hpp"

const Complex STEP{0.0, 1e-30};

void record_loop(double x, double y, int64_t n, int reverse, double* out) {
    out[0] = loop(x, y, n);
    if (!reverse) return;
    out[1] = loop(x + STEP, Complex(y), n).imag() / 1e-30;
    out[2] = loop(Complex(x), y + STEP, n).imag() / 1e-30;
}

static void observation(const double* at, const double* feature, double* errors, double* J) {
    residuals(at, feature, errors);
    for (int j = 0; j < INPUTS; ++j) {
        Complex x[INPUTS], e[2];
        for (int i = 0; i < INPUTS; ++i) x[i] = at[i];
        x[j] += STEP;
        residuals(x, feature, e);
        for (int k = 0; k < 2; ++k) J[INPUTS * k + j] = e[k].imag() / 1e-30;
    }
}

void bundle(const Observations* seen, double* errors, double* elements) {
    one_by_one(seen, errors, elements, observation);
}
"""


@pytest.fixture
def written(monkeypatch, tmp_path):
    """A tool in C++ that is always there where a compiler is: header, library and source in a folder."""
    if not library._compiler():
        pytest.skip("no C++ compiler")
    header = "#include <complex>\nusing Complex = std::complex<double>;\n#define STEPS 1.2\n"
    (tmp_path / "complex.hpp").write_text(header)
    (tmp_path / "steps.cpp").write_text(COMPLEX_STEPS)
    (tmp_path / "shared.hpp").write_text((library.SOURCES / "shared.hpp").read_text())
    monkeypatch.setattr(library, "SOURCES", tmp_path)
    monkeypatch.setenv("STEPS_INCLUDE", str(tmp_path))
    return library.Library("steps", "complex.hpp", version=("complex.hpp", r"STEPS (\S+)"))


def test_what_tools_in_cpp_share(written):
    """Formulas, entry points and compilation, with derivatives by complex steps."""
    assert written.found() == "1.2"
    answers_right(written.ways())
    assert replace(written, version=("complex.hpp", "no such line")).found() == "unknown"
    assert replace(written, link="no_such_library").found() is None


def test_a_tool_in_cpp_that_does_not_compile(written, tmp_path):
    (tmp_path / "steps.cpp").write_text("int main() { return nothing; }")
    with pytest.raises(RuntimeError, match=r"steps.cpp does not compile(.|\n)*nothing"):
        written.load()


def test_a_problem_without_what_it_needs_is_skipped_in_one_line(short, monkeypatch, capsys):
    monkeypatch.setitem(PROBLEMS, "normals", replace(PROBLEMS["normals"], needs="no_such_package_at_all"))
    assert cli.main(["run", "normals", "--tools", "numpy", "--quick"]) == 0
    assert "normals: skipped, no_such_package_at_all is not installed" in capsys.readouterr().err


def test_imports_are_relative():
    """The package has another name where it is installed."""
    for path in Path(timing.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").split(".")[0] != "bench", path
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] != "bench" for alias in node.names), path
