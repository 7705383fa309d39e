"""The learning examples run, and what they print is true."""

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
FOLDER = Path(__file__).resolve().parents[1] / "examples" / "learn"
PAGES = sorted(FOLDER.parent.glob("*.md"))


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a script's main with its constants changed; returns what it printed and what main returned."""

    def script(name, *args, **constants):
        monkeypatch.syspath_prepend(str(FOLDER))
        monkeypatch.setattr(sys, "argv", [name, "--picture", str(tmp_path)])
        main = runpy.run_path(str(FOLDER / f"{name}.py"))["main"]
        main.__globals__.update(constants)
        result = main(*args)
        assert (tmp_path / f"{name}.svg").stat().st_size > 1000
        return capsys.readouterr().out, result

    return script


def rows_of(text):
    """Cells of the lines that begin with a number."""
    return [line.split() for line in text.splitlines() if re.match(r"\s*\d", line)]


def test_traces(run):
    text, _ = run("traces")
    assert "v_0 * v_-1' + v_-1 * v_0'" in text
    assert "~v_-1 + (1.0 / v_-1) * ~v_1" in text
    assert f"{2.0 - np.cos(5.0):.8f}" in text


def test_product_and_sine(run):
    assert f"fastad: {3.0 + np.cos(2.0):.6f}" in run("product_and_sine")[0]


def test_wasted_zeros(run):
    """Of n (2n + 2(n - 1)) products, direction k has factors other than zero in 2 squares and the sums behind x_k."""
    for n, forward, zeros, _, _, reverse in rows_of(run("wasted_zeros")[0]):
        n = int(n)
        useful = sum(2 + 1 + (n - 1 - max(k, 1)) for k in range(n))
        assert int(forward) == n * int(reverse) == n * (4 * n - 2)
        assert int(forward) - int(zeros) == useful


def test_paths(run):
    for stages, paths, edges, by_paths, *_, sweep in rows_of(run("paths")[0]):
        assert (int(paths), int(edges)) == (3 ** int(stages), 7 * int(stages))
        assert float(sweep) == pytest.approx(0.9 ** int(stages), rel=1e-5)
        assert by_paths in ("too", sweep)


def test_dual_numbers(run):
    """Both derivatives of the function of Squire & Trapp (1998), to the digits given for it by SymPy."""
    text, _ = run("dual_numbers")
    assert "f'(1.5)  = 4.0534278938986" in text
    first, second = (float(re.search(rf"f{mark}\(1.5\) +=\s+(\S+)", text)[1]) for mark in ("'", "''"))
    h = 1e-60
    f = lambda x: np.exp(x) / np.sqrt(np.sin(x) ** 3 + np.cos(x) ** 3)  # noqa: E731
    assert first == pytest.approx(f(1.5 + 1j * h).imag / h, rel=1e-14)
    step = 1e-4
    slopes = [f(x + 1j * h).imag / h for x in (1.5 + step, 1.5 - step)]
    assert second == pytest.approx((slopes[0] - slopes[1]) / (2 * step), rel=1e-6)


def test_which_mode(run):
    """Forward costs inputs, reverse outputs: the lines cross where there are as many of both."""
    for n, m, forward, reverse, *_, best in rows_of(run("which_mode")[0]):
        assert int(forward) * int(m) == int(reverse) * int(n)
        assert best == ("either" if n == m else "forward" if int(n) < int(m) else "reverse")


def test_digits(run):
    pytest.importorskip("sklearn")
    text, accuracy = run("digits", EPOCHS=10)
    assert accuracy > 0.95
    assert "2410 parameters" in text


def test_logistic(run):
    """Coefficients against scikit-learn's, their derivative against its fits at other ridges."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    pytest.importorskip("scipy.optimize")
    text, (w, by_ridge) = run("logistic")
    data = runpy.run_path(str(FOLDER / "logistic.py"))["data"]
    _, features, labels = data()

    def refitted(ridge):
        model = linear_model.LogisticRegression(C=1.0 / ridge, tol=1e-12, solver="newton-cholesky")
        model.fit(features, labels)
        return np.array([*model.intercept_, *model.coef_[0]])

    np.testing.assert_allclose(w, refitted(1.0), rtol=0.0, atol=1e-7)  # gtol, over a curvature of at least the ridge
    near, far = ((refitted(1.0 + h) - refitted(1.0 - h)) / (2.0 * h) for h in (0.01, 0.02))
    np.testing.assert_allclose(by_ridge, (4.0 * near - far) / 3.0, atol=1e-7)  # Richardson: the error is of order h**4
    assert re.search(r"worst texture +-1\.31461 +0\.47642", text)


def test_million_parameters(run):
    text, error = run("million_parameters", 20_000)
    assert error < 1e-12
    before, after = (float(re.search(rf"energy {word} +(\S+)", text)[1]) for word in ("before", "after"))
    assert after < 0.05 * before


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_blocks_of_the_pages(page):
    """Blocks of a page run in order, in a process of their own: JAX forbids every later fork in the one it is in.

    A block that needs a package that is not installed is left out.
    """
    code = ""
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        needed = re.findall(r"^(?:import|from) (jax|autograd|torch|xad|casadi)\b", block, re.MULTILINE)
        code += block if all(importlib.util.find_spec(name) for name in needed) else ""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_the_pages(page):
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link
