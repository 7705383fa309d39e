"""Fifteen swaptions in a LIBOR market model: one price and 160 sensitivities, to 80 forward rates and 80 vols.

The test problem of Giles & Glasserman, "Smoking adjoints" (2006): one factor, the spot measure, log-Euler steps of a
quarter; after 40 of them five tenors times three strikes are paid, all discounted along the path.
"""

import numpy as np

import fastad as fad

STEPS, RATES = 40, 80
TENORS, STRIKES = (4, 8, 20, 28, 40), (0.045, 0.05, 0.055)
AT = {"rates": np.full(RATES, 0.05), "vols": np.full(RATES, 0.2), "delta": 0.25}


def swaptions(p, z):
    rates, vols, delta = list(p["rates"]), p["vols"], p["delta"]
    root = fad.sqrt(delta)
    for n in range(STEPS):
        drift = 0.0
        for i in range(n + 1, RATES):
            vol = vols[i - n - 1]
            drift = drift + delta * vol * rates[i] / (1.0 + delta * rates[i])
            rates[i] = rates[i] * fad.exp(delta * vol * drift + vol * (root * z[n] - 0.5 * delta * vol))
    bond, annuity, total = 1.0, 0.0, 0.0
    for m, rate in enumerate(rates[STEPS:], start=1):
        bond = bond / (1.0 + delta * rate)
        annuity = annuity + delta * bond
        if m in TENORS:
            for strike in STRIKES:
                total = total + 100.0 * fad.maximum(1.0 - bond - strike * annuity, 0.0)
    for rate in rates[:STEPS]:
        total = total / (1.0 + delta * rate)
    return total


def main(paths=10_000):
    result = fad.monte_carlo(swaptions, AT, normals=STEPS, paths=paths, seed=1, antithetic=True, wrt=("rates", "vols"))
    print(f"{result.paths:,} paths in {result.seconds:.2f} s: price {result.value:.3f}, std. error {result.stderr:.3f}")
    for name in ("rates", "vols"):
        g, e = result.gradient[name], result.gradient_stderr[name]
        print(f"{name}: sum {g.sum():.2f}, the largest {g.max():.3f} (std. error {e[g.argmax()]:.3f})")
    return result


if __name__ == "__main__":
    main()
