"""Write book/_static/own-model.json: the run that the chapter "Your own model" shows.

    pip install -e '.[torch,data]' curvlinops-for-pytorch==3.0.1 && python tools/record_own_model.py

A convolutional network learns 1,000 of the handwritten digits, as in the chapter's own code.
"""

import json
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import cholesky
from scipy.sparse.linalg import LinearOperator
from torch import nn

from soo_lib import gradient_test, minimize, minimize_stochastic
from soo_lib.curvature import damped, extreme_eigenvalues, operator, spectral_density, trace
from soo_lib.datasets import load_digits
from soo_lib.losses import Preconditioned, from_torch

FILE = Path(__file__).resolve().parent.parent / "book/_static/own-model.json"
STEPS = 0.003, 0.01, 0.03, 0.1, 0.3
DAMPING = 1e-3


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(72, 32),
        nn.Tanh(),
        nn.Linear(32, 10),
    )


def make():
    data = load_digits()
    X, y = data.X_train[:1000].reshape(-1, 1, 8, 8), data.y_train[:1000]
    return from_torch(network(), nn.CrossEntropyLoss(), X, y)


def block(A, part):
    """The diagonal block of an operator that belongs to the slice ``part``, one layer's."""

    def product(p):
        whole = np.zeros(A.shape[0])
        whole[part] = np.ravel(p)
        return (A @ whole)[part]

    n = part.stop - part.start
    return LinearOperator((n, n), matvec=product, rmatvec=product, dtype=float)


def main():
    loss = make()
    x0, found = loss.x0, {}
    test = gradient_test(loss, x0)
    found["gradient"] = {
        "eps": test.eps,
        "errors": test.errors,
        "relative_error": test.relative_error,
        "order": test.order,
    }
    loss.fun_and_jac(x0)

    def run(name, trace, **more):
        found[name] = {"fun": trace.fun, "seconds": trace.seconds, **more}

    smooth = minimize(loss, x0, "lbfgs", maxiter=60)
    run("L-BFGS", smooth.trace)
    for rule in ("adam", "muon"):
        tried = [(minimize_stochastic(loss, x0, rule, 100, 20, step=step), step) for step in STEPS]
        best, step = min(tried, key=lambda pair: pair[0].fun)
        run(rule.capitalize(), best.trace, step=step)
    points = [x0]
    edge = minimize(
        loss,
        x0,
        "gradient",
        "wolfe",
        c2=0.1,
        maxiter=60,
        callback=lambda x: points.append(x.copy()),
    )
    at = np.arange(0, edge.nit, 3)
    sharp = [extreme_eigenvalues(operator(loss, points[k]), tol=1e-4).values[-1] for k in at]
    found["edge"] = {"at": at, "alpha": edge.trace.step[at + 1], "sharpness": sharp}
    part = minimize(loss, x0, "lbfgs", maxiter=10).x
    for where, point in {"start": x0, "after ten": part}.items():
        H = operator(loss, point)
        density = spectral_density(H, steps=60, starts=3)
        found[f"spectrum, {where}"] = {
            "grid": density.grid[::4],
            "density": density.density[::4],
            "ends": extreme_eigenvalues(H, tol=1e-4).values,
            "layers": [
                extreme_eigenvalues(block(H, layer), tol=1e-4).values for layer in loss.layer_slices
            ],
        }
    pairs = [damped(A, G, DAMPING) for A, G in loss.kronecker_factors(part)]
    easy = Preconditioned(loss, [(cholesky(A), cholesky(G)) for A, G in pairs])
    ends = {}
    for name, problem, point in (("plain", loss, part), ("pair", easy, easy.to_p(part))):
        G = operator(problem, point, "ggn")
        ends[name] = extreme_eigenvalues(G, tol=1e-4).values[-1], trace(G)[0] / loss.n_params
        then = minimize(problem, point, "lbfgs", maxiter=60)
        run(f"from there, {name}", then.trace)
    found["preconditioned"] = ends
    g = loss.jac(part)
    found["matrices"] = []
    for (part_, shape), (name, _) in zip(loss.matrices, loss.named_layers):
        s = np.linalg.svd(g[part_].reshape(shape), compute_uv=False)
        share = s.sum() ** 2 / (s @ s)
        found["matrices"].append({"name": name, "shape": shape, "effective": share})
    settings = {"n_params": loss.n_params, "rows": loss.n_samples, "torch": torch.__version__}
    text = json.dumps({**settings, "layers": loss.named_layers, **found}, default=plain)
    FILE.write_text(text + "\n")


def plain(value):
    """What JSON does not know: arrays, numpy's numbers, slices."""
    if isinstance(value, slice):
        return [value.start, value.stop]
    return np.vectorize(lambda v: float(f"{v:.6g}"))(value).tolist()


if __name__ == "__main__":
    main()
