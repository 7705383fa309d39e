"""np.fft of active arrays. Oracles: NumPy's values, the matrix of the transform, Black and Scholes' price."""

import math

import numpy as np
import pytest

import fastad as fad

RNG = np.random.default_rng(2)
NORMS = (None, "backward", "ortho", "forward")


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def number(z):
    return fad.value(z.real) + 1j * fad.value(z.imag) if isinstance(z, fad.ActiveComplex) else fad.value(z)


def complex_array(tape, z):
    return tape.inputs(z.real.copy()) + 1j * tape.inputs(z.imag.copy())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 1, 4, 5, 9])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
def test_values(name, n, norm):
    """Of real and of complex arrays, along any axis, cut and filled up."""
    function = getattr(np.fft, name)
    x = RNG.normal(size=(3, 6, 2))
    z = x if name == "rfft" else x + 1j * RNG.normal(size=x.shape)
    for axis in (-1, 0, 1):
        tape = fad.Tape()
        close(number(function(tape.inputs(x), n, axis, norm)), function(x, n, axis, norm))
        if name != "rfft":
            close(number(function(complex_array(tape, z), n=n, axis=axis, norm=norm)), function(z, n, axis, norm))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_the_derivative_is_the_matrix(n):
    matrix = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    x = RNG.normal(size=n)
    for mode in ("forward", "reverse"):
        close(fad.jacobian(lambda x: np.fft.fft(x).real, mode=mode)(x), matrix.real)
        close(fad.jacobian(lambda x: np.fft.fft(x).imag, mode=mode)(x), matrix.imag)
        close(fad.jacobian(lambda x: np.fft.ifft(1j * x).real, mode=mode)(x), matrix.imag / n)
        close(fad.jacobian(lambda x: np.fft.rfft(x).real, mode=mode)(x), matrix.real[: n // 2 + 1])
        close(fad.jacobian(lambda x: np.fft.irfft(np.fft.rfft(x), n), mode=mode)(x), np.eye(n))


def test_derivatives_of_several_axes():
    x = RNG.normal(size=(4, 6))
    weights = RNG.normal(size=(4, 6))
    for f in (
        lambda x: np.fft.fft2(x).real,
        lambda x: np.fft.ifftn(x, axes=(0,)).real + np.fft.fftn(x).imag,
        lambda x: np.fft.fftshift(np.fft.ifftshift(x, axes=1)) * x,
        lambda x: abs(np.fft.fftshift(np.fft.fft2(x + 1j * x * x))),
        lambda x: np.fft.fftn(x, s=(4, 6), axes=(1, 0), norm="ortho").imag[:4, :4].sum() * x,
    ):
        close(fad.value(f(fad.Tape().inputs(x))), f(x))
        direction = RNG.normal(size=x.shape)
        _, y_dot = fad.jvp(f, (x,), (direction,))
        _, pullback = fad.vjp(f, x)
        differences = (f(x + 1e-6 * direction) - f(x - 1e-6 * direction)) / 2e-6
        np.testing.assert_allclose(y_dot, differences, rtol=1e-6, atol=1e-6)
        assert np.vdot(weights, y_dot) == pytest.approx(np.vdot(pullback(weights)[0], direction), rel=1e-12)


def test_second_derivatives():
    """Parseval: the sum of the squares of the spectrum is n times that of x."""
    x = RNG.normal(size=7)
    hessian = fad.hessian(lambda x: (abs(np.fft.fft(x)) ** 2).sum())(x)
    np.testing.assert_allclose(hessian, 14.0 * np.eye(7), atol=1e-12)


def spectrum(x, scale):
    y = np.fft.fft(x * scale)
    return (y * y.conj()).real[1:4]


def test_replay_batches_and_files(tmp_path):
    x = RNG.normal(size=(70, 8))
    program = fad.record(spectrum, x[0], 2.0)
    program.save(tmp_path / "f.npz")
    batch = program.batch(x, 3.0, axes=(0, None), wrt=0)
    for loaded in (program, fad.load(tmp_path / "f.npz")):
        value, pullback = fad.vjp(lambda x: spectrum(x, 3.0), x[5])
        assert np.array_equal(loaded(x[5], 3.0), value)
        assert np.array_equal(loaded.vjp((x[5], 3.0), np.ones(3))[1][0], pullback(np.ones(3))[0])
    assert np.array_equal(batch.value[5], program(x[5], 3.0))
    assert np.array_equal(program.batch(x, 3.0, axes=(0, None), wrt=0, threads=1).gradient, batch.gradient)


def test_errors():
    x = fad.Tape().inputs(np.ones(4))
    with pytest.raises(ValueError, match="norm='other'"):
        np.fft.fft(x, norm="other")
    with pytest.raises(ValueError, match="at least one"):
        np.fft.fft(x, n=0)
    with pytest.raises(TypeError, match=r"use np\.fft\.fft"):
        np.fft.rfft(x * 1j)
    with pytest.raises(ValueError, match="different lengths"):
        np.fft.fftn(x, s=(2, 2), axes=(0,))
    with pytest.raises(TypeError, match="hfft"):
        np.fft.hfft(x)


def carr_madan(spot, vol, rate=0.03, expiry=1.5, damping=1.5, n=512, step=0.25):
    """Prices of calls at strikes exp(k), k around 0 times the spot (Carr and Madan 1999, equations 5, 6, 24)."""
    u = step * np.arange(n)
    width = 2.0 * np.pi / (n * step)
    lowest = -0.5 * n * width
    z = u - 1j * (damping + 1.0)
    log_cf = 1j * z * (np.log(spot) + (rate - 0.5 * vol**2) * expiry) - 0.5 * vol**2 * expiry * z * z
    transform = np.exp(log_cf - rate * expiry) / (damping**2 + damping - u**2 + 1j * (2.0 * damping + 1.0) * u)
    simpson = np.where(np.arange(n) == 0, 1.0, np.where(np.arange(n) % 2, 4.0, 2.0)) * step / 3.0
    k = lowest + width * np.arange(n)
    return np.exp(-damping * k) / np.pi * np.fft.fft(transform * np.exp(-1j * lowest * u) * simpson).real, k


def test_prices_by_fft():
    """Values, delta and vega of a strip of calls are Black and Scholes'."""
    rate, expiry = 0.03, 1.5
    near = slice(250, 263)

    def prices(spot, vol):
        return carr_madan(spot, vol)[0][near]

    spot, vol = 1.02, 0.25
    k = carr_madan(spot, vol)[1][near]
    deltas, vegas = fad.jacobian(prices, argnums=(0, 1))(spot, vol)
    for price, delta, vega, log_strike in zip(prices(spot, vol), deltas, vegas, k):
        width = vol * math.sqrt(expiry)
        d = (math.log(spot) - log_strike + rate * expiry) / width + 0.5 * width
        call = spot * fad.norm_cdf(d) - math.exp(log_strike - rate * expiry) * fad.norm_cdf(d - width)
        assert price == pytest.approx(call, abs=1e-6)
        assert delta == pytest.approx(fad.norm_cdf(d), abs=1e-5)
        assert vega == pytest.approx(spot * math.sqrt(expiry) * fad.norm_pdf(d), abs=1e-5)
