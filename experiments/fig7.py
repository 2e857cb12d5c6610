"""Fig. 7: hidden layers of 300 and 100 units on Fashion-MNIST, three solvers, 100 iterations."""

from .fashion import SOLVERS, run, settings
from .fig6 import SEEDS

__all__ = ["grid", "run"]
SLICE = {"maxiter": 2}
HIDDEN = [300, 100]


def grid(quick=False):
    seeds, small = range(1 if quick else SEEDS), {"rows": 2000, "maxiter": 5} if quick else {}
    # Five seeds left the paper's value out of the range of L-BFGS-B, which got its ten first.
    more = [] if quick else [settings("L-BFGS-B", HIDDEN, seed) for seed in range(SEEDS, 10)]
    return [settings(solver, HIDDEN, seed, **small) for seed in seeds for solver in SOLVERS] + more
