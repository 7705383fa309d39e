"""A fit is a function of its settings: logistic regression, and how its coefficients move with the ridge penalty.

scikit-learn's breast-cancer data, 569 tumours of 30 standardised features. The loss is plain NumPy; SciPy minimises it
with gradients and Hessian products of the recording. At the minimum the gradient is zero, whatever the ridge: from this
equation `fad.implicit` takes the derivative of the fit, without a look into the minimiser and without fitting again.
"""

import numpy as np
from picture import folder, save
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

import fastad as fad

RIDGE, SHOWN = 1.0, 6


def loss(w, ridge, features, labels):
    """Penalised logistic loss: labels +1 and -1, w[0] the intercept, which has no penalty."""
    margins = labels * (w[0] + features @ w[1:])
    return np.logaddexp(0.0, -margins).sum() + 0.5 * ridge * (w[1:] ** 2).sum()


def fit(ridge, features, labels):
    """Coefficients of least loss."""
    objective, start = fad.scipy.objective(loss), np.zeros(1 + features.shape[1])
    derivatives = {"jac": objective.jac, "hessp": objective.hessp}
    args, options = (ridge, features, labels), {"gtol": 1e-7}
    return minimize(objective.fun, start, args, "trust-krylov", **derivatives, options=options).x


fitted = fad.implicit(fit, fad.grad(loss))


def data():
    """Names and numbers of the features, and labels: +1 benign, -1 malignant."""
    cancer = load_breast_cancer()
    return cancer.feature_names, StandardScaler().fit_transform(cancer.data), 2.0 * cancer.target - 1.0


def main():
    pictures = folder(__doc__)
    names, features, labels = data()

    def path(ridge):
        return fitted(ridge, features, labels)

    w, slope = fad.jvp(path, (RIDGE,), (1.0,))
    refitted = (path(RIDGE * 1.01) - path(RIDGE * 0.99)) / (0.02 * RIDGE)
    shown = np.argsort(w[1:])[np.linspace(0, len(names) - 1, SHOWN).astype(int)]  # from the least to the largest
    lines = [[names[i], *(f"{x[1 + i]:.5f}" for x in (w, slope, refitted))] for i in shown]
    print(fad.inspect.Table(["feature", "coefficient", "by ridge: implicit", "by two more fits"], lines))
    print(f"{100 * np.mean((w[0] + features @ w[1:]) * labels > 0.0):.1f} % of the tumours are classified right")

    def draw(axes):
        ridges = np.geomspace(0.1, 100.0, 21)
        paths = np.array([path(ridge) for ridge in ridges])
        for i in shown:
            axes.plot(ridges, paths[:, 1 + i], label=names[i])
        for ridge in ridges[[3, 10, 17]]:
            (at, by_ridge), step = fad.jvp(path, (ridge,), (1.0,)), np.log([0.6, 1.0, 1.0 / 0.6])
            tangents = at + np.outer(step, ridge * by_ridge)  # straight where the ridge is drawn by its logarithm
            axes.plot(ridge * np.exp(step), tangents[:, 1 + shown], "k.-", markevery=[1])
        axes.set(xscale="log", xlabel="ridge", ylabel="coefficient", title="tangents from one fit each")
        axes.legend(fontsize="small")

    if pictures:
        save(pictures / "logistic.svg", draw)
    return w, slope


if __name__ == "__main__":
    main()
