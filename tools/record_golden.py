"""Write book/_static/golden: every rule and method, step by step, to test other code against.

    python tools/record_golden.py

A file follows schema.json. Of each run it has the points, and loss and gradient there: whoever
implements a rule that reads gradients alone feeds the recorded ones to it, and needs no loss. The
rules ran on all rows of a small network, the methods on Rosenbrock's function.
"""

import json
from pathlib import Path

import numpy as np

from soo_lib.losses import Network, Rosenbrock
from soo_lib.solvers import minimize
from soo_lib.stochastic import RULES, minimize_stochastic

FOLDER = Path(__file__).resolve().parent.parent / "book" / "_static" / "golden"
# The gradient of each weight has one null vector at most, so that bases are told by it.
SIZES, ROWS, STEPS = [4, 3, 4], 12, 6
START = [-1.2, 1.0]

# What is told beside a rule's own defaults, and the step.
SETTINGS = {
    "adagrad": [({}, 0.1)],
    "adam": [({}, 0.05), ({"beta1": 0.7, "beta2": 0.95, "eps": 1e-3}, 0.05)],
    "momentum": [({}, 0.1), ({"momentum": 0.5}, 0.2)],
    "nesterov": [({}, 0.1), ({"momentum": 0.7}, 0.1)],
    "rmsprop": [({}, 0.02), ({"beta": 0.8, "eps": 1e-3}, 0.02)],
    "muon": [({}, 0.05), ({"last": "muon", "nesterov": False, "weight_decay": 0.3}, 0.05)],
    "shampoo": [({"eps": 1e-3}, 0.05), ({"eps": 1e-3, "graft": False, "decay": 1.0}, 0.05)],
    "soap": [({}, 0.05), ({"beta1": 0.8, "beta2": 0.9, "refresh": 2}, 0.05)],
    "schedule_free": [({}, 0.5), ({"momentum": 0.7, "weight_decay": 0.3}, 0.2)],
    "kronecker": [({}, 0.5), ({"ekfac": True, "decay": 0.5, "refresh": 2}, 0.5)],
    "sls": [({}, 1.0)],
    "aprox": [({}, 1.0)],
    "lbfgs": [({}, 0.5)],
    "cg": [({}, 1.0)],
}
METHODS = {
    "gradient": ["fixed", "backtracking", "wolfe"],
    "newton": ["fixed", "backtracking", "wolfe", "trust"],
    "nlcg": ["wolfe"],
    "bfgs": ["wolfe", "trust"],
    "lbfgs": ["wolfe", "trust"],
    "hessian-free": ["backtracking", "trust"],
    "arc": [None],
}


def problem():
    """The network, its rows and its start, to three digits."""
    rng = np.random.default_rng(0)
    net = Network(SIZES, "tanh")
    X, y = rng.normal(size=(ROWS, SIZES[0])).round(3), np.arange(ROWS) % SIZES[-1]
    return net, X, y, rng.normal(size=net.n_params).round(3)


def rules():
    """The runs of every rule, one step of all rows an epoch."""
    net, X, y, x0 = problem()
    loss = net.loss(X, y)
    for rule in RULES:
        for settings, step in SETTINGS.get(rule, [({}, 0.1)]):
            if rule == "adahessian":
                continue  # it draws signs
            how = {"batch_size": ROWS, "epochs": STEPS, "step": step, **settings}
            trace = minimize_stochastic(loss, x0, rule, **how).trace
            yield {"rule": rule, "settings": settings, "step": step, **path(loss, trace)}


def methods():
    """The runs of every method with its searches."""
    loss = Rosenbrock()
    for method, searches in METHODS.items():
        for search in searches:
            step = 1e-3 if (method, search) == ("gradient", "fixed") else 1.0
            trace = minimize(loss, START, method, search, step=step, maxiter=STEPS).trace
            run = {"method": method, "line_search": search, "step": step}
            yield {**run, **path(loss, trace), "lengths": digits(trace.step[1:])}


def path(loss, trace):
    values = [loss.fun_and_jac(x) for x in trace.x]
    return {
        "x": [digits(x) for x in trace.x],
        "fun": digits(f for f, _ in values),
        "jac": [digits(g) for _, g in values],
    }


def digits(values):
    return [float(f"{value:.13g}") for value in values]


def files():
    """The two files by name, as JSON has them."""
    net, X, y, x0 = problem()
    given = {
        "kind": "network",
        "sizes": SIZES,
        "activation": "tanh",
        "X": X.tolist(),
        "y": y.tolist(),
    }
    valley = {"kind": "rosenbrock", "a": 1.0, "b": 50.0}
    return {
        "rules.json": {"problem": {**given, "x0": x0.tolist()}, "runs": [*rules()]},
        "methods.json": {"problem": {**valley, "x0": START}, "runs": [*methods()]},
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, content in files().items():
        runs = content.pop("runs")
        lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
        (FOLDER / name).write_text(f'{json.dumps(content)[:-1]}, "runs": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
