"""The main job: fit, simulation and ladder against the independent oracle."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from oracles import dax_heston as oracle

import fastad as fad

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "dax_barrier_ladder.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def fitted(example):
    strikes, days, market = example["read_quotes"]()
    calibration = example["Calibration"](strikes, days)
    return calibration, market, calibration.fit(market)


def test_fit_is_the_published_one(fitted):
    calibration, market, model = fitted
    sse = (calibration.errors(model, market) ** 2).sum()
    assert sse == pytest.approx(oracle.PUBLISHED, abs=0.05)
    days, rates, strikes, vols = oracle.quotes()
    residuals, slopes = oracle.errors(np.array(model), (days, rates, strikes, vols, oracle.SPOT))
    np.testing.assert_allclose(calibration.errors(model, market).ravel(), residuals, atol=2e-5)
    step = np.linalg.lstsq(slopes, residuals)[0]
    assert np.all(np.abs(step) < 1e-5 * np.abs(model))


def test_parameters_by_quotes_are_differences_of_fits(fitted):
    """A vol and a rate: the oracle's fits to bumped quotes."""
    calibration, market, model = fitted
    slopes = np.array([by.flat() for by in fad.jacobian(calibration.model)(market)])
    for at, width in ((1 + 8 + 6 * 8 + 2, 1e-3), (1 + 5, 1e-4)):
        ends = []
        for change in (width, -width):
            flat = market.flat()
            flat[at] += change
            spot, rates, vols = flat[0], flat[1:9], flat[9:].reshape(13, 8)
            bumped = (calibration.days, rates, calibration.strikes, vols, spot)
            start = np.array(model) + change * slopes[:, at]
            ends.append(oracle.fit(start, bumped, 6))
        np.testing.assert_allclose(slopes[:, at], (ends[0] - ends[1]) / (2.0 * width), rtol=2e-3)


def test_paths(example, fitted):
    """Value and pathwise derivatives on the same normals, by complex step."""
    model = fitted[2]
    z = oracle.normals(300, seed=5)
    at = np.array([oracle.SPOT, 0.037, *model])
    payoff, Heston = example["down_and_out_put"], example["Heston"]
    params = {"spot": at[0], "rate": at[1], "model": Heston(*at[2:])}
    got = fad.record(payoff, params, z[0]).batch(params, z, axes=(None, 0), wrt=0)
    np.testing.assert_allclose(got.value, oracle.payoffs(at, z), rtol=1e-9, atol=1e-9)
    slopes = [oracle.payoffs(at + 1e-30j * unit, z).imag / 1e-30 for unit in np.eye(7)]
    gradient = [got.gradient["spot"], got.gradient["rate"], *got.gradient["model"]]
    for ours, exact in zip(gradient, slopes, strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-7, atol=1e-7 * np.abs(exact).max())


def test_scheme_without_barrier_gives_the_european_put(example, fitted):
    model = fitted[2]
    payoff = example["down_and_out_put"]
    payoff.__globals__["BARRIER"] = 1.0
    try:
        params = {"spot": oracle.SPOT, "rate": 0.037, "model": model}
        result = fad.monte_carlo(
            payoff, params, normals=(2, oracle.STEPS), paths=40_000, seed=2, antithetic=True, wrt=()
        )
    finally:
        payoff.__globals__["BARRIER"] = oracle.BARRIER
    forward = oracle.SPOT * np.exp(0.037)
    exact = np.exp(-0.037) * (oracle.call(np.array(model), forward, oracle.STRIKE, 1.0).real - forward + oracle.STRIKE)
    assert abs(result.value - exact) < 4.0 * result.stderr


def test_report(monkeypatch, capsys, tmp_path, example, fitted):
    picture = tmp_path / "ladder.png"

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--paths", "20000", "--bumps", "2", *arguments])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return capsys.readouterr().out

    numbers = json.loads(run("--json"))
    calibration, market, _ = fitted
    ladder, errors = (example["like"](market, np.array(numbers[name])) for name in ("ladder", "errors"))
    for (i, j), bump in zip(numbers["bumped"], numbers["bumps"], strict=True):
        assert abs(ladder.vols[i, j] - bump) < 0.5 * errors.vols[i, j]
    at = calibration.simulated(market)
    result = fad.monte_carlo(example["down_and_out_put"], at, normals=(2, oracle.STEPS), paths=20_000)
    assert numbers["price"] == [result.value, result.stderr]
    chained = fad.vjp(calibration.simulated, market)[1](result.gradient)[0]
    np.testing.assert_allclose(ladder.flat(), chained.flat(), rtol=1e-8, atol=1e-10)
    text = run("--picture", str(picture))
    assert "(published: 177.2)" in text
    assert len([line for line in text.splitlines() if line[:5].strip().isdigit()]) == 13
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
