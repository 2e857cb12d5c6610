"""Fig. 7: hidden layers of 300 and 100 units on Fashion-MNIST, three solvers, 100 iterations."""

from .fashion import SOLVERS, run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 2}
HIDDEN = [300, 100]


def grid(quick=False):
    seeds, small = range(1 if quick else 10), {"rows": 2000, "maxiter": 5} if quick else {}
    return [settings(solver, HIDDEN, seed, **small) for seed in seeds for solver in SOLVERS]
