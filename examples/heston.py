"""A call under Heston's stochastic volatility: price and eight sensitivities, the terminal stock as control variate.

Euler steps, the square root reflected; sensitivities to everything but the correlation. The control's mean is known
exactly, E[S_T] = S0 (1 + r dt)^n, and it is differentiated like the payoff.
"""

import fastad as fad

STEPS, RHO = 100, -0.7
AT = {"spot": 100.0, "strike": 105.0, "expiry": 1.0, "rate": 0.05, "v0": 0.04, "kappa": 2.0, "theta": 0.04, "xi": 0.3}


def stock(p, z):
    """The stock at expiry; z has a row for the stock and one for its variance."""
    s, v = p["spot"], p["v0"]
    dt = p["expiry"] / STEPS
    root = fad.sqrt(dt)
    for z_s, z_v in zip(z[0], z[1]):
        vol = fad.sqrt(abs(v) + 1e-10)
        step = p["kappa"] * (p["theta"] - v) * dt + p["xi"] * vol * root * (RHO * z_s + (1.0 - RHO**2) ** 0.5 * z_v)
        s = s + p["rate"] * s * dt + vol * s * root * z_s
        v = v + step
    return s


def call(p, z):
    return fad.exp(-p["rate"] * p["expiry"]) * fad.maximum(stock(p, z) - p["strike"], 0.0)


def expected_stock(p):
    return p["spot"] * (1.0 + p["rate"] * p["expiry"] / STEPS) ** STEPS


def main(paths=200_000):
    result = fad.monte_carlo(call, AT, normals=(2, STEPS), paths=paths, seed=1, control=(stock, expected_stock))
    print(result)
    return result


if __name__ == "__main__":
    main()
