"""Which images does a network get wrong? What each network of bias_variance says of 40 of them."""

import numpy as np

from soo_lib.losses import Network, draw
from soo_lib.solvers import minimize

from . import bias_variance
from .fashion import SOLVERS, load, look

__all__ = ["grid", "run", "SHOWN"]
SLICE = {"maxiter": 2}
SHOWN = 40  # the first images of the dev set


def grid(quick=False):
    kept = "solver", "hidden", "seed", "rows", "l2", "maxiter", "batch_size", "n_batches", "every"
    return [
        {name: settings[name] for name in kept}
        for settings in bias_variance.grid(quick)
        if settings["seed"] == 0
    ]


def run(solver, hidden, seed, rows, l2, maxiter, batch_size, n_batches, every):
    """Return the answers at every ``every``-th iteration, and the dev accuracy at the end."""
    data = load(seed=seed)
    seen = slice(rows)
    if batch_size:
        seen = np.concatenate(draw(rows, batch_size, n_batches, seed))
    net, answers, nit = Network([784, *hidden, 10]), [], 0
    X, y = data.X_train[:rows][seen], data.y_train[:rows][seen]
    loss = net.loss(X, y, l2=l2, penalize_bias=True, dtype="float32")

    def watch(x):
        nonlocal nit
        if nit % every == 0:
            answers.append(net.predict(x, data.X_dev[:SHOWN]))
        nit += 1

    x0 = net.init(seed, scale="fan_in")
    watch(x0)
    found = minimize(loss, x0, maxiter=maxiter, callback=watch, **SOLVERS[solver])
    return {"answers": answers, "dev": look(net, found.x, data.X_dev, data.y_dev)[1]}
