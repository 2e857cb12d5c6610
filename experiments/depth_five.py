"""Five sigmoid layers, the rim of the plateau: which solvers get away, and from how many starts?"""

from .depth import SOLVERS, run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 2}


def grid(quick=False):
    return [settings(solver, seed, activation="sigmoid", depth=5,
                     maxiter=3 if quick else max(100, iterations))
            for solver, (_, iterations) in SOLVERS.items() for seed in range(1 if quick else 10)]
