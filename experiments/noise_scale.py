"""The noise of a batch's gradient against its size, with curvature and without, along a run."""

import numpy as np

from soo_lib.curvature import damped, ggn_product, kronecker_factors
from soo_lib.datasets import load_digits, load_fashion_mnist
from soo_lib.losses import Network, partition
from soo_lib.stochastic import minimize_stochastic

SLICE = {"epochs": 0}
BATCHES, PRODUCTS = 100, 8  # batches with a gradient, and those whose gradient meets the curvature


def grid(quick=False):
    digits = {"data": "digits", "step": 0.01, "epochs": 1 if quick else 16}
    images = {"data": "images", "step": 0.003, "epochs": 1 if quick else 4}
    return [{**of, "seed": seed} for of in (digits, images) for seed in range(1 if quick else 3)]


def run(data, step, epochs, seed):
    """Measure noise after Adam's epochs 0, 1, 2, 4, ..., in batches of 1/100 of the rows.

    The net is 64-32-10 on 1,400 digits, or 784-300-10 on 10,000 images. Let g be the gradient, Σ
    the covariance of a row's gradient, H the Gauss-Newton matrix and P the inverse of the damped
    Kronecker pair. Then ``simple`` is tr Σ / gᵀg, ``curved`` is tr HΣ / gᵀHg, and ``paired`` is
    tr PHPΣ / gᵀPHPg. ``gain`` and ``gain_paired`` are what the best step along -g and -Pg takes off
    the quadratic model, ½(gᵀPg)²/gᵀPHPg.
    """
    if data == "digits":
        known, net, kind = load_digits(), Network([64, 32, 10]), "float64"
    else:
        known, net = load_fashion_mnist(n_dev=0, standardize=False), Network([784, 300, 10])
        kind = "float32"
    X, y = known.X_train[:10_000], known.y_train[:10_000]
    loss = net.loss(X, y, l2=1e-4, dtype=kind)
    size = len(X) // BATCHES
    path = [net.init(seed)]
    minimize_stochastic(loss, path[0], "adam", size, epochs, step, seed, callback=path.append)
    at = [k for k in (0, 1, 2, 4, 8, 16) if k <= epochs]
    batches = [loss.subset(rows) for rows in partition(len(X), size, seed)]
    found = [measured(loss, path[k], batches) for k in at]
    return {
        "at": at,
        "fun": [loss.fun(path[k]) for k in at],
        **{name: [each[name] for each in found] for name in found[0]},
    }


def measured(loss, x, batches):
    size, m = batches[0].n_samples, loss.n_samples
    g = loss.jac(x)
    noise = [batch.jac(x) - g for batch in batches]
    # Without repetition a batch's noise has the covariance Σ/size times (m - size)/(m - 1).
    scale = size * (m - 1) / (m - size)
    pairs = [[np.linalg.inv(F) for F in damped(A, G, 1e-2)] for A, G in kronecker_factors(loss, x)]

    def through(v):
        """Return Pv, layer by layer."""
        parts = [
            (A @ v[part].reshape(len(A), len(G)) @ G).ravel()
            for part, (A, G) in zip(loss.net.layer_slices, pairs)
        ]
        return np.concatenate(parts)

    found = {"simple": scale * np.mean([d @ d for d in noise]) / (g @ g)}
    for name, gain, P in (("curved", "gain", np.asarray), ("paired", "gain_paired", through)):
        p = P(g)
        bends = [q @ ggn_product(loss, x, q) for q in (p, *map(P, noise[:PRODUCTS]))]
        found[name] = scale * np.mean(bends[1:]) / bends[0]
        found[gain] = 0.5 * (g @ p) ** 2 / bends[0]
    return found
