"""One run on Fashion-MNIST: what Figs 6 and 7, Table 3 and several questions have in common."""

from functools import lru_cache

import numpy as np

from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network, draw
from soo_lib.losses.activations import cross_entropy
from soo_lib.solvers import minimize

SOLVERS = {
    "Gradient": {"method": "gradient", "line_search": "fixed", "step": 0.4},
    "NLCG": {"method": "CG"},
    "L-BFGS-B": {"method": "L-BFGS-B"},
}
WATCHED = 10_000  # so many training rows are looked at after each iteration, as many as dev rows

load = lru_cache(maxsize=1)(load_fashion_mnist)


def settings(solver, hidden, seed, rows=50_000, **other):
    """Return the paper's settings, where ``other`` does not change them."""
    paper = {
        "l2": 0.01,
        "start": "unit",
        "maxiter": 100,
        "dtype": "float32",
        "labels": "true",
        "leaked": 0,
        "batch_size": None,
        "n_batches": None,
        "every": 1,
    }
    return {"solver": solver, "hidden": hidden, "seed": seed, "rows": rows, **paper, **other}


def run(
    solver,
    hidden,
    seed,
    rows,
    l2,
    start,
    maxiter,
    dtype,
    labels,
    leaked,
    batch_size,
    n_batches,
    every,
):
    """Train 784-hidden-10; ``seed`` draws the split, the start, the batches and a permutation.

    Fixed batches of equal size that cover all rows give the full loss, so with ``batch_size=None``
    the full loss is taken. Otherwise ``n_batches`` batches are drawn once, with overlap (eq. 28).
    ``labels="permuted"`` destroys what there is to learn; ``leaked`` dev rows join the training.
    Accuracy and cost on train and dev are measured at every ``every``-th iteration.
    """
    data = load(seed=seed)
    X, y = data.X_train[:rows], data.y_train[:rows]
    dev = data.X_dev, data.y_dev
    if labels == "permuted":
        rng = np.random.default_rng(seed)
        y, dev = rng.permutation(y), (dev[0], rng.permutation(dev[1]))
    if leaked:
        X, y = np.r_[X[:-leaked], dev[0][:leaked]], np.r_[y[:-leaked], dev[1][:leaked]]
    if batch_size:
        seen = np.concatenate(draw(rows, batch_size, n_batches, seed))
        X, y = X[seen], y[seen]

    net = Network([784, *hidden, 10])
    loss = net.loss(X, y, l2=l2, penalize_bias=True, dtype=dtype)
    parts = {"train": (X[:WATCHED], y[:WATCHED]), "dev": dev}
    seen = {f"{part}_{what}": [] for part in parts for what in ("cost", "accuracy")}
    penalty = []

    def watch(x):
        penalty.append(0.5 * l2 * float(x @ x))
        for part, rows in parts.items() if (len(penalty) - 1) % every == 0 else ():
            cost, right = look(net, x, *rows)
            seen[f"{part}_cost"].append(cost)
            seen[f"{part}_accuracy"].append(right)

    x0 = net.init(seed, scale=start)
    watch(x0)
    found = minimize(loss, x0, maxiter=maxiter, callback=watch, **SOLVERS[solver])
    trace = found.trace
    return {
        "nit": found.nit,
        "message": found.message,
        "train": look(net, found.x, X, y)[1],
        "dev": look(net, found.x, *dev)[1],
        "test": look(net, found.x, data.X_test, data.y_test)[1],
        "fun": trace.fun,
        "cost": trace.fun - penalty,
        "evaluations": trace.evaluations,
        "seconds": trace.seconds,
        **seen,
    }


def look(net, x, X, y):
    """Return the mean cross-entropy without a penalty, and the accuracy (eq. 30)."""
    layers, cost, right = net.unpack(x.astype(X.dtype)), 0.0, 0
    for i in range(0, len(X), WATCHED):
        with np.errstate(over="ignore"):  # exp(-z) of a saturated sigmoid overflows
            Z = net.forward(layers, X[i : i + WATCHED])[-1]
        right += int(np.sum(Z.argmax(axis=1) == y[i : i + WATCHED]))
        cost += cross_entropy(Z, y[i : i + WATCHED])[0]
    return cost / len(y), right / len(y)
