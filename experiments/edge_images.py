"""The edge of stability on 5,000 images of Fashion-MNIST: 784-50-10, tanh, no penalty, all rows."""

from .edge import FIRST, run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 3}
RULES = {
    "cross-entropy": {"fixed": 0.5, "Armijo": FIRST, "Wolfe, c2 = 0.1": FIRST,
                      "Wolfe, c2 = 0.9": FIRST},
    "squared": {"fixed": 0.05},
}


def grid(quick=False):
    small = {"maxiter": 5, "rows": 200} if quick else {"maxiter": 120, "rows": 5000}
    return [settings(loss, rule, step, 0, sizes=(784, 50, 10), every=10, **small)
            for loss, rules in RULES.items() for rule, step in rules.items()]
