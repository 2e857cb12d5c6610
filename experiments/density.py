"""The spectrum of a network's Hessian on 5,000 images of 2, 3, 5 or 10 classes, as it learns."""

import numpy as np

from soo_lib.curvature import extreme_eigenvalues, operator, spectral_density
from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network
from soo_lib.solvers import minimize

SLICE = {"at": [0]}


def grid(quick=False):
    rows = 200 if quick else 5000
    return [
        {"classes": classes, "rows": rows, "at": [0, 40], "seed": 0}
        for classes in ((2, 10) if quick else (2, 3, 5, 10))
    ]


def run(classes, rows, at, seed):
    """Train 784-50-classes, tanh, by gradient descent with a search; look at iterations ``at``."""
    data = load_fashion_mnist(n_dev=0, standardize=False)
    some = np.flatnonzero(data.y_train < classes)[:rows]
    net = Network([784, 50, classes], "tanh")
    loss, xs = net.loss(data.X_train[some], data.y_train[some]), [net.init(seed)]
    fun = minimize(
        loss, xs[0], "gradient", maxiter=max(at), callback=lambda x: xs.append(x.copy())
    ).trace.fun
    found = {"fun": fun[at], "eigenvalues": [], "grid": [], "density": []}
    for k in at:
        H = operator(loss, xs[k])
        ends = extreme_eigenvalues(H, k=12, tol=1e-4, products=120, seed=seed)
        smooth = spectral_density(H, steps=50, starts=1, points=200, seed=seed)
        for name, value in (
            ("eigenvalues", ends.values),
            ("grid", smooth.grid),
            ("density", smooth.density),
        ):
            found[name].append(value)
    return found
