"""Xu et al.'s criteria with equal budgets: every solver may visit the rows as often as another.

700 of scikit-learn's digits, hidden layers of 32, λ = 1e-4 on the weights.
"""

from functools import partial

import numpy as np

from soo_lib.curvature import kronecker_cholesky, martens
from soo_lib.datasets import load_digits
from soo_lib.losses import Loss, Network
from soo_lib.solvers import minimize, minimize_refreshed
from soo_lib.stochastic import minimize_stochastic

SLICE = {"visits": 10}
VISITS = 400
BATCH = 64  # rows in a batch of SGD
P_VISITS = 5  # the price of a Kronecker pair of all layers in gradients, measured as 4.2 to 4.9
SOLVERS = {  # each with the setting that a user has to choose
    "Gradient": ("gradient", "step"),
    "SGD with momentum": ("momentum", "step"),
    "NLCG": ("nlcg", "step"),
    "L-BFGS": ("lbfgs", "step"),
    "Preconditioned L-BFGS": ("lbfgs", "damping"),
    "Hessian-free": ("hessian-free", "damping"),
    "Hessian-free, Martens": ("hessian-free", "damping"),
    "ARC": ("arc", "sigma"),
    "Trust region": ("trust-ncg", "initial_trust_radius"),
}
CURVED = "Preconditioned L-BFGS", "Hessian-free", "Hessian-free, Martens", "ARC", "Trust region"
STEPS = 0.01, 0.03, 0.1, 0.3  # SGD's, for the table that says what choosing among them gains
ONE_STEP = 0.1  # where SGD may not choose
MIDDLE = {  # of each method's settings in the study "tuning": half a decade apart, as many for all
    "Gradient": 1.0,
    "SGD with momentum": 0.1,
    "NLCG": 1.0,
    "L-BFGS": 1.0,
    "Preconditioned L-BFGS": 1e-3,
    "Hessian-free": 0.1,
    "Hessian-free, Martens": 0.03,
    "ARC": 1.0,
    "Trust region": 0.3,
}
NETS = {"sigmoid": (1, 3), "tanh": (1, 3, 6), "relu": (1, 3, 6)}
STUDIES = {
    "robustness": (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3),  # the setting's value
    "saddle": (1e-1, 1e-2, 1e-3, 1e-4),  # the factor of a random start, so near the saddle at 0
    "start": (0.1, 0.3, 1.0, 3.0, 10.0),  # that factor with three hidden layers, also too far out
    "sampling": (1.0, 0.3, 0.1, 0.03),  # the share of the rows that make the curvature
}


def grid(quick=False):
    seeds, visits = (range(1), 30) if quick else (range(3), VISITS)
    points = [
        ("problems", solver, step, activation, depth)
        for activation, depths in NETS.items()
        for depth in depths
        for solver in SOLVERS
        for step in (STEPS if solver.startswith("SGD") else (None,))
    ]
    points += [
        (study, solver, value, "tanh", 3 if study == "start" else 1)
        for study, values in STUDIES.items()
        for solver in (CURVED if study == "sampling" else SOLVERS)
        for value in values
    ]
    points += [
        ("tuning", solver, float(f"{middle * 10 ** (k / 2):.2g}"), "tanh", 3)
        for solver, middle in MIDDLE.items()
        for k in range(-3, 4)
    ]
    names = "study", "solver", "value", "activation", "depth"
    return [
        {**dict(zip(names, point, strict=True)), "seed": seed, "visits": visits}
        for seed in seeds
        for point in points
    ]


class Visited(Loss):
    """A loss with values from all rows and curvature from some, which counts the visits to rows."""

    def __init__(self, loss, rows):
        self.loss, self.part, self.share = loss, loss.subset(rows), len(rows) / loss.n_samples
        self.n_params, self.n_samples, self.visits = loss.n_params, loss.n_samples, 0

    def fun(self, x):
        self.visits += 1
        return self.loss.fun(x)

    def jac(self, x):  # it is asked for where the value is known, in the same visit
        return self.loss.jac(x)

    def fun_and_jac(self, x):
        self.visits += 1
        return self.loss.fun_and_jac(x)

    def hessp(self, x, p):
        self.visits += self.share
        return self.part.hessp(x, p)

    def ggnp(self, x, p):
        self.visits += self.share
        return self.part.ggnp(x, p)

    def martens(self, x, damping):  # it costs as much as a gradient
        self.visits += self.share
        return martens(self.part, x, damping)

    def subset(self, rows):  # a P is made from these rows
        self.visits += P_VISITS * len(rows) / self.n_samples
        return self.loss.subset(rows)


def run(study, solver, value, activation, depth, seed, visits):
    """Do one run; ``seed`` draws the start, the batches, and the rows that make the curvature."""
    data = load_digits(700, standardize=False)
    net = Network([64] + [32] * depth + [10], activation)
    loss = net.loss(data.X_train, data.y_train, l2=1e-4)
    x0 = net.init(seed) * (value if study in ("saddle", "start") else 1.0)
    method, name = SOLVERS[solver]
    how = {name: value} if study in ("robustness", "tuning") else {}
    rows = int(value * loss.n_samples) if study == "sampling" else loss.n_samples
    looked = Visited(loss, np.random.default_rng(seed).choice(loss.n_samples, rows, replace=False))
    points, last = [(0, x0)], [(0, x0)]

    def keep(x):
        if solver.startswith("SGD"):
            looked.visits += 1  # an epoch
        if looked.visits > visits or not np.isfinite(x).all():
            raise StopIteration  # an iteration that did not end in time does not count
        last[:] = [(looked.visits, x)]
        if looked.visits >= 1.1 * points[-1][0]:
            points.extend(last)

    if solver.startswith("SGD"):
        step = value if study in ("problems", "robustness", "tuning") else ONE_STEP
        found = minimize_stochastic(loss, x0, method, BATCH, visits, step, seed, callback=keep)
    elif solver.startswith("Preconditioned"):
        found = minimize_refreshed(
            looked,
            x0,
            partial(kronecker_cholesky, **how),
            every=10,
            rows=rows,
            seed=seed,
            method=method,
            maxiter=visits,
            callback=keep,
        )
    else:
        if solver == "Gradient" and study == "robustness":
            how["line_search"] = "fixed"  # the only solver but SGD whose setting nothing corrects
        if solver == "Trust region":
            how["max_trust_radius"] = 1e4
        if solver.endswith("Martens"):
            how |= {"preconditioner": looked.martens, "warm": 1.0, "backtrack": True}
        found = minimize(looked, x0, method, maxiter=visits, callback=keep, **how)
    points += last[: last[0][0] > points[-1][0]]
    count, x = zip(*points, strict=True)
    return {
        "nit": found.nit,
        "message": found.message,
        "evaluations": np.array(count, float),
        "fun": [loss.fun(point) for point in x],
        "held_out": [np.mean(net.predict(point, data.X_test) == data.y_test) for point in x],
    }
