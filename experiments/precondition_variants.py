"""Can the Kronecker pair be beaten? Other factors, a damping that adapts, momentum over refreshes.

L-BFGS on 784-300-100-10, 10,000 rows, 30 iterations, a P every 5 from 3,000 rows.
"""

from functools import lru_cache, partial

import numpy as np

from soo_lib.curvature import kronecker_cholesky, kronecker_factors
from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network, Preconditioned
from soo_lib.losses.activations import ACTIVATIONS, output
from soo_lib.solvers import minimize

SLICE = {"maxiter": 5}
EVERY, FACTOR_ROWS = 5, 3000
SHRINK = (2 / 3) ** EVERY  # Martens' factor of the damping, once for each iteration since

load = lru_cache(maxsize=1)(load_fashion_mnist)


def grid(quick=False):
    seeds, small = (range(1), {"rows": 2000, "maxiter": 5}) if quick else (range(3), {})
    points = [{"factors": name} for name in FACTORS]
    points += [
        {"adapt": adapt, "damping": damping} for damping in (1e-4, 1e-1) for adapt in (False, True)
    ]
    points += [{"momentum": momentum} for momentum in (0.25, 0.5)]
    usual = {
        "factors": "exact",
        "damping": 1e-4,
        "adapt": False,
        "momentum": 0.0,
        "rows": 10_000,
        "maxiter": 30,
        **small,
    }
    points = [{**usual, **point} for point in points]
    distinct = [point for i, point in enumerate(points) if point not in points[:i]]
    return [{**point, "seed": seed} for point in distinct for seed in seeds]


def run(factors, damping, adapt, momentum, rows, maxiter, seed):
    """Train from a start that ``seed`` draws, as it does the rows and labels that make the factors.

    ``adapt`` puts Levenberg and Marquardt's rule on the damping (Martens 2010, section 4.1); the
    iterations between two refreshes count as one step. With ``momentum`` each P is made, and its
    iterations begin, so many times further on along the last step, if the loss is lower there.
    """
    data = load(n_dev=0, standardize=False)
    net = Network([784, 300, 100, 10])
    loss = net.loss(data.X_train[:rows], data.y_train[:rows], l2=1e-4, dtype="float32")
    rng = np.random.default_rng(seed)
    x, step, fun, evaluations = net.init(seed), 0.0, [], 0
    while len(fun) <= maxiter:
        if momentum and fun:
            further = x + momentum * step
            evaluations += 1
            x = further if loss.fun(further) < fun[-1] else x
        part = loss.subset(rng.choice(rows, min(FACTOR_ROWS, rows), replace=False))
        P = kronecker_cholesky(part, x, damping, factors=partial(FACTORS[factors], rng=rng))
        change = Preconditioned(loss, P)
        found = minimize(change, change.to_p(x), "lbfgs", maxiter=EVERY)
        new = change.to_x(found.x)
        step, old, x = new - x, x, new
        if adapt:
            foretold = part.jac(old) @ step + 0.5 * step @ part.ggnp(old, step)
            rho = (part.fun(new) - part.fun(old)) / foretold
            damping *= SHRINK if rho > 0.75 else 1 / SHRINK if rho < 0.25 else 1
        fun += list(found.trace.fun[len(fun) > 0 :])
        evaluations += found.trace.evaluations[-1]
        if not found.nit:
            break
    return {
        "fun": fun,
        "evaluations": evaluations,
        "last_damping": damping,
        "test": np.mean(net.predict(x, data.X_test) == data.y_test),
    }


def exact(loss, x, rng):
    """Take for G the mean of the Gauss-Newton H_Z, each sample's propagated by itself."""
    return kronecker_factors(loss, x)


def averaged(loss, x, rng):
    """Propagate G as a mean, G ← (W G Wᵀ) ∘ mean σ'σ'ᵀ (Botev, Ritter and Barber 2017)."""
    net, layers, A, P = _look(loss, x)
    G, pairs = np.diag(P.mean(0)) - P.T @ P / len(P), []
    for layer in reversed(range(len(layers))):
        pairs.append((_inputs(A[layer]), G))
        if layer:
            W, slope = layers[layer][0], ACTIVATIONS[net.activation].first(A[layer])
            G = (W @ G @ W.T) * (slope.T @ slope) / len(slope)
    return pairs[::-1]


def _from_labels(loss, x, y):
    """Take for G the mean of D Dᵀ, with D = ∂L/∂Z of each sample with the labels y."""
    net, layers, A, P = _look(loss, x)
    D, pairs = output(A[-1], y)[0], []
    for layer in reversed(range(len(layers))):
        pairs.append((_inputs(A[layer]), D.T @ D / len(D)))
        if layer:
            D = (D @ layers[layer][0].T) * ACTIVATIONS[net.activation].first(A[layer])
    return pairs[::-1]


def drawn(loss, x, rng):
    """Draw a label for each sample from the network's own probabilities: in the mean as exact."""
    P = _look(loss, x)[-1]
    y = (P.cumsum(1) < rng.random((len(P), 1))).sum(1).clip(max=P.shape[1] - 1)
    return _from_labels(loss, x, y)


def given(loss, x, rng):
    """Take the data's labels: the empirical Fisher matrix, which is not the Gauss-Newton matrix."""
    return _from_labels(loss, x, loss.y)


FACTORS = {"exact": exact, "averaged": averaged, "drawn": drawn, "given": given}


def _look(loss, x):
    layers = loss.layers(x)
    A = [a.astype(float) for a in loss.net.forward(layers, loss.X)]  # sums of many small terms
    return loss.net, layers, A, output(A[-1], loss.y)[1]


def _inputs(A):
    inputs = np.c_[A, np.ones(len(A))]
    return inputs.T @ inputs / len(inputs)
