"""What Xu et al.'s criteria need besides: robustness, saddle points and sub-sampled curvature.

700 of scikit-learn's digits, one hidden layer of 32 tanh units, λ = 1e-4 on the weights.
"""

from functools import partial

import numpy as np

from soo_lib.datasets import load_digits
from soo_lib.losses import Loss
from soo_lib.network import Network
from soo_lib.precondition import kronecker
from soo_lib.refresh import minimize_refreshed
from soo_lib.solvers import minimize

SLICE = {"maxiter": 2}
SOLVERS = {  # method, iterations, and the setting a user has to choose
    "Gradient": ("gradient", 200, "step"),
    "NLCG": ("nlcg", 100, "step"),
    "L-BFGS": ("lbfgs", 100, "step"),
    "Preconditioned L-BFGS": ("lbfgs", 100, "damping"),
    "Hessian-free": ("hessian-free", 20, "damping"),
    "ARC": ("arc", 20, "sigma"),
    "Trust region": ("trust-ncg", 20, "initial_trust_radius"),
}
STUDIES = {
    "robustness": (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3),  # the setting's value
    "saddle": (1e-1, 1e-2, 1e-3, 1e-4),  # times a random start: so near the saddle at 0
    "sampling": (1.0, 0.3, 0.1, 0.03),  # share of the rows that curvature is made from
}
CURVED = "Preconditioned L-BFGS", "Hessian-free", "ARC", "Trust region"


def grid(quick=False):
    seeds, small = (range(1), {"maxiter": 3}) if quick else (range(3), {})
    return [{"study": study, "solver": solver, "value": value, "seed": seed,
             "maxiter": SOLVERS[solver][1], **small}
            for study, values in STUDIES.items()
            for solver in (CURVED if study == "sampling" else SOLVERS)
            for value in values for seed in seeds]


class Sampled(Loss):
    """Values and gradients from all rows, curvature from some."""

    def __init__(self, loss, rows):
        part = loss.subset(rows)
        self.n_params, self.fun, self.jac = loss.n_params, loss.fun, loss.jac
        self.fun_and_jac, self.hessp, self.ggnp = loss.fun_and_jac, part.hessp, part.ggnp


def run(study, solver, value, seed, maxiter):
    """``seed`` draws the start, and the rows that curvature is made from."""
    data = load_digits(700, standardize=False)
    net = Network([64, 32, 10], "tanh")
    loss = net.loss(data.X_train, data.y_train, l2=1e-4)
    x0 = net.init(seed) * (value if study == "saddle" else 1.0)
    method, _, name = SOLVERS[solver]
    how = {name: value} if study == "robustness" else {}
    rows = int(value * loss.n_samples) if study == "sampling" else loss.n_samples
    if solver == "Gradient" and study == "robustness":
        how["line_search"] = "fixed"  # the only one whose setting no search corrects
    if solver == "Trust region":
        how["max_trust_radius"] = 1e4
    if solver.startswith("Preconditioned"):
        found = minimize_refreshed(loss, x0, partial(kronecker, **how), every=10, rows=rows,
                                   seed=seed, method=method, maxiter=maxiter)
    else:
        chosen = np.random.default_rng(seed).choice(loss.n_samples, rows, replace=False)
        looked_at = loss if rows == loss.n_samples else Sampled(loss, chosen)
        found = minimize(looked_at, x0, method, maxiter=maxiter, **how)
    kept = np.unique(np.r_[: min(5, found.nit + 1), : found.nit + 1 : 5, found.nit])
    return {"nit": found.nit, "message": found.message, "best": found.fun,
            "iterations": kept, "fun": found.trace.fun[kept],
            "evaluations": found.trace.evaluations[kept],
            "held_out": np.mean(net.predict(found.x, data.X_test) == data.y_test)}
