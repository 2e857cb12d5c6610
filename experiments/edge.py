"""The edge of stability: α·λ_max along gradient descent with fixed steps and with line searches.

500 of scikit-learn's digits, 64-32-10, tanh, no penalty, all rows at every step. λ_max is the
largest eigenvalue of the Hessian at the point that a step of length α leaves.
"""

import numpy as np
from scipy.sparse.linalg import eigsh

from soo_lib.curvature.spectrum import symmetric
from soo_lib.datasets import load_digits, load_fashion_mnist
from soo_lib.losses import Loss, Network
from soo_lib.solvers import minimize
from soo_lib.stochastic import RULES

SLICE = {"maxiter": 10}
SEARCHES = {
    "Armijo": {"line_search": "backtracking"},
    **{f"Wolfe, c2 = {c2:g}": {"line_search": "wolfe", "c2": c2} for c2 in (0.1, 0.3, 0.5, 0.9)},
}
FIRST = 8.0  # the first trial of a search
STEPS = {  # the steps of the rules without a search; both losses fall with each of them
    "cross-entropy": {"fixed": (0.5, 1.0), "momentum": (0.2,), "adam": (0.01,)},
    "squared": {"fixed": (0.1, 0.2), "momentum": (0.15,), "adam": (0.01,)},
}


def grid(quick=False):
    seeds, maxiter = (range(1), 20) if quick else (range(3), 150)
    return [
        settings(loss, rule, step, seed, maxiter)
        for loss, rules in STEPS.items()
        for seed in seeds
        for rule, step in [
            *((rule, step) for rule in rules for step in rules[rule]),
            *((rule, FIRST) for rule in SEARCHES),
        ]
    ]


def settings(loss, rule, step, seed, maxiter, rows=500, sizes=(64, 32, 10), every=1):
    return {
        "loss": loss,
        "rule": rule,
        "step": step,
        "seed": seed,
        "maxiter": maxiter,
        "rows": rows,
        "sizes": list(sizes),
        "every": every,
    }


class Squared(Loss):
    """½ mean ‖Z - Y‖²: Z is a network's output before the softmax, Y the labels' indicators."""

    def __init__(self, net, X, y):
        self.net, self.X, self.Y, self.n_params = net, X, np.eye(net.sizes[-1])[y], net.n_params

    def fun(self, x):
        R = self.net.forward(self.net.unpack(x), self.X)[-1] - self.Y
        return 0.5 * float(np.sum(R * R)) / len(R)

    def jac(self, x):
        layers, gradient = self.net.unpack(x), np.zeros(self.n_params)
        A = self.net.forward(layers, self.X)
        D = (A[-1] - self.Y) / len(self.X)
        self.net.backward(layers, A, D, self.net.unpack(gradient))
        return gradient

    def hessp(self, x, p):
        h = 1e-5 / np.linalg.norm(p)  # these central differences are right to some nine digits
        return (self.jac(x + h * p) - self.jac(x - h * p)) / (2 * h)


def problem(loss, rows, sizes, seed):
    images = (
        load_fashion_mnist(n_dev=0, standardize=False)
        if sizes[0] == 784
        else load_digits(rows, standardize=False)
    )
    X, y = images.X_train[:rows], images.y_train[:rows]
    net = Network(sizes, "tanh")
    return (Squared(net, X, y) if loss == "squared" else net.loss(X, y)), net.init(seed)


def run(loss, rule, step, seed, maxiter, rows, sizes, every):
    """Train from a start that ``seed`` draws; look at each ``every``-th point and that after it."""
    loss, x0 = problem(loss, rows, sizes, seed)
    if rule in SEARCHES or rule == "fixed":
        xs = [x0]
        search = SEARCHES.get(rule, {"line_search": "fixed"})
        found = minimize(
            loss,
            x0,
            "gradient",
            step=step,
            maxiter=maxiter,
            gtol=0.0,
            callback=lambda x: xs.append(x.copy()),
            **search,
        )
        fun, alpha, message = found.trace.fun, found.trace.step[1:], found.message
        scales = [None] * len(xs)
    else:
        xs, fun, scales = unsearched(loss, x0, rule, step, maxiter)
        alpha, message = np.full(maxiter, step), ""
    at = [k for k in range(len(alpha)) if k % every < 2 and fun[k] <= 10 * fun[0]]
    return {
        "message": message,
        "fun": fun,
        "at": at,
        "alpha": alpha[at],
        **look(loss, [xs[k] for k in at], [scales[k] for k in at]),
    }


def unsearched(loss, x, rule, step, maxiter):
    """Run a mini-batch rule on all rows; return points, losses and what Adam divides by there."""
    xs, fun, scales, take, v = [], [], [], RULES[rule](), 0.0
    for k in range(1, maxiter + 1):
        f, g = loss.fun_and_jac(x)
        change, _ = take(loss, x, f, g, step)
        v = 0.999 * v + (1 - 0.999) * g * g  # as Adam's
        root = np.sqrt(v / (1 - 0.999**k)) + 1e-8 if rule == "adam" else None
        xs, fun, scales, x = [*xs, x], [*fun, f], [*scales, root], x + change
    return xs, fun, scales


def look(loss, xs, scales):
    """Return λ_max at each point, and the curvature along -g there.

    With a scale d the Hessian is taken in the variables √d x, as Adam's steps see it.
    """
    v, seen = np.random.default_rng(0).normal(size=len(xs[0])), []
    for x, scale in zip(xs, scales):
        root = 1.0 if scale is None else np.sqrt(scale)
        H = symmetric(len(x), lambda p: loss.hessp(x, np.ravel(p) / root) / root)  # noqa: B023
        value, vector = eigsh(H, k=1, which="LA", v0=v, ncv=12, tol=1e-4)
        v, g = vector[:, 0], loss.jac(x) / root
        seen.append((value[0], g @ (H @ g) / (g @ g)))
    return dict(zip(("sharpness", "curvature"), np.transpose(seen)))
