"""``fastad greeks`` and ``fastad info``: the numbers of `monte_carlo`, and errors that a user can act on."""

import json
import subprocess
import sys

import numpy as np
import pytest

import fastad as fad
from fastad.cli import main

SOURCE = """
import fastad as fad
from helper_beside import ONE

def asian(p, z):
    s, total = p["spot"], 0.0
    for z_i, vol in zip(z, p["vols"]):
        s = s * fad.exp(vol * z_i - 0.5 * vol * vol)
        total = total + s
    return ONE * fad.maximum(total / len(z) - p["strike"], 0.0)

def both(p, z, u):
    return {"asian": asian(p, z), "uniform": p["spot"] * u[0]}

def grid(p, z):
    return p["spot"] * z[1, 2]

def text(p, z):
    return "a price"

def broken(p, z):
    return p["no such name"]

def not_a_number(p, z):
    return fad.log(z[0]) * p["spot"]

def digital(p, z):
    return fad.where(p["spot"] * z[0] > 1.0, 1.0, 0.0)

number = 3
"""
PARAMS = {"spot": 100, "strike": 95.0, "vols": [0.1, 0.2, 0.3]}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "helper_beside.py").write_text("ONE = 1.0\n")
    (tmp_path / "model.py").write_text(SOURCE)
    (tmp_path / "params.json").write_text(json.dumps(PARAMS))
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    sys.modules.pop("helper_beside", None)


def run(files, function, *options, params="params.json"):
    return main(["greeks", f"{files / 'model.py'}:{function}", "--params", str(files / params), *options])


def failure(capsys, files, *arguments, **more):
    assert run(files, *arguments, **more) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


def test_json_has_the_numbers_of_monte_carlo(files, capsys):
    assert run(files, "asian", "--normals", "3", "--paths", "1e4", "--seed", "7", "--json") == 0
    found = json.loads(capsys.readouterr().out)

    def asian(p, z):
        s, total = p["spot"], 0.0
        for i in range(3):
            s = s * fad.exp(p["vols"][i] * z[i] - 0.5 * p["vols"][i] * p["vols"][i])
            total = total + s
        return fad.maximum(total / 3 - p["strike"], 0.0)

    at = PARAMS | {"vols": np.array(PARAMS["vols"])}
    result = fad.monte_carlo(asian, at, normals=3, paths=10_000, seed=7)
    assert found["value"] == pytest.approx(result.value, rel=1e-14)
    assert found["gradient"]["vols"] == pytest.approx(result.gradient["vols"].tolist(), rel=1e-12)
    assert (found["paths"], found["seed"]) == (10_000, 7)


def test_table_and_options(files, capsys):
    options = ["--normals", "3", "--uniforms", "1", "--paths", "4096", "--bump", "--sampler", "sobol", "--threads", "1"]
    assert run(files, "both", *options) == 0
    out = capsys.readouterr().out
    assert "4,096 paths" in out
    assert "vols[2]" in out
    assert "bumped" in out
    assert "uniform" in out
    assert run(files, "grid", "--normals", "2x3", "--paths", "100", "--antithetic") == 0
    capsys.readouterr()
    assert run(files, "digital", "--normals", "1") == 0
    assert "warning: " in capsys.readouterr().out


def test_plot(files, capsys):
    assert (
        run(files, "both", "--normals", "3", "--uniforms", "1", "--paths", "1e3", "--plot", str(files / "a.png")) == 0
    )
    assert (files / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (files / "a.png").stat().st_size > 10_000
    assert run(files, "asian", "--normals", "3", "--paths", "1e3", "--plot", str(files / "no" / "a.png")) == 2
    assert "--plot" in capsys.readouterr().err


def test_plot_without_matplotlib(files, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run(files, "asian", "--normals", "3", "--paths", "1e3", "--plot", str(files / "a.png")) == 2
    assert "fastad[plot]" in capsys.readouterr().err


def test_errors_of_places(files, capsys):
    assert "no function vanilla; it has asian, both, broken, digital, grid" in failure(capsys, files, "vanilla")
    assert "no function number" in failure(capsys, files, "number")
    for place, message in (
        ("model.py", "expected FILE.py:payoff"),
        ("model.txt:asian", "expected FILE.py:payoff"),
        (str(files / "none.py") + ":asian", "no such file"),
    ):
        assert main(["greeks", place, "--params", "x"]) == 2
        assert message in capsys.readouterr().err
    (files / "model.py").write_text("import fastad\n1 / 0\n")
    err = failure(capsys, files, "asian")
    assert "cannot be run: ZeroDivisionError" in err
    assert "model.py:2" in err
    (files / "model.py").write_text("def asian(:\n")
    assert "SyntaxError" in failure(capsys, files, "asian")


def test_errors_of_parameters(files, capsys):
    (files / "bad.json").write_text('{"spot": 100,\n "strike" 95}')
    assert "bad.json, line 2, column 11: Expecting ':' delimiter" in failure(capsys, files, "asian", params="bad.json")
    (files / "latin.json").write_bytes('{"spot é": 1.0}'.encode("latin-1"))
    assert "latin.json: expected JSON as UTF-8" in failure(capsys, files, "asian", params="latin.json")
    assert "No such file" in failure(capsys, files, "asian", params="none.json")


def test_errors_of_payoffs(files, capsys):
    err = failure(capsys, files, "asian")
    assert "asian(p, z) would be called as asian(params): z comes with --normals" in err
    assert "both(p, z, u) would be called as both(params, z)" in failure(capsys, files, "both", "--normals", "3")
    err = failure(capsys, files, "text", "--normals", "1")
    assert "returned 'a price' (str)" in err
    err = failure(capsys, files, "broken", "--normals", "1")
    assert "KeyError: 'no such name'" in err
    line = SOURCE.splitlines().index('    return p["no such name"]') + 1
    assert f"model.py:{line})" in err
    assert "on path 0 of seed 0" in err
    assert "paths=1" in failure(capsys, files, "asian", "--normals", "3", "--paths", "1")


def test_results_that_are_not_finite(files, capsys):
    assert run(files, "not_a_number", "--normals", "1", "--paths", "100") == 1
    out, err = capsys.readouterr()
    assert "not finite" in out
    assert "not finite" in err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--paths", "many"], "whole number"),
        (["--paths", "inf"], "whole number"),
        (["--normals", "2.5"], "2x24"),
        (["--seed", "x"], "int"),
    ],
)
def test_errors_of_options(files, capsys, option, message):
    with pytest.raises(SystemExit):
        run(files, "asian", *option)
    assert message in capsys.readouterr().err


def test_as_a_command(files):
    command = [sys.executable, "-m", "fastad", "greeks", "model.py:asian", "--params", "params.json", "--normals", "3"]
    done = subprocess.run([*command, "--paths", "1000"], cwd=files, capture_output=True, text=True, check=True)
    assert "vols[0]" in done.stdout


def test_info(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for text in (fad.__version__, np.__version__, "python", "processor", "cores", "scipy"):
        assert text in out
