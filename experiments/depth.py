"""Depth: where gradient descent stalls, where second-order methods do not, and where all do.

700 of scikit-learn's digits, hidden layers of 32, λ = 1e-4 on the weights: one to eight layers,
three activations; and four ways off the plateau on which the deepest sigmoid nets come to rest.
"""

import numpy as np

from soo_lib.curvature import kronecker_cholesky
from soo_lib.datasets import load_digits
from soo_lib.losses import Network
from soo_lib.solvers import minimize, minimize_refreshed

SLICE = {"maxiter": 2}
SOLVERS = {  # with their iterations, fewer for those that look at the loss many times in each
    "Gradient": ({"method": "gradient"}, 200),
    "NLCG": ({"method": "CG"}, 200),
    "L-BFGS": ({"method": "lbfgs"}, 200),
    "Preconditioned L-BFGS": ({"method": "lbfgs"}, 200),
    "Hessian-free": ({"method": "hessian-free"}, 20),
    "ARC": ({"method": "arc"}, 20),
    "Trust region": ({"method": "trust-ncg"}, 20),
}
# For experiments/depth_five.py: the parts of those that get away, put together otherwise
PARTS = {
    **{
        f"Hessian-free, λ {damping:g}": ({"method": "hessian-free", "damping": damping}, 100)
        for damping in (1.0, 1e-4, 1e-6)
    },
    **{
        f"{name}, radius {step:g}": (
            {"method": method, "line_search": "trust", "step": step},
            iterations,
        )
        for name, method, iterations in (
            ("Gauss-Newton", "hessian-free", 100),
            ("Newton", "newton", 100),
            ("L-BFGS", "lbfgs", 1000),
        )
        for step in (0.3, 1.0, 3.0)
    },
    "Newton-CG": ({"method": "Newton-CG"}, 100),
}
EVERY = {**SOLVERS, **PARTS}
DEPTHS = range(1, 9)
ROWS = 700
REMEDIES = {
    "none": {},
    "a weaker penalty": {"l2": 1e-6},
    "the penalty later": {"l2_later": 100},
    "larger weights at the start": {"gain": 4.0},
    "tanh": {"activation": "tanh"},
}
STUCK = {"activation": "sigmoid", "depth": 8}
RESCUED = "Gradient", "L-BFGS", "Preconditioned L-BFGS"  # a remedy may rescue them, or not


def grid(quick=False):
    seeds, depths = (range(1), (1, 6)) if quick else (range(5), DEPTHS)
    points = [
        {"activation": activation, "depth": depth}
        for activation in ("sigmoid", "tanh", "relu")
        for depth in depths
    ]
    runs = [(point, solver) for point in points for solver in SOLVERS]
    runs += [({**STUCK, **remedy}, solver) for remedy in REMEDIES.values() for solver in RESCUED]
    distinct = [run for i, run in enumerate(runs) if run not in runs[:i]]
    return [
        settings(solver, seed, **point, **({"maxiter": 3} if quick else {}))
        for point, solver in distinct
        for seed in seeds
    ]


def settings(solver, seed, **other):
    usual = {"maxiter": EVERY[solver][1], "l2": 1e-4, "l2_later": 0, "gain": 1.0}
    return {"solver": solver, "seed": seed, **usual, **other}


def run(solver, seed, maxiter, l2, l2_later, gain, activation, depth):
    """Train one net: ``gain`` multiplies the start; the first ``l2_later`` iterations lack l2."""
    data = load_digits(ROWS, standardize=False)
    net = Network([64] + [32] * depth + [10], activation)
    x0 = gain * net.init(seed)
    penalised = net.loss(data.X_train, data.y_train, l2=l2)
    norms = [np.linalg.norm(W) for W, _ in net.unpack(penalised.jac(x0))]
    free = net.loss(data.X_train, data.y_train)
    first = descend(solver, free, x0, min(l2_later, maxiter)) if l2_later else None
    found = descend(solver, penalised, first.x if first else x0, maxiter)
    kept = np.unique(np.r_[: min(5, found.nit + 1), : found.nit + 1 : 10, found.nit])
    before = first.nfev if first else 0
    return {
        "nit": found.nit,
        "message": found.message,
        "gnorm": found.trace.gnorm[-1],
        "iterations": kept,
        "fun": found.trace.fun[kept],
        "evaluations": before + found.trace.evaluations[kept],
        "seconds": found.trace.seconds[-1],
        "layer_gnorms": norms,
        "train": np.mean(net.predict(found.x, data.X_train) == data.y_train),
        "held_out": np.mean(net.predict(found.x, data.X_test) == data.y_test),
    }


def descend(solver, loss, x, maxiter):
    rule, _ = EVERY[solver]
    if solver.startswith("Preconditioned"):
        return minimize_refreshed(loss, x, kronecker_cholesky, every=10, maxiter=maxiter, **rule)
    return minimize(loss, x, maxiter=maxiter, **rule)
