"""The edge of stability on 5,000 images of Fashion-MNIST: 784-50-10, tanh, no penalty, all rows."""

from .edge import FIRST, run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 3}
STEPS = {"cross-entropy": 0.5, "squared": 0.05}
SEARCHES = "Armijo", "Wolfe, c2 = 0.1", "Wolfe, c2 = 0.9"


def grid(quick=False):
    seeds, small = (
        ((0,), {"maxiter": 5, "rows": 200}) if quick else (range(3), {"maxiter": 120, "rows": 5000})
    )
    return [
        settings(loss, rule, step, seed, sizes=(784, 50, 10), every=10, **small)
        for seed in seeds
        for loss in STEPS
        for rule, step in [("fixed", STEPS[loss]), *((rule, FIRST) for rule in SEARCHES)]
    ]
