"""The main job: the example's payoff and report against the independent oracle."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from oracles import dax_asian as oracle

import fastad as fad

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "dax_asian.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(SCRIPT))


def run_script(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return capsys.readouterr().out


def test_payoff_on_floats(example):
    days, market = example["read_quotes"]()
    fixings = example["schedule"](days)
    normals = np.random.default_rng(11).standard_normal((50, 24))
    got = [example["payoff"](market, z, fixings) for z in normals]
    assert all(isinstance(x, float) for x in got)
    np.testing.assert_allclose(got, oracle.payoffs(oracle.market(), normals), rtol=1e-12, atol=1e-9)


def test_fixings_outside_the_quotes(example):
    days = np.array([100.0, 200.0])  # the first fixings lie before, most of the others after
    fixings = example["schedule"](days)
    for time, left, right, rate_weights, variance_weights in fixings:
        assert sum(rate_weights) == pytest.approx(1.0, rel=1e-14)
        assert sum(variance_weights) == pytest.approx(time, rel=1e-14)  # so that equal vols are a flat surface
        assert (left, right) == ((0, 0) if time * 365 < 100 else (0, 1) if time * 365 < 200 else (1, 1))


def test_replay_on_common_normals(example):
    """Every sensitivity to rounding: complex step on the same paths."""
    days, market = example["read_quotes"]()
    fixings = example["schedule"](days)
    normals = np.random.default_rng(12).standard_normal((5_000, 24))
    program = fad.record(lambda market, z: example["payoff"](market, z, fixings), market, normals[0])
    got = program.batch(market, normals, axes=(None, 0), wrt=0, reduce="mean")
    want, _ = oracle.pathwise(normals)
    assert got.value == pytest.approx(want[0], rel=1e-12)
    np.testing.assert_allclose(got.gradient.flat(), want[1:], rtol=1e-10)


def test_report(monkeypatch, capsys):
    """The job on few paths: within 4 standard errors of the reference, and of the bumps by a small part of one."""
    numbers = json.loads(run_script(monkeypatch, capsys, "--quick", "--json", "--seed", "3"))
    result = numbers["fastad"]
    got, stderr = (
        np.concatenate(([g["spot"]], g["rates"], g["vols"])) for g in (result["gradient"], result["gradient_stderr"])
    )
    assert abs(result["value"] - oracle.REFERENCE[0]) < 4 * result["stderr"]
    assert np.all(abs(got - oracle.REFERENCE[1:]) < 4 * stderr)
    assert np.all(abs(got - numbers["bumps"]) < 0.2 * stderr)
    text = run_script(monkeypatch, capsys, "--quick")
    assert len([line for line in text.splitlines() if line.startswith(("spot", "zero rate", "implied vol"))]) == 17
