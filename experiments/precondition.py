"""Preconditioned NLCG and L-BFGS on all of Fashion-MNIST: iterations, seconds, test accuracy.

Each solver plain and in p = P x, with the Kronecker pair of appendix B from 3,000 rows; one and two
hidden layers, three seeds of the start.
"""

from functools import lru_cache, partial

from soo_lib.curvature import (
    adagrad_diagonal,
    exact_diagonal,
    kronecker_cholesky,
    layer_cholesky,
    martens,
)
from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network
from soo_lib.solvers import minimize, minimize_refreshed

from .fashion import look

TIMED = True
SLICE = {"maxiter": 2}
KINDS = {
    "adagrad": adagrad_diagonal,
    "martens": martens,
    "exact_diagonal": exact_diagonal,
    "layer_cholesky": layer_cholesky,
    "kronecker": kronecker_cholesky,
}
SOLVERS = {"NLCG": "CG", "L-BFGS": "lbfgs"}  # scipy's, and ours
P = {"kind": "kronecker", "damping": 1e-4, "every": 5, "factor_rows": 3000}
PLAIN = {"kind": None, "damping": None, "every": None, "factor_rows": None}

load = lru_cache(maxsize=1)(load_fashion_mnist)


def grid(quick=False):
    seeds, small = (range(1), {"rows": 2000, "maxiter": 5}) if quick else (range(3), {})
    pair = {**P, "factor_rows": 1000} if quick else P
    return [
        settings(solver, hidden, seed, **{**how, **small})
        for seed in seeds
        for hidden in ([300], [300, 100])
        for solver in SOLVERS
        for how in (PLAIN, pair)
    ]


def settings(solver, hidden, seed, rows=60_000, maxiter=100, **how):
    return {
        "solver": solver,
        "hidden": hidden,
        "seed": seed,
        "rows": rows,
        "maxiter": maxiter,
        **PLAIN,
        **how,
    }


def run(solver, hidden, seed, rows, maxiter, kind, damping, every, factor_rows):
    """Train 784-hidden-10 on pixels/255, λ = 1e-4, float32 inside; ``seed`` draws the start.

    ``kind`` is a key of ``KINDS``; None is the plain solver. ``every=None`` makes P once, at the
    start.
    """
    data = load(n_dev=0, standardize=False)
    net = Network([784, *hidden, 10])
    loss = net.loss(data.X_train[:rows], data.y_train[:rows], l2=1e-4, dtype="float32")
    x0 = net.init(seed)
    loss.fun_and_jac(x0)  # the first visit fetches the rows into memory
    if kind is None:
        found = minimize(loss, x0, SOLVERS[solver], maxiter=maxiter)
    else:
        make = partial(KINDS[kind], damping=damping)
        found = minimize_refreshed(
            loss,
            x0,
            make,
            every=every or maxiter,
            rows=factor_rows,
            seed=seed,
            method=SOLVERS[solver],
            maxiter=maxiter,
        )
    trace = found.trace
    return {
        "nit": found.nit,
        "message": found.message,
        "train": look(net, found.x, loss.X, loss.y)[1],
        "test": look(net, found.x, data.X_test, data.y_test)[1],
        "fun": trace.fun,
        "evaluations": trace.evaluations,
        "seconds": trace.seconds,
    }
