"""A Bermudan put by Longstaff & Schwartz (2001): price and five sensitivities under an exercise rule of regressions.

The rule is fitted with NumPy on paths of its own: at every date a cubic in S/K for what waiting is worth. Then
fastad prices on other paths with the rule as plain data. The sensitivities hold it fixed, which is right to first
order where the rule is near its optimum; the run says so.
"""

import numpy as np

import fastad as fad

DATES = 50
AT = {"spot": 36.0, "strike": 40.0, "rate": 0.06, "vol": 0.2, "expiry": 1.0}


def fitted_rule(p, paths=50_000, seed=7):
    """Coefficients of what waiting is worth, in units of the strike, at every date but the last."""
    dt = p["expiry"] / DATES
    z = np.random.default_rng(seed).standard_normal((paths // 2, DATES))
    growth = (p["rate"] - 0.5 * p["vol"] ** 2) * dt + p["vol"] * dt**0.5 * np.concatenate([z, -z])
    x = p["spot"] / p["strike"] * np.exp(np.cumsum(growth, axis=1))
    cash, rule = np.maximum(1.0 - x[:, -1], 0.0), np.zeros((DATES - 1, 4))
    for i in range(DATES - 2, -1, -1):
        cash = cash * np.exp(-p["rate"] * dt)
        inside = x[:, i] < 1.0
        basis = x[inside, i, None] ** np.arange(4)
        rule[i] = np.linalg.lstsq(basis, cash[inside], rcond=None)[0]
        cash[inside] = np.where(1.0 - x[inside, i] > basis @ rule[i], 1.0 - x[inside, i], cash[inside])
    return rule


def put(p, z, rule):
    s, dt = p["spot"], p["expiry"] / DATES
    root = fad.sqrt(dt)
    for i in range(DATES):
        s = s * fad.exp((p["rate"] - 0.5 * p["vol"] * p["vol"]) * dt + p["vol"] * root * z[i])
        gain = p["strike"] - s
        if i < DATES - 1:
            x = s / p["strike"]
            waiting = p["strike"] * (rule[i][0] + x * (rule[i][1] + x * (rule[i][2] + x * rule[i][3])))
            if (gain > 0.0) & (gain > waiting):
                return fad.exp(-p["rate"] * dt * (i + 1.0)) * gain
    return fad.exp(-p["rate"] * p["expiry"]) * fad.maximum(gain, 0.0)


def main(paths=100_000):
    result = fad.monte_carlo(put, AT, normals=DATES, paths=paths, seed=1, antithetic=True, args=(fitted_rule(AT),))
    print(result)
    return result


if __name__ == "__main__":
    main()
